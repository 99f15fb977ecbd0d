"""A small installation that is alive, and for every operation a request that ought to succeed in it.

`World.real(label)` makes what the request needs (a fresh draft, an open attempt, an unused login code) through the
real operations and returns the request; ids, slugs, codes and tokens in it exist. An operation that needs nothing
special is served by its row in the table of who may call what and by the names of its path's parameters.
"""

from __future__ import annotations

import base64
import io
import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import yaml
from flask import Flask
from sqlalchemy.orm import Session

from edu_platform.config.settings import STANDIN_APPID
from edu_platform.core.clock import local_day, now
from edu_platform.core.db import db, writing
from edu_platform.core.vocabulary import Audience, Channel, Role
from edu_platform.library import operations as library
from edu_platform.people import operations as people
from edu_platform.people import rules as people_rules
from edu_platform.people.models import Learner, Purpose, Staff
from edu_platform.review import operations as review
from edu_platform.wechat.standin.app import StandIn
from tests.campaigns import publishing
from tests.cast import bearer, sign_in_learner, staff_member, visitor
from tests.laws.access import TABLE
from tests.quizzes.conftest import FIXED, META, QUESTIONS, Desk, answer_to, single

ROLES = {"E": Role.EDITOR, "R": Role.REVIEWER, "C": Role.CAMPAIGN_MANAGER, "A": Role.ANALYST, "D": Role.ADMIN}
PASSWORD = "a-Good-password-1"
ARTICLE, QUIZ, CAMPAIGN, SCANNED = "hang-up-first", "three-questions", "rights-week", "HALL22"


@dataclass
class Request:
    """What to send."""

    headers: dict[str, str] = field(default_factory=dict)
    path: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    media_type: str = "application/json"


