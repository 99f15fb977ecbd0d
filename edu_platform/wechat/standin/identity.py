"""Who is there: login, session keys, access tokens, phone numbers, quotas."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from edu_platform.wechat.standin.calls import Answer, Call, Endpoint
from edu_platform.wechat.standin.state import (
    CLEARS_A_MONTH,
    LOGINS_A_MINUTE,
    TOKEN_OVERLAP,
    Limit,
    Refusal,
    User,
    month_of,
    new_session_key,
)

OK = {"errcode": 0, "errmsg": "ok"}


def _app(call: Call, fields: Mapping[str, Any], *, code_too: bool = False) -> str:
    """Check appid and secret in WeChat's order and return the appid."""
    state = call.state
    if not fields.get("appid"):
        raise Refusal(41002, "appid missing")
    if not fields.get("secret"):
        raise Refusal(41004, "appsecret missing")
    if code_too and not fields.get("js_code"):
        raise Refusal(41008, "missing code")
    appid = str(fields["appid"])
    if appid not in state.apps:
        raise Refusal(40013, "invalid appid")
    if fields["secret"] != state.apps[appid]:
        raise Refusal(40125, "invalid appsecret")
    return appid


def jscode2session(call: Call) -> Answer:
    """Exchange a login code; success has no errcode."""
    state = call.state
    appid = _app(call, call.query, code_too=True)
    if call.query.get("grant_type") != "authorization_code":
        raise Refusal(40002, "invalid grant_type")
    code = state.login_codes.get(call.query["js_code"])
    if code is None or code.appid != appid:
        raise Refusal(40029, "invalid code")
    call.spend(key=f"login {code.openid}", limit=Limit(LOGINS_A_MINUTE, 60, 45011))
    if code.used:
        raise Refusal(40163, "code been used")
    if state.clock.now() >= code.expires_at:
        raise Refusal(40029, "invalid code")
    if code.blocked:
        raise Refusal(40226, "code blocked")
    code.used = True
    user = state.user(code.openid)
    return _session(user) | ({"unionid": user.unionid} if user.unionid else {})


def _session(user: User) -> dict[str, Any]:
    return {"openid": user.openid, "session_key": user.session_key}


def _signed_user(call: Call) -> User:
    if call.query.get("sig_method") != "hmac_sha256":
        raise Refusal(87008, "invalid sig_method")
    user = call.state.users.get(call.query.get("openid", ""))
    if user is None:
        raise Refusal(40003, "invalid openid")
    expected = hmac.new(user.session_key.encode(), b"", hashlib.sha256).hexdigest()
    if call.query.get("signature") != expected:
        raise Refusal(87009, "invalid signature")
    return user


def checksession(call: Call) -> Answer:
    """Tell whether a session key is current."""
    _signed_user(call)
    return OK


def resetusersessionkey(call: Call) -> Answer:
    """Replace a session key."""
    user = _signed_user(call)
    user.session_key = new_session_key()
    call.state.save()
    return OK | _session(user)


def _check_address(call: Call) -> None:
    allowed = call.state.allowed_ips
    if allowed is not None and call.remote_addr not in allowed:
        raise Refusal(
            40164, f"invalid ip {call.remote_addr} ipv6 ::ffff:{call.remote_addr}, not in whitelist"
        )


def stable_token(call: Call) -> Answer:
    """Return the one token, with the time that remains to it."""
    if call.body.get("grant_type") != "client_credential":
        raise Refusal(40002, "invalid grant_type")
    appid = _app(call, call.body)
    _check_address(call)
    call.spend()
    token = call.state.stable_token(appid, force=call.body.get("force_refresh") is True)
    return {"access_token": token.value, "expires_in": int(token.expires_at - call.state.clock.now())}


def token(call: Call) -> Answer:
    """Mint a token at every call; the one before lasts five minutes more."""
    if call.query.get("grant_type") != "client_credential":
        raise Refusal(40002, "invalid grant_type")
    state = call.state
    appid = _app(call, call.query)
    _check_address(call)
    call.spend()
    now = state.clock.now()
    stable = state.stable.get(appid)
    for other in state.tokens.values():
        if other.appid == appid and other is not stable:
            other.expires_at = min(other.expires_at, now + TOKEN_OVERLAP)
    minted = state.mint(appid)
    return {"access_token": minted.value, "expires_in": int(minted.expires_at - now)}


def getuserphonenumber(call: Call) -> Answer:
    """Exchange a phone code, which is not a login code."""
    state = call.state
    value = call.text("code", 40029, "invalid code")
    code = state.phone_codes.get(value)
    if code is None or code.used or state.clock.now() >= code.expires_at:
        raise Refusal(40029, "code is invalid")
    openid = call.body.get("openid")
    if code.appid != call.appid or (openid and openid != code.openid):
        raise Refusal(40013, "invalid appid")
    code.used = True
    prefix = f"+{code.country_code}" if code.prefixed else ""
    return OK | {
        "phone_info": {
            "phoneNumber": prefix + code.number,
            "purePhoneNumber": code.number,
            "countryCode": code.country_code,
            "watermark": {"timestamp": int(state.clock.now()), "appid": code.appid},
        }
    }


def clear_quota(call: Call) -> Answer:
    """Set the app's counters to nought, ten times a month."""
    state = call.state
    if call.body.get("appid") != call.appid:
        raise Refusal(40013, "invalid appid")
    now = state.clock.now()
    done = [at for at in state.clears[call.appid] if month_of(at) == month_of(now)]
    if len(done) >= CLEARS_A_MONTH:
        raise Refusal(48006, "forbid to clear quota because of reaching the limit")
    state.clears[call.appid] = [*done, now]
    state.spent.clear()
    return OK


def quota_get(call: Call) -> Answer:
    """Tell how often a path was called in the last day."""
    path = call.text("cgi_path", 47001, "data format error")
    now = call.state.clock.now()
    used = sum(1 for at in call.state.spent.get(path, ()) if now - at < 86_400)
    limit = 500_000
    return OK | {"quota": {"daily_limit": limit, "used": used, "remain": limit - used}}


def addresses(call: Call) -> Answer:
    """List addresses from a range kept for documentation."""
    call.spend()
    return {"ip_list": ["192.0.2.10", "192.0.2.11"]}


ENDPOINTS = (
    Endpoint("GET", "/sns/jscode2session", jscode2session, token=False),
    Endpoint("GET", "/wxa/checksession", checksession),
    Endpoint("GET", "/wxa/resetusersessionkey", resetusersessionkey),
    Endpoint("POST", "/cgi-bin/stable_token", stable_token, token=False),
    Endpoint("GET", "/cgi-bin/token", token, token=False),
    Endpoint("POST", "/wxa/business/getuserphonenumber", getuserphonenumber),
    Endpoint("POST", "/cgi-bin/clear_quota", clear_quota),
    Endpoint("POST", "/cgi-bin/openapi/quota/get", quota_get),
    Endpoint("GET", "/cgi-bin/getcallbackip", addresses),
    Endpoint("GET", "/cgi-bin/get_api_domain_ip", addresses),
)
