"""What is older than the log is kept goes to archives and out of the database: exactly that, also after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from edu_platform.backup.operations.files import FILES, entries
from edu_platform.cli import retention as command
from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import Conflict, Invalid
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience
from edu_platform.media.storage import store_of
from edu_platform.reach.models import NUMBERS, Beacon, BeaconArchive, Family, Scope, milliseconds
from edu_platform.reach.operations import retention
from edu_platform.reach.operations.log import Submission, append, deed
from edu_platform.reach.operations.recount import differences
from edu_platform.reach.operations.report import Asked, figures
from edu_platform.reach.rules.choices import By, Source
from edu_platform.reach.tasks import fold_all, put_views_into_histories, retain
from tests import cast

KEPT = 100


def happened(learner_id: int, at: datetime, *ids: str) -> None:
    """Let beacons be received at a moment."""
    with writing() as session:
        append(
            session.connection(),
            [
                Submission(
                    learner_id,
                    [
                        deed(
                            beacon_id=name, occurred_at=milliseconds(at), received_at=milliseconds(at),
                            campaign_id=0, rule=3, audience=DeclaredAudience.ELDERLY, channel=Channel.WEBSITE,
                            piece_id=0, action=Action.CALL_HOTLINE, scope=Scope.IDENTIFIED,
                        )
                        for name in ids
                    ],
                )
            ],
        )  # fmt: skip


@pytest.fixture
def old(app, clock, context) -> datetime:
    """A log of beacons from 130, 101, 100 and 99 days ago and from today; return the present moment."""
    learner_id, _ = cast.sign_in_learner(app)
    for days, names in ((130, "abc"), (101, "de"), (100, "fg"), (99, "h"), (0, "ijk")):
        happened(learner_id, clock() - timedelta(days=days), *names)
    fold_all()
    put_views_into_histories()
    return clock()


def names() -> str:
    found = "".join(reading().scalars(select(Beacon.beacon_id).order_by(Beacon.id)))
    reading().rollback()
    return found


def test_exactly_what_is_due_goes(old, settings):
    store = store_of(settings)
    assert retain(store, kept_days=KEPT) == (5, 1)
    assert names() == "fghijk"  # days are whole: a beacon from 100 days ago is kept
    archive = reading().scalars(select(BeaconArchive)).one()
    assert (archive.beacons, archive.dropped_at is not None) == (5, True)
    kept = list(retention.read_archive(store, archive.digest))
    assert "".join(row["beacon_id"] for row in kept) == "abcde"
    assert {row["action"] for row in kept} == {str(NUMBERS[Action][Action.CALL_HOTLINE])}
    assert set(kept[0]) == set(retention.COLUMNS) == set(Beacon.__table__.columns.keys())
    assert retain(store, kept_days=KEPT) == (0, 0)
    backed_up = entries(reading().execute(text(FILES)).all())
    assert [(one.key, one.public) for one in backed_up] == [(retention.key_of(archive.digest), False)]


def test_as_the_clock_goes_on_more_goes(old, settings, clock):
    store = store_of(settings)
    retain(store, kept_days=KEPT)
    clock.later(days=1)
    assert retain(store, kept_days=KEPT) == (2, 1)
    assert names() == "hijk"
    clock.later(days=300)
    assert retain(store, kept_days=KEPT) == (4, 1)
    assert names() == ""
    assert (
        "".join(
            row["beacon_id"]
            for archive in retention.archives(reading())
            for row in retention.read_archive(store, archive.digest)
        )
        == "abcdefghijk"
    )


def test_with_the_job_off_everything_stays(old):
    """The control of the two above."""
    assert names() == "abcdefghijk"


def window(**changes) -> Asked:
    return Asked(date(2025, 1, 1), date(2026, 12, 31), None, **{"by": By.DAY, **changes})


def test_every_figure_stays_what_it_was(old, settings, app):
    asked = [window(), window(by=By.AUDIENCE), window(filters={Family.CHANNEL: 1})]
    before = [figures(reading(), one) for one in asked]
    reading().rollback()
    retain(store_of(settings), kept_days=KEPT)
    again = [figures(reading(), one) for one in asked[:2]]
    assert [(one.totals, one.rows) for one in again] == [(one.totals, one.rows) for one in before[:2]]
    assert differences(reading()) == []


def test_a_report_that_needs_rows_that_are_gone_says_so_and_shows_no_half_figure(old, settings, clock):
    asked = window(by=By.AUDIENCE, filters={Family.CHANNEL: NUMBERS[Channel][Channel.WEBSITE]})
    assert figures(reading(), asked).source is Source.LOG
    reading().rollback()
    retain(store_of(settings), kept_days=KEPT)
    with pytest.raises(Invalid) as refused:
        figures(reading(), asked)
    begins = retention.whole_from(reading())
    assert (refused.value.errors[0].field, refused.value.errors[0].code) == ("from", "archived")
    assert str(begins) in refused.value.errors[0].reason
    later = Asked(begins, date(2026, 12, 31), None, By.AUDIENCE, filters=asked.filters)
    assert figures(reading(), later).totals.participations == 6


def test_nothing_goes_before_it_was_folded(app, clock, context, settings):
    learner_id, _ = cast.sign_in_learner(app)
    happened(learner_id, clock() - timedelta(days=200), "a")
    assert retain(store_of(settings), kept_days=KEPT) == (0, 0)
    assert names() == "a"
    fold_all()
    put_views_into_histories()
    assert retain(store_of(settings), kept_days=KEPT) == (1, 1)


def test_the_database_lets_nothing_go_that_no_archive_holds(old):
    with pytest.raises((Conflict, IntegrityError)), writing() as session:
        session.execute(text("DELETE FROM beacon"))
    assert names() == "abcdefghijk"


@pytest.mark.control
def test_without_the_guard_it_would(old):
    with writing() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            session.execute(text("DROP TRIGGER beacon_no_delete"))
        session.execute(text("DELETE FROM beacon"))
    assert names() == ""


def test_an_archive_that_the_store_lost_or_changed_drops_nothing(old, settings, monkeypatch):
    store = store_of(settings)
    with monkeypatch.context() as broken:
        broken.setattr(retention, "drop_some", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retain(store, kept_days=KEPT)
    archive = reading().scalars(select(BeaconArchive)).one()
    reading().rollback()
    file = store.path(retention.key_of(archive.digest))
    content = file.read_bytes()
    for damage in (lambda: file.write_bytes(content[:-1]), file.unlink):
        damage()
        with pytest.raises(retention.ArchiveDamaged):
            retain(store, kept_days=KEPT)
        assert names() == "abcdefghijk"
    file.write_bytes(content)
    assert retain(store, kept_days=KEPT) == (0, 1)
    assert names() == "fghijk"


CHILD = """
import os, signal, sys
from datetime import datetime
from edu_platform.config.settings import Settings
from edu_platform.core.clock import frozen
from edu_platform.factory.app import create_app
from edu_platform.media.storage import store_of
from edu_platform.reach import tasks
from edu_platform.reach.operations import retention

