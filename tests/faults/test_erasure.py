"""`DELETE /me` on a platform that runs: nothing of the person is left in clear in any file, and no restore brings them back."""

from __future__ import annotations

import mmap
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from edu_platform.config.settings import STANDIN_APPID
from edu_platform.wechat.standin.app import StandIn
from edu_platform.wechat.standin.server import serving
from tests.backup.conftest import tools  # noqa: F401 - a fixture
from tests.faults.house import WEB, WORKER
from tests.faults.seed import ROOT

SECRET = "the-app-secret-of-erasure"


def found_in(folder: Path, traces: list[bytes]) -> set[str]:
    """Return which trace stands in which file under a folder: database, logs of it, logs, queue, uploads, backups."""
    found = set()
    for path in folder.rglob("*"):
        if not path.is_file() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            found |= {
                f"{trace[:24]!r} in {path.relative_to(folder)}"
                for trace in traces
                if content.find(trace) >= 0
            }
    return found


def edu(house, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edu_platform.cli", *arguments],
        cwd=ROOT,
        env=house.environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Person:
    """Somebody who leaves a canary wherever a client can."""

    def __init__(self, house, standin: StandIn) -> None:
        self.house, self.standin = house, standin
        mark = secrets.token_hex(6)
        self.openid, self.unionid = f"oCANARY-openid-{mark}", f"uCANARY-unionid-{mark}"
        self.typed, self.key, self.agent = (
            f"CANARY-typed-{mark}",
            f"CANARY-key-{mark}",
            f"CANARY-agent-{mark}",
        )
        self.searched, self.broken = f"CANARY-search-{mark}", f"CANARY-broken-{mark}"
        self.token = ""

    @property
    def traces(self) -> list[bytes]:
        words = (self.openid, self.unionid, self.typed, self.key, self.agent, self.searched, self.broken)
        return [word.encode() for word in (*words, self.token)]

    def sign_in(self) -> int:
        with self.standin.state.lock:
            code, _ = self.standin.state.issue_code(
                appid=STANDIN_APPID, openid=self.openid, unionid=self.unionid
            )
        made = self.house.ask("/api/v1/sessions", method="POST", body={"code": code, "age_band": "18_59"})
        assert made.status == 201, made.body
        self.token = made.json["token"]
        return int(made.json["learner"]["id"])

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str):
        return self.house.ask(
            f"/api/v1{path}",
            method=method,
            body=body,
            token=self.token,
            headers={"User-Agent": self.agent, **headers},
        )

    def live(self) -> None:
        """Consent under a key, type into a blank, search, and send what is refused."""
        given = self.ask(
            "/me/consents",
            "POST",
            {"purpose": "statistics", "version": "2026-01"},
            **{"Idempotency-Key": self.key},
        )
        assert given.status == 201, given.body
        attempt = self.ask(f"/quizzes/{self.house.seed.quiz}/attempts", "POST", {"client_id": "c-1"}).json
        number = next(q["number"] for q in attempt["questions"] if q["type"] == "fill_in")
        saved = self.ask(f"/attempts/{attempt['id']}/answers/{number}", "PUT", {"answer": [self.typed]})
        assert saved.status == 200, saved.body
        done = self.ask(f"/attempts/{attempt['id']}/submit", "POST")
        assert done.status == 200, done.body
        assert self.typed in done.body.decode()  # they read what they wrote
        assert self.ask(f"/search?q={self.searched}").status in {200, 404}
        assert self.ask("/me", "PUT", {self.broken: self.broken}).status == 422
        assert self.ask("/me", "PUT", self.broken.encode()).status >= 400
        assert self.ask(f"/pieces/{self.broken}").status == 404


@pytest.mark.once
@pytest.mark.control("a planted canary")
def test_nothing_of_a_person_is_left_and_a_restore_forgets_them_again(build, folder, tools, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    standin = StandIn(STANDIN_APPID, SECRET)
    with serving(standin) as url:
        house = build(settings={"EDU_WECHAT_BASE_URL": url, "EDU_WECHAT_SECRET": SECRET})
        house.start()
        person = Person(house, standin)
        learner_id = person.sign_in()
        person.live()
        copies, keys = folder / "copies", folder / "apart"
        edu(house, "backup", str(copies), "--keys", str(keys))
        assert found_in(folder, person.traces) == set()

        assert person.ask("/me", "DELETE").status == 204
        house.settle(150)  # while somebody reads, the log cannot be cut; it is tried again a minute later
        assert found_in(folder, person.traces) == set()
        assert person.ask("/me").status == 401

        # the control: the same search finds what stands in clear anywhere there
        (folder / "var" / "note.txt").write_bytes(person.traces[0])
        assert len(found_in(folder, person.traces)) == 1
        (folder / "var" / "note.txt").unlink()

        house.leave_dead(WEB)
        house.leave_dead(WORKER)
        backup = next(path for path in copies.iterdir() if (path / "manifest.json").exists())
        told = edu(house, "restore", str(backup), "--replace", "--keys", str(keys))
        assert "1 名学习者的注销" in told
        house.revive(WEB)
        house.revive(WORKER)
        house.wait_ready()
        erased = f"SELECT count(*) FROM learner WHERE id = {learner_id} AND erased_at IS NOT NULL"
        assert house.database.rows(erased) == [(1,)]
        assert person.sign_in() != learner_id  # who comes back is somebody new
        assert found_in(folder, person.traces) == set()
