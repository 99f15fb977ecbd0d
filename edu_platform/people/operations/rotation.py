"""Moving keys and look-up hashes under the newest key of the ring."""

from __future__ import annotations

import dataclasses

from sqlalchemy.orm import Session

from edu_platform.core.sealing import CannotOpen, KeyRing
from edu_platform.people import queries
from edu_platform.people.keystore import vault_of
from edu_platform.people.models import Learner
from edu_platform.people.operations.secrecy import identity_of


def rotate(session: Session, ring: KeyRing, limit: int = 500, *, after: int = 0) -> tuple[int, int | None]:
    """Bring the next `limit` learners whose id is above `after` under the newest key: own keys and look-up hashes.

    Return (how many changed, the id to go on after, None when all are done). What is sealed under a learner's
    own key stays as it is: that key does not change. Once all are done and no process uses the old settings any
    more, the old key may leave `EDU_SEALING_KEYS`.
    """
    rows = session.execute(queries.after_learner(after, limit)).all()
    vault = dataclasses.replace(vault_of(session), ring=ring)
    renewed = vault.renew([key.name for _, key in rows])
    changed = sum(_rehash(ring, learner) | (key.name in renewed) for learner, key in rows)
    session.flush()
    return changed, rows[-1][0].id if len(rows) == limit else None


def _rehash(ring: KeyRing, learner: Learner) -> bool:
    """Hash the identity under the newest key; False if it was so already, or cannot be opened (a sign-in will do it)."""
    try:
        openid, unionid = identity_of(ring, learner)
    except CannotOpen:
        return False
    openid_hash = None if openid is None else ring.lookup(openid, purpose="openid")
    unionid_hash = None if unionid is None else ring.lookup(unionid, purpose="unionid")
    if (learner.openid_hash, learner.unionid_hash) == (openid_hash, unionid_hash):
        return False
    learner.openid_hash, learner.unionid_hash = openid_hash, unionid_hash
    return True
