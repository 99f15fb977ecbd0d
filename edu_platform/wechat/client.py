"""The client of WeChat's server API.

One `WeChatClient` per app and process, used by all its threads. Each method is one call of WeChat:
it adds the access token, retries what may be retried, and answers with a small value or raises one
of `errors`. Secrets (app secret, session keys, access tokens) are never part of a repr, an error or
a log line.
"""

import json
import logging
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeVar

import httpx2

from edu_platform.core.metrics import Counter
from edu_platform.wechat.crypto import session_signature
from edu_platform.wechat.errors import (
    CodeRefused,
    InvalidArgument,
    Misconfigured,
    NoAcceptLeft,
    NoRecentVisit,
    QuotaExhausted,
    RateLimited,
    Refused,
    TokenRefused,
    Unavailable,
    Undecided,
    WeChatError,
)
from edu_platform.wechat.tokens import AccessTokens, TokenStore

OFFICIAL_URL = "https://api.weixin.qq.com"

SCENE_PATTERN = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
"""What `scene` may be, to be used with fullmatch: 1 to 32 characters of WeChat's set, no `%`."""

TEXT_LIMIT = 2500
"""Characters that one text check takes."""

TEXT_OVERLAP = 40
"""Characters that neighbouring parts of a long text share, so that no phrase is cut unseen."""

TOKEN_CODES = frozenset({40001, 40014, 42001})
BUSY = -1
BACK_OFF_CODES = frozenset({BUSY, 43108, 44990, 44991, 45011})
QUOTA_CODES = frozenset({44993, 45009, 45029})
MISCONFIGURED_CODES = frozenset(
    {40002, 40013, 40125, 40164, 40243, 41002, 41004, 48001, 48004, 50004, 50007} | {89503, 89506, 89507}
)
LOGIN_CODES = frozenset({40029, 40163, 40226, 41008})
SIGNATURE_INVALID = 87009
KNOWN_CODES = (
    TOKEN_CODES | BACK_OFF_CODES | QUOTA_CODES | MISCONFIGURED_CODES | LOGIN_CODES | {87009, 61010, 43101}
)
"""The numbers counted apart; any other one is counted as `other`."""
CALLS = Counter(
    "edu_wechat_calls_total", "Calls of WeChat, by its errcode or by what went wrong.", ("path", "code")
)

MINUTE = 60.0
QUOTA_WAIT = 3600.0
"""Seconds to advise when a daily quota is gone; when exactly WeChat resets it is not published."""

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer; WeChat's largest are pictures of some hundred kilobytes."""

CODE_LIMIT = 512
"""Characters of a login or phone code beyond which WeChat need not be asked."""

EnvVersion = Literal["release", "trial", "develop"]

Answer = TypeVar("Answer")
Default = TypeVar("Default")


class TextScene(IntEnum):
    """Where a checked text stands."""

    PROFILE = 1
    COMMENT = 2
    FORUM = 3
    SOCIAL_LOG = 4


class Suggestion(StrEnum):
    """WeChat's verdict on a text or a picture, from best to worst."""

    PASS = "pass"  # noqa: S105 - a verdict
    REVIEW = "review"
    RISKY = "risky"


SEVERITY = (Suggestion.PASS, Suggestion.REVIEW, Suggestion.RISKY)


@dataclass(frozen=True, slots=True)
class Session:
    """Who has signed in. `session_key` must never leave the server, nor be logged."""

    openid: str
    session_key: str = field(repr=False)
    unionid: str | None = None


@dataclass(frozen=True, slots=True)
class TextVerdict:
    """What WeChat thinks of a text: act on `suggestion` only; `trace_ids`, one for each part."""

    suggestion: Suggestion
    label: int
    trace_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A user's phone: `number` without the country's prefix, `country_code` as digits."""

    number: str = field(repr=False)
    country_code: str


@dataclass(frozen=True, slots=True)
class RiskRank:
    """How likely a user is a cheat: 0 (not at all) to 4; `record` is WeChat's id of the query."""

    rank: int
    record: str | None


