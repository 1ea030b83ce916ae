"""From a turn's record to the mimebundle of its output, with the footer; and the code in an answer.

A finished turn's output has the record for our renderer, sanitized Markdown, and the answer's text
(`protocol.output` says why these). While it streams script-free HTML goes out, of which finished
blocks are not rendered again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deepseek_jupyter.errors import one_line
from deepseek_jupyter.protocol.output import COMPARE_MIME, TURN_MIME, packed
from deepseek_jupyter.sanitizer.markdown import code_mark, framed_mark
from deepseek_jupyter.sanitizer.sanitizer import Sanitized, sanitize
from deepseek_jupyter.sanitizer.text import mark_code, plain
from deepseek_jupyter.words import said

from .calls import calls, records_in, table_mark
from .frontend import reads_plain_text
from .report import INERT, inert

Bundle = dict[str, Any]

_log = logging.getLogger(__name__)

# finish_reason in words; `stop` needs none. Unknown ones are shown as the server said them.
END_WORDS: Mapping[str, str] = {
    "stop": "",
    "length": "cut at the token limit",
    "tool_calls": "asks for tools",
    "content_filter": "cut by the provider's content filter",
    "insufficient_system_resource": "cut: the server ran out of capacity",
    "aborted": "aborted by the server",
    "interrupted": "stopped",
    "truncated": "broke off",
    "error": "failed",
}

_SYMBOLS = {"USD": "$", "CNY": "¥", "EUR": "€"}
_PYTHON = frozenset({"", "python", "py", "python3", "ipython", "ipython3"})

_FENCE = "`" * 16  # longer than any fence that a model writes; the card has as many
OPENING = {"json": f"{_FENCE}json\n", "text": f"{_FENCE}text\n"}

_LINE = 80  # characters of an answer as plain text, and of its question
_ROWS = 10  # of a tool's table in the Markdown; the record has all that the model read
_TAIL = 4_000  # characters of a long chain of thought that are shown while it grows
_MUTED = "color:var(--jp-ui-font-color2,#6b6b6b)"
_FOLD = f"margin:0 0 .6em;{_MUTED}"
_THOUGHT = (
    "white-space:pre-wrap;margin:.4em 0 0;padding-left:.8em;"
    "border-left:2px solid var(--jp-border-color2,#ddd);max-height:24em;overflow:auto"
)
_FOOTER = f"margin-top:.6em;font-size:.85em;{_MUTED}"
_RED = ";color:var(--jp-error-color1,#c5221f)"
_WARNING = "margin-top:.4em;color:var(--jp-warn-color-normal,#b45309)"


def streaming_bundle(
    answer_html: str,
    reasoning: str,
    *,
    status: str,
    elapsed: float,
    notices: list[str],
    is_open: bool = False,
    steps: Sequence[Mapping[str, Any]] = (),
    waiting: Mapping[str, Any] | None = None,
) -> Bundle:
    """The output while the answer grows; `is_open` keeps the thinking open in the answer too.

    `answer_html` is sanitized, all else plain text. MathJax is kept away: a formula is typeset
    once, when the text is whole.
    """
    words = {"waiting": "Waiting…", "thinking": "Thinking…", "answering": "Answering…"}
    phase = waiting_words(waiting) if waiting else said(words.get(status, status))
    line = f"{phase} {said(seconds(elapsed))}"
    parts = [f'<div class="jp-DeepSeek-turn {INERT}">', *map(_calls_html, steps)]
    if reasoning:
        label = said("Thinking…" if status == "thinking" else "Thought")
        seen = reasoning if len(reasoning) <= 2 * _TAIL else "…" + reasoning[-_TAIL:]
        parts.append(_fold(label, seen, is_open or status == "thinking"))
    parts += [answer_html, *(_box(_WARNING, said(notice)) for notice in notices)]
    body = "".join([*parts, _box(_FOOTER, line), "</div>"])
    return {"text/html": body, "text/plain": line}


def waiting_words(waiting: Mapping[str, Any]) -> str:
    """What a question waits for; its TypeScript twin is `phase` in ``card/wording.ts``."""
    forms = {
        "start": "Starting {name} on this machine…",
        "read": "Reading `{name}` ({rows:,} rows)…",
        "retry": "{why} Try {number} of {of} in {seconds:.1f} s.",
    }
    return said(forms[waiting["reason"]].format_map(waiting))


def shaped(answer: str, answer_format: str) -> str:
    """The answer as Markdown: JSON and plain text become one code block."""
    opening = OPENING.get(answer_format, "")
    return f"{opening}{answer}\n{_FENCE}" if opening else answer


def final_bundle(
    record: Mapping[str, Any],
    answer: Sanitized | None = None,
    *,
    seen: bool = False,
    raised: bool = False,
) -> Bundle:
    """The output that stays. `answer` is the sanitized answer where it is at hand.

    A notebook, where everyone shows Markdown, has one line of the answer as plain text. Thinking,
    tokens, money and seconds are in the record; the Markdown repeats them only where the user has
    just `seen` it: they would be half of a file and of the differences between two runs. An error
    that is `raised` is an output of its own: the Markdown does not repeat it.
    """
    given = record["answer"]
    answer = answer or rendered(lambda: sanitize(shaped(given, record["format"])), given)
    text = plain(record["answer"]) or said(ending(record))
    text = text if reads_plain_text() else one_line(text, _LINE)
    markdown = _markdown({**record, "error": None} if raised else record, answer.markdown, seen)
    return {
        TURN_MIME: packed(record, text, markdown),
        "text/markdown": markdown,
        "text/plain": text,
    }


def compared_bundle(id: str, turns: Mapping[str, Mapping[str, Any]], remark: str) -> Bundle:
    """The output of several answers to one question, a column each; `remark` is said of all."""
    names, records = list(turns), list(turns.values())
    column = f'<td valign="top" width="{100 // len(records)}%">'
    parts = [f"> {_marked(one_line(records[0]['prompt'], _LINE))}", "<table><tr>"]
    for name, record in turns.items():
        shown = final_bundle({**record, "prompt": "", "reasoning": ""}, seen=True)
        parts += [column, f"**{_marked(name)}**", shown["text/markdown"], "</td>"]
    parts += ["</tr></table>", *(f"*{_marked(said(line))}*" for line in remark.splitlines())]
    markdown = "\n\n".join(parts)
    texts = [one_line(plain(record["answer"]), _LINE) or ending(record) for record in records]
    kept = [{TURN_MIME: packed(record, "", markdown)} for record in records]
    compared = {"schema": 1, "id": id, "names": names, "turns": kept, "remark": remark}
    text = "\n".join(map(": ".join, zip(names, texts, strict=True)))
    return {COMPARE_MIME: compared, "text/markdown": markdown, "text/plain": text}


def growing_columns(names: Sequence[str], cards: Sequence[str]) -> str:
    inner = "".join(
        f'<div style="flex:1 1 16em;min-width:0"><b>{inert(name)}</b>{card}</div>'
        for name, card in zip(names, cards, strict=True)
    )
    return f'<div class="{INERT}" style="display:flex;flex-wrap:wrap;gap:1.5em">{inner}</div>'


def rendered(render: Callable[[], Sanitized], text: str) -> Sanitized:
    """What `render` makes of `text`; the plain text where it fails: the answer was paid for."""
    try:
        return render()
    except Exception:  # a flaw of ours costs the looks, never an answer that was paid for
        _log.debug("an answer is shown as plain text", exc_info=True)
        return Sanitized(f"<pre>{inert(text)}</pre>", code_mark(plain(text)))


def ending(record: Mapping[str, Any]) -> str:
    """The words for an answer that has no text."""
    reason = record.get("finish_reason")
    words = END_WORDS.get(reason, reason) if reason else "no answer"
    return f"({words or 'no answer'})"


def _box(style: str, text: str) -> str:
    return f'<div class="{INERT}" style="{style}">{inert(text)}</div>'


def _fold(summary: str, text: str, is_open: bool = False, colour: str = "") -> str:
    return (
        f'<details{" open" if is_open else ""} style="{_FOLD}{colour}">'
        f"<summary>{inert(summary)}</summary>{_box(_THOUGHT, text)}</details>"
    )


def _markdown(record: Mapping[str, Any], answer: str, seen: bool) -> str:
    """The answer as Markdown, with what is around it."""
    # Who reads a page of the notebook may not see the cell that asked.
    question = one_line(record["prompt"], _LINE)
    parts = [] if seen or not question else [f"> {_marked(question)}"]
    is_open = "thinking" in record.get("policy", ())
    parts += [_calls_markdown(step, seen or is_open, is_open) for step in record.get("steps", ())]
    if record["reasoning"] and (seen or is_open):
        thought = (record.get("timing") or {}).get("thinking") if seen else None
        label = f"Thought for {seconds(thought)}" if thought else "Thought"
        parts.append(_marked_fold(said(label), plain(record["reasoning"]), is_open))
    rows = records_in(record["answer"]) if record["format"] == "json" else ()
    if changes := record.get("changes"):
        parts += _changes_markdown(record["answer"], changes)
        parts += [f"*{_marked(said(changes['remark']))}*"] if seen else []
    else:
        parts.append(table_mark(rows) if rows else answer)
    if problem := record.get("error"):
        parts.append(f"**{_marked(said(problem['message']))}**")
    parts += [f"*{_marked(said(text))}*" for text in record["notices"]]
    foot = record["footer"] if seen else footer(record, figures=False)
    parts.append(f"<sub>{_marked(said(foot))}</sub>")
    return "\n\n".join(filter(None, parts))


def _calls_html(step: Mapping[str, Any]) -> str:
    """A step's thinking and words, and its calls, each a fold."""
    words, thinking = step.get("answer") or "", step.get("reasoning") or ""
    parts = [_fold(said("Thought"), thinking)] if thinking else []
    parts += [f'<p class="{INERT}">{inert(words)}</p>'] if words else []
    for call in calls(step):
        table = "\n".join(map(" · ".join, call.rows))
        inside = "\n\n".join(filter(None, (call.code, table, call.rest)))
        parts.append(_fold(said(call.line), inside, colour=_RED if call.failed else ""))
    return "".join(parts)


