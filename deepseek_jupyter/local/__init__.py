"""The embedded model: a small open model on this machine, for use without any key or network.

May import: the standard library, `deepseek_jupyter.errors`, `deepseek_jupyter.home`. Only the
server's own process (`server.py`) imports xllamacpp, and nothing here knows how a chat request
is sent: `ensure_server` gives the address and the key, `thinking_body` the fields to add.

    models -> store -> sources -> install
           -> lease -> launch -> serve -> status
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
