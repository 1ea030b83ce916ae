"""The embedded model: a small open model on this machine, for use without any key or network.

Only the server's own process imports xllamacpp, and nothing here knows how a chat request is sent:
`ensure_server` gives the address and the key, `thinking_body` the fields to add.

* `models`: the table of models, their files, the seal of a whole one, what a machine needs.
* `install`: a model onto the disk, from a file, the hub or a registry.
* `serve`: the shared server's address; started, kept alive and stopped.
* `server_process`: the server itself, a process of its own.
* `status`: what is installed and running, and how to remove it.
* `thinking`: the request's fields for thinking on and off.
"""

from __future__ import annotations

from .install import install
from .models import DEFAULT_MODEL, MODELS, LocalModel
from .serve import Endpoint, ensure_server, stop_server
from .status import LocalStatus, remove, status
from .thinking import thinking_body

__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "Endpoint",
    "LocalModel",
    "LocalStatus",
    "ensure_server",
    "install",
    "remove",
    "status",
    "stop_server",
    "thinking_body",
]
