"""The library's verbs: drafting, submitting, publishing, withdrawing, and what upper rooms read.

Staff are ids by value; None as author or submitter means material that came from files.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from edu_platform.audit.operations import record
from edu_platform.core.clock import now
from edu_platform.core.errors import FieldError, Invalid, NotFound
from edu_platform.core.vocabulary import Audience, Right
from edu_platform.library import kinds, queries, rendering, rules, search
from edu_platform.library.errors import DependencyChanged, NotApproved, SlugTaken, Stale
from edu_platform.library.meta import KEYS, check_meta, normal_meta, read_moment, slug_reason, unknown_keys
from edu_platform.library.models import (
    CatalogueEntry,
    CatalogueVersion,
    Column,
    EntryAudience,
    EntryRight,
    Piece,
    Placement,
    Popularity,
    Revision,
    RevisionState,
)
from edu_platform.library.rendering import Rendered
from edu_platform.library.signals import (
    FileNews,
    PieceNews,
    files_hidden,
    files_shown,
    piece_published,
    piece_withdrawn,
)
from edu_platform.review import operations as review
from edu_platform.review.models import CaseState, ReviewCase
from edu_platform.review.signals import Decided

CHANGED = "catalogue_changed"
"""The key in `session.info` under which a changed catalogue leaves its engine, for `catalogue` to see at the commit."""
_S = RevisionState
_UNFINISHED = (_S.DRAFT, _S.SUBMITTED, _S.APPROVED, _S.RETURNED)


# ---- columns


def keep_column(session: Session, *, slug: str, title: str, intro: str, position: int) -> bool:
    """Make or change a column; say whether anything is different now."""
    found = session.scalar(select(Column).where(Column.slug == slug))
    wanted = {"title": title, "intro": intro, "position": position}
    if found is None:
        session.add(Column(slug=slug, **wanted))
    elif all(getattr(found, name) == value for name, value in wanted.items()):
        return False
    else:
        for name, value in wanted.items():
            setattr(found, name, value)
    session.flush()
    touch(session)
    return True


# ---- drafting and submitting


def draft_errors(
    session: Session, *, kind: str, slug: str, meta: Mapping[str, Any], body: Mapping[str, Any]
) -> list[FieldError]:
    """Return everything that is wrong with what a draft would hold: `kind`, `slug`, `meta.…`, `body.…`."""
    errors: list[FieldError] = []
    reason = slug_reason(slug)
    if reason:
        errors.append(FieldError("slug", reason, "not_a_slug"))
    found = unknown_keys(meta, KEYS) + check_meta(meta, cover=False)
    column = meta.get("column")
    well_formed = isinstance(column, str) and not any(error.field == "column" for error in found)
    if well_formed and session.scalar(select(Column.id).where(Column.slug == column)) is None:
        found.append(FieldError("column", f"没有“{column}”这个栏目", "unknown_column"))
    related = meta.get("related")
    if isinstance(related, list) and slug in related:
        found.append(FieldError("related", "不能与自己相关", "refers_to_itself"))
    errors += [FieldError(f"meta.{error.field}", error.reason, error.code) for error in found]
    if kind not in kinds.registry:
        said = "、".join(sorted(kinds.registry))
        errors.append(FieldError("kind", f"没有“{kind}”这种内容，可用：{said}", "unknown_kind"))
    else:
        for error in kinds.kind_of(kind).check(session, body):
            dot = "" if not error.field or error.field.startswith("[") else "."
            errors.append(FieldError(f"body{dot}{error.field}", error.reason, error.code))
    return errors


def draft_piece(
    session: Session,
    *,
    kind: str,
    slug: str,
    meta: Mapping[str, Any],
    body: Mapping[str, Any],
    author: int | None,
    must_be_new: bool = False,
    based_on: str | None = None,
) -> Revision:
    """Return the revision that holds this content: the newest one when nothing differs, else a new draft.

    Raises `Invalid` with every mistake; `SlugTaken` when the piece is of another kind, or exists although
    `must_be_new`; `Stale` when `based_on` is not the newest revision's digest. A new draft supersedes an older one.
    """
    errors = draft_errors(session, kind=kind, slug=slug, meta=meta, body=body)
    if errors:
        raise Invalid(errors)
    stored = normal_meta(meta)
    depends = kinds.kind_of(kind).depends(session, body)
    digest = rules.digest(kind=kind, slug=slug, meta=stored, body=body, depends=depends)
    piece = session.scalar(select(Piece).where(Piece.slug == slug).with_for_update())
    latest = None
    if piece is None:
        piece = Piece(slug=slug, kind=kind)
        session.add(piece)
        session.flush()
        session.add(Popularity(piece_id=piece.id, reads=0))
    else:
        if must_be_new or piece.kind != kind:
            raise SlugTaken(slug)
        latest = session.scalar(queries.revisions(piece.id).limit(1))
    if based_on is not None and (latest is None or latest.digest != based_on):
        raise Stale
    if latest is not None and latest.digest == digest:
        return latest
    if latest is not None and latest.state is _S.DRAFT:
        latest.state = _S.SUPERSEDED
    revision = Revision(
        piece=piece,
        number=latest.number + 1 if latest else 1,
        meta=stored,
        body=dict(body),
        depends=depends,
        digest=digest,
        state=_S.DRAFT,
        author_id=author,
        frozen={},
    )
    session.add(revision)
    session.flush()
    _record(session, author, "piece.draft", piece, revision)
    return revision


def submit(session: Session, revision: Revision, by: int | None) -> ReviewCase:
    """Send a revision to the review; one already there stays there.

    Refuses what no longer passes its checks, or what it rests on has changed since it was saved.
    """
    piece = _lock(session, revision)
    if revision.state is _S.SUBMITTED:
        return review.open_case(session, **_case(piece, revision), by=by)
    rules.require_move(revision.state, _S.SUBMITTED)
    errors = draft_errors(session, kind=piece.kind, slug=piece.slug, meta=revision.meta, body=revision.body)
    if errors:
        raise Invalid(errors)
    _require_same_dependencies(session, piece, revision)
    for other in session.scalars(queries.revisions(piece.id, _S.SUBMITTED)):
        other.state = _S.SUPERSEDED  # its case is replaced by the one opened here
    revision.state = _S.SUBMITTED
    case = review.open_case(session, **_case(piece, revision), by=by)
    _record(session, by, "piece.submit", piece, revision)
    return case


def hear_decision(session: Session, news: Decided) -> None:
    """Move the revision that a review has decided on; connected to `review.signals.case_decided` by `factory`."""
    prefix, _, number = news.subject.partition(":")
    if prefix != "piece" or news.state not in (CaseState.APPROVED, CaseState.RETURNED):
        return
    target = _S.APPROVED if news.state is CaseState.APPROVED else _S.RETURNED
    for revision in session.scalars(queries.revisions(int(number), _S.SUBMITTED)):
        if revision.digest == news.digest:
            rules.require_move(revision.state, target)
            revision.state = target
    session.flush()


# ---- publishing


def publish(session: Session, revision: Revision, *, by: int | None, at: datetime | None = None) -> Revision:
    """Put an approved revision before the public: at `at`, else when its meta says, never earlier than now.

    Refuses unless exactly this digest is approved and what it rests on is unchanged. Doing it again changes
    nothing; a scheduled revision may be given another hour. A revision whose own end has come before it would
    appear becomes `expired`.
    """
    moment = now()
    piece = _lock(session, revision)
    if revision.state is _S.PUBLISHED and (at is None or at <= moment):
        return revision
    if not review.is_approved(session, piece.subject, revision.digest):
        raise NotApproved
    if revision.state is _S.SUBMITTED:
        revision.state = _S.APPROVED
    publish_at, expire_at = _window(revision)
    visible_from = rules.shown_from(asked=at, publish_at=publish_at, at=moment)
    if revision.state is _S.SCHEDULED and revision.visible_from == visible_from:
        return revision
    _require_same_dependencies(session, piece, revision)
    if expire_at is not None and expire_at <= visible_from:
        target = _S.EXPIRED
    else:
        target = _S.PUBLISHED if visible_from <= moment else _S.SCHEDULED
    if not (revision.state is _S.SCHEDULED and target is _S.SCHEDULED):
        rules.require_move(revision.state, target)
    _remove_entries(session, piece, lambda entry: entry.revision_id == revision.id)
    _supersede_for(session, piece, revision, target)
    revision.state = target
    revision.visible_from, revision.visible_until, revision.published_by = visible_from, expire_at, by
    if target is not _S.EXPIRED:
        _enter(session, piece, revision, moment)
    _align(session, piece, moment)
    session.flush()
    touch(session)
    _record(session, by, "piece.publish", piece, revision, visible_from=rendering.stamp(visible_from))
    if target is not _S.EXPIRED:
        piece_published.send(session, PieceNews(piece.id, revision.id, piece.slug, piece.kind))
    return revision


def refresh(session: Session, piece_id: int) -> bool:
    """Render a published piece again, because files derived for it have arrived; say whether anything changed.

    A piece that was waiting for them is listed from now on, and takes the place of its older revision.
    """
    moment = now()
    piece = session.get(Piece, piece_id, with_for_update=True, populate_existing=True)
    if piece is None:
        return False
    changed = False
    revisions = {found.id: found for found in session.scalars(queries.live([piece_id]))}
    for entry in session.scalars(queries.entries(piece_id)).all():
        revision = revisions.get(entry.revision_id)
        if revision is None:
            continue  # on its way out
        changed = _render_again(session, piece, revision, entry, moment) or changed
    if changed:
        _align(session, piece, moment)
        touch(session)
    return changed


def withdraw(
    session: Session, piece: Piece, *, by: int | None, reason: str, at: datetime | None = None
) -> None:
    """Take a piece from the public, with what was scheduled of it; a reason is required and kept in the trail."""
    del at  # it happens now; the trail has the server's time
    if not reason.strip():
        raise Invalid([FieldError("reason", "下架须说明原因。", "required")])
    session.flush()
    piece = session.get_one(Piece, piece.id, with_for_update=True, populate_existing=True)
    found = session.scalars(queries.live([piece.id])).all()
    if not found:
        rules.require_move(_S.WITHDRAWN, _S.WITHDRAWN)
    for revision in found:
        rules.require_move(revision.state, _S.WITHDRAWN)
        revision.state = _S.WITHDRAWN
    _remove_entries(session, piece, lambda _: True)
    session.flush()
    touch(
        session
    )  # before the trail, as wherever something is published: two at once must not wait for each other
    for revision in found:
        _record(session, by, "piece.withdraw", piece, revision, reason=reason.strip())
        piece_withdrawn.send(session, PieceNews(piece.id, revision.id, piece.slug, piece.kind))


def anything_due(session: Session, at: datetime | None = None) -> bool:
    """Say whether `due_transitions` would do anything, without taking the write lock."""
    moment = at or now()
    return (
        session.scalar(queries.due(moment).with_only_columns(Revision.id).limit(1)) is not None
        or session.scalar(queries.over(moment).with_only_columns(CatalogueEntry.id).limit(1)) is not None
    )


def due_transitions(session: Session, at: datetime | None = None) -> int:
    """Bring the states up to what the clock has already made visible or invisible; return how many rows moved."""
    moment = at or now()
    moved = 0
    for revision in session.scalars(queries.due(moment)).all():
        piece = _lock(session, revision)
        if revision.state is _S.SCHEDULED and cast("datetime", revision.visible_from) <= moment:
            _supersede_for(session, piece, revision, _S.PUBLISHED)
            revision.state = _S.PUBLISHED
            session.flush()
            moved += 1
        if (
            revision.state is _S.PUBLISHED
            and revision.visible_until is not None
            and revision.visible_until <= moment
        ):
            revision.state = _S.EXPIRED
            gone = revision.id
            _remove_entries(session, piece, lambda entry, gone=gone: entry.revision_id <= gone)  # type: ignore[misc]
            piece_withdrawn.send(session, PieceNews(piece.id, revision.id, piece.slug, piece.kind))
            moved += 1
    for entry in session.scalars(queries.over(moment)).all():
        _remove_entry(session, entry)
        moved += 1
    if moved:
        session.flush()
        touch(session)
    return moved


# ---- what rooms above write


def set_placements(
    session: Session,
    campaign_code: str,
    pieces: Collection[int],
    starts_at: datetime,
    ends_at: datetime,
) -> None:
    """Say which pieces (by id) a campaign carries, and when; replaces what was said before of that campaign."""
    carried = Placement.campaign_code == campaign_code
    before = set(session.scalars(select(Placement.piece_id).where(carried)))
    # All of them, in one order, before anything refers to them: a row that refers to a piece shares its lock,
    # and two campaigns that share a piece's lock would each wait for the other to let go.
    concerned = select(Piece.id).where(Piece.id.in_(before | set(pieces))).order_by(Piece.id)
    session.scalars(concerned.with_for_update()).all()
    session.execute(delete(Placement).where(carried))
    session.add_all(
        Placement(piece_id=piece_id, campaign_code=campaign_code, starts_at=starts_at, ends_at=ends_at)
        for piece_id in sorted(set(pieces))
    )
    session.flush()
    for piece_id in sorted(before | set(pieces)):
        refresh(session, piece_id)
    touch(session)


def add_reads(session: Session, reads: Mapping[int, int]) -> None:
    """Add to how often pieces were read; unknown pieces are passed over."""
    rows = [{"piece": piece_id, "n": n} for piece_id, n in sorted(reads.items()) if n]
    if not rows:
        return
    table = Popularity.__table__
    session.connection().execute(
        update(Popularity)
        .where(table.c.piece_id == bindparam("piece"))
        .values(reads=table.c.reads + bindparam("n")),
        rows,
    )
    _change_version(session, popularity=secrets.token_hex(16))


# ---- what rooms above read


def piece_of(session: Session, slug: str) -> Piece:
    """Return a piece whatever its state, for staff; NotFound when there is none."""
    piece = session.scalar(select(Piece).where(Piece.slug == slug))
    if piece is None:
        raise NotFound("没有这个内容。")
    return piece


def revision_of(session: Session, piece: Piece, revision_id: int) -> Revision:
    """Return a revision of this piece; NotFound when it is another's or nobody's."""
    revision = session.get(Revision, revision_id)
    if revision is None or revision.piece_id != piece.id:
        raise NotFound("没有这个版本。")
    return revision


def published_piece(session: Session, slug: str, at: datetime | None = None) -> Piece:
    """Return the piece that learners see under this slug; NotFound for anything else."""
    return visible_revision(session, slug, at).piece


def visible_revision(session: Session, slug: str, at: datetime | None = None) -> Revision:
    """Return the revision that learners see under this slug (an attempt is pinned to it); NotFound otherwise."""
    chosen = queries.visible(at or now(), slugs=[slug]).with_only_columns(CatalogueEntry.revision_id)
    revision_id = session.scalar(chosen.order_by(CatalogueEntry.visible_from.desc()).limit(1))
    if revision_id is None:
        raise NotFound("没有这个内容。")
    return session.get_one(Revision, revision_id)


def cards(session: Session, piece_ids: Sequence[int], at: datetime | None = None) -> list[bytes]:
    """Return the cards (JSON) of those pieces that are visible, in the order asked for."""
    chosen = queries.visible(at or now(), ids=piece_ids).with_only_columns(
        CatalogueEntry.piece_id, CatalogueEntry.card
    )
    found: dict[int, bytes] = dict(session.execute(chosen).all())
    return [found[piece_id] for piece_id in piece_ids if piece_id in found]


def review_text(session: Session, revision: Revision) -> str:
    """Return everything that a reviewer must read of a revision, answers included."""
    meta, piece = revision.meta, revision.piece
    head = [meta["title"], meta["summary"], *meta["keywords"]]
    return "\n".join(head) + "\n\n" + kinds.kind_of(piece.kind).review_text(session, revision.body)


def revision_errors(session: Session, revision: Revision) -> list[FieldError]:
    """Check a stored revision against the house as it is now; what it rests on is part of it."""
    piece = revision.piece
    errors = draft_errors(session, kind=piece.kind, slug=piece.slug, meta=revision.meta, body=revision.body)
    if not errors:
        difference = _changed_dependency(session, piece, revision)
        if difference:
            errors.append(
                FieldError("depends", f"所引用的内容已有变动（{difference}）", "dependency_changed")
            )
    related = revision.meta["related"]
    if related:
        known = set(session.scalars(select(Piece.slug).where(Piece.slug.in_(related))))
        errors += [
            FieldError(f"meta.related[{number}]", f"没有“{slug}”这个内容", "unknown_piece")
            for number, slug in enumerate(related)
            if slug not in known
        ]
    return errors


def touch(session: Session) -> None:
    """Tell every process that what it has cached of the catalogue is stale, once this transaction commits."""
    _change_version(session, token=secrets.token_hex(16))


# ---- inside


def _change_version(session: Session, **tokens: str) -> None:
    fresh = {"id": 1, "token": secrets.token_hex(16), "popularity": secrets.token_hex(16), **tokens}
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(
        insert(CatalogueVersion)
        .values(fresh)
        .on_conflict_do_update(index_elements=[CatalogueVersion.id], set_=tokens)
    )
    session.info[CHANGED] = session.connection().engine


def _lock(session: Session, revision: Revision) -> Piece:
    """Let one transaction at a time move the revisions of a piece; what was loaded before is read again."""
    session.flush()
    piece = session.get_one(Piece, revision.piece_id, with_for_update=True, populate_existing=True)
    session.refresh(revision)
    return piece


def _case(piece: Piece, revision: Revision) -> dict[str, Any]:
    return {
        "subject": piece.subject,
        "digest": revision.digest,
        "title": revision.meta["title"],
        "location": f"/api/v1/staff/pieces/{piece.slug}/revisions/{revision.id}",
        "author": revision.author_id,
    }


def _record(
    session: Session, by: int | None, action: str, piece: Piece, revision: Revision, **facts: Any
) -> None:
    record(
        session,
        actor="files" if by is None else f"staff:{by}",
        action=action,
        subject=piece.subject,
        facts={"revision": revision.number, "digest": revision.digest, **facts},
    )


def _changed_dependency(session: Session, piece: Piece, revision: Revision) -> str | None:
    present = kinds.kind_of(piece.kind).depends(session, revision.body)
    return rules.first_difference(revision.depends, present)


def _require_same_dependencies(session: Session, piece: Piece, revision: Revision) -> None:
    difference = _changed_dependency(session, piece, revision)
    if difference is not None:
        raise DependencyChanged(difference)


def _window(revision: Revision) -> tuple[datetime | None, datetime | None]:
    publish_at, _ = read_moment(revision.meta["publish_at"], "publish_at")
    expire_at, _ = read_moment(revision.meta["expire_at"], "expire_at")
    return publish_at, expire_at


def _supersede_for(session: Session, piece: Piece, revision: Revision, target: RevisionState) -> None:
    """Let older revisions make room: unfinished ones and another's schedule at once, the published one in its hour."""
    for other in session.scalars(
        queries.revisions(piece.id, *_UNFINISHED, *queries.LIVE).where(Revision.id != revision.id)
    ).all():
        if other.number > revision.number and other.state in _UNFINISHED:
            continue
        if other.state is _S.PUBLISHED and target is not _S.PUBLISHED:
            continue
        if other.state is _S.SUBMITTED:
            review.drop_open(session, piece.subject, by=revision.published_by)
        if other.state is _S.SCHEDULED:
            gone = other.id
            _remove_entries(session, piece, lambda entry, gone=gone: entry.revision_id == gone)  # type: ignore[misc]
        rules.require_move(other.state, _S.SUPERSEDED)
        other.state = _S.SUPERSEDED
    session.flush()  # before another revision takes the one published or scheduled place


