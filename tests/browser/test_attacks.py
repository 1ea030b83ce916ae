"""Nothing that a model writes runs, loads or restyles anything in a card.

The corpus is shared with the kernel's sanitizer: `tests/data/attacks`. Chromium resolves no name
here, so nothing leaves the machine even where an attack succeeds.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .pages import at_rest, until
from .stream_script import MIME

CORPUS = Path(__file__).parents[1] / "data" / "attacks" / "attacks.json"
NO_TEXT = {"lone-surrogate"}  # neither a kernel's messages nor a notebook file can carry it
ATTACKS = [attack for attack in json.loads(CORPUS.read_text()) if attack["name"] not in NO_TEXT]
CUT_BY_MARKDOWN = {"parsers-table-pipes"}  # a row has no more cells than its table's head

ALARM = """() => {
    for (const name of ['alert', 'confirm', 'prompt']) {
        window[name] = () => { window.__alarm = (window.__alarm ?? 0) + 1; };
    }
}"""

# Milliseconds in which harm would be done, as it is where nothing guards.
A_MOMENT = 1000

READ = """() => [...document.querySelectorAll('.jp-DeepSeek-card')].map(card => {
    const images = [...card.querySelectorAll('img')].map(image => image.alt).join(' ');
    return card.querySelector('.jp-DeepSeek-typed > .jp-DeepSeek-flow').textContent + ' ' + images;
})"""

SETTLED = """count => document.querySelectorAll('.jp-DeepSeek-card').length >= count"""

INTACT = """() => {
    const problems = [];
    const cards = [...document.querySelectorAll('.jp-DeepSeek-log')];
    for (const card of cards) {
        for (const node of card.querySelectorAll('*')) {
            const style = getComputedStyle(node);
            if (style.position === 'fixed') problems.push('fixed ' + node.outerHTML.slice(0, 80));
            if (/^(SCRIPT|STYLE|IFRAME|FORM|LINK|META|BASE|OBJECT|EMBED)$/.test(node.tagName)) {
                problems.push(node.tagName);
            }
            if (node.id && !node.closest('button')) problems.push('id ' + node.id);
        }
    }
    const bar = document.querySelector('.jp-NotebookPanel-toolbar, .jp-Toolbar');
    const box = bar.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    if (top.closest('.jp-DeepSeek-card')) problems.push('the toolbar is covered');
    const style = document.body.style.cssText; // JupyterLab's own says how rows are drawn
    if (/url|display|position|background/.test(style)) problems.push('body ' + style);
    return problems;
}"""


def record(text: str, number: int) -> dict[str, object]:
    return {
        "schema": 1,
        "id": f"attack-{number}",
        "status": "done",
        "model": text,
        "footer": text[:400],
        "notices": [text[:400]],
        "reasoning": text,
        "answer": text,
        "attachments": [{"name": text[:100], "kind": text[:100], "policy": text[:100]}],
        "tool_calls": [{"name": text[:100], "arguments": text[:400], "result": text[:400]}],
        "error": {"type": text[:100], "message": text[:400], "hint": text[:400]},
        "branch": {"index": 1, "count": 2},
        "timing": {"thinking": 1.0},
    }


def check_readable(shown: list[str]) -> None:
    assert len(shown) == len(ATTACKS)
    hidden = [
        attack["name"]
        for attack, text in zip(ATTACKS, shown, strict=True)
        if attack["must_show"] not in text and attack["name"] not in CUT_BY_MARKDOWN
    ]
    assert hidden == []


def test_a_record_edited_by_hand_does_no_harm(open_notebook):
    """In a notebook nobody trusted, with every field of the record hostile."""
    outputs = {
        index: {MIME: record(attack["text"], index), "text/plain": "plain"}
        for index, attack in enumerate(ATTACKS)
    }
    book = open_notebook(*["# attack"] * len(ATTACKS), outputs=outputs, kernel=False, load=False)
    page = book.page
    page.evaluate(ALARM)
    page.wait_for_function(SETTLED, arg=len(ATTACKS), timeout=180_000)  # hundreds of cards
    for fold in page.locator(".jp-DeepSeek-thinking:not([open]) > summary").all()[:40]:
        fold.evaluate("summary => summary.click()")
    at_rest(page)
    page.wait_for_timeout(A_MOMENT)
    check_readable(page.evaluate(READ))
    assert page.evaluate("() => window.__alarm ?? 0") == 0
    assert page.evaluate(INTACT) == []
    assert book.requests == []


def test_attacks_split_across_deltas_do_no_harm(open_notebook):
    """In a cell that was just run, which JupyterLab trusts."""
    some = 40  # JupyterLab shows no more outputs of a cell than 50
    starts = range(0, len(ATTACKS), some)
    book = open_notebook(
        *(
            "import json\n"
            f"for attack in json.load(open('attacks.json'))[{start}:{start + some}]:\n"
            "    stream_script.play(attack['text'], attack['text'][:300], deltas=9, rate=1000)"
            for start in starts
        )
    )
    (book.server.work / "attacks.json").write_text(json.dumps(ATTACKS))
    page = book.page
    page.evaluate(ALARM)
    for index in range(len(starts)):
        book.run(book.first + index)
        book.until_done()
    at_rest(page)
    page.wait_for_timeout(A_MOMENT)
    check_readable(page.evaluate(READ))
    assert page.evaluate("() => window.__alarm ?? 0") == 0
    assert page.evaluate(INTACT) == []
    assert book.requests == []


@pytest.mark.parametrize(
    "name", ["html-img-onerror", "html-img-remote", "html-style-attribute-url"]
)
def test_the_same_text_does_harm_where_nobody_guards(open_notebook, name):
    """The control: the alarm rings, and requests leave, for text that is displayed as it is."""
    text = next(attack["text"] for attack in ATTACKS if attack["name"] == name)
    book = open_notebook(f"from IPython.display import Markdown\nMarkdown({text!r})", load=False)
    book.page.evaluate(ALARM)
    book.run(0)
    book.until_done()
    heard = "() => window.__alarm ?? 0"
    until(book.page, lambda: book.requests or book.page.evaluate(heard), A_MOMENT / 1000)
