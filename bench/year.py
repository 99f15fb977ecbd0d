"""A year replayed through the platform's own ingest, and every figure of it held against a count that shares no code.

People, campaigns and beacons are made up from a seed. What each beacon should count as is worked out here, by a few
plain lines and a table with a unique key, and written to a database of its own; the platform never sees it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pysqlite3
from flask import Flask
from sqlalchemy import insert, update

from bench.installation import installation
from bench.load import ROOT
from bench.results import machine
from edu_platform.campaigns.operations import running
from edu_platform.core.clock import frozen
from edu_platform.core.db import db, reading, writing
from edu_platform.core.vocabulary import Action, Channel, DeclaredAudience, Series
from edu_platform.people.models import Learner, LearnerKind
from edu_platform.people.rules import issue_token
from edu_platform.people.signals import Merged
from edu_platform.reach.operations import numbers
from edu_platform.reach.operations.log import Submission
from edu_platform.reach.operations.receive import Judge, known
from edu_platform.reach.operations.report import Asked, figures
from edu_platform.reach.operations.shared_commit import SharedCommit
from edu_platform.reach.rules.choices import By
from edu_platform.reach.rules.intake import correct
from edu_platform.reach.schemas import decode
from edu_platform.reach.tasks import fold_all, roll_up_all

# Told here once more: what the platform's own tables say is not to be trusted.
TAKES_PART = {"read_finish", "play_finish", "read_aloud", "share", "call_hotline"}
ACTIONS = [
    "expose",
    "view",
    "view",
    "view",
    "read_finish",
    "play_start",
    "play_finish",
    "share",
    "call_hotline",
]
AUDIENCES = ["unknown", "elderly", "youth", "new_customer"]
CHANNELS = ["mini_program", "website", "official_account", "app", "hall_screen", "offline"]
_SHANGHAI = timedelta(hours=8)
_NONSENSE = [
    {"piece": "no-such-piece"}, {"campaign": "no-such-campaign"}, {"action": "quiz_pass"}, {"channel_code": "NOCODE"},
]  # fmt: skip
SHARED = 64


@dataclass(frozen=True)
class Size:
    """How large a year: learners, beacons through the operation and over HTTP, and what goes wrong."""

    year: int = 2027
    learners: int = 370_000
    over_http_learners: int = 1_000
    beacons: int = 4_000_000
    over_http: int = 100_000
    repeats: float = 0.05
    nonsense: float = 0.01
    becoming: float = 0.00005
    """Of the visitors, how many a day sign in as somebody who was there before."""
    fold_every: int = 7
    seed: int = 1


@dataclass
class Told:
    """What was replayed, and how long it took."""

    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    became: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Truth:
    """What should have been counted: a row for each beacon that counts, under a unique key."""

    def __init__(self, path: Path) -> None:
        self.database = pysqlite3.connect(str(path), isolation_level=None)
        self.database.executescript(
            "PRAGMA synchronous=OFF; PRAGMA cache_size=-500000; CREATE TABLE person (learner INTEGER PRIMARY KEY, is_now INTEGER);"
            "CREATE TABLE beacon (learner INTEGER, id TEXT, day TEXT, campaign INTEGER, audience TEXT, channel TEXT,"
            " piece TEXT, action TEXT, scope TEXT, part INTEGER, PRIMARY KEY (learner, id)) WITHOUT ROWID"
        )

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        self.database.execute("BEGIN")
        self.database.executemany("INSERT OR IGNORE INTO beacon VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self.database.execute("COMMIT")

    def became(self, visitor: int, learner: int) -> None:
        self.database.execute("INSERT INTO person VALUES (?, ?)", (visitor, learner))

    def count(self, column: str) -> dict[tuple[int | None, str], tuple[int, int, int, int]]:
        """The four figures by campaign and a column ('' for all of it), and over all campaigns (None)."""
        person = "coalesce(person.is_now, beacon.learner)"
        four = (
            f"sum(1 - part), count(DISTINCT CASE part WHEN 0 THEN {person} END),"
            f" sum(part), count(DISTINCT CASE part WHEN 1 THEN {person} END)"
        )
        source = "FROM beacon LEFT JOIN person ON person.learner = beacon.learner"
        found: dict[tuple[int | None, str], tuple[int, int, int, int]] = {}
        for campaign, key, *row in self.database.execute(
            f"SELECT campaign, {column or repr('')} AS key, {four} {source} GROUP BY 1, 2"
        ):
            found[campaign, key] = tuple(row)
        for key, *row in self.database.execute(
            f"SELECT {column or repr('')} AS key, {four} {source} GROUP BY 1"
        ):
            found[None, key] = tuple(row)
        return found


class Replay:
    """Replays a year into an application's database. `pieces` are slugs that were published before it begins."""

    def __init__(self, app: Flask, size: Size, pieces: list[str], truth: Truth) -> None:
        self.app, self.size, self.pieces, self.truth = app, size, pieces, truth
        self.random = random.Random(size.seed)
        self.told = Told()
        self.first = date(size.year, 1, 1)
        self.clock = self._at(self.first, 0)
        self.windows: list[tuple[int, str, date, date, set[str], str]] = []
        self.learners: list[tuple[int, str, str, bool]] = []
        self.earlier: list[tuple[int, bytes, list[tuple[Any, ...]]]] = []
        self.gone: set[int] = set()
        self.serial = 0

    def run(self) -> Told:
        with self.app.app_context(), frozen(lambda: self.clock):
            self._timed("campaigns", self._make_campaigns)
            self._timed("learners", self._make_learners)
            shares = [self.size.beacons * day // 365 for day in range(366)]
            http = [self.size.over_http * day // 365 for day in range(366)]
            for day in range(365):
                today = self.first + timedelta(days=day)
                batches = self._timed("making up", self._batches_of, today, shares[day + 1] - shares[day])
                self._timed("ingest", self._ingest, batches)
                batches = self._timed("making up", self._batches_of, today, http[day + 1] - http[day])
                self._timed("http", self._post, batches)
                self._timed("signing in", self._become)
                if day % self.size.fold_every == 0:
                    self._timed("fold", fold_all)
            self.clock = self._at(date(self.size.year + 1, 2, 1), 0)
            self._timed("fold", fold_all)
            self._timed("roll up", roll_up_all)
            db.session.remove()
        return self.told

    def differences(self) -> list[str]:
        """Compare every figure: each campaign and all of them, whole and by each dimension."""
        found: list[str] = []
        words = {By.AUDIENCE: AUDIENCES, By.CHANNEL: CHANNELS}
        year = (self.first, date(self.size.year, 12, 31))
        with self.app.app_context():
            names = dict(db.session.execute(db.text("SELECT id, slug FROM piece")).all())
            whole = self.truth.count("")
            for by in By:
                right = self.truth.count(by.value)
                for campaign in [None, 0, *(window[0] for window in self.windows)]:
                    told = figures(reading(), Asked(*year, campaign, by))
                    rows = {}
                    for key, four in told.rows.items():
                        if by is By.DAY:
                            name = (date(1970, 1, 1) + timedelta(days=key)).isoformat()
                        elif by is By.PIECE:
                            name = names.get(key, "")
                        elif by is By.ACTION:
                            name = _ACTION_NUMBERS[key]
                        else:
                            name = words[by][key]
                        rows[name] = (four.person_times, four.persons, four.participations, four.participants)
                    expected = {key: four for (of, key), four in right.items() if of == campaign}
                    four = told.totals
                    totals = (four.person_times, four.persons, four.participations, four.participants)
                    if totals != whole.get((campaign, ""), (0, 0, 0, 0)):
                        found.append(f"campaign {campaign}: {totals} is not {whole.get((campaign, ''))}")
                    if rows != expected:
                        found.append(f"campaign {campaign} by {by.value}: rows differ")
                    if told.left_out.person_times:
                        found.append(f"campaign {campaign}: suspects, though nobody sent too much")
                    reading().rollback()
        return found

    # ---- what happens

    def _batches_of(self, today: date, count: int) -> list[tuple[datetime, int, bytes]]:
        return list(self._batches(today, count))

    def _timed(self, name: str, run: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        made = run(*arguments)
        self.told.seconds[name] = self.told.seconds.get(name, 0.0) + time.perf_counter() - began
        return made

    @staticmethod
    def _at(day: date, seconds: int) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=UTC) - _SHANGHAI + timedelta(seconds=seconds)

    def _make_campaigns(self) -> None:
        for number in range(29):
            begins = self.first + timedelta(days=number * 336 // 29)
            ends = begins + timedelta(days=6 + 7 * (number % 4))
            pieces = {slug for place, slug in enumerate(self.pieces) if place % 5 == number % 5}
            name, code = f"replay-{number}", f"RP{number:04d}"
            with writing() as session:
                plan = running.Plan(
                    name=f"活动{number}", theme="学会保护自己", series=Series.CONSUMER_RIGHTS_WEEK,
                    branch="示例市分公司", starts_on=begins, ends_on=ends,
                )  # fmt: skip
                made = running.create_campaign(
                    session, code=name, plan=plan, pieces=sorted(pieces), by="bench"
                )
                running.add_channel_code(session, made, channel=Channel.HALL_SCREEN, code=code, by="bench")
                running.open_campaign(session, made, by="bench")
                self.windows.append((made.id, name, begins, ends, pieces, code))

    def _make_learners(self) -> None:
        client = self.app.test_client()
        for number in range(self.size.over_http_learners):
            answer = client.post(
                "/api/v1/sessions/anonymous",
                json={"channel": "website"},
                environ_base={"REMOTE_ADDR": _address(number)},
            )
            assert answer.status_code in {200, 201}, answer.text
        with writing() as session:
            known_ids = session.execute(db.text("SELECT id FROM learner ORDER BY id")).scalars().all()
            self.learners = [(one, "unknown", "website", False) for one in known_ids]
            left = self.size.learners - len(self.learners)
            for first in range(0, left, 10_000):
                facts = [
                    {
                        "kind": LearnerKind.ANONYMOUS if number % 3 == 0 else LearnerKind.IDENTIFIED,
                        "audience": DeclaredAudience(AUDIENCES[number % 4]),
                        "channel": Channel(CHANNELS[number % 5]),
                        "elder_mode": False,
                        "generation": 1,
                        "created_at": self.clock,
                    }
                    for number in range(first, min(first + 10_000, left))
                ]
                ids = session.scalars(
                    insert(Learner).returning(Learner.id, sort_by_parameter_order=True), facts
                ).all()
                self.learners += [
                    (
                        one,
                        fact["audience"].value,
                        fact["channel"].value,
                        fact["kind"] is LearnerKind.IDENTIFIED,
                    )
                    for one, fact in zip(ids, facts, strict=True)
                ]

    def _batches(self, today: date, count: int) -> Iterator[tuple[datetime, int, bytes]]:
        """Yield (learner, body) of a day's batches; the truth is told before anybody else hears of them."""
        draw = self.random
        open_now = [window for window in self.windows if window[2] <= today <= window[3]]
        left = count
        while left > 0:
            self.clock = self._at(today, 43_200 + draw.randrange(40_000))
            if self.earlier and draw.random() < self.size.repeats:
                learner, body, _ = draw.choice(self.earlier)
                if learner not in self.gone:
                    left -= body.count(b'"id"')
                    yield self.clock, learner, body
                    continue
            learner, audience, channel, identified = draw.choice(self.learners)
            if learner in self.gone:
                continue
            beacons, rows = [], []
            for _ in range(min(left, draw.randrange(1, 60))):
                self.serial += 1
                one, row = self._beacon(draw, open_now, channel)
                beacons.append(one)
                if row is not None:
                    scope = "identified" if identified else "anonymous"
                    day, campaign, through, piece, action = row
                    rows.append(
                        (
                            learner,
                            one["id"],
                            day,
                            campaign,
                            audience,
                            through,
                            piece,
                            action,
                            scope,
                            action in TAKES_PART,
                        )
                    )
            left -= len(beacons)
            body = json.dumps({"sent_at": self.clock.isoformat(), "beacons": beacons}).encode()
            self.truth.add(rows)
            if len(self.earlier) < 2_000:
                self.earlier.append((learner, body, rows))
            elif draw.random() < 0.05:
                self.earlier[draw.randrange(2_000)] = (learner, body, rows)
            yield self.clock, learner, body

    def _beacon(
        self, draw: random.Random, open_now: list[Any], home: str
    ) -> tuple[dict[str, Any], tuple[str, int, str, str, str] | None]:
        at = max(
            self.clock - timedelta(seconds=draw.randrange(100_000)), self._at(self.first, 1)
        )  # perhaps yesterday
        one: dict[str, Any] = {
            "id": f"b{self.serial:x}", "action": draw.choice(ACTIONS), "occurred_at": at.isoformat()
        }  # fmt: skip
        piece = draw.choice(self.pieces) if draw.random() < 0.9 else ""
        if piece:
            one["piece"] = piece
        window = (
            draw.choice(self.windows) if draw.random() < 0.1 else draw.choice(open_now) if open_now else None
        )
        how = draw.random()
        through = home
        if window is not None and how < 0.4:
            one["campaign"] = window[1]
        if window is not None and 0.3 < how < 0.5:
            one["channel_code"], through = window[5], "hall_screen"
        if how > 0.9:
            one["channel"] = through = draw.choice(CHANNELS)
        if draw.random() < self.size.nonsense:
            one |= draw.choice([*_NONSENSE, {"occurred_at": (at - timedelta(days=9)).isoformat()}])
            return one, None
        day = (at + _SHANGHAI).date()
        named = [w for w in self.windows if w[1] == one.get("campaign") and w[2] <= day <= w[3]]
        scanned = [w for w in self.windows if w[5] == one.get("channel_code") and w[2] <= day <= w[3]]
        carrying = [w for w in self.windows if piece in w[4] and w[2] <= day <= w[3]]
        held = named or scanned or sorted(carrying, key=lambda w: (w[2], w[0]))[-1:]
        return one, (day.isoformat(), held[0][0] if held else 0, through, piece, one["action"])

    def _ingest(self, batches: list[tuple[datetime, int, bytes]]) -> None:
        """Let the operation that the API calls judge and append, as many together as share a commit."""
        shared = SharedCommit(db.engine)
        for first in range(0, len(batches), SHARED):
            submissions = []
            for self.clock, learner, body in batches[first : first + SHARED]:
                batch = decode(body)
                assert batch is not None
                facts = known(reading())
                judge = Judge(
                    facts, None, received_at=self.clock, largest_age=timedelta(days=7),
                    correction=correct(sent_at=batch.sent_at, received_at=self.clock),
                )  # fmt: skip
                deeds, refused = judge.sort(batch.beacons)
                self.told.refused += len(refused)
                if deeds:
                    version = facts.campaigns.version
                    submissions.append(Submission(learner, deeds, generation=1, version=version))
            reading().rollback()
            for outcome in shared.append_together(submissions):
                assert not outcome.gone
                assert not outcome.stale
                self.told.accepted += outcome.accepted
                self.told.duplicate += len(outcome.duplicate)

    def _post(self, batches: list[tuple[datetime, int, bytes]]) -> None:
        client = self.app.test_client()
        keys = self.app.config["EDU"].secret_keys
        for number, (self.clock, learner, body) in enumerate(batches):
            answer = client.post(
                "/api/v1/beacons", data=body, content_type="application/json",
                headers={"Authorization": f"Bearer {issue_token(keys, learner, 1)}"},
                environ_base={"REMOTE_ADDR": _address(number)},
            )  # fmt: skip
            assert answer.status_code == 200, answer.text
            self.told.accepted += answer.json["accepted"]
            self.told.duplicate += answer.json["duplicate"]
            self.told.refused += len(answer.json["refused"])

    def _become(self) -> None:
        """Let some visitors sign in as learners who are there."""
        share = self.size.becoming * len(self.learners) / 3
        for _ in range(int(share) + (self.random.random() < share % 1)):
            visitor, *_, identified = self.random.choice(self.learners)
            learner, *_, other = self.random.choice(self.learners)
            if identified or not other or visitor in self.gone:
                continue
            with writing() as session:
                session.execute(update(Learner).where(Learner.id == visitor).values(merged_into_id=learner))
                numbers.on_learner_merged(session, Merged(visitor, learner))
            self.gone.add(visitor)
            self.truth.became(visitor, learner)
            self.told.became += 1


_ACTION_NUMBERS = {
    0: "expose", 1: "view", 2: "read_finish", 3: "play_start", 7: "play_finish", 9: "share", 10: "call_hotline",
}  # fmt: skip
assert set(_ACTION_NUMBERS.values()) == set(ACTIONS) <= {word.value for word in Action}


def _address(number: int) -> str:
    return f"10.{number // 62_500 % 250}.{number // 250 % 250}.{number % 250}"


def measure() -> str:
    """Replay the year in an installation of its own; raise when any figure differs."""
    size = {
        name: os.environ[f"BENCH_YEAR_{name.upper()}"]
        for name in _SETTINGS
        if f"BENCH_YEAR_{name.upper()}" in os.environ
    }
    with installation() as made:
        done = subprocess.run(
            [sys.executable, "-m", "bench.year", json.dumps({name: int(text) for name, text in size.items()})],
            cwd=ROOT, env={**made.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return "\n\n".join([machine("msgspec", "pyroaring", "numpy"), done.stdout.split("\n", 1)[1].strip()])


_SETTINGS = ("learners", "over_http_learners", "beacons", "over_http")


def _main(settings: dict[str, int]) -> None:
    from edu_platform.factory.entry import application

    app = application()
    size = Size(year=datetime.now(UTC).year + 1, **settings)
    with app.app_context():
        pieces = list(
            db.session.scalars(
                db.text("SELECT slug FROM piece WHERE first_published_at IS NOT NULL ORDER BY id")
            )
        )
        place = Path(db.engine.url.database or "")
        db.session.remove()
    truth = Truth(place.with_name("truth.sqlite3"))
    replay = Replay(app, size, pieces[:1000], truth)
    told = replay.run()
    began = time.perf_counter()
    found = replay.differences()
    compared = time.perf_counter() - began
    if found:
        raise SystemExit("\n".join(found))
    with app.app_context():
        pages = db.session.execute(
            db.text("SELECT sum(length(figures) + length(persons)) FROM tally_page")
        ).scalar_one()
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in told.seconds.items() if seconds >= 0.5)
    print(
        f"\nA year of {size.beacons:,} beacons through the ingest operation and {size.over_http:,} over HTTP, "
        f"{size.learners:,} learners ({size.over_http_learners:,} of them made over HTTP), 29 campaigns, {len(replay.pieces)} "
        f"pieces, {size.repeats:.0%} repeats, {size.nonsense:.0%} nonsense; {told.became:,} visitors signed in as somebody "
        f"known. Accepted {told.accepted:,}, repeats {told.duplicate:,}, refused {told.refused:,}.\n\n"
        f"**Every figure equal** to a count in plain SQL over a table of its own: each of 29 campaigns, everyday "
        f"education and everything, whole, by day, audience, channel, piece and action ({compared:.0f} s to compare). "
        f"It took: {took}. Database {place.stat().st_size / 1e6:.0f} MB, of which tallies {pages / 1e6:.0f} MB."
    )


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
