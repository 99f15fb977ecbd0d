"""The catalogue as learners read it: answers made once, kept per process, dropped when the catalogue changes.

A process looks at the catalogue's version at most every `LOOK` seconds; between looks, and until the next moment
at which something appears or goes by the clock, it answers from memory. What this process itself commits it sees
at once.

While one thread looks the others do not wait for it: a database that is slow to answer holds up one reader.
While it cannot be looked at, what is kept is sent for `LONGEST_AWAY` seconds more (docs/decisions/010).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from edu_platform.core.clock import day_end, local_day, now
from edu_platform.core.direct import Direct
from edu_platform.core.errors import NotFound, NotNow
from edu_platform.core.paging import decode_cursor, encode_cursor
from edu_platform.core.vocabulary import Audience, Right
from edu_platform.library import kinds, queries, rules, search
from edu_platform.library.models import CatalogueEntry, Revision
from edu_platform.library.operations import CHANGED
from edu_platform.library.rendering import Answer
from edu_platform.media.ranges import matches

LOOK = 0.3
"""Seconds for which a version that was looked at is believed."""
BELIEVED = 1.0
"""Seconds for which it is believed while another thread looks: a little longer than that may take to count as hanging."""
HANGING = 0.5
"""Seconds after which a look that has not come back counts as a database that is away."""
HOPELESS = 3.0
"""Seconds after which nothing more is tried to be made; less may be a machine that is busy."""
AGAIN = 1.0
"""Seconds between looks at a database that could not be looked at."""
LONGEST_AWAY = 600.0
"""Seconds since the last look for which kept answers are sent while the database is away; then 503."""
MAKERS = {"sqlite": 2, "server": 8}
"""Answers that are made at the same time: each takes memory, and SQLite lends the interpreter to nobody for long."""
QUIET = 10.0
"""Seconds without a reader after which a process no longer looks of its own accord."""
LARGEST_AGE = 10
"""Seconds for which a client may keep an answer without asking again."""
_LARGEST_AGE = timedelta(seconds=LARGEST_AGE)
MOST_BYTES = 16 * 1024 * 1024
MOST_RELATED = 6
ZIP_FROM = 1024
"""Bytes from which a zipped answer is preferred when the client takes either."""


@dataclass(frozen=True)
class Generation:
    """One state of the catalogue: what was answered under it holds from `since` until `until`.

    `parts` are what several answers are made of, by what made them.
    """

    token: str | None
    popularity: str | None
    since: datetime
    until: datetime | None
    pool: object
    parts: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)


Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Kept:
    """An answer in memory; `by_reads` when its order depends on how often pieces were read.

    `headers` remembers what was sent with it, by form and age: a place for who sends it.
    """

    answer: Answer
    by_reads: bool
    used: float = 0.0
    headers: dict[tuple[Form, int, bool], Headers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fresh:
    """An answer, and for how many seconds a client may keep it; `age`: seconds since its database was last seen.

    The age is 0 unless the database is away. `kept` is where it is kept, if it is.
    """

    answer: Answer
    max_age: int
    age: int = 0
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class OfPart:
    """Makes an answer of a part that is kept by itself; `part` is the same function each time, by which it is known."""

    part: Callable[[Connection, datetime], Any]
    make: Callable[[Connection, datetime, Any], bytes | Answer]


Make = Callable[[Connection, datetime], bytes | Answer] | OfPart
"""Makes an answer from what is visible at a moment."""


def with_session(make: Callable[[Session, datetime], bytes | Answer]) -> Make:
    """Return `make` with a session over the connection; what needs none costs half as much."""

    def made(connection: Connection, at: datetime) -> bytes | Answer:
        with Session(connection) as session:
            return make(session, at)

    return made


class Catalogue:
    """The answers that one process keeps, for one database.

    What is kept is read without a lock; the lock is held by whoever decides what is known, or keeps an answer.
    """

    def __init__(self, engine: Engine, *, most_bytes: int | None = None) -> None:
        self._engine = engine
        self._most = MOST_BYTES if most_bytes is None else most_bytes
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}
        self._size = 0
        self._generation: Generation | None = None
        self._seen = 0.0
        self._next_look = 0.0
        self._is_away = False
        # What this process commits begins an epoch: a look that began in an earlier one says nothing about it.
        self._epoch = 0
        self._seen_epoch = -1
        self._looking: tuple[int, float] | None = None  # the epoch of the look under way, and since when

        self._makers = threading.Semaphore(MAKERS["sqlite" if engine.dialect.name == "sqlite" else "server"])
        self._asked = 0.0
        self._looker: threading.Thread | None = None

    def knows(self, key: str) -> bool:
        """Say whether an answer is kept under `key`, whether or not it still holds."""
        return key in self._kept

    def cached(self, key: str, *, wait: bool = True) -> Fresh | None:
        """Return the answer kept under `key` (path and query as they were sent), None when there is none.

        Who cannot `wait` for the database has a thread of the catalogue's own look at the version, and gets None
        when that is not known well enough.
        """
        kept = self._kept.get(key)
        if kept is None and not wait:
            return None
        moment, tick, generation, age = now(), time.monotonic(), self._generation, 0
        if not wait:
            self._let_look(tick)
        if generation is None or not self._is_plain(generation, moment, tick):
            with self._lock:
                if wait:
                    generation, moment = self._current()
                elif generation is None or not self._may_believe(generation, moment, tick):
                    return None
                age = self._away_for()
                kept = self._kept.get(key)
        if kept is None or self._generation is not generation:
            return None
        kept.used = tick
        return Fresh(kept.answer, _age(generation, moment), age, kept)

    def _is_plain(self, known: Generation, moment: datetime, tick: float) -> bool:
        """Say, without the lock, whether what is known was seen so lately that nothing else need be asked."""
        return (
            tick < self._next_look
            and self._seen_epoch == self._epoch
            and not self._is_away
            and known.pool is self._engine.pool
            and _holds(known, moment)
        )

    def _may_believe(self, known: Generation, moment: datetime, tick: float) -> bool:
        """Say whether what is known may be sent by somebody who cannot look, because a thread is looking or will."""
        if known.pool is not self._engine.pool or self._seen_epoch != self._epoch:
            return False
        fresh, age = _holds(known, moment), tick - self._seen
        if (fresh and age < BELIEVED) or (self._is_away and age < LONGEST_AWAY):
            return True
        return self._is_looked_at(tick, fresh=fresh)

    def _let_look(self, tick: float) -> None:
        """Have a thread look again and again for as long as there are readers who cannot wait."""
        self._asked = tick
        if self._looker is None:
            self._looker = threading.Thread(target=self._keep_looking, name="catalogue", daemon=True)
            self._looker.start()

    def _keep_looking(self) -> None:
        while time.monotonic() - self._asked < QUIET:
            with contextlib.suppress(SQLAlchemyError), self._lock:  # readers who wait meet the same trouble
                self._current()
            time.sleep(LOOK)
        self._looker = None

    def answer(self, key: str, make: Make, *, by_reads: bool = False) -> Fresh:
        """Return the answer for `key`, made by `make(connection, moment)` when it is not kept; refusals are not kept."""
        with self._lock:
            generation, moment = self._current()
            kept = self._kept.get(key)
            age = self._away_for()
        if kept is not None:
            kept.used = time.monotonic()
            return Fresh(kept.answer, _age(generation, moment), age, kept)
        if self.away_for(longer_than=HOPELESS):
            raise NotNow  # at once: a thread that waits for a database that is away serves nobody
        # A connection of its own: the request's may look at an older state of the database than the version just read.
        with self._makers, self._engine.connect() as connection:
            if isinstance(make, OfPart):
                made = make.make(connection, moment, _part(generation, connection, moment, make.part))
            else:
                made = make(connection, moment)
        answer = made if isinstance(made, Answer) else Answer.of(made)
        kept = Kept(answer, by_reads, time.monotonic())
        with self._lock:
            if self._generation is generation:
                self._keep(key, kept)
        return Fresh(answer, _age(generation, moment), kept=kept)

    def look_again(self) -> None:
        """Look at the version before the next answer, however short ago that was done."""
        with self._lock:
            self._epoch += 1
            self._next_look = 0.0

    def away_for(self, *, longer_than: float = HANGING) -> int:
        """Return for how many seconds the database has not been seen; 0 when it is there."""
        with self._lock:
            return self._away_for(longer_than=longer_than)

    def _away_for(self, *, longer_than: float = HANGING) -> int:
        tick = time.monotonic()
        away = self._is_away or (self._looking is not None and tick - self._looking[1] > longer_than)
        return max(1, int(tick - self._seen)) if away else 0

    def _current(self) -> tuple[Generation, datetime]:
        """Return the present state and moment, dropping what does not hold any more.

        Called under the lock, which is let go of while this thread looks.
        """
        while True:
            moment, tick, known, epoch = now(), time.monotonic(), self._generation, self._epoch
            if known is not None and known.pool is self._engine.pool and self._seen_epoch == epoch:
                if tick < self._next_look and (self._is_away or _holds(known, moment)):
                    return known, moment
                if self._is_looked_at(tick, fresh=_holds(known, moment)):
                    return known, moment
            looking = self._looking = (epoch, tick)
            self._lock.release()
            found, trouble = None, None
            try:
                found = self._look(moment)
            except SQLAlchemyError as away:
                trouble = away
            finally:
                self._lock.acquire()
                if self._looking == looking:
                    self._looking = None
            if epoch != self._epoch or self._generation is not known:
                continue  # something was committed, or seen, meanwhile
            if trouble is not None:
                return self._known_still(trouble), moment
            assert found is not None
            self._is_away, self._seen, self._seen_epoch, self._next_look = False, tick, epoch, tick + LOOK
            return self._adopt(found, moment), moment

    def _is_looked_at(self, tick: float, *, fresh: bool) -> bool:
        """Say whether another thread's look spares this one's: what is known was seen just now, or the look hangs."""
        if self._looking is None or self._looking[0] != self._epoch:
            return False
        age = tick - self._seen
        return (fresh and age < BELIEVED) or (tick - self._looking[1] > HANGING and age < LONGEST_AWAY)

    def _known_still(self, trouble: SQLAlchemyError) -> Generation:
        """Return what was last seen while the database is away; raise `trouble` when that is too old or out of date."""
        known, tick = self._generation, time.monotonic()
        known_is_ours = known is not None and known.pool is self._engine.pool
        if known is None or not known_is_ours or self._seen_epoch != self._epoch:
            raise trouble
        if tick - self._seen >= LONGEST_AWAY:
            raise trouble
        self._is_away, self._next_look = True, tick + AGAIN
        return known

    def _adopt(self, found: Generation, moment: datetime) -> Generation:
        """Make what was found the present state, unless it is what is known; drop what does not hold any more."""
        known = self._generation
        same = known is not None and found == replace(known, since=found.since)
        if known is not None and same and _holds(known, moment):
            return known
        same_pieces = known is not None and replace(found, popularity=None) == replace(
            known, popularity=None, since=found.since
        )
        self._drop(only_by_reads=same_pieces)
        self._generation = found
        return found

    def _look(self, moment: datetime) -> Generation:
        with Session(self._engine) as session:
            row = session.scalar(queries.version())
            boundary = session.scalar(queries.next_boundary(moment))
            token, popularity = (row.token, row.popularity) if row else (None, None)
        # Campaigns begin and end at midnight, and the daily quiz changes.
        midnight = day_end(local_day(moment))
        until = midnight if boundary is None else min(boundary, midnight)
        # A new pool means another database behind the same address: restored, or forked.
        return Generation(token, popularity, moment, until, self._engine.pool)

    def _drop(self, *, only_by_reads: bool) -> None:
        for key, kept in list(self._kept.items()):
            if kept.by_reads or not only_by_reads:
                self._forget(key)

    def _keep(self, key: str, kept: Kept) -> None:
        if key in self._kept:
            self._forget(key)
        self._kept[key] = kept
        self._size += kept.answer.size
        if self._size > self._most:
            # a tenth more than must be, so that this is done once for many answers
            for old, _ in sorted(self._kept.items(), key=lambda item: item[1].used):
                self._forget(old)
                if self._size <= self._most * 0.9:
                    return

    def _forget(self, key: str) -> None:
        self._size -= self._kept.pop(key).answer.size


def _holds(generation: Generation, moment: datetime) -> bool:
    """Say whether nothing has appeared or gone by the clock since, nor the clock gone back."""
    return generation.since <= moment and (generation.until is None or moment < generation.until)


def _part(
    generation: Generation,
    connection: Connection,
    moment: datetime,
    make: Callable[[Connection, datetime], Any],
) -> Any:
    """Return a part of answers under a state, made when it is not known.

    The connection was opened after the state was seen, so what it shows is that state or a later one.
    """
    if not _holds(generation, moment):
        return make(connection, moment)  # the database was away; what it has now may be another state
    if make not in generation.parts:
        generation.parts[make] = make(connection, moment)
    return generation.parts[make]


def _age(generation: Generation, moment: datetime) -> int:
    """Return for how long a client may keep an answer: never past the next change by the clock."""
    if generation.until is None:
        return LARGEST_AGE
    left = generation.until - moment
    return LARGEST_AGE if left >= _LARGEST_AGE else max(0, int(left.total_seconds()))


_catalogues: dict[Engine, Catalogue] = {}
_making = threading.Lock()


def catalogue_of(engine: Engine) -> Catalogue:
    """Return this process's catalogue over a database."""
    with _making:
        if engine not in _catalogues:
            _catalogues[engine] = Catalogue(engine)
        return _catalogues[engine]


