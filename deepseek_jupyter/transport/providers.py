"""The ten first-class providers, as data, with the pages the facts come from.

What models cost and can do is `protocol.model_facts`. To add or change a provider without touching
this file: ``%config DeepSeek.providers``, or `Provider.derive`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, get_args

from deepseek_jupyter.errors import ConfigurationError, ParameterError
from deepseek_jupyter.protocol.dialect import (
    Dialect,
    PrefixStyle,
    Replay,
    SchemaStyle,
    ThinkingStyle,
)
from deepseek_jupyter.protocol.model_facts import ModelFacts, facts_of
from deepseek_jupyter.protocol.parameters import STANDARD, TAKEN, Parameter
from deepseek_jupyter.protocol.request import join_url
from deepseek_jupyter.protocol.usage import Price, price_at
from deepseek_jupyter.protocol.wire import WIRES, on_wire

from .addresses import base_of, wire_of


@dataclass(frozen=True, slots=True)
class Provider:
    """One endpoint's profile: an address and a dialect. It keeps no state.

    `key_variables` are read in order; an empty tuple means that the host asks for no key.
    `default_model` "" means: ask the host which model it serves.
    `balance_path` and `beta_path` are None where the host has no such thing. `context_tokens` and
    `vision`, patterns (`fnmatch`) of the ids that see images, are for what `MODELS` does not know
    or knows otherwise, and so is `told`: what the host said of its models. `wires` are those that
    it speaks beside chat, each with its own base URL, "" for `base_url`; `wire` is the one that is
    used. `web_search`: its server searches the web, on the wire `responses`. `fim` is the wire of
    its fill-in-the-middle, "" where it has none.
    """

    name: str
    title: str
    base_url: str
    source: str
    dialect: Dialect
    key_variables: tuple[str, ...] = ()
    default_model: str = ""
    beta_path: str | None = None
    models_path: str = "models"
    balance_path: str | None = None
    context_tokens: int | None = None
    vision: tuple[str, ...] = ()
    told: Mapping[str, ModelFacts] = field(default_factory=lambda: MappingProxyType({}))
    wire: str = "chat"
    wires: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fim: str = ""
    web_search: bool = False
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def beta_url(self) -> str:
        """Base URL of the beta features. Raises `ConfigurationError` where there are none."""
        if self.beta_path is None:
            raise ConfigurationError(
                f"{self.title} has no prefix completion or strict tools.",
                "Use -p deepseek for those.",
            )
        return join_url(_without_v1(self.base_url), self.beta_path)

    @property
    def wire_url(self) -> str:
        """What the path of the wire is joined to."""
        return self.wires.get(self.wire) or self.base_url

    def speaking(self, wire: str) -> Provider:
        """The profile on another wire, "" for its own. Raises `ParameterError`."""
        if wire in ("", self.wire):
            return self
        has = ["chat", *self.wires] if self.wire == "chat" else [self.wire]
        if wire not in has:
            raise ParameterError(
                f"{self.title} is not known to speak the wire {wire!r} at this address.",
                f"It has {', '.join(has)}; a profile in DeepSeek.providers may name another.",
            )
        return replace(self, wire=wire, dialect=on_wire(self.dialect, wire))

    def facts(self, model: str) -> ModelFacts:
        """What is known of `model` here: by the user's word, the host's, then the table's."""
        folded = model.casefold()
        sees = any(fnmatchcase(folded, pattern.casefold()) for pattern in self.vision)
        said = ModelFacts(context=self.context_tokens, images=sees or None)
        return facts_of(self.dialect.like, model, said, self.told.get(model, ModelFacts()))

    @property
    def free(self) -> bool:
        """Whether it is a server of the user's own, which charges nothing."""
        mine = self.dialect.like in KEYLESS and not self.key_variables
        return mine or self.name in KEYLESS

    def price(self, model: str) -> Price | None:
        """What `model` costs here now, None where it is not known."""
        return price_at(self.facts(model).prices, datetime.now(UTC))

    def for_fim(self) -> Provider:
        """The profile for fill-in-the-middle. Raises `ConfigurationError` where it has none."""
        if not self.fim:
            raise ConfigurationError(
                f"{self.title} has no fill-in-the-middle, so no ghost text.",
                "Name another provider for it: %deepseek config fim_provider=deepseek (or local).",
            )
        base = self.base_url
        below = _without_v1(base) if self.fim == "infill" else base  # /infill is no OpenAI's
        return replace(self, wire=self.fim, base_url=below)

    def derive(self, **changes: Any) -> Provider:
        """A provider like this one with other values; `dialect` may be a dict of changes.

        Raises `ConfigurationError` for a field that does not exist, and for a word that is none of
        those a field takes.
        """
        _check(changes, Provider)
        if isinstance(changes.get("dialect"), Mapping):
            _check(changes["dialect"], Dialect)
            changes["dialect"] = replace(self.dialect, **changes["dialect"])
        wire = changes.pop("wire", "")
        if isinstance(url := changes.get("base_url"), str):
            changes["base_url"] = base_of(url)
            spoken = wire_of(url)
            wire = wire or spoken
            if spoken and changes["base_url"] == self.wires.get(spoken):
                del changes["base_url"]  # the address of that wire at this very host
            elif changes["base_url"] != self.base_url:  # another host, with one address for all
                changes.setdefault("wires", dict.fromkeys(self.wires, ""))
        for name in ("key_variables", "vision"):
            if isinstance(changes.get(name), str):
                changes[name] = (changes[name],)
        derived = replace(self, **changes)
        derived = replace(derived, dialect=replace(derived.dialect, provider=derived.name))
        if wire and wire not in derived.wires:
            derived = replace(derived, wires={**derived.wires, wire: ""})
        return derived.speaking(wire)


