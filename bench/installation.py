"""An installation of its own to measure: data in a folder that goes away, the shipped material in it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.load import ROOT


@dataclass(frozen=True)
class Installation:
    """Where an installation is, and the environment that its processes run in."""

    folder: Path
    environ: dict[str, str]

    def edu(self, *command: str) -> str:
        """Run an `edu` command in it; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "edu_platform.cli", *command],
            cwd=ROOT, env=self.environ, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return done.stdout


@contextlib.contextmanager
def installation(*, content: bool = True, **settings: str) -> Iterator[Installation]:
    """Make one, with the settings that ship but for those given, and the shipped material unless told otherwise."""
    with tempfile.TemporaryDirectory(prefix="edu-bench-") as folder:
        made = Installation(
            Path(folder),
            {
                **{name: value for name, value in os.environ.items() if not name.startswith("EDU_")},
                "EDU_DATA_DIR": f"{folder}/var",
                "EDU_WECHAT_SECRET": "bench-only",
                **settings,
            },
        )
        made.edu("upgrade")
        if content:
            made.edu("content", "import", "content")
        yield made
