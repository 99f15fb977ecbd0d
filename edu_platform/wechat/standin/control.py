"""The routes under `/__stub/`: what a test or a person at a shell sets and reads.

Bodies are JSON objects; a POST without a body is an empty one.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from edu_platform.wechat.standin import push
from edu_platform.wechat.standin.state import (
    CODE_LIFE,
    Fault,
    Limit,
    PhoneCode,
    PushTarget,
    State,
    Template,
    letters,
)

Wish = Mapping[str, Any]


class BadWish(Exception):
    """A control request that makes no sense."""


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body."""
    wish = json.loads(body or b"{}")
    if not isinstance(wish, dict):
        raise BadWish("the body is to be a JSON object")
    return wish


def _take(wish: Wish, **defaults: Any) -> dict[str, Any]:
    """Return the fields asked for with defaults; refuse any other, so that no typing error passes."""
    unknown = sorted(set(wish) - set(defaults))
    if unknown:
        raise BadWish(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(defaults))}")
    taken = defaults | dict(wish)
    missing = sorted(name for name, value in taken.items() if value is ...)
    if missing:
        raise BadWish(f"missing: {', '.join(missing)}")
    return taken


def _appid(state: State, given: object) -> str:
    if given is None:
        return next(iter(state.apps))
    if given not in state.apps:
        raise BadWish("no such app")
    return str(given)


def issue_code(state: State, wish: Wish) -> Wish:
    """Issue a login code, as `wx.login` does; openid (else a new user), unionid, blocked, appid."""
    asked = _take(wish, openid=None, unionid=None, blocked=False, appid=None)
    for name in ("openid", "unionid"):
        if asked[name] is not None and not (isinstance(asked[name], str) and 0 < len(asked[name]) <= 128):
            raise BadWish(f"{name} is a text of 1 to 128 characters")
    code, issued = state.issue_code(
        appid=_appid(state, asked["appid"]),
        openid=asked["openid"],
        unionid=asked["unionid"],
        blocked=asked["blocked"],
    )
    return {"code": code, "openid": issued.openid, "expires_in": int(CODE_LIFE)}


def issue_phone_code(state: State, wish: Wish) -> Wish:
    """Issue the code of a phone number button: openid, number, country_code (86 or "86"), prefixed."""
    asked = _take(wish, openid=..., number="13800138000", country_code=86, prefixed=True, appid=None)
    code = letters(64)
    state.phone_codes[code] = PhoneCode(
        _appid(state, asked["appid"]),
        state.user(asked["openid"]).openid,
        asked["number"],
        asked["country_code"],
        asked["prefixed"],
        state.clock.now() + CODE_LIFE,
    )
    return {"code": code}


def set_user(state: State, wish: Wish) -> Wish:
    """Make or change a user: openid, unionid, risk_rank."""
    asked = _take(wish, openid=..., unionid=None, risk_rank=0)
    user = state.user(asked["openid"])
    user.unionid, user.risk_rank = asked["unionid"], asked["risk_rank"]
    state.save()
    return {"openid": user.openid}


def set_visit(state: State, wish: Wish) -> Wish:
    """Set when a user last opened the mini-program: `ago` seconds ago, null for never."""
    asked = _take(wish, openid=..., ago=0)
    ago = asked["ago"]
    state.user(asked["openid"]).last_visit = None if ago is None else state.clock.now() - ago
    return {}


def set_accepts(state: State, wish: Wish) -> Wish:
    """Set how many sends of a template a user has accepted: openid, template_id, count."""
    asked = _take(wish, openid=..., template_id=..., count=...)
    state.user(asked["openid"])
    state.accepts[asked["openid"], asked["template_id"]] = asked["count"]
    state.save()
    return {}


def get_accepts(state: State, wish: Wish) -> Wish:
    """Return the acceptances left."""
    _take(wish)
    return {
        "accepts": [
            {"openid": openid, "template_id": template, "count": count}
            for (openid, template), count in state.accepts.items()
        ]
    }


def set_template(state: State, wish: Wish) -> Wish:
    """Make a template: id, fields {"thing1": "thing"}, enums {"enum2": [...]}, title, kind."""
    asked = _take(wish, id=..., fields=..., enums={}, title="", kind=2)
    state.templates[asked["id"]] = Template(**asked)
    return {}


def set_pages(state: State, wish: Wish) -> Wish:
    """Set the pages that the released mini-program has."""
    state.pages = set(_take(wish, pages=...)["pages"])
    return {}


def set_verdicts(state: State, wish: Wish) -> Wish:
    """Set verdicts: words {word: verdict}, next_text [verdict], next_media [verdict], union_spelling."""
    asked = _take(wish, words=None, next_text=(), next_media=(), union_spelling=None)
    if asked["words"] is not None:
        state.words = dict(asked["words"])
    state.next_text.extend(asked["next_text"])
    state.next_media.extend(asked["next_media"])
    state.union_spelling = asked["union_spelling"] or state.union_spelling
    return {}


def get_clock(state: State, wish: Wish) -> Wish:
    """Return the stand-in's time."""
    _take(wish)
    return {"now": state.clock.now()}


def set_clock(state: State, wish: Wish) -> Wish:
    """Move the clock: advance (seconds), at (stand still there), real (follow the machine's)."""
    asked = _take(wish, advance=None, at=None, real=False)
    if asked["real"]:
        state.clock.go_real()
    if asked["at"] is not None:
        state.clock.stop_at(float(asked["at"]))
    if asked["advance"] is not None:
        state.clock.advance(float(asked["advance"]))
    return {"now": state.clock.now()}


