"""Model text never acts: no network, no browser; what front ends' parsers would make of it is read.

The attacks in `tests/data/attacks/attacks.json` are shared with the card's own tests.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import subprocess
import sys
from html import escape
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mistune
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from deepseek_jupyter.sanitizer.markdown import TAGS
from deepseek_jupyter.sanitizer.sanitizer import Sanitizer, sanitize
from deepseek_jupyter.sanitizer.text import plain
from tests.support.fuzzing import examples
from tests.support.growth import assert_linear

ATTACKS = json.loads(
    (Path(__file__).parents[1] / "data" / "attacks" / "attacks.json").read_text("utf-8")
)
NAMES = [attack["name"] for attack in ATTACKS]

TAGS_ALLOWED = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br"),
    *("table", "thead", "tbody", "tr", "th", "td", "pre", "code", "a", "span", "div"),
    *("em", "strong", "del", "s"),
}
FRAME = r"border:1px solid #8885;padding:0 8px;margin:8px 0;font-family:monospace"
MATH_CLASSES = r"math|math inline|math block|mathjax_ignore tex2jax_ignore"
ATTRIBUTES = {
    ("a", "href"): r"(?:https?://[\w.\-]|mailto:)[^\s\"<>\\^`{|}]*",
    ("a", "target"): "_blank",
    ("a", "rel"): "noopener noreferrer",
    ("code", "class"): r"language-[A-Za-z0-9_+.#-]{1,30}",
    ("span", "class"): MATH_CLASSES,
    ("div", "class"): MATH_CLASSES,
    ("div", "style"): FRAME,
    ("pre", "style"): FRAME,
    ("p", "style"): "white-space:pre-wrap",
    ("th", "style"): r"text-align: ?(?:left|center|right);?",
    ("td", "style"): r"text-align: ?(?:left|center|right);?",
    ("ol", "start"): r"\d{1,9}",
}
VOID = {"br", "hr"}
ACTIVE_MACRO = re.compile(
    r"\\(?:href|url|class|style|cssId|data|html|mmlToken|bbox|enclose|require|unicode|include|def"
    r"|let|newcommand|csname|toggle|texttip|mathtip)(?![a-z])"
)


class Page(HTMLParser):
    """Reads a page as a browser would; `faults` are what our HTML must never hold."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.stack: list[str] = []
        self.runs = [""]
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> stays open" for tag in self.stack]
        # A page's MathJax pairs delimiters within one run of text, never in code.
        self.faults += [f"math {run!r}" for run in self.runs if ACTIVE_MACRO.search(run)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in TAGS_ALLOWED:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            rule = ATTRIBUTES.get((tag, name))
            if rule is None or re.fullmatch(rule, value or "") is None:
                self.faults.append(f"<{tag} {name}={value!r}>")
        if tag not in VOID:
            if tag == "a" and "a" in self.stack:
                self.faults.append("a link in a link")
            self.stack.append(tag)
        self.runs.append("")
        if tag not in ("em", "strong", "a", "code", "span", "del", "s"):
            self.text += " "

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.faults.append(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()
        else:
            self.faults.append(f"stray </{tag}>")
        self.runs.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if not {"pre", "code"} & set(self.stack):
            self.runs[-1] += data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"declaration {decl!r}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"declaration {data!r}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"instruction {data!r}")

    def shown(self) -> str:
        return " ".join(self.text.split())


# Front ends that parse the Markdown again.

CODE = re.compile(r"^(?P<fence>`{3,}|(?:~T){3,})[^`\n]*\n(?:[\s\S]*?)^(?P=fence)`*$", re.MULTILINE)
SPAN = re.compile(r"(^|[^\\])(`+)([^\n]*?[^`\n])\2(?!`)", re.MULTILINE)
TOKENS = re.compile(
    r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|(?:\n\s*)+|@@\d+@@|\\\\[()\[\]])",
    re.IGNORECASE,
)


