"""Person-times and persons equal a naive recount, whatever the order, repetition, batches, merges and erasures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64
from sqlalchemy import delete, event, select, text, update
from sqlalchemy.orm import Session

from edu_platform.core.clock import ZONE, now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.vocabulary import ACTIONS, Action, Channel, DeclaredAudience
from edu_platform.people.models import Learner
from edu_platform.people.signals import Merged
from edu_platform.reach.models import (
    EVERYWHERE,
    NUMBERS,
    Beacon,
    BeaconArchive,
    Family,
    FoldMark,
    LearnerNumber,
    PersonNumber,
    Scope,
    Span,
    TallyPage,
    UnsettledAlias,
    milliseconds,
)
from edu_platform.reach.operations import aliases, fold, log, numbers, report
from edu_platform.reach.operations import roll_up as roll_up_operations
from edu_platform.reach.operations.report import Asked
from edu_platform.reach.rules import grouping, intake, windows
from edu_platform.reach.rules.choices import By, ScopeChoice, Source, Suspects
from edu_platform.reach.rules.sheets import Numbers
from tests.cast import sign_in_learner, visitor

FIRST, LAST = date(2026, 2, 25), date(2026, 4, 3)
MIDNIGHTS = [datetime(2026, 3, day, tzinfo=ZONE) for day in (1, 15, 16)] + [datetime(2026, 4, 1, tzinfo=ZONE)]
MOMENTS = [
    midnight + timedelta(milliseconds=ms) for midnight in MIDNIGHTS for ms in (-1000, -1, 0, 1, 36_000_000)
]


@dataclass
class Row:
    """What the model remembers of a counted beacon; it shares no code with the fold."""

    learner: int
    beacon_id: str
    at: datetime
    campaign: int
    audience: DeclaredAudience
    channel: Channel
    piece: int
    action: Action
    scope: Scope


@dataclass
class Model:
    rows: list[Row] = field(default_factory=list)
    became: dict[int, int] = field(default_factory=dict)
    numbered: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)

    def person(self, learner: int) -> int:
        return self.became.get(learner, learner)

    def send(self, rows: list[Row]) -> int:
        accepted = 0
        for row in rows:
            if row.learner in self.gone and row.learner not in self.numbered:
                continue
            self.numbered.add(row.learner)
            if any(
                self.person(known.learner) == self.person(row.learner) and known.beacon_id == row.beacon_id
                for known in self.rows
            ):
                continue
            self.rows.append(row)
            accepted += 1
        return accepted

    def expected(self, asked: Asked) -> tuple[Numbers, dict[int, Numbers]]:
        chosen = [
            row
            for row in self.rows
            if asked.first <= row.at.astimezone(ZONE).date() <= asked.last
            and (asked.campaign_id is None or row.campaign == asked.campaign_id)
            and (asked.scope is ScopeChoice.ALL or row.scope.value == asked.scope.value)
            and all(self.value(row, family) == value for family, value in asked.filters.items())
        ]
        keys = {self.key(row, asked.by) for row in chosen}
        return self.numbers(chosen), {
            key: self.numbers([row for row in chosen if self.key(row, asked.by) == key]) for key in keys
        }

    def numbers(self, rows: list[Row]) -> Numbers:
        reach = [row for row in rows if not ACTIONS[row.action].participation]
        taken = [row for row in rows if ACTIONS[row.action].participation]
        return Numbers(
            len(reach),
            len({self.person(row.learner) for row in reach}),
            len(taken),
            len({self.person(row.learner) for row in taken}),
        )

    def key(self, row: Row, by: By) -> int:
        if by is By.DAY:
            return (row.at.astimezone(ZONE).date() - date(1970, 1, 1)).days
        return self.value(row, Family(by.value))

    @staticmethod
    def value(row: Row, family: Family) -> int:
        return {
            Family.AUDIENCE: NUMBERS[DeclaredAudience][row.audience],
            Family.CHANNEL: NUMBERS[Channel][row.channel],
            Family.PIECE: row.piece,
            Family.ACTION: NUMBERS[Action][row.action],
        }[family]


def deed_of(row: Row) -> log.Deed:
    return log.deed(
        beacon_id=row.beacon_id,
        occurred_at=milliseconds(row.at),
        received_at=milliseconds(row.at),
        campaign_id=row.campaign,
        rule=3,
        audience=row.audience,
        channel=row.channel,
        piece_id=row.piece,
        action=row.action,
        scope=row.scope,
    )


def send(rows: list[Row]) -> int:
    """Send rows as one shared commit, one submission for each run of rows of the same learner."""
    submissions: list[log.Submission] = []
    for row in rows:
        if not submissions or submissions[-1].learner_id != row.learner:
            submissions.append(log.Submission(row.learner, [], paced=False))
        submissions[-1].deeds = [*submissions[-1].deeds, deed_of(row)]
    with writing() as session:
        return sum(outcome.accepted for outcome in log.append(session.connection(), submissions))


def fold_once(most: int = fold.MOST_AT_ONCE) -> int:
    gathered = fold.gather(reading(), most=most)
    if gathered is None:
        return 0
    with writing() as session:
        assert fold.settle(session, gathered)
    return gathered.beacons


def roll_up(today: date) -> int:
    """Make what is over by `today`; return how many months and years that were."""
    made = 0
    while (one := roll_up_operations.due(reading(), today=today)) is not None:
        rolled = roll_up_operations.gather_span(reading(), *one)
        with writing() as session:
            assert roll_up_operations.settle_span(session, rolled)
        made += 1
    reading().rollback()
    return made


def merge(visitor_id: int, learner_id: int) -> None:
    with writing() as session:
        session.execute(update(Learner).where(Learner.id == visitor_id).values(merged_into_id=learner_id))
        numbers.on_learner_merged(session, Merged(visitor_id, learner_id))


def erase(learner_id: int) -> None:
    with writing() as session:
        session.execute(
            update(Learner)
            .where(Learner.id == learner_id)
            .values(erased_at=now(), person_key=None, openid_hash=None, openid_sealed=None)
        )
        numbers.forget(session, learner_id)


def unguard(session: Session) -> None:
    """Let the log be emptied, as the database itself does not."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL session_replication_role = replica"))
    else:
        session.execute(text("DROP TRIGGER IF EXISTS beacon_no_delete"))