def _without_v1(base: str) -> str:
    address, mark, query = base.partition("?")
    return address.rstrip("/").removesuffix("/v1") + mark + query


_WORDS: Mapping[str, tuple[str, ...]] = {
    "thinking": get_args(ThinkingStyle),
    "replay": get_args(Replay),
    "schema": get_args(SchemaStyle),
    "prefix": get_args(PrefixStyle),
    "wire": tuple(WIRES),
    "fim": ("", "fim", "infill"),
}


def _check(changes: Mapping[str, Any], kind: type[Provider] | type[Dialect]) -> None:
    """Raise `ConfigurationError` for a field that `kind` has not, or a word it does not take."""
    names = {f.name for f in fields(kind)}
    for name, value in changes.items():
        if name not in names:
            raise ConfigurationError(
                f"A provider has no field {name!r}.", "It has " + ", ".join(sorted(names)) + "."
            )
        if name in _WORDS and value not in _WORDS[name]:
            raise ConfigurationError(
                f"A provider's {name} cannot be {value!r}.",
                f"It is one of {', '.join(map(repr, _WORDS[name]))}.",
            )


# Own servers switch thinking by the chat template and take any schema: docs.vllm.ai
# features/structured_outputs, docs.sglang.io advanced_features/structured_outputs; llama.cpp makes
# a grammar of it.
_TEMPLATED: dict[str, Any] = {"thinking": "template", "efforts": {}, "schema": "json_schema"}


def _host(name: str, title: str, own: Any = (), **facts: Any) -> Provider:
    """A profile. `own` has the parameters that the host defines otherwise than `STANDARD`; facts
    that are a dialect's go into its dialect.
    """
    rows = {row: STANDARD[row] for row in TAKEN[name].split()}
    taken = MappingProxyType({**rows, **dict(own)})
    words = {f.name: facts.pop(f.name) for f in fields(Dialect) if f.name in facts}
    dialect = Dialect(provider=name, like=name, rows=taken, **words)
    return Provider(name, title, dialect=dialect, **facts)