class WeChatClient:
    """WeChat's server API for one mini-program.

    `base_url` is WeChat's or the stand-in's. `timeout` is in seconds for each try, `attempts` the
    number of tries; pauses between them double from `pause` seconds. `patience` is in seconds for all
    tries together: none begins after it, and an answer that trickles in past it is given up. `clock`
    gives seconds since the epoch. `proxy` must be given, it is not taken from the environment. A client made with
    `http` uses that connection pool (its time-outs and base URL included).
    """

    def __init__(
        self,
        base_url: str,
        appid: str,
        secret: str,
        *,
        tokens: TokenStore,
        http: httpx2.Client | None = None,
        proxy: str | None = None,
        timeout: float = 4.0,
        patience: float | None = None,
        attempts: int = 3,
        pause: float = 0.2,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._appid = appid
        self._secret = secret
        self._attempts = attempts
        self._pause = pause
        self._sleep = sleep
        self._patience = patience
        self._http = http or httpx2.Client(
            base_url=base_url,
            timeout=timeout if patience is None else min(timeout, patience),
            proxy=proxy,
            trust_env=False,
        )
        self._tokens = AccessTokens(appid, tokens, self._fetch_token, clock)

    def __repr__(self) -> str:
        return f"WeChatClient({str(self._http.base_url)!r}, {self._appid!r})"

    def close(self) -> None:
        """Close the connections; the client is then of no further use."""
        self._http.close()

    # --- who is there ---------------------------------------------------------------------

    def code_to_session(self, code: str) -> Session:
        """Exchange the code of `wx.login` for the user's session. A code works once.

        Raise CodeRefused, RateLimited, Unavailable or Misconfigured. When an earlier try went
        unanswered and the retry finds the code used, CodeRefused says so (`after_timeout`).
        """
        _check_code(code)
        answer = self._ask(
            "GET",
            "/sns/jscode2session",
            params={
                "appid": self._appid,
                "secret": self._secret,
                "js_code": code,
                "grant_type": "authorization_code",
            },
            spends_code=True,
        )
        return _session(answer)

    def check_session(self, openid: str, session_key: str) -> bool:
        """Tell whether `session_key` is still the user's."""
        try:
            self._ask_with_token("GET", "/wxa/checksession", params=_signed(openid, session_key))
        except Refused as refused:
            if refused.errcode == SIGNATURE_INVALID:
                return False
            raise
        return True

    def reset_session_key(self, openid: str, session_key: str) -> Session:
        """Replace the user's session key, keeping its expiry; raise Refused if it is not current."""
        answer = self._ask_with_token("GET", "/wxa/resetusersessionkey", params=_signed(openid, session_key))
        return _session(answer)

    def phone_number(self, code: str, *, openid: str | None = None) -> PhoneNumber:
        """Exchange the code of a phone number button (not the login code) for the number.

        With `openid`, WeChat checks that the code is that user's. Raise CodeRefused as for login.
        """
        _check_code(code)
        body = {"code": code} | ({"openid": openid} if openid else {})
        try:
            answer = self._ask_with_token(
                "POST", "/wxa/business/getuserphonenumber", body=body, spends_code=True
            )
        except Misconfigured as error:
            # Here 40013 also means that code and openid do not belong together.
            if openid and error.errcode == 40013:
                raise CodeRefused(str(error), errcode=40013, rid=error.rid) from None
            raise
        info = _object(answer, "phone_info")
        if _object(info, "watermark").get("appid") != self._appid:
            raise Refused("the phone number's watermark names another app")
        number, country = info.get("purePhoneNumber"), info.get("countryCode")
        if not isinstance(number, str) or isinstance(country, bool) or country in (None, ""):
            raise Unavailable("an answer without a phone number")
        return PhoneNumber(number, str(country))

    # --- mini-program codes ---------------------------------------------------------------

    def unlimited_code(
        self,
        scene: str,
        *,
        page: str | None = None,
        env_version: EnvVersion = "release",
        width: int = 430,
        check_path: bool = True,
        hyaline: bool = False,
    ) -> bytes:
        """Draw a mini-program code and return the picture: JPEG, or PNG if `hyaline`.

        `width` is in pixels, 280 to 1280; `page` has no leading slash and no query; None is the
        home page. Raise InvalidArgument for what WeChat is known to refuse, before calling.
        Keep the bytes: a code is permanent and the call is slow.
        """
        if not SCENE_PATTERN.fullmatch(scene):
            raise InvalidArgument("scene", "场景值应为 1–32 位，仅限微信允许的字符")
        if page is not None and (page.startswith("/") or "?" in page or not page):
            raise InvalidArgument("page", "页面路径不能以 / 开头，也不能带参数")
        if not 280 <= width <= 1280:
            raise InvalidArgument("width", "宽度应在 280–1280 像素之间")
        body: dict[str, Any] = {
            "scene": scene,
            "env_version": env_version,
            "width": width,
            "check_path": check_path,
            "is_hyaline": hyaline,
        }
        if page is not None:
            body["page"] = page
        return self._draw("/wxa/getwxacodeunlimit", body)

    # --- content and conduct --------------------------------------------------------------

    def text_check(
        self,
        text: str,
        *,
        openid: str,
        scene: TextScene,
        title: str = "",
        nickname: str = "",
    ) -> TextVerdict:
        """Have a user's text checked; a long one goes in parts and the worst verdict counts.

        The user must have visited the mini-program within two hours, else NoRecentVisit.
        """
        if not text.strip():
            raise InvalidArgument("text", "待检测的文字为空")
        worst, label, traces = Suggestion.PASS, 100, []
        step = TEXT_LIMIT - TEXT_OVERLAP
        for start in range(0, max(len(text) - TEXT_OVERLAP, 1), step):
            body: dict[str, Any] = {
                "version": 2,
                "openid": openid,
                "scene": int(scene),
                "content": text[start : start + TEXT_LIMIT],
            }
            body |= {key: value for key, value in (("title", title), ("nickname", nickname)) if value}
            answer = self._ask_with_token("POST", "/wxa/msg_sec_check", body=body)
            result = _object(answer, "result")
            suggestion = _suggestion(result.get("suggest"))
            if SEVERITY.index(suggestion) > SEVERITY.index(worst):
                worst, label = suggestion, _integer(result.get("label"), 21000)
            traces.append(str(answer.get("trace_id", "")))
            if worst is Suggestion.RISKY:
                break
        return TextVerdict(worst, label, tuple(traces))

    def risk_rank(self, openid: str, *, client_ip: str, scene: int = 1, is_test: bool = False) -> RiskRank:
        """Ask how likely a user is a cheat; `scene` 0 is registration, 1 marketing abuse.

        The user must have visited the mini-program within two hours, else NoRecentVisit.
        """
        body: dict[str, Any] = {
            "appid": self._appid,
            "openid": openid,
            "scene": scene,
            "client_ip": client_ip,
        }
        if is_test:
            body["is_test"] = True
        answer = self._ask_with_token("POST", "/wxa/getuserriskrank", body=body)
        rank = _integer(answer.get("risk_rank"), -1)
        if not 0 <= rank <= 4:
            raise Unavailable("an answer without a risk rank")
        # WeChat's documentation spells the id so; an SDK of theirs the other way.
        record = answer.get("unoin_id", answer.get("union_id"))
        return RiskRank(rank, None if record is None else str(record))

    # --- subscribe messages ---------------------------------------------------------------

    def send_subscribe_message(
        self,
        openid: str,
        template_id: str,
        values: Mapping[str, str],
        *,
        page: str = "",
        state: Literal["formal", "trial", "developer"] = "formal",
    ) -> str | None:
        """Send a message the user has subscribed to and return WeChat's id of it, if it gave one.

        Never sent a second time once it may have arrived: a lost answer raises Undecided. Raise
        NoAcceptLeft when the user has no acceptance left. Sends to one user must not overlap.
        """
        body: dict[str, Any] = {
            "touser": openid,
            "template_id": template_id,
            "miniprogram_state": state,
            "lang": "zh_CN",
            "data": {name: {"value": value} for name, value in values.items()},
        }
        if page:
            body["page"] = page
        answer = self._ask_with_token("POST", "/cgi-bin/message/subscribe/send", body=body, repeatable=False)
        msgid = answer.get("msgid")
        return None if msgid is None else str(msgid)

    # --- how a call is made ---------------------------------------------------------------

    def _fetch_token(self, force: bool) -> tuple[str, float]:
        try:
            answer = self._ask(
                "POST",
                "/cgi-bin/stable_token",
                body={
                    "grant_type": "client_credential",
                    "appid": self._appid,
                    "secret": self._secret,
                    "force_refresh": force,
                },
            )
        except TokenRefused as refused:
            # No token was sent: here 40001 speaks of the secret.
            raise Misconfigured(str(refused), errcode=refused.errcode, rid=refused.rid) from None
        value, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(value, str) or not value or isinstance(seconds, bool):
            raise Unavailable("an answer without an access token")
        if not isinstance(seconds, int | float) or seconds <= 0:
            raise Unavailable("an access token without its lifetime")
        return value, float(seconds)

    def _ask_with_token(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        spends_code: bool = False,
    ) -> dict[str, Any]:
        def ask(token: str) -> dict[str, Any]:
            return self._ask(
                method,
                path,
                params={"access_token": token, **(params or {})},
                body=body,
                repeatable=repeatable,
                spends_code=spends_code,
            )

        return self._with_token(ask)

    def _draw(self, path: str, body: Mapping[str, Any]) -> bytes:
        def ask(token: str) -> bytes:
            return self._exchange("POST", path, params={"access_token": token}, body=body, read=_picture)

        return self._with_token(ask)

    def _with_token(self, ask: Callable[[str], Answer]) -> Answer:
        """Ask with the token; on its refusal once more with a fresh one, then with a forced one."""
        token = self._tokens.current()
        try:
            return ask(token)
        except TokenRefused:
            token = self._tokens.replace(token)
        try:
            return ask(token)
        except TokenRefused as refused:
            still = refused
            # Expired or malformed tokens do not get better by force; 40001 may.
            forced = self._tokens.insist(token) if refused.errcode == 40001 else None
        if forced is not None:
            try:
                return ask(forced)
            except TokenRefused as refused:
                still = refused
        raise Unavailable(str(still), errcode=still.errcode, rid=still.rid)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        spends_code: bool = False,
    ) -> dict[str, Any]:
        return self._exchange(
            method,
            path,
            params=params,
            body=body,
            read=_json,
            repeatable=repeatable,
            spends_code=spends_code,
        )

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        read: Callable[[str, httpx2.Response], Answer],
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        spends_code: bool = False,
    ) -> Answer:
        """Make one call, with its retries, and return what `read` makes of the answer.

        `repeatable=False`: no retry once the request may have been acted upon. `spends_code`: the
        call uses up a code, so that its refusal after a lost answer is told apart.
        """
        content = None if body is None else _encoded(body)
        headers = {} if content is None else {"Content-Type": "application/json"}
        unanswered = False
        failure: WeChatError = Unavailable(f"{path}: not tried")
        give_up = math.inf if self._patience is None else time.monotonic() + self._patience
        for attempt in range(self._attempts):
            if attempt:
                # Spread out, so that workers refused together do not come back together.
                pause = self._pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
                if time.monotonic() + pause >= give_up:
                    break
                self._sleep(pause)
            try:
                response = self._send(
                    method, path, give_up=give_up, params=params, content=content, headers=headers
                )
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
                # Nothing was sent. The cause is not chained: it holds the URL with its secrets.
                CALLS.add(path, "unreachable")
                failure = Unavailable(f"{path}: {type(error).__name__}")
                continue
            except httpx2.RequestError as error:
                CALLS.add(path, "no_answer")
                failure = Unavailable(f"{path}: {type(error).__name__}")
            else:
                try:
                    return _counted(read, path, response)
                except CodeRefused as refused:
                    if spends_code and unanswered and refused.errcode in (40029, 40163):
                        raise CodeRefused(
                            str(refused),
                            errcode=refused.errcode,
                            rid=refused.rid,
                            after_timeout=True,
                        ) from None
                    raise
                except RateLimited as limited:
                    if limited.errcode not in BACK_OFF_CODES:
                        raise
                    failure = limited
                    continue
                except Unavailable as error:
                    failure = error
                    if error.errcode == BUSY:
                        continue
            # Sent, and no answer that says what became of it.
            unanswered = True
            if not repeatable:
                raise Undecided(str(failure))
        raise failure

    def _send(self, method: str, path: str, *, give_up: float, **request: Any) -> httpx2.Response:
        """Send one request and read its answer, which may neither trickle in for ever nor be endless."""
        with self._http.stream(method, path, **request) as answer:
            content = bytearray()
            for part in answer.iter_bytes():
                content += part
                if len(content) > LARGEST_ANSWER or time.monotonic() > give_up:
                    raise httpx2.ReadTimeout("the answer takes too long")
            headers = {"Content-Type": answer.headers.get("Content-Type", "")}
            return httpx2.Response(answer.status_code, headers=headers, content=bytes(content))


