"""Chinese full-text search: one face over SQLite's FTS5 and PostgreSQL's tsvector.

Text is cut into words by a dictionary before it is stored, and every pair of neighbouring characters is stored
too: the dictionary gives the ranking its words, the pairs make sure that any word of two characters is found
wherever it stands, however the dictionary cut around it. A query is cut the same way; nothing a person types
is an operator.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

DDL: dict[str, list[str]] = {
    "sqlite": [
        (
            "CREATE VIRTUAL TABLE search_index USING fts5("
            "title, body, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0')"
        )
    ],
    "postgresql": [
        "CREATE TABLE search_index (entry_id BIGINT PRIMARY KEY, document tsvector NOT NULL)",
        "CREATE INDEX ix_search_index_document ON search_index USING gin (document)",
    ],
}
"""What makes the index; its key is the id of a catalogue entry."""

MOST_HITS = 1000
MOST_TERMS = 12
EXCERPT = 80
_BEFORE = 16
_LONGEST_WORD = 64
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+")
_BECOMES_HAN = re.compile(
    "[\u2e9f\u2ef3-\u2fd5\u3038-\u303a\u3192-\u319f\u3220-\u33fe\uf900-\ufad9\U0001f210-\U0001f251\U0002f800-\U0002fa1d]"
)
"""What NFKC turns into Chinese characters; where none stands, a Chinese word is found in the text as it is."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry found: `in_title` when all words stand in its title; a smaller `rank` is better."""

    entry_id: int
    in_title: bool
    rank: int

    @property
    def key(self) -> tuple[int, int, int]:
        """Return what hits are sorted by: titles first, then rank, then the newer entry."""
        return (0 if self.in_title else 1, self.rank, -self.entry_id)


