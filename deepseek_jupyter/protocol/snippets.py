"""A request as code that sends it: for a shell, for Python with httpx, for OpenAI's package. Pure.

The key is a variable of the environment, and never part of the text.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pprint import pformat
from typing import Any

FORMS = ("curl", "python", "openai")

# What `chat.completions.create` has parameters for; the rest goes into its extra_body.
_OPENAI = frozenset(
    {"model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "stop"}
    | {"seed", "tools", "tool_choice", "response_format", "logprobs", "top_logprobs", "n", "user"}
    | {"frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls"}
)

_PYTHON = """\
import os

import httpx

url = {url!r}
headers = {headers}
body = {body}

with httpx.stream("POST", url, headers=headers, json=body, timeout=600) as response:
    for line in response.iter_lines():
        print(line)
    response.raise_for_status()
"""
_CLIENT = """\
import os

from openai import OpenAI

client = OpenAI(base_url={base!r}, api_key={key})
answer = client.chat.completions.create(
    **{known},
    extra_body={extra},
)
{end}
"""


def snippet(
    form: str,
    url: str,
    key: str,
    body: Mapping[str, Any],
    keyed: tuple[str, str],
    headers: Mapping[str, str],
) -> str:
    """Code in one of `FORMS`; `key` is the variable that holds the key, "" where none is needed.
    `keyed` is the header of the key and what comes before it.
    """
    name, before = keyed
    if form == "curl":
        return _curl(url, body, {**headers, **({name: f"{before}${key}"} if key else {})})
    value = f'os.environ["{key}"]' if key else '"none"'
    if form == "python":
        lines = [f"{one!r}: {text!r}" for one, text in headers.items()]
        lines += (
            [f"{name!r}: {before!r} + {value}" if before else f"{name!r}: {value}"] if key else []
        )
        written = f"{{{', '.join(lines)}}}".replace("'", '"')
        return _PYTHON.format(url=url, headers=written, body=_literal(body))
    known = {name: given for name, given in body.items() if name in _OPENAI}
    extra = {name: given for name, given in body.items() if name not in _OPENAI}
    whole = "print(answer.choices[0].message.content)"
    stream = "for chunk in answer:\n    print(chunk.model_dump_json())"
    return _CLIENT.format(
        base=url.removesuffix("/chat/completions"),
        key=value,
        known=_literal(known),
        extra=_literal(extra),
        end=stream if body.get("stream") else whole,
    )


def _curl(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    lines = [f"curl -N {shlex.quote(url)}"]
    lines += [f'-H "{name}: {text}"' for name, text in headers.items()]
    lines += ['-H "Content-Type: application/json"', "--data-binary @- <<'JSON'"]
    # No line of indented JSON is the word that ends it.
    return " \\\n  ".join(lines) + f"\n{json.dumps(body, ensure_ascii=False, indent=2)}\nJSON\n"


def _literal(value: Any) -> str:
    return pformat(value, width=96, sort_dicts=False)
