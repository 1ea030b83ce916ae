"""Turns and the tree they form. May import `errors` and `protocol`."""
