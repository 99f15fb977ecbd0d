"""Is what was acknowledged there, once, and do the tallies say what the log says? Recomputed with plain sets.

Nothing of the fold or of the reports is used here: rows are read with the database's own driver.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from pyroaring import BitMap64

from edu_platform.core.vocabulary import ACTIONS, Action
from edu_platform.reach.models import EVERYWHERE, NUMBERS
from tests.faults.databases import Database
from tests.faults.load import Ledger
from tests.proofs import note

_PARTICIPATION = {NUMBERS[Action][action] for action, rule in ACTIONS.items() if rule.participation}
_VIEW = NUMBERS[Action][Action.VIEW]


@dataclass
class Findings:
    """What a comparison found: `lost` were acknowledged and are not there, `doubled` are there twice, `wrong` differ."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    checked: int = 0

    @property
    def faults(self) -> list[str]:
        """Return everything that should not be."""
        return self.lost + self.doubled + self.wrong

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.checked} checked: lost {len(self.lost)}, doubled {len(self.doubled)}, wrong {len(self.wrong)}"


def tell(what: str, ledger: Ledger, found: Findings, **figures: float) -> None:
    """Note, among what the run of tests proves, what a load got acknowledged and what became of it."""
    note(
        what,
        **figures,
        requests=ledger.requests,
        acknowledged=ledger.acks,
        beacons=len(ledger.acknowledged),
        answers=ledger.answers,
        submissions=ledger.submissions,
        broken=sum(ledger.broken.values()),
        refused_for_a_while=sum(ledger.refused.values()),
        lost=len(found.lost),
        counted_twice=len(found.doubled),
        wrong=len(found.wrong),
    )


def compare(database: Database, ledger: Ledger) -> Findings:
    """Compare acknowledgements with rows: beacons, attempts, answers, submissions, and what those announce."""
    found = Findings()
    _beacons(database, ledger, found)
    _attempts(database, ledger, found)
    found.wrong += [f"unexpected answer: {one}" for one in ledger.unexpected]
    return found


def _beacons(database: Database, ledger: Ledger, found: Findings) -> None:
    rows = database.rows(
        "SELECT n.learner_id, b.beacon_id FROM beacon b JOIN learner_number n ON n.number = b.number"
    )
    there = Counter((learner_id, beacon_id) for learner_id, beacon_id in rows if ":" not in beacon_id)
    found.checked += len(ledger.acknowledged)
    found.lost += [f"beacon {one}" for one in ledger.acknowledged if one not in there]
    found.doubled += [f"beacon {one} × {times}" for one, times in there.items() if times > 1]
    found.wrong += [f"beacon {one} was never sent" for one in there if one not in ledger.sent]


def _attempts(database: Database, ledger: Ledger, found: Findings) -> None:
    rows = database.rows("SELECT learner_id, client_id, id, state, score, passed FROM attempt")
    there: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for learner_id, client_id, *rest in rows:
        there[learner_id, client_id].append(rest)
    answers: dict[int, dict[int, Any]] = defaultdict(dict)
    for attempt_id, number, answer in database.rows("SELECT attempt_id, number, answer FROM attempt_answer"):
        answers[attempt_id][number] = answer
    announced = Counter(
        beacon_id
        for (beacon_id,) in database.rows("SELECT beacon_id FROM beacon WHERE beacon_id LIKE 'attempt:%'")
    )
    found.doubled += [f"{one} × {times}" for one, times in announced.items() if times > 1]
    found.doubled += [f"attempt {one} × {len(those)}" for one, those in there.items() if len(those) > 1]
    found.wrong += [f"attempt {one} was never begun" for one in there if one not in ledger.attempts]
    for one, taken in ledger.attempts.items():
        if taken.id is None:
            continue
        if one not in there:
            found.lost.append(f"attempt {one}")
            continue
        attempt_id, state, score, passed = there[one][0]
        kept = answers[attempt_id]
        for number in taken.answers:
            found.checked += 1
            if kept.get(number) is None:
                found.lost.append(f"answer {number} of attempt {attempt_id}")
        if announced[f"attempt:{attempt_id}:start"] != 1:
            found.wrong.append(f"attempt {attempt_id} was begun and not counted")
        if taken.submitted is None:
            continue
        found.checked += 1
        if state != "submitted":
            found.lost.append(f"submission of attempt {attempt_id}")
        elif (score, bool(passed)) != (taken.submitted["score"], taken.submitted["passed"]):
            found.wrong.append(f"attempt {attempt_id}: {score}, {passed}, not {taken.submitted}")
        if announced[f"attempt:{attempt_id}:submit"] != 1:
            found.wrong.append(f"attempt {attempt_id} was submitted and not counted")
        if announced[f"attempt:{attempt_id}:pass"] != int(taken.submitted["passed"]):
            found.wrong.append(f"attempt {attempt_id}: passed {taken.submitted['passed']}, counted otherwise")


