"""Routes of campaigns: what learners see, what staff run."""

from edu_platform.campaigns.api import learner, staff

blueprints = [learner.campaigns, learner.codes, learner.home, staff.campaigns]