@event.listens_for(Session, "after_commit")
def _see_own_changes(session: Session) -> None:
    engine = session.info.pop(CHANGED, None)
    if engine in _catalogues:
        _catalogues[engine].look_again()


# ---- choosing what to send


class Form(Enum):
    """In which of its forms an answer is sent; the values are (zipped, not again)."""

    PLAIN = (False, False)
    ZIPPED = (True, False)
    PLAIN_AGAIN = (False, True)
    ZIPPED_AGAIN = (True, True)

    def __init__(self, zipped: bool, again: bool) -> None:
        self.zipped, self.again = zipped, again
        self.status = 304 if again else 200


def form_of(answer: Answer, *, if_none_match: str | None, accept_encoding: str | None) -> Form:
    """Return in which form to answer a GET or HEAD."""
    zipped = accept_encoding is not None and _takes_zipped(accept_encoding, large=len(answer.body) > ZIP_FROM)
    if if_none_match is not None:
        etag = answer.etag_gzip if zipped else answer.etag
        if matches(if_none_match, etag, weak=True):
            return Form.ZIPPED_AGAIN if zipped else Form.PLAIN_AGAIN
    return Form.ZIPPED if zipped else Form.PLAIN


def headers_of(fresh: Fresh, form: Form) -> Headers:
    """Return the headers of an answer in one of its forms."""
    answer = fresh.answer
    headers = [
        ("ETag", answer.etag_gzip if form.zipped else answer.etag),
        ("Cache-Control", f"public, max-age={fresh.max_age}"),
        ("Vary", "Accept-Encoding"),
    ]
    if fresh.age:
        headers.append(("Age", str(fresh.age)))  # the database is away: this is how long ago it was last seen
    if form.again:
        return headers
    headers.append(("Content-Type", "application/json"))
    if form.zipped:
        headers.append(("Content-Encoding", "gzip"))
    headers.append(("Content-Length", str(len(body_of(answer, form)))))
    return headers


