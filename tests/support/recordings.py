"""Recorded exchanges with real endpoints, and what their bytes say by a reader of its own.

The recordings lie outside the project: in `../shared/recorded` from its root, or in the folder
that ``DEEPSEEK_RECORDINGS`` names. Tests that need them skip where there is none; in CI that is a
failure. Left out, being other wires: Ollama's native ``/api/chat`` and ``/v1/responses``, and the
few GETs.

`Expected` is computed here with regular expressions and dict merging, sharing no code and no
approach with the package: two readers that agree are worth more than one.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from deepseek_jupyter.protocol.deltas import Completion

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("DEEPSEEK_RECORDINGS") or ROOT / ".." / "shared" / "recorded")
IN_CI = bool(os.environ.get("CI"))
WHY_MISSING = "no recordings: put them into ../shared/recorded or name them by DEEPSEEK_RECORDINGS"

Kind = Literal["stream", "json", "error"]

_PROFILES = {"llamacpp": "llamacpp", "openrouter": "openrouter", "deepseek": "deepseek"}


@dataclass(frozen=True)
class Recording:
    """One reply, and the request that asked for it where that was kept."""

    name: str
    family: str  # whose server spoke
    kind: Kind
    status: int
    headers: dict[str, str]
    body: bytes
    request: dict[str, Any] | None = None

    @property
    def provider(self) -> str:
        """The profile to read it with."""
        return _PROFILES.get(self.family, "vllm")

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


@dataclass
class Expected:
    """What the bytes say."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[tuple[str, str, str]] = field(default_factory=list)
    finish_reason: str | None = None
    model: str | None = None
    usage: tuple[int, int, int, int] | None = None  # prompt, completion, hit, reasoning


def present() -> bool:
    """Whether there are recordings here."""
    return FOLDER.is_dir()


@cache
def recordings() -> tuple[Recording, ...]:
    """All of them, in a fixed order; empty where the folder is missing."""
    if not present():
        return ()
    return (*_rig(), *_prism(), *_vercel())


def streams() -> list[Recording]:
    """The streamed replies."""
    return [r for r in recordings() if r.kind == "stream"]


def bodies() -> list[Recording]:
    """The replies that were not streamed."""
    return [r for r in recordings() if r.kind == "json"]


def refusals() -> list[Recording]:
    """The recorded error bodies."""
    return [r for r in recordings() if r.kind == "error"]


def pairs() -> list[tuple[Recording, Recording]]:
    """(streamed, not streamed) recordings of one and the same reply, where both were kept."""
    by_name = {r.name: r for r in recordings()}
    named = ((by_name.get(f"{r.name}.chunks"), r) for r in bodies())
    return [(stream, body) for stream, body in named if stream is not None]


# --- the files ---------------------------------------------------------------------------------


def _rig() -> Iterator[Recording]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted((FOLDER / "rig/tests/cassettes").rglob("*.yaml")):
        family = path.relative_to(FOLDER / "rig/tests/cassettes").parts[0]
        for number, exchange in enumerate(yaml.load_all(path.read_text("utf-8"), loader)):
            when, then = exchange["when"], exchange["then"]
            if not when["path"].endswith("/chat/completions"):
                continue
            headers = {h["name"].lower(): h["value"] for h in then.get("header") or ()}
            stream = "event-stream" in headers.get("content-type", "")
            kind: Kind = "error" if then["status"] >= 400 else "stream" if stream else "json"
            name = f"{path.parent.name}/{path.stem}" + (f"#{number}" if number else "")
            request = json.loads(when["body"]) if when.get("body") else None
            body = then["body"].encode()
            yield Recording(
                f"{family}/{name}", family, kind, then["status"], headers, body, request
            )


def _prism() -> Iterator[Recording]:
    for path in sorted((FOLDER / "prism/tests/Fixtures/deepseek").iterdir()):
        kind: Kind = "stream" if path.suffix == ".sse" else "json"
        yield _bare(f"prism/{path.stem}", "deepseek", kind, path.read_bytes())