def _calls_markdown(step: Mapping[str, Any], thinking: bool, is_open: bool) -> str:
    parts = []
    if thinking and step.get("reasoning"):
        parts.append(_marked_fold(said("Thought"), plain(step["reasoning"]), is_open))
    parts += [_marked(step["answer"])] if step.get("answer") else []
    for call in calls(step):
        rest = call.rest.strip("\n")
        inside = [framed_mark(plain(call.code), call.language)]
        inside += [table_mark(call.rows[: 1 + _ROWS])] if call.rows else []
        if len(call.rows) > 1 + _ROWS:
            inside.append(f"*{said(f'The first {_ROWS} of {len(call.rows) - 1} rows.')}*")
        inside += [framed_mark(plain(rest))] if rest else []
        line = _marked(said(call.line))
        line = f"<strong>{line}</strong>" if call.failed else line
        parts += [f"<details><summary>{line}</summary>", *inside, "</details>"]
    return "\n\n".join(parts)


def _changes_markdown(answer: str, changes: Mapping[str, Any]) -> list[str]:
    """The answer with differences in place of the code that they were made of."""
    lines = answer.split("\n")
    for start, end in reversed(changes["cut"]):
        del lines[start:end]
    parts = [sanitize("\n".join(lines)).markdown]
    for cell in changes["cells"]:
        difference = "\n".join(f"{mark} {text}".rstrip() for mark, text in cell["lines"])
        parts += [f"**{_marked(said(cell['name']))}**", framed_mark(plain(difference), "diff")]
    return [*parts, *(f"*{_marked(said(note))}*" for note in changes["notes"])]


