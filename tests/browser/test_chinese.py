"""A Chinese JupyterLab, with the language pack that its users install."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.scripted import answer, error

from .jupyter import Server
from .notebook import Notebook
from .pages import until
from .panel import Panel
from .test_accessible import serious
from .test_live import KEY, stream
from .test_look import ARTEFACTS

pytest.importorskip("jupyterlab_language_pack_zh_CN", reason="the real pack; [dev] brings it")

LOAD = "%load_ext deepseek_jupyter"
BREAK = """
    const asked = window.fetch;
    window.fetch = async (...args) => {
        const answer = await asked(...args);
        if (!String(args[0].url ?? args[0]).includes('/api/translations/zh')) {
            return answer;
        }
        const json = await answer.json();
        json.data.deepseek_jupyter[''] = { domain: 'deepseek_jupyter' };
        return new Response(JSON.stringify(json), { status: 200 });
    };
"""
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def chinese(asking_endpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("chinese")
    settings = folder / "settings" / "@jupyterlab" / "translation-extension"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text(json.dumps({"locale": "zh_CN"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_BASE_URL", asking_endpoint.base_url("deepseek"))
        patch.setenv("DEEPSEEK_API_KEY", KEY)
        patch.setenv("DEEPSEEK_JUPYTER_HOME", str(tmp_path_factory.mktemp("home")))
        server = Server("lab", folder)
    yield server
    server.stop()


@pytest.fixture
def page(browser, asking_endpoint):
    asking_endpoint.forget()
    context = browser.new_context(viewport={"width": 1300, "height": 900}, locale="zh-CN")
    yield context.new_page()
    context.close()


def asked(server, endpoint, page, questions: int) -> Notebook:
    cells = [f"%%deepseek\n问题 {number}" for number in range(questions)]
    book = Notebook(server, page, (LOAD, *cells), load=False)
    for number in range(len(cells) + 1):
        endpoint.queue(*([stream(f"回答 {number}。", "想一想。")] if number else []))
        book.run(number)
        book.until_done()
    return book


def test_all_cells_and_all_of_us_are_there_in_chinese(chinese, asking_endpoint, page):
    book = asked(chinese, asking_endpoint, page, 6)
    assert page.locator(".jp-Notebook .jp-Cell").count() == 7
    assert page.locator(".jp-OutputArea .jp-DeepSeek-card").count() == 6
    thinking = book.card.locator(".jp-DeepSeek-thinking-summary").inner_text()
    assert HAN.search(thinking), thinking
    panel = Panel.open(book)
    panel.until("问题 5", "回答 6")
    shown = [
        panel.field.get_attribute("placeholder"),
        *panel.node.locator(".jp-DeepSeek-panel-meter").inner_text().split(" · ")[:3],
        panel.turn("问题 5").locator(".jp-DeepSeek-thinking-summary").inner_text(),
        *panel.node.locator(".jp-DeepSeek-panel-bar button").evaluate_all(
            "nodes => nodes.map(node => node.title)"
        ),
    ]
    assert [text for text in shown if english_in(text)] == []
    page.locator(".lm-MenuBar-item", has_text="DeepSeek").click()
    labels = page.locator(".lm-Menu .lm-Menu-itemLabel").all_inner_texts()
    assert len([label for label in labels if HAN.search(label)]) >= 10
    page.keyboard.press("Escape")
    assert not [line for line in book.console if "deepseek" in line.lower()]
    assert book.own_errors == []
    roots = (".jp-OutputArea .jp-DeepSeek-card", ".jp-DeepSeek-sidebar")
    assert [found for root in roots for found in serious(page, root)] == []
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / "chinese.png")


def test_the_settings_are_chinese(chinese, asking_endpoint, page):
    book = asked(chinese, asking_endpoint, page, 0)
    page.evaluate("() => jupyterapp.commands.execute('settingeditor:open', {query: 'DeepSeek'})")
    page.locator(".jp-PluginList-entry").first.wait_for()
    listed = page.locator(".jp-PluginList-entry", has_text=re.compile("^DeepSeek"))
    until(page, lambda: listed.count() == 2)
    listed.filter(has_text="幽灵文本").click()
    form = page.locator(".jp-SettingsPanel")
    form.get_by_text("建议代码", exact=True).first.wait_for()
    texts = [*listed.all_inner_texts(), form.inner_text()]
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / "chinese-settings.png")
    assert [english_in(text) for text in texts] == [[]] * len(texts)
    assert book.own_errors == []


def test_a_broken_catalogue_leaves_english_and_the_notebook(chinese, asking_endpoint, page):
    page.add_init_script(BREAK)
    book = asked(chinese, asking_endpoint, page, 2)
    assert page.locator(".jp-OutputArea .jp-DeepSeek-card").count() == 2
    assert "Thought for" in book.card.inner_text()
    assert Panel.open(book).field.get_attribute("placeholder").startswith("Ask")
    assert book.own_errors == []


OURS = (
    "%%ds --param frequency_penalty=1\n你好",
    "%%ds\n你好",
    "%%ds --dry-run\n你好",
    "%deepseek usage",
    "%%ds --param nothing=1\n你好",
)
# Names, and what is typed; everything else that is shown is Chinese.
NAMES = re.compile(
    r"deepseek[-\w.]*|DeepSeek|%\w+|--[\w-]+(?:=\S+)?|\b(?:token|tokens|frequency_penalty|nothing|"
    r"thinking|user|assistant|curl|python|openai|model|platform|balance|HTTP|API|id|URL|ParameterError|InsufficientBalanceError)\b",
    re.IGNORECASE,
)


def english_in(text: str) -> list[str]:
    return re.findall("[A-Za-z]{3,}", NAMES.sub("", text))


def test_the_kernel_speaks_chinese_too(chinese, asking_endpoint, page):
    book = Notebook(chinese, page, (LOAD, *OURS), load=False)
    asking_endpoint.queue(answer("好。"), error(402, "Insufficient Balance"))
    for number in range(len(OURS) + 1):
        book.run(number)
        book.until_done()
    card, failed = (page.locator(".jp-DeepSeek-card").nth(n) for n in (0, 1))
    assert "不再起作用" in card.locator(".jp-DeepSeek-notices").inner_text()
    card.locator(".jp-DeepSeek-price").click()
    assert "输出 token" in card.locator(".jp-DeepSeek-figures").inner_text()
    assert "账户余额已用完。" in failed.inner_text()
    preview, usage, refused = (
        page.locator(".jp-Notebook .jp-CodeCell").nth(n).locator(".jp-Cell-outputWrapper")
        for n in (3, 4, 5)
    )
    assert "未发送任何内容" in preview.inner_text()
    assert "缓存" in usage.inner_text()
    assert "没有参数" in refused.inner_text()
    shown = [node.inner_text() for node in (card, failed, preview, usage, refused)]
    assert [english_in(text) for text in shown] == [[], [], [], [], []]
    drawn = (".jp-OutputArea .jp-DeepSeek-card", ".jp-DeepSeek-dryrun")
    assert [found for root in drawn for found in serious(page, root)] == []
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / "chinese-kernel.png")
    refused.scroll_into_view_if_needed()
    page.screenshot(path=ARTEFACTS / "chinese-kernel-end.png")
    assert book.own_errors == []
