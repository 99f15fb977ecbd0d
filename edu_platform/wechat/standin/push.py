"""The other direction: WeChat calling us. Signs, encrypts, posts, and tries again as WeChat does."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import httpx2

from edu_platform.wechat.crypto import PushCipher, push_signature
from edu_platform.wechat.standin.state import MediaJob, PushTarget, State


def media_event(state: State, job: MediaJob) -> dict[str, Any]:
    """Return the event that tells the result of a media check, in the shape of its version."""
    event: dict[str, Any] = {
        "ToUserName": state.target.user_name if state.target else "",
        "FromUserName": job.openid,
        "CreateTime": int(state.clock.now()),
        "MsgType": "event",
        "Event": "wxa_media_check",
        "appid": job.appid,
        "trace_id": job.trace_id,
    }
    errcode = job.verdict.get("errcode", 0)
    if job.version != 2:
        risky = job.verdict.get("suggest") == "risky"
        status = 4294966288 if errcode else 0
        event |= {"isrisky": int(risky), "extra_info_json": "", "status_code": status, "detail": []}
        return event
    result: dict[str, Any] = {name: job.verdict[name] for name in ("suggest", "label") if name in job.verdict}
    event |= {
        "version": 2,
        "detail": [{"strategy": "content_model", "errcode": 0, **result, "prob": 90}],
        "result": result,
    }
    if not job.verdict.get("without_errcode"):
        event |= {"errcode": errcode, "errmsg": "ok" if errcode == 0 else "failed to download"}
    return event


def request_of(
    target: PushTarget, appid: str, event: Mapping[str, Any], now: float
) -> tuple[dict[str, str], bytes]:
    """Return query and body of one push."""
    timestamp, nonce = str(int(now)), str(secrets.randbelow(10**9))
    query = {
        "signature": push_signature(target.token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "openid": str(event.get("FromUserName", "")),
    }
    message = json.dumps(event, ensure_ascii=False).encode()
    if not target.secure:
        return query, message
    cipher = PushCipher(target.encoding_aes_key, appid, target.token)
    sealed = cipher.seal(message, timestamp=timestamp, nonce=nonce)
    query |= {"encrypt_type": "aes", "msg_signature": sealed.signature}
    return query, json.dumps({"ToUserName": target.user_name, "Encrypt": sealed.encrypt}).encode()


def deliver(state: State, appid: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Post an event to the target and return how that went; a lost answer is tried again.

    Called without the lock: the one called may call the stand-in back.
    """
    with state.lock:
        target, now = state.target, state.clock.now()
    if target is None:
        return {"attempts": 0, "error": "no push target is set"}
    query, body = request_of(target, appid, event, now)
    outcome: dict[str, Any] = {"attempts": 0, "event": dict(event)}
    with httpx2.Client(timeout=target.timeout, trust_env=False) as http:
        while outcome["attempts"] <= target.retries:
            outcome["attempts"] += 1
            try:
                answer = http.post(
                    target.url, params=query, content=body, headers={"Content-Type": "application/json"}
                )
            except httpx2.RequestError as error:
                outcome["error"] = type(error).__name__
                continue
            outcome.pop("error", None)
            outcome |= {"status": answer.status_code, "body": answer.text[:2000]}
            break
    with state.lock:
        state.deliveries.append(outcome)
    return outcome


def verify_url(state: State) -> dict[str, Any]:
    """Ask the target to prove itself, as when its URL is entered in WeChat's console."""
    with state.lock:
        target, now = state.target, state.clock.now()
    if target is None:
        return {"verified": False, "error": "no push target is set"}
    timestamp, nonce, echo = str(int(now)), str(secrets.randbelow(10**9)), str(secrets.randbelow(10**18))
    query = {
        "signature": push_signature(target.token, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "echostr": echo,
    }
    with httpx2.Client(timeout=target.timeout, trust_env=False) as http:
        try:
            answer = http.get(target.url, params=query)
        except httpx2.RequestError as error:
            return {"verified": False, "error": type(error).__name__}
    return {"verified": answer.status_code == 200 and answer.text == echo, "status": answer.status_code}


def deliver_due(state: State) -> list[dict[str, Any]]:
    """Push the results of the media checks whose time has come."""
    with state.lock:
        now = state.clock.now()
        due = [job for job in state.media_jobs if job.due <= now]
        state.media_jobs = [job for job in state.media_jobs if job.due > now]
        events = [(job.appid, media_event(state, job)) for job in due for _ in range(job.copies)]
    return [deliver(state, appid, event) for appid, event in events]
