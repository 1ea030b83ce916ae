"""The panel's figures. The tests hold what no noise can break, `make bench` all."""

from __future__ import annotations

from dataclasses import dataclass

from .panel import Panel

__all__ = ["LONG", "Opening", "Typing", "opening", "typing"]

LONG = """
import deepseek_jupyter as ds, sample
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.turn import Turn, new_id, now
session = ds.get_session()
journal, notebook, id = session.conversation.journal, session.conversation.notebook, new_id()
turns, parent = [], None
for n in range(2000):
    answer = sample.answer(200 + 37 * n % 1500)
    turns.append(Turn(new_id(), id, f"Question {n}", parent=parent, created=now(), status="done",
                      provider="deepseek", model="deepseek-flash", answer=answer))
    parent = turns[-1].id
journal.set_conversation(id, notebook)
journal.adopt(turns)
journal.set_tip(id, "main", parent)
session.memory.conversation = Conversation.load(journal, id, notebook)
"""

_WATCH = """() => {
    window.__frames = [];
    let before = performance.now();
    const frame = now => {
        window.__frames.push(now - before);
        before = now;
        window.__watching && requestAnimationFrame(frame);
    };
    window.__watching = true;
    requestAnimationFrame(frame);
}"""

_SCROLL = """async node => {
    for (let step = 0; step < 150; step++) {
        node.scrollTop -= 400;
        await new Promise(resolve => requestAnimationFrame(resolve));
    }
    window.__watching = false;
    return window.__frames;
}"""

_OPEN = """async () => {
    const began = performance.now();
    jupyterapp.shell.activateById('deepseek-jupyter-panel');
    const last = () => [...document.querySelectorAll('.jp-DeepSeek-panel-prompt')]
        .some(item => item.textContent === 'Question 1999');
    while (!last()) {
        await new Promise(resolve => requestAnimationFrame(resolve));
    }
    return (performance.now() - began) / 1000;
}"""

_KEYS = """node => {
    window.__keys = [];
    node.addEventListener('keydown', event => {
        const pressed = event.timeStamp;
        requestAnimationFrame(() => setTimeout(() => {
            window.__keys.push(performance.now() - pressed);
        }));
    });
}"""


@dataclass(frozen=True)
class Opening:
    """A conversation of 2,000 turns is opened, and 60,000 pixels of it scrolled in 150 frames."""

    seconds: float
    drawn: int  # turns on the page
    long_frames: int  # over 100 ms
    longest: float  # ms


def opening(panel: Panel) -> Opening:
    """The side bar must be closed, the kernel hold the conversation of `LONG`."""
    page = panel.page
    seconds = page.evaluate(_OPEN)
    page.wait_for_timeout(1500)
    drawn = panel.turns.count()
    page.evaluate(_WATCH)
    frames = panel.node.locator(".jp-DeepSeek-panel-list").evaluate(_SCROLL)[2:]
    return Opening(seconds, drawn, sum(frame > 100 for frame in frames), max(frames))


@dataclass(frozen=True)
class Typing:
    """From a key to the frame that shows it, in milliseconds."""

    median: float
    worst: float


def typing(panel: Panel, text: str) -> Typing:
    """Type a text while whatever runs goes on."""
    panel.field.evaluate(_KEYS)
    panel.field.press_sequentially(text, delay=30)
    panel.page.wait_for_timeout(300)
    took = sorted(panel.page.evaluate("() => window.__keys"))
    return Typing(took[len(took) // 2], took[-1])
