"""Moving identities under the newest key of the ring."""

from __future__ import annotations

from sqlalchemy.orm import Session

from edu_platform.core.sealing import KeyRing
from edu_platform.people import queries
from edu_platform.people.models import Learner
from edu_platform.people.operations.learners import key_context, open_identity


def identity_of(ring: KeyRing, learner: Learner) -> tuple[str | None, str | None]:
    """Return the learner's (openid, unionid) in clear, for calling WeChat; (None, None) where there is none."""
    return open_identity(ring, learner)


def reseal(ring: KeyRing, learner: Learner) -> bool:
    """Seal the learner's own key, and hash the identity, under the newest key; False if it was so already.

    What is sealed under the learner's own key stays as it is: that key does not change.
    """
    if learner.person_key is None:
        return False
    openid, unionid = open_identity(ring, learner)
    openid_hash = None if openid is None else ring.lookup(openid, purpose="openid")
    unionid_hash = None if unionid is None else ring.lookup(unionid, purpose="unionid")
    if (
        ring.is_current(learner.person_key)
        and learner.openid_hash == openid_hash
        and learner.unionid_hash == unionid_hash
    ):
        return False
    key = ring.open(learner.person_key, context=key_context(learner.id))
    learner.person_key = ring.seal(key, context=key_context(learner.id))
    learner.openid_hash = openid_hash
    learner.unionid_hash = unionid_hash
    return True


def rotate(session: Session, ring: KeyRing, limit: int = 500, *, after: int = 0) -> tuple[int, int | None]:
    """Reseal the next `limit` learners whose id is above `after`.

    Return (how many changed, the id to go on after, None when all are done). Once all are done and no
    process uses the old settings any more, the old key may leave `EDU_SEALING_KEYS`.
    """
    learners = session.scalars(queries.after_learner(after, limit)).all()
    changed = sum(reseal(ring, learner) for learner in learners)
    session.flush()
    return changed, learners[-1].id if len(learners) == limit else None