def arm_fault(state: State, wish: Wish) -> Wish:
    """Arm a fault; the fields are those of `Fault`."""
    defaults = {each.name: getattr(Fault, each.name, ...) for each in fields(Fault)}
    state.faults.append(Fault(**_take(wish, **defaults)))
    return {}


def clear_faults(state: State, wish: Wish) -> Wish:
    """Disarm all faults."""
    _take(wish)
    state.faults.clear()
    return {}


def expire_tokens(state: State, wish: Wish) -> Wish:
    """Let every token's time be up: 42001."""
    _take(wish)
    for token in state.tokens.values():
        token.expires_at = state.clock.now()
    return {}


def refuse_tokens(state: State, wish: Wish) -> Wish:
    """Refuse every token with 40001; with `keep`, stable_token goes on handing the same one out."""
    keep = _take(wish, keep=False)["keep"]
    for token in state.tokens.values():
        token.refused = True
    if not keep:
        state.stable.clear()
    return {}


def set_limit(state: State, wish: Wish) -> Wish:
    """Set the rate limit of a path: path, count, seconds, errcode."""
    asked = _take(wish, path=..., count=..., seconds=60, errcode=45011)
    path = asked.pop("path")
    state.limits[path] = Limit(**asked)
    return {}


def set_allowed_ips(state: State, wish: Wish) -> Wish:
    """Set the addresses that may fetch tokens; null for all."""
    ips = _take(wish, ips=...)["ips"]
    state.allowed_ips = None if ips is None else set(ips)
    return {}


def set_codes_drawn(state: State, wish: Wish) -> Wish:
    """Set how many of the limited codes have been drawn in the app's life."""
    state.codes_drawn = int(_take(wish, count=...)["count"])
    return {}


def set_target(state: State, wish: Wish) -> Wish:
    """Set where messages are pushed; the fields are those of `PushTarget`."""
    defaults: dict[str, Any] = {
        "url": ...,
        "token": ...,
        "encoding_aes_key": "",
        "secure": False,
        "user_name": PushTarget.user_name,
        "timeout": PushTarget.timeout,
        "retries": PushTarget.retries,
    }
    state.target = PushTarget(**_take(wish, **defaults))
    return {}


def get_calls(state: State, wish: Wish) -> Wish:
    """Return the log of calls, of one path if `path` is given."""
    path = _take(wish, path=None)["path"]
    return {"calls": [call for call in state.calls if path in (None, call["path"])]}


def get_deliveries(state: State, wish: Wish) -> Wish:
    """Return how the pushes went."""
    _take(wish)
    return {"deliveries": list(state.deliveries)}


def get_violations(state: State, wish: Wish) -> Wish:
    """Return what callers did that WeChat's answer to is not known."""
    _take(wish)
    return {"violations": list(state.violations)}


def get_overview(state: State, wish: Wish) -> Wish:
    """Say what there is; no secret."""
    _take(wish)
    return {
        "apps": list(state.apps),
        "users": len(state.users),
        "pages": sorted(state.pages),
        "faults": [asdict(fault) for fault in state.faults],
        "routes": sorted(f"{method} /__stub/{path}" for method, path in [*ROUTES, *OUTSIDE_LOCK]),
    }


def reset(state: State, wish: Wish) -> Wish:
    """Forget everything."""
    _take(wish)
    state.reset()
    return {}


def send_push(state: State, wish: Wish) -> Wish:
    """Push an event now; return attempts, status and body of the answer."""
    asked = _take(wish, event=..., appid=None)
    return push.deliver(state, _appid(state, asked["appid"]), asked["event"])


def verify_target(state: State, wish: Wish) -> Wish:
    """Verify the push URL as WeChat's console does."""
    _take(wish)
    return push.verify_url(state)


def run_pushes(state: State, wish: Wish) -> Wish:
    """Push the media results that are due."""
    _take(wish)
    return {"deliveries": push.deliver_due(state)}


Route = Callable[[State, Wish], Wish]

ROUTES: dict[tuple[str, str], Route] = {
    ("GET", ""): get_overview,
    ("POST", "codes"): issue_code,
    ("GET", "code"): issue_code,
    ("POST", "phone_codes"): issue_phone_code,
    ("POST", "users"): set_user,
    ("POST", "visits"): set_visit,
    ("POST", "accepts"): set_accepts,
    ("GET", "accepts"): get_accepts,
    ("POST", "templates"): set_template,
    ("POST", "pages"): set_pages,
    ("POST", "verdicts"): set_verdicts,
    ("GET", "clock"): get_clock,
    ("POST", "clock"): set_clock,
    ("POST", "faults"): arm_fault,
    ("POST", "faults/clear"): clear_faults,
    ("POST", "tokens/expire"): expire_tokens,
    ("POST", "tokens/refuse"): refuse_tokens,
    ("POST", "limits"): set_limit,
    ("POST", "allowed_ips"): set_allowed_ips,
    ("POST", "codes_drawn"): set_codes_drawn,
    ("POST", "push_target"): set_target,
    ("GET", "calls"): get_calls,
    ("GET", "deliveries"): get_deliveries,
    ("GET", "violations"): get_violations,
    ("POST", "reset"): reset,
}

OUTSIDE_LOCK: dict[tuple[str, str], Route] = {
    ("POST", "push"): send_push,
    ("POST", "push/verify"): verify_target,
    ("POST", "push/due"): run_pushes,
}
"""Routes that call us, and may be called back meanwhile."""
