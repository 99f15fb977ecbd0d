"""Routes of learners and of staff accounts."""

from edu_platform.people.api import learner, staff

blueprints = [learner.sessions, learner.me, learner.purposes, staff.sessions, staff.accounts]