def clear() -> None:
    with writing() as session:
        unguard(session)
        for table in (Beacon, TallyPage, FoldMark, LearnerNumber, UnsettledAlias, PersonNumber):
            session.execute(delete(table))
        session.execute(update(Learner).values(merged_into_id=None, erased_at=None))
    db.session.remove()


def assert_equal(model: Model, asked: Asked, source: Source | None = None) -> None:
    found = report.figures(reading(), asked)
    totals, rows = model.expected(asked)
    assert found.totals == totals
    assert found.rows == rows
    assert found.totals.person_times == sum(row.person_times for row in found.rows.values())
    assert found.totals.participations == sum(row.participations for row in found.rows.values())
    assert found.left_out == Numbers()
    if source is not None:
        assert found.source is source
    reading().rollback()


IDENTIFIED, VISITORS = 2, 3


@pytest.fixture
def learners(app: Flask) -> list[int]:
    people = [sign_in_learner(app)[0] for _ in range(IDENTIFIED)] + [visitor(app)[0] for _ in range(VISITORS)]
    with app.app_context():
        yield people


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, str, datetime, int, DeclaredAudience, Channel, int, Action]:
    return (
        draw(st.integers(0, IDENTIFIED + VISITORS - 1)),
        draw(st.sampled_from("abcdefgh")),
        draw(st.sampled_from(MOMENTS)),
        draw(st.integers(0, 2)),
        draw(st.sampled_from(list(DeclaredAudience))),
        draw(st.sampled_from(list(Channel))),
        draw(st.integers(0, 3)),
        draw(st.sampled_from(list(Action))),
    )


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(rows(), min_size=1, max_size=12)),
        st.tuples(st.just("repeat"), st.integers(0, 9)),
        st.tuples(st.just("fold"), st.integers(1, 9)),
        st.tuples(st.just("merge"), st.integers(0, VISITORS - 1), st.integers(0, IDENTIFIED - 1)),
        st.tuples(st.just("erase"), st.integers(0, IDENTIFIED - 1)),
        st.tuples(st.just("settle")),
        st.tuples(st.just("roll up"), st.sampled_from([date(2026, 4, 11), date(2027, 2, 1)])),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=steps,
    opening=st.integers(0, 40),
    length=st.integers(0, 40),
    by=st.sampled_from(list(By)),
    scope=st.sampled_from(list(ScopeChoice)),
)
def test_every_figure_equals_a_naive_recount(learners, steps, opening, length, by, scope):
    clear()
    model = Model()
    sent: list[list[Row]] = []
    for step in steps:
        match step:
            case ("send", drawn):
                batch = [
                    Row(learners[who], *facts, Scope.IDENTIFIED if who < IDENTIFIED else Scope.ANONYMOUS)
                    for who, *facts in drawn
                ]
                sent.append(batch)
                assert send(batch) == model.send(batch)
            case ("repeat", which) if sent:
                batch = sent[which % len(sent)]
                assert send(batch) == model.send(batch)
            case ("fold", most):
                fold_once(most)
            case ("settle",):
                with writing() as session:
                    aliases.settle_aliases(session)
            case ("roll up", today):
                roll_up(today)
            case ("merge", v, l):
                visitor_id, learner_id = learners[IDENTIFIED + v], learners[l]
                if visitor_id not in model.gone and learner_id not in model.gone:
                    merge(visitor_id, learner_id)
                    model.became[visitor_id] = learner_id
                    model.gone.add(visitor_id)
                    if visitor_id in model.numbered:
                        model.numbered.add(learner_id)
            case ("erase", l):
                erase(learners[l])
                model.gone.add(learners[l])
                model.numbered -= {learners[l], *(v for v, to in model.became.items() if to == learners[l])}
    first = FIRST + timedelta(days=opening)
    asked = Asked(first, first + timedelta(days=length), None, by, scope)
    assert_equal(model, asked, Source.TALLIES)
    assert_equal(model, Asked(FIRST, LAST, 1, by, scope), Source.TALLIES)
    assert_equal(model, Asked(FIRST, LAST, 0, by, scope, filters={Family.CHANNEL: 0}))
    assert_equal(
        model,
        Asked(FIRST, LAST, None, by, scope, filters={Family.CHANNEL: 0, Family.AUDIENCE: 1}),
        Source.LOG,
    )
    while fold_once():
        pass
    assert_equal(model, asked, Source.TALLIES)
    assert_equal(model, Asked(FIRST, LAST, None, by, scope))
    with writing() as session:
        aliases.settle_aliases(session)
    assert aliases.unsettled(reading()) == {}
    assert_equal(model, asked, Source.TALLIES)
    roll_up(date(2027, 2, 1))
    year = Asked(date(2026, 1, 1), date(2026, 12, 31), None, by, scope)
    for one_more in (asked, year, replace(year, campaign_id=2), replace(year, suspects=Suspects.INCLUDE)):
        assert_equal(model, one_more, Source.TALLIES)


