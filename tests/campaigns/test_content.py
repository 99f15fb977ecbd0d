"""`content/campaigns.yaml`: checked by line, imported once, and what staff did since is left alone."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from edu_platform.campaigns.content import CAMPAIGNS
from edu_platform.campaigns.models import Campaign, CampaignState, ChannelCode
from edu_platform.campaigns.operations import running
from edu_platform.core.clock import frozen
from edu_platform.core.db import db, reading, writing
from edu_platform.library.content import run
from edu_platform.library.content.sections import Gathered
from edu_platform.library.source import Problems, SourceFile

CONTENT = Path(__file__).parents[2] / "content"
CAMPAIGN = """- code: rights-week
  name: 宣传周
  theme: 守护安心消费
  series: consumer_rights_week
  starts_on: 2026-03-10
  ends_on: 2026-03-16
  pieces: [hang-up-first]
  channels: [mini_program, offline]
  channel_codes:
    - {code: "MALL15", channel: offline, note: 商圈, landing_piece: hang-up-first}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One of the articles that the platform ships with, and a campaign that carries it."""
    shutil.copytree(CONTENT / "illustrations", tmp_path / "illustrations")
    shutil.copy(CONTENT / "columns.yaml", tmp_path)
    article = (CONTENT / "articles" / "hang-up-on-refund-experts.md").read_text(encoding="utf-8")
    article = re.sub(r"^related:.*\n", "", article, flags=re.MULTILINE)
    article = re.sub(r"\[([^\]]+)\]\(piece:[^)]+\)", r"\1", article)
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "hang-up-first.md").write_text(article, encoding="utf-8")
    (tmp_path / "campaigns.yaml").write_text(CAMPAIGN, encoding="utf-8")
    return tmp_path


def bring(app, tree: Path):
    with app.app_context():
        with writing() as session:
            counts = run.import_(session, tree, settings=app.config["EDU"]).counts["campaigns"]
        db.session.remove()
    return counts.new, counts.changed, counts.same, counts.kept


def stored(app) -> tuple[Campaign, list[str]]:
    with app.app_context():
        campaign = reading().scalar(select(Campaign))
        codes = list(reading().scalars(select(ChannelCode.code)))
        db.session.remove()
    return campaign, codes


def test_an_import_changes_only_what_changed(app, tree):
    with frozen(datetime(2026, 3, 12, tzinfo=UTC)):
        assert bring(app, tree) == (1, 0, 0, [])
        campaign, codes = stored(app)
        assert (campaign.state, campaign.branch, codes) == (CampaignState.OPEN, "示例市分公司", ["MALL15"])
        assert bring(app, tree) == (0, 0, 1, [])
        path = tree / "campaigns.yaml"
        path.write_text(
            path.read_text(encoding="utf-8").replace("守护安心消费", "明白消费")
            + '    - {code: "MALL16", channel: offline}\n'
        )
        assert bring(app, tree) == (0, 1, 0, [])
        campaign, codes = stored(app)
        assert (campaign.theme, codes) == ("明白消费", ["MALL15", "MALL16"])
        with app.app_context(), writing() as session:
            running.set_pieces(session, running.campaign_of(session, "rights-week"), [], by="staff:1 测试")
        path.write_text(path.read_text(encoding="utf-8").replace("明白消费", "放心消费"))
        assert bring(app, tree) == (0, 0, 0, ["rights-week"])
        assert stored(app)[0].theme == "明白消费"


def test_every_mistake_is_named_by_line():
    text = (
        CAMPAIGN
        + CAMPAIGN.replace("offline, note", "app, note")
        + "- {code: third, series: party, prize: 1}\n"
    )
    problems = Problems()
    parsed = CAMPAIGNS.read([SourceFile("campaigns.yaml", text.encode())], problems)
    gathered = Gathered(Path(), "95519", frozenset(), {"campaigns": parsed})
    CAMPAIGNS.check(gathered, problems)
    found = {(problem.line, problem.path) for problem in problems}
    assert found == {
        (7, "[0].pieces[0]"),
        (10, "[0].channel_codes[0].landing_piece"),
        (11, "[1].code"),
        (17, "[1].pieces[0]"),
        (20, "[1].channel_codes[0].code"),
        (20, "[1].channel_codes[0].channel"),
        (20, "[1].channel_codes[0].landing_piece"),
        *((21, f"[2].{field}") for field in ("name", "theme", "series", "starts_on", "ends_on", "prize")),
    }
    assert all(any("\u4e00" <= c <= "\u9fff" for c in problem.reason) for problem in problems)


def test_a_file_that_is_no_list_is_refused():
    problems = Problems()
    assert CAMPAIGNS.read([SourceFile("campaigns.yaml", b"code: x\n")], problems) == []
    assert [problem.reason for problem in problems] == ["应为活动的列表"]


def test_the_sample_year_has_a_campaign_for_every_month_and_carries_every_kind():
    problems = Problems()
    shipped = Path(__file__).parents[2] / "content"
    source = SourceFile("campaigns.yaml", (shipped / "campaigns.yaml").read_bytes())
    year = [campaign.data for campaign in CAMPAIGNS.read([source], problems)]
    assert (problems, len(year)) == ([], 12)
    assert {c["starts_on"].year for c in year} == {2026}
    passing = [c for c in year if (c["ends_on"] - c["starts_on"]).days < 200]
    assert {month for c in passing for month in range(c["starts_on"].month, c["ends_on"].month + 1)} == set(
        range(1, 13)
    )
    for campaign in year:
        kinds = {
            folder
            for slug in campaign["pieces"]
            for folder in ("articles", "posters", "videos", "quizzes")
            if list((shipped / folder).glob(f"{slug}.*"))
        }
        assert kinds == {"articles", "posters", "videos", "quizzes"}, campaign["code"]
        assert campaign["channel_codes"], campaign["code"]
