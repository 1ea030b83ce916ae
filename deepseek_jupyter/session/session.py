"""`Session`: everything that one kernel holds. The steps of a question are in `asking`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from deepseek_jupyter.config import DeepSeek, settings
from deepseek_jupyter.conversation.conversation import Conversation
from deepseek_jupyter.conversation.restore import notebook_path
from deepseek_jupyter.conversation.totals import Total
from deepseek_jupyter.conversation.turn import Turn
from deepseek_jupyter.display.frontend import user_namespace
from deepseek_jupyter.privacy.policy_file import PolicyFiles, load
from deepseek_jupyter.privacy.redaction import Redactor
from deepseek_jupyter.protocol.tokens import use_exact_tokens
from deepseek_jupyter.protocol.usage import Price
from deepseek_jupyter.transport.providers import Provider, own_price

from .endpoint import Endpoints
from .memory import Memory
from .recordings import Recordings
from .withholding import Withholding

Watcher = Callable[[str, Mapping[str, Any]], None]


class LastReply(Protocol):
    """What a session knows of a reply."""

    turn: Turn

    @property
    def footer(self) -> str:
        """The line under the answer."""


_WRITER = "deepseek_jupyter.ghost_costs"


class GhostCosts:
    """What ghost text cost in this kernel: `spent`, by model; it is written down in order.

    A cancelled one is estimated: no host says what it billed for it.
    """

    def __init__(self) -> None:
        self.spent: dict[str, Total] = {}
        self._writer = ThreadPoolExecutor(1, _WRITER)  # for the disk may be slow

    def add(self, paid: Total, write: Callable[[Total], None]) -> None:
        """Add one; `write` is called with it soon, on a thread of its own."""
        self.spent[paid.key] = self.spent.get(paid.key, Total(paid.key)) + paid
        self._writer.submit(write, paid)

    def flush(self) -> None:
        """Wait until all of it is written. Not for the engine's thread."""
        here = threading.current_thread().name
        if self.spent and not here.startswith(_WRITER):
            self._writer.submit(lambda: None).result()


class Session:
    """One per kernel; `deepseek_jupyter.get_session()` is the running one."""

    def __init__(self, config: DeepSeek) -> None:
        self.config = config
        self.memory = Memory(
            persistent=config.journal,
            namespace=user_namespace(),
            keep_days=config.keep_days,
            megabytes=config.journal_megabytes,
        )
        self.last: LastReply | None = None
        self.spent: list[Turn] = []  # of this kernel; replayed ones cost nothing
        self.ghosts = GhostCosts()
        self.jobs: dict[str, Total] = {}  # what the answers of jobs cost in this kernel, by model
        self.held: dict[str, Total] = {}  # what answers under way may cost, by turn
        self.prefix: object = None  # what the last request began with; `asking` compares it
        self.endpoints = Endpoints(config)
        self.recordings = Recordings(config, self.memory)
        use_exact_tokens(config.exact_tokens)
        self.allowed: set[tuple[str, str]] = set()  # conversation and tool, by "always"
        self.attached: dict[tuple[str, str], Any] = {}  # by conversation and name, for tools
        self.watchers: list[Watcher] = []
        self._told: set[str] = set()
        self.withholding = Withholding()

    @property
    def conversation(self) -> Conversation:
        return self.memory.conversation

    @property
    def redactor(self) -> Redactor:
        """What every text of the notebook's conversation passes on its way out."""
        return self.redactor_of(self.conversation, self.policy_files())

    def redactor_of(self, conversation: Conversation, files: PolicyFiles) -> Redactor:
        """The redactor of a conversation; a policy file may ask for detectors of its own."""
        asked = [name for rules in files.data for name in rules.detectors]
        detectors = frozenset({*self.config.detectors, *asked})
        return self.withholding.redactor_of(conversation, detectors)

    def policy_files(self) -> PolicyFiles:
        """The policy files that hold for this notebook, read now. Raises `PolicyError`."""
        return load(notebook_path(os.environ, user_namespace()), os.environ)

    def keep(self, reply: LastReply, branch: str | None = None) -> None:
        """Remember a finished turn, on the active branch or another."""
        self.last = reply
        self.spent.append(reply.turn)
        self.memory.finish_turn(reply.turn, branch)
        self.announce("kept", {"id": reply.turn.id})

    def announce(self, event: str, record: Mapping[str, Any]) -> None:
        """Call the `watchers`: a turn ``begun``, ``kept``, ``ended``, or a ghost text ``paid``."""
        for watcher in self.watchers:
            watcher(event, record)

    def first_time(self, sentence: str) -> bool:
        """True the first time that a sentence is to be shown in this session."""
        if sentence in self._told:
            return False
        self._told.add(sentence)
        return True

    def price(self, provider: Provider, *models: str | None) -> Price | None:
        """The price of the first of `models` whose price is known."""
        for model in filter(None, models):
            price = own_price(self.config.prices, provider.name, model) or provider.price(model)
            if price:
                return price
        return None


_session: Session | None = None
_making = threading.Lock()


def get_session() -> Session:
    """The session of this process, made at first use."""
    global _session
    with _making:  # a cell and a panel may be the first at the same moment
        if _session is None:
            _session = Session(settings())
        return _session
