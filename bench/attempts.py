"""A whole attempt: start, ten answers saved one by one, submit; beside bare Flask views that write the same, as durably."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from typing import Any

from bench import learners
from bench.bare_attempts import QUESTIONS
from bench.installation import Installation, installation
from bench.load import CONNECTIONS, Cost, cpu_seconds, server
from bench.results import beside_ceiling, machine

COUNT = int(os.environ.get("BENCH_ATTEMPTS", "320"))


def measure() -> str:
    """Measure; return the section."""
    with installation(EDU_TRUSTED_PROXIES="1") as made:
        people = learners.make(made, COUNT + CONNECTIONS)
        ours = _attempts("app:app", made, [token for _, token in people])
        bare = Installation(
            made.folder, {**made.environ, "BENCH_DATABASE": str(made.folder / "attempts.sqlite3")}
        )
        ceiling = _attempts("bench.bare_attempts:app", bare, [str(number) for number, _ in people])
    method = (
        f"`python -m bench attempts`: {COUNT} attempts by as many learners over {CONNECTIONS} connections, each start, "
        f"{QUESTIONS} answers saved one by one and submit, {QUESTIONS + 2} requests with a durable commit each; logs and limits "
        "on. Figures are per request, as everywhere. Ceiling: bare Flask views on the same gunicorn over SQLite, one durable "
        "commit a request, which read and write the rows that an attempt of ours does: learner, paper and questions; attempt, "
        "answers, standing, slots, visit, numbers, beacons and mistakes, and the key of typed answers in a store of its own."
    )
    return "\n\n".join([method, machine(), beside_ceiling([("a whole attempt", ours, ceiling, 2.0)])])


def _attempts(application: str, made: Installation, tokens: list[str]) -> Cost:
    with server(application, made.environ) as (port, pid):
        slug = _quiz(port) if application == "app:app" else "any"
        _drive(port, slug, tokens[COUNT:])
        before, began = cpu_seconds(pid), time.perf_counter()
        times = _drive(port, slug, tokens[:COUNT])
        wall, cpu = time.perf_counter() - began, cpu_seconds(pid) - before
    return Cost(
        len(times),
        cpu / len(times) * 1000,
        len(times) / wall,
        sorted(times)[int(len(times) * 0.99) - 1] * 1000,
    )


def _quiz(port: int) -> str:
    """Return a shipped quiz of ten questions."""
    listed = _send(
        http.client.HTTPConnection("127.0.0.1", port), "GET", "/api/v1/pieces?kind=quiz&limit=50", "", None
    )
    for card in listed["items"]:
        page = _send(
            http.client.HTTPConnection("127.0.0.1", port), "GET", f"/api/v1/pieces/{card['slug']}", "", None
        )
        if f'"question_count":{QUESTIONS}' in json.dumps(page, separators=(",", ":")):
            return str(card["slug"])
    raise RuntimeError(f"no quiz of {QUESTIONS} questions is shipped")


def _drive(port: int, slug: str, tokens: list[str]) -> list[float]:
    times: list[float] = []
    wrong: list[BaseException] = []
    waiting = iter(tokens)
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        mine: list[float] = []
        try:
            while True:
                with lock:
                    token = next(waiting, None)
                if token is None:
                    break
                attempt = _timed(
                    mine,
                    connection,
                    "POST",
                    f"/api/v1/quizzes/{slug}/attempts",
                    token,
                    {"client_id": "bench"},
                )
                place = f"/api/v1/attempts/{attempt['id']}"
                for question in attempt["questions"]:
                    given = {"answer": _answer(question)}
                    saved = _timed(
                        mine, connection, "PUT", f"{place}/answers/{question['number']}", token, given
                    )
                    _require_kept(given, saved)
                _timed(mine, connection, "POST", f"{place}/submit", token, {})
        except Exception as error:  # noqa: BLE001 - raised by the caller
            wrong.append(error)
        connection.close()
        with lock:
            times.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return times


def _answer(question: dict[str, Any]) -> Any:
    """Return an answer such as a learner gives: the first option, two of several, true, or a word a blank."""
    names = [option["id"] for option in question["options"]]
    match question["type"]:
        case "single":
            return names[0]
        case "multiple":
            return names[:2]
        case "true_false":
            return True
        case _:
            return ["存款保险"] * question["blanks"]


def _require_kept(given: dict[str, Any], saved: dict[str, Any]) -> None:
    if not saved["answer"]:
        raise RuntimeError(f"{given} was not kept: {saved}")


def _timed(times: list[float], *request: Any) -> Any:
    began = time.perf_counter()
    answer = _send(*request)
    times.append(time.perf_counter() - began)
    return answer


def _send(connection: http.client.HTTPConnection, method: str, path: str, token: str, body: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} if token else {}
    headers["X-Forwarded-For"] = f"10.9.{sum(token.encode()) % 250}.{len(token)}"
    connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
    answer = connection.getresponse()
    raw = answer.read()
    if answer.status not in {200, 201}:
        raise RuntimeError(f"{method} {path}: {answer.status} {raw[:300]!r}")
    return json.loads(raw)
