"""The table of who may call what, run whole: every operation by every role, on one's own and on somebody else's."""

import io
import re
import secrets
from datetime import timedelta

import pytest

from edu_platform.core.clock import local_day, now
from edu_platform.core.db import writing
from edu_platform.core.vocabulary import Channel, Role
from edu_platform.library import operations as library
from edu_platform.people import guards
from edu_platform.review import operations as review
from tests.campaigns import publishing
from tests.cast import sign_in_learner, staff_member, visitor
from tests.hostile.world import picture
from tests.laws.access import TABLE
from tests.quizzes.conftest import FIXED, META, Desk

ROLES = {"E": Role.EDITOR, "R": Role.REVIEWER, "C": Role.CAMPAIGN_MANAGER, "A": Role.ANALYST, "D": Role.ADMIN}
# after these the caller's token is dead, so they get a caller of their own
ENDS_THE_CALLER = {
    ("DELETE", "/api/v1/me"),
    ("PUT", "/api/v1/me"),
    ("DELETE", "/api/v1/sessions/current"),
    ("DELETE", "/api/v1/staff/sessions/current"),
}
PLACES = {
    "slug": "nothing-here", "code": "nothing-here", "name": "nothing", "path": "nothing", "purpose": "statistics",
    "digest": "0" * 64, "ref": "nothing-1", "number": "1", "attempt_id": "987654321", "revision_id": "987654321",
    "case_id": "987654321", "staff_id": "987654321",
}  # fmt: skip


def plain(rule):
    """`/a/<int(max=9):id>` as the table writes it: `/a/<id>`."""
    return re.sub(r"<(?:[^<>]*:)?([a-z_]+)>", r"<\1>", rule)


def operations_of(app):
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield method, plain(rule.rule), app.view_functions[rule.endpoint]


def caller(app, letter):
    if letter == "N":
        return {}
    if letter == "V":
        return visitor(app)[1]
    if letter == "L":
        return sign_in_learner(app)[1]
    return staff_member(app, ROLES[letter])[1]


def call(client, row, headers, **places):
    path = re.sub(r"<([a-z_]+)>", lambda found: places.get(found[1], PLACES[found[1]]), row.path)
    body = {} if row.method in {"POST", "PUT"} and row.path != "/api/v1/staff/media" else None
    if row.path.endswith("/answers/<number>"):
        body = {"answer": None}
    return client.open(path, method=row.method, headers=headers, json=body)


def test_every_operation_has_a_row_and_every_row_an_operation(app):
    assert {(method, path) for method, path, _ in operations_of(app)} == {
        (row.method, row.path) for row in TABLE
    }


def test_the_table_and_the_guards_say_the_same(app):
    """A view's guard is what the documentation shows; it must be what the table says."""
    rows = {(row.method, row.path): row for row in TABLE}
    letters = {role: letter for letter, role in ROLES.items()}
    for method, path, view in operations_of(app):
        guard = getattr(view, "guard", None) or guards.Guard("public")
        said = {
            "public": "NVLERCAD",
            "learner": "VL",
            "identified": "L",
            "staff": "".join(letters[role] for role in guard.roles) or "ERCAD",
        }[guard.kind]
        assert set(said) == set(rows[method, path].who), f"{method} {path}"


def test_every_operation_by_every_role(app, client):
    standing = {letter: caller(app, letter) for letter in "NVLERCAD"}
    wrong = []
    for row in TABLE:
        for letter, headers in standing.items():
            own = (
                caller(app, letter)
                if (row.method, row.path) in ENDS_THE_CALLER and letter in row.who
                else headers
            )
            status = call(client, row, own).status_code
            if letter in row.who:
                # signing in with an empty body is refused for its fields, never for who asks
                fits = status not in {401, 403} and (status < 500 or row.path == "/readyz")
            else:
                fits = status == (401 if letter == "N" else 403)
            if not fits:
                wrong.append(f"{row.method} {row.path} by {letter}: {status}")
    assert wrong == []


@pytest.fixture
def quiz(app):
    Desk(app).publish("own-quiz")
    return "own-quiz"


def test_somebody_elses_attempt_does_not_exist(app, client, quiz):
    owner, stranger, passer_by = caller(app, "L"), caller(app, "L"), caller(app, "V")
    started = client.post(f"/api/v1/quizzes/{quiz}/attempts", json={"client_id": "a"}, headers=owner)
    assert started.status_code == 201, started.json
    rows = [row for row in TABLE if row.object == "attempt"]
    assert len(rows) == 4
    for row in rows:
        for other in (stranger, passer_by):
            answer = call(client, row, other, attempt_id=started.json["id"])
            missing = call(client, row, other, attempt_id="987654321")
            assert (answer.status_code, answer.json["code"]) == (404, missing.json["code"]), row.path
    assert client.get(f"/api/v1/attempts/{started.json['id']}", headers=owner).status_code == 200