def _counted(read: Callable[[str, httpx2.Response], Answer], path: str, response: httpx2.Response) -> Answer:
    try:
        answer = read(path, response)
    except WeChatError as error:
        CALLS.add(path, str(error.errcode) if error.errcode in KNOWN_CODES else "other")
        raise
    CALLS.add(path, "ok")
    return answer


def _encoded(body: Mapping[str, Any]) -> bytes:
    """Return the body as WeChat wants it: UTF-8, Chinese unescaped."""
    try:
        return json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidArgument("body", "内容含有无效字符") from None


def _check_code(code: str) -> None:
    """Refuse what cannot be a code: it comes from anybody, and may be empty, huge or hostile."""
    if not code:
        raise CodeRefused("no code", errcode=41008)
    if len(code) > CODE_LIMIT or not (code.isascii() and code.isprintable()):
        raise CodeRefused("not a code of WeChat's", errcode=40029)


def _json(path: str, response: httpx2.Response) -> dict[str, Any]:
    """Read WeChat's JSON, whatever its content type says; raise what its errcode stands for."""
    if response.status_code >= 500 or 300 <= response.status_code < 400:
        raise Unavailable(f"{path}: HTTP {response.status_code}")
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        if response.status_code >= 400:
            raise Refused(f"{path}: HTTP {response.status_code}")
        raise Unavailable(f"{path}: the answer is not JSON")
    errcode = _integer(answer.get("errcode", 0), None)
    if errcode is None:
        raise Unavailable(f"{path}: an errcode that is no number")
    if errcode:
        raise _error(path, errcode, str(answer.get("errmsg", ""))[:300])
    if response.status_code >= 400:
        raise Refused(f"{path}: HTTP {response.status_code}")
    return answer