def _first_shown(piece: Piece, visible_from: datetime, moment: datetime) -> datetime:
    """Return when the piece first appeared: a date that has passed stands, a mere plan is replaced."""
    if piece.first_published_at is None or piece.first_published_at > moment:
        piece.first_published_at = visible_from
    return piece.first_published_at


def _enter(session: Session, piece: Piece, revision: Revision, moment: datetime) -> None:
    """Freeze a revision and put it into the catalogue."""
    kind = kinds.kind_of(piece.kind)
    revision.frozen = kind.freeze(session, rendering.shown_of(piece, revision))
    shown = rendering.shown_of(piece, revision)
    visible_from = cast("datetime", revision.visible_from)
    ready = kind.is_ready(session, shown)
    published_at = _first_shown(piece, visible_from, moment)
    rendered = rendering.render(
        session,
        kind,
        shown,
        published_at=published_at,
        updated_at=visible_from,
        expires_at=revision.visible_until,
    )
    public = kind.public_text(revision.body)
    entry = CatalogueEntry(
        piece_id=piece.id,
        revision_id=revision.id,
        slug=piece.slug,
        kind=piece.kind,
        column_slug=revision.meta["column"],
        title=revision.meta["title"],
        published_at=published_at,
        updated_at=visible_from,
        visible_from=visible_from,
        visible_until=revision.visible_until,
        ready=ready,
        files=[],
        text=f"{revision.meta['summary']}\n{public}",
    )
    _put_bytes(session, entry, rendered)
    session.add(entry)
    session.flush()
    session.add_all(
        EntryAudience(entry_id=entry.id, audience=Audience(word)) for word in revision.meta["audiences"]
    )
    session.add_all(EntryRight(entry_id=entry.id, right=Right(word)) for word in revision.meta["rights"])
    body = "\n".join([entry.text, *revision.meta["keywords"]])
    search.put(session, entry.id, title=entry.title, body=body)
    kind.prepare(session, shown)