def body_of(answer: Answer, form: Form) -> bytes:
    """Return the body of an answer in one of its forms (a HEAD leaves it out)."""
    if form.again:
        return b""
    return answer.gzip if form.zipped else answer.body


@lru_cache(maxsize=256)  # a few spellings come again and again
def _takes_zipped(accept_encoding: str, *, large: bool) -> bool:
    """Decide by the client's weights (RFC 9110 §12.5.3); the plain form is left out only when it is refused."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value.strip())
                except ValueError:
                    weight = 0.0
        if coding:
            weights["gzip" if coding == "x-gzip" else coding] = weight
    anything = weights.get("*", 0.0)
    gzip = weights.get("gzip", anything)
    plain = weights.get("identity", weights.get("*", 1.0) if "*" in weights else None)
    if not 0 < gzip <= 1:
        return False
    if plain is None:
        return large
    if plain == 0:
        return True
    return large and gzip >= plain


# ---- making answers


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which pieces a list shows, in which order; `sort` is None for newest, or for best match with `q`."""

    kind: str | None = None
    audience: Audience | None = None
    column: str | None = None
    right: Right | None = None
    campaign: str | None = None
    q: str | None = None
    sort: str | None = None
    cursor: str | None = None
    limit: int = 20


def pieces(connection: Connection, at: datetime, wanted: Wanted) -> bytes:
    """Return a list as JSON: the pieces' cards as they were rendered, and the cursor of the next page."""
    filters = {
        name: value
        for name in ("kind", "audience", "column", "right", "campaign")
        if (value := getattr(wanted, name)) is not None
    }
    if wanted.q is not None:
        return _found(connection, at, wanted, filters)
    keys = _keys(wanted)
    chosen = _listed(frozenset(filters), wanted.sort, after=keys is not None)
    rows = chosen.rows(connection, {"at": at, "most": wanted.limit + 1, **filters, **(keys or {})})
    return _list([card for card, _, _ in rows[: wanted.limit]], _cursor(rows, wanted))


