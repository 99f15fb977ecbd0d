"""The parts of `content/`: which folder each reads, in which order they are imported.

A room that brings a kind of file registers a `Section` (through `factory`); `run` reads all sections first,
then lets each check what it read against everything else, and imports only when nothing is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.errors import FieldError
from edu_platform.core.vocabulary import Audience
from edu_platform.library.meta import KEYS, check_meta, normal_meta, slug_reason, unknown_keys
from edu_platform.library.pictures import SHIPPED
from edu_platform.library.source import Document, Problems, SourceFile

QUESTIONS: Final = "题目"
"""Under which name questions are counted."""


@dataclass(frozen=True, slots=True)
class PieceSource:
    """A piece as its file has it, ready to be drafted: `meta` and `body` are what the revision will store."""

    kind: str
    slug: str
    meta: dict[str, Any]
    body: dict[str, Any]
    document: Document


@dataclass(slots=True)
class Counts:
    """What an import did to one section. `kept` names what staff have changed since, which it left alone.

    `retired` counts what the files no longer have and what is therefore used no more.
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    retired: int = 0
    kept: list[str] = field(default_factory=list)

    def add(self, how: str, name: str) -> None:
        """Count one thing: `how` is `new`, `changed`, `same` or `kept`."""
        if how == "kept":
            self.kept.append(name)
        else:
            setattr(self, how, getattr(self, how) + 1)

    def join(self, other: Counts) -> None:
        """Add what another count has."""
        self.new += other.new
        self.changed += other.changed
        self.same += other.same
        self.retired += other.retired
        self.kept += other.kept


@dataclass
class Gathered:
    """Everything that was read from one root: by section, and what all sections share.

    `drawings` is the folder of the illustrations, `cache` one in which slow measurements may be kept. `advice`
    is what an editor should look at again and that refuses nothing; `moving` tells for each film how much moves
    in each scene; `measures` are lines about whole files that are always worth printing; `tally` counts what there
    is by section, right and audience, `by_column` the pieces by section and column. `host` is the one whose web addresses may be named.
    """

    root: Path
    hotline: str
    illustrations: frozenset[str]
    parsed: dict[str, list[Any]] = field(default_factory=dict)
    drawings: Path = SHIPPED
    cache: Path | None = None
    advice: Problems = field(default_factory=Problems)
    moving: dict[str, list[float]] = field(default_factory=dict)
    measures: list[str] = field(default_factory=list)
    tally: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    by_column: Counter[tuple[str, str]] = field(default_factory=Counter)
    host: str = ""
    unread: set[str] = field(default_factory=set)
    """Stems of files that could not be read: whoever refers to them has made no mistake."""

    def count(self, section: str, rights: Collection[str], audiences: Collection[str]) -> None:
        """Count one piece or question under each of its rights and audiences; no audience means all."""
        for right in rights:
            for audience in audiences or [audience.value for audience in Audience]:
                self.tally[section, right, audience] += 1

    @cached_property
    def pieces(self) -> list[PieceSource]:
        """Return the pieces of all sections; to be asked once everything has been read."""
        return [item for items in self.parsed.values() for item in items if isinstance(item, PieceSource)]

    @cached_property
    def slugs(self) -> frozenset[str]:
        """Return the slugs of all pieces, those included whose file has mistakes."""
        return frozenset(piece.slug for piece in self.pieces) | self.unread


class Importer(Protocol):
    """What a section is given to import with: it knows the accounts, the time and the way through review."""

    def bring(self, session: Session, piece: PieceSource) -> str:
        """Draft, submit, approve and publish a piece where it differs; say `new`, `changed`, `same` or `kept`."""
        ...

    @property
    def settings(self) -> Settings:
        """Return the settings of the platform."""
        ...

    @property
    def account(self) -> int:
        """Return the id of the staff account in whose name things are imported."""
        ...


class Section(Protocol):
    """One part of `content/`.

    `folder` is a folder or a single file under the root; `order` says when it is imported (columns 10, questions
    20, pieces 28 to 40, campaigns 50). Items that are `PieceSource` are pieces: their slugs, references, texts
    and numbers are checked for all sections together.
    """

    name: str
    label: str
    folder: str
    order: int

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[Any]:
        """Read the files, noting every mistake; return what could be read."""
        ...

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note what shows only when everything has been read."""
        ...

    def import_(self, session: Session, parsed: Sequence[Any], importer: Importer) -> Counts:
        """Bring what was read into the database, within the caller's transaction."""
        ...


registry: dict[str, Section] = {}


def register(section: Section) -> None:
    """Add a section; called once by `factory` for each."""
    registry[section.name] = section


def ordered() -> list[Section]:
    """Return the sections in the order in which they are imported."""
    return sorted(registry.values(), key=lambda section: (section.order, section.name))


def note_errors(
    document: Document, errors: Sequence[FieldError], problems: Problems, prefix: str = ""
) -> None:
    """Turn mistakes by field into mistakes by file and line; `prefix` is where the fields' root stands in the file."""
    for error in errors:
        dot = "" if not prefix or not error.field or error.field.startswith("[") else "."
        document.note(problems, f"{prefix}{dot}{error.field}", error.reason)


def read_meta(
    document: Document, problems: Problems, *, own: Collection[str], cover: bool
) -> tuple[str, dict[str, Any]] | None:
    """Read what the file of a piece of any kind says about the piece: its slug (the file's name) and its meta.

    `own` are the keys that belong to the kind's body; any other unknown key is a mistake. `cover` says whether
    the kind must name a cover; a kind without covers leaves `cover` out of its files altogether and passes
    False. Every mistake is noted by line; None when there was one. Columns, illustrations and related pieces are
    looked up later, by `run`, for all pieces together. Use it in a section so::

        read = read_meta(document, problems, own={"paper", "points"}, cover=True)
        errors = check_body(document.value)  # by path, as a kind's `check` gives them
        note_errors(document, errors, problems)
        if read and not errors:
            items.append(PieceSource("quiz", *read, body, document))
    """
    value = document.value
    if not isinstance(value, dict):
        document.note(problems, "", "文件须写成“键: 值”")
        return None
    slug = document.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    before = len(problems)
    reason = slug_reason(slug)
    if reason:
        document.note(problems, "", f"文件名就是 slug：{reason}")
    note_errors(document, unknown_keys(value, {*KEYS, *own}), problems)
    note_errors(document, check_meta(value, cover=cover), problems)
    return None if len(problems) > before else (slug, normal_meta(value))
