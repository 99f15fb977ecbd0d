"""Who is let in, and what a guard leaves on a view."""

from __future__ import annotations

import pytest
from flask import Flask, g

from edu_platform.core.vocabulary import Role
from edu_platform.core.web import Api, blueprint
from edu_platform.people import guards
from edu_platform.people.guards import Guard
from edu_platform.people.schemas import MeView
from tests import cast

GUARDS = {
    "public": guards.public,
    "learner": guards.learner,
    "identified": guards.identified,
    "staff": guards.staff(),
    "editor": guards.staff(Role.EDITOR, Role.REVIEWER),
}
OK, ANON, DENIED = 200, 401, 403
TABLE = {
    #               nobody visitor learner staff editor reviewer admin
    "public":     (OK,   OK,     OK,     OK,     OK,     OK,     OK),
    "learner":    (ANON, OK,     OK,     DENIED, DENIED, DENIED, DENIED),
    "identified": (ANON, DENIED, OK,     DENIED, DENIED, DENIED, DENIED),
    "staff":      (ANON, DENIED, DENIED, OK,     OK,     OK,     OK),
    "editor":     (ANON, DENIED, DENIED, DENIED, OK,     OK,     DENIED),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_who_is_let_in(app: Flask, name):
    def view() -> str:
        return str(g.get("actor_key"))

    guarded = GUARDS[name](view)
    people = [
        {},
        cast.visitor(app)[1],
        cast.sign_in_learner(app)[1],
        cast.staff_member(app)[1],
        cast.staff_member(app, Role.EDITOR)[1],
        cast.staff_member(app, Role.REVIEWER)[1],
        cast.staff_member(app, Role.ADMIN)[1],
    ]
    found = []
    for headers in people:
        with app.test_request_context("/", headers=headers):
            response = app.ensure_sync(lambda: _answer(app, guarded))()
            found.append(response.status_code)
    assert tuple(found) == TABLE[name]


def _answer(app: Flask, view):
    try:
        return app.make_response(view())
    except Exception as wrong:
        return app.make_response(app.handle_user_exception(wrong))


def test_the_actors_name_is_left_for_limits_and_repeats(app):
    learner_id, headers = cast.sign_in_learner(app)
    with app.test_request_context("/", headers=headers):
        assert guards.learner(lambda: g.actor_key)() == f"learner:{learner_id}"
    staff_id, headers = cast.staff_member(app)
    with app.test_request_context("/", headers=headers):
        assert guards.staff()(lambda: g.actor_key)() == f"staff:{staff_id}"


def test_a_public_view_that_asks_for_the_learner(app):
    learner_id, headers = cast.sign_in_learner(app)
    with app.test_request_context("/"):
        assert guards.maybe_learner() is None
    with app.test_request_context("/", headers=headers):
        assert guards.maybe_learner().id == learner_id
    with app.test_request_context("/", headers={"Authorization": "Bearer nonsense"}):
        assert _answer(app, guards.public(guards.maybe_learner)).status_code == 401


def test_two_requests_in_one_context_are_two_people(app, client, context):
    ids = []
    for _ in range(2):
        learner_id, headers = cast.sign_in_learner(app)
        assert client.get("/api/v1/me", headers=headers).json["id"] == str(learner_id)
        ids.append(learner_id)
    assert ids[0] != ids[1]


def test_a_guard_is_readable_and_documented():
    app = Flask("guards")
    app.config.update(API_TITLE="t", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    api = Api(app)
    room = blueprint("room", prefix="/room", description="x")

    @room.get("")
    @guards.staff(Role.EDITOR, Role.ADMIN)
    @room.arguments(MeView, location="query")
    @room.response(200, MeView)
    def view(body: object) -> object:
        """Do something."""
        return body

    api.register_blueprint(room)
    assert app.view_functions["room.view"].guard == Guard("staff", frozenset({Role.EDITOR, Role.ADMIN}))
    operation = api.spec.to_dict()["paths"]["/api/v1/room"]["get"]
    assert operation["security"] == [{"staff": []}]
    assert operation["x-roles"] == ["admin", "editor"]
    assert operation["parameters"]


def test_every_route_of_the_room_has_a_guard(app):
    mine = [
        r
        for r in app.url_map.iter_rules()
        if r.rule.startswith(("/api/v1/me", "/api/v1/sessions", "/api/v1/staff/"))
    ]
    assert len(mine) > 15
    assert all(hasattr(app.view_functions[rule.endpoint], "guard") for rule in mine)