def _marked_fold(summary: str, text: str, is_open: bool = False) -> str:
    lines = "<br>".join(mark_code(line) for line in text.split("\n"))
    start = f"<details{' open' if is_open else ''}>"
    return f"{start}<summary>{_marked(summary)}</summary>{lines}</details>"


def _marked(text: str) -> str:
    """`text` on one line, in which no Markdown parser finds anything."""
    return mark_code(" ".join(plain(text).split()))


def footer(record: Mapping[str, Any], *, figures: bool = True) -> str:
    """The footer of a finished turn, from its record; "" while it runs.

    Without `figures` the model and how the answer ended.
    """
    if record["status"] in ("waiting", "thinking", "answering"):
        return ""
    parts = ["replayed"] if record.get("replayed") and figures else []
    if parts and (recorded := record.get("recorded")):
        parts.append(f"recorded {recorded[:10]}")
    parts.append(record.get("served_model") or record["model"])
    if figures and (usage := record.get("usage")):
        parts += _tokens(usage)
    if figures and (cost := record.get("cost")):
        parts.append(f"~{money(Decimal(cost['amount']), cost['currency'])}")
    total = (record.get("timing") or {}).get("total")
    if figures and total is not None:
        parts.append(seconds(total))
    reason = record.get("finish_reason")
    parts.append("no finish reason given" if reason is None else END_WORDS.get(reason, reason))
    return " · ".join(filter(None, parts))