def _render_again(
    session: Session, piece: Piece, revision: Revision, entry: CatalogueEntry, moment: datetime
) -> bool:
    kind = kinds.kind_of(piece.kind)
    shown = rendering.shown_of(piece, revision)
    ready = kind.is_ready(session, shown)
    kind.prepare(session, shown)
    if entry.ready and not ready:
        return False  # what is public stays as it is until the new files are there
    if ready and not entry.ready and entry.visible_from < moment:
        # it appears only now, whatever was planned
        if piece.first_published_at == entry.published_at == entry.visible_from:
            piece.first_published_at = entry.published_at = moment
        entry.visible_from = entry.updated_at = moment
    rendered = rendering.render(
        session,
        kind,
        shown,
        published_at=entry.published_at,
        updated_at=entry.updated_at,
        expires_at=revision.visible_until,
    )
    if ready == entry.ready and rendered.card == entry.card and rendered.page.etag == entry.etag:
        return False
    entry.ready = ready
    _put_bytes(session, entry, rendered)
    session.flush()
    return True


def _put_bytes(session: Session, entry: CatalogueEntry, rendered: Rendered) -> None:
    before, after = frozenset(entry.files), rendered.files
    entry.card = rendered.card
    entry.page, entry.etag = rendered.page.body, rendered.page.etag
    entry.page_gzip, entry.etag_gzip = rendered.page.gzip, rendered.page.etag_gzip
    entry.files = sorted(after)
    if after - before:
        files_shown.send(session, FileNews(entry.piece_id, after - before))
    _hide(session, entry, before - after)


