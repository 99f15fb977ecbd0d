"""Text checks and risk ranks."""

from __future__ import annotations

import pytest

from edu_platform.wechat.client import TEXT_LIMIT, TEXT_OVERLAP, Suggestion, TextScene
from edu_platform.wechat.errors import InvalidArgument, NoRecentVisit, RateLimited, Refused

CHECK = "/wxa/msg_sec_check"


@pytest.fixture(autouse=True)
def visitor(stub):
    return stub.visitor()


def check(client, text, **more):
    return client.text_check(text, openid="oVisitor", scene=TextScene.COMMENT, **more)


@pytest.mark.parametrize(("suggest", "label"), [("pass", 100), ("review", 20001), ("risky", 20006)])
def test_the_verdict_is_handed_on(stub, client, suggest, label):
    stub.set("verdicts", next_text=[{"suggest": suggest, "label": label}])
    verdict = check(client, "一句话")
    assert (verdict.suggestion, verdict.label) == (Suggestion(suggest), label)
    assert len(verdict.trace_ids) == 1


def test_a_label_may_come_as_text(stub, client):
    stub.set("verdicts", next_text=[{"suggest": "risky", "label": "20006"}])
    assert check(client, "一句话").label == 20006


def test_only_the_result_decides_whatever_the_detail_says(stub, client):
    detail = [
        {"strategy": "keyword", "errcode": 0},
        {"strategy": "content_model", "errcode": -1, "suggest": "risky"},
    ]
    stub.set("verdicts", next_text=[{"suggest": "pass", "label": 100, "detail": detail}])
    assert check(client, "一句话").suggestion is Suggestion.PASS


def test_a_verdict_we_do_not_know_goes_to_a_person(stub, client):
    stub.set("verdicts", next_text=[{"suggest": "maybe"}])
    assert check(client, "一句话").suggestion is Suggestion.REVIEW


def test_chinese_is_sent_unescaped_and_version_2(stub, client):
    check(client, "稳赚不赔", nickname="小明")
    (call,) = stub.calls(CHECK)
    assert call["body"] == {
        "version": 2,
        "openid": "oVisitor",
        "scene": 2,
        "content": "稳赚不赔",
        "nickname": "小明",
    }


@pytest.mark.parametrize("size", [1, TEXT_LIMIT, TEXT_LIMIT + 1, 2 * TEXT_LIMIT, 7000])
def test_a_long_text_goes_in_parts_that_leave_nothing_out(stub, client, size):
    text = "".join(chr(0x4E00 + index % 5000) for index in range(size))
    check(client, text)
    parts = [call["body"]["content"] for call in stub.calls(CHECK)]
    assert all(0 < len(part) <= TEXT_LIMIT for part in parts)
    assert parts[0] + "".join(part[TEXT_OVERLAP:] for part in parts[1:]) == text
    assert (len(parts) == 1) == (size <= TEXT_LIMIT)


def test_the_worst_part_counts(stub, client):
    stub.set("verdicts", words={"存疑": {"suggest": "review", "label": 21000}})
    verdict = check(client, "好" * 3000 + "存疑" + "好" * 3000)
    assert (verdict.suggestion, verdict.label, len(verdict.trace_ids)) == (Suggestion.REVIEW, 21000, 3)
    stub.set("verdicts", words={"违法": {"suggest": "risky", "label": 20006}})
    verdict = check(client, "违法" + "好" * 6000)
    assert (verdict.suggestion, len(verdict.trace_ids)) == (Suggestion.RISKY, 1)


@pytest.mark.parametrize("start", range(TEXT_LIMIT - 5, TEXT_LIMIT + 1))
def test_a_word_on_the_seam_is_seen(stub, client, start):
    stub.set("verdicts", words={"高额返利": {"suggest": "risky", "label": 20008}})
    text = "好" * start + "高额返利" + "好" * 500
    assert check(client, text).suggestion is Suggestion.RISKY


@pytest.mark.parametrize(("text", "field"), [("", "text"), ("  \n", "text"), ("一\ud800", "body")])
def test_what_cannot_be_checked_is_refused_before_the_call(stub, client, text, field):
    with pytest.raises(InvalidArgument) as refused:
        check(client, text)
    assert refused.value.field == field
    assert stub.calls(CHECK) == []


@pytest.mark.parametrize(("ago", "good"), [(7190, True), (7201, False), (None, False)])
def test_the_visit_must_be_of_the_last_two_hours(stub, client, ago, good):
    stub.set("visits", openid="oVisitor", ago=ago)
    if good:
        assert check(client, "一句话").suggestion is Suggestion.PASS
    else:
        with pytest.raises(NoRecentVisit) as refused:
            check(client, "一句话")
        assert refused.value.errcode == 61010


def test_a_login_is_a_visit(stub, client):
    openid = client.code_to_session(stub.code()).openid
    assert client.text_check("一句话", openid=openid, scene=TextScene.PROFILE).suggestion is Suggestion.PASS


def test_nobody_is_refused(client):
    with pytest.raises(Refused) as refused:
        client.text_check("一句话", openid="oNobody", scene=TextScene.COMMENT)
    assert refused.value.errcode == 40003


def test_the_minute_cap_is_waited_for_and_then_reported(stub, client, pauses):
    stub.set("faults", path=CHECK, errcode=44991, count=2)
    assert check(client, "一句话").suggestion is Suggestion.PASS
    stub.set("faults", path=CHECK, errcode=44991, count=3)
    with pytest.raises(RateLimited):
        check(client, "一句话")
    assert len(pauses) == 4


def test_too_long_a_text_fails_loudly_in_the_stand_in(running):
    running.set("reset")
    running.visitor()
    body = {"version": 2, "openid": "oVisitor", "scene": 2, "content": "好" * 2501}
    answer = running.post(CHECK, body)
    assert (answer.status_code, running.get("violations")["violations"]) == (
        500,
        ["msg_sec_check with 2501 characters; the limit is 2500"],
    )
    running.set("reset")


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"version": 2, "openid": "oVisitor", "scene": 9, "content": "好"}, 40129),
        ({"version": 2, "openid": "oVisitor", "scene": 2}, 47001),
        ({"version": 2, "scene": 2, "content": "好"}, 40003),
        (b"[1]", 47001),
        (b"\xff", 47001),
        (b"", 44002),
        ({"content": "坏"}, 87014),
        ({"content": "好"}, 0),
    ],
)
def test_what_the_stand_in_refuses(stub, body, errcode):
    stub.set("verdicts", words={"坏": {"suggest": "risky", "label": 20006}})
    assert stub.post(CHECK, body).json()["errcode"] == errcode


@pytest.mark.parametrize("spelling", ["unoin_id", "union_id"])
def test_the_risk_rank_comes_with_either_spelling(stub, client, spelling):
    stub.set("users", openid="oVisitor", risk_rank=3)
    stub.set("verdicts", union_spelling=spelling)
    risk = client.risk_rank("oVisitor", client_ip="192.0.2.1", scene=0)
    assert risk.rank == 3
    assert risk.record
    (call,) = stub.calls("/wxa/getuserriskrank")
    assert call["body"] == {
        "appid": stub.appid,
        "openid": "oVisitor",
        "scene": 0,
        "client_ip": "192.0.2.1",
    }


def test_the_risk_rank_wants_a_visit_unless_it_is_a_test(stub, client):
    stub.set("visits", openid="oVisitor", ago=7300)
    with pytest.raises(NoRecentVisit):
        client.risk_rank("oVisitor", client_ip="192.0.2.1")
    assert client.risk_rank("oVisitor", client_ip="192.0.2.1", is_test=True).rank == 0
