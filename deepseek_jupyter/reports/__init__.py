"""A conversation as a file."""
