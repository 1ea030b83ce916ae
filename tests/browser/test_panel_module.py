"""The widget's module by itself: a page with nothing of Jupyter, a model that is a few lines.

What VS Code, Colab and marimo give a widget is an element and a model, in a frame or in a shadow
root, with none of JupyterLab's colours. Every answer here is an attack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deepseek_jupyter.page.panel_widget import PanelWidget

from .test_accessible import ANSWER, serious
from .test_attacks import ALARM, ATTACKS, CUT_BY_MARKDOWN

ORIGIN = "http://panel.test"
EACH = 6  # attacks in one conversation: as many as are drawn without scrolling

PAGE = """<!doctype html><meta charset="utf-8"><body style="background: #111; color: #eee">
<script type="module">
import panel from './panel.js';

/** A kernel that knows one conversation. */
function model(records) {
    const listeners = {};
    const answers = {
        conversation: () => ({
            conversation: 'c', active: 'main', tip: records.at(-1).id, running: [], settings: {},
            way: records.map(({ id }) => [id, 10, 1, 1])
        }),
        turns: ({ ids }) => ({ records: records.filter(({ id }) => ids.includes(id)) }),
        usage: () => ({ turns: records.length }),
        names: () => ({ names: [['sales', 'DataFrame', '3 × 1']] })
    };
    return {
        get: name => (name === 'height' ? 1600 : undefined),
        on: (event, listener) => (listeners[event] ??= []).push(listener),
        off: () => undefined,
        send: body => setTimeout(() => {
            const result = answers[body.type]?.(body) ?? {};
            const message = { type: 'answer', to: body.request, ok: true, result };
            listeners['msg:custom'].forEach(listener => listener(message));
        })
    };
}

