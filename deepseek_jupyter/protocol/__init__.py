"""The wire, as pure values: bytes and dicts in, values out. Standard library only.

Nothing here opens a socket, reads a clock or knows a provider by name; what differs between
hosts comes in as a `Dialect`.
"""
