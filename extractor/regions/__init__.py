"""Region detectors: boxes and vectors of a picture, one detector a file."""
