"""Reports for staff."""

from __future__ import annotations

from typing import Any

from edu_platform.campaigns.operations.running import campaign_of
from edu_platform.core.db import reading
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import blueprint
from edu_platform.people import guards
from edu_platform.reach.schemas import ReportIn, ReportOut, WholeReportIn

campaign_reports = blueprint("campaign-report", prefix="/staff/campaigns", description="活动的触达报告")
report = blueprint("report", prefix="/staff/report", description="触达报告")


@campaign_reports.get("/<code>/report")
@guards.staff(Role.ANALYST, Role.CAMPAIGN_MANAGER, Role.ADMIN)
@campaign_reports.arguments(ReportIn, location="query")
@campaign_reports.response(200, ReportOut)
def get_campaign_report(wanted: dict[str, Any], code: str) -> dict[str, Any]:
    """Return a campaign's figures for any window, divided by one dimension."""
    from edu_platform.reach.operations.present import campaign_report  # loads numpy, which only reports need

    session = reading()
    return campaign_report(session, campaign_of(session, code), **_wanted(wanted))


@report.get("")
@guards.staff(Role.ANALYST, Role.CAMPAIGN_MANAGER, Role.ADMIN)
@report.arguments(WholeReportIn, location="query")
@report.response(200, ReportOut)
def get_report(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the figures over everything, or over everyday education alone."""
    from edu_platform.reach.operations.present import whole_report

    campaign = wanted.pop("campaign")
    return whole_report(reading(), campaign, **_wanted(wanted))


def _wanted(wanted: dict[str, Any]) -> dict[str, Any]:
    from edu_platform.reach.operations.present import Filters

    filters = Filters(**{name: wanted.pop(name) for name in ("audience", "channel", "piece", "action")})
    return {**wanted, "filters": filters}