def picture(side: int = 24) -> bytes:
    """A small PNG, made by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(range(side)) * 3 for _ in range(side))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class World:
    """Everybody and everything that the requests speak of."""

    def __init__(self, app: Flask, standin: StandIn) -> None:
        self.app, self.standin = app, standin
        self.client = app.test_client()
        self.count = itertools.count(1)
        self.cursors: dict[str, str] = {}
        self.hash = people_rules.hash_password(PASSWORD)
        self.desk = Desk(app)
        for slug in (ARTICLE, "plain-words", "ask-again"):
            publishing.draft(app, slug, Audience.YOUTH)
        self.desk.publish(QUIZ)
        today = local_day(now())
        publishing.campaign(
            app, CAMPAIGN, today - timedelta(days=3), today + timedelta(days=30),
            pieces=[ARTICLE, QUIZ], codes={SCANNED: Channel.HALL_SCREEN},
        )  # fmt: skip
        publishing.campaign(app, "next-week", today + timedelta(days=40), today + timedelta(days=50))
        self.learner_id, self.learner = sign_in_learner(app)
        self.visitor = visitor(app)[1]
        self.staff = {letter: staff_member(app, role) for letter, role in ROLES.items()}
        answer = self.client.post(
            "/api/v1/staff/media", data={"file": (io.BytesIO(picture()), "a.png")}, headers=self.staff["E"][1]
        )
        assert answer.status_code == 201, answer.json
        self.digest = answer.json["digest"]
        self.mistaken = self._mistaken()
        for slug in (ARTICLE, "plain-words"):
            self.client.put(f"/api/v1/favourites/{slug}", headers=self.learner)
            self.client.put(
                f"/api/v1/progress/{slug}", headers=self.learner, json={"position": {"percent": 40}}
            )
        with self.session() as session:
            people.grant(
                session,
                session.get_one(Learner, self.learner_id),
                Purpose.LEADERBOARD,
                people_rules.PURPOSES[Purpose.LEADERBOARD].version,
            )

    # -- making things --------------------------------------------------------------------------------------

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.app.app_context():
            with writing() as session:
                yield session
            db.session.remove()

    def name(self, stem: str) -> str:
        return f"{stem}-{next(self.count)}"

    def attempt(self, headers: dict[str, str] | None = None) -> dict[str, Any]:
        answer = self.client.post(
            f"/api/v1/quizzes/{QUIZ}/attempts",
            json={"client_id": self.name("attempt")},
            headers=headers or self.learner,
        )
        assert answer.status_code in {200, 201}, answer.json
        return answer.json

    def _mistaken(self) -> dict[str, str]:
        """A learner with mistakes to practise on."""
        headers = sign_in_learner(self.app)[1]
        taken = self.attempt(headers)
        for question in taken["questions"]:
            self.client.put(
                f"/api/v1/attempts/{taken['id']}/answers/{question['number']}",
                json={"answer": answer_to(question, right=False)},
                headers=headers,
            )
        self.client.post(f"/api/v1/attempts/{taken['id']}/submit", headers=headers)
        return headers

    def drafted(self, slug: str | None = None, *, upto: str = "draft") -> dict[str, Any]:
        """An article brought as far as `draft`, `case`, `approved` or `published`."""
        slug = slug or self.name("piece")
        with self.session() as session:
            revision = library.draft_piece(
                session, kind="article", slug=slug, meta=ARTICLE_META, body=publishing.BODY,
                author=self.staff["E"][0],
            )  # fmt: skip
            found = {"slug": slug, "revision_id": str(revision.id), "digest": revision.digest}
            if upto != "draft":
                case = library.submit(session, revision, self.staff["E"][0])
                session.flush()
                found["case_id"] = str(case.id)
                if upto != "case":
                    review.approve(session, case, digest=case.digest, by=self.desk.reviewer)
                if upto == "published":
                    library.publish(session, revision, by=self.staff["E"][0])
        return found

    def account(self) -> tuple[str, str, dict[str, str]]:
        """A member of staff whose password is PASSWORD: (id, e-mail, headers)."""
        with self.session() as session:
            member = Staff(  # not through `create_staff`, which would hash the password anew
                email=f"{self.name('p')}@branch.example", display_name="员工", password_hash=self.hash
            )
            session.add(member)
            session.flush()
            opened = people.open_staff_session(session, member, lasts=timedelta(hours=1))
            return str(member.id), member.email, bearer(opened.token)

    def campaign(self, *, opened: bool) -> str:
        code, today = self.name("camp"), local_day(now())
        publishing.campaign(
            self.app, code, today - timedelta(days=1), today + timedelta(days=9), opened=opened
        )
        return code

    def code(self) -> str:
        with self.standin.state.lock:
            return self.standin.state.issue_code(appid=STANDIN_APPID, openid=None, unionid=None)[0]

    # -- requests -------------------------------------------------------------------------------------------

    def real(self, label: str) -> Request:
        """A request for the operation (`GET /api/v1/pieces`) that ought to succeed."""
        method, path = label.split(" ")
        plain = path.replace("{", "<").replace("}", ">")
        row = next(row for row in TABLE if (row.method, row.path) == (method, plain))
        request = Request(headers=self.headers(row.who), path=self.places(path))
        if label in self.cursors:
            request.query = {"cursor": self.cursors.pop(label)}
        special = RECIPES.get(label)
        return special(self, request) if special else request

    def headers(self, who: str) -> dict[str, str]:
        """The headers of whoever may: a learner before a visitor, else staff."""
        if "N" in who:
            return {}
        return self.learner if "L" in who else self.staff[who[0]][1]

    def places(self, path: str) -> dict[str, Any]:
        known = {
            "slug": QUIZ if "/quizzes/" in path else ARTICLE,
            "code": SCANNED if path == "/api/v1/channel-codes/{code}" else CAMPAIGN,
            "purpose": "leaderboard",
            "digest": self.digest,
            "ref": "q-1",
            "number": 1,
        }
        return {name: value for name, value in known.items() if "{" + name + "}" in path}

    def remember(self, label: str, answer: Any) -> None:
        """Keep a cursor that was given out, for the next request of this operation."""
        if isinstance(answer, dict) and answer.get("next_cursor"):
            self.cursors[label] = answer["next_cursor"]


ARTICLE_META = {
    "title": "题目", "summary": "一句话说清楚这件事该怎么办。", "audiences": ["youth"],
    "rights": ["property_safety"], "column": "risk-alerts",
}  # fmt: skip
PLAN = {"name": "三一五宣传周", "theme": "守住钱袋子", "series": "consumer_rights_week"}

Recipe = Callable[[World, Request], Request]
RECIPES: dict[str, Recipe] = {}


def recipe(*labels: str) -> Callable[[Recipe], Recipe]:
    def register(found: Recipe) -> Recipe:
        for label in labels:
            RECIPES[label] = found
        return found

    return register


@recipe("GET /api/v1/attempts/{attempt_id}", "POST /api/v1/attempts/{attempt_id}/submit")
def _attempt(world: World, request: Request) -> Request:
    request.path["attempt_id"] = world.attempt()["id"]
    return request


@recipe("PUT /api/v1/attempts/{attempt_id}/answers/{number}")
def _answer(world: World, request: Request) -> Request:
    taken = world.attempt()
    question = taken["questions"][next(world.count) % len(taken["questions"])]
    request.path |= {"attempt_id": taken["id"], "number": question["number"]}
    request.body = {"answer": answer_to(question, right=bool(next(world.count) % 2))}
    return request


@recipe("GET /api/v1/attempts/{attempt_id}/result")
def _result(world: World, request: Request) -> Request:
    taken = world.attempt()
    world.client.post(f"/api/v1/attempts/{taken['id']}/submit", headers=world.learner)
    request.path["attempt_id"] = taken["id"]
    return request


@recipe("POST /api/v1/quizzes/{slug}/attempts")
def _start(world: World, request: Request) -> Request:
    request.body = {"client_id": world.name("c"), "elder": False, "channel_code": SCANNED}
    return request


@recipe("POST /api/v1/me/mistakes/practice", "GET /api/v1/me/mistakes")
def _practice(world: World, request: Request) -> Request:
    request.headers = world.mistaken
    if request.query:
        request.query = {}
    request.body = {"client_id": world.name("p"), "count": 2}
    return request


@recipe("GET /api/v1/me/export")
def _export(world: World, request: Request) -> Request:
    request.headers = world.mistaken  # who has not begun every attempt of this file
    return request


@recipe("POST /api/v1/beacons")
def _beacons(world: World, request: Request) -> Request:
    at = now().isoformat()
    beacon = {
        "id": world.name("b"), "action": "view", "occurred_at": at, "piece": ARTICLE, "campaign": CAMPAIGN,
        "channel_code": SCANNED, "dwell_ms": 900,
    }  # fmt: skip
    request.body = {"sent_at": at, "beacons": [beacon, {**beacon, "id": world.name("b"), "action": "share"}]}
    return request


@recipe("DELETE /api/v1/me", "DELETE /api/v1/sessions/current", "PUT /api/v1/me")
def _leaving(world: World, request: Request) -> Request:
    request.headers = visitor(world.app)[1] if next(world.count) % 2 else sign_in_learner(world.app)[1]
    request.body = {"elder_mode": True, "age_band": "18_59"}
    return request


@recipe("POST /api/v1/me/consents")
def _consent(world: World, request: Request) -> Request:
    request.body = {"purpose": "statistics", "version": people_rules.PURPOSES[Purpose.STATISTICS].version}
    return request


@recipe("PUT /api/v1/progress/{slug}")
def _progress(world: World, request: Request) -> Request:
    request.body = {"position": {"percent": 50}, "updated_at": now().isoformat()}
    return request


@recipe("POST /api/v1/sessions")
def _sign_in(world: World, request: Request) -> Request:
    request.body = {"code": world.code(), "age_band": "18_59", "channel": "mini_program"}
    return request


@recipe("POST /api/v1/sessions/anonymous")
def _visit(world: World, request: Request) -> Request:
    request.body = {"channel": "website"}
    return request


@recipe("POST /api/v1/staff/sessions")
def _staff_sign_in(world: World, request: Request) -> Request:
    request.body = {"email": world.account()[1], "password": PASSWORD}
    return request


@recipe("DELETE /api/v1/staff/sessions/current", "PUT /api/v1/staff/me/password")
def _staff_leaving(world: World, request: Request) -> Request:
    request.headers = world.account()[2]
    request.body = {"current_password": PASSWORD, "new_password": "another-Good-1"}
    return request


@recipe("POST /api/v1/staff/accounts")
def _new_account(world: World, request: Request) -> Request:
    email = f"{world.name('n')}@branch.example"
    request.body = {"email": email, "display_name": "王五", "roles": ["analyst"]}
    return request


@recipe("PUT /api/v1/staff/accounts/{staff_id}")
def _account(world: World, request: Request) -> Request:
    request.path["staff_id"] = world.account()[0]
    request.body = {"display_name": "新名", "roles": ["editor"]}
    return request


@recipe("POST /api/v1/staff/media")
def _media(world: World, request: Request) -> Request:
    request.body, request.media_type = {"file": picture(16 + next(world.count) % 40)}, "multipart/form-data"
    return request


@recipe("POST /api/v1/staff/pieces")
def _piece(world: World, request: Request) -> Request:
    slug = world.name("piece")
    if next(world.count) % 4 == 0:
        request.body = {
            "kind": "quiz", "slug": slug, "meta": META, "body": FIXED,
        }  # fmt: skip
    else:
        request.body = {"kind": "article", "slug": slug, "meta": ARTICLE_META, "body": publishing.BODY}
    return request


@recipe("PUT /api/v1/staff/pieces/{slug}")
def _change(world: World, request: Request) -> Request:
    found = world.drafted()
    request.path["slug"] = found["slug"]
    title = f"题目{next(world.count)}"
    request.body = {
        "meta": {**ARTICLE_META, "title": title}, "body": publishing.BODY, "based_on": found["digest"],
    }  # fmt: skip
    return request


@recipe(
    "GET /api/v1/staff/pieces/{slug}",
    "GET /api/v1/staff/pieces/{slug}/revisions/{revision_id}",
    "GET /api/v1/staff/pieces/{slug}/revisions/{revision_id}/review-text",
    "POST /api/v1/staff/pieces/{slug}/revisions/{revision_id}/check",
    "POST /api/v1/staff/pieces/{slug}/revisions/{revision_id}/submit",
)
def _draft(world: World, request: Request) -> Request:
    found = world.drafted()
    request.path |= {name: found[name] for name in ("slug", "revision_id")}
    return request


@recipe("POST /api/v1/staff/pieces/{slug}/revisions/{revision_id}/publish")
def _publish(world: World, request: Request) -> Request:
    found = world.drafted(upto="approved")
    request.path |= {name: found[name] for name in ("slug", "revision_id")}
    request.body = {"at": None} if next(world.count) % 2 else {"at": (now() + timedelta(days=2)).isoformat()}
    return request


@recipe("POST /api/v1/staff/pieces/{slug}/withdraw")
def _withdraw(world: World, request: Request) -> Request:
    request.path["slug"] = world.drafted(upto="published")["slug"]
    request.body = {"reason": "数字有误"}
    return request


@recipe("GET /api/v1/staff/review-cases/{case_id}")
def _case(world: World, request: Request) -> Request:
    request.path["case_id"] = world.drafted(upto="case")["case_id"]
    return request


@recipe("POST /api/v1/staff/review-cases/{case_id}/approve")
def _decide(world: World, request: Request) -> Request:
    found = world.drafted(upto="case")
    request.path["case_id"] = found["case_id"]
    request.body = {"digest": found["digest"], "comment": "可以"}
    return request


@recipe("POST /api/v1/staff/review-cases/{case_id}/return")
def _return(world: World, request: Request) -> Request:
    request.path["case_id"] = world.drafted(upto="case")["case_id"]
    request.body = {"comment": "标题太吓人"}
    return request


@recipe("POST /api/v1/staff/questions")
def _question(world: World, request: Request) -> Request:
    request.body = {"bank": "bank", "question": single(world.name("made"))}
    return request


@recipe("POST /api/v1/staff/banks")
def _bank(world: World, request: Request) -> Request:
    name = world.name("bank")
    questions = [single(f"{name}-1"), QUESTIONS[0] | {"id": f"{name}-2"}]
    text = yaml.safe_dump({"bank": name, "title": "题库", "questions": questions}, allow_unicode=True)
    request.body = {"format": "yaml", "text": text}
    return request


@recipe("POST /api/v1/staff/campaigns")
def _new_campaign(world: World, request: Request) -> Request:
    day = local_day(now())
    request.body = {
        **PLAN, "code": world.name("made"), "pieces": [ARTICLE],
        "starts_on": day.isoformat(), "ends_on": (day + timedelta(days=7)).isoformat(),
    }  # fmt: skip
    return request


@recipe("PUT /api/v1/staff/campaigns/{code}")
def _plan(world: World, request: Request) -> Request:
    day = local_day(now())
    request.path["code"] = world.campaign(opened=False)
    request.body = {
        **PLAN, "starts_on": day.isoformat(), "ends_on": (day + timedelta(days=7)).isoformat(),
    }  # fmt: skip
    return request


@recipe("POST /api/v1/staff/campaigns/{code}/open")
def _open(world: World, request: Request) -> Request:
    request.path["code"] = world.campaign(opened=False)
    return request


@recipe("POST /api/v1/staff/campaigns/{code}/close")
def _close(world: World, request: Request) -> Request:
    request.path["code"] = world.campaign(opened=True)
    return request


@recipe("PUT /api/v1/staff/campaigns/{code}/pieces")
def _carry(world: World, request: Request) -> Request:
    request.body = {"pieces": [ARTICLE, QUIZ, "plain-words"]}
    return request


@recipe("POST /api/v1/staff/campaigns/{code}/channel-codes")
def _channel_code(world: World, request: Request) -> Request:
    code = base64.b32encode(struct.pack(">I", next(world.count))).decode().rstrip("=")
    request.body = {"channel": "hall_screen", "note": "大厅", "landing_piece": ARTICLE, "code": code}
    return request


@recipe("GET /api/v1/staff/report", "GET /api/v1/staff/campaigns/{code}/report")
def _report(world: World, request: Request) -> Request:
    day = local_day(now())
    request.query = {
        "from": (day - timedelta(days=3)).isoformat(), "to": day.isoformat(), "by": "audience",
    }  # fmt: skip
    return request


@recipe("GET /api/v1/pieces")
def _pieces(world: World, request: Request) -> Request:
    request.query = request.query or {"limit": 1, "q": "题目"}
    return request


@recipe(
    "GET /api/v1/favourites", "GET /api/v1/progress", "GET /api/v1/history",
    "GET /api/v1/staff/pieces", "GET /api/v1/staff/campaigns", "GET /api/v1/staff/accounts",
    "GET /api/v1/staff/questions", "GET /api/v1/staff/review-cases",
    "GET /api/v1/quizzes/{slug}/attempts",
)  # fmt: skip
def _page(world: World, request: Request) -> Request:
    request.query = {**request.query, "limit": 1}
    return request