const css = await (await fetch('./panel.css')).text();
window.show = (records, shadow) => {
    const host = document.body.appendChild(document.createElement('div'));
    const root = shadow ? host.attachShadow({ mode: 'open' }) : host;
    const style = root.appendChild(document.createElement('style'));
    style.textContent = css;
    const el = root.appendChild(document.createElement('div'));
    panel.render({ model: model(records), el });
    (window.panels ??= []).push(el);
};
window.ready = true;
</script>"""

DRAWN = """() => window.panels.every(el => {
    const turns = [...el.querySelectorAll('.jp-DeepSeek-panel-turn')];
    const rest = ({ style }) => !style.minHeight; // it takes this off when all is drawn
    return turns.length && turns.every(turn => rest(turn) && !turn.matches('.jp-mod-reading'));
})"""

READ = """() => window.panels.flatMap(el =>
    [...el.querySelectorAll('.jp-DeepSeek-panel-turn')].map(turn => {
        const flow = turn.querySelector('.jp-DeepSeek-typed > .jp-DeepSeek-flow');
        const images = [...flow.querySelectorAll('img')].map(image => image.alt).join(' ');
        return [turn.dataset.turn, flow.textContent + ' ' + images];
    }))"""

REACHES = """() => window.panels.flatMap(el => {
    const bad = 'script, style, iframe, form, link, meta, base, object, embed, svg, math, [id]';
    return [...el.querySelectorAll('.jp-DeepSeek-flow')].flatMap(flow => [
        ...[...flow.querySelectorAll(bad)].filter(node => !node.closest('.jp-DeepSeek-button')),
        ...[...flow.querySelectorAll('*')].filter(node =>
            [...node.attributes].some(({ name }) => /^(on|style$)/.test(name)) ||
            (node.matches('a') && !/^(https?|mailto):/i.test(node.href)) ||
            (node.matches('img') && !node.src.startsWith('data:image/')))
    ].map(node => node.outerHTML.slice(0, 100)));
})"""


@pytest.fixture
def asked(browser) -> Iterator[tuple[Any, list[str]]]:
    """A page with the module, and what it asks the network for."""
    files = {"/": PAGE, "/panel.js": str(PanelWidget._esm), "/panel.css": str(PanelWidget._css)}
    types = {"/": "text/html", "/panel.js": "text/javascript", "/panel.css": "text/css"}
    requests: list[str] = []
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.set_default_timeout(60_000)

    def give(route: Any) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path in files:
            route.fulfill(body=files.pop(path), content_type=types[path])
        elif not route.request.url.startswith("data:"):
            requests.append(route.request.url)
            route.abort()

    page.route("**/*", give)
    page.goto(ORIGIN + "/")
    page.wait_for_function("() => window.ready")
    page.evaluate(ALARM)
    yield page, requests
    page.close()


def test_no_attack_comes_through_in_a_bare_page_nor_in_a_shadow_root(asked):
    page, requests = asked
    records = [
        {
            "schema": 1,
            "id": f"attack-{number}",
            "conversation": "c",
            "prompt": attack["text"][:200],
            "status": "done",
            "answer": attack["text"],
            "reasoning": attack["text"][:1000],
            "footer": attack["text"][:100],
        }
        for number, attack in enumerate(ATTACKS)
    ]
    for start in range(0, len(records), EACH):
        shadow = start // EACH % 2 == 1
        page.evaluate(
            "([text, shadow]) => window.show(JSON.parse(text), shadow)",
            [json.dumps(records[start : start + EACH]), shadow],
        )
    page.wait_for_function(DRAWN)
    shown = dict(page.evaluate(READ))
    assert len(shown) > len(ATTACKS) * 0.8  # the rest is below what is in view
    hidden = [
        attack["name"]
        for number, attack in enumerate(ATTACKS)
        if (text := shown.get(f"attack-{number}")) is not None
        and attack["must_show"] not in text
        and attack["name"] not in CUT_BY_MARKDOWN
    ]
    assert hidden == []
    assert page.evaluate(REACHES) == []
    assert page.evaluate("() => window.__alarm") is None
    assert requests == []


def test_a_name_is_completed_in_a_shadow_root_and_the_colours_follow_the_page(asked):
    page, _ = asked
    page.evaluate("() => window.show([{ id: 'a', conversation: 'c', prompt: 'Hello?' }], true)")
    page.locator(".jp-DeepSeek-panel-prompt").wait_for()
    field = page.locator(".jp-DeepSeek-panel-field")
    field.press_sequentially("What is in @sa")
    page.get_by_role("option", name="sales").wait_for()
    field.press("Enter")
    assert field.input_value() == "What is in @sales "
    assert page.evaluate("() => window.panels[0].children[0].style.colorScheme") == "dark"
    background, text = field.evaluate(
        "node => [getComputedStyle(node).backgroundColor, getComputedStyle(node).color]"
    )
    assert text == "rgb(255, 255, 255)"
    assert background != text


@pytest.mark.parametrize("colours", [("#fff", "#111"), ("#111", "#eee")])
def test_axe_finds_nothing_serious_without_a_theme(asked, colours):
    page, _ = asked
    page.evaluate(
        "([under, over]) => Object.assign(document.body.style, { background: under, color: over })",
        colours,
    )
    turn = {
        "id": "a",
        "conversation": "c",
        "prompt": "By whom?",
        "answer": ANSWER,
        "reasoning": "They want a mean.",
        "footer": "one · two",
        "status": "done",
    }
    page.evaluate("turn => window.show([turn], false)", turn)
    page.wait_for_function(DRAWN)
    page.locator(".jp-DeepSeek-panel-field").press_sequentially("What of @sal")
    page.locator(".jp-DeepSeek-panel-name").wait_for()
    findings = serious(page, ".jp-DeepSeek-widget")
    page.locator(".jp-DeepSeek-panel-name").click()
    for name in ("Settings", "Search"):
        page.get_by_role("button", name=name).click()
        findings += serious(page, ".jp-DeepSeek-widget")
    assert sorted(set(findings)) == []
