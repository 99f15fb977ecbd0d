"""Routes of reach: beacons in, reports out."""

from edu_platform.reach.api import learner, staff

blueprints = [learner.beacons, staff.campaign_reports, staff.report]
