"""What is sealed under a person's own key: who they are, and what they wrote in their own words."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence

from sqlalchemy import Connection, insert, select
from sqlalchemy.orm import Session, object_session

from edu_platform.core.sealing import KeyRing, open_with, seal_with
from edu_platform.people import queries
from edu_platform.people.keystore import NAME, Vault, vault_of
from edu_platform.people.models import Learner, LearnerKey

_SEALED = "sealed:"
_TEXT = b"text"


def identity_context(learner_id: int, column: str) -> bytes:
    """Return what a sealed identity is bound to: it opens in no other row."""
    return f"learner:{learner_id}:{column}".encode()


def seal_identity(
    session: Session, ring: KeyRing, learner: Learner, openid: str | None, unionid: str | None
) -> None:
    """Seal a learner's identity under a fresh key of their own.

    The key is durable in the store before this transaction can commit; if it does not, an orphan stays, which
    opens nothing.
    """
    [(name, key)] = _with(session, ring).make(1).items()
    _name_key(session, learner.id, name)
    learner.openid_sealed, learner.unionid_sealed = (
        None
        if clear is None
        else seal_with(key, clear.encode(), context=identity_context(learner.id, column))
        for column, clear in (("openid", openid), ("unionid", unionid))
    )
    session.flush()


def identity_of(ring: KeyRing, learner: Learner) -> tuple[str | None, str | None]:
    """Return the learner's (openid, unionid) in clear, for calling WeChat; (None, None) where there is none.

    Raise `CannotOpen` when the key is gone, or the ring is another.
    """
    session = object_session(learner)
    if session is None:
        raise ValueError("the learner belongs to no session")
    name = session.scalar(select(LearnerKey.name).where(LearnerKey.learner_id == learner.id))
    if name is None or (learner.openid_sealed is None and learner.unionid_sealed is None):
        return None, None
    key = _with(session, ring).key(name)
    return _opened(key, learner, "openid"), _opened(key, learner, "unionid")


def has_key(session: Session, learner_id: int) -> bool:
    """Say whether the learner's own key is there: named here, and in the store."""
    name = session.scalar(select(LearnerKey.name).where(LearnerKey.learner_id == learner_id))
    return name is not None and bool(vault_of(session).store.get([name]))


def seal_text(session: Session, learner_id: int, clear: str) -> str:
    """Seal what a person (a visitor too) wrote in their own words; the result is text and says under which key."""
    return seal_texts(session.connection(), [(learner_id, clear)])[0]


def seal_texts(connection: Connection, written: Sequence[tuple[int, str]]) -> list[str]:
    """Seal what several people wrote, given as (learner id, text): their keys are fetched, and made, together."""
    if not written:
        return []
    vault, learner_ids = vault_of(connection), {learner_id for learner_id, _ in written}
    asked = select(LearnerKey.learner_id, LearnerKey.name).where(LearnerKey.learner_id.in_(learner_ids))
    names = {row.learner_id: row.name for row in connection.execute(asked)}
    keys = vault.keys(names.values())
    if nameless := sorted(learner_ids - names.keys()):
        made = vault.make(len(nameless))
        fresh = dict(zip(nameless, made, strict=True))
        connection.execute(
            insert(LearnerKey), [{"learner_id": who, "name": name} for who, name in fresh.items()]
        )
        names, keys = names | fresh, keys | made
    return [_sealed(names[who], keys[names[who]], clear) for who, clear in written]


def _sealed(name: bytes, key: bytes, clear: str) -> str:
    return _SEALED + base64.b64encode(name + seal_with(key, clear.encode(), context=_TEXT)).decode()


def open_text(session: Session, kept: str) -> str:
    """Return what `seal_text` sealed; what was never sealed comes back as it is. Raise `CannotOpen`."""
    return open_texts(session, [kept])[0]


def open_texts(session: Session, kept: Sequence[str]) -> list[str]:
    """Open several texts, whose keys are fetched together."""
    raw = [base64.b64decode(one.removeprefix(_SEALED)) if one.startswith(_SEALED) else None for one in kept]
    named = {one[:NAME] for one in raw if one is not None}
    keys = vault_of(session).keys(named) if named else {}
    return [
        clear if one is None else open_with(keys[one[:NAME]], one[NAME:], context=_TEXT).decode()
        for clear, one in zip(kept, raw, strict=True)
    ]


def move_keys_out(session: Session, ring: KeyRing, limit: int = 500) -> int:
    """Give the next `limit` learners whose key lies in their row a fresh one in the key store; return how many.

    What releases before the key store left in backups stays as safe as the ring: destroy those backups in time.
    """
    learners = session.scalars(queries.with_key_in_row(limit)).all()
    for learner in learners:
        assert learner.person_key is not None
        key = ring.open(learner.person_key, context=b"learner:%d:key" % learner.id)
        openid, unionid = _opened(key, learner, "openid"), _opened(key, learner, "unionid")
        seal_identity(session, ring, learner, openid, unionid)
        learner.person_key = None
    session.flush()
    return len(learners)


def _opened(key: bytes, learner: Learner, column: str) -> str | None:
    sealed = learner.openid_sealed if column == "openid" else learner.unionid_sealed
    if sealed is None:
        return None
    return open_with(key, sealed, context=identity_context(learner.id, column)).decode()


def _with(session: Session, ring: KeyRing) -> Vault:
    return dataclasses.replace(vault_of(session), ring=ring)


def _name_key(session: Session, learner_id: int, name: bytes) -> None:
    known = session.get(LearnerKey, learner_id)
    if known is None:
        session.add(LearnerKey(learner_id=learner_id, name=name))
    else:
        known.name = name
