"""How many requests of a job run at once, and what they may cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deepseek_jupyter.display.render import money
from deepseek_jupyter.protocol.usage import plus

START = 16
NOTHING = Decimal(-1)  # a cap that no request fits into
_ONE_STRAIN = 0.5  # seconds within which refusals count as one
_PATIENCE = 20  # windows without a refusal before a width that was refused is tried again


class AdaptiveLimit:
    """`now` requests at once, up to `ceiling`; `inside` are those who use it.

    Additive increase, multiplicative decrease: a provider tells how many requests an account may
    have at once by refusing (429), at times with the number.
    """

    def __init__(self, start: int, ceiling: int) -> None:
        self.now, self.ceiling, self.inside = min(start, ceiling), ceiling, 0
        self._fine = 0  # answers since the last change
        self._refused = ceiling + 1  # the width at which a refusal came
        self._strained = -_ONE_STRAIN

    def refuse(self, at: float, named: int | None = None) -> None:
        """A request was refused at the moment `at`; `named` is the limit that the server named."""
        if named is not None:
            if named > self.now:
                return
            self._refused, self.now = named, max(1, named - 1)
        elif at - self._strained >= _ONE_STRAIN:
            self._refused, self.now = self.now, max(1, self.now * 4 // 5)
            self._strained = at
        self._fine = 0

    def relax(self) -> None:
        """A request was answered: after a few of them there is room for one more.

        The farther away a refusal is, the fewer: a limit of hundreds is found within hundreds of
        answers. Close to it after a window of them; the width that was refused, after `_PATIENCE`.
        """
        self._fine += 1
        needed = max(2, self.now // max(1, (self._refused - self.now) // 4))
        if self.now + 1 >= self._refused:
            needed *= _PATIENCE
        if self._fine >= needed and self.now < self.ceiling:
            self.now, self._fine = self.now + 1, 0


@dataclass(slots=True)
class Cap:
    """What a job may spend, in one currency. The worst case of a request is reserved before it
    leaves and settled by what it did cost, so that the cap cannot be passed.

    `most` None is no cap; `tokens` is how many may be used, None for any number.
    """

    most: Decimal | None = None
    tokens: int | None = None
    spent: Decimal = Decimal()
    reserved: Decimal = Decimal()
    used: int = 0

    def bound(self, most: Decimal | None) -> Cap:
        """Lower it to `most`; the cap itself comes back."""
        if most is not None:
            self.most = most if self.most is None else min(self.most, most)
        return self

    def reserve(self, worst: Decimal) -> bool:
        """Set `worst` aside; False where that might pass the cap."""
        if self.tokens is not None and self.used >= self.tokens:
            return False
        if self.most is not None and plus(self.spent, self.reserved, worst) > self.most:
            return False
        self.reserved = plus(self.reserved, worst)
        return True

    def settle(self, worst: Decimal, cost: Decimal, tokens: int = 0) -> None:
        """What `worst` was set aside for did cost `cost`."""
        self.reserved, self.spent = plus(self.reserved, -worst), plus(self.spent, cost)
        self.used += tokens

    def reason(self, worst: Decimal, currency: str) -> str:
        """Why a request that may cost `worst` cannot be reserved."""
        if self.tokens is not None and self.used >= self.tokens:
            return "the tokens that a policy file allows are used up."
        next_one, most = money(worst, currency), money(self.most or Decimal(), currency)
        return f"the next request may cost up to {next_one}, and the cap of {most} leaves less."
