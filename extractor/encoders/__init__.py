"""Frozen pretrained features of words and texts, one encoder a file."""
