"""Verbs of campaigns: `running` (making and changing them), `attribution` (what counts for which), `public`
(what learners see of them, home feed and leaderboard included).

What `factory` connects to other rooms' news stands here by name.
"""

from edu_platform.campaigns.operations.attribution import on_attempt_started

__all__ = ["on_attempt_started"]
