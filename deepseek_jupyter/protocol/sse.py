"""Server-sent events, decoded from bytes as the HTML standard says (section 9.2.6).

`SSEDecoder.feed` takes bytes in any cuts and returns the data of each finished event. Only data
and the fact of a comment matter here: event names repeat the data's type, and nobody uses ids.

Facts that shaped it:

* Lines end in LF, CRLF or a lone CR. `str.splitlines` would also split at U+2028 and its like,
  which occur inside JSON strings.
* A TCP read may end inside a character, so only whole lines are decoded.
* A comment followed by a blank line must not dispatch an empty event.
* A relay may send ``data:`` without the space, or several data lines per event.
* A line may come in any number of reads, and may never end: time is linear in what arrived, and an
  event of more than `LARGEST` bytes ends the decoding.
"""

from __future__ import annotations

import re

LARGEST = 17 * 1024 * 1024  # bytes of one line or event: 16 MiB and what is around them

_LINE_END = re.compile(rb"\r\n|\n|\r")


class SSEDecoder:
    """Bytes in, event data out.

    `comments` counts the comment lines seen (DeepSeek sends ``: keep-alive`` while a request
    waits its turn). `junk` counts lines that are no field of the standard, as a proxy's plain
    text would be. `oversized` says that an event was too large: nothing is read after it.
    """

    def __init__(self) -> None:
        self.comments = 0
        self.junk = 0
        self.oversized = False
        self._rest = bytearray()  # of a line that has not ended
        self._data: list[str] = []  # of an event that has not ended
        self._held = 0  # the size of `_data`

    def feed(self, chunk: bytes) -> list[str]:
        """The data of every event that `chunk` completes, in order."""
        if self.oversized:
            return []
        rest, events = self._rest, list[str]()
        if rest and b"\n" not in chunk and b"\r" not in chunk and rest[-1] != 13:
            # Decoded when the line ends: looking at all of it for each read would take the square.
            rest += chunk
        else:
            self._take(self._cut(bytes(rest) + chunk if rest else chunk), events)
        if len(self._rest) + self._held > LARGEST:
            self.oversized = True
            self._rest.clear()
            self._data.clear()
        return events

    def _take(self, lines: list[str], events: list[str]) -> None:
        for line in lines:
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
                self._held += len(line)
            elif not line:
                if event := "\n".join(self._data):
                    events.append(event)
                self._data.clear()
                self._held = 0
            elif not name:
                self.comments += 1
            elif name not in ("event", "id", "retry"):
                self.junk += 1

    def close(self) -> list[str]:
        """The data of an event that the end of the stream cut short.

        The standard drops it. Kept here: several hosts omit the last blank line, and a JSON
        text that was really cut fails to parse and is dropped there.
        """
        events = self.feed(b"\n\n") if self._rest or self._data else []
        self._rest.clear()
        return events

    def _cut(self, text: bytes) -> list[str]:
        """The lines that have ended; what follows them is kept."""
        if b"\r" not in text:
            whole, end, rest = text.rpartition(b"\n")
            self._rest = bytearray(rest)
            return whole.decode("utf-8", "replace").split("\n") if end else []
        # A CR at the very end may be half of a CRLF: leave it for the next call.
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(text[: len(text) - len(held)])
        self._rest = bytearray(rest + held)
        return [line.decode("utf-8", "replace") for line in lines]
