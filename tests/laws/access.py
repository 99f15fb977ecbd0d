"""Who may call what: written by hand, one row an operation. A route without a row fails `make test`.

Letters: N nobody (no token) · V visitor (anonymous session) · L signed-in learner · E editor · R reviewer ·
C campaign manager · A analyst · D administrator. A letter in the row: the operation may be called (it can still
refuse the object or the input). Not in the row: 401 for nobody, 403 for everybody else.

`object` names what the path points at where it is somebody's own: there, somebody else's does not exist (404),
or, for `case`, must not be decided by its author (403).
"""

from __future__ import annotations

from dataclasses import dataclass

EVERYBODY = "NVLERCAD"
LEARNERS = "VL"
STAFF = "ERCAD"


@dataclass(frozen=True)
class Row:
    """One operation."""

    method: str
    path: str
    who: str
    object: str | None = None


TABLE = [
    # -- public
    Row("GET", "/healthz", EVERYBODY),
    Row("GET", "/readyz", EVERYBODY),
    Row("GET", "/api/v1/openapi.json", EVERYBODY),
    Row("GET", "/api/v1/docs/", EVERYBODY),
    Row("GET", "/api/v1/docs/<path>", EVERYBODY),
    Row("GET", "/media/<name>", EVERYBODY),
    Row("GET", "/api/v1/pieces", EVERYBODY),
    Row("GET", "/api/v1/pieces/<slug>", EVERYBODY),
    Row("GET", "/api/v1/pieces/<slug>/related", EVERYBODY),
    Row("GET", "/api/v1/columns", EVERYBODY),
    Row("GET", "/api/v1/vocabulary", EVERYBODY),
    Row("GET", "/api/v1/home", EVERYBODY),
    Row("GET", "/api/v1/campaigns", EVERYBODY),
    Row("GET", "/api/v1/campaigns/<code>", EVERYBODY),
    Row("GET", "/api/v1/channel-codes/<code>", EVERYBODY),
    Row("GET", "/api/v1/consent-purposes", EVERYBODY),
    Row("POST", "/api/v1/sessions", EVERYBODY),
    Row("POST", "/api/v1/sessions/anonymous", EVERYBODY),
    Row("POST", "/api/v1/staff/sessions", EVERYBODY),
    # -- learners, each for themselves
    Row("DELETE", "/api/v1/sessions/current", LEARNERS),
    Row("GET", "/api/v1/me", LEARNERS),
    Row("PUT", "/api/v1/me", LEARNERS),
    Row("DELETE", "/api/v1/me", LEARNERS),
    Row("GET", "/api/v1/me/export", LEARNERS),
    Row("GET", "/api/v1/me/consents", LEARNERS),
    Row("POST", "/api/v1/me/consents", LEARNERS),
    Row("DELETE", "/api/v1/me/consents/<purpose>", LEARNERS),
    Row("GET", "/api/v1/me/mistakes", LEARNERS),
    Row("POST", "/api/v1/me/mistakes/practice", LEARNERS),
    Row("GET", "/api/v1/progress", LEARNERS),
    Row("GET", "/api/v1/progress/<slug>", LEARNERS),
    Row("PUT", "/api/v1/progress/<slug>", LEARNERS),
    Row("GET", "/api/v1/favourites", LEARNERS),
    Row("GET", "/api/v1/favourites/<slug>", LEARNERS),
    Row("PUT", "/api/v1/favourites/<slug>", LEARNERS),
    Row("DELETE", "/api/v1/favourites/<slug>", LEARNERS),
    Row("GET", "/api/v1/history", LEARNERS),
    Row("DELETE", "/api/v1/history", LEARNERS),
    Row("POST", "/api/v1/beacons", LEARNERS),
    Row("GET", "/api/v1/campaigns/<code>/leaderboard", LEARNERS),
    Row("POST", "/api/v1/quizzes/<slug>/attempts", LEARNERS),
    Row("GET", "/api/v1/quizzes/<slug>/attempts", LEARNERS),
    Row("GET", "/api/v1/quizzes/<slug>/leaderboard", LEARNERS),
    Row("GET", "/api/v1/attempts/<attempt_id>", LEARNERS, object="attempt"),
    Row("PUT", "/api/v1/attempts/<attempt_id>/answers/<number>", LEARNERS, object="attempt"),
    Row("POST", "/api/v1/attempts/<attempt_id>/submit", LEARNERS, object="attempt"),
    Row("GET", "/api/v1/attempts/<attempt_id>/result", LEARNERS, object="attempt"),
    # -- staff, about themselves
    Row("DELETE", "/api/v1/staff/sessions/current", STAFF),
    Row("GET", "/api/v1/staff/me", STAFF),
    Row("PUT", "/api/v1/staff/me/password", STAFF),
    # -- editors and reviewers
    Row("POST", "/api/v1/staff/media", "EC"),
    Row("GET", "/api/v1/staff/media/<digest>", "ERC"),
    Row("GET", "/api/v1/staff/media/<digest>/content", "ERC"),
    Row("POST", "/api/v1/staff/pieces", "E"),
    Row("GET", "/api/v1/staff/pieces", "ER"),
    Row("GET", "/api/v1/staff/pieces/<slug>", "ER"),
    Row("PUT", "/api/v1/staff/pieces/<slug>", "E"),
    Row("GET", "/api/v1/staff/pieces/<slug>/revisions/<revision_id>", "ER"),
    Row("POST", "/api/v1/staff/pieces/<slug>/revisions/<revision_id>/check", "ER"),
    Row("GET", "/api/v1/staff/pieces/<slug>/revisions/<revision_id>/review-text", "ER"),
    Row("POST", "/api/v1/staff/pieces/<slug>/revisions/<revision_id>/submit", "E"),
    Row("POST", "/api/v1/staff/pieces/<slug>/revisions/<revision_id>/publish", "ER"),
    Row("POST", "/api/v1/staff/pieces/<slug>/withdraw", "ER"),
    Row("GET", "/api/v1/staff/review-cases", "ER"),
    Row("GET", "/api/v1/staff/review-cases/<case_id>", "ER"),
    Row("POST", "/api/v1/staff/review-cases/<case_id>/approve", "R", object="case"),
    Row("POST", "/api/v1/staff/review-cases/<case_id>/return", "R", object="case"),
    Row("GET", "/api/v1/staff/questions", "E"),
    Row("POST", "/api/v1/staff/questions", "E"),
    Row("GET", "/api/v1/staff/questions/<ref>", "E"),
    Row("POST", "/api/v1/staff/banks", "E"),
    Row("GET", "/api/v1/staff/quizzes/<slug>/statistics", "EA"),
    # -- campaigns and figures
    Row("GET", "/api/v1/staff/campaigns", "CAD"),
    Row("POST", "/api/v1/staff/campaigns", "C"),
    Row("GET", "/api/v1/staff/campaigns/<code>", "CAD"),
    Row("PUT", "/api/v1/staff/campaigns/<code>", "C"),
    Row("POST", "/api/v1/staff/campaigns/<code>/open", "C"),
    Row("POST", "/api/v1/staff/campaigns/<code>/close", "C"),
    Row("PUT", "/api/v1/staff/campaigns/<code>/pieces", "C"),
    Row("GET", "/api/v1/staff/campaigns/<code>/channel-codes", "CAD"),
    Row("POST", "/api/v1/staff/campaigns/<code>/channel-codes", "C"),
    Row("GET", "/api/v1/staff/campaigns/<code>/report", "CAD"),
    Row("GET", "/api/v1/staff/report", "CAD"),
    # -- accounts
    Row("GET", "/api/v1/staff/accounts", "D"),
    Row("POST", "/api/v1/staff/accounts", "D"),
    Row("PUT", "/api/v1/staff/accounts/<staff_id>", "D"),
]