def _align(session: Session, piece: Piece, moment: datetime) -> None:
    """Let the windows of a piece's entries touch: each ends where the next ready one begins, or at its own end."""
    found = session.scalars(queries.entries(piece.id)).all()
    ends = {revision.id: revision.visible_until for revision in session.scalars(queries.revisions(piece.id))}
    for number, entry in enumerate(found):
        until = ends[entry.revision_id]
        following = next((later.visible_from for later in found[number + 1 :] if later.ready), None)
        if following is not None and (until is None or following < until):
            until = following
        entry.visible_until = until
        if until is not None and (until <= moment or until <= entry.visible_from):
            _remove_entry(session, entry)
    session.flush()


def _remove_entries(session: Session, piece: Piece, chosen: Callable[[CatalogueEntry], bool]) -> None:
    for entry in session.scalars(queries.entries(piece.id)).all():
        if chosen(entry):
            _remove_entry(session, entry)


def _remove_entry(session: Session, entry: CatalogueEntry) -> None:
    search.remove(session, entry.id)
    session.delete(entry)
    session.flush()
    _hide(session, entry, frozenset(entry.files))


def _hide(session: Session, entry: CatalogueEntry, digests: frozenset[str]) -> None:
    """Announce the files that no page of the piece names any more."""
    if not digests:
        return
    others = session.scalars(queries.entries(entry.piece_id).where(CatalogueEntry.id != entry.id))
    gone = digests.difference(*(other.files for other in others))
    if gone:
        files_hidden.send(session, FileNews(entry.piece_id, gone))
