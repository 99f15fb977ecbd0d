"""Login, session helpers and phone numbers: the real client against the stand-in over HTTP."""

from __future__ import annotations

import base64

import pytest

from edu_platform.wechat.errors import (
    CodeRefused,
    Misconfigured,
    RateLimited,
    Refused,
    Unavailable,
    WeChatError,
)

LOGIN = "/sns/jscode2session"


def test_a_code_gives_openid_and_session_key(stub, client):
    session = client.code_to_session(stub.code(openid="oABC"))
    assert session.openid == "oABC"
    assert len(base64.b64decode(session.session_key, validate=True)) == 16
    assert session.unionid is None


def test_unionid_comes_only_when_the_app_is_bound(stub, client):
    assert client.code_to_session(stub.code(openid="oABC", unionid="u1")).unionid == "u1"


def test_success_has_no_errcode(stub):
    query = {"appid": stub.appid, "secret": stub.secret, "grant_type": "authorization_code"}
    answer = stub.http.get(LOGIN, params=query | {"js_code": stub.code()}).json()
    assert set(answer) == {"openid", "session_key"}


def test_a_login_fetches_no_token(stub, client):
    client.code_to_session(stub.code())
    assert [call["path"] for call in stub.get("calls")["calls"]] == [LOGIN]


def test_a_code_works_once(stub, client):
    code = stub.code()
    client.code_to_session(code)
    with pytest.raises(CodeRefused) as refused:
        client.code_to_session(code)
    assert (refused.value.errcode, refused.value.code) == (40163, "wechat_code_used")
    assert not refused.value.after_timeout
    assert refused.value.rid
    assert len(stub.calls(LOGIN)) == 2  # a refusal is not retried


@pytest.mark.parametrize("age", [299, 300])
def test_a_code_lasts_five_minutes(stub, client, age):
    stub.set("clock", at=1_800_000_000)
    code = stub.code(openid="oABC")
    stub.set("clock", advance=age)
    if age < 300:
        assert client.code_to_session(code).openid == "oABC"
    else:
        with pytest.raises(CodeRefused) as refused:
            client.code_to_session(code)
        assert refused.value.errcode == 40029


def test_an_unknown_code_is_refused(client):
    with pytest.raises(CodeRefused) as refused:
        client.code_to_session("made-up")
    assert (refused.value.errcode, refused.value.code) == (40029, "wechat_code_invalid")
    assert "重新登录" in refused.value.reason


def test_another_apps_code_is_refused(stub, client):
    stub.app.state.apps["wxother"] = "other"
    with pytest.raises(CodeRefused) as refused:
        client.code_to_session(stub.code(appid="wxother"))
    assert refused.value.errcode == 40029


@pytest.mark.parametrize(
    ("code", "errcode"),
    [("", 41008), ("a" * 513, 40029), ("中", 40029), ("\ud800", 40029), ("a\x00", 40029), ("a\n", 40029)],
    ids=range(6),
)
def test_what_is_no_code_is_refused_without_a_call(stub, client, code, errcode):
    for ask in (client.code_to_session, client.phone_number):
        with pytest.raises(CodeRefused) as refused:
            ask(code)
        assert refused.value.errcode == errcode
    assert stub.get("calls")["calls"] == []


def test_a_code_with_signs_of_the_query_goes_as_one_value(stub, client):
    with pytest.raises(CodeRefused):
        client.code_to_session("a&secret=b#c%20+d")
    assert stub.calls(LOGIN)[0]["query"]["js_code"] == "a&secret=b#c%20+d"


def test_a_risky_user_is_blocked(stub, client):
    with pytest.raises(CodeRefused) as refused:
        client.code_to_session(stub.code(blocked=True))
    assert (refused.value.errcode, refused.value.code) == (40226, "wechat_code_blocked")


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"appid": "wxwrong"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
    ],
)
def test_a_wrong_account_is_the_operators_matter(stub, make_client, change, errcode):
    with pytest.raises(Misconfigured) as refused:
        make_client(**change).code_to_session(stub.code())
    assert refused.value.errcode == errcode


def test_a_hundred_and_first_login_within_a_minute_is_limited(stub, client, pauses):
    for _ in range(100):
        client.code_to_session(stub.code(openid="oBusy"))
    with pytest.raises(RateLimited) as refused:
        client.code_to_session(stub.code(openid="oBusy"))
    assert (refused.value.errcode, refused.value.retry_after) == (45011, 60)
    assert len(pauses) == 2
    client.code_to_session(stub.code(openid="oOther"))
    stub.set("clock", advance=61)
    client.code_to_session(stub.code(openid="oBusy"))


@pytest.mark.parametrize("errcode", [-1, 45011])
def test_busy_is_retried_with_growing_pauses(stub, client, pauses, errcode):
    code = stub.code(openid="oABC")
    stub.set("faults", path=LOGIN, errcode=errcode, count=2)
    assert client.code_to_session(code).openid == "oABC"
    assert len(pauses) == 2
    assert 0.15 <= pauses[0] <= 0.25 < 0.3 <= pauses[1] <= 0.5


def test_busy_for_good_is_unavailable(stub, client):
    stub.set("faults", path=LOGIN, errcode=-1, count=9)
    with pytest.raises(Unavailable) as failed:
        client.code_to_session(stub.code())
    assert failed.value.errcode == -1
    assert len(stub.calls(LOGIN)) == 3


