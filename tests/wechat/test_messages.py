"""Subscribe messages: the quota, the rules of values, and never sending twice."""

from __future__ import annotations

import threading

import pytest

from edu_platform.wechat.errors import NoAcceptLeft, RateLimited, Refused, Unavailable, Undecided

SEND = "/cgi-bin/message/subscribe/send"
GOOD = {"thing1": "反诈知识竞赛", "date2": "2026-12-01 09:30", "phrase3": "已通过"}


@pytest.fixture(autouse=True)
def accepted(stub):
    stub.set("templates", id="T1", fields={"thing1": "thing", "date2": "date", "phrase3": "phrase"})
    stub.set("accepts", openid="oReader", template_id="T1", count=2)


def left(stub):
    return stub.get("accepts")["accepts"][0]["count"]


def send(client, values=GOOD, **more):
    return client.send_subscribe_message("oReader", "T1", values, **more)


def test_each_send_uses_an_acceptance_up(stub, client):
    first, second = send(client), send(client)
    assert left(stub) == 0
    with pytest.raises(NoAcceptLeft) as refused:
        send(client)
    assert refused.value.errcode == 43101
    # 64 bits, exact to the last digit, and a text.
    assert int(second) == int(first) + 1 > 2**53


def test_the_body_is_wechats(stub, client):
    send(client, page="pages/index/index?a=1", state="trial")
    (call,) = stub.calls(SEND)
    assert call["body"] == {
        "touser": "oReader",
        "template_id": "T1",
        "page": "pages/index/index?a=1",
        "miniprogram_state": "trial",
        "lang": "zh_CN",
        "data": {name: {"value": value} for name, value in GOOD.items()},
    }


@pytest.mark.parametrize(
    ("openid", "template", "page", "errcode"),
    [("oNobody", "T1", "", 40003), ("oReader", "T9", "", 40037), ("oReader", "T1", "pages/none", 41030)],
)
def test_unknown_things_are_refused(stub, client, openid, template, page, errcode):
    with pytest.raises(Refused) as refused:
        client.send_subscribe_message(openid, template, GOOD, page=page)
    assert refused.value.errcode == errcode
    assert left(stub) == 2
    assert len(stub.calls(SEND)) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"thing1": "题"},
        GOOD | {"thing1": ""},
        GOOD | {"thing1": "长" * 21},
        GOOD | {"thing1": "两\n行"},
        GOOD | {"thing4": "多余"},
        GOOD | {"date2": "明天"},
        GOOD | {"phrase3": "ok"},
    ],
)
def test_a_breach_of_the_rules_of_values_names_the_field(stub, client, values):
    with pytest.raises(Refused, match=r"data\.\w+\.value") as refused:
        send(client, values)
    assert refused.value.errcode == 47003
    assert left(stub) == 2


VALUES = {
    "thing": (["题", "长" * 20, "a1，！"], ["长" * 21, "a\tb"]),
    "number": (["0", "12.5", "9" * 32], ["九", "9" * 33, "1.2.3"]),
    "letter": (["abcXYZ"], ["a1", "a" * 33]),
    "symbol": (["！@#"], ["a", "！" * 6]),
    "character_string": (["AB-12_3"], ["中", "a" * 33]),
    "time": (["15:01", "2026年10月1日 15:01", "2026-10-01 15:01:30", "09:00~10:00"], ["25:00", "九点"]),
    "date": (
        ["2019年10月1日", "2019-10-01", "2019/10/01 15:01", "2019.10.01", "2019-10-01~2019-10-07"],
        ["10月1日", "2019-10/01", "15:01"],
    ),
    "amount": (["¥100.5", "100元", "1234567890"], ["一百元", "12345678901"]),
    "phone_number": (["+86-0766-66888866"], ["1" * 18, "电话"]),
    "car_number": (["粤A8Z888挂", "粤A12345"], ["粤A123456789"]),
    "name": (["张三", "Tom", "长" * 10, "a" * 20], ["长" * 11, "a" * 21]),
    "phrase": (["已通过"], ["已 通过", "审核已经通过", "ok"]),
    "enum": (["高"], ["最高"]),
}


@pytest.mark.parametrize(
    ("kind", "value", "good"),
    [
        (kind, value, flag)
        for kind, lists in VALUES.items()
        for flag, values in zip((1, 0), lists, strict=True)
        for value in values
    ],
)
def test_the_rules_of_values(stub, client, kind, value, good):
    stub.set("templates", id="T2", fields={f"{kind}1": kind}, enums={f"{kind}1": ["高", "低"]})
    stub.set("accepts", openid="oReader", template_id="T2", count=1)
    if good:
        assert client.send_subscribe_message("oReader", "T2", {f"{kind}1": value})
    else:
        with pytest.raises(Refused) as refused:
            client.send_subscribe_message("oReader", "T2", {f"{kind}1": value})
        assert refused.value.errcode == 47003


LOST = [{"delay": 0.3}, {"drop": True}, {"truncate": True}, {"status": 502, "html": True}, {"html": True}]


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_a_lost_answer_is_never_followed_by_a_second_send(stub, make_client, fault):
    client = make_client(timeout=0.2)
    stub.set("faults", path=SEND, process=True, **fault)
    with pytest.raises(Undecided) as failed:
        send(client)
    assert failed.value.code == "wechat_undecided"
    assert len(stub.calls(SEND)) == 1
    assert left(stub) == 1


def test_what_never_left_may_be_tried_again(make_client, pauses):
    client = make_client(base_url="http://127.0.0.1:9")
    with pytest.raises(Unavailable) as failed:
        send(client)
    assert not isinstance(failed.value, Undecided)
    assert len(pauses) == 2


def test_busy_is_an_answer_and_is_retried(stub, client):
    stub.set("faults", path=SEND, errcode=-1)
    assert send(client)
    assert left(stub) == 1


def test_a_refused_token_is_an_answer_and_is_repaired(stub, client):
    stub.set("faults", path=SEND, errcode=42001)
    assert send(client)
    assert left(stub) == 1


def test_sends_to_one_user_must_not_overlap(stub, make_client):
    stub.set("faults", path=SEND, delay=0.4, process=True)
    first, second = make_client(), make_client(attempts=1)
    thread = threading.Thread(target=send, args=(first,))
    thread.start()
    while left(stub) == 2:
        pass
    with pytest.raises(RateLimited) as refused:
        send(second)
    assert refused.value.errcode == 43108
    thread.join()
    assert send(second)
    assert left(stub) == 0


def test_templates_are_administered(stub):
    admin = "/wxaapi/newtmpl/"
    (tid, *_) = [str(each["tid"]) for each in stub.ask(admin + "getpubtemplatetitles")["data"]]
    keywords = stub.ask(admin + "getpubtemplatekeywords", tid=tid)["data"]
    added = stub.post(admin + "addtemplate", {"tid": tid, "kidList": [keywords[0]["kid"]]}).json()
    listed = stub.ask(admin + "gettemplate")["data"]
    assert added["priTmplId"] in {each["priTmplId"] for each in listed}
    stub.set("accepts", openid="oReader", template_id=added["priTmplId"], count=1)
    body = {"touser": "oReader", "template_id": added["priTmplId"], "data": {"thing1": {"value": "活动"}}}
    assert stub.post(SEND, body).json()["errcode"] == 0
    assert stub.post(admin + "deltemplate", {"priTmplId": added["priTmplId"]}).json()["errcode"] == 0
    assert stub.post(SEND, body).json()["errcode"] == 40037
    assert stub.ask(admin + "getcategory")["data"]