def remove_math(text: str) -> tuple[str, list[str]]:
    """JupyterLab's `removeMath` (packages/rendermime/src/latex.ts), step by step."""
    masked = "`" in text or "~~~" in text
    if masked:
        text = text.replace("~", "~T")
        for rule in (CODE, SPAN):
            text = rule.sub(lambda match: match[0].replace("$", "~D"), text)
    math: list[str] = []
    parts = TOKENS.split(text)
    start = last = None
    end, braces = "", 0

    def process(first: int, final: int) -> None:
        formula = escape("".join(parts[first : final + 1]), quote=False)
        parts[first : final + 1] = [f"@@{len(math)}@@", *[""] * (final - first)]
        math.append(formula.replace("~T", "~").replace("~D", "$") if masked else formula)

    at = 1
    while at < len(parts):
        part = parts[at]
        if part[:1] == "@":
            parts[at] = f"@@{len(math)}@@"
            math.append(part)
        elif start is not None:
            if part == end:
                if braces:
                    last = at
                else:
                    process(start, at)
                    start = last = None
            elif re.search(r"\n.*\n", part):
                if last is not None:
                    at = last
                    process(start, at)
                start, last, braces = None, None, 0
            elif part == "{":
                braces += 1
            elif part == "}" and braces:
                braces -= 1
        elif part in ("$", "$$"):
            start, end, braces = at, part, 0
        elif part in ("\\\\(", "\\\\["):
            start, end, braces = at, "\\\\)" if part[-1] == "(" else "\\\\]", 0
        elif part[1:6] == "begin":
            start, end, braces = at, "\\end" + part[6:], 0
        at += 2
    if start is not None and last is not None:
        process(start, last)
    text = "".join(parts)
    return (text.replace("~T", "~").replace("~D", "$") if masked else text), math


GFM = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MISTUNE = mistune.create_markdown(
    escape=False, plugins=["table", "strikethrough", "footnotes", "url", "task_lists", "def_list"]
)
MISTUNE_MATH = mistune.create_markdown(escape=False, plugins=["math", "table", "url"])


def lab(markdown: str) -> str:
    text, math = remove_math(markdown)
    return re.sub(r"@@(\d+)@@", lambda match: math[int(match[1])], GFM.render(text))


PARSERS = {"gfm": GFM.render, "mistune": MISTUNE, "mistune-math": MISTUNE_MATH, "lab": lab}


def faults(html: str) -> list[str]:
    return Page(html).faults


def markdown_faults(markdown: str) -> list[str]:
    found = ["a raw bracket"] if "<" in TAGS.sub("", markdown) else []
    for name, parse in PARSERS.items():
        found += [f"{name}: {fault}" for fault in faults(str(parse(markdown)))]
    return found


def fed(text: str, *cuts: int) -> Sanitizer:
    whole = Sanitizer()
    for start, end in zip((0, *cuts), (*cuts, len(text)), strict=True):
        whole.feed(text[start:end])
    return whole


@pytest.mark.slow
def test_control_without_sanitizing_the_checks_fire() -> None:
    caught = {a["name"] for a in ATTACKS if faults(GFM.render(a["text"]))}
    assert len(caught) > 100
    assert {"html-script-tag", "image-inline", "latex-href", "fence-info-breakout"} <= caught
    by_lab = [a for a in ATTACKS if faults(lab(a["text"]))]
    assert len(by_lab) > 100


def test_there_are_attacks_of_every_kind() -> None:
    assert len(ATTACKS) >= 80
    assert len(set(NAMES)) == len(NAMES)
    assert all(set(a) == {"name", "tries", "text", "must_show"} for a in ATTACKS)
    kinds = {name.split("-")[0] for name in NAMES}
    assert kinds >= {"html", "link", "image", "fence", "parsers", "latex", "mermaid", "terminal"}


PIECES = [
    *("`", "```", "~~~", "$", "$$", "\\", "\\(", "\\)", "\\[", "\\]", "[", "](", ")", "!", "!["),
    *("<", "<img src=x onerror=a>", "</div>", ">", "> ", "- ", "1. ", "# ", "|", "|-|\n", "*"),
    *("**", "_", "~~", "&", "&#60;", "&#10;", "&lt;", "&amp;", "{", "}", "\\href{x}", "@@0@@"),
    *("\n", "\n\n", "    ", "\t", "\r", "\r\n", "\0", "\u2028", "\u202e", "\ud800", "a", "x "),
    *("[a]: http://b\n", "javascript:", "http://a.b/", "https://", "mailto:a@b", "\\begin{a}"),
    *(
        "\\end{a}",
        "data:",
        "(",
        ":",
        ": ",
        "<!--",
        "-->",
        "=",
        "===\n",
        "---\n",
        "\u00e9",
        "\u3002",
    ),
    *(
        "&#33;",
        "&#91;",
        "&#93;",
        "&#96;",
        "&#36;",
        "&#92;",
        "$a$",
        "`c`",
        "](http://e/x)",
        "</pre>",
    ),
    *("<code>", ":::", "{r}`", "www.a.b", "ftp://a.b", "%", "+++\n", "\n  ", "\n- ", "\n> "),
]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
ANY_TEXT = st.text(max_size=60) | MARKUP


