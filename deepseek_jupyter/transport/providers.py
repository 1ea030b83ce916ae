"""The ten first-class providers, which are ``providers.toml``.

What models cost and can do is `protocol.model_facts`. To add or change a provider without touching
this file: ``%config DeepSeek.providers``, or `Provider.derive`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
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
    """One endpoint's profile: an address and a dialect. It keeps no state."""

    name: str
    title: str
    base_url: str
    source: str
    dialect: Dialect
    key_variables: tuple[str, ...] = ()  # read in order; () where the host asks for no key
    default_model: str = ""  # "": ask the host which model it serves
    beta_path: str | None = None  # None where the host has no such thing, as `balance_path`
    models_path: str = "models"
    balance_path: str | None = None
    # For what `MODELS` does not know or knows otherwise; `vision`: patterns (`fnmatch`) of the ids
    # that see images; `told`: what the host said of its models.
    context_tokens: int | None = None
    vision: tuple[str, ...] = ()
    told: Mapping[str, ModelFacts] = field(default_factory=lambda: MappingProxyType({}))
    wire: str = "chat"  # the one that is used
    # Those that it speaks beside chat, each with its own base URL, "" for `base_url`.
    wires: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    fim: str = ""  # the wire of its fill-in-the-middle, "" where it has none
    web_search: bool = False  # its server searches the web, on the wire `responses`
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
                f"DeepSeek.providers has no field {name!r}.",
                "It has " + ", ".join(sorted(names)) + ".",
            )
        if name in _WORDS and value not in _WORDS[name]:
            raise ConfigurationError(
                f"A provider's {name} cannot be {value!r}.",
                f"It is one of {', '.join(map(repr, _WORDS[name]))}.",
            )


def _profiles() -> Iterator[Provider]:
    table = tomllib.loads(Path(__file__).with_name("providers.toml").read_text("utf-8"))
    for name, row in table.items():
        own = {n: Parameter(**_tuples(made)) for n, made in row.pop("own", {}).items()}
        rows = MappingProxyType({n: STANDARD[n] for n in TAKEN[name].split()} | own)
        facts = _tuples(row)
        words = {f.name: facts.pop(f.name) for f in fields(Dialect) if f.name in facts}
        yield Provider(name, dialect=Dialect(provider=name, like=name, rows=rows, **words), **facts)


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}


PROVIDERS: Mapping[str, Provider] = MappingProxyType({p.name: p for p in _profiles()})

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
                f"Provider {name!r} is to be like {like!r}, which does not exist.",
                f"Known are {', '.join(PROVIDERS)}.",
            )
        if like in KEYLESS and name != like:  # nor does it get the other's key
            changes.setdefault("key_variables", ())
        title = changes.pop("title", name)
        return PROVIDERS[like].derive(name=name, title=title, **changes)
    if name not in PROVIDERS:
        raise ConfigurationError(
            f"There is no provider {name!r}.",
            f"Known are {', '.join(dict.fromkeys((*PROVIDERS, *own)))}.",
        )
    return PROVIDERS[name]


def provider_name(name: str, own: Iterable[str] = ()) -> str:
    """The provider that `name` is in some other spelling: "COMETAPI", "CometAPI", "wcode.net"."""
    if not name or name in PROVIDERS or name in own:
        return name
    spelt = {p.title.casefold(): p.name for p in PROVIDERS.values()}
    spelt |= {known.casefold(): known for known in (*PROVIDERS, *own)}
    return spelt.get(name.strip().casefold(), name)


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
            f"DeepSeek.prices has {row!r} for {model}, which is not a price.",
            "Write [hit, miss, output, 'USD'], per million tokens.",
        ) from None
