"""Puts the network guard into a child process that has this directory on its PYTHONPATH."""

import network_guard

network_guard.install()
