"""Answers of attempts in progress, saved before Flask (`writes_first`)."""

from __future__ import annotations

import re
from collections.abc import Callable

from edu_platform.core.clock import now
from edu_platform.factory.writes_first import Bearer, WritesFirst
from edu_platform.quizzes.operations.results import shown_answer
from edu_platform.quizzes.operations.saving import Saved, SavedTogether, Saving
from edu_platform.quizzes.schemas import answer_given, on_wire


class AnswersFirst(WritesFirst[Saving, Saved]):
    """Saves answers that are in order; passes everything else to `inner`."""

    endpoint = "attempts.save_answer"
    method = "PUT"
    path = re.compile("/api/v1/attempts/([1-9][0-9]{0,17})/answers/([1-9][0-9]?|100)")

    @property
    def shared_commit(self) -> SavedTogether:
        """Return what saves answers."""
        return SavedTogether.of(self._engine)

    def read(
        self, bearer: Bearer, raw: bytes, *place: str
    ) -> tuple[Saving, Callable[[Saved], bytes | None]] | None:
        """Read an answer; whether it can be saved is for the rows to say."""
        given = answer_given(raw)
        if given is None:
            return None
        attempt_id, number = map(int, place)
        return Saving(bearer.learner_id, bearer.generation, attempt_id, number, *given, now()), _body


def _body(saved: Saved) -> bytes | None:
    return None if saved.answered is None else on_wire(shown_answer(saved.answered))
