"""How a variant is written, and that two which ask the same are refused."""

from __future__ import annotations

import pytest

from deepseek_jupyter.asking.prepare import place, prepare
from deepseek_jupyter.asking.question import Question
from deepseek_jupyter.errors import ParameterError
from deepseek_jupyter.jobs.variant import Variant, check_different, variants_of
from deepseek_jupyter.session.session import get_session


class TestText:
    def test_a_model_alone(self):
        assert Variant.of(" deepseek-flash ", {}) == Variant("deepseek-flash", "deepseek-flash")

    def test_everything_in_a_query(self):
        text = "openrouter:a/b:free?think=off&t=0&effort=none&stop=a&stop=%2C%26&seed=7"
        found = Variant.of(text, {})
        assert (found.name, found.model) == (text, "openrouter:a/b:free")
        assert (found.think, found.effort) == (False, "none")
        assert found.parameters == {"temperature": 0, "stop": ["a", ",&"], "seed": 7}

    def test_a_name_of_its_own_and_a_system_prompt(self):
        found = Variant.of("m?name=new&system=@words", {"words": "Be brief."})
        assert (found.name, found.system) == ("new", "Be brief.")
        assert Variant.of("?system=Be brief. 1+1", {}).system == "Be brief. 1+1"
        assert Variant.of("?think=on", {}).model is None

    def test_a_dict_is_written_as_a_text_would(self):
        given = {"model": "m", "think": False, "temperature": 0.5, "stop": ["a&b"]}
        found = Variant.of(given, {})
        assert found.name == "m?think=off&temperature=0.5&stop=%5B%27a%26b%27%5D"
        assert found.parameters == {"temperature": 0.5, "stop": ["a&b"]}
        assert Variant.of({"model": "m", "t": 0}, {}).parameters == {"temperature": 0}

    def test_commas_and_lists(self):
        names = [one.name for one in variants_of("a, b?think=off ,cometapi:c", {})]
        assert names == ["a", "b?think=off", "cometapi:c"]
        (only,) = variants_of([{"model": "m", "system": "a, b"}], {}, least=1)
        assert only.system == "a, b"

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ("a,a", "twice"),
            ("a", "too few"),
            ("a,b?think=maybe", "neither"),
            ("a,b?think", "sets nothing"),
            ("a,b?system=@nothing", "@nothing"),
            ([1, 2], "cannot be 1"),
            (7, "cannot be 7"),
        ],
    )
    def test_what_is_none_is_refused(self, given, says):
        with pytest.raises(ParameterError, match=says):
            variants_of(given, {})


class TestAsking:
    def test_a_variant_changes_what_it_names(self):
        question = Question("Hi", model="m", provider="p", parameters={"temperature": 1, "seed": 3})
        asked = Variant.of("?think=on&t=0", {}).ask(question)
        assert (asked.model, asked.provider, asked.think) == ("m", "p", True)
        assert asked.parameters == {"temperature": 0, "seed": 3}
        assert Variant.of("other", {}).ask(question).provider is None

    def check(self, *texts):
        variants = variants_of(list(texts), {})
        session = get_session()
        asked = [one.ask(Question("Hi", history=False)) for one in variants]
        check_different(variants, [prepare(session, place(session, one)) for one in asked])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("deepseek-flash?t=0", "deepseek-flash?t=1"),  # thinking: temperature has no effect
            ("deepseek-flash", "deepseek-flash?think=on"),
            ("deepseek-flash", "deepseek:deepseek-flash?presence_penalty=1"),
            ("deepseek-flash?top_p=0.2", "deepseek-flash?top_p=0.9"),
        ],
    )
    def test_variants_that_ask_the_same_are_refused(self, serve, one, other):
        serve()
        with pytest.raises(ParameterError, match="ask the same of DeepSeek"):
            self.check(one, other)

    def test_the_reason_names_the_parameter(self, serve):
        serve()
        with pytest.raises(ParameterError, match="temperature has no effect"):
            self.check("deepseek-flash?t=0", "deepseek-flash?t=1")

    def test_an_unknown_effort_is_refused_where_it_is_asked(self, serve):
        serve()
        with pytest.raises(ParameterError, match="effort 'big'"):
            self.check("deepseek-flash?effort=big", "deepseek-flash")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("deepseek-flash?think=off&t=0", "deepseek-flash?think=off&t=1"),
            ("deepseek-flash", "deepseek-flash?think=off"),
            ("deepseek-flash", "deepseek-flash?effort=max"),
            ("deepseek-flash", "deepseek-v4-pro"),
            ("deepseek-flash", "deepseek-flash?system=Be brief."),
            ("deepseek-flash?top_p=0.2", "deepseek-flash?top_p=1"),
        ],
    )
    def test_variants_that_differ_are_not(self, serve, one, other):
        serve()
        self.check(one, other)
