"""How hard a text is to read, in three numbers that an editor can check by counting.

The mean and the longest sentence in characters, and the share of clauses too long for one breath. What a reader
of seventy is given must stay shorter than what a student is given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from edu_platform.core.vocabulary import Audience
from edu_platform.library.content.language import Passage
from edu_platform.library.source import Problems

LONG_CLAUSE: Final = 16
"""A clause of more characters than this is long."""
_SENTENCE_END: Final = re.compile(r"[。！？!?；;…\n]+")
_CLAUSE_END: Final = re.compile(r"[，、：,:（）()—“”]+")


@dataclass(frozen=True, slots=True)
class Ease:
    """What was measured of a text: characters a sentence, the longest with its line, the share of long clauses."""

    sentences: int
    mean: float
    longest: int
    longest_text: str
    longest_line: int
    long_clauses: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still easy. A text above it gets advice; above `refused` times as much it is refused."""

    mean: float
    longest: int
    long_clauses: float
    refused: float = 2.0


ELDERLY: Final = Limits(mean=16, longest=45, long_clauses=0.10)
OTHERS: Final = Limits(mean=20, longest=60, long_clauses=0.15)
LEAST_SENTENCES: Final = 8
"""Fewer sentences say nothing about a habit; only the longest is looked at."""


def _size(text: str) -> int:
    return sum(character.isalnum() for character in text)


def measure(passages: Iterable[Passage]) -> Ease | None:
    """Measure a text of several passages; punctuation and spaces do not count. None when nothing is said."""
    sizes: list[int] = []
    clauses: list[int] = []
    longest = (0, "", 1)
    for passage in passages:
        for sentence in _SENTENCE_END.split(passage.text):
            size = _size(sentence)
            if not size:
                continue
            sizes.append(size)
            longest = max(longest, (size, sentence.strip(), passage.line), key=lambda found: found[0])
            clauses += [length for clause in _CLAUSE_END.split(sentence) if (length := _size(clause))]
    if not sizes:
        return None
    long = sum(length > LONG_CLAUSE for length in clauses) / len(clauses)
    return Ease(len(sizes), sum(sizes) / len(sizes), *longest, long)


def limits_for(audiences: Collection[str]) -> Limits:
    """Return the limits of the reader who needs the easiest text."""
    return ELDERLY if Audience.ELDERLY.value in audiences else OTHERS


def note_difficulty(
    passages: Iterable[Passage],
    audiences: Collection[str],
    advice: Problems,
    problems: Problems,
    *,
    file: str,
) -> Ease | None:
    """Note what is too hard for its audiences: as advice, or as a problem where it is far beyond."""
    ease = measure(passages)
    if ease is None:
        return None
    limits = limits_for(audiences)
    whom = "写给长者的" if limits is ELDERLY else ""
    enough = ease.sentences >= LEAST_SENTENCES
    opening = ease.longest_text[:12]
    findings: Mapping[str, tuple[float, float, int]] = {
        f"{whom}句子偏长：平均 {ease.mean:.1f} 字，宜在 {limits.mean:g} 字以内": (
            ease.mean if enough else 0,
            limits.mean,
            1,
        ),
        f"{whom}一句话有 {ease.longest} 字，宜在 {limits.longest} 字以内，请拆开：“{opening}…”": (
            ease.longest,
            limits.longest,
            ease.longest_line,
        ),
        f"{whom}长分句（超过 {LONG_CLAUSE} 字）占 {ease.long_clauses:.0%}，宜在 {limits.long_clauses:.0%} 以内": (
            ease.long_clauses if enough else 0,
            limits.long_clauses,
            1,
        ),
    }
    for reason, (value, limit, line) in findings.items():
        if value > limit:
            (problems if value > limit * limits.refused else advice).note(file, line, "", reason)
    return ease