def one(learner: int, name: str, at: datetime, action: Action = Action.VIEW, campaign: int = 0) -> Row:
    return Row(
        learner, name, at, campaign, DeclaredAudience.UNKNOWN, Channel.WEBSITE, 1, action, Scope.ANONYMOUS
    )


MARCH = datetime(2026, 3, 10, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 2, 12, tzinfo=UTC)


@pytest.mark.control
def test_a_fold_that_forgot_repeats_would_differ(learners):
    """The negative control: without the log's de-duplication the same batch twice counts twice."""
    batch = [one(learners[0], name, MARCH) for name in "abc"]
    send(batch)
    columns = grouping.Columns.of(
        [(row[0], row[1], row[2]) for row in 2 * fold.read_log(reading().connection(), "id > ?", (0,))]
    )
    found = grouping.pages(columns, [Family.WHOLE])[Family.WHOLE]
    doubled = sum(
        int(page.figures[:, grouping.TIMES : grouping.PERSONS].sum())
        for (_, campaign_id), page in found.items()
        if campaign_id == EVERYWHERE
    )
    send(batch)
    fold_once()
    right = report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals.person_times
    assert (right, doubled) == (3, 6)


def test_persons_of_two_months_are_a_union(learners):
    send([one(learners[0], "a", MARCH), one(learners[1], "b", MARCH), one(learners[0], "c", APRIL)])
    fold_once()
    assert (
        report.figures(reading(), Asked(date(2026, 3, 1), date(2026, 3, 31), None, By.DAY)).totals.persons
        == 2
    )
    assert (
        report.figures(reading(), Asked(date(2026, 4, 1), date(2026, 4, 30), None, By.DAY)).totals.persons
        == 1
    )
    for by in By:
        both = report.figures(reading(), Asked(date(2026, 3, 1), date(2026, 4, 30), None, by)).totals
        assert (both.person_times, both.persons) == (3, 2)