def recount(database: Database) -> list[str]:
    """Recompute every day's tallies and every piece's reads from the log; return each that differs. After `settle`."""
    log = database.rows(
        "SELECT day, campaign_id, audience, channel, piece_id, action, scope, suspicion, number FROM beacon"
    )
    times: Counter[tuple[int, ...]] = Counter()
    persons: dict[tuple[int, ...], set[int]] = defaultdict(set)
    reads: Counter[int] = Counter()
    for day, campaign, audience, channel, piece, action, scope, suspicion, number in log:
        suspect = int(suspicion is not None)
        if action == _VIEW and not suspect and piece:
            reads[piece] += 1
        for where in (campaign, EVERYWHERE):
            for family, value in enumerate((0, audience, channel, piece, action)):
                cell = (family, day, where, value, int(action in _PARTICIPATION), suspect, scope)
                times[cell] += 1
                persons[cell].add(number)
    told_times, told_persons = told(database)
    wrong = [
        f"tally {cell}: {told_times.get(cell, 0)} person-times, the log has {times.get(cell, 0)}"
        for cell in times.keys() | told_times.keys()
        if told_times.get(cell, 0) != times.get(cell, 0)
    ]
    wrong += [
        f"tally {cell}: persons differ"
        for cell in persons.keys() | told_persons.keys()
        if told_persons.get(cell) != persons.get(cell)
    ]
    noted = dict(database.rows("SELECT piece_id, reads FROM popularity"))
    wrong += [
        f"piece {piece}: {noted.get(piece)} reads, the log has {n}"
        for piece, n in reads.items()
        if noted.get(piece) != n
    ]
    if log and not told_times:
        wrong.append("nothing was folded")
    return wrong


def told(database: Database) -> tuple[dict[tuple[int, ...], int], dict[tuple[int, ...], set[int]]]:
    """Return what the pages of days tell by cell: person-times, and who. Figures that do not fit their persons raise."""
    times: dict[tuple[int, ...], int] = {}
    persons: dict[tuple[int, ...], set[int]] = defaultdict(set)
    rows = database.rows(
        "SELECT family, starts, campaign_id, figures, persons FROM tally_page WHERE span = 0"
    )
    for family, day, campaign, figures, numbered in rows:
        for packed in BitMap64.deserialize(bytes(numbered)):
            cell, number = packed >> 32, packed & 0xFFFFFFFF
            head = (cell >> 3, cell >> 2 & 1, cell >> 1 & 1, cell & 1)
            persons[family, day, campaign, *head].add(number)
        for value, measure, suspect, *counts in struct.iter_unpack("<8I", bytes(figures)):
            for scope in (0, 1):
                cells = (family, day, campaign, value, measure, suspect, scope)
                if counts[scope]:
                    times[cells] = counts[scope]
                assert counts[2 + scope] == len(persons.get(cells, ())), (
                    f"{cells}: figures and persons differ"
                )
    return times, dict(persons)
