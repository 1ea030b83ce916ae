"""How large a finished answer is in the notebook's file."""

from __future__ import annotations

from unittest.mock import patch

import nbformat

from deepseek_jupyter.conversation.turn import Turn, new_id, now
from deepseek_jupyter.display import render
from deepseek_jupyter.protocol.output import output_of
from deepseek_jupyter.protocol.usage import Usage


def bytes_of_answer(answer: str) -> int:
    """What a kernel's answer adds to a file, with ids and figures of usual length."""
    usage = Usage(1204, 312, 900, 101)
    times = {"first_token": 0.312, "thinking": 0.511, "total": 2.104}
    turn = Turn(
        *(new_id(), new_id(), "Why does the mean fall?"),
        parent=new_id(),
        cell_id="a1b2c3d4",
        created=now(),
        status="done",
        provider="deepseek",
        model="deepseek-flash",
        answer=answer,
        usage=usage,
        cost={"amount": "0.000123", "currency": "USD"},
        timing=times,
        finish_reason="stop",
        request_hash="a" * 32,
    )
    with patch.object(render, "reads_plain_text", lambda: False):
        bundle = render.final_bundle({**turn.record, "footer": render.footer(turn.record)})
    sizes = []
    data, metadata = output_of(bundle)
    for outputs in ([], [nbformat.v4.new_output("display_data", data, metadata=metadata)]):
        cell = nbformat.v4.new_code_cell("%%deepseek", id="a", outputs=outputs)
        sizes.append(len(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()))
    return sizes[1] - sizes[0]