def test_what_one_learner_keeps_another_does_not_see(app, client, quiz):
    owner, stranger = caller(app, "L"), caller(app, "L")
    assert client.put(f"/api/v1/favourites/{quiz}", headers=owner).status_code in {200, 201, 204}
    client.post(f"/api/v1/quizzes/{quiz}/attempts", json={"client_id": "a"}, headers=owner)
    for path in (
        "/api/v1/favourites",
        "/api/v1/progress",
        "/api/v1/history",
        "/api/v1/me/mistakes",
        f"/api/v1/quizzes/{quiz}/attempts",
    ):
        assert client.get(path, headers=stranger).json["items"] == [], path
    assert quiz.encode() not in client.get("/api/v1/me/export", headers=stranger).data


def test_nobody_decides_their_own_case(app, client):
    _, author = staff_member(app, Role.EDITOR, Role.REVIEWER)
    _, other = staff_member(app, Role.REVIEWER)
    slug = f"own-{secrets.token_hex(3)}"
    with app.app_context(), writing() as session:
        library.keep_column(session, slug="risk-alerts", title="风险提示", intro="", position=1)
    draft = client.post(
        "/api/v1/staff/pieces",
        json={
            "kind": "article",
            "slug": slug,
            "meta": {
                "title": "先问一问", "summary": "签字之前先问清楚。", "audiences": ["elderly"],
                "rights": ["right_to_know"], "column": "risk-alerts",
            },
            "body": {
                "markdown": "签字之前，先把不懂的地方问清楚。" * 40,
                "remember": ["先问", "再想", "后签"],
                "actions": ["拨打 {hotline} 询问"],
                "laws": [{"name": "中华人民共和国消费者权益保护法", "article": "第八条"}],
            },
        },
        headers=author,
    )  # fmt: skip
    assert draft.status_code == 201, draft.json
    case = client.post(
        f"/api/v1/staff/pieces/{slug}/revisions/{draft.json['id']}/submit", json={}, headers=author
    )
    assert case.status_code == 200, case.json
    for row in (row for row in TABLE if row.object == "case"):
        path = row.path.replace("<case_id>", case.json["id"])
        body = {"digest": draft.json["digest"]} if path.endswith("approve") else {"comment": "请改"}
        assert client.post(path, json=body, headers=author).status_code == 403, row.path
    approve = f"/api/v1/staff/review-cases/{case.json['id']}/approve"
    assert client.post(approve, json={"digest": "0" * 64}, headers=other).status_code == 409
    assert client.post(approve, json={"digest": draft.json["digest"]}, headers=other).status_code == 200


# -- what is not (or no longer) for the public does not exist, whoever asks --------------------------------------

HIDDEN = ("draft", "in-review", "approved", "scheduled", "withdrawn")
# taking something off one's own list works whatever became of it, and tells nothing
TELLS_NOTHING = {("DELETE", "/api/v1/favourites/<slug>"): 204}
# what one did with a quiz stays one's own after the quiz was withdrawn: one's list of attempts, empty for others
OUTLIVES = ("GET", "/api/v1/quizzes/<slug>/attempts")
BODIES = {
    "/api/v1/progress/<slug>": {"position": {"percent": 10}},
    "/api/v1/quizzes/<slug>/attempts": {"client_id": "hidden"},
}


def bring_to(app, desk, state, kind):
    """Make a piece and leave it in a state; return its slug."""
    slug = f"{kind}-{state}"
    meta, body = (META, FIXED) if kind == "quiz" else ({**META, "cover": None}, publishing.BODY)
    with app.app_context(), writing() as session:
        revision = library.draft_piece(
            session, kind=kind, slug=slug, meta=meta, body=body, author=desk.editor
        )
        if state == "draft":
            return slug
        case = library.submit(session, revision, desk.editor)
        if state == "in-review":
            return slug
        review.approve(session, case, digest=revision.digest, by=desk.reviewer)
        if state == "scheduled":
            library.publish(session, revision, by=desk.editor, at=now() + timedelta(days=3))
        if state == "withdrawn":
            library.publish(session, revision, by=desk.editor)
    if state == "withdrawn":
        with app.app_context(), writing() as session:
            library.withdraw(session, library.piece_of(session, slug), by=desk.editor, reason="有误")
    return slug


def public_rows(place):
    return [row for row in TABLE if f"<{place}>" in row.path and set(row.who) & set("NVL")]


def answer_of(client, row, headers, **places):
    path = re.sub(r"<([a-z_]+)>", lambda found: places.get(found[1], PLACES[found[1]]), row.path)
    body = BODIES.get(row.path, {}) if row.method in {"POST", "PUT"} else None
    return client.open(path, method=row.method, headers=headers, json=body)


@pytest.fixture
def desk(app):
    made = Desk(app)
    made.keep()
    return made