def test_reach_and_participation_are_never_mixed(learners):
    send([one(learners[0], "a", MARCH), one(learners[1], "b", MARCH, Action.SHARE)])
    found = report.figures(reading(), Asked(FIRST, LAST, None, By.ACTION))
    assert found.totals == Numbers(1, 1, 1, 1)
    assert found.rows == {
        NUMBERS[Action][Action.VIEW]: Numbers(1, 1, 0, 0),
        NUMBERS[Action][Action.SHARE]: Numbers(0, 0, 1, 1),
    }


def test_a_fold_that_dies_between_log_and_tallies_counts_once(learners):
    send([one(learners[0], name, MARCH) for name in "abc"])
    gathered = fold.gather(reading())
    with pytest.raises(RuntimeError), writing() as session:
        fold.settle(session, gathered)
        raise RuntimeError("killed before the commit")
    assert report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals.person_times == 3
    assert fold_once() == 3
    assert fold_once() == 0
    assert report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals.person_times == 3


def test_the_same_piece_of_the_log_settles_only_once(learners):
    send([one(learners[0], name, MARCH) for name in "abc"])
    first, second = fold.gather(reading()), fold.gather(reading())
    with writing() as session:
        assert fold.settle(session, first)
    with writing() as session:
        assert not fold.settle(session, second)
    assert report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals.person_times == 3


def test_a_second_device_raises_no_persons_when_it_signs_in(learners):
    person, phone, tablet = learners[0], learners[2], learners[3]
    send([one(person, "a", MARCH), one(phone, "b", MARCH), one(tablet, "c", MARCH)])
    fold_once()
    counts = []
    for step in (lambda: None, lambda: merge(phone, person), lambda: merge(tablet, person)):
        step()
        counts.append(report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals)
        reading().rollback()
    assert [c.persons for c in counts] == [3, 2, 1]
    assert {c.person_times for c in counts} == {3}


@pytest.mark.control("pages alone")
def test_what_became_anothers_is_replaced_in_days_months_and_years(learners):
    """With the control: what is written on the pages alone counts one person twice until then."""
    person, phone = learners[0], learners[2]
    send([one(person, "a", MARCH), one(phone, "b", MARCH, campaign=7), one(phone, "c", APRIL)])
    fold_once()
    assert roll_up(date(2027, 2, 1)) == 3  # two months, one year
    merge(phone, person)

    def written(span: Span) -> list[int]:
        chosen = select(TallyPage.figures).where(
            TallyPage.family == Family.WHOLE, TallyPage.span == span, TallyPage.campaign_id == EVERYWHERE
        )
        kept = reading().scalars(chosen.order_by(TallyPage.starts)).all()
        reading().rollback()
        return [
            int(grouping.Page.read(one_more, BitMap64().serialize()).figures[:, 5:7].sum())
            for one_more in kept
        ]

    asked = Asked(date(2026, 1, 1), date(2026, 12, 31), None, By.DAY)
    assert (written(Span.DAY), written(Span.MONTH), written(Span.YEAR)) == ([2, 1], [2, 1], [2])
    assert report.figures(reading(), asked).totals.persons == 1
    with writing() as session:
        assert aliases.settle_aliases(session) == 1
    assert (written(Span.DAY), written(Span.MONTH), written(Span.YEAR)) == ([1, 1], [1, 1], [1])
    assert report.figures(reading(), asked).totals.persons == 1
    with writing() as session:
        assert aliases.settle_aliases(session) == 0


