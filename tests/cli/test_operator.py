"""What an operator does from a shell: accounts, the trail, new keys, the report."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from edu_platform.cli import audit, keys, report, staff
from edu_platform.core.db import db, reading
from edu_platform.core.sealing import KeyRing
from edu_platform.people.models import Learner
from tests.audit.test_trail import tampering
from tests.cast import sign_in_learner

pytestmark = pytest.mark.database
NEW = "a-new-sealing-key-0123456789-abcdefghij"


@pytest.fixture
def environ(settings, monkeypatch, app):
    monkeypatch.setattr("edu_platform.factory.entry.application", lambda: app)
    monkeypatch.setenv("EDU_ENVIRONMENT", "test")
    monkeypatch.setenv("EDU_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("EDU_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("EDU_SECRET_KEYS", settings.secret_keys[0])
    monkeypatch.setenv("EDU_SEALING_KEYS", settings.sealing_keys[0])


def run(command, *arguments):
    return CliRunner().invoke(command, list(arguments))


def test_an_account_is_made_and_its_password_works(environ, client):
    made = run(staff.command, "add", "li@example.cn", "李审查", "--role", "reviewer")
    assert made.exit_code == 0, made.output
    password = made.output.strip().rsplit("：", 1)[1]
    answer = client.post("/api/v1/staff/sessions", json={"email": "li@example.cn", "password": password})
    assert answer.status_code == 201, answer.json
    again = run(staff.command, "add", "li@example.cn", "李审查", "--role", "reviewer")
    assert again.exit_code == 1
    assert "Traceback" not in again.output


def test_a_tampered_trail_is_named(environ, app):
    run(staff.command, "add", "a@example.cn", "甲", "--role", "editor")
    run(staff.command, "add", "b@example.cn", "乙", "--role", "editor")
    assert run(audit.command).exit_code == 0
    with app.app_context():
        with tampering() as session:
            session.execute(
                text(
                    "UPDATE audit_entry SET actor = 'somebody else' WHERE id = (SELECT min(id) FROM audit_entry)"
                )
            )
        db.session.remove()
    broken = run(audit.command)
    assert broken.exit_code == 1
    assert "第" in broken.output


def test_what_was_sealed_under_the_old_key_opens_with_the_new_one_alone(environ, app, settings, monkeypatch):
    learner_id, _ = sign_in_learner(app, openid="o-keeps-it")
    monkeypatch.setenv("EDU_SEALING_KEYS", f"{NEW},{settings.sealing_keys[0]}")
    done = run(keys.command)
    assert done.exit_code == 0, done.output
    assert "1 人" in done.output
    assert "0 人" in run(keys.command).output
    from edu_platform.people.operations import identity_of

    with app.app_context():
        learner = reading().get_one(Learner, learner_id)
        assert identity_of(KeyRing([NEW]), learner)[0] == "o-keeps-it"
        db.session.remove()


def test_the_report_prints_a_table(environ):
    shown = run(report.command, "everyday")
    assert shown.exit_code == 0, shown.output
    assert "触及人次" in shown.output
    assert run(report.command, "no-such-campaign").exit_code != 0
