"""`Endpoints`: from settings and environment to a provider, its key and a model id.

Everything that asks a host for something else than an answer (its models, the balance) is here too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from deepseek_jupyter.errors import ConfigurationError, MissingKeyError

if TYPE_CHECKING:
    from deepseek_jupyter.config import DeepSeek
    from deepseek_jupyter.transport.client import Client
    from deepseek_jupyter.transport.keys import Secret
    from deepseek_jupyter.transport.providers import Provider


class Endpoints:
    """The endpoints that the settings lead to. Raises `ConfigurationError` and its kind."""

    def __init__(self, config: DeepSeek) -> None:
        self.config = config
        self._client: Client | None = None
        self._settings: tuple[float, ...] = ()
        self._served: dict[str, str] = {}

    def provider(self, name: str | None = None) -> tuple[Provider, Secret]:
        """The provider called `name`, or the one that the settings lead to, and its key.

        A base URL belongs to the provider it was set for: the setting to the provider that is set,
        the environment's to DeepSeek, or to a server of the user's own. No other host's key goes
        there.
        """
        from deepseek_jupyter.transport.addresses import wrong_address
        from deepseek_jupyter.transport.keys import Secret, find_key, on_this_machine
        from deepseek_jupyter.transport.providers import KEYLESS

        settled = self.config.provider
        environment = os.environ.get("DEEPSEEK_BASE_URL", "")
        addressed = bool(self.config.base_url or environment)
        chosen = name or settled or ("deepseek" if addressed else self._first_with_key())
        provider = self.profile(chosen)
        chosen, settled = provider.name, self._spelt(settled)
        if provider.name == "local":
            from deepseek_jupyter import local

            served = local.ensure_server(self.config.local_model or None)
            running = provider.derive(base_url=served.base_url, default_model=served.model)
            return running, Secret(served.api_key, "the embedded server")
        url = self.config.base_url if chosen == (settled or "deepseek") else ""
        if not url and (chosen == "deepseek" or (chosen == settled and chosen in KEYLESS)):
            url = environment
        if url:
            provider = provider.derive(base_url=url)
        if wrong := wrong_address(provider.base_url):
            raise ConfigurationError(*wrong)
        try:
            return provider, find_key(provider)
        except MissingKeyError:
            if not on_this_machine(provider.base_url):
                raise
            return provider, Secret("")

    def keyless(self, name: str | None = None) -> tuple[Provider, Secret]:
        """The profile that `provider` would need a key for, without one."""
        from deepseek_jupyter.transport.keys import Secret

        return self.profile(name or self.config.provider or "deepseek"), Secret("")

    def profile(self, name: str) -> Provider:
        """The profile called `name`, as the settings change it."""
        from deepseek_jupyter.transport.providers import provider_named

        return provider_named(name, self.config.providers)

    def _spelt(self, name: str) -> str:
        from deepseek_jupyter.transport.providers import provider_name

        return provider_name(name, self.config.providers)

    def choose(self, name: str) -> None:
        """Make `name` the provider of this kernel."""
        self.config.provider = self.profile(name).name

    def model(self, named: str | None, provider: Provider, key: Secret) -> str:
        """The model id to send: flag, setting, environment, profile, or what the host serves."""
        chosen = named or self.config.model
        if not chosen and provider.name == "deepseek":
            chosen = os.environ.get("DEEPSEEK_MODEL", "")
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
        """`provider` as its host wants to be asked for `model`, by what it taught this week."""
        from deepseek_jupyter.transport.learned import apply

        return apply(provider, model)

    def models(self, provider: Provider, key: Secret) -> list[dict[str, Any]]:
        """The models that the host lists; every field but ``id`` may be missing."""
        from deepseek_jupyter.transport.engine import engine
        from deepseek_jupyter.transport.learned import remember_models

        answer = engine().run(self.client.get(provider, provider.models_path, key))
        listed = answer.get("data") if isinstance(answer, Mapping) else None
        found = [dict(m) for m in listed or () if isinstance(m, Mapping) and m.get("id")]
        remember_models(provider, found)
        return found

    def balance(self, provider: Provider, key: Secret) -> Mapping[str, Any]:
        """The account's balance as DeepSeek words it; amounts are decimal strings."""
        from deepseek_jupyter.transport.engine import engine

        if provider.balance_path is None:
            raise ConfigurationError(f"{provider.title} lists no balance.")
        found = engine().run(self.client.get(provider, provider.balance_path, key))
        return cast("Mapping[str, Any]", found)

    @property
    def client(self) -> Client:
        """The HTTP client for the present settings."""
        from deepseek_jupyter.transport.client import Client, Timeouts
        from deepseek_jupyter.transport.failures import RetryPolicy

        c = self.config
        waits = (c.connect_timeout, c.first_timeout, c.idle_timeout)
        # A forked child must not share the parent's connections.
        settings = (*waits, c.attempts, c.concurrency, os.getpid())
        if self._client is None or settings != self._settings:
            self._client = Client(Timeouts(*waits), RetryPolicy(c.attempts), c.concurrency)
            self._settings = settings
        return self._client

    def _first_with_key(self) -> str:
        from deepseek_jupyter.transport.keys import find_key
        from deepseek_jupyter.transport.providers import KEYLESS, PROVIDERS

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
