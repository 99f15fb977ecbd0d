"""Content checks and risk ranks."""

import secrets
from typing import Any

from edu_platform.wechat.standin.calls import Answer, Call, Endpoint
from edu_platform.wechat.standin.state import MediaJob, Refusal, request_id

OK: dict[str, Any] = {"errcode": 0, "errmsg": "ok"}
TEXT_LIMIT = 2500
PASS: dict[str, Any] = {"suggest": "pass", "label": 100}


class Violation(Exception):
    """The caller did what WeChat's answer to is not known: the stand-in says so loudly."""


def _visitor(call: Call) -> str:
    openid = call.text("openid", 40003, "invalid openid")
    if openid not in call.state.users:
        raise Refusal(40003, "invalid openid")
    if not call.state.visited_lately(openid):
        raise Refusal(61010, "code is expired")
    return openid


def msg_sec_check(call: Call) -> Answer:
    """Judge a text: the next verdict set, else the first word set that occurs in it, else pass.

    A verdict is {suggest, label, detail?}; `label` may be a text, as WeChat's at times is.
    """
    state = call.state
    content = call.text("content", 47001, "data format error")
    if len(content) > TEXT_LIMIT:
        raise Violation(f"msg_sec_check with {len(content)} characters; the limit is {TEXT_LIMIT}")
    looked_at = "\n".join(
        [content, *(str(call.body.get(name, "")) for name in ("title", "nickname", "signature"))]
    )
    if state.next_text:
        verdict = state.next_text.popleft()
    else:
        verdict = next((found for word, found in state.words.items() if word in looked_at), PASS)
    if call.body.get("version") != 2:
        if verdict["suggest"] != "pass":
            raise Refusal(87014, "risky content")
        return OK
    if call.body.get("scene") not in (1, 2, 3, 4):
        raise Refusal(40129, "invalid scene")
    _visitor(call)
    call.spend()
    result: dict[str, Any] = {name: verdict[name] for name in ("suggest", "label") if name in verdict}
    detail: object = verdict.get(
        "detail", [{"strategy": "content_model", "errcode": 0, **result, "prob": 90}]
    )
    return OK | {"trace_id": request_id(), "result": result, "detail": detail}


def media_check_async(call: Call) -> Answer:
    """Take a picture or sound to judge; the verdict comes by push.

    The next media verdict set may say {suggest, label, delay, copies, errcode, without_errcode}.
    """
    state = call.state
    call.text("media_url", 47001, "data format error")
    if call.body.get("media_type") not in (1, 2):
        raise Refusal(40097, "invalid args")
    version = call.body.get("version", 1)
    if version == 2 and call.body.get("scene") not in (1, 2, 3, 4):
        raise Refusal(40129, "invalid scene")
    openid = _visitor(call) if version == 2 else str(call.body.get("openid", ""))
    call.spend()
    verdict = dict(state.next_media.popleft() if state.next_media else PASS)
    trace_id = request_id()
    state.media_jobs.append(
        MediaJob(
            call.appid,
            openid,
            trace_id,
            version,
            due=state.clock.now() + verdict.pop("delay", 0),
            copies=verdict.pop("copies", 1),
            verdict=verdict,
        )
    )
    return OK | {"trace_id": trace_id}


def getuserriskrank(call: Call) -> Answer:
    """Rank a user by the rank set for them."""
    if call.body.get("appid") != call.appid:
        raise Refusal(40013, "invalid appid")
    call.text("client_ip", 47001, "data format error")
    if call.body.get("scene") not in (0, 1, 2):
        raise Refusal(47001, "data format error")
    openid = call.text("openid", 40003, "invalid openid")
    if call.body.get("is_test") is not True:
        _visitor(call)
    call.spend()
    user = call.state.users.get(openid)
    return {
        "errcode": 0,
        "errmsg": "getuserriskrank succ",
        "risk_rank": user.risk_rank if user else 0,
        call.state.union_spelling: secrets.randbelow(10**9),
    }


ENDPOINTS = (
    Endpoint("POST", "/wxa/msg_sec_check", msg_sec_check),
    Endpoint("POST", "/wxa/media_check_async", media_check_async),
    Endpoint("POST", "/wxa/getuserriskrank", getuserriskrank),
)
