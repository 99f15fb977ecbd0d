"""The stand-in itself: order of checks, what the client does not call, the push, the command."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx2
import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from edu_platform.wechat import crypto
from edu_platform.wechat.errors import BadCiphertext, BadSignature
from edu_platform.wechat.standin.app import ENDPOINTS, StandIn
from edu_platform.wechat.standin.server import serving

LOGIN, STABLE = "/sns/jscode2session", "/cgi-bin/stable_token"


# --- order of checks ----------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(ENDPOINTS))
def test_the_method_comes_before_everything_but_a_fault(stub, path):
    wanted = ENDPOINTS[path].method
    other = {"GET": "POST", "POST": "GET"}[wanted]
    stub.set("faults", path=path, errcode=-1)
    assert stub.http.request(other, path).json()["errcode"] == -1
    assert stub.http.request(other, path).json()["errcode"] == {"GET": 43001, "POST": 43002}[wanted]


@pytest.mark.parametrize("path", sorted(path for path, each in ENDPOINTS.items() if each.token))
def test_the_token_comes_before_the_body(stub, path):
    method = ENDPOINTS[path].method
    for token, errcode in ((None, 41001), ("x", 40014)):
        params = {} if token is None else {"access_token": token}
        answer = stub.http.request(method, path, params=params, content=b"{")
        assert answer.status_code == 200
        assert answer.json()["errcode"] == errcode


@pytest.mark.parametrize(
    ("missing", "errcode"),
    [("appid", 41002), ("secret", 41004), ("js_code", 41008), ("grant_type", 40002)],
)
def test_login_names_what_is_missing(stub, missing, errcode):
    query = {
        "appid": stub.appid,
        "secret": stub.secret,
        "js_code": stub.code(),
        "grant_type": "authorization_code",
    }
    del query[missing]
    answer = stub.http.get(LOGIN, params=query)
    assert answer.status_code == 200
    assert answer.json()["errcode"] == errcode
    assert re.search(r"rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$", answer.json()["errmsg"])


def test_an_unknown_path_is_404_and_no_json(stub):
    answer = stub.http.get("/sns/none")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")


@pytest.mark.parametrize(
    ("body", "errcode"),
    [(b"", 44002), (b"{", 47001), ({}, 40002), ({"grant_type": "client_credential"}, 41002)],
)
def test_the_body_of_a_token_request_is_checked(stub, body, errcode):
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    assert stub.http.post(STABLE, **content).json()["errcode"] == errcode


# --- what the client does not call --------------------------------------------------------


def test_quotas_are_told_and_cleared_ten_times_a_month(stub):
    stub.set("clock", at=1_800_000_000)
    stub.ask("/cgi-bin/getcallbackip")
    asked = {"cgi_path": "/cgi-bin/getcallbackip"}
    assert stub.post("/cgi-bin/openapi/quota/get", asked).json()["quota"]["used"] == 1
    clear = [stub.post("/cgi-bin/clear_quota", {"appid": stub.appid}).json()["errcode"] for _ in range(11)]
    assert clear == [0] * 10 + [48006]
    assert stub.post("/cgi-bin/openapi/quota/get", asked).json()["quota"]["used"] == 0
    stub.set("clock", advance=32 * 86_400)
    assert stub.post("/cgi-bin/clear_quota", {"appid": stub.appid}).json()["errcode"] == 0
    assert stub.post("/cgi-bin/clear_quota", {"appid": "wxother"}).json()["errcode"] == 40013


def test_addresses_are_listed(stub):
    for path in ("/cgi-bin/getcallbackip", "/cgi-bin/get_api_domain_ip"):
        assert stub.ask(path)["ip_list"]


# --- steering -----------------------------------------------------------------------------


def test_a_code_can_be_had_with_get_and_with_post(stub):
    by_get = stub.get("code", openid="oABC")
    by_post = stub.set("codes", openid="oABC")
    assert by_get.keys() == by_post.keys() == {"code", "openid", "expires_in"}
    assert by_get["openid"] == by_post["openid"] == "oABC"
    assert by_get["code"] != by_post["code"]
    fresh = stub.http.post("/__stub/codes").json()["openid"]
    assert re.fullmatch(r"o[0-9A-Za-z]{27}", fresh)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("codes", b"x"),
        ("codes", b"[]"),
        ("codes", b'{"opneid": "o"}'),
        ("codes", b'{"openid": 5}'),
        ("codes", b'{"openid": ""}'),
        ("codes", b'{"appid": "wxnone"}'),
        ("visits", b"{}"),
        ("faults", b"{}"),
        ("faults", b'{"path": "*", "colour": 1}'),
        ("clock", b'{"advance": "x"}'),
        ("limits", b'{"path": "/x"}'),
    ],
)
def test_a_wish_that_makes_no_sense_is_400_and_says_why(stub, path, content):
    answer = stub.http.post(f"/__stub/{path}", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_an_unknown_route_is_404(stub):
    assert stub.http.get("/__stub/none").status_code == 404
    assert stub.http.get("/__stub/reset").status_code == 404


def test_the_overview_lists_every_route(stub):
    routes = stub.get("")["routes"]
    assert "POST /__stub/codes" in routes
    assert "POST /__stub/push/due" in routes


def test_the_clock_moves_stops_and_goes_on(stub):
    stub.set("clock", advance=100)
    assert 99 < stub.get("clock")["now"] - time.time() < 101
    stub.set("clock", at=5.0)
    stub.set("clock", advance=2.5)
    assert stub.get("clock")["now"] == 7.5
    stub.set("clock", real=True)
    assert abs(stub.get("clock")["now"] - time.time()) < 1


def test_reset_forgets(stub):
    stub.code(openid="oABC")
    stub.set("faults", path="*", errcode=-1, count=99)
    stub.set("clock", at=5)
    stub.set("reset")
    assert stub.get("")["users"] == 0
    assert stub.get("")["faults"] == []
    assert stub.get("calls")["calls"] == []


def test_a_burst_of_different_faults_comes_in_order(stub):
    for errcode in (45009, 45011, -1):
        stub.set("faults", path=STABLE, errcode=errcode, count=2)
    codes = [stub.http.post(STABLE, json={}).json()["errcode"] for _ in range(7)]
    assert codes == [45009, 45009, 45011, 45011, -1, -1, 40002]


def test_many_threads_get_each_their_own_user(stub, make_client):
    client, seen = make_client(), []

    def login():
        seen.extend(client.code_to_session(stub.code()).openid for _ in range(5))

    threads = [threading.Thread(target=login) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 40


# --- push ---------------------------------------------------------------------------------

TOKEN, AES_KEY = "push-token", "B" * 43


class Receiver:
    """Our side of the push, as small as it can be: checks, keeps, answers."""

    def __init__(self, appid):
        self.cipher = crypto.PushCipher(AES_KEY, appid, TOKEN)
        self.token = TOKEN
        self.events, self.seen, self.delays = [], 0, []

    def __call__(self, environ, start_response):
        return self.answer(Request(environ))(environ, start_response)

    def answer(self, request):
        self.seen += 1
        if self.delays:
            time.sleep(self.delays.pop(0))
        query = request.args
        try:
            if query.get("encrypt_type") == "aes":
                message = self.cipher.open(request.get_json(), query)
            else:
                crypto.verify_push(
                    query.get("signature", ""),
                    token=self.token,
                    timestamp=query.get("timestamp", ""),
                    nonce=query.get("nonce", ""),
                )
                if request.method == "GET":
                    return Response(query["echostr"])
                message = request.get_data()
        except (BadSignature, BadCiphertext):
            return Response("refused", status=403)
        self.events.append(json.loads(message))
        return Response("success")


@contextmanager
def listening(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.log = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/wechat/push"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(stub):
    ours = Receiver(stub.appid)
    with listening(ours) as ours.url:
        yield ours


def aim(stub, receiver, **changes):
    stub.set("push_target", **{"url": receiver.url, "token": TOKEN, "encoding_aes_key": AES_KEY} | changes)


POPUP = {
    "ToUserName": "gh_0",
    "FromUserName": "oABC",
    "CreateTime": "1626959646",
    "MsgType": "event",
    "Event": "subscribe_msg_popup_event",
    "List": {"TemplateId": "T1", "SubscribeStatusString": "accept", "PopupScene": "2"},
}


def test_the_url_is_verified(stub, receiver):
    aim(stub, receiver)
    assert stub.set("push/verify") == {"verified": True, "status": 200}
    aim(stub, receiver, token="other")
    assert stub.set("push/verify")["verified"] is False


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("entries", [POPUP["List"], [POPUP["List"], POPUP["List"] | {"TemplateId": "T2"}]])
def test_an_event_arrives_as_it_is(stub, receiver, secure, entries):
    aim(stub, receiver, secure=secure)
    outcome = stub.set("push", event=POPUP | {"List": entries})
    assert (outcome["status"], outcome["body"], outcome["attempts"]) == (200, "success", 1)
    assert receiver.events == [POPUP | {"List": entries}]


@pytest.mark.parametrize(
    "wrong",
    [{"token": "other"}, {"secure": True, "token": "other"}, {"secure": True, "encoding_aes_key": "C" * 43}],
)
def test_a_push_with_wrong_keys_is_refused(stub, receiver, wrong):
    aim(stub, receiver, **wrong)
    assert stub.set("push", event=POPUP)["status"] == 403
    assert receiver.events == []


def test_a_push_for_another_app_is_refused(stub, receiver):
    stub.app.state.apps["wxother"] = "other"
    aim(stub, receiver, secure=True)
    assert stub.set("push", event=POPUP, appid="wxother")["status"] == 403
    assert receiver.events == []


def test_no_answer_in_time_is_tried_three_times_more(stub, receiver):
    aim(stub, receiver, timeout=0.05)
    receiver.delays = [0.1] * 4
    outcome = stub.set("push", event=POPUP)
    assert (outcome["attempts"], outcome["error"]) == (4, "ReadTimeout")
    receiver.delays = []
    aim(stub, receiver, timeout=2)
    assert stub.set("push", event=POPUP)["attempts"] == 1


def test_without_a_target_nothing_is_pushed(stub):
    assert stub.set("push", event=POPUP)["error"]
    assert stub.set("push/verify")["verified"] is False


def media(stub, **changes):
    body = {
        "media_url": "https://example.com/a.jpg",
        "media_type": 2,
        "version": 2,
        "openid": stub.visitor(),
        "scene": 1,
    }
    return stub.post("/wxa/media_check_async", body | changes).json()


def until(true):
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("secure", [False, True])
def test_a_media_check_is_answered_by_push(stub, receiver, secure):
    aim(stub, receiver, secure=secure)
    stub.set("verdicts", next_media=[{"suggest": "risky", "label": 20002}])
    taken = media(stub)
    until(lambda: receiver.events)
    (event,) = receiver.events
    assert event["Event"] == "wxa_media_check"
    assert event["trace_id"] == taken["trace_id"]
    assert event["result"] == {"suggest": "risky", "label": 20002}
    assert (event["errcode"], event["appid"], event["FromUserName"]) == (0, stub.appid, "oVisitor")


def test_media_results_may_come_late_thrice_failed_or_in_old_dress(stub, receiver):
    aim(stub, receiver)
    stub.set("verdicts", next_media=[{"suggest": "pass", "label": 100, "delay": 1500, "copies": 3}])
    stub.set("verdicts", next_media=[{"errcode": -1008, "delay": 1500}])
    stub.set("verdicts", next_media=[{"suggest": "pass", "without_errcode": True, "delay": 1500}])
    stub.set("verdicts", next_media=[{"suggest": "risky", "delay": 1500}])
    late, failed, bare = (media(stub)["trace_id"] for _ in "123")
    old = media(stub, version=1)["trace_id"]
    stub.set("clock", advance=1490)
    assert stub.set("push/due")["deliveries"] == []
    stub.set("clock", advance=20)
    assert len(stub.set("push/due")["deliveries"]) == 6
    assert [event["trace_id"] for event in receiver.events] == [late, late, late, failed, bare, old]
    *_, failed_event, bare_event, old_event = receiver.events
    assert failed_event["errcode"] == -1008
    assert "errcode" not in bare_event
    assert (old_event["isrisky"], old_event["status_code"], old_event["detail"]) == (1, 0, [])
    assert "result" not in old_event


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"media_type": 3}, 40097),
        ({"media_url": ""}, 47001),
        ({"scene": 5}, 40129),
        ({"openid": "oNobody"}, 40003),
    ],
)
def test_what_a_media_check_refuses(stub, change, errcode):
    assert media(stub, **change)["errcode"] == errcode


# --- running it ---------------------------------------------------------------------------


def test_users_and_acceptances_outlive_a_restart(tmp_path):
    data = tmp_path / "deep" / "standin.json"

    def run(work):
        app = StandIn("wxa", "s", data=data)
        with serving(app) as url, httpx2.Client(base_url=url, trust_env=False) as http:
            return work(http)

    def first(http):
        http.post("/__stub/accepts", json={"openid": "oABC", "template_id": "T1", "count": 2})
        return http.post("/__stub/codes", json={"openid": "oABC", "unionid": "u1"}).json()["code"]

    def second(http):
        code = http.post("/__stub/codes", json={"openid": "oABC"}).json()["code"]
        query = {"appid": "wxa", "secret": "s", "js_code": code, "grant_type": "authorization_code"}
        return http.get(LOGIN, params=query).json(), http.get("/__stub/accepts").json()

    run(first)
    assert stat.S_IMODE(data.stat().st_mode) == 0o600
    session, accepts = run(second)
    assert session["unionid"] == "u1"
    assert accepts == {"accepts": [{"openid": "oABC", "template_id": "T1", "count": 2}]}
    assert [file.name for file in data.parent.iterdir()] == ["standin.json"]


def test_the_command_serves_until_it_is_told_to_stop():
    command = [sys.executable, "-m", "edu_platform.wechat.standin", "--port", "0", "--appid", "wxa"]
    environment = os.environ | {"EDU_WECHAT_SECRET": "from-the-environment"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        with httpx2.Client(base_url=url, trust_env=False) as http:
            code = http.post("/__stub/codes", json={"openid": "oABC"}).json()["code"]
            query = {"appid": "wxa", "secret": "from-the-environment", "js_code": code}
            answer = http.get(LOGIN, params=query | {"grant_type": "authorization_code"}).json()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=5)
    assert answer["openid"] == "oABC"
    assert (process.returncode, errors) == (0, "")
