"""Learners made in bulk, with tokens to send under."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from bench.installation import Installation
from bench.load import ROOT


def make(made: Installation, count: int) -> list[tuple[int, str]]:
    """Make `count` visitors in an installation; return (id, token) of each."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.learners", str(count)],
        cwd=ROOT, env={**made.environ, "PYTHONPATH": str(ROOT)}, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return [(number, token) for number, token in json.loads(done.stdout.splitlines()[-1])]


def _make(count: int) -> None:
    from sqlalchemy import insert

    from edu_platform.core.clock import now
    from edu_platform.core.db import writing
    from edu_platform.core.vocabulary import Channel, DeclaredAudience
    from edu_platform.factory.entry import application
    from edu_platform.people.models import Learner, LearnerKind
    from edu_platform.people.rules import issue_token

    app = application()
    audiences = list(DeclaredAudience)
    facts = [
        {
            "kind": LearnerKind.ANONYMOUS,
            "channel": Channel.MINI_PROGRAM,
            "audience": audiences[number % len(audiences)],
            "elder_mode": False,
            "generation": 1,
            "created_at": now(),
        }
        for number in range(count)
    ]
    with app.app_context(), writing() as session:
        found: list[int] = []
        for first in range(0, count, 10_000):
            statement = insert(Learner).returning(Learner.id, sort_by_parameter_order=True)
            found += session.scalars(statement, facts[first : first + 10_000]).all()
    keys = app.config["EDU"].secret_keys
    tokens = [(number, issue_token(keys, number, 1)) for number in found]
    os.write(1, json.dumps(tokens).encode() + b"\n")


if __name__ == "__main__":
    _make(int(sys.argv[1]))
