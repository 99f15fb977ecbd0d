"""The outbox: wanted in a transaction, run at least once after it."""

from datetime import timedelta

import pytest

from edu_platform.core import jobs
from edu_platform.core.clock import frozen, now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.health import WORKER, beat
from edu_platform.core.models import OutboxMessage
from edu_platform.factory.worker import drain, run_all_due, run_message

ran = []


@jobs.job("test.note")
def note(word):
    ran.append(word)


@jobs.job("test.heavy", is_heavy=True)
def lift(word):
    ran.append(word)


@jobs.job("test.fail")
def fail():
    raise RuntimeError("not today")


@pytest.fixture(autouse=True)
def clean(context):
    ran.clear()


def want(name, **arguments):
    with writing() as session:
        message = jobs.enqueue(session, name, **arguments)
        session.flush()
        return message.id


def test_a_job_runs_after_the_commit_and_once():
    want("test.note", word="a")
    assert run_all_due() == 1
    assert run_all_due() == 0
    assert ran == ["a"]


def test_what_was_rolled_back_is_not_wanted():
    with pytest.raises(ZeroDivisionError), writing() as session:
        jobs.enqueue(session, "test.note", word="a")
        raise ZeroDivisionError
    assert run_all_due() == 0


def test_an_unknown_job_is_refused_when_it_is_wanted():
    with pytest.raises(KeyError):
        want("test.nobody")


def test_a_leased_message_is_nobody_elses_until_the_lease_ends():
    want("test.note", word="a")
    assert drain(lambda *_: None) == 1
    assert drain(run_message) == 0
    with frozen(now() + jobs.LEASE + timedelta(seconds=1)):
        assert run_all_due() == 1
    assert ran == ["a"]


def test_a_stale_lease_runs_nothing():
    message = want("test.note", word="a")
    drain(lambda *_: None)
    assert not run_message(message, "2020-01-01T00:00:00+00:00")
    assert ran == []


def test_a_failure_is_noted_and_tried_later_each_time_longer_then_given_up():
    message = want("test.fail")
    at = now()
    for attempt in range(1, jobs.LARGEST_ATTEMPTS + 1):
        with frozen(at):
            assert drain(run_message) == 1
        db.session.remove()
        row = reading().get_one(OutboxMessage, message)
        assert row.attempts == attempt
        assert "not today" in row.failure
        if row.done_at is None:
            assert row.due_at > at
            at = row.due_at
    assert row.done_at is not None


def test_ready_needs_a_worker_that_was_seen_lately(client, settings):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["checks"]["worker"]) == (503, "failing")
    assert answer.headers["Retry-After"]
    with writing() as session:
        beat(session, WORKER)
    assert client.get("/readyz").json == {
        "status": "ready",
        "checks": {"database": "ok", "worker": "ok", "storage": "ok"},
    }
    with frozen(now() + timedelta(minutes=5)):
        assert client.get("/readyz").status_code == 503


def test_what_was_kept_for_repeats_is_forgotten_after_two_days():
    from sqlalchemy import func, select

    from edu_platform.core.models import IdempotentAnswer
    from edu_platform.core.tasks import prune

    def count():
        db.session.remove()
        return reading().scalar(select(func.count()).select_from(IdempotentAnswer))

    with writing() as session:
        session.add(IdempotentAnswer(actor="a", route="r", key="k", fingerprint=b"", status=200, body=b""))
    with frozen(now() + timedelta(hours=25)):
        prune()
    assert count() == 1
    with frozen(now() + timedelta(hours=49)):
        prune()
    assert count() == 0


def test_a_heavy_job_runs_alone_of_its_kind_and_lets_the_light_ones_pass():
    for word in ("film 1", "film 2"):
        want("test.heavy", word=word)
    want("test.note", word="poster")
    started = []
    assert drain(lambda message, lease: started.append((message, lease))) == 2
    want("test.note", word="another poster")
    assert drain(lambda message, lease: started.append((message, lease))) == 1, (
        "the second film waits for the first"
    )
    for message, lease in started:
        run_message(message, lease)
    assert ran == ["poster", "film 1", "another poster"]
    assert run_all_due() == 1
    assert ran[-1] == "film 2"
