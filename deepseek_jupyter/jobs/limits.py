"""How many requests of a job run at once, and what they may cost. Pure.

`AdaptiveLimit`: additive increase, multiplicative decrease. A provider limits how many requests an
account has at once, and tells so by refusing (429), at times with the number.

`Cap`: the worst case of a request is reserved before it leaves and settled by what it did cost, so
that what is spent cannot pass the cap. All money is in one currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deepseek_jupyter.protocol.usage import plus

START = 16
_ONE_STRAIN = 0.5  # seconds within which refusals count as one
_PATIENCE = 20  # windows without a refusal before a width that was refused is tried again


class AdaptiveLimit:
    """`now` requests at once, up to `ceiling`; `inside` counts those who use it."""

    def __init__(self, start: int, ceiling: int) -> None:
        self.now, self.ceiling = min(start, ceiling), ceiling
        self.inside = 0
        self._fine = 0  # answers since the last change
        self._refused = ceiling + 1  # the width at which a refusal came
        self._strained = -_ONE_STRAIN

    def refuse(self, at: float, named: int | None = None) -> None:
        """A request was refused at the moment `at`; `named` is the limit that the server told."""
        if named is not None and named < self.now + 1:
            self._refused, self.now = named, max(1, named - 1)
        elif at - self._strained >= _ONE_STRAIN:
            self._refused, self.now = self.now, max(1, self.now * 4 // 5)
        else:
            return
        self._strained, self._fine = at, 0

    def relax(self) -> None:
        """A request was answered: after a window of them there is room for one more."""
        self._fine += 1
        windows = _PATIENCE if self.now + 1 >= self._refused <= self.ceiling else 1
        if self._fine >= self.now * windows and self.now < self.ceiling:
            self.now, self._fine = self.now + 1, 0


@dataclass(slots=True)
class Cap:
    """`most` None is no cap; `tokens` is how many more may be used, None for any number."""

    most: Decimal | None = None
    tokens: int | None = None
    spent: Decimal = Decimal()
    reserved: Decimal = Decimal()
    used: int = 0

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
        self.reserved = plus(self.reserved, -worst)
        self.spent = plus(self.spent, cost)
        self.used += tokens
