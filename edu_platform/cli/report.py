"""`edu report`: what a campaign reached, as a table."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("code")
@click.option("--from", "first", type=_DAY, help="第一天（含），如 2026-03-10；不填则为活动的第一天。")
@click.option("--to", "last", type=_DAY, help="最后一天（含）；不填则为活动的最后一天。")
@click.option(
    "--by",
    type=click.Choice(["day", "audience", "channel", "piece", "action"]),
    default="day",
    show_default=True,
    help="按什么分行：日期、受众、渠道、作品、行为。",
)
@click.option(
    "--scope", type=click.Choice(["all", "identified", "anonymous"]), default="all", show_default=True
)
@click.option(
    "--suspects", type=click.Choice(["exclude", "include", "only"]), default="exclude", show_default=True
)
def command(code: str, **options: Any) -> None:
    """Print the figures of the campaign CODE; `all` for everything, `everyday` for what belongs to no campaign."""
    from rich.console import Console

    from edu_platform.core.db import db
    from edu_platform.core.errors import DomainError, Invalid
    from edu_platform.factory.entry import application

    app = application()
    try:
        with app.app_context():
            found = find(code, **options)
            db.session.remove()
    except Invalid as wrong:
        for error in wrong.errors:
            click.echo(f"--{error.field}：{error.reason}", err=True)
        sys.exit(2)
    except DomainError as refused:
        click.echo(refused.detail, err=True)
        sys.exit(1)
    show(found, Console())


def find(code: str, *, by: str, scope: str, suspects: str, **days: datetime | None) -> dict[str, Any]:
    """Return the report that the options ask for; `first` and `last` are days, None for the campaign's own."""
    from edu_platform.campaigns.operations.running import campaign_of
    from edu_platform.core.db import reading
    from edu_platform.reach.operations.present import ALL, EVERYDAY_WORD, campaign_report, whole_report
    from edu_platform.reach.rules.choices import By, ScopeChoice, Suspects

    wanted: dict[str, Any] = {
        "by": By(by),
        "scope": ScopeChoice(scope),
        "suspects": Suspects(suspects),
        **{name: day and day.date() for name, day in days.items()},
    }
    session = reading()
    if code in {ALL, EVERYDAY_WORD}:
        return whole_report(session, code, **wanted)
    return campaign_report(session, campaign_of(session, code), **wanted)


_HEADS = {"day": "日期", "audience": "受众", "channel": "渠道", "piece": "作品", "action": "行为"}
_FIGURES = {
    "person_times": "触及人次",
    "persons": "触及人数",
    "participations": "参与人次",
    "participants": "参与人数",
}
_SCOPES = {"all": "全部", "identified": "仅已登录", "anonymous": "仅访客"}


def show(report: dict[str, Any], console: Console) -> None:
    """Print a report as a table in Chinese, with its definitions and its cut-off."""
    from rich.table import Table

    from edu_platform.core.clock import timestamp

    console.print(f"{report['name']}（{report['campaign']}）", style="bold", highlight=False)
    console.print(
        f"{report['first']} 至 {report['last']}　范围：{_SCOPES[report['scope']]}　截至 {timestamp(report['cut_off'])}",
        highlight=False,
    )
    table = Table(show_footer=True)
    table.add_column(_HEADS[report["by"]], footer="合计")
    for name, label in _FIGURES.items():
        table.add_column(label, footer=f"{report['totals'][name]:,}", justify="right")
    for row in report["rows"]:
        table.add_row(row["label"], *(f"{row[name]:,}" for name in _FIGURES))
    console.print(table)
    left_out = report["suspects_left_out"]
    if left_out["person_times"] or left_out["participations"]:
        console.print(
            f"另有可疑数据未计入：触及人次 {left_out['person_times']:,}，参与人次 {left_out['participations']:,}。",
            highlight=False,
        )
    for definition in report["definitions"].values():
        console.print(f"· {definition}", highlight=False, soft_wrap=True)