def _picture(path: str, response: httpx2.Response) -> bytes:
    """Read a picture; anything else is an error to be read as JSON."""
    content = response.content
    kind = response.headers.get("Content-Type", "")
    if response.status_code != 200 or not kind.startswith("image/") or content[:1] == b"{":
        _json(path, response)
        raise Unavailable(f"{path}: neither picture nor error")
    if not content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise Unavailable(f"{path}: the answer is not a picture")
    return content


def _error(path: str, errcode: int, errmsg: str) -> WeChatError:
    """Return the error that stands for WeChat's number."""
    detail = f"{path}: {errcode} {errmsg}"
    found = re.search(r"rid: ?([0-9a-f-]{8,64})", errmsg)
    rid = found[1] if found else None
    if errcode in TOKEN_CODES:
        return TokenRefused(detail, errcode=errcode, rid=rid)
    if errcode in LOGIN_CODES:
        return CodeRefused(detail, errcode=errcode, rid=rid)
    if errcode == BUSY:
        return Unavailable(detail, errcode=errcode, rid=rid, retry_after=1.0)
    if errcode in BACK_OFF_CODES:
        return RateLimited(detail, errcode=errcode, rid=rid, retry_after=MINUTE)
    if errcode in QUOTA_CODES:
        return QuotaExhausted(detail, errcode=errcode, rid=rid, retry_after=QUOTA_WAIT)
    if errcode in MISCONFIGURED_CODES:
        return Misconfigured(detail, errcode=errcode, rid=rid)
    if errcode == 61010:
        return NoRecentVisit(detail, errcode=errcode, rid=rid)
    if errcode == 43101:
        return NoAcceptLeft(detail, errcode=errcode, rid=rid)
    return Refused(detail, errcode=errcode, rid=rid)