def _normal(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold()


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def _cut(value: str, *, finely: bool) -> Iterator[str]:
    import rjieba  # its dictionary takes 30 MB and a third of a second: loaded by who first needs it

    for piece in rjieba.cut_for_search(value) if finely else rjieba.cut(value):
        for word in _WORD.findall(piece):
            yield word[:_LONGEST_WORD]


def tokens(value: str) -> list[str]:
    """Return what is stored of a text: the dictionary's words, every pair of characters, and the last of each run."""
    normal = _normal(value)
    found = list(_cut(normal, finely=True))
    known = set(found)
    for run in _HAN.findall(normal):
        found += [pair for pair in _pairs(run) if pair not in known]
        found.append(run[-1])
    return found


def words(query: str) -> list[str]:
    """Return the words that a query asks for, each once, at most `MOST_TERMS`; none means that nothing is found."""
    return list(dict.fromkeys(_cut(_normal(query), finely=False)))[:MOST_TERMS]


def _fts(asked: Sequence[str]) -> str:
    """Return the words as an FTS5 expression; each is a quoted string, so operators are just text."""
    parts = []
    for word in asked:
        if not _HAN.fullmatch(word) or len(word) == 2:
            parts.append(f'"{word}"')
        elif len(word) == 1:
            parts.append(f'"{word}" *')
        else:
            pairs = " AND ".join(f'"{pair}"' for pair in _pairs(word))
            parts.append(f'("{word}" OR ({pairs}))')
    return " AND ".join(parts)


def _tsquery(asked: Sequence[str], label: str = "") -> str:
    """Return the words as the text of a tsquery; `label` is a weight that lexemes must have."""
    mark = f":{label}" if label else ""
    parts = []
    for word in asked:
        if not _HAN.fullmatch(word) or len(word) == 2:
            parts.append(f"'{word}'{mark}")
        elif len(word) == 1:
            parts.append(f"'{word}':*{label}")
        else:
            pairs = " & ".join(f"'{pair}'{mark}" for pair in _pairs(word))
            parts.append(f"('{word}'{mark} | ({pairs}))")
    return " & ".join(parts)


def _tsvector(title: str, body: str) -> str:
    """Return the text of a tsvector, made here so that no server's parser or locale has a say in Chinese words."""
    places: dict[str, list[str]] = {}
    position = 0
    for label, value in (("A", title), ("B", body)):
        for token in tokens(value):
            position = min(position + 1, 16_383)
            kept = places.setdefault(token, [])
            if len(kept) < 250:
                kept.append(f"{position}{label}")
    return " ".join(f"'{token}':{','.join(kept)}" for token, kept in places.items())


def _on_sqlite(database: Session | Connection) -> bool:
    found = database.get_bind() if isinstance(database, Session) else database
    return found.dialect.name == "sqlite"


def put(session: Session, entry_id: int, *, title: str, body: str) -> None:
    """Make an entry findable, or replace what is stored of it."""
    remove(session, entry_id)
    if _on_sqlite(session):
        session.execute(
            text("INSERT INTO search_index (rowid, title, body) VALUES (:id, :title, :body)"),
            {"id": entry_id, "title": " ".join(tokens(title)), "body": " ".join(tokens(body))},
        )
    else:
        session.execute(
            text("INSERT INTO search_index (entry_id, document) VALUES (:id, CAST(:document AS tsvector))"),
            {"id": entry_id, "document": _tsvector(title, body)},
        )


def remove(session: Session, entry_id: int) -> None:
    """Forget an entry."""
    column = "rowid" if _on_sqlite(session) else "entry_id"
    session.execute(text(f"DELETE FROM search_index WHERE {column} = :id"), {"id": entry_id})  # noqa: S608 - one of two words


# bm25 of a common word is as small as 1e-6: kept as whole billionths, so that a cursor can name it exactly
_FIND = {
    "sqlite": text(
        "SELECT rowid, rowid IN (SELECT rowid FROM search_index WHERE search_index MATCH :title) AS in_title,"
        " CAST(round(bm25(search_index, 10.0, 1.0) * 1e9) AS INTEGER) AS score"
        " FROM search_index WHERE search_index MATCH :whole"
        " ORDER BY in_title DESC, score, rowid DESC LIMIT +:most"
    ),
    "postgresql": text(
        "SELECT entry_id, document @@ CAST(:title AS tsquery) AS in_title,"
        " CAST(round(-ts_rank(CAST('{0, 0, 0.1, 1}' AS real[]), document, CAST(:whole AS tsquery), 1) * 1e9)"
        " AS bigint) AS score"
        " FROM search_index WHERE document @@ CAST(:whole AS tsquery)"
        " ORDER BY in_title DESC, score, entry_id DESC LIMIT :most"
    ),
}


def find(database: Session | Connection, asked: Sequence[str], *, most: int | None = None) -> list[Hit]:
    """Return the entries that hold all the words, best first, at most `MOST_HITS`; whether they are visible is not asked."""
    if not asked:
        return []
    if _on_sqlite(database):
        name, title, whole = "sqlite", f"{{title}} : ({_fts(asked)})", _fts(asked)
    else:
        name, title, whole = "postgresql", _tsquery(asked, "A"), _tsquery(asked)
    given = {"title": title, "whole": whole, "most": min(most or MOST_HITS, MOST_HITS)}
    return [
        Hit(entry, bool(in_title), rank) for entry, in_title, rank in database.execute(_FIND[name], given)
    ]


class _Folded(dict[int, str]):
    """Each character as it is compared, found once."""

    def __missing__(self, character: int) -> str:
        self[character] = found = _normal(chr(character))
        return found


_folded = _Folded()


def _spans(value: str, asked: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the words stand in a text, as half-open spans, merged and in order."""
    flat, origin = value, cast("Sequence[int]", range(len(value)))
    if _BECOMES_HAN.search(value) or not all(map(_HAN.fullmatch, asked)):
        flat = value.translate(_folded)
    if len(flat) != len(value):  # no character becomes none, so each became one wherever the lengths agree
        origin = [index for index, character in enumerate(value) for _ in _folded[ord(character)]]
    found: list[tuple[int, int]] = []
    for word in asked:
        here = list(_occurrences(flat, word))
        if not here and len(word) > 2 and _HAN.fullmatch(word):
            here = [span for pair in _pairs(word) for span in _occurrences(flat, pair)]
        found += [(origin[start], origin[end - 1] + 1) for start, end in here]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _occurrences(flat: str, word: str) -> Iterator[tuple[int, int]]:
    pattern = re.escape(word)
    if not _HAN.fullmatch(word):
        pattern = rf"(?<![0-9a-z]){pattern}(?![0-9a-z])"
    for match in re.finditer(pattern, flat):
        yield match.span()


def mark(value: str, asked: Sequence[str]) -> list[dict[str, str | bool]]:
    """Return a text in parts, `{text, hit}`; put together they are the text."""
    parts: list[dict[str, str | bool]] = []
    last = 0
    for start, end in _spans(value, asked):
        if start > last:
            parts.append({"text": value[last:start], "hit": False})
        parts.append({"text": value[start:end], "hit": True})
        last = end
    if last < len(value):
        parts.append({"text": value[last:], "hit": False})
    return parts


def excerpt(value: str, asked: Sequence[str]) -> list[dict[str, str | bool]]:
    """Return some `EXCERPT` characters around the first hit, marked; the text's beginning when there is none."""
    flat = " ".join(value.split())
    spans = _spans(flat, asked)
    start = max(0, spans[0][0] - _BEFORE) if spans else 0
    end = min(len(flat), start + EXCERPT)
    start = max(0, end - EXCERPT)
    cut = ("…" if start else "") + flat[start:end] + ("…" if end < len(flat) else "")
    return mark(cut, asked)
