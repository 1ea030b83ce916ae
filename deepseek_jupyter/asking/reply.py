"""`Reply`: what `ask` returns."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deepseek_jupyter.conversation.turn import Step, Turn
from deepseek_jupyter.display.frontend import current_cell, has_frontend, publish, user_namespace
from deepseek_jupyter.display.render import Bundle, CodeBlock, code_blocks, final_bundle, footer
from deepseek_jupyter.display.surfaces import markdown_is_seen
from deepseek_jupyter.display.terminal import erase_prompt
from deepseek_jupyter.errors import (
    DeepSeekError,
    InvalidResponseError,
    SchemaMismatchError,
    shortened,
)
from deepseek_jupyter.privacy.redaction import restore
from deepseek_jupyter.protocol import logprobs
from deepseek_jupyter.protocol.messages import ToolCall
from deepseek_jupyter.protocol.usage import Usage

if TYPE_CHECKING:
    from deepseek_jupyter.tools.schemas import Shape


_CUT = frozenset(
    {"length", "content_filter", "insufficient_system_resource", "aborted"}
    | {"interrupted", "truncated", "error"}
)


def record_of(turn: Turn) -> dict[str, Any]:
    """The record of a turn with what else its card shows: the footer, and the places of quotes."""
    record = turn.record
    record["footer"] = footer(record)
    return {**record, "cites": turn.cites} if turn.cites else record


class Reply:
    """An answer, whole or as far as it came.

    ``str(reply)`` is its text. `error` is the exception that ended it, or None. `shown_in` is the
    cell in which it was shown as it streamed: ending that cell with it does not show it again.
    """

    def __init__(
        self,
        turn: Turn,
        *,
        error: DeepSeekError | None = None,
        record: dict[str, Any] | None = None,
        shape: Shape | None = None,
    ) -> None:
        self.turn = turn
        self._seen = turn.seen()
        self.error = error
        self.shown_in: int | None = None
        self._shape = shape
        self._data: Any = None
        self.record = record or record_of(turn)

    @property
    def text(self) -> str:
        """The answer as shown: with the originals of pseudonyms, except in targets of links."""
        return self._seen.answer

    @property
    def reasoning(self) -> str | None:
        """The chain of thought; None when the model did not think."""
        return self._seen.reasoning

    @property
    def data(self) -> Any:
        """The answer as the type that `schema` asked for, without one as JSON.

        Raises `InvalidResponseError` (with `reply`) when it is none, and its kind
        `SchemaMismatchError` when it does not fit the schema.
        """
        if self._data is None and isinstance(self.error, SchemaMismatchError):
            raise self.error
        if self._data is None:
            try:
                value = self._json()
                self._data = value if self._shape is None else self._shape.validate(value)
            except InvalidResponseError as error:
                error.reply = self
                raise
        return self._data

    def _json(self) -> Any:
        text = self._restored.strip()
        blocks = code_blocks(text)
        try:
            return json.loads(blocks[0].text if blocks and text.startswith("```") else text)
        except ValueError:
            raise InvalidResponseError(
                "The answer is not JSON.", "Ask with -f json; the text is in reply.text."
            ) from None

    def frame(self, backend: str | None = None) -> Any:
        """The records of `data` as a frame.

        `backend` is "pandas", "polars" or "pyarrow"; None takes that of the first attached frame,
        else the first that is installed. Raises `InvalidResponseError` where there are no records.
        """
        from deepseek_jupyter.tools.arrow import BACKENDS, frame_of

        kinds = [f"{a.get('kind')} {a.get('source')}".lower() for a in self.turn.attachments]
        attached = (name for kind in kinds for name in BACKENDS if name in kind)
        return frame_of(self.data, backend or next(attached, None))

    @property
    def code(self) -> str:
        """The Python code in the answer: its blocks joined by a blank line, "" if none."""
        return "\n\n".join(self.code_cells)

    @property
    def code_cells(self) -> list[str]:
        """The Python code in the answer, a cell for each block."""
        return [block.text.rstrip("\n") for block in self.code_blocks if block.is_python]

    @property
    def code_blocks(self) -> list[CodeBlock]:
        """Every fenced block; fences within a block belong to its text."""
        return code_blocks(self._restored)

    @property
    def _restored(self) -> str:
        """The answer as values for code: nothing in it can be clicked on."""
        return restore(self.turn.answer, self.turn.pseudonyms)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The functions that the model wants called: those that ran are in `steps`."""
        return self._seen.tool_calls

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rounds of tool calls before the answer, with results and decisions."""
        return self._seen.steps

    @property
    def usage(self) -> Usage | None:
        """Tokens, None where the host reports none."""
        return self.turn.usage

    @property
    def cost(self) -> Decimal | None:
        """Estimated cost in `currency`, None where no price is known."""
        return Decimal(self.turn.cost["amount"]) if self.turn.cost else None

    @property
    def currency(self) -> str | None:
        """Of `cost`: "USD" or "CNY"."""
        return self.turn.cost["currency"] if self.turn.cost else None

    @property
    def finish_reason(self) -> str | None:
        """In the API's words (``stop``, ``length``), else as the server said it; ``interrupted``,
        ``truncated`` or ``error`` where it could not.
        """
        return self.turn.finish_reason

    @property
    def audit(self) -> Mapping[str, Any]:
        """What was asked (``think``, ``effort``), and how the reply named itself: ``id``,
        ``request_id``, ``fingerprint``, ``created``, ``native_finish_reason``; each where known.
        """
        return self.turn.audit

    @property
    def logprobs(self) -> Mapping[str, Any] | None:
        """Of each token, as the API words them; None where none were asked for."""
        kept = self.turn.tokens
        return self.turn.logprobs or (logprobs.unpacked(kept["packed"]) if kept else None)

    @property
    def tokens(self) -> Any:
        """The answer's tokens, asked for with ``top_logprobs``, as a frame or a list of dicts.

        A row has `token`, its probability `p` as the host reports it, `entropy` in bits, at least,
        and `alternatives` with their probabilities.
        """
        return self._tokens("content")

    @property
    def thinking_tokens(self) -> Any:
        """The tokens of the thinking, as `tokens` has those of the answer."""
        return self._tokens("reasoning_content")

    def _tokens(self, name: str) -> Any:
        from deepseek_jupyter.tools.arrow import frame_or_rows

        return frame_or_rows(logprobs.rows((self.logprobs or {}).get(name)))

    @property
    def sureness(self) -> str:
        """How sure the model was, where tokens were asked for: perplexity, the least sure ones."""
        return self.turn.tokens["says"] if self.turn.tokens else ""

    @property
    def model(self) -> str:
        """The model that answered."""
        return self.turn.served_model or self.turn.model

    @property
    def cut(self) -> bool:
        """Whether the answer ended before its end: stopped, broken off, refused or too long.

        The last of its code may then be half a block.
        """
        return self.error is not None or self.finish_reason in _CUT

    @property
    def timing(self) -> Mapping[str, float | None]:
        """Seconds: ``first_token``, ``thinking``, ``total``."""
        return self.turn.timing

    @property
    def footer(self) -> str:
        """The line under the answer."""
        return str(self.record["footer"])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Reply {shortened(self.text)!r}, {self.footer}>"

    def _ipython_display_(self) -> None:
        """Show it, unless the cell that just asked has shown it already."""
        if self.shown_in is None or self.shown_in != current_cell():
            changed = self.changed()
            publish(self.bundle(changed, seen=markdown_is_seen()))
            if changed and not has_frontend():
                print(*changed, sep="\n")
        elif not has_frontend():
            erase_prompt(sys.stdout)

    def bundle(self, notices: Iterable[str] = (), *, seen: bool = False) -> Bundle:
        """The mimebundle of its output, with `notices` added.

        With `seen` its Markdown has thinking and figures too.
        """
        notices = [*self.record.get("notices", ()), *notices]
        return final_bundle({**self.record, "notices": notices}, seen=seen)

    def changed(self) -> list[str]:
        """A sentence for each attached object that has changed since it was asked about.

        Objects are found by name in the notebook; those that are gone, and expressions, are
        skipped.
        """
        if not self.turn.attachments:
            return []
        from deepseek_jupyter.context.attach import fingerprint

        names = user_namespace()
        return [
            f"{a['name']} has changed since this answer."
            for a in self.turn.attachments
            if a.get("hash") and a.get("name") in names
            if fingerprint(names[a["name"]]) != a["hash"]
        ]
