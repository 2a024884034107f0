"""Amounts of money, in a currency's smallest unit."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` is in minor units (cents, pence); `currency` is a code of ISO 4217."""

    amount: int
    currency: str

    def __add__(self, other: Self) -> Self:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return type(self)(self.amount + other.amount, self.currency)
