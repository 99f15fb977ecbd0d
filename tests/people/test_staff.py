"""Accounts of staff and their sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from edu_platform.audit.models import AuditEntry
from edu_platform.audit.operations import verify
from edu_platform.core.clock import frozen, now
from edu_platform.core.db import reading, writing
from edu_platform.core.errors import DomainError
from edu_platform.core.vocabulary import Role
from edu_platform.people import operations, rules
from edu_platform.people.errors import EmailTaken, LastAdmin
from edu_platform.people.models import Staff, StaffToken
from edu_platform.people.tasks import drop_dead_tokens
from tests import cast

SESSIONS = "/api/v1/staff/sessions"
ACCOUNTS = "/api/v1/staff/accounts"
PASSWORD = "a-Good-password-1"
EMAIL = "zhang@branch.example"


def make(app, *roles: Role, email: str = EMAIL, password: str | None = PASSWORD) -> int:
    with app.app_context(), writing() as session:
        staff, _ = operations.create_staff(
            session, email=email, display_name="张三", roles=roles, by="test", password=password
        )
        return staff.id


def sign_in(client, password: str = PASSWORD, email: str = EMAIL):
    return client.post(SESSIONS, json={"email": email, "password": password})


def actions(subject: str | None = None) -> list[str]:
    entries = reading().scalars(select(AuditEntry).order_by(AuditEntry.id))
    return [e.action for e in entries if subject in {None, e.subject}]


def test_signing_in_and_out(app, client, context):
    staff_id = make(app, Role.EDITOR)
    answer = sign_in(client, email=" Zhang@BRANCH.example ")
    assert answer.status_code == 201
    assert answer.json["staff"]["roles"] == ["editor"]
    headers = cast.bearer(answer.json["token"])
    assert client.get("/api/v1/staff/me", headers=headers).json["id"] == str(staff_id)
    assert client.delete(f"{SESSIONS}/current", headers=headers).status_code == 204
    dead = client.get("/api/v1/staff/me", headers=headers)
    assert (dead.status_code, dead.json["code"]) == (401, "token_revoked")
    assert actions(f"staff:{staff_id}") == ["staff.created", "staff.signed_in", "staff.signed_out"]


def test_signing_out_ends_only_this_session(app, client):
    make(app)
    first, second = (cast.bearer(sign_in(client).json["token"]) for _ in range(2))
    client.delete(f"{SESSIONS}/current", headers=first)
    assert client.get("/api/v1/staff/me", headers=second).status_code == 200


def test_the_token_and_the_password_are_not_stored(app, client, context):
    make(app)
    token = sign_in(client).json["token"]
    kept = reading().scalar(select(StaffToken))
    assert kept.token_hash == rules.token_hash(token)
    stored = repr(reading().scalar(select(Staff)).__dict__) + repr(kept.__dict__)
    assert token not in stored
    assert PASSWORD not in stored
    assert reading().scalar(select(Staff.password_hash)).startswith("$argon2id$")


def test_a_session_expires(app, client, settings):
    make(app)
    headers = cast.bearer(sign_in(client).json["token"])
    with frozen(now() + timedelta(hours=settings.staff_session_hours, seconds=1)):
        assert client.get("/api/v1/staff/me", headers=headers).json["code"] == "token_expired"


def test_wrong_unknown_inactive_and_locked_are_answered_alike(app, client, context):
    make(app)
    make(app, email="gone@branch.example")
    with writing() as session:
        session.scalar(select(Staff).where(Staff.email == "gone@branch.example")).active = False
        session.scalar(select(Staff).where(Staff.email == EMAIL)).locked_until = now() + timedelta(minutes=5)
        operations.import_account(session)
    answers = [
        sign_in(client, email="nobody@branch.example"),
        sign_in(client, email="gone@branch.example"),
        sign_in(client),
        sign_in(client, password="wrong"),
        sign_in(client, email="import@edu.local", password=""),
        sign_in(client, email="import@edu.local", password="None"),
    ]
    assert [a.status_code for a in answers] == [401, 401, 401, 401, 422, 401]
    refused = [
        {k: v for k, v in a.json.items() if k != "request_id"} for a in answers if a.status_code == 401
    ]
    assert all(body == refused[0] for body in refused)
    assert refused[0]["code"] == "bad_credentials"


def test_an_unknown_email_costs_as_much_work(app, client, monkeypatch):
    make(app)
    verified = []
    real = rules._HASHER.__class__.verify
    monkeypatch.setattr(
        rules._HASHER.__class__, "verify", lambda self, *a: (verified.append(a[0]), real(self, *a))[1]
    )
    sign_in(client, password="wrong")
    sign_in(client, email="nobody@branch.example")
    assert len(verified) == 2
    assert {hashed.split("$")[3] for hashed in verified} == {"m=47104,t=1,p=1"}


def test_wrong_passwords_lock_longer_and_longer(app, client, context):
    make(app)
    start = now()
    for _ in range(rules.FREE_ATTEMPTS):
        assert sign_in(client, password="wrong").status_code == 401
    assert sign_in(client).status_code == 401  # locked: not even the right one
    with frozen(start + timedelta(minutes=2)):
        assert sign_in(client, password="wrong").status_code == 401
        locked = reading().scalar(select(Staff.locked_until))
        assert timedelta(minutes=1, seconds=50) < locked - now() <= timedelta(minutes=2)
    with frozen(start + timedelta(minutes=5)):
        assert sign_in(client).status_code == 201
        assert reading().scalar(select(Staff.failed_attempts)) == 0
    assert "staff.sign_in_refused" in actions()


@pytest.mark.parametrize(("wrong", "minutes"), [(4, None), (5, 1), (6, 2), (8, 8), (11, 60), (5000, 60)])
def test_how_long_a_lock_lasts(wrong, minutes):
    at = now()
    assert rules.lock_after(wrong, at) == (None if minutes is None else at + timedelta(minutes=minutes))


def test_many_guesses_at_once_cannot_pass_the_lock(app, context):
    make(app)

    def guess(number: int) -> int:
        return sign_in(app.test_client(), password=f"wrong-{number}").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(guess, range(16))) == {401}
    staff = reading().scalar(select(Staff))
    assert staff.locked_until is not None
    assert staff.failed_attempts == rules.FREE_ATTEMPTS


def test_a_password_changed_in_between_does_not_sign_in(app, context):
    make(app)
    with writing() as session:
        stale = rules.hash_password(PASSWORD)
        assert operations.staff_sign_in(session, email=EMAIL, proven=stale, lasts=timedelta(1)) is None


# --- accounts ----------------------------------------------------------------------------------


def test_an_administrator_makes_an_account(app, client, context):
    admin_id, headers = cast.staff_member(app, Role.ADMIN, name="李四")
    body = {"email": "New@Branch.example", "display_name": "王五", "roles": ["editor", "reviewer"]}
    made = client.post(ACCOUNTS, json=body, headers=headers)
    assert made.status_code == 201
    assert made.json["roles"] == ["editor", "reviewer"]
    assert made.json["email"] == "new@branch.example"
    password = made.json["one_time_password"]
    assert sign_in(client, password, "new@branch.example").status_code == 201
    listed = client.get(ACCOUNTS, headers=headers)
    assert "one_time_password" not in listed.text
    assert password not in listed.text
    entry = reading().scalar(select(AuditEntry).where(AuditEntry.subject == f"staff:{made.json['id']}"))
    assert entry.actor == f"staff:{admin_id} 李四"
    again = client.post(ACCOUNTS, json=body, headers=headers)
    assert (again.status_code, again.json["code"]) == (409, "email_taken")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no-address"}, "email"),
        ({"display_name": "李\u202e四"}, "display_name"),
        ({"display_name": ""}, "display_name"),
        ({"roles": ["king"]}, "roles[0]"),
        ({"roles": "admin"}, "roles"),
        ({"password": "mine"}, "password"),
    ],
)
def test_a_bad_account_is_refused_by_field(app, client, change, field):
    _, headers = cast.staff_member(app, Role.ADMIN)
    body = {"email": "a@branch.example", "display_name": "王五", "roles": []} | change
    answer = client.post(ACCOUNTS, json=body, headers=headers)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json["errors"]} == {field}


@pytest.mark.parametrize("change", [{"roles": ["analyst"]}, {"active": False}, {"reset_password": True}])
def test_a_change_ends_the_accounts_sessions(app, client, change):
    _, admin = cast.staff_member(app, Role.ADMIN)
    staff_id, headers = cast.staff_member(app, Role.EDITOR)
    assert client.put(f"{ACCOUNTS}/{staff_id}", json=change, headers=admin).status_code == 200
    assert client.get("/api/v1/staff/me", headers=headers).json["code"] == "token_revoked"


def test_a_new_name_ends_nothing(app, client):
    _, admin = cast.staff_member(app, Role.ADMIN)
    staff_id, headers = cast.staff_member(app, Role.EDITOR)
    client.put(f"{ACCOUNTS}/{staff_id}", json={"display_name": "新名"}, headers=admin)
    assert client.get("/api/v1/staff/me", headers=headers).json["display_name"] == "新名"


def test_a_reset_password_works_and_unlocks(app, client, context):
    _, admin = cast.staff_member(app, Role.ADMIN)
    staff_id = make(app)
    for _ in range(rules.FREE_ATTEMPTS):
        sign_in(client, password="wrong")
    reset = client.put(f"{ACCOUNTS}/{staff_id}", json={"reset_password": True}, headers=admin)
    assert sign_in(client).status_code == 401
    assert sign_in(client, reset.json["one_time_password"]).status_code == 201
    assert "staff.password_reset" in actions(f"staff:{staff_id}")


@pytest.mark.parametrize("change", [{"roles": ["editor"]}, {"roles": []}, {"active": False}])
def test_the_last_administrator_stays(app, client, change):
    admin_id, headers = cast.staff_member(app, Role.ADMIN)
    answer = client.put(f"{ACCOUNTS}/{admin_id}", json=change, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (409, "last_admin")
    assert client.get(ACCOUNTS, headers=headers).status_code == 200
    other_id, _ = cast.staff_member(app, Role.ADMIN)
    assert other_id != admin_id
    assert client.put(f"{ACCOUNTS}/{admin_id}", json=change, headers=headers).status_code == 200


def test_two_administrators_cannot_remove_each_other_at_once(app):
    (one, _), (two, _) = (cast.staff_member(app, Role.ADMIN) for _ in range(2))

    def remove(pair: tuple[int, int]) -> str:
        by, whom = pair
        with app.app_context():
            try:
                with writing() as session:
                    operations.change_account(session, whom, by=session.get_one(Staff, by), active=False)
            except DomainError as refused:
                return refused.code
            return "removed"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, [(one, two), (two, one)])) == ["last_admin", "removed"]


def test_no_such_account(app, client):
    _, headers = cast.staff_member(app, Role.ADMIN)
    for staff_id in ("999999", "9223372036854775807"):
        assert client.put(f"{ACCOUNTS}/{staff_id}", json={}, headers=headers).status_code == 404
    assert client.put(f"{ACCOUNTS}/{'9' * 30}", json={}, headers=headers).status_code == 404


def test_accounts_are_paged(app, client):
    _, headers = cast.staff_member(app, Role.ADMIN)
    for _ in range(4):
        cast.staff_member(app)
    seen, cursor = [], None
    while True:
        page = client.get(
            ACCOUNTS, query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}), headers=headers
        )
        seen += [item["id"] for item in page.json["items"]]
        cursor = page.json["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5


def test_changing_ones_own_password(app, client):
    make(app)
    headers = cast.bearer(sign_in(client).json["token"])
    url = "/api/v1/staff/me/password"
    wrong = client.put(url, json={"current_password": "x", "new_password": "another-Good-2"}, headers=headers)
    assert wrong.json["errors"][0]["field"] == "current_password"
    for weak in ("short", "1234567890123", "aaaaaaaaaaaaa", "zhang-zhang-zhang"):
        answer = client.put(url, json={"current_password": PASSWORD, "new_password": weak}, headers=headers)
        assert answer.json["errors"][0]["field"] == "new_password"
    taken = client.put(
        url, json={"current_password": PASSWORD, "new_password": "another-Good-2"}, headers=headers
    )
    assert taken.status_code == 204
    assert client.get("/api/v1/staff/me", headers=headers).status_code == 401
    assert sign_in(client, "another-Good-2").status_code == 201


def test_the_first_administrator_is_made_once(app, client, context):
    with writing() as session:
        password = operations.ensure_admin(session)
    with writing() as session:
        assert operations.ensure_admin(session) is None
    answer = sign_in(client, password, operations.ADMIN_EMAIL)
    assert answer.json["staff"]["roles"] == ["admin"]
    assert client.get(ACCOUNTS, headers=cast.bearer(answer.json["token"])).status_code == 200


def test_the_import_account_is_one_and_cannot_sign_in(app, client, context):
    with writing() as session:
        first = operations.import_account(session)
        assert operations.import_account(session).id == first.id
    _, headers = cast.staff_member(app, Role.ADMIN)
    answer = client.put(f"{ACCOUNTS}/{first.id}", json={"reset_password": True}, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (409, "import_account")


def test_emails_differ_in_more_than_case(app, context):
    make(app)
    with writing() as session, pytest.raises(EmailTaken):
        operations.create_staff(session, email=EMAIL.upper(), display_name="x", roles=[], by="test")


def test_last_admin_is_a_conflict():
    assert LastAdmin("x").status == 409


def test_generated_passwords_pass_the_house_rule():
    made = {rules.new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(rules.weak_password(password, "someone@x.y") is None for password in made)


def test_dead_tokens_are_dropped_a_week_later(app, context, settings):
    cast.staff_member(app)
    hours = timedelta(hours=settings.staff_session_hours)
    with frozen(now() + hours + timedelta(days=6)):
        drop_dead_tokens()
    assert reading().scalar(select(StaffToken)) is not None
    with frozen(now() + hours + timedelta(days=8)):
        drop_dead_tokens()
    reading().rollback()
    assert reading().scalar(select(StaffToken.id)) is None


def test_the_trail_of_all_this_holds(app, client, context):
    test_signing_in_and_out(app, client, context)
    assert verify(reading()) is None