@given(MARKUP)
@example("$$: a$$")
@examples(700)
def test_any_text_stays_within_the_allowed(text: str) -> None:
    sanitized = sanitize(text)
    assert faults(sanitized.html) == []
    assert markdown_faults(sanitized.markdown) == []


@given(ANY_TEXT, st.lists(st.integers(0, 60), max_size=6), st.booleans())
@examples(500)
def test_any_cuts_give_the_same(text: str, cuts: list[int], look: bool) -> None:
    pieces = Sanitizer()
    start = 0
    for cut in sorted(cuts):
        pieces.feed(text[start:cut])
        start = max(start, cut)
        if look:
            assert faults(pieces.html()) == []
    pieces.feed(text[start:])
    assert pieces.finish() == sanitize(text)


GOLDEN = {
    "emphasis": ("*a* **b** ~~c~~ `d`", "<em>a</em> <strong>b</strong> <del>c</del>"),
    "list": ("- a\n- b\n  1. c\n  2. d", "<li>b<ol>\n<li>c</li>\n<li>d</li>"),
    "loose list": ("- a\n\n- b", "<li><p>a</p>\n</li>"),
    "start": ("3. a\n4. b", '<ol start="3">'),
    "heading": ("## Two *x*\n\nThree\n---", "<h2>Two <em>x</em></h2>"),
    "quote": ("> a\n>\n> > b", "<blockquote>\n<p>b</p>\n</blockquote>"),
    "table": ("| a | b |\n|:-:|--:|\n| 1 | `x` |", '<td style="text-align:center">1</td>'),
    "link": ("[a](https://b.example/?c=1&d=2)", 'href="https://b.example/?c=1&amp;d=2"'),
    "reference": ("[a][b]\n\n[b]: https://c.example/", 'href="https://c.example/"'),
    "bare": ("see https://a.example/x_y.", ">https://a.example/x_y</a>."),
    "image": ("![a](https://b.example/c.png)", ">image: a (b.example)</a>"),
    "code": ("```py\nx = 1\n\ny = 2\n```", '<code class="language-py">x = 1\n\ny = 2\n</code>'),
    "code html": ("```html\n<p>&amp;</p>\n```", "&lt;p&gt;&amp;amp;&lt;/p&gt;"),
    "math": ("so $a_b<c$ holds", '<span class="math">$a_b&lt;c$</span>'),
    "display": ("As\n\\[\nx^2\n\\]\nand", '<span class="math">$$x^2$$</span>'),
    "align": (
        "\\begin{align}\na &= b\n\\end{align}",
        '<span class="math">$$\\begin{align}\na &amp;= b\n\\end{align}$$</span>',
    ),
    "rule": ("a\n\n***\n\nb", "<hr>"),
    "break": ("a  \nb", "<p>a<br>\nb</p>"),
    "task": ("- [x] a\n- [ ] b", "<li>\u2611 a</li>\n<li>\u2610 b</li>"),
    "snake": ("the_name_of a 5 < 6 & 7", "the_name_of a 5 &lt; 6 &amp; 7"),
    "fence in list": ("1. a\n\n   ```\n   b\n\n   c\n   ```\n2. d", "<pre><code>b\n\nc\n</code>"),
    "list at once": ("Steps:\n- a\n- b\n\nEnd", "<p>Steps:</p>\n<ul>\n<li>a</li>"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_ordinary_markdown_keeps_its_meaning(name: str) -> None:
    text, expected = GOLDEN[name]
    sanitized = sanitize(text)
    assert expected in sanitized.html
    shape = [tag for tag in Page(sanitized.html).tags if tag != "span"]
    if name not in ("math", "display", "align"):  # which are text to this parser
        again = [tag for tag in Page(GFM.render(sanitized.markdown)).tags if tag != "div"]
        assert [{"s": "del"}.get(tag, tag) for tag in again] == shape


@pytest.mark.parametrize("info", ["mermaid", "Mermaid", "mermaid title=x", "mermaid-js"])
def test_a_diagram_is_code_without_a_language(info: str) -> None:
    """Front ends run the diagrams of a language that is called so, and their links with them."""
    sanitized = sanitize(f"```{info}\ngraph LR\nclick A href 'https://evil.example'\n```")
    for html in (sanitized.html, GFM.render(sanitized.markdown)):
        assert "><code>graph LR" in html
    assert "mermaid" not in sanitized.html + sanitized.markdown


def test_money_is_no_math() -> None:
    html = sanitize("It costs $5 and then $6, US$7 or 8$.").html
    assert "math" not in html.replace("mathjax_ignore", "")
    assert Page(html).shown() == "It costs $5 and then $6, US$7 or 8$."


def test_late_definitions_reach_earlier_blocks() -> None:
    text = "First [doc].\n\nSecond.\n\n[doc]: https://a.example/"
    whole = Sanitizer()
    whole.feed(text)
    assert "<a " not in whole.html()
    assert '<a href="https://a.example/"' in whole.finish().html
    assert "[doc](https://a.example/)" in whole.finish().markdown


def test_the_html_grows_block_by_block() -> None:
    whole = Sanitizer()
    whole.feed("# One\n\nTwo **thr")
    assert whole.html() == "<h1>One</h1>\n<p>Two **thr</p>\n"
    whole.feed("ee**\n\nFour")
    so_far = "<h1>One</h1>\n<p>Two <strong>three</strong></p>\n<p>Four</p>\n"
    assert whole.html() == so_far
    assert whole.finish().html == whole.html() == so_far


@pytest.mark.parametrize(
    "unit",
    [
        *("```py\n" + "x = 1 < 2\n" * 600, "- item **x**\n" * 400, "word " * 1200),
        *("**w** " * 800, "|a|b|\n|-|-|\n" + "|x|y|\n" * 600),
    ],
    ids=["fence", "list", "prose", "inline", "table"],
)
def test_a_long_block_costs_no_square(unit: str) -> None:
    def cost(text: str) -> int:
        """Function calls, which no other work on the machine can change."""
        profile = cProfile.Profile()
        profile.enable()
        whole = Sanitizer()
        for at in range(0, len(text), 100):
            whole.feed(text[at : at + 100])
            whole.html()
        whole.finish()
        profile.disable()
        return int(pstats.Stats(profile).total_calls)

    cost(unit[:2000])
    # Four times the text: a linear pass costs four times as much, a square one sixteen times.
    assert cost(unit) < 9 * cost(unit[: len(unit) // 4])


STORMS = [">", "[", "![", "*", "_a ", "- ", "> - ", "`", "$", "$$\n", "\\(", "**a*", "[a](<b", "|a"]
# markdown-it-py 3.0 takes ten times as long for four times as many: 0.3 s for ten thousand.
SLOWER = ("_a ", "~~a ") if version("markdown-it-py") == "3.0.0" else ()


@pytest.mark.parametrize("unit", [*STORMS, "&#x", "<", "{", "~~a ", "\n", "\t", "1. ", "[a]: "])
def test_ten_thousand_of_anything_cost_four_times_a_quarter(unit: str) -> None:
    def made(count: int) -> Any:
        return sanitize(unit * count + "shown")

    sanitized = made(10_000) if unit in SLOWER else assert_linear(made, 2500)
    assert "shown" in sanitized.html
    assert "<" not in TAGS.sub("", sanitized.markdown)


def test_a_terminal_is_left_alone() -> None:
    for attack in ATTACKS:
        text = plain(attack["text"])
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        text.encode()
    assert plain("\x1b[1mbold\x1b[0m\ta\r\nb") == "bold\ta\nb"
    assert plain("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x07!") == "click!"
    assert plain("\x1b]0;never ended\nshown") == "0;never ended\nshown"
    assert plain("\x9d8;;a\x9d0;b\x07shown") == "8;;ashown"


def test_plain_text_has_no_invisible_characters_but_joiners_that_join() -> None:
    assert plain("a\u200eb\u200fc\u061cd") == "a⟨U+200E⟩b⟨U+200F⟩c⟨U+061C⟩d"
    assert plain("r\u200bm\u2060 -\u200drf\u200d\u200d\u200d x\U000e0041") == "rm -rf x"
    for joined in ("👩\u200d👧", "می\u200cخواهم", "क्\u200dष"):
        assert plain(joined) == joined
    assert plain("\u202a") == "⟨U+202A⟩"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["\x9d", "\x1b]", "\x1b[", "\x9b0", "\x9b ", "\x1b]\x9d", "\u200d"]
)
def test_plain_text_costs_what_its_length_costs(unit: str) -> None:
    assert "shown" in plain(unit * 300_000 + "\nshown")


@given(st.text(st.characters(), max_size=60) | MARKUP)
@examples(200)
def test_a_terminal_never_sees_a_control(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", plain(text))


def test_importing_parses_nothing() -> None:
    code = "import sys, deepseek_jupyter.sanitizer.sanitizer; print('markdown_it' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
