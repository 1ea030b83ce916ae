"""Trials of the built wheel in environments that teams have; each makes a venv of its own.

`make everywhere` runs them all. They are no part of `make test`: they install hundreds of packages.
"""
