"""The ceiling of an attempt: bare Flask views that read and write as many rows, one durable commit a request."""

from __future__ import annotations

import json
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
CREATE TABLE IF NOT EXISTS learner (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, gone INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS paper (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS version (id INTEGER PRIMARY KEY, content TEXT NOT NULL, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (id INTEGER PRIMARY KEY, learner INTEGER NOT NULL, client_id TEXT NOT NULL,
    state TEXT NOT NULL, seed BLOB NOT NULL, started_at REAL NOT NULL, submitted_at REAL, score INTEGER,
    UNIQUE (learner, client_id));
CREATE TABLE IF NOT EXISTS answer (attempt INTEGER NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL,
    answer TEXT, saved_at REAL, points INTEGER, PRIMARY KEY (attempt, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS standing (learner INTEGER PRIMARY KEY, attempt INTEGER, score INTEGER);
CREATE TABLE IF NOT EXISTS slot (learner INTEGER NOT NULL, period TEXT NOT NULL, slot INTEGER NOT NULL,
    UNIQUE (learner, period, slot));
CREATE TABLE IF NOT EXISTS visit (learner INTEGER PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS person (number INTEGER PRIMARY KEY, pace INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS numbered (learner INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deed (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, key TEXT NOT NULL, at REAL NOT NULL,
    UNIQUE (number, key));
CREATE TABLE IF NOT EXISTS mistake (id INTEGER PRIMARY KEY, learner INTEGER NOT NULL, version INTEGER NOT NULL,
    answer TEXT NOT NULL, at REAL NOT NULL, UNIQUE (learner, version));
"""
_KEY_SCHEMA = "CREATE TABLE IF NOT EXISTS key (name TEXT PRIMARY KEY, sealed BLOB NOT NULL)"
_OPTIONS = [f"选项{letter}" + "字" * 16 for letter in "甲乙丙丁"]
_mine = threading.local()


def _database() -> Any:
    if not hasattr(_mine, "database"):
        _mine.database = pysqlite3.connect(os.environ["BENCH_DATABASE"], isolation_level=None, timeout=30)
        _mine.database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA}")
        _mine.database.execute("INSERT OR IGNORE INTO paper VALUES (1, ?)", (json.dumps({"points": 10}),))
        _mine.database.executemany(
            "INSERT OR IGNORE INTO version VALUES (?, ?, ?)",
            [(number, _content(number), json.dumps({"correct": [1]})) for number in range(1, QUESTIONS + 1)],
        )
    return _mine.database


def _keys() -> Any:
    """Return the store of the keys under which typed answers are sealed: a database of its own, as durable as ours."""
    if not hasattr(_mine, "keys"):
        _mine.keys = pysqlite3.connect(
            os.environ["BENCH_DATABASE"] + ".keys", isolation_level=None, timeout=30
        )
        _mine.keys.executescript(f"PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; {_KEY_SCHEMA}")
    return _mine.keys


def _content(number: int) -> str:
    if number == QUESTIONS:  # shipped papers have about one question a paper that is answered in words
        return json.dumps({"type": "fill_in", "stem": "填空" + "字" * 60, "options": [], "blanks": 1})
    return json.dumps(
        {"type": "single", "stem": f"问题{number}" + "字" * 60, "options": _OPTIONS}, ensure_ascii=False
    )


def _learner(database: Any) -> int:
    """Return who is calling, as the database knows them; whoever is not known yet is made."""
    learner = int(request.headers["Authorization"].removeprefix("Bearer "))
    if database.execute("SELECT generation, gone FROM learner WHERE id = ?", (learner,)).fetchone() is None:
        database.execute("INSERT INTO learner VALUES (?, 1, 0)", (learner,))
    return learner


def _questions(database: Any, attempt: int) -> list[dict[str, Any]]:
    rows = database.execute(
        "SELECT number, content, answer, points FROM answer JOIN version ON version.id = answer.version WHERE attempt = ?",
        (attempt,),
    )
    return [
        {
            **json.loads(content),
            "number": number,
            "options": [
                {"id": f"{number}-{text[:3]}", "text": text} for text in json.loads(content)["options"]
            ],
            "answer": answer,
            "points": points,
        }
        for number, content, answer, points in rows
    ]


@app.post("/api/v1/quizzes/<slug>/attempts")
def start(slug: str) -> tuple[dict[str, Any], int]:
    del slug
    database, at = _database(), time.time()
    database.execute("BEGIN IMMEDIATE")
    learner = _learner(database)
    database.execute("SELECT body FROM paper WHERE id = 1").fetchone()
    database.execute("INSERT INTO standing (learner) VALUES (?) ON CONFLICT DO NOTHING", (learner,))
    database.execute("SELECT 1 FROM attempt WHERE learner = ? AND state = 'open'", (learner,)).fetchone()
    for period in ("today", "total"):
        database.execute(
            "SELECT slot FROM slot WHERE learner = ? AND period = ?", (learner, period)
        ).fetchall()
        database.execute("INSERT INTO slot VALUES (?, ?, 1) ON CONFLICT DO NOTHING", (learner, period))
    made = database.execute(
        "INSERT INTO attempt (learner, client_id, state, seed, started_at) VALUES (?, ?, 'open', ?, ?)",
        (learner, request.get_json()["client_id"], secrets.token_bytes(32), at),
    ).lastrowid
    database.executemany(
        "INSERT INTO answer (attempt, number, version) VALUES (?, ?, ?)",
        [(made, number, number) for number in range(1, QUESTIONS + 1)],
    )
    database.execute("INSERT INTO visit VALUES (?, ?) ON CONFLICT DO NOTHING", (learner, at))
    number = database.execute("INSERT INTO person (pace) VALUES (0)").lastrowid
    database.execute("INSERT INTO numbered VALUES (?, ?)", (learner, number))
    database.execute("INSERT INTO deed (number, key, at) VALUES (?, ?, ?)", (number, f"{made}:start", at))
    questions = _questions(database, made)
    database.execute("COMMIT")
    return {"id": str(made), "questions": questions}, 201


@app.put("/api/v1/attempts/<int:attempt>/answers/<int:number>")
def save(attempt: int, number: int) -> dict[str, Any]:
    database = _database()
    database.execute("BEGIN IMMEDIATE")
    learner = _learner(database)
    database.execute("SELECT state FROM attempt WHERE id = ? AND learner = ?", (attempt, learner)).fetchone()
    content, _ = database.execute(
        "SELECT content, answer FROM answer JOIN version ON version.id = answer.version WHERE attempt = ? AND number = ?",
        (attempt, number),
    ).fetchone()
    answer = str(request.get_json()["answer"])
    if number == QUESTIONS:
        _keys().execute(
            "INSERT INTO key VALUES (?, ?) ON CONFLICT DO NOTHING", (f"{learner}", secrets.token_bytes(60))
        )
    database.execute(
        "UPDATE answer SET answer = ?, saved_at = ? WHERE attempt = ? AND number = ?",
        (answer, time.time(), attempt, number),
    )
    database.execute("COMMIT")
    return {**json.loads(content), "number": number, "answer": answer}


@app.post("/api/v1/attempts/<int:attempt>/submit")
def submit(attempt: int) -> dict[str, Any]:
    database, at = _database(), time.time()
    database.execute("BEGIN IMMEDIATE")
    learner = _learner(database)
    database.execute("SELECT state FROM attempt WHERE id = ? AND learner = ?", (attempt, learner)).fetchone()
    _keys().execute("SELECT sealed FROM key WHERE name = ?", (f"{learner}",)).fetchone()
    rows = database.execute(
        "SELECT number, version, answer, key FROM answer JOIN version ON version.id = answer.version WHERE attempt = ?",
        (attempt,),
    ).fetchall()
    database.executemany(
        "UPDATE answer SET points = 0 WHERE attempt = ? AND number = ?", [(attempt, row[0]) for row in rows]
    )
    database.execute(
        "UPDATE attempt SET state = 'submitted', submitted_at = ?, score = 0 WHERE id = ? AND learner = ?",
        (at, attempt, learner),
    )
    database.execute("UPDATE standing SET attempt = ?, score = 0 WHERE learner = ?", (attempt, learner))
    database.executemany(
        "INSERT INTO mistake (learner, version, answer, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(learner, version, answer, at) for _, version, answer, _ in rows],
    )
    number = database.execute("SELECT number FROM numbered WHERE learner = ?", (learner,)).fetchone()[0]
    database.execute("INSERT INTO deed (number, key, at) VALUES (?, ?, ?)", (number, f"{attempt}:end", at))
    questions = _questions(database, attempt)
    database.execute("COMMIT")
    return {"score": 0, "questions": [{**row, "verdict": json.loads(rows[0][3])} for row in questions]}