@pytest.mark.control("the log alone")
def test_what_became_anothers_is_replaced_on_days_whose_log_is_archived(learners, monkeypatch):
    """With the control: whoever only asks the log misses them."""
    person, phone = learners[0], learners[2]
    send([one(person, "a", MARCH), one(phone, "b", MARCH, campaign=7)])
    fold_once()
    with writing() as session:
        unguard(session)
        session.execute(delete(Beacon))
        session.add(
            BeaconArchive(
                first_id=1, last_id=2, first_day=MARCH.date(), last_day=MARCH.date(), beacons=2,
                digest="x", size=1, archived_at=now(), dropped_at=now(),
            )
        )  # fmt: skip
    merge(phone, person)
    asked = Asked(FIRST, LAST, None, By.DAY)
    with monkeypatch.context() as patched:
        patched.setattr(aliases, "_archived_places", lambda session, numbers: set())
        assert report.figures(reading(), asked).totals.persons == 2
    reading().rollback()
    assert report.figures(reading(), asked).totals.persons == 1
    with writing() as session:
        assert aliases.settle_aliases(session) == 1
    assert report.figures(reading(), asked).totals.persons == 1
    with writing() as session:
        session.execute(delete(BeaconArchive))


def test_a_beacon_that_comes_for_a_closed_month_is_in_it(learners):
    send([one(learners[0], "a", MARCH)])
    fold_once()
    assert roll_up(date(2027, 2, 1)) == 2
    send([one(learners[1], "b", MARCH)])
    fold_once()
    asked = Asked(date(2026, 1, 1), date(2026, 12, 31), None, By.AUDIENCE)
    assert report.figures(reading(), asked).totals.persons == 2
    assert roll_up(date(2027, 2, 1)) == 2
    assert report.figures(reading(), asked).totals.persons == 2


@pytest.mark.parametrize("by", [By.DAY, By.AUDIENCE, By.PIECE])
def test_a_closed_year_is_read_without_unpacking_anybody(learners, by):
    """What makes a report cost the same however much was counted; an open one unites its days (the control)."""
    send([one(learners[n % 5], f"n{n}", MARCH + timedelta(days=n)) for n in range(40)])
    fold_once()
    statements: list[str] = []

    def note(connection, cursor, statement, *more):
        del connection, cursor, more
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        asked = Asked(date(2026, 1, 1), date(2026, 12, 31), None, by)
        open_year = report.figures(reading(), asked)
        assert any("tally_page.persons" in statement for statement in statements)
        roll_up(date(2027, 2, 1))
        statements.clear()
        closed = report.figures(reading(), asked)
        assert not any("tally_page.persons" in statement for statement in statements)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert (closed.totals, closed.rows) == (open_year.totals, open_year.rows)
    assert closed.totals == Numbers(40, 5, 0, 0)


def test_a_fold_between_two_steps_of_another_change_is_noticed(learners):
    send([one(learners[0], "a", MARCH)])
    fold_once()
    rolled = roll_up_operations.gather_span(
        reading(), *roll_up_operations.due(reading(), today=date(2027, 1, 1))
    )
    send([one(learners[1], "b", MARCH)])
    fold_once()
    with writing() as session:
        assert not roll_up_operations.settle_span(session, rolled)
    assert (
        report.figures(reading(), Asked(date(2026, 3, 1), date(2026, 3, 31), None, By.DAY)).totals.persons
        == 2
    )


def test_a_batch_repeated_after_signing_in_is_still_a_repeat(learners):
    person, phone = learners[0], learners[2]
    send([one(person, "z", MARCH)])
    send([one(phone, "a", MARCH)])
    merge(phone, person)
    assert send([one(person, "a", MARCH)]) == 0


def test_an_erased_learner_goes_on_being_counted_and_cannot_be_found(learners):
    person, phone = learners[0], learners[2]
    send([one(phone, "a", MARCH)])
    merge(phone, person)
    send([one(person, "b", MARCH)])
    before = report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals
    erase(person)
    assert report.figures(reading(), Asked(FIRST, LAST, None, By.DAY)).totals == before
    assert reading().query(LearnerNumber).count() == 0
    assert numbers.HOLDING.export(reading(), person) == {
        "whole_from": None,
        "beacons": [],
    }
    assert send([one(person, "c", MARCH)]) == 0