@lru_cache
def _listed(filters: frozenset[str], sort: str | None, *, after: bool) -> Direct:
    return Direct(queries.listed(filters, sort, after=after))


_PAGE = Direct(queries.page())


def _keys(wanted: Wanted) -> dict[str, Any] | None:
    """Return the keys of the item after which the page begins."""
    if wanted.cursor is None:
        return None
    first = int if wanted.sort == "most_read" else datetime
    return dict(zip(("after_first", "after_id"), decode_cursor(wanted.cursor, first, int), strict=True))


def _cursor(rows: Sequence[Any], wanted: Wanted) -> str | None:
    """Return the cursor of the next page: it names the last row of this one, when there is one more."""
    if len(rows) <= wanted.limit:
        return None
    _, piece_id, first, *_ = rows[wanted.limit - 1]
    if isinstance(first, str):
        first = datetime.fromisoformat(first)
    if isinstance(first, datetime):
        first = first.replace(tzinfo=UTC)
    return encode_cursor(first, piece_id)


def _found(connection: Connection, at: datetime, wanted: Wanted, filters: dict[str, Any]) -> bytes:
    assert wanted.q is not None
    asked = search.words(wanted.q)
    if wanted.sort is not None:
        ids = [hit.entry_id for hit in search.find(connection, asked)]
        keys = _keys(wanted)
        chosen = queries.listed(frozenset(filters), wanted.sort, after=keys is not None, found=True)
        given = {"at": at, "most": wanted.limit + 1, "ids": ids, **filters, **(keys or {})}
        rows = connection.execute(chosen, given).all()
        return _list([_marked(row, asked) for row in rows[: wanted.limit]], _cursor(rows, wanted))
    after = tuple(decode_cursor(wanted.cursor, int, int, int)) if wanted.cursor else None
    # Nearly all of what is found is visible: the best few are enough for a first page, and often all there is.
    few = 2 * wanted.limit + 1
    hits = search.find(connection, asked, most=few if after is None else None)
    if after is not None:
        hits = [hit for hit in hits if hit.key > after]
    given = {"at": at, **filters}
    page = _visible_hits(connection, hits, given, wanted.limit + 1)
    if after is None and len(page) <= wanted.limit and len(hits) == few:
        page = _visible_hits(connection, search.find(connection, asked), given, wanted.limit + 1)
    cursor = encode_cursor(*page[wanted.limit - 1][0].key) if len(page) > wanted.limit else None
    return _list([_marked(row, asked) for _, row in page[: wanted.limit]], cursor)


