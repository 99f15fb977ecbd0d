"""The outbox: wanted in a transaction, run at least once after it."""

import threading
import time
from datetime import timedelta

import pytest

from edu_platform.core import jobs
from edu_platform.core.clock import frozen, now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import NotNow
from edu_platform.core.health import WORKER, beat
from edu_platform.core.models import OutboxMessage
from edu_platform.factory.worker import Worker, drain, run_all_due, run_message

ran = []


@jobs.job("test.note")
def note(word):
    ran.append(word)


@jobs.job("test.heavy", is_heavy=True)
def lift(word):
    ran.append(word)


@jobs.job("test.away")
def away():
    raise NotNow("the store is away")


@jobs.job("test.patient", is_patient=True)
def wait(word):
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
    assert not run_message(message, 0)
    assert ran == []


def leased(message):
    db.session.remove()
    return reading().get_one(OutboxMessage, message).leased_until


def test_a_lease_is_renewed_by_whoever_holds_it_and_by_nobody_else():
    message = want("test.note", word="a")
    drain(lambda *_: None)
    at = now() + timedelta(seconds=50)
    with writing() as session:
        jobs.renew(session, {message: 2}, at=at)
    assert leased(message) < at + jobs.LEASE
    with writing() as session:
        jobs.renew(session, {message: 1}, at=at)
    assert leased(message) == at + jobs.LEASE
    with frozen(at + timedelta(seconds=1)):
        assert drain(run_message) == 0, "it is still being worked at"


def test_what_is_given_back_is_free_at_once_and_was_no_try():
    message = want("test.note", word="a")
    drain(lambda *_: None)
    with writing() as session:
        jobs.give_back(session, {message: 1})
    assert leased(message) is None
    assert run_all_due() == 1
    assert reading().get_one(OutboxMessage, message).attempts == 1


def wanted_ahead():
    """Have four jobs wanted, claimed, failed and planned by a clock that ran three days ahead; return the planned one."""
    ahead = now() + timedelta(days=3)
    with frozen(ahead):
        waiting = want("test.note", word="wanted by a clock that ran ahead")
        want("test.note", word="claimed by it")
        failed = want("test.note", word="failed under it")
        planned = want("test.note", word="planned", due_at=ahead + timedelta(days=1))
        with writing() as session:
            jobs.claim_due(session, at=now())
            jobs.give_back(session, {waiting: 1})
            jobs.fail(session, failed, at=now(), reason="-")
    return planned


def test_a_clock_set_back_keeps_no_job_waiting():
    planned = wanted_ahead()
    assert run_all_due() == 3
    assert leased(planned) is None
    assert "planned" not in ran


@pytest.mark.control
def test_who_believes_what_a_clock_wrote_that_ran_ahead_waits_for_it(monkeypatch):
    wanted_ahead()
    monkeypatch.setattr(jobs, "LEASE", timedelta(days=9))  # no lease is too long to be true
    monkeypatch.setattr(jobs, "LONGEST_PAUSE", timedelta(days=9))
    assert run_all_due() == 1


def test_passing_trouble_is_waited_out_for_as_long_as_it_takes():
    message = want("test.away")
    at = now()
    for _ in range(jobs.LARGEST_ATTEMPTS + 3):
        with frozen(at):
            assert drain(run_message) == 1
        db.session.remove()
        row = reading().get_one(OutboxMessage, message)
        assert row.done_at is None
        assert row.due_at - at <= jobs.LONGEST_PAUSE
        at = row.due_at


def test_a_worker_claims_no_more_than_it_can_run_and_gives_back_what_it_cannot_end(app, monkeypatch):
    monkeypatch.setattr("edu_platform.factory.worker.GRACE", 0.3)
    waiting = threading.Event()
    monkeypatch.setitem(jobs.registry, "test.note", lambda word: waiting.wait(20))
    messages = [want("test.note", word=word) for word in "abc"]
    worker = Worker(app, threads=2)
    serving = threading.Thread(target=worker.serve)
    serving.start()
    deadline = time.monotonic() + 10
    while sum(leased(message) is not None for message in messages) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.6)
    assert [leased(message) is not None for message in messages] == [True, True, False]
    worker.stop.set()
    serving.join(20)
    assert [leased(message) for message in messages] == [None] * 3
    waiting.set()
    for thread in threading.enumerate():
        if thread.name == "job":
            thread.join(20)


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
        "catalogue_age": 0,
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
    assert drain(lambda *claim: started.append(claim)) == 2
    want("test.note", word="another poster")
    assert drain(lambda *claim: started.append(claim)) == 1, "the second film waits for the first"
    for message, attempt in started:
        run_message(message, attempt)
    assert ran == ["poster", "film 1", "another poster"]
    assert run_all_due() == 1
    assert ran[-1] == "film 2"


def test_a_patient_job_runs_when_nothing_else_is_due():
    want("test.patient", word="paper 1")
    want("test.patient", word="paper 2")
    want("test.heavy", word="film")
    want("test.note", word="poster")
    assert drain(run_message) == 2
    want("test.note", word="another poster")
    assert drain(run_message) == 1
    assert drain(run_message) == 1
    assert ran == ["poster", "film", "another poster", "paper 1"] or ran == [
        "film", "poster", "another poster", "paper 1",
    ]  # fmt: skip


def test_patient_jobs_are_heavy_and_run_one_at_a_time():
    for word in ("paper 1", "paper 2"):
        want("test.patient", word=word)
    assert drain(lambda *_: None) == 1
    assert drain(lambda *_: None) == 0
    with frozen(now() + jobs.LEASE + timedelta(seconds=1)):
        assert run_all_due() == 2


def test_a_film_does_not_start_beside_paper():
    want("test.patient", word="paper")
    assert drain(lambda *_: None) == 1
    want("test.heavy", word="film")
    assert drain(run_message) == 0


@pytest.mark.control("without the job")
def test_finished_jobs_are_forgotten_after_thirty_days_and_no_other():
    from edu_platform.core.tasks import DONE_KEPT, prune

    at = now()
    done, fresh, waiting = (want("test.note", word=word) for word in ("done", "fresh", "waiting"))
    with writing() as session:
        session.get_one(OutboxMessage, done).done_at = at - DONE_KEPT - timedelta(seconds=1)
        session.get_one(OutboxMessage, fresh).done_at = at - DONE_KEPT + timedelta(seconds=1)
        session.get_one(OutboxMessage, waiting).created_at = at - 2 * DONE_KEPT

    def left():
        db.session.remove()
        return {message for message in (done, fresh, waiting) if reading().get(OutboxMessage, message)}

    assert left() == {done, fresh, waiting}, "the control: without the job all of them stay"
    with frozen(at):
        prune()
        assert left() == {fresh, waiting}
        prune()
    assert left() == {fresh, waiting}
