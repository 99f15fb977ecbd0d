"""The ceiling of an attempt: bare Flask views that read and write as many rows, one durable commit a request."""

from __future__ import annotations

import os
import secrets
import threading
import time
from typing import Any

import pysqlite3
from flask import Flask, request

QUESTIONS = 10
app = Flask(__name__)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempt (id INTEGER PRIMARY KEY, learner INTEGER NOT NULL, client_id TEXT NOT NULL,
    state TEXT NOT NULL, seed BLOB NOT NULL, started_at REAL NOT NULL, submitted_at REAL, score INTEGER,
    UNIQUE (learner, client_id));
CREATE TABLE IF NOT EXISTS question (attempt INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,
    answer TEXT, points INTEGER, PRIMARY KEY (attempt, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deed (id INTEGER PRIMARY KEY, learner INTEGER NOT NULL, key TEXT NOT NULL, at REAL NOT NULL,
    UNIQUE (learner, key));
"""
_mine = threading.local()


def _database() -> Any:
    if not hasattr(_mine, "database"):
        _mine.database = pysqlite3.connect(os.environ["BENCH_DATABASE"], isolation_level=None, timeout=30)
        _mine.database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA}")
    return _mine.database


def _learner() -> int:
    return int(request.headers["Authorization"].removeprefix("Bearer "))


@app.post("/api/v1/quizzes/<slug>/attempts")
def start(slug: str) -> tuple[dict[str, Any], int]:
    del slug
    database, learner = _database(), _learner()
    database.execute("BEGIN IMMEDIATE")
    database.execute("SELECT 1 FROM attempt WHERE learner = ? AND state = 'open'", (learner,)).fetchone()
    made = database.execute(
        "INSERT INTO attempt (learner, client_id, state, seed, started_at) VALUES (?, ?, 'open', ?, ?)",
        (learner, request.get_json()["client_id"], secrets.token_bytes(32), time.time()),
    ).lastrowid
    texts = [(made, number, f"问题{number}" + "字" * 60) for number in range(1, QUESTIONS + 1)]
    database.executemany("INSERT INTO question (attempt, number, text) VALUES (?, ?, ?)", texts)
    database.execute(
        "INSERT INTO deed (learner, key, at) VALUES (?, ?, ?)", (learner, f"{made}:start", time.time())
    )
    database.execute("COMMIT")
    return {"id": str(made), "questions": [{"number": n, "text": text} for _, n, text in texts]}, 201


@app.put("/api/v1/attempts/<int:attempt>/answers/<int:number>")
def save(attempt: int, number: int) -> dict[str, Any]:
    database, learner = _database(), _learner()
    database.execute("BEGIN IMMEDIATE")
    database.execute("SELECT state FROM attempt WHERE id = ? AND learner = ?", (attempt, learner)).fetchone()
    answer = str(request.get_json()["answer"])
    database.execute(
        "UPDATE question SET answer = ? WHERE attempt = ? AND number = ?", (answer, attempt, number)
    )
    database.execute("COMMIT")
    return {"number": number, "answer": answer}


@app.post("/api/v1/attempts/<int:attempt>/submit")
def submit(attempt: int) -> dict[str, Any]:
    database, learner = _database(), _learner()
    database.execute("BEGIN IMMEDIATE")
    rows = database.execute(
        "SELECT number, text, answer FROM question WHERE attempt = ?", (attempt,)
    ).fetchall()
    database.executemany(
        "UPDATE question SET points = 0 WHERE attempt = ? AND number = ?", [(attempt, row[0]) for row in rows]
    )
    database.execute(
        "UPDATE attempt SET state = 'submitted', submitted_at = ?, score = 0 WHERE id = ? AND learner = ?",
        (time.time(), attempt, learner),
    )
    database.execute(
        "INSERT INTO deed (learner, key, at) VALUES (?, ?, ?)", (learner, f"{attempt}:end", time.time())
    )
    database.execute("COMMIT")
    return {"score": 0, "items": [{"number": number, "text": text, "points": 0} for number, text, _ in rows]}