def _visible_hits(
    connection: Connection, hits: Sequence[search.Hit], given: dict[str, Any], most: int
) -> list[tuple[search.Hit, Any]]:
    """Return the first `most` hits that are visible and pass the filters in `given`, each with its row."""
    chosen = queries.entries_of(frozenset(given) - {"at"})
    page: list[tuple[search.Hit, Any]] = []
    start = 0
    while start < len(hits) and len(page) < most:
        some = hits[start : start + most + start * 3]  # more each time, in case few of them pass
        start += len(some)
        asked = {**given, "ids": [hit.entry_id for hit in some]}
        rows = {row.id: row for row in connection.execute(chosen, asked)}
        page += [(hit, rows[hit.entry_id]) for hit in some if hit.entry_id in rows]
    return page[:most]


def _marked(row: Any, asked: Sequence[str]) -> bytes:
    highlight = {"title": search.mark(row.title, asked), "excerpt": search.excerpt(row.text, asked)}
    card: bytes = row.card
    return card[:-1] + b',"highlight":' + orjson.dumps(highlight) + b"}"


def _list(items: Iterable[bytes], cursor: str | None) -> bytes:
    return b'{"items":[' + b",".join(items) + b'],"next_cursor":' + orjson.dumps(cursor) + b"}"


def page(connection: Connection, at: datetime, slug: str) -> Answer:
    """Return a piece's page as it was rendered; NotFound unless it is visible."""
    rows = _PAGE.rows(connection, {"at": at, "slug": slug})
    if not rows:
        raise NotFound("没有这个内容。")
    [(body, zipped, etag, etag_gzip)] = rows
    return Answer(body, etag, zipped, etag_gzip)


