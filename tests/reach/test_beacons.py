"""POST /api/v1/beacons."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from edu_platform.campaigns.rules import Rule
from edu_platform.core.db import db, reading
from edu_platform.core.shared_commit import Ticket
from edu_platform.core.vocabulary import Channel, DeclaredAudience
from edu_platform.reach.models import Beacon, Scope, Suspicion
from edu_platform.reach.operations import shared_commit
from edu_platform.reach.rules import intake
from edu_platform.reach.rules.choices import By, Suspects
from tests.cast import sign_in_learner, staff_member, visitor


def log_of(app) -> dict[str, Beacon]:
    with app.app_context():
        return {row.beacon_id: row for row in reading().scalars(select(Beacon))}


def test_a_batch_counts_once_however_often_it_is_sent(app, house, send):
    _, headers = sign_in_learner(app)
    batch = [{"id": f"n{n}", "piece": "hang-up-first"} for n in range(3)]
    first, again = send(headers, *batch), send(headers, *batch, {"id": "n3"})
    assert first.json == {"accepted": 3, "duplicate": 0, "refused": []}
    assert again.json == {"accepted": 1, "duplicate": 3, "refused": []}
    assert house.figures().totals.person_times == 4


def test_the_same_id_of_another_learner_is_another_beacon(app, house, send):
    for _ in range(2):
        assert send(sign_in_learner(app)[1], {"id": "same"}).json["accepted"] == 1
    assert house.figures().totals.persons == 2


def test_twice_in_one_batch_is_once(app, house, send):
    answer = send(visitor(app)[1], {"id": "a"}, {"id": "a"})
    assert answer.json == {"accepted": 1, "duplicate": 1, "refused": []}


REFUSED = [
    ({"action": "quiz_pass"}, "action", "not_by_beacon"),
    ({"action": "favourite"}, "action", "not_by_beacon"),
    ({"action": "stare"}, "action", "unknown_action"),
    ({"action": ["view"]}, "action", "unknown_action"),
    ({"piece": "no-such-piece"}, "piece", "unknown_piece"),
    ({"piece": "not-yet"}, "piece", "unknown_piece"),
    ({"piece": "../etc"}, "piece", "unknown_piece"),
    ({"piece": None}, "piece", "unknown_piece"),
    ({"piece": "\ud800"}, "piece", "unknown_piece"),
    ({"action": "\ud800"}, "action", "unknown_action"),
    ({"occurred_at": "\ud800"}, "occurred_at", "bad_time"),
    ({"channel": "\ud800"}, "channel", "unknown_channel"),
    ({"\ud800": 1}, "beacon", "unknown_field"),
    ({"campaign": "no-such"}, "campaign", "unknown_campaign"),
    ({"campaign": "secret"}, "campaign", "unknown_campaign"),
    ({"channel_code": "ZZZZZZ"}, "channel_code", "unknown_channel_code"),
    ({"channel_code": "c:HALL22"}, "channel_code", "unknown_channel_code"),
    ({"channel": "telepathy"}, "channel", "unknown_channel"),
    ({"dwell_ms": -1}, "dwell_ms", "bad_dwell"),
    ({"dwell_ms": 1.5}, "dwell_ms", "bad_dwell"),
    ({"dwell_ms": True}, "dwell_ms", "bad_dwell"),
    ({"dwell_ms": 2**63}, "dwell_ms", "bad_dwell"),
    ({"occurred_at": "yesterday"}, "occurred_at", "bad_time"),
    ({"occurred_at": "2026-03-15T12:00:00"}, "occurred_at", "bad_time"),
    ({"occurred_at": 1773547200}, "occurred_at", "bad_time"),
    ({"occurred_at": "2026-03-15T12:02:01+08:00"}, "occurred_at", "in_future"),
    ({"occurred_at": "9999-12-31T23:59:59-08:00"}, "occurred_at", "in_future"),
    ({"occurred_at": "0001-01-01T00:00:00+08:00"}, "occurred_at", "too_old"),
    ({"occurred_at": "2026-03-08T11:59:59+08:00"}, "occurred_at", "too_old"),
    ({"id": "a:b"}, "id", "bad_id"),
    ({"id": "a\n"}, "id", "bad_id"),
    ({"id": "a" * 65}, "id", "bad_id"),
    ({"id": ""}, "id", "bad_id"),
    ({"id": 7}, "id", "bad_id"),
    ({"openid": "x"}, "openid", "unknown_field"),
]


def test_each_refused_one_is_named_and_the_rest_count(app, house, send):
    _, headers = visitor(app)
    for number, (wrong, field, code) in enumerate(REFUSED):
        answer = send(headers, {"id": f"good{number}"}, {"id": "bad", **wrong}, {"id": f"fine{number}"})
        assert answer.status_code == 200
        assert (answer.json["accepted"], answer.json["duplicate"]) == (2, 0), wrong
        [refused] = answer.json["refused"]
        assert (refused["index"], refused["field"], refused["code"]) == (1, field, code)
        assert refused["id"] == (None if field == "id" else "bad")
        assert any("\u4e00" <= character <= "\u9fff" for character in refused["reason"])
    assert set(log_of(app)) == {f"{word}{n}" for word in ("good", "fine") for n in range(len(REFUSED))}


def test_a_missing_field_and_no_object_are_named_too(app, house, send):
    answer = send(visitor(app)[1], 5, [], None, "x", {"id": "a", "action": None})
    assert [(r["index"], r["id"], r["code"]) for r in answer.json["refused"]] == [
        (0, None, "not_an_object"), (1, None, "not_an_object"), (2, None, "not_an_object"),
        (3, None, "not_an_object"), (4, "a", "unknown_action"),
    ]  # fmt: skip
    headers = visitor(app)[1]
    body = {"sent_at": house.clock().isoformat(), "beacons": [{"id": "a"}]}
    answer = app.test_client().post("/api/v1/beacons", json=body, headers=headers)
    assert (answer.json["refused"][0]["field"], answer.json["refused"][0]["code"]) == ("action", "required")


NO_BATCH = [
    ([], "body", "not_an_object"),
    ({"beacons": [{}]}, "sent_at", "required"),
    ({"sent_at": "2026-03-15T12:00:00+08:00"}, "beacons", "required"),
    ({"sent_at": "2026-03-15T12:00:00+08:00", "beacons": []}, "beacons", "too_few"),
    ({"sent_at": "2026-03-15T12:00:00+08:00", "beacons": {}}, "beacons", "not_a_list"),
    ({"sent_at": "2026-03-15T12:00:00+08:00", "beacons": [{}] * 101}, "beacons", "too_many"),
    ({"sent_at": "2026-03-15T12:00:00+08:00", "beacons": [[]], "x": 1}, "x", "unknown_field"),
    ({"sent_at": "2026-03-15T12:00:00+08:00", "beacons": [[]], "": 1}, "body", "unknown_field"),
    ({"sent_at": "noon", "beacons": [{}]}, "sent_at", "bad_time"),
    ({"sent_at": "2024-03-15T12:00:00+08:00", "beacons": [{}]}, "sent_at", "absurd_clock"),
    ({"sent_at": "9999-03-15T12:00:00+08:00", "beacons": [{}]}, "sent_at", "absurd_clock"),
]


def test_what_is_no_batch_at_all_is_refused_whole(app, house):
    _, headers = visitor(app)
    for body, where, code in NO_BATCH:
        answer = app.test_client().post("/api/v1/beacons", json=body, headers=headers)
        assert answer.status_code == 422
        assert [(e["field"], e["code"]) for e in answer.json["errors"]] == [(where, code)]
    assert log_of(app) == {}


UNREADABLE = [
    (b"{", "application/json", 400),
    (b"\xff", "application/json", 400),
    (b'{"sent_at": NaN, "beacons": []}', "application/json", 400),
    (
        b'{"sent_at":"2026-03-15T12:00:00+08:00","sent_at":"2026-03-15T12:00:00+08:00","beacons":[]}',
        "application/json",
        400,
    ),
    (
        b'{"sent_at":"2026-03-15T12:00:00+08:00","beacons":[{"id":"a","id":"b","action":"view","occurred_at":"2026-03-15T12:00:00+08:00"}]}',
        "application/json",
        400,
    ),
    (b"[" * 60_000, "application/json", 400),
    (b'{"beacons":' * 5_000, "application/json", 400),
    (b'{"beacons":[' + b'{"a":' * 5_000, "application/json", 400),
    (b"{}", "text/plain", 415),
    (b"{}", "application/json; charset=gbk", 415),
    (b"", "", 415),
]


def test_what_cannot_be_read_is_a_clear_4xx(app, house):
    _, headers = visitor(app)
    for raw, type_, status in UNREADABLE:
        answer = app.test_client().post(
            "/api/v1/beacons", data=raw, headers={**headers, "Content-Type": type_}
        )
        assert answer.status_code == status, raw
    assert log_of(app) == {}


def test_ten_thousand_beacons_are_refused_before_any_is_looked_at(app, house, monkeypatch):
    from edu_platform.reach.api import learner

    monkeypatch.setattr(learner, "read_json", lambda: pytest.fail("looked inside"))
    body = {"sent_at": house.clock().isoformat(), "beacons": [{"id": 5}] * 10_000}
    answer = app.test_client().post("/api/v1/beacons", json=body, headers=visitor(app)[1])
    assert answer.json["errors"][0]["code"] == "too_many"


def test_only_learners_send(app, house, send):
    assert send({}, {"id": "a"}).status_code == 401
    assert send(staff_member(app)[1], {"id": "a"}).status_code == 403


def test_a_clock_that_is_off_is_corrected_and_marked(app, house, send, clock):
    wrong = timedelta(hours=5)
    theirs = clock() - wrong
    occurred = (theirs - timedelta(minutes=3)).isoformat()
    answer = send(visitor(app)[1], {"id": "a", "occurred_at": occurred}, sent_at=theirs)
    assert answer.json["accepted"] == 1
    row = log_of(app)["a"]
    assert row.occurred_at == clock() - timedelta(minutes=3)
    assert (row.skewed, row.skew_ms) == (True, int(wrong.total_seconds() * 1000))


def test_a_future_clock_is_corrected_but_the_future_itself_is_not(app, house, send, clock):
    theirs = clock() + timedelta(days=300)
    answer = send(
        visitor(app)[1],
        {"id": "now", "occurred_at": theirs.isoformat()},
        {"id": "next", "occurred_at": (theirs + timedelta(minutes=3)).isoformat()},
        sent_at=theirs,
    )
    assert answer.json["accepted"] == 1
    assert [r["id"] for r in answer.json["refused"]] == ["next"]
    assert log_of(app)["now"].occurred_at == clock()


def test_a_delay_of_the_network_is_no_skew(app, house, send, clock):
    send(visitor(app)[1], {"id": "a"}, sent_at=clock() - timedelta(seconds=59))
    row = log_of(app)["a"]
    assert (row.skewed, row.skew_ms, row.occurred_at) == (False, 59_000, clock())


def test_the_day_is_the_branchs(app, house, send, clock):
    send(
        visitor(app)[1],
        {"id": "before", "occurred_at": "2026-03-14T15:59:59.999Z"},
        {"id": "after", "occurred_at": "2026-03-14T16:00:00Z"},
    )
    rows = log_of(app)
    assert [rows[name].day.isoformat() for name in ("before", "after")] == ["2026-03-14", "2026-03-15"]


def test_the_rule_that_applied_is_recorded(app, house, send):
    send(
        visitor(app)[1],
        {"id": "named", "campaign": "rights-week"},
        {"id": "coded", "channel_code": "HALL22"},
        {"id": "carried", "piece": "hang-up-first"},
        {"id": "everyday", "piece": "plain-words"},
        {"id": "not-open", "campaign": "later", "channel_code": "LATER1"},
    )
    rows = log_of(app)
    ours = house.campaign_id
    assert {name: (row.campaign_id, row.rule) for name, row in rows.items()} == {
        "named": (ours, Rule.NAMED),
        "coded": (ours, Rule.CHANNEL_CODE),
        "carried": (ours, Rule.CARRIES_PIECE),
        "everyday": (0, Rule.EVERYDAY),
        "not-open": (0, Rule.EVERYDAY),
    }


def test_the_channel_is_the_beacons_then_the_codes_then_the_sessions(app, house, send):
    send(
        visitor(app, Channel.APP)[1],
        {"id": "own", "channel": "offline", "channel_code": "HALL22"},
        {"id": "code", "channel_code": "HALL22"},
        {"id": "session"},
    )
    assert {name: row.channel for name, row in log_of(app).items()} == {
        "own": Channel.OFFLINE, "code": Channel.HALL_SCREEN, "session": Channel.APP,
    }  # fmt: skip


def test_the_audience_is_what_is_declared_at_that_time(app, house, send):
    _, headers = sign_in_learner(app, audience=DeclaredAudience.UNKNOWN)
    send(headers, {"id": "a", "piece": "hang-up-first"})  # tagged for the young
    changed = app.test_client().put("/api/v1/me", json={"audience": "elderly"}, headers=headers)
    assert changed.status_code == 200, changed.json
    send(headers, {"id": "b", "piece": "hang-up-first"})
    rows = log_of(app)
    assert [rows[name].audience for name in "ab"] == [DeclaredAudience.UNKNOWN, DeclaredAudience.ELDERLY]


def test_scopes_are_kept_apart(app, house, send):
    send(visitor(app)[1], {"id": "a"})
    send(sign_in_learner(app)[1], {"id": "a"})
    with app.app_context():
        assert sorted(row.scope for row in reading().scalars(select(Beacon))) == [
            Scope.ANONYMOUS,
            Scope.IDENTIFIED,
        ]


def test_what_is_left_out_is_null_in_the_log_and_nought_is_nought(app, house, send):
    send(visitor(app)[1], {"id": "a"}, {"id": "b", "dwell_ms": 0})
    rows = log_of(app)
    assert [(rows[name].dwell_ms, rows[name].suspicion, rows[name].skewed) for name in "ab"] == [
        (None, None, False),
        (0, None, False),
    ]


def test_dwelling_is_capped(app, house, send):
    send(visitor(app)[1], {"id": "a", "dwell_ms": 10**9}, {"id": "b", "dwell_ms": 1500})
    rows = log_of(app)
    assert (rows["a"].dwell_ms, rows["b"].dwell_ms) == (intake.LARGEST_DWELL_MS, 1500)


def test_a_flood_is_marked_kept_and_left_out(app, house, send, clock):
    _, headers = visitor(app)
    for batch in range(4):
        assert send(headers, *({"id": f"{batch}-{n}"} for n in range(100))).json["accepted"] == 100
    found = house.figures(By.ACTION)
    assert (found.totals.person_times, found.left_out.person_times) == (300, 100)
    assert house.figures(suspects=Suspects.INCLUDE).totals.person_times == 400
    assert {row.suspicion for row in log_of(app).values()} == {None, Suspicion.FLOOD_MINUTE}
    clock.later(minutes=1)
    send(headers, {"id": "calm"})
    assert log_of(app)["calm"].suspicion is None


def test_repeats_do_not_make_a_flood(app, house, send):
    _, headers = visitor(app)
    for _ in range(5):
        send(headers, *({"id": f"n{n}"} for n in range(100)))
    assert house.figures().totals.person_times == 100


def test_what_was_read_before_a_piece_was_withdrawn_still_counts(app, house, send):
    from edu_platform.core.db import writing
    from edu_platform.library import operations

    with app.app_context(), writing() as session:
        operations.withdraw(session, operations.piece_of(session, "plain-words"), by=1, reason="有误")
    assert send(visitor(app)[1], {"id": "a", "piece": "plain-words"}).json["accepted"] == 1


def test_before_it_was_published_nobody_can_have_read_it(app, house, send, clock):
    from tests.campaigns import publishing

    publishing.draft(app, "fresh")
    answer = send(
        visitor(app)[1],
        {"id": "a", "piece": "fresh", "occurred_at": (clock() - timedelta(hours=1)).isoformat()},
        {"id": "b", "piece": "fresh"},
    )
    assert [r["id"] for r in answer.json["refused"]] == ["a"]


def test_thirty_threads_with_the_same_batch_count_it_once(app, house, send):
    _, headers = visitor(app)
    batch = [{"id": f"n{n}"} for n in range(20)]
    answers, start = [], threading.Barrier(30)

    def run() -> None:
        start.wait()
        answers.append(send(headers, *batch))

    threads = [threading.Thread(target=run) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json["accepted"] for answer in answers) == 20
    assert sum(answer.json["duplicate"] for answer in answers) == 580
    assert house.figures().totals == type(house.figures().totals)(20, 1, 0, 0)


def test_many_learners_share_commits_and_lose_nothing(app, house, send):
    people = [visitor(app)[1] for _ in range(12)]
    answers, start = [], threading.Barrier(len(people))

    def run(headers: dict[str, str]) -> None:
        start.wait()
        answers.extend(send(headers, {"id": f"n{n}", "piece": "hang-up-first"}) for n in range(5))

    threads = [threading.Thread(target=run, args=(headers,)) for headers in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.json["accepted"] for answer in answers] == [1] * 60
    found = house.figures(campaign_id=house.campaign_id)
    assert (found.totals.person_times, found.totals.persons) == (60, 12)
    with app.app_context():
        ids = list(reading().scalars(select(Beacon.id).order_by(Beacon.id)))
    assert all(b > a for a, b in pairwise(ids))


def test_one_that_cannot_be_stored_fails_alone(app, house, monkeypatch):
    """Whoever shares a commit with a submission that breaks the database still gets theirs stored."""
    ids = [visitor(app)[0] for _ in range(3)]
    with app.app_context():
        shared = shared_commit.SharedCommit(db.engine)
        when = int(datetime(2026, 3, 15, tzinfo=UTC).timestamp() * 1000)

        def submission(learner_id: int, **broken: object) -> shared_commit.Submission:
            deed = shared_commit_deed(when)._replace(**broken)
            return shared_commit.Submission(learner_id, [deed])

        tickets = [
            Ticket(submission(ids[0])),
            Ticket(submission(ids[1], action=None)),
        ]
        shared._waiting.extend(tickets)
        assert shared.append(submission(ids[2])).accepted == 1
        assert [ticket.alone for ticket in tickets] == [True, True]
        assert set(log_of(app)) == {"x"}
        assert len(log_rows()) == 1


def shared_commit_deed(when: int):
    from edu_platform.core.vocabulary import Action
    from edu_platform.reach.operations.log import deed

    return deed(
        beacon_id="x", occurred_at=when, received_at=when, campaign_id=0, rule=3, piece_id=0,
        audience=DeclaredAudience.UNKNOWN, channel=Channel.APP, action=Action.VIEW, scope=Scope.ANONYMOUS,
    )  # fmt: skip


def log_rows() -> list[Beacon]:
    return list(reading().scalars(select(Beacon)))


def test_an_answer_is_given_only_after_the_commit(app, house, send, monkeypatch):
    """When everything was written but the commit fails, nobody is told that it counted, and a repeat counts once."""
    _, headers = visitor(app)
    whole = shared_commit.append

    def written_then_lost(*arguments: object, **how: object) -> None:
        whole(*arguments, **how)
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(shared_commit, "append", written_then_lost)
        assert send(headers, {"id": "a"}).status_code == 500
    assert log_of(app) == {}
    assert send(headers, {"id": "a"}).json == {"accepted": 1, "duplicate": 0, "refused": []}


def test_somebody_erased_meanwhile_is_refused_and_gets_no_new_number(app, house):
    from edu_platform.core.db import writing
    from edu_platform.people.models import Learner

    learner_id, _ = visitor(app)
    with app.app_context():
        with writing() as session:
            session.get_one(Learner, learner_id).erased_at = house.clock()
        shared = shared_commit.SharedCommit(db.engine)
        outcome = shared.append(shared_commit.Submission(learner_id, [shared_commit_deed(1_773_547_200_000)]))
        assert outcome.gone
        assert log_rows() == []
