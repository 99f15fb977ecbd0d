"""What published quizzes are made of, kept in this process's memory: rules, versions of questions, what answers them.

None of it ever changes: an attempt is pinned to the paper that it began with, a paper to its versions, and both
were committed before anybody could begin. A new revision is a new paper, a changed question a new version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Pool
from sqlalchemy.orm import Session

from edu_platform.core.driver import Written
from edu_platform.quizzes import queries
from edu_platform.quizzes.models import Attempt, Paper
from edu_platform.quizzes.operations.questions import keys_of
from edu_platform.quizzes.rules import papers
from edu_platform.quizzes.rules.chance import Part
from edu_platform.quizzes.rules.papers import QuizRules
from edu_platform.quizzes.rules.reveal import Reveal

T = TypeVar("T")

MOST = 4_000
"""Rules, versions and keys that a process keeps of each; whoever finds more begins anew. A key takes some kilobytes."""
PRACTICE = QuizRules(reveal=Reveal.AFTER_EACH)
"""What practice on one's own mistakes holds to: every verdict at once, no limit of any kind."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of a question asks; it holds nothing that answers it."""

    id: int
    question_id: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Here:
    """What this process has looked up so far, by id."""

    parts: dict[int, Sequence[Part]] = field(default_factory=dict)
    rules: dict[int, QuizRules] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    keys: dict[int, Mapping[str, Any]] = field(default_factory=dict)


# By the pool, not the engine: a new pool means another database behind the same address.
_kept: WeakKeyDictionary[Pool, Here] = WeakKeyDictionary()


def paper_rules(paper: Paper) -> QuizRules:
    """Return the rules of a published paper."""
    rules, errors = papers.parse(paper.body)
    assert rules is not None, errors  # `check` let it through, and a body never changes
    return rules


def slug_of(session: Session, piece_id: int) -> str:
    """Return the slug of a quiz; read each time."""
    [[slug]] = Written(session.connection()).rows("SELECT slug FROM piece WHERE id = ?", (piece_id,))
    return str(slug)


def rules_of(session: Session, attempt: Attempt) -> QuizRules:
    """Return the rules that an attempt began under."""
    return rules_by_paper(session, attempt.paper_id)


def rules_by_paper(session: Session, paper_id: int | None) -> QuizRules:
    """Return the rules of a paper that attempts have begun with (None: of practice)."""
    if paper_id is None:
        return PRACTICE
    kept = _of(session).rules

    def load(ids: Collection[int]) -> dict[int, QuizRules]:
        return {number: paper_rules(session.get_one(Paper, number)) for number in ids}

    return _found(kept, [paper_id], load)[paper_id]


def parts_by_paper(session: Session, paper_id: int) -> Sequence[Part]:
    """Return what a paper is drawn from."""

    def load(ids: Collection[int]) -> dict[int, Sequence[Part]]:
        sources = {number: session.get_one(Paper, number).source for number in ids}
        return {
            number: [Part(part["count"], part["pool"]) for part in source["parts"]]
            for number, source in sources.items()
        }

    return _found(_of(session).parts, [paper_id], load)[paper_id]


def versions_by_id(session: Session, ids: Collection[int]) -> dict[int, Version]:
    """Return the versions of an attempt's questions."""

    def load(missing: Collection[int]) -> dict[int, Version]:
        found = session.scalars(queries.versions(missing))
        return {row.id: Version(row.id, row.question_id, row.content) for row in found}

    return _found(_of(session).versions, ids, load)


def keys_by_id(session: Session, ids: Collection[int]) -> dict[int, Mapping[str, Any]]:
    """Return what answers the versions of an attempt's questions: to judge, or after `rules.reveal` was asked."""
    return _found(_of(session).keys, ids, lambda missing: keys_of(session, missing))


def here(engine: Engine) -> Here:
    """Return what this process knows without asking the database."""
    return _kept.setdefault(engine.pool, Here())


def _of(session: Session) -> Here:
    return here(session.connection().engine)


def _found(
    kept: dict[int, T], ids: Collection[int], load: Callable[[Collection[int]], dict[int, T]]
) -> dict[int, T]:
    looked_up = {number: kept.get(number) for number in ids}  # another thread may clear it at any moment
    found = {number: value for number, value in looked_up.items() if value is not None}
    if missing := set(ids) - found.keys():
        loaded = load(missing)
        found |= loaded
        if len(kept) + len(loaded) > MOST:
            kept.clear()
        kept.update(loaded)
    return found