_ALL = (
    _host(
        "deepseek",
        "DeepSeek",
        {
            "max_tokens": Parameter("int", 1, 393_216),
            "reasoning_effort": Parameter("str", choices=("none", "low", "high", "max")),
        },
        base_url="https://api.deepseek.com",
        source="https://api-docs.deepseek.com/api/create-chat-completion",
        key_variables=("DEEPSEEK_API_KEY",),
        default_model="deepseek-flash",
        beta_path="/beta",
        fim="fim",
        balance_path="user/balance",
        # api-docs.deepseek.com/guides/responses_api and /guides/anthropic_api
        wires={"responses": "", "messages": "https://api.deepseek.com/anthropic/v1"},
        web_search=True,
        replay="reasoning_content",
        # json_schema is offered on /responses alone; api-docs.deepseek.com/guides/tool_calls.
        schema="strict function",
        beta=True,
        prefix="prefix",  # api-docs.deepseek.com/guides/chat_prefix_completion
        json_needs_word=True,
        thinks_by_default=True,
        forced_tool_choice_with_thinking=False,
        # api-docs.deepseek.com/guides/thinking_mode and /api/create-chat-completion, September 2026
        ignored_when_thinking={
            "temperature": "In thinking mode temperature has no effect; use --no-think to sample.",
            "top_p": "In thinking mode a top_p below 0.95 counts as 0.95.",
        },
        ignored_when_not_thinking={"top_p": "Without thinking DeepSeek fixes top_p at 1.0."},
        ignored={
            "frequency_penalty": "frequency_penalty has no effect on DeepSeek's models any more.",
            "presence_penalty": "presence_penalty has no effect on DeepSeek's models any more.",
            "parallel_tool_calls": "DeepSeek accepts parallel_tool_calls but ignores it.",
        },
    ),
    _host(
        "cometapi",
        "CometAPI",
        # Exactly this base: any other answers with a redirect or a web page.
        base_url="https://api.cometapi.com/v1",
        source="https://apidoc.cometapi.com/api/text/chat",
        key_variables=("COMETAPI_API_KEY", "COMETAPI_KEY"),
        default_model="deepseek-v3.2-exp",
        wires={"messages": ""},  # apidoc.cometapi.com/api/text/anthropic-messages: Claude's ids
        thinking="by_id",
        replay="reasoning_content",
        json_needs_word=True,
    ),
    _host(
        "wcode",
        "wcode.net",
        {"top_p": Parameter("float", 0, 1)},
        base_url="https://wcode.net/api/gpt/v1",
        source="https://wcode.net/model/deepseek-v3.2-exp",
        key_variables=("WCODE_API_KEY",),
        default_model="deepseek/deepseek-v3.2-exp",
        wires={"messages": "https://wcode.net/api/anthropic/v1"},
        thinking="reasoning",
        efforts={},  # only reasoning.enabled is documented
        replay="reasoning_details",
        schema="strict json_schema",
        schema_flag=True,  # "structured_outputs: json_schema in response_format"
        json_needs_word=True,
    ),
    _host(
        "openrouter",
        "OpenRouter",
        {"top_p": Parameter("float", 0, 1)},
        base_url="https://openrouter.ai/api/v1",
        source="https://openrouter.ai/docs/parameters",
        key_variables=("OPENROUTER_API_KEY",),
        default_model="deepseek/deepseek-v3.2-exp",
        thinking="reasoning",
        efforts={"low": "low", "high": "high", "max": "xhigh"},
        replay="reasoning_details",  # tool turns must bring them back unmodified and in order
        schema="strict json_schema",  # openrouter.ai/docs/features/structured-outputs
        prefix="trailing",
        json_needs_word=True,
    ),
    _host(
        "siliconflow",
        "SiliconFlow",
        {"reasoning_effort": Parameter("str", choices=("high", "max"))},
        base_url="https://api.siliconflow.cn/v1",
        source="https://docs.siliconflow.cn/docs/api/chat-completions-post",
        key_variables=("SILICONFLOW_API_KEY",),
        default_model="deepseek-ai/DeepSeek-V3.2-Exp",
        thinking="enable_thinking",
        efforts={"high": "high", "max": "max"},
        replay="reasoning_content",
        json_needs_word=True,
    ),
    _host(
        "vllm",
        "vLLM",
        prefix="continue",
        base_url="http://127.0.0.1:8000/v1",
        source="https://docs.vllm.ai/en/v0.26.0/features/reasoning_outputs.html",
        key_variables=("VLLM_API_KEY",),
        # DeepSeek's template reads `thinking`, Qwen's `enable_thinking`.
        template_keys=("thinking", "enable_thinking"),
        **_TEMPLATED,
    ),
    _host(
        "sglang",
        "SGLang",
        prefix="continue",
        base_url="http://127.0.0.1:30000/v1",
        source="https://docs.sglang.io/docs/advanced_features/separate_reasoning",
        key_variables=("SGLANG_API_KEY",),
        template_keys=("thinking",),
        **_TEMPLATED,
    ),
    _host(
        "ollama",
        "Ollama",
        {"reasoning_effort": Parameter("str", choices=("none", "low", "medium", "high"))},
        base_url="http://127.0.0.1:11434/v1",
        source="https://github.com/ollama/ollama/blob/main/docs/api/openai-compatibility.mdx",
        fim="fim",
        key_variables=("OLLAMA_API_KEY",),
        schema="json_schema",
        thinking="effort",
        efforts={"low": "low", "high": "high", "max": "high"},
    ),
    _host(
        "llamacpp",
        "llama.cpp",
        prefix="trailing",
        base_url="http://127.0.0.1:8080/v1",
        source="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        fim="infill",
        wires={"responses": "", "messages": ""},  # tools/server/README.md
        key_variables=("LLAMA_API_KEY",),
        template_keys=("enable_thinking",),
        tool_choice_none=False,
        **_TEMPLATED,
    ),
    _host(
        "local",
        "the embedded model",
        prefix="trailing",
        base_url="",  # known once its server runs
        source="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        fim="infill",
        wires={"responses": "", "messages": ""},  # tools/server/README.md
        context_tokens=8192,
        schema="json_schema",
        tool_choice_none=False,
        thinking="extra",  # bounded by a grammar sent along: see deepseek_jupyter.local
    ),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType({p.name: p for p in _ALL})

# Keys at these hosts are the user's own choice: a self-hosted server asks for one only if set to.
KEYLESS = frozenset({"vllm", "sglang", "ollama", "llamacpp", "local"})


def provider_named(name: str, own: Mapping[str, Mapping[str, Any]] | None = None) -> Provider:
    """The profile called `name`, the user's `own` definitions first.

    An own definition is a dict of `Provider` fields; ``like`` names the profile it starts from
    (its own name, else vllm, the plainest of the OpenAI-compatible ones). Raises
    `ConfigurationError` for an unknown name.
    """
    own = own or {}
    name = provider_name(name, own)
    if name in own:
        changes = dict(own[name])
        like = str(changes.pop("like", name if name in PROVIDERS else "vllm"))
        if like not in PROVIDERS:
            raise ConfigurationError(
                f"Provider {name!r} is to be like {like!r}, which is unknown.",
                f"Known are {_listed(PROVIDERS)}.",
            )
        if like in KEYLESS and name != like:  # nor does it get the other's key
            changes.setdefault("key_variables", ())
        title = changes.pop("title", name)
        return PROVIDERS[like].derive(name=name, title=title, **changes)
    if name not in PROVIDERS:
        raise ConfigurationError(
            f"There is no provider {name!r}.", f"Known are {_listed([*PROVIDERS, *own])}."
        )
    return PROVIDERS[name]


def provider_name(name: str, own: Iterable[str] = ()) -> str:
    """The provider that `name` is in some other spelling: "COMETAPI", "CometAPI", "wcode.net"."""
    spelt = {p.title.casefold(): p.name for p in PROVIDERS.values()}
    spelt |= {known.casefold(): known for known in (*PROVIDERS, *own)}
    exact = name in PROVIDERS or name in own
    return name if exact else spelt.get(name.strip().casefold(), name)


def own_price(prices: Mapping[str, Any], provider: str, model: str) -> Price | None:
    """The user's own price for `model`: ``[hit, miss, output]`` and an optional currency.

    In a table of the provider's name, or for every provider. Raises `ConfigurationError`.
    """
    table = prices.get(provider)
    row = table.get(model) if isinstance(table, Mapping) else None
    row = prices.get(model) if row is None else row
    if row is None or isinstance(row, Mapping):
        return None
    try:
        hit, miss, output, *currency = row
        return Price.of(str(hit), str(miss), str(output), *currency)
    except (TypeError, ValueError, ArithmeticError):
        raise ConfigurationError(
            f"DeepSeek.prices has {row!r} for {model}, which is no price.",
            "Write [hit, miss, output, 'USD'], per million tokens.",
        ) from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
