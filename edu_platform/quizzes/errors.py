"""What the room refuses."""

from __future__ import annotations

from edu_platform.core.errors import Conflict


class NotOpen(Conflict):
    """Outside the opening window."""

    code = "quiz_not_open"


class NoAttemptsLeft(Conflict):
    """Every attempt that the quiz allows, in all or today, has been taken."""

    code = "no_attempts_left"


class TimeOver(Conflict):
    """The attempt has ended; what was saved before has been submitted."""

    code = "time_over"


class AlreadySubmitted(Conflict):
    """The attempt takes no more answers."""

    code = "already_submitted"


class AnswerFrozen(Conflict):
    """The answer was judged when it was saved and cannot change."""

    code = "answer_frozen"


class NotSubmitted(Conflict):
    """There is no result yet."""

    code = "not_submitted"


class NothingToPractise(Conflict):
    """There are no mistakes to practise."""

    code = "nothing_to_practise"
