"""The access token: fetched once, kept, renewed in time, replaced when refused, forced rarely."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from edu_platform.wechat.errors import Misconfigured, RateLimited, Unavailable
from edu_platform.wechat.stores import MemoryTokenStore
from edu_platform.wechat.tokens import AccessTokens, Token

STABLE = "/cgi-bin/stable_token"
RANK = "/wxa/getuserriskrank"


def rank(client):
    return client.risk_rank("oVisitor", client_ip="192.0.2.1").rank


@pytest.fixture(autouse=True)
def visitor(stub):
    stub.set("clock", at=1_800_000_000)
    return stub.visitor()


def test_calls_share_one_token(stub, client):
    for _ in range(3):
        rank(client)
    assert len(stub.calls(STABLE)) == 1
    assert len({call["query"]["access_token"] for call in stub.calls(RANK)}) == 1


def test_the_token_goes_in_the_query_and_the_secret_is_not_forced(stub, client):
    rank(client)
    (fetched,) = stub.calls(STABLE)
    assert fetched["body"]["force_refresh"] is False
    (called,) = stub.calls(RANK)
    assert "access_token" not in called["body"]
    assert len(called["query"]["access_token"]) == 512


def test_a_second_fetch_gives_the_same_token_and_the_time_that_remains(stub):
    body = {"grant_type": "client_credential", "appid": stub.appid, "secret": stub.secret}
    first = stub.http.post(STABLE, json=body).json()
    assert set(first) == {"access_token", "expires_in"}
    assert first["expires_in"] == 7200
    stub.set("clock", advance=6855)
    second = stub.http.post(STABLE, json=body).json()
    assert second == {"access_token": first["access_token"], "expires_in": 345}


def test_it_is_renewed_300_seconds_early_and_the_old_one_serves_on(stub, client):
    rank(client)
    stub.set("clock", advance=6899)
    rank(client)
    assert len(stub.calls(STABLE)) == 1
    stub.set("clock", advance=2)
    rank(client)
    assert len(stub.calls(STABLE)) == 2
    old, _, new = [call["query"]["access_token"] for call in stub.calls(RANK)]
    assert old != new
    body = {"appid": stub.appid, "openid": "oVisitor", "scene": 1, "client_ip": "192.0.2.1"}
    for seconds, errcode in ((0, 0), (297, 0), (10, 42001)):
        stub.set("clock", advance=seconds)
        stub.visitor()
        answer = stub.http.post(RANK, params={"access_token": old}, json=body).json()
        assert answer["errcode"] == errcode


def test_twenty_threads_fetch_once(stub, make_client):
    client = make_client()
    stub.set("faults", path=STABLE, delay=0.1, process=True)
    start = threading.Barrier(20)

    def work(_):
        start.wait()
        return rank(client)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(work, range(20))) == [0] * 20
    assert len(stub.calls(STABLE)) == 1
    assert len(stub.calls(RANK)) == 20


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_refused_token_is_replaced_and_the_call_repeated_once(stub, client, errcode):
    stub.set("faults", path=RANK, errcode=errcode)
    assert rank(client) == 0
    assert len(stub.calls(STABLE)) == 2
    assert len(stub.calls(RANK)) == 2


def test_a_token_expired_on_wechats_side_recovers(stub, client):
    rank(client)
    stub.set("tokens/expire")
    assert rank(client) == 0
    assert [call["errcode"] for call in stub.calls(RANK)] == [0, 42001, 0]


def test_a_token_made_invalid_in_mid_flight_recovers_for_everyone(stub, client):
    rank(client)
    stub.set("tokens/refuse")
    start = threading.Barrier(10)

    def work(_):
        start.wait()
        return rank(client)

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(work, range(10))) == [0] * 10
    fetched = stub.calls(STABLE)
    assert len(fetched) == 2
    assert not any(call["body"]["force_refresh"] for call in fetched)


@pytest.mark.parametrize("errcode", [40014, 42001])
def test_a_token_refused_for_good_is_unavailable_and_not_forced(stub, client, errcode):
    stub.set("faults", path=RANK, errcode=errcode, count=9)
    with pytest.raises(Unavailable) as failed:
        rank(client)
    assert failed.value.errcode == errcode
    assert len(stub.calls(RANK)) == 2
    assert [call["body"]["force_refresh"] for call in stub.calls(STABLE)] == [False, False]


def test_force_is_used_only_when_a_fresh_token_is_refused_with_40001(stub, client):
    rank(client)
    stub.set("tokens/refuse", keep=True)
    assert rank(client) == 0
    assert [call["body"]["force_refresh"] for call in stub.calls(STABLE)] == [False, False, True]
    assert [call["errcode"] for call in stub.calls(RANK)] == [0, 40001, 40001, 0]


def test_force_comes_at_most_every_thirty_seconds(stub, client):
    rank(client)
    stub.set("tokens/refuse", keep=True)
    rank(client)
    for advance, forced in ((29, 1), (1, 2)):
        stub.set("tokens/refuse", keep=True)
        stub.set("clock", advance=advance)
        if forced == 1:
            with pytest.raises(Unavailable):
                rank(client)
        else:
            assert rank(client) == 0
        assert sum(call["body"]["force_refresh"] for call in stub.calls(STABLE)) == forced


def test_force_comes_at_most_twenty_times_a_day(stub, client):
    rank(client)
    for _ in range(20):
        stub.set("clock", advance=31)
        stub.set("tokens/refuse", keep=True)
        stub.visitor()
        rank(client)
    stub.set("clock", advance=31)
    stub.set("tokens/refuse", keep=True)
    with pytest.raises(Unavailable):
        rank(client)
    assert sum(call["body"]["force_refresh"] for call in stub.calls(STABLE)) == 20
    stub.set("clock", advance=86_400)
    stub.visitor()
    assert rank(client) == 0


def test_forcing_too_soon_changes_nothing_on_wechats_side_and_the_21st_is_refused(stub):
    body = {
        "grant_type": "client_credential",
        "appid": stub.appid,
        "secret": stub.secret,
        "force_refresh": True,
    }

    def force():
        return stub.http.post(STABLE, json=body).json()

    first = force()["access_token"]
    stub.set("clock", advance=29)
    assert force()["access_token"] == first
    seen = {first}
    for _ in range(19):
        stub.set("clock", advance=30)
        seen.add(force()["access_token"])
    assert len(seen) == 20
    stub.set("clock", advance=30)
    assert force()["errcode"] == 45009


@pytest.mark.parametrize(("change", "errcode"), [({"secret": "wrong"}, 40125), ({"appid": "wxwrong"}, 40013)])
def test_a_wrong_account_gets_no_token(make_client, change, errcode):
    with pytest.raises(Misconfigured) as failed:
        rank(make_client(**change))
    assert failed.value.errcode == errcode


def test_an_address_outside_the_list_gets_no_token(stub, client):
    stub.set("allowed_ips", ips=["192.0.2.7"])
    with pytest.raises(Misconfigured) as failed:
        rank(client)
    assert failed.value.errcode == 40164


@pytest.mark.parametrize(("errcode", "kind"), [(45009, RateLimited), (45011, RateLimited), (-1, Unavailable)])
def test_bursts_on_the_token_endpoint(stub, client, errcode, kind):
    stub.set("faults", path=STABLE, errcode=errcode, count=3)
    with pytest.raises(kind):
        rank(client)
    stub.set("faults/clear")
    assert rank(client) == 0


def test_40001_from_the_token_endpoint_speaks_of_the_secret(stub, client):
    stub.set("faults", path=STABLE, errcode=40001)
    with pytest.raises(Misconfigured):
        rank(client)


def test_an_outage_of_the_token_endpoint_is_bridged_while_the_old_token_lives(stub, client):
    rank(client)
    stub.set("clock", advance=6910)
    stub.visitor()
    stub.set("faults", path=STABLE, status=502, count=99)
    assert rank(client) == 0
    stub.set("clock", advance=295)
    stub.visitor()
    with pytest.raises(Unavailable):
        rank(client)


def test_a_token_in_the_body_is_47001_and_none_at_all_41001(stub):
    body = {"openid": "oVisitor"}
    assert stub.http.post(RANK, json=body | {"access_token": stub.token()}).json()["errcode"] == 47001
    assert stub.http.post(RANK, json=body).json()["errcode"] == 41001
    assert stub.http.post(RANK, params={"access_token": "98_no"}, json=body).json()["errcode"] == 40014


def test_the_other_token_endpoint_mints_at_every_call(stub):
    stable = stub.token()
    query = {"grant_type": "client_credential", "appid": stub.appid, "secret": stub.secret}
    first, second = (stub.http.get("/cgi-bin/token", params=query).json()["access_token"] for _ in "12")
    assert len({stable, first, second}) == 3
    for seconds, good in ((299, {stable, first, second}), (1, {stable, second})):
        stub.set("clock", advance=seconds)
        for token in (stable, first, second):
            answer = stub.http.get("/cgi-bin/getcallbackip", params={"access_token": token}).json()
            assert ("ip_list" in answer) == (token in good)


def test_a_token_with_hardly_more_than_300_seconds_is_kept_for_a_while():
    clock, fetched = [1000.0], []

    def fetch(force):
        fetched.append(force)
        return f"token-{len(fetched)}", 300

    tokens = AccessTokens("wx", MemoryTokenStore(), fetch, lambda: clock[0])
    assert [tokens.current() for _ in range(5)] == ["token-1"] * 5
    clock[0] += 31
    assert tokens.current() == "token-2"


def test_a_token_has_no_value_in_its_repr():
    assert "hush" not in repr(Token("hush", 1, 2))
