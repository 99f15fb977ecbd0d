"""What every room holds of a person: for the copy that they may ask for, and for forgetting them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Holding:
    """What one room holds of learners.

    `tables` are all its tables with a column naming a learner. `export(session, learner_id)` returns
    plain JSON values (ids as strings, times RFC 3339); `erase(session, learner_id)` removes the rows
    or cuts what ties them to the person, and may run again.
    """

    name: str
    tables: frozenset[str]
    export: Callable[[Session, int], Any]
    erase: Callable[[Session, int], None]


_holdings: dict[str, Holding] = {}


def register(holding: Holding) -> None:
    """Add a room's holding; registering the same one twice changes nothing."""
    known = _holdings.get(holding.name)
    if known is not None and known != holding:
        raise RuntimeError(f"two holdings are called {holding.name}")
    _holdings[holding.name] = holding


def holdings() -> list[Holding]:
    """Return every holding, in the order in which the rooms registered theirs."""
    return list(_holdings.values())