def test_quota_gone_is_not_retried(stub, client, pauses):
    stub.set("faults", path=LOGIN, errcode=45009, count=9)
    with pytest.raises(RateLimited) as failed:
        client.code_to_session(stub.code())
    assert failed.value.code == "wechat_quota_exhausted"
    assert pauses == []


INFRASTRUCTURE = [
    {"status": 502, "html": True},
    {"status": 200, "html": True},
    {"status": 503},
    {"drop": True},
    {"truncate": True},
]


@pytest.mark.parametrize("fault", INFRASTRUCTURE, ids=str)
def test_a_passing_fault_of_the_infrastructure_is_survived(stub, client, fault):
    code = stub.code(openid="oABC")
    stub.set("faults", path=LOGIN, count=2, **fault)
    assert client.code_to_session(code).openid == "oABC"
    assert len(stub.calls(LOGIN)) == 3


@pytest.mark.parametrize("fault", INFRASTRUCTURE, ids=str)
def test_a_lasting_fault_of_the_infrastructure_is_unavailable(stub, client, fault):
    stub.set("faults", path=LOGIN, count=3, **fault)
    with pytest.raises(Unavailable):
        client.code_to_session(stub.code())


def test_a_time_out_before_wechat_acted_is_retried(stub, make_client):
    code = stub.code(openid="oABC")
    stub.set("faults", path=LOGIN, delay=0.3)
    assert make_client(timeout=0.2).code_to_session(code).openid == "oABC"


def test_a_time_out_after_wechat_acted_is_told_apart_from_a_reused_code(stub, make_client):
    code = stub.code()
    stub.set("faults", path=LOGIN, delay=0.3, process=True)
    with pytest.raises(CodeRefused) as refused:
        make_client(timeout=0.2).code_to_session(code)
    assert refused.value.errcode == 40163
    assert refused.value.after_timeout
    assert refused.value.code == "wechat_code_spent"
    assert "超时" in refused.value.reason


def test_time_outs_for_good_are_unavailable(stub, make_client):
    stub.set("faults", path=LOGIN, delay=0.15, count=3)
    with pytest.raises(Unavailable, match="ReadTimeout"):
        make_client(timeout=0.05).code_to_session(stub.code())


def test_nobody_listening_is_unavailable(make_client):
    with pytest.raises(Unavailable, match="ConnectError"):
        make_client(base_url="http://127.0.0.1:9").code_to_session("code")


def test_redirects_are_not_followed(stub, client):
    stub.set("faults", path=LOGIN, status=302, count=3)
    with pytest.raises(Unavailable, match="302"):
        client.code_to_session(stub.code())


def test_a_session_key_is_checked_and_reset(stub, client):
    session = client.code_to_session(stub.code(openid="oABC"))
    assert client.check_session("oABC", session.session_key)
    renewed = client.reset_session_key("oABC", session.session_key)
    assert renewed.session_key != session.session_key
    assert not client.check_session("oABC", session.session_key)
    assert client.check_session("oABC", renewed.session_key)
    with pytest.raises(Refused) as refused:
        client.reset_session_key("oABC", session.session_key)
    assert refused.value.errcode == 87009


def test_a_new_login_replaces_the_session_key(stub, client):
    old = client.code_to_session(stub.code(openid="oABC"))
    client.code_to_session(stub.code(openid="oABC"))
    assert not client.check_session("oABC", old.session_key)


def test_checking_the_session_of_nobody_is_an_error_and_no_no(client):
    with pytest.raises(Refused) as refused:
        client.check_session("oNobody", "key")
    assert refused.value.errcode == 40003


@pytest.mark.parametrize("country_code", [86, "86"])
@pytest.mark.parametrize("prefixed", [True, False])
def test_a_phone_number_comes_without_its_prefix(stub, client, country_code, prefixed):
    code = stub.set(
        "phone_codes", openid="oABC", number="13912345678", country_code=country_code, prefixed=prefixed
    )["code"]
    phone = client.phone_number(code, openid="oABC")
    assert (phone.number, phone.country_code) == ("13912345678", "86")


def test_a_phone_code_works_once_and_only_a_phone_code(stub, client):
    code = stub.set("phone_codes", openid="oABC")["code"]
    client.phone_number(code)
    for wrong in (code, stub.code(openid="oABC"), "made-up"):
        with pytest.raises(CodeRefused) as refused:
            client.phone_number(wrong)
        assert refused.value.errcode == 40029


def test_a_phone_code_is_its_users(stub, client):
    code = stub.set("phone_codes", openid="oABC")["code"]
    with pytest.raises(CodeRefused) as refused:
        client.phone_number(code, openid="oOther")
    assert refused.value.errcode == 40013
    assert client.phone_number(code, openid="oABC").number


def test_a_lost_answer_spends_the_phone_code(stub, make_client):
    client = make_client(timeout=0.2)
    code = stub.set("phone_codes", openid="oABC")["code"]
    stub.set("faults", path="/wxa/business/getuserphonenumber", delay=0.3, process=True)
    with pytest.raises(CodeRefused) as refused:
        client.phone_number(code)
    assert refused.value.after_timeout


def test_every_error_has_a_stable_code_and_a_chinese_reason():
    def family(kind):
        yield kind
        for child in kind.__subclasses__():
            yield from family(child)

    kinds = list(family(WeChatError))
    assert len(kinds) > 10
    for kind in kinds:
        assert kind.code.startswith("wechat_")
        if kind.__name__ != "InvalidArgument":  # it takes its reason from the place
            assert any("一" <= character <= "鿿" for character in kind.reason)
