"""The models, one a file, readable beside their papers."""
