"""Server-sent events, decoded from bytes as the HTML standard says (section 9.2.6).

`SSEDecoder.feed` takes bytes in any cuts and returns the data of each finished event. Only data
and the fact of a comment matter here: no endpoint of ours uses event names or ids on this wire.

Facts that shaped it:

* Lines end in LF, CRLF or a lone CR. `str.splitlines` would also split at U+2028 and its like,
  which occur inside JSON strings.
* A TCP read may end inside a character, so bytes are cut into lines first and each whole line
  is decoded.
* A comment followed by a blank line must not dispatch an empty event.
* A relay may send ``data:`` without the space, several data lines per event, or a BOM.
"""

from __future__ import annotations

import re

__all__ = ["SSEDecoder"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SSEDecoder:
    """Bytes in, event data out.

    `comments` counts the comment lines seen (DeepSeek sends ``: keep-alive`` while a request
    waits its turn). `junk` counts lines that are no field of the standard, as a proxy's plain
    text would be.
    """

    def __init__(self) -> None:
        self.comments = 0
        self.junk = 0
        self._rest = b""
        self._data: list[str] = []
        self._at_start = True

    def feed(self, chunk: bytes) -> list[str]:
        """The data of every event that `chunk` completes, in order."""
        text = self._rest + chunk if self._rest else chunk
        if self._at_start:
            text = self._without_bom(text)
        lines = self._cut(text)
        events: list[str] = []
        data = self._data
        for line in lines:
            if line[:6] == b"data: ":  # the line that is nearly always meant
                data.append(line[6:].decode("utf-8", "replace"))
            elif not line:
                if data:
                    event = data[0] if len(data) == 1 else "\n".join(data)
                    if event:
                        events.append(event)
                    data.clear()
            else:
                self._field(line)
        return events

    def close(self) -> list[str]:
        """The data of an event that the end of the stream cut short.

        The standard drops it. Kept here: several hosts omit the last blank line, and a JSON
        text that was really cut fails to parse and is dropped there.
        """
        events = self.feed(b"\n\n") if self._rest or self._data else []
        self._rest = b""
        return events

    def _without_bom(self, text: bytes) -> bytes:
        if len(text) < len(_BOM) and _BOM.startswith(text):
            return text  # _cut finds no line end in it, so it waits for more
        self._at_start = False
        return text.removeprefix(_BOM)

    def _cut(self, text: bytes) -> list[bytes]:
        if b"\r" not in text:
            *lines, self._rest = text.split(b"\n")
            return lines
        # A CR at the very end may be half of a CRLF: leave it for the next call.
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(text[: len(text) - len(held)])
        self._rest = rest + held
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        elif not name:
            self.comments += 1
        elif name not in (b"event", b"id", b"retry"):
            self.junk += 1
