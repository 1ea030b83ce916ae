"""httpx without its command line.

`import httpx` also imports its command line where click, rich and pygments are installed, as they
often are: half of the time of that import, for something that no kernel runs. httpx goes on without
it where that import fails; here it is made to fail, for that moment.
"""

from __future__ import annotations

import sys

__all__ = ["httpx"]

_COMMAND_LINE = "httpx._main"

_hidden = "httpx" not in sys.modules and _COMMAND_LINE not in sys.modules
if _hidden:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]
try:
    import httpx
finally:
    if _hidden:
        del sys.modules[_COMMAND_LINE]
