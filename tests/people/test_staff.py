"""Accounts of staff and their sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from edu_platform.audit.models import AuditEntry
from edu_platform.audit.operations import verify
from edu_platform.core.clock import frozen, now
from edu_platform.core.db import db, reading, writing
from edu_platform.core.errors import DomainError
from edu_platform.core.vocabulary import Role
from edu_platform.people import operations, rules
from edu_platform.people.errors import EmailTaken, LastAdmin
from edu_platform.people.models import KnownAddress, Staff, StaffToken
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


def at(app, address: str):
    """A client at an address."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


HOME, ELSEWHERE = "10.1.2.3", "203.0.113.9"


def test_strangers_cannot_lock_the_owner_out(app, context):
    make(app)
    assert sign_in(at(app, HOME)).status_code == 201
    for number in range(rules.FREE_ATTEMPTS + 4):
        stranger = at(app, f"203.0.113.{number}")
        assert sign_in(stranger, password="wrong").status_code == 401
    assert reading().scalar(select(Staff.locked_until)) is not None
    assert sign_in(at(app, ELSEWHERE)).status_code == 401, "locked for every stranger together"
    assert sign_in(at(app, HOME)).status_code == 201


@pytest.mark.control
def test_with_one_count_for_all_addresses_strangers_lock_the_owner_out(app, context, monkeypatch):
    """The control: no address is known."""
    make(app)
    monkeypatch.setattr(rules, "ADDRESS_KNOWN_FOR", timedelta(0))
    start = now()
    with frozen(start):
        assert sign_in(at(app, HOME)).status_code == 201
    with frozen(start + timedelta(seconds=1)):
        for _ in range(rules.FREE_ATTEMPTS):
            sign_in(at(app, ELSEWHERE), password="wrong")
        assert sign_in(at(app, HOME)).status_code == 401


def test_a_known_address_has_a_lock_of_its_own(app, context):
    make(app)
    assert sign_in(at(app, HOME)).status_code == 201
    for _ in range(rules.FREE_ATTEMPTS):
        sign_in(at(app, HOME), password="wrong")
    assert sign_in(at(app, HOME)).status_code == 401, "guessing from the owner's desk is bounded too"
    assert sign_in(at(app, ELSEWHERE)).status_code == 201
    with frozen(now() + timedelta(minutes=2)):
        assert sign_in(at(app, HOME)).status_code == 201


def test_an_address_is_kept_as_a_keyed_hash_forgotten_after_a_time_and_on_a_reset(app, client, context):
    _, admin = cast.staff_member(app, Role.ADMIN)
    staff_id = make(app)
    for number in range(rules.MOST_KNOWN_ADDRESSES + 3):
        assert sign_in(at(app, f"10.0.0.{number}")).status_code == 201

    def known() -> list[KnownAddress]:
        db.session.expire_all()
        return list(reading().scalars(select(KnownAddress).where(KnownAddress.staff_id == staff_id)))

    assert len(known()) == rules.MOST_KNOWN_ADDRESSES
    assert all(len(one.address_hash) == 32 and b"10.0" not in one.address_hash for one in known())
    client.put(f"{ACCOUNTS}/{staff_id}", json={"reset_password": True}, headers=admin)
    assert known() == []
    with writing() as session:
        session.add(KnownAddress(staff_id=staff_id, address_hash=b"x" * 32, last_signed_in_at=now()))
    drop_dead_tokens()
    assert len(known()) == 1
    with frozen(now() + rules.ADDRESS_KNOWN_FOR + timedelta(hours=1)):
        drop_dead_tokens()
    assert known() == []


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_what_stands_for_an_address(address, network):
    assert rules.network_of(address) == network


def test_no_refusal_is_told_by_the_work_it_takes(app, client, context):
    """Unknown, wrong, locked and inactive: each verifies one hash and adds one entry to the trail, in one commit."""
    make(app)
    make(app, email="gone@branch.example")
    make(app, email="locked@branch.example")
    with writing() as session:
        session.scalar(select(Staff).where(Staff.email == "gone@branch.example")).active = False
        session.scalar(select(Staff).where(Staff.email == "locked@branch.example")).locked_until = (
            now() + timedelta(1)
        )
    work = {}
    for email, password in [("nobody@branch.example", "x"), (EMAIL, "wrong"), ("gone@branch.example", PASSWORD),
                            ("locked@branch.example", PASSWORD)]:  # fmt: skip
        written, commits = [], []

        def note(_, __, statement, *rest, written=written):
            if statement.startswith("INSERT"):
                written.append(statement.split()[2])

        def commit(_, commits=commits):
            commits.append(1)

        event.listen(db.engine, "before_cursor_execute", note)
        event.listen(db.engine, "commit", commit)
        assert sign_in(client, password, email).status_code == 401
        event.remove(db.engine, "before_cursor_execute", note)
        event.remove(db.engine, "commit", commit)
        work[email] = (written, len(commits))
    assert set(map(str, work.values())) == {str((["audit_entry"], 1))}, work
    assert verify(reading()) is None


# --- one-time passwords ---------------------------------------------------------------------------


def test_a_one_time_password_lets_its_owner_choose_another_and_nothing_else(app, client):
    _, admin = cast.staff_member(app, Role.ADMIN)
    body = {"email": EMAIL, "display_name": "王五", "roles": ["editor", "admin"]}
    password = client.post(ACCOUNTS, json=body, headers=admin).json["one_time_password"]
    signed = sign_in(client, password)
    assert signed.json["staff"]["must_change_password"] is True
    headers = cast.bearer(signed.json["token"])
    for path in ("/api/v1/staff/pieces", "/api/v1/staff/accounts", "/api/v1/staff/questions"):
        refused = client.get(path, headers=headers)
        assert (refused.status_code, refused.json["code"]) == (403, "password_change_needed"), path
    assert client.get("/api/v1/staff/me", headers=headers).json["must_change_password"] is True
    change = {"current_password": password, "new_password": password}
    same = client.put("/api/v1/staff/me/password", json=change, headers=headers)
    assert (same.status_code, same.json["errors"][0]["code"]) == (422, "same_password")
    change["new_password"] = "my-Own-password-7"
    assert client.put("/api/v1/staff/me/password", json=change, headers=headers).status_code == 204
    again = sign_in(client, "my-Own-password-7")
    assert again.json["staff"]["must_change_password"] is False
    assert client.get("/api/v1/staff/pieces", headers=cast.bearer(again.json["token"])).status_code == 200
    staff_id = again.json["staff"]["id"]
    reset = client.put(f"{ACCOUNTS}/{staff_id}", json={"reset_password": True}, headers=admin)
    assert reset.json["must_change_password"] is True


def test_the_first_administrators_password_is_such_a_one(app, context):
    with writing() as session:
        operations.ensure_admin(session)
    assert reading().scalar(select(Staff.must_change_password).where(Staff.email == operations.ADMIN_EMAIL))


def test_a_password_changed_in_between_does_not_sign_in(app, context):
    make(app)
    with writing() as session:
        stale = rules.hash_password(PASSWORD)
        found = operations.staff_sign_in(
            session, email=EMAIL, proven=stale, address=[b"here"], lasts=timedelta(1)
        )
    assert found is None


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
    change = {"current_password": password, "new_password": "my-Own-password-7"}
    headers = cast.bearer(answer.json["token"])
    assert client.put("/api/v1/staff/me/password", json=change, headers=headers).status_code == 204
    headers = cast.bearer(sign_in(client, "my-Own-password-7", operations.ADMIN_EMAIL).json["token"])
    assert client.get(ACCOUNTS, headers=headers).status_code == 200


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