@pytest.mark.parametrize("kind", ["article", "quiz"])
def test_a_piece_that_is_not_out_does_not_exist_for_anybody_but_its_makers(app, client, desk, kind):
    """Not for nobody, visitor or learner; not for staff either, through the public's doors."""
    standing = {letter: caller(app, letter) for letter in "NVLER"}
    rows = [
        row
        for row in public_rows("slug")
        if (kind == "quiz") == ("/quizzes/" in row.path) or kind == "article"
    ]
    assert len(rows) >= 3
    wrong = []
    for state in HIDDEN:
        slug = bring_to(app, desk, state, kind)
        for row in rows:
            for letter in set(row.who) & set(standing):
                found = answer_of(client, row, standing[letter], slug=slug)
                absent = answer_of(client, row, standing[letter], slug="nothing-here")
                key = (row.method, row.path)
                if key == OUTLIVES and (kind, state) == ("quiz", "withdrawn"):
                    fits = found.status_code == 200 and found.json["items"] == []
                elif key in TELLS_NOTHING:
                    fits = found.status_code == absent.status_code == TELLS_NOTHING[key]
                else:
                    fits = found.status_code == 404 and found.json["code"] == absent.json["code"]
                if not fits:
                    wrong.append(f"{row.method} {row.path}, {state} {kind}, by {letter}: {found.status_code}")
        for path in ("/api/v1/pieces", "/api/v1/home", "/api/v1/columns"):
            assert slug.encode() not in client.get(path).data, (state, path)
        makers = client.get(f"/api/v1/staff/pieces/{slug}", headers=standing["E"])
        assert makers.status_code == 200
    assert wrong == []


@pytest.mark.control
def test_a_piece_that_is_out_is_found_by_the_same_requests(app, client, desk):
    """The control: what hides a piece is its state, not the request."""
    desk.publish("quiz-out")
    learner = caller(app, "L")
    found = {
        row.path: answer_of(client, row, learner, slug="quiz-out").status_code for row in public_rows("slug")
    }
    assert set(found.values()) <= {200, 201, 204, 422}, found  # a quiz has no reading position
    assert list(found.values()).count(422) <= 2


def test_a_campaign_that_is_not_open_does_not_exist(app, client, desk):
    today = local_day(now())
    for code, opened in (("secret", False), ("open", True)):
        publishing.campaign(
            app, code, today - timedelta(days=1), today + timedelta(days=9), opened=opened,
            codes={f"{code.upper()}22": Channel.HALL_SCREEN},
        )  # fmt: skip
    learner = caller(app, "L")
    for row in public_rows("code"):
        codes = ("SECRET22", "OPEN22") if "channel" in row.path else ("secret", "open")
        hidden, shown = (answer_of(client, row, learner, code=code).status_code for code in codes)
        assert (hidden, shown) == (404, 200), row.path
        absent = answer_of(client, row, learner, code="NOTHING9")
        assert absent.json["code"] == answer_of(client, row, learner, code=codes[0]).json["code"]


def test_a_file_that_no_published_piece_shows_is_not_public(app, client):
    editor = caller(app, "E")
    made = client.post(
        "/api/v1/staff/media", data={"file": (io.BytesIO(picture()), "a.png")}, headers=editor
    ).json
    for name in (f"{made['digest']}.jpg", f"{made['digest']}.png", made["digest"]):
        for headers in ({}, caller(app, "L"), editor):
            assert client.get(f"/media/{name}", headers=headers).status_code == 404
    content = f"/api/v1/staff/media/{made['digest']}/content"
    for letter, status in (("N", 401), ("V", 403), ("L", 403), ("A", 403), ("D", 403), ("R", 200)):
        assert client.get(content, headers=caller(app, letter)).status_code == status, letter


def test_nobody_acts_for_somebody_else_by_naming_them(app, client, quiz):
    """Whoever is meant is who sent the token; a name in body, query or header is refused or means nothing."""
    victim_id, victim = sign_in_learner(app)
    attacker = caller(app, "L")
    for name in ("learner_id", "id", "user_id", "openid", "actor"):
        answer = client.post(
            f"/api/v1/quizzes/{quiz}/attempts",
            json={"client_id": "a", name: str(victim_id)},
            headers=attacker,
        )
        assert answer.status_code == 422
        assert client.get(f"/api/v1/me?{name}={victim_id}", headers=attacker).json["id"] != str(victim_id)
        assert client.put("/api/v1/me", json={name: str(victim_id)}, headers=attacker).status_code == 422
    for name in (
        "X-User-Id",
        "X-Learner-Id",
        "X-Forwarded-User",
        "X-Remote-User",
        "Remote-User",
        "X-WX-OPENID",
    ):
        assert client.get("/api/v1/me", headers={name: str(victim_id)}).status_code == 401
    assert client.get(f"/api/v1/quizzes/{quiz}/attempts", headers=victim).json["items"] == []


def test_what_an_erased_learner_left_nobody_finds(app, client, quiz):
    gone, other = caller(app, "L"), caller(app, "L")
    started = client.post(f"/api/v1/quizzes/{quiz}/attempts", json={"client_id": "a"}, headers=gone).json
    assert client.delete("/api/v1/me", headers=gone).status_code == 204
    for row in (row for row in TABLE if row.object == "attempt"):
        assert call(client, row, gone, attempt_id=started["id"]).status_code == 401
        assert call(client, row, other, attempt_id=started["id"]).status_code == 404
