"""Beacons, the busiest write, before Flask (`writes_first`): batches for which nothing need be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from edu_platform.core.clock import now
from edu_platform.factory.writes_first import Bearer, WritesFirst
from edu_platform.reach.api.learner import count_beacons
from edu_platform.reach.operations.log import Outcome, Submission
from edu_platform.reach.operations.receive import Judge, answer, known_here
from edu_platform.reach.operations.shared_commit import SharedCommit
from edu_platform.reach.rules.intake import correct, is_absurd
from edu_platform.reach.schemas import decode


class BeaconsFirst(WritesFirst[Submission, Outcome]):
    """Takes batches of beacons that are in order; passes everything else to `inner`."""

    endpoint = "beacons.send_beacons"
    method = "POST"
    path = re.compile("/api/v1/beacons")

    @property
    def shared_commit(self) -> SharedCommit:
        """Return what appends to the log."""
        return SharedCommit.of(self._engine)

    def read(
        self, bearer: Bearer, raw: bytes, *place: str
    ) -> tuple[Submission, Callable[[Outcome], bytes | None]] | None:
        """Judge a batch by what this process knows; None when nothing of it is to be written."""
        del place
        known = known_here(self._engine)
        batch = None if known is None else decode(raw)
        if known is None or batch is None:
            return None
        received_at = now()
        if is_absurd(received_at - batch.sent_at):
            return None
        judge = Judge(
            known,
            None,
            received_at=received_at,
            correction=correct(sent_at=batch.sent_at, received_at=received_at),
            largest_age=timedelta(days=self._settings.beacon_largest_age_days),
        )
        deeds, refused = judge.sort(batch.beacons)
        if not deeds:
            return None  # nothing to write, so nobody would look at the learner
        version = known.campaigns.version
        submission = Submission(bearer.learner_id, deeds, generation=bearer.generation, version=version)
        return submission, partial(_body, refused)


def _body(refused: list[dict[str, Any]], outcome: Outcome) -> bytes | None:
    if outcome.gone or outcome.stale:
        return None  # nothing was written
    accepted, duplicate = outcome.accepted, len(outcome.duplicate)
    count_beacons(accepted, duplicate, refused)
    return answer(accepted, duplicate, refused)
