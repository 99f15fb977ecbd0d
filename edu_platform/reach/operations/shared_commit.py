"""Many requests with beacons, one durable commit (docs/decisions/003)."""

from __future__ import annotations

from collections.abc import Sequence

from edu_platform.core import shared_commit
from edu_platform.reach.operations.log import Outcome, Repeated, Submission, append


class SharedCommit(shared_commit.SharedCommit[Submission, Outcome]):
    """Appends submissions of many threads to the log."""

    def write(self, together: Sequence[Submission]) -> list[Outcome]:
        """Append them, hopefully first."""
        try:
            return self._write(together, hopeful=True)
        except Repeated:
            return self._write(together, hopeful=False)

    def _write(self, together: Sequence[Submission], *, hopeful: bool) -> list[Outcome]:
        with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
            return append(connection, together, hopeful=hopeful)