def _vercel() -> Iterator[Recording]:
    for path in sorted((FOLDER / "vercel-ai/packages").rglob("__fixtures__/*")):
        family = path.relative_to(FOLDER / "vercel-ai/packages").parts[0]
        name = f"vercel/{path.name.removesuffix('.json').removesuffix('.txt')}"
        if path.suffix == ".json":
            yield _bare(name, family, "json", path.read_bytes())
        else:
            lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
            events = b"".join(b"data: " + line + b"\n\n" for line in lines)
            yield _bare(name, family, "stream", events + b"data: [DONE]\n\n")


def _bare(name: str, family: str, kind: Kind, body: bytes) -> Recording:
    type_ = "text/event-stream" if kind == "stream" else "application/json"
    return Recording(name, family, kind, 200, {"content-type": type_}, body)


# --- the second reader -------------------------------------------------------------------------

_DATA = re.compile(rb"^data: ?(\{.*\})\r?$", re.MULTILINE)


def expected(recording: Recording) -> Expected:
    """What `recording` says."""
    return _expected(recording.kind, recording.body)


@cache  # asked for once for every cut
def _expected(kind: Kind, body: bytes) -> Expected:
    if kind == "stream":
        chunks = [json.loads(found) for found in _DATA.findall(body)]
    else:
        chunks = [json.loads(body)]
    said = Expected(model=next((c["model"] for c in chunks if c.get("model")), None))
    calls: dict[int, dict[str, str]] = {}
    for chunk in chunks:
        _usage(said, chunk)
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) == 0:
                _choice(said, choice, calls)
    said.tool_calls = [(c["id"], c["name"], c["arguments"]) for _, c in sorted(calls.items())]
    before, tag, after = said.text.partition("</think>\n")
    if tag and not said.reasoning and "<think>" not in before:  # its beginning is in the template
        said.reasoning, said.text = before.rstrip(), after.lstrip()
    return said


def _choice(said: Expected, choice: dict[str, Any], calls: dict[int, dict[str, str]]) -> None:
    part = choice.get("delta") or choice.get("message") or {}
    said.text += part.get("content") or part.get("refusal") or ""
    details = "".join(d.get("text") or "" for d in part.get("reasoning_details") or [])
    said.reasoning += part.get("reasoning_content") or part.get("reasoning") or details
    for place, piece in enumerate(part.get("tool_calls") or []):
        call = calls.setdefault(piece.get("index", place), {"id": "", "name": "", "arguments": ""})
        function = piece.get("function") or {}
        call["id"] = piece.get("id") or call["id"]
        call["name"] = function.get("name") or call["name"]
        call["arguments"] += function.get("arguments") or ""
    said.finish_reason = said.finish_reason or choice.get("finish_reason")


def _usage(said: Expected, chunk: dict[str, Any]) -> None:
    usage = chunk.get("usage")
    if not usage:
        return
    details = usage.get("prompt_tokens_details") or {}
    hit = usage.get("prompt_cache_hit_tokens", details.get("cached_tokens"))
    if hit is None:
        hit = (chunk.get("timings") or {}).get("cache_n") or 0
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    said.usage = (usage["prompt_tokens"], usage["completion_tokens"], hit, thought)


# --- for the tests -----------------------------------------------------------------------------


def each(found: Iterable[Recording]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recording", list(found), ids=lambda r: r.name)


def seen(completion: Completion) -> Expected:
    """A completion in the second reader's form."""
    usage = completion.usage
    return Expected(
        completion.answer,
        completion.reasoning or "",
        [(c.id, c.name, c.arguments) for c in completion.tool_calls],
        completion.finish_reason,
        completion.model,
        usage and counted(usage),
    )


def counted(usage: Any) -> tuple[int, int, int, int]:
    """A usage in the second reader's form."""
    return (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cache_hit_tokens,
        usage.reasoning_tokens,
    )


def disturbed(body: bytes, rng: random.Random) -> bytes:
    """`body` with everything between its events that the standard allows there."""
    out = [rng.choice([b"", b"\xef\xbb\xbf"])]
    for event in body.split(b"\n\n"):
        end = rng.choice([b"\n", b"\r\n", b"\r"])
        out += rng.choices([b": keep-alive", b":", b"id: 7", b"retry:0", b"event: message"], k=2)
        out.append(end)
        out.append(rng.choice([b": OPENROUTER PROCESSING" + end + end, end, b""]))
        for line in event.split(b"\n"):
            out.append(line.replace(b"data: ", rng.choice([b"data: ", b"data:"]), 1) + end)
        out.append(end)
    return b"".join(out)
