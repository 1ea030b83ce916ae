"""`Endpoints`: from settings and environment to a provider, its key and a model id.

Everything else that a host is asked (its models, the balance) is here too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from deepseek_jupyter.config import DeepSeek
from deepseek_jupyter.errors import ConfigurationError, DeepSeekError, MissingKeyError
from deepseek_jupyter.protocol.parameters import TAKEN
from deepseek_jupyter.transport.addresses import wrong_address
from deepseek_jupyter.transport.engine import engine
from deepseek_jupyter.transport.keys import Secret, find_key, needed_key
from deepseek_jupyter.transport.learned import apply, remember_models
from deepseek_jupyter.transport.providers import (
    KEYLESS,
    PROVIDERS,
    Provider,
    provider_name,
    provider_named,
)

if TYPE_CHECKING:
    from deepseek_jupyter.transport.client import Client


class Endpoints:
    """The endpoints that the settings lead to. Raises `ConfigurationError` and its kind."""

    def __init__(self, config: DeepSeek) -> None:
        self.config = config
        self._client: Client | None = None
        self._settings: tuple[float, ...] = ()
        self._served: dict[str, str] = {}

    def provider(
        self, name: str | None = None, starting: Callable[[str], None] = lambda model: None
    ) -> tuple[Provider, Secret]:
        """The provider called `name`, or the one that the settings lead to, and its key.

        A base URL belongs to the provider it was set for: the setting to the provider that is set,
        the environment's to DeepSeek, or to a server of the user's own. No other host's key goes
        there. `starting` is called before the embedded model's server is started.
        """
        chosen = name or self.named(None, self.config.model)[0] or self._default()
        provider = self.profile(chosen)
        if provider.name == "local":
            from deepseek_jupyter import local

            served = local.ensure_server(self.config.local_model or None, starting)
            running = provider.derive(base_url=served.base_url, default_model=served.model)
            return running, Secret(served.api_key, "the embedded server")
        provider = self._addressed(provider)
        if wrong := wrong_address(provider.base_url):
            raise ConfigurationError(*wrong)
        return provider, needed_key(provider)

    def _addressed(self, provider: Provider) -> Provider:
        """`provider` at the base URL of settings or environment, if that is meant for it."""
        chosen, settled = provider.name, self._spelt(self.config.provider)
        url = self.config.base_url if chosen == (settled or "deepseek") else ""
        if not url and (chosen == "deepseek" or (chosen == settled and chosen in KEYLESS)):
            url = os.environ.get("DEEPSEEK_BASE_URL", "")
        return provider.derive(base_url=url) if url else provider

    def named(self, provider: str | None, model: str | None) -> tuple[str | None, str | None]:
        """`provider` and `model`, which may be ``provider:id``; other ids hold colons too."""
        prefix, colon, id = (model or "").partition(":")
        name = self._spelt(prefix)
        if colon and id and self._exists(name) and self._spelt(provider or name) == name:
            return name, id
        return provider, model

    def stands_in(self, provider: str | None, model: str | None) -> bool:
        """Whether the embedded model answers such a question only because there is no key."""
        named = self.named(provider, model)[0] or self.named(None, self.config.model)[0]
        return not named and self._default() == "local" != self.config.provider

    def parameters(self, provider: Provider) -> tuple[dict[str, Any], str]:
        """The settings' parameters for `provider`, and a sentence about those it does not take."""
        given = self.config.parameters
        tables = {n for n, v in given.items() if isinstance(v, Mapping) and self._exists(n)}
        flat = {n: v for n, v in given.items() if n not in tables}
        elsewhere = {name for taken in TAKEN.values() for name in taken.split()}
        foreign = [n for n in flat if n not in provider.dialect.rows and n in elsewhere]
        kept = {n: v for n, v in flat.items() if n not in foreign}
        own = given[provider.name] if provider.name in tables else {}
        notice = (
            f"DeepSeek.parameters has {', '.join(foreign)}, which {provider.name} does not take."
        )
        return {**kept, **own}, notice if foreign else ""

    @property
    def names(self) -> list[str]:
        """All providers, those of the settings last."""
        return list(dict.fromkeys((*PROVIDERS, *self.config.providers)))

    def _exists(self, name: str) -> bool:
        return name in self.names

    def _default(self) -> str:
        addressed = self.config.base_url or os.environ.get("DEEPSEEK_BASE_URL", "")
        return self.config.provider or ("deepseek" if addressed else self._first_with_key())

    def _setting(self, provider: Provider) -> str:
        """The model that the settings name for `provider`; "" where it is another one's."""
        if not self.config.model:
            return ""
        prefix, id = self.named(None, self.config.model)
        try:
            meant = prefix or self._spelt(self._default())
        except MissingKeyError:
            meant = provider.name
        return str(id) if meant == provider.name else ""

    def keyless(self, name: str | None = None) -> tuple[Provider, Secret]:
        """The profile that `provider` would need a key for, without one."""
        provider = self.profile(name or self.named(None, self.config.model)[0])
        if provider.name == "local":
            from deepseek_jupyter import local

            model = self.config.local_model or local.DEFAULT_MODEL
            return provider.derive(default_model=model), Secret("")
        return self._addressed(provider), Secret("")

    def profile(self, name: str | None = None) -> Provider:
        """The profile called `name`, or that of the settings, as the settings change it."""
        name = name or self.config.provider or "deepseek"
        return provider_named(name, self.config.providers)

    def _spelt(self, name: str) -> str:
        return provider_name(name, self.config.providers)

    def choose(self, name: str) -> None:
        self.config.provider = self.profile(name).name

    def model(self, named: str | None, provider: Provider, key: Secret) -> str:
        """The model id to send: flag, setting, environment, profile, or what the host serves."""
        return str(named or self._setting(provider) or self._unset(provider, key))

    def standard(self) -> tuple[Provider, str]:
        """The provider and the model that answer where no model is named."""
        provider, key = self.provider(self._default())
        return provider, self._unset(provider, key)

    def offered(self, standard: Provider) -> Iterator[str]:
        """The models of all providers that can be asked, named as settings would, by `standard`."""
        from deepseek_jupyter import local

        if standard.name != "local" and (embedded := local.status()).ready:
            yield from (f"local:{model.id}" for model in embedded.models)
        for name in self.names:
            if name == "local" or (name in KEYLESS and name not in self.config.providers):
                continue
            with suppress(DeepSeekError):  # any id can be typed; one that lists none is no trouble
                provider, key = self.provider(name)
                ids = {provider.default_model} - {None, ""}
                with suppress(DeepSeekError):
                    ids |= {model["id"] for model in self.models(provider, key)}
                before = "" if name == standard.name else f"{name}:"
                yield from sorted(f"{before}{id}" for id in ids)

    def _unset(self, provider: Provider, key: Secret) -> str:
        chosen = os.environ.get("DEEPSEEK_MODEL", "") if provider.name == "deepseek" else ""
        chosen = chosen or provider.default_model or self._served.get(provider.base_url, "")
        if not chosen:
            models = self.models(provider, key)
            if not models:
                raise ConfigurationError(
                    f"{provider.title} at {provider.base_url} serves no model.",
                    "Load one there, or name it with -m.",
                )
            chosen = self._served[provider.base_url] = models[0]["id"]
        return str(chosen)

    def taught(self, provider: Provider, model: str) -> Provider:
        """`provider` with what its host taught about `model` this week."""
        return apply(provider, model)

    def models(self, provider: Provider, key: Secret) -> list[dict[str, Any]]:
        """The models that the host lists; every field but ``id`` may be missing."""
        answer = engine().run(self.client.get(provider, provider.models_path, key))
        listed = answer.get("data") if isinstance(answer, Mapping) else None
        found = [dict(m) for m in listed or () if isinstance(m, Mapping) and m.get("id")]
        remember_models(provider, found)
        return found

    def balance(self, provider: Provider, key: Secret) -> Mapping[str, Any]:
        """The account's balance as DeepSeek words it; amounts are decimal strings."""
        if provider.balance_path is None:
            raise ConfigurationError(
                f"{provider.title} lists no balance.", "The provider's own page shows it."
            )
        found = engine().run(self.client.get(provider, provider.balance_path, key))
        return cast("Mapping[str, Any]", found)

    @property
    def client(self) -> Client:
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.retry import RetryPolicy

        c = self.config
        waits = (c.connect_timeout, c.first_timeout, c.idle_timeout)
        # A forked child must not share the parent's connections.
        settings = (*waits, c.attempts, c.retry_wait, c.concurrency, os.getpid())
        if self._client is None or settings != self._settings:
            retry = RetryPolicy(c.attempts, c.retry_wait, 20 * c.retry_wait)
            self._client = Client(Timeouts(*waits), retry, c.concurrency)
            self._settings = settings
        return self._client

    def _first_with_key(self) -> str:
        for provider in PROVIDERS.values():
            if provider.name in KEYLESS:
                continue
            try:
                if find_key(provider):
                    return provider.name
            except MissingKeyError:
                continue
        from deepseek_jupyter import local

        if local.status().ready:
            return "local"
        raise MissingKeyError(
            "There is no API key, and the embedded model is not installed.",
            "%deepseek login stores a key (or set DEEPSEEK_API_KEY); "
            "%deepseek local install brings the embedded model.",
        )