def test_a_flood_is_kept_marked_and_left_out(learners):
    total = intake.FLOOD_IN_A_MINUTE + 25
    rows = [one(learners[0], f"n{number}", MARCH) for number in range(total)]
    with writing() as session:
        outcome = log.append(
            session.connection(), [log.Submission(learners[0], [deed_of(row) for row in rows])]
        )[0]
    assert (outcome.accepted, outcome.suspect) == (total, 25)
    for _ in range(2):
        asked = Asked(FIRST, LAST, None, By.PIECE)
        found = report.figures(reading(), asked)
        assert (found.totals.person_times, found.left_out.person_times) == (total - 25, 25)
        with_them = report.figures(reading(), Asked(FIRST, LAST, None, By.PIECE, suspects=Suspects.INCLUDE))
        assert with_them.totals.person_times == total
        only = report.figures(reading(), Asked(FIRST, LAST, None, By.PIECE, suspects=Suspects.ONLY))
        assert only.totals.person_times == 25
        fold_once()


def test_a_slow_reader_all_day_is_suspect_beyond_the_days_measure():
    pace = intake.Pace()
    found = [pace.take(minute=minute, day=5) for minute in range(intake.FLOOD_IN_A_DAY + 3)]
    assert [s for s in found if s] == [intake.Suspicion.FLOOD_DAY] * 3
    assert pace.take(minute=10**6, day=6) is None


@given(
    first=st.dates(date(2020, 1, 1), date(2024, 1, 1)),
    days=st.integers(0, 1200),
    missing=st.sets(st.tuples(st.sampled_from([Span.MONTH, Span.YEAR]), st.integers(0, 90))),
)
def test_a_window_is_cut_without_gap_or_overlap_into_what_is_there(first, days, missing):
    last = first + timedelta(days=days)
    months = [date(year, month, 1) for year in range(2020, 2028) for month in range(1, 13)]
    there = {
        (span, start)
        for number, start in enumerate(months)
        for span in (Span.MONTH, Span.YEAR)
        if (span, number) not in missing and (span is Span.MONTH or start.month == 1)
    }
    covered: list[date] = []
    for span, start, end in windows.cut(first, last, there):
        assert span is Span.DAY or ((span, start) in there and end == windows.end_of(span, start))
        covered += [start + timedelta(days=n) for n in range((end - start).days + 1)]
    assert covered == [first + timedelta(days=n) for n in range(days + 1)]


def test_no_word_ever_changes_its_number():
    """Stored rows mean what they meant: extend this list, never alter it."""
    assert {kind.__name__: {w.value: n for w, n in words.items()} for kind, words in NUMBERS.items()} == {
        "DeclaredAudience": {"unknown": 0, "elderly": 1, "youth": 2, "new_customer": 3},
        "Channel": {"mini_program": 0, "website": 1, "official_account": 2, "app": 3, "hall_screen": 4, "offline": 5},
        "Action": {
            "expose": 0, "view": 1, "read_finish": 2, "play_start": 3, "play_25": 4, "play_50": 5, "play_75": 6,
            "play_finish": 7, "read_aloud": 8, "share": 9, "call_hotline": 10, "quiz_start": 11, "quiz_submit": 12,
            "quiz_pass": 13, "favourite": 14,
        },
        "Scope": {"identified": 0, "anonymous": 1},
        "Rule": {"named": 0, "channel_code": 1, "carries_piece": 2, "everyday": 3},
        "Suspicion": {"flood_minute": 1, "flood_day": 2},
        "Span": {"day": 0, "month": 1, "year": 2},
        "Family": {"whole": 0, "audience": 1, "channel": 2, "piece": 3, "action": 4},
        "Measure": {"reach": 0, "participation": 1},
    }  # fmt: skip
    assert {kind: set(kind) for kind in NUMBERS} == {kind: set(words) for kind, words in NUMBERS.items()}