def money(amount: Decimal, currency: str) -> str:
    """An amount with enough digits to be more than zero, two where it is large."""
    symbol = _SYMBOLS.get(currency, f"{currency} ")
    if amount == 0:
        return f"{symbol}0"
    if amount >= 1:
        return f"{symbol}{amount:.2f}"
    digits = max(2, 1 - amount.adjusted())
    return f"{symbol}{amount:.{digits}f}"


def seconds(value: float) -> str:
    """A duration: 0.4 s, 12 s, 3 min 20 s."""
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def _tokens(usage: Mapping[str, int]) -> list[str]:
    """New, cached, thinking, out: buckets that add up to the total."""
    thinking = usage["reasoning_tokens"]
    counts = [
        (usage["cache_miss_tokens"], "new"),
        (usage["cache_hit_tokens"], "cached"),
        (thinking, "thinking"),
        (max(0, usage["completion_tokens"] - thinking), "out"),
    ]
    shown = [f"{n:,} {word}" for n, word in counts if n or word in ("new", "out")]
    estimated = usage.get("estimated")
    return [f"{'about ' if estimated else ''}{' + '.join(shown)} tokens"]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """One fenced block; `info` is all that follows the fence, `language` its first word, without
    the braces of Quarto and pandoc. `closed` is False where the text ended before the block.
    `lines` are the number of its first line, from 0, and of the first after it.
    """

    language: str
    text: str
    info: str = ""
    closed: bool = True
    lines: Sequence[int] = (0, 0)

    @property
    def is_python(self) -> bool:
        """Whether it may go into a Python cell. A block without a language counts, unless it was
        never closed: a stray fence makes one of the prose behind it.
        """
        return self.language.lower() in _PYTHON and bool(self.language or self.closed)


_LANGUAGE = re.compile(r"[{.\s]*([^\s{},]*)")


def code_blocks(markdown: str) -> list[CodeBlock]:
    """The fenced blocks of `markdown`, in order, also those in lists and quotes."""
    from markdown_it import MarkdownIt

    found = []
    for token in MarkdownIt("commonmark").parse(markdown.removesuffix("\n") + "\n"):
        if token.type == "fence" and token.map:
            first, end = token.map
            info = token.info.strip()
            language = _LANGUAGE.match(info)
            closed = end - first - 1 > token.content.count("\n")
            name = language[1] if language else ""
            found.append(CodeBlock(name, token.content, info, closed, token.map))
    return found
