"""Drawing and shuffling from an attempt's secret seed: the same seed gives the same paper, for ever, in every process."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

SEED_BYTES = 32


class Unsatisfiable(Exception):
    """The parts of a paper ask for more different questions than their pools hold; `part` is the index of one that fails."""

    def __init__(self, part: int) -> None:
        super().__init__(f"part {part} cannot be filled")
        self.part = part


@dataclass(frozen=True)
class Part:
    """`count` different questions out of `pool` (version ids)."""

    count: int
    pool: Sequence[int]


def _word(seed: bytes, purpose: str) -> bytes:
    return hmac.digest(seed, purpose.encode(), "sha256")


def shuffled(seed: bytes, purpose: str, items: Sequence[T]) -> list[T]:
    """Return `items` in an order that only the seed knows; every order is equally likely over random seeds."""
    # Sorting by keyed hash, not random.shuffle: its result may change with the Python version.
    return sorted(items, key=lambda item: _word(seed, f"{purpose}:{item!r}"))


def option_id(seed: bytes, number: int, index: int) -> str:
    """Return the name under which option `index` of question `number` goes over the wire: it tells nothing of the file's order."""
    return base64.b32encode(_word(seed, f"option:{number}:{index}")[:10]).decode().lower()


def option_order(seed: bytes, number: int, count: int, *, shuffle: bool) -> list[int]:
    """Return the options' indices in the order in which question `number` shows them."""
    return shuffled(seed, f"options:{number}", range(count)) if shuffle else list(range(count))


def draw(parts: Sequence[Part], seed: bytes) -> list[int]:
    """Draw every part's questions, none twice on one paper, in the order of the parts; raise `Unsatisfiable`.

    Where pools overlap, questions already drawn are handed round until every part is full (augmenting
    paths), so that a paper that can be filled is filled.
    """
    wishes = [
        shuffled(seed, f"part:{number}", list(dict.fromkeys(part.pool))) for number, part in enumerate(parts)
    ]
    places = [number for number, part in enumerate(parts) for _ in range(part.count)]
    holder: dict[int, int] = {}  # question -> place

    def seat(place: int, tried: set[int]) -> bool:
        wanted = wishes[places[place]]
        for question in wanted:
            if question not in holder:
                holder[question] = place
                return True
        for question in wanted:
            if question not in tried:
                tried.add(question)
                if seat(holder[question], tried):
                    holder[question] = place
                    return True
        return False

    for place, number in enumerate(places):
        if not seat(place, set()):
            raise Unsatisfiable(number)
    drawn = {place: question for question, place in holder.items()}
    return [drawn[place] for place in range(len(places))]
