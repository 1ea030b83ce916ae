"""Trees and differences as people see them."""

from __future__ import annotations

import re

from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.tree import differences

from .turns import a_turn


def grown() -> Conversation:
    conversation = Conversation(id="c")
    for id, parent, prompt in [
        ("00000a", None, "What is a prior?"),
        ("00000b", "00000a", "And a posterior?"),
        ("00000c", "00000b", "Show code"),
        ("00000d", "00000a", "And a\nposterior,\nbriefly?"),
        ("00000e", "00000d", "Plot " + "very " * 30),
    ]:
        conversation.add(a_turn(prompt, id=id, parent=parent, conversation="c"))
    conversation.fork("00000c", "draft")
    conversation.checkout("main")
    return conversation


TREE = """\
● What is a prior? ·00000a
├─○ And a posterior? ·00000b
│ ○ Show code ·00000c [draft]
● And a posterior, briefly? ·00000d
● Plot very very very very very very very very very very … ·00000e [main]*"""


def test_the_active_branch_is_a_straight_line_and_the_others_stand_beside_it():
    lines = "\n".join(grown().tree_lines())
    assert re.sub(r" · \d\d \w{3} \d\d:\d\d", "", lines) == TREE
    assert len(re.findall(r" · \d\d \w{3} \d\d:\d\d ·0", lines)) == 5, "equal questions differ"


def test_an_empty_tree_says_so():
    assert Conversation().tree_lines() == ["(no turns yet)"]


def test_a_long_tree_shows_its_end():
    lines = grown().tree_lines(limit=2)
    assert lines[0] == "… 3 earlier turns"
    assert len(lines) == 3


def test_ten_thousand_turns_are_drawn():
    conversation = Conversation()
    for n in range(10_000):
        conversation.add(a_turn(id=f"{n:06}", parent=conversation.tip, answer="x"))
    assert len(conversation.tree_lines(limit=20_000)) == 10_000


def test_a_difference_marks_lines():
    a = a_turn("How?", answer="same\n\nold", model="m")
    b = a_turn("How then?", answer="same\n\nnew", model="m")
    assert differences(a, b) == [
        ("Prompt", [("-", "How?"), ("+", "How then?")]),
        ("Answer", [(" ", "same"), (" ", ""), ("-", "old"), ("+", "new")]),
    ]


def test_equal_turns_differ_in_nothing():
    turn = a_turn(answer="one\ntwo")
    assert differences(turn, turn) == [("Answer", [(" ", "one"), (" ", "two")])]