def related(session: Session, at: datetime, slug: str) -> bytes:
    """Return up to `MOST_RELATED` visible pieces that go with this one, strongest reason first, as JSON."""
    meta_of = _metas(session, at)
    me = next((found for found in meta_of if found["slug"] == slug), None)
    if me is None:
        raise NotFound("没有这个内容。")
    columns = {column.slug: column.title for column in session.scalars(queries.columns())}
    named = {name: place for place, name in enumerate(_named(session, at, slug))}
    ranked = []
    for other in meta_of:
        if other["slug"] == slug:
            continue
        rights = [word for word in me["rights"] if word in other["rights"]]
        audiences = [word for word in me["audiences"] if word in other["audiences"]]
        reason = rules.related_reason(
            named=other["slug"] in named,
            same_column=columns[me["column"]] if me["column"] == other["column"] else None,
            shared_rights=rights,
            shared_audiences=audiences,
        )
        if reason is not None:
            rank = (
                rules.RELATED_REASONS.index(reason[0]),
                named.get(other["slug"], 0),
                -len(audiences),
                -len(rights),
                -other["piece_id"],
            )
            ranked.append((rank, reason, other["card"]))
    ranked.sort(key=lambda item: item[0])
    items = [
        card[:-1] + b',"reason":' + orjson.dumps({"code": code, "text": text}) + b"}"
        for _, (code, text), card in ranked[:MOST_RELATED]
    ]
    return b'{"items":[' + b",".join(items) + b"]}"


_TAGS = ("slug", "column", "rights", "audiences")


def _metas(session: Session, at: datetime) -> list[dict[str, Any]]:
    """Return card and tags of everything visible: hundreds of small rows, and the answer is kept."""
    chosen = queries.visible(at).with_only_columns(CatalogueEntry.piece_id, CatalogueEntry.card)
    found = []
    for piece_id, card in session.execute(chosen):
        tags = orjson.loads(card)
        found.append({**{name: tags[name] for name in _TAGS}, "piece_id": piece_id, "card": card})
    return found


def _named(session: Session, at: datetime, slug: str) -> list[str]:
    named = session.scalar(
        select(Revision.meta)
        .join(CatalogueEntry, CatalogueEntry.revision_id == Revision.id)
        .where(CatalogueEntry.slug == slug, queries.is_visible(at))
    )
    return list(named["related"]) if named else []


def columns(session: Session, at: datetime) -> bytes:
    """Return the columns in their order, each with the number of pieces to be seen in it, as JSON."""
    counts: Mapping[str, int] = dict(
        session.execute(
            queries.visible(at)
            .with_only_columns(CatalogueEntry.column_slug, func.count())
            .group_by(CatalogueEntry.column_slug)
        ).all()
    )
    items = [
        {
            "slug": column.slug,
            "title": column.title,
            "intro": column.intro,
            "pieces": counts.get(column.slug, 0),
        }
        for column in session.scalars(queries.columns())
    ]
    return orjson.dumps({"items": items})


def kind_labels() -> list[dict[str, str]]:
    """Return the kinds that the house has, each with its Chinese name."""
    return [{"value": name, "label": kind.label} for name, kind in sorted(kinds.registry.items())]