def _session(answer: Mapping[str, Any]) -> Session:
    openid, key, unionid = (answer.get(name) for name in ("openid", "session_key", "unionid"))
    if not isinstance(openid, str) or not openid or not isinstance(key, str) or not key:
        raise Unavailable("an answer without openid and session key")
    return Session(openid, key, unionid if isinstance(unionid, str) and unionid else None)


def _signed(openid: str, session_key: str) -> dict[str, str]:
    return {
        "openid": openid,
        "signature": session_signature(session_key),
        "sig_method": "hmac_sha256",
    }


def _object(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = answer.get(name)
    if not isinstance(inner, dict):
        raise Unavailable(f"an answer without {name}")
    return inner


def _suggestion(value: object) -> Suggestion:
    try:
        return Suggestion(str(value))
    except ValueError:
        # A verdict we do not know is for a person to look at.
        return Suggestion.REVIEW


def _integer(value: object, default: Default) -> int | Default:
    """Return WeChat's number, which at times comes as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return default
    try:
        return int(value)
    except ValueError:
        return default


class _WithoutQuery(logging.Filter):
    """Cuts the query off URLs that httpx2 logs: WeChat wants secrets there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                value.copy_with(query=None) if isinstance(value, httpx2.URL) else value
                for value in record.args
            )
        return True


logging.getLogger("httpx2").addFilter(_WithoutQuery())