point, at = sys.argv[1], datetime.fromisoformat(sys.argv[2])
settings = Settings.read(os.environ)
store = store_of(settings)
retention.DROPPED_AT_ONCE = 2

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if point == "stored":
    retention.put_on_list = die
elif point == "listed":
    retention.check = die
else:
    drop = retention.drop_some
    rounds = []
    def some(session, archive_id):
        rounds.append(1)
        return die() if len(rounds) > 1 else drop(session, archive_id, most=2)
    retention.drop_some = some
with create_app(settings).app_context(), frozen(at):
    tasks.retain(store, kept_days=100)
"""


@pytest.mark.parametrize(("point", "left"), [("stored", 11), ("listed", 11), ("dropping", 9)])
def test_a_kill_in_between_costs_nothing_and_doubles_nothing(old, settings, point, left):
    environ = {
        **os.environ,
        "EDU_ENVIRONMENT": "test",
        "EDU_DATA_DIR": str(settings.data_dir),
        "EDU_DATABASE_URL": settings.database_url,
        "EDU_SECRET_KEYS": settings.secret_keys[0],
        "EDU_SEALING_KEYS": settings.sealing_keys[0],
        "EDU_WECHAT_BASE_URL": settings.wechat_base_url,
        "EDU_WECHAT_SECRET": settings.wechat_secret,
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD, point, old.isoformat()],
        env=environ,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(names()) == left
    store = store_of(settings)
    retain(store, kept_days=KEPT)
    assert names() == "fghijk"
    archives = retention.archives(reading())
    assert [archive.beacons for archive in archives] == [5]
    assert "".join(r["beacon_id"] for r in retention.read_archive(store, archives[0].digest)) == "abcde"


def test_the_command_archives_lists_and_checks(old, settings, app, monkeypatch):
    from edu_platform.factory import entry

    monkeypatch.setattr(entry, "application", lambda: app)
    monkeypatch.setattr(entry, "settings_here", lambda: settings)
    done = CliRunner().invoke(command.command, [])
    assert done.exit_code == 0, done.output
    assert "归档 0 条" in done.output  # 1,100 days by default
    retain(store_of(settings), kept_days=KEPT)
    listed = CliRunner().invoke(command.command, ["--list"])
    assert listed.exit_code == 0, listed.output
    assert "5 条" in listed.output
    assert "已移出数据库" in listed.output
    archive = retention.archives(reading())[0]
    db.session.remove()
    store_of(settings).path(retention.key_of(archive.digest)).write_bytes(b"")
    damaged = CliRunner().invoke(command.command, ["--list"])
    assert damaged.exit_code == 1
    assert "已改变" in damaged.output
