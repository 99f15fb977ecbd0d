"""Clients that send beacons, take quizzes and remember outside the platform what it acknowledged.

Each client is a thread with learners of its own and behaves as the mini-program does: it keeps a request, with its
keys, until it is acknowledged (2xx), through broken connections, 503 and 507, and sometimes repeats one that was.
What it asked for and what was answered stands in the `Ledger`, which `tests.faults.truth` compares with the rows.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.faults.house import House

ACTIONS = ("expose", "view", "view", "read_finish", "share", "read_aloud")
CHANNEL_CODES = (None, None, None, "HALL22")


@dataclass
class TakenQuiz:
    """One attempt as its learner knows it: what was acknowledged, step by step."""

    id: int | None = None
    answers: dict[int, Any] = field(default_factory=dict)
    submitted: dict[str, Any] | None = None


@dataclass
class Ledger:
    """What was sent and what was acknowledged, kept outside the platform.

    `sent` and `acknowledged` hold (learner id, beacon id); `attempts` (learner id, client id). `answers` counts
    acknowledged saves, `unexpected` holds answers that nobody should get: 4xx for a good request, 5xx other than
    503 and 507, 503 without Retry-After.
    """

    sent: set[tuple[int, str]] = field(default_factory=set)
    acknowledged: set[tuple[int, str]] = field(default_factory=set)
    attempts: dict[tuple[int, str], TakenQuiz] = field(default_factory=dict)
    answers: int = 0
    requests: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    unexpected: list[str] = field(default_factory=list)

    @property
    def submissions(self) -> int:
        """Return how many submissions were acknowledged."""
        return sum(one.submitted is not None for one in self.attempts.values())

    @property
    def acks(self) -> int:
        """Return how many beacons, answers and submissions were acknowledged."""
        return len(self.acknowledged) + self.answers + self.submissions

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.acks} acknowledged ({len(self.acknowledged)} beacons, {self.answers} answers, "
            f"{self.submissions} submissions) by {self.requests} requests; broken {dict(self.broken)}, "
            f"refused {dict(self.refused)}, repeated on purpose {self.repeated}"
        )


class GaveUp(Exception):
    """The load was stopped before a request was acknowledged."""


class Load:
    """Clients under way: `start`, do harm, `stop`, then look at `ledger`.

    `quizzes` is the share of turns that are attempts (five answers and a submission each), `batch` the largest number
    of beacons in one request, `repeats` the share of acknowledged batches that are sent once more. `retries=False`
    makes clients that forget what was not acknowledged. `ports` spreads them over several web processes. `through` are
    the answers that are waited out; any other error is `unexpected`.
    """

    def __init__(
        self,
        house: House,
        *,
        clients: int = 8,
        quizzes: float = 0.25,
        batch: int = 12,
        repeats: float = 0.05,
        retries: bool = True,
        pause: float = 0.0,
        ports: Sequence[int] | None = None,
        through: frozenset[int] = frozenset({503, 507}),
        luck: int = 7,
    ) -> None:
        self.house, self.ledger = house, Ledger()
        self._quizzes, self._batch, self._repeats = quizzes, batch, repeats
        self._retries, self._pause, self._luck = retries, pause, luck
        self._through = through
        self._ports = list(ports or [house.port])
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._in_flight = 0
        self._lights = 0  # even: on; odd: out
        learners = house.seed.learners
        self._threads = [
            threading.Thread(target=self._client, args=(number, learners[number::clients]), daemon=True)
            for number in range(clients)
        ]

    # ---- from outside

    def start(self) -> None:
        """Let the clients begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: float = 60) -> None:
        """Let every client finish what it has begun, retrying for at most `patience` seconds, and end.

        Then read every attempt back: an answer that is not the one acknowledged last is `unexpected`.
        """
        self._stopping.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._giving_up.set()
        for thread in self._threads:
            thread.join(35)
            assert not thread.is_alive(), "a client hangs"
        self._read_back()

    def _read_back(self) -> None:
        tokens = dict(self.house.seed.learners)
        for (learner_id, _), taken in self.ledger.attempts.items():
            if taken.answers:
                answer = self.house.ask(f"/api/v1/attempts/{taken.id}", token=tokens[learner_id])
                told = {one["number"]: one["answer"] for one in answer.json.get("questions", [])}
                for number, given in taken.answers.items():
                    same = told.get(number) == given or (
                        isinstance(given, list) and sorted(told.get(number) or []) == sorted(given)
                    )
                    if not same:
                        self.ledger.unexpected.append(
                            f"attempt {taken.id}: {number} is {told.get(number)}, not {given}"
                        )

    @property
    def in_flight(self) -> int:
        """Return how many requests wait for their answer now."""
        return self._in_flight

    @contextlib.contextmanager
    def blackout(self) -> Iterator[None]:
        """Let nobody hear what is answered while the power is cut: a machine without power sends nothing.

        Its processes live a few milliseconds longer here than they would, and the file system that is being shut
        down may tell one of them that a flush has succeeded.
        """
        self._lights += 1
        try:
            yield
        finally:
            self._lights += 1

    def wait_for(self, acks: int, seconds: float = 60) -> None:
        """Wait until so many more were acknowledged."""
        wanted = self.ledger.acks + acks
        self.house.wait_until(lambda: self.ledger.acks >= wanted, seconds, f"{acks} more acknowledgements")

    def kill(self, part: str, *, acks: int = 20, seconds: float = 60) -> int:
        """Kill a process while requests are in flight, after `acks` more were acknowledged; return how many were."""
        self.wait_for(acks, seconds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            in_flight = self._in_flight
            if in_flight:
                with contextlib.suppress(LookupError, ProcessLookupError):
                    self.house.kill(part)
                    return in_flight
            time.sleep(0.001)
        raise TimeoutError(f"no {part} to kill")

    # ---- one client

    def _client(self, number: int, learners: Sequence[tuple[int, str]]) -> None:
        luck = random.Random(self._luck * 1000 + number)
        caller = _Caller(self, self._ports[number % len(self._ports)])
        try:
            for turn in range(10_000_000):
                if self._stopping.is_set():
                    break
                learner_id, token = learners[turn % len(learners)]
                name = f"{number}-{turn}"
                if luck.random() < self._quizzes:
                    self._take_quiz(caller, luck, learner_id, token, name)
                else:
                    self._send_beacons(caller, luck, learner_id, token, name)
                if self._pause:
                    time.sleep(self._pause)
        except GaveUp:
            pass
        finally:
            caller.close()

    def _send_beacons(
        self, caller: _Caller, luck: random.Random, learner_id: int, token: str, name: str
    ) -> None:
        at = datetime.now(UTC).isoformat()
        beacons = []
        for n in range(luck.randint(1, self._batch)):
            one = {
                "id": f"b-{name}-{n}", "action": luck.choice(ACTIONS), "occurred_at": at,
                "piece": luck.choice(self.house.seed.pieces), "channel_code": luck.choice(CHANNEL_CODES),
            }  # fmt: skip
            beacons.append({key: value for key, value in one.items() if value is not None})
        ids = {(learner_id, one["id"]) for one in beacons}
        body = {"sent_at": at, "beacons": beacons}
        with self._lock:
            self.ledger.sent |= ids
        answer = caller.insist("POST", "/api/v1/beacons", body, token)
        if answer is None:
            return
        if answer["accepted"] + answer["duplicate"] != len(beacons) or answer["refused"]:
            self.ledger.unexpected.append(f"beacons: {answer}")
        with self._lock:
            self.ledger.acknowledged |= ids
        if luck.random() < self._repeats:
            again = caller.insist("POST", "/api/v1/beacons", body, token)
            self.ledger.repeated += 1
            if again is not None and again["duplicate"] != len(beacons):
                self.ledger.unexpected.append(f"a repeat was not known: {again}")

    def _take_quiz(
        self, caller: _Caller, luck: random.Random, learner_id: int, token: str, name: str
    ) -> None:
        taken = TakenQuiz()
        client_id = f"c-{name}"
        with self._lock:
            self.ledger.attempts[learner_id, client_id] = taken
        begun = caller.insist(
            "POST", f"/api/v1/quizzes/{self.house.seed.quiz}/attempts", {"client_id": client_id}, token
        )
        if begun is None:
            return
        taken.id = int(begun["id"])
        for question in begun["questions"]:
            for _ in range(luck.choice((1, 1, 2))):
                answer = _some_answer(luck, question)
                path = f"/api/v1/attempts/{taken.id}/answers/{question['number']}"
                if caller.insist("PUT", path, {"answer": answer}, token) is None:
                    return
                taken.answers[question["number"]] = answer
                self.ledger.answers += 1
        taken.submitted = caller.insist("POST", f"/api/v1/attempts/{taken.id}/submit", {}, token)


def _some_answer(luck: random.Random, question: dict[str, Any]) -> Any:
    if question["type"] == "true_false":
        return luck.random() < 0.7
    if question["type"] == "fill_in":
        return [luck.choice(("机密答案", f"猜{luck.randrange(10_000)}"))]
    ids = [option["id"] for option in question["options"]]
    return luck.choice(ids) if question["type"] == "single" else luck.sample(ids, 2)


class _Caller:
    """One client's connection, kept alive as long as it lasts."""

    def __init__(self, load: Load, port: int) -> None:
        self._load, self._port = load, port
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _flying(self) -> Iterator[None]:
        with self._load._lock:
            self._load._in_flight += 1
        try:
            yield
        finally:
            with self._load._lock:
                self._load._in_flight -= 1

    def insist(self, method: str, path: str, body: Any, token: str) -> Any:
        """Send until it is acknowledged; return the answer, None when it was given up (`retries=False`)."""
        load, ledger = self._load, self._load.ledger
        raw = json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        while True:
            ledger.requests += 1
            lights = load._lights
            try:
                with self._flying():
                    if self._connection is None:
                        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                    self._connection.request(method, path, raw, headers)
                    answer = self._connection.getresponse()
                    found = answer.read()
                    if lights % 2 or lights != load._lights:
                        raise ConnectionAbortedError("the power was cut meanwhile")
            except (OSError, http.client.HTTPException) as wrong:
                self.close()
                ledger.broken[type(wrong).__name__] += 1
                wait = 0.05
            else:
                if answer.status < 300:
                    return json.loads(found)
                ledger.refused[answer.status] += 1
                again = answer.headers.get("Retry-After")
                if answer.status not in load._through or (answer.status == 503 and again is None):
                    ledger.unexpected.append(f"{method} {path}: {answer.status} {found[:300].decode()}")
                    return None
                wait = min(float(again or 1), 0.25)
            if not load._retries:
                return None
            if load._giving_up.is_set():
                raise GaveUp
            time.sleep(wait)
