"""What is found, and what is left alone: every false alarm makes a prompt worse."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from itertools import pairwise

import pytest

from deepseek_jupyter.privacy.detectors import Found, column_kind, find
from tests.support.growth import assert_linear

FOUND = {
    "email": [
        "anna@example.com",
        "first.last+tag@sub.example.co.uk",
        "müller@straße.example.de",
        "O'Neil@example.org",
    ],
    "phone": [
        "+49 30 901820",
        "+1 (415) 555-2671",
        "(415) 555-2671",
        "415-555-2671",
        "020 7946 0958",
        "+8613800138000",
        "138 0013 8000",
    ],
    "card": ["4111 1111 1111 1111", "5500005555555559", "3782-822463-10005", "6011111111111117"],
    "iban": [
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "FR1420041010050500013M02606",
    ],
    "secret": [
        "sk-0123456789abcdef0123456789abcdef",
        "sk-proj-AbCdEf0123456789AbCdEf",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "xoxb-123456789012-abcdefghijkl",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6y",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, texts in FOUND.items() for t in texts])
def test_it_is_found_alone_and_within_other_text(kind, text):
    for around in ("{}", "see {} please", "KeyError: '{}'", "({}).", ",{},"):
        whole = around.format(text)
        found = find(whole)
        assert [(f.kind, whole[f.start : f.end]) for f in found] == [(kind, text)], whole


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password = 'hunter22'", "hunter22"),
        ('{"api_key": "k3J9xQ2LmZ7pW5vT"}', "k3J9xQ2LmZ7pW5vT"),
        ("DB_PASSWORD=x9K2mQ8vL4pZ", "x9K2mQ8vL4pZ"),
        ("postgres://anna:s3cret@db.example:5432/x", "s3cret"),
        ("Authorization: Bearer abcdefghij0123456789", "abcdefghij0123456789"),
    ],
)
def test_what_stands_beside_a_telling_name_is_a_secret(text, secret):
    assert [text[f.start : f.end] for f in find(text)] == [secret]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-05 12:33:11",
        "2024-01-05T12:33:11.123456+00:00",
        "05.01.2024 12:30",
        "05/01/2024, 06/01/2024",
        "01-02-2024 12:00",
        "0.123456789 -12345.678 1e-10",
        "1234567890",
        "1,234,567,890",
        "1700000000000000000",
        "1700000000000",
        "192.168.100.200",
        "1.2.3.4.5.6",
        "10.0.0.1:8888",
        "100-200-300",
        "rows 1000 2000 3000 4000",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "DE89370400440532013001",
        "@app.route('/x')\ndef f(): ...",
        "a @ b and x@y",
        "user@localhost",
        "d41d8cd98f00b204e9800998ecf8427e",
        "max_tokens=4096, token = tokens[0]",
        "password = getpass('Password: ')",
        "token: str = os.environ['TOKEN']",
        "sk-learn and sklearn-extra",
        "secret = 'your-secret-here'",
        "[0.1, 0.25, 0.333333, 0.4444]",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert find(text) == []


def test_ordinary_figures_are_left_alone():
    chance = random.Random(1)
    for _ in range(2000):
        text = " ".join(
            [
                f"{chance.uniform(-1e6, 1e6):.{chance.randrange(10)}f}",
                str(chance.randrange(10 ** chance.randrange(1, 12))),
                str(dt.datetime(2000, 1, 1) + dt.timedelta(seconds=chance.randrange(10**9))),
                str(uuid.UUID(int=chance.getrandbits(128))),
            ]
        )
        assert find(text) == [], text


def test_a_secret_wins_over_what_is_found_within_it():
    text = json.dumps({"password": "anna@example.com 4111111111111111"})
    assert {f.kind for f in find(text)} <= {"secret", "email", "card"}
    text = "postgres://u:anna+4915112345678@host.example.com/db"
    assert next(f.kind for f in find(text)) == "secret"


def test_a_number_that_runs_into_an_address_is_found_beside_it():
    text = "+49 30 901820 9018@x.org +49 30 901821"
    assert [(f.kind, text[f.start : f.end]) for f in find(text)] == [
        ("phone", "+49 30 901820"),
        ("email", "9018@x.org"),
        ("phone", "+49 30 901821"),
    ]


def test_finds_are_in_order_and_never_overlap():
    chance = random.Random(2)
    texts = [text for kind in FOUND.values() for text in kind]
    for _ in range(500):
        found = find(chance.choice(["", " ", ", "]).join(chance.choices(texts, k=6)))
        assert all(one.end <= other.start for one, other in pairwise(found))


def test_only_the_kinds_asked_for():
    assert find("anna@example.com +49 30 901820", ["phone"])[0].kind == "phone"


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "@", "@a.", "0 ", "sk-", "-", "eyJ", "+1", "a:", "A1B2 ", "ann@x.org ",
     "+49 30 901820 "],
)  # fmt: skip
def test_hostile_text_costs_no_more_than_its_length(piece):
    """A backtracking pattern would take hours here, a look at each pair of finds minutes."""
    assert_linear(lambda count: find(piece * count), 5_000)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("first_name", "person"),
        ("LastName", "person"),
        ("Customer Name", "person"),
        ("phone", "phone"),
        ("mobile_number", "phone"),
        ("user.password", "secret"),
        ("apiKey", "secret"),
        ("ssn", "id"),
        ("姓名", "person"),
        ("name", None),
        ("species_name", None),
        ("username_length", None),
        ("filename", None),
        ("tokens", None),
        ("phone_calls", None),
    ],
)
def test_a_column_may_say_by_its_name_what_it_holds(name, kind):
    assert column_kind(name) == kind


def test_private_keys_are_found_in_linear_time():
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    assert_linear(lambda size: find(f"{begin}\n" * (size // 30), ["secret"]), 40_000)
    assert_linear(lambda size: find(begin[:16] + "A" * size, ["secret"]), 40_000)
    key = f"{begin}\nProc-Type: 4,ENCRYPTED\n\nMIIEow+/=\n{end}"
    assert find(f"x {key} y", ["secret"]) == [Found(2, 2 + len(key), "secret")]
    assert find(f"x {key[:60]}", ["secret"]) == [Found(2, 62, "secret")]
