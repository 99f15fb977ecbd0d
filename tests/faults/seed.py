"""What every house of these tests begins with: published pieces, a quiz, an open campaign, learners with tokens.

`make_seed(folder, kind)` makes it once in a run of tests, by running this module as a process of its own, and leaves a
stopped database in `folder` for `Database.adopt`; `Seed` says what is in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.databases import Database, PostgreSQL, Sqlite

ROOT = Path(__file__).parents[2]
LEARNERS = 64
PIECES = ("hang-up-first", "plain-words", "read-before-signing", "no-safe-account", "who-is-calling")
QUIZ = "quiz"
CAMPAIGN = "rights-week"

KEYS = {
    "EDU_SECRET_KEYS": "faults-only-0123456789-abcdefghijklmnop",
    "EDU_SEALING_KEYS": "faults-only-sealing-9876543210-zyxwvuts",
}
"""The keys under which the seed's tokens are good; every house runs with them."""


@dataclass(frozen=True)
class Seed:
    """What is in the database: learners as (id, token), an editor's token, slugs, the campaign's code."""

    folder: str
    learners: list[tuple[int, str]]
    editor: str
    pieces: list[str]
    quiz: str
    campaign: str


def environ_of(database: Database, data_dir: Path, **changes: str) -> dict[str, str]:
    """Return the environment of a process of the platform over a database; `changes` are settings as they are named."""
    here = {name: value for name, value in os.environ.items() if not name.startswith("EDU_")}
    return {
        **here,
        **KEYS,
        "EDU_ENVIRONMENT": "development",
        "EDU_DATA_DIR": str(data_dir),
        "EDU_DATABASE_URL": database.url,
        "EDU_WECHAT_BASE_URL": "http://127.0.0.1:9",
        "EDU_WECHAT_SECRET": "faults-only-secret",
        "EDU_LIMITS": "off",  # one address sends everything
        "PYTHONUNBUFFERED": "1",
        **changes,
    }


def make_seed(folder: Path, kind: str) -> Seed:
    """Make the seed of a kind of database ("sqlite", "postgresql") in `folder`."""
    database: Database = Sqlite(folder) if kind == "sqlite" else PostgreSQL(folder, fsync="off")
    database.make()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.seed"],
            cwd=ROOT, env=environ_of(database, folder / "var"), capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(done.stderr[-3000:])
        told = json.loads(done.stdout.splitlines()[-1])
    finally:
        database.stop()
    return Seed(**{**told, "folder": str(folder), "learners": [(one[0], one[1]) for one in told["learners"]]})


def _fill() -> Seed:
    from datetime import timedelta

    from edu_platform.core.clock import local_day, now
    from edu_platform.core.migration import upgrade
    from edu_platform.core.vocabulary import Audience, Channel, Role
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import settings_here
    from tests.campaigns import publishing
    from tests.cast import sign_in_learner, staff_member, visitor
    from tests.quizzes.conftest import Desk

    settings = settings_here()
    upgrade(settings.database_url)
    app = create_app(settings)
    for slug in PIECES:
        publishing.draft(app, slug, Audience.ELDERLY)
    Desk(app).publish(QUIZ, attempts={"total": None, "per_day": None})
    today = local_day(now())
    publishing.campaign(
        app,
        CAMPAIGN,
        today - timedelta(days=2),
        today + timedelta(days=20),
        pieces=list(PIECES[:2]),
        codes={"HALL22": Channel.HALL_SCREEN},
    )
    with app.app_context():
        learners = [(sign_in_learner if n % 4 else visitor)(app) for n in range(LEARNERS)]
        _, editor = staff_member(app, Role.EDITOR)
    tokens = [(number, _token(headers)) for number, headers in learners]
    return Seed("", tokens, _token(editor), list(PIECES), QUIZ, CAMPAIGN)


def _token(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


if __name__ == "__main__":
    print(json.dumps(asdict(_fill())))
