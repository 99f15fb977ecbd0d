"""What the stand-in knows: apps, tokens, codes, users, counters, faults, on a movable clock.

Everything here is touched only under `State.lock`.
"""

import base64
import json
import os
import secrets
import string
import tempfile
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

CODE_LIFE = 300.0
DAY = 86_400.0
TOKEN_LIFE = 7200.0
TOKEN_OVERLAP = 300.0
FORCE_APART = 30.0
FORCES_A_DAY = 20
VISIT_WINDOW = 7200.0
LIMITED_CODES = 100_000
CLEARS_A_MONTH = 10
BEIJING = timezone(timedelta(hours=8))


class Refusal(Exception):
    """An answer with an errcode, to be sent with HTTP status 200 as WeChat does."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


class Clock:
    """Seconds since the epoch: the real time, shifted, or standing still."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._still: float | None = None

    def now(self) -> float:
        """Return the stand-in's time."""
        return time.time() + self._shift if self._still is None else self._still

    def advance(self, seconds: float) -> None:
        """Move on, or back."""
        if self._still is None:
            self._shift += seconds
        else:
            self._still += seconds

    def stop_at(self, moment: float) -> None:
        """Stand still at a moment."""
        self._still = moment

    def go_real(self) -> None:
        """Follow the machine's clock again."""
        self._shift, self._still = 0.0, None


@dataclass
class User:
    """A WeChat user as one app sees them."""

    openid: str
    unionid: str | None = None
    session_key: str = field(default="", repr=False)
    last_visit: float | None = None
    risk_rank: int = 0


@dataclass
class LoginCode:
    """What `wx.login` gave a client."""

    appid: str
    openid: str
    expires_at: float
    used: bool = False
    blocked: bool = False


@dataclass
class PhoneCode:
    """What a phone number button gave a client."""

    appid: str
    openid: str
    number: str = field(repr=False)
    country_code: int | str
    prefixed: bool
    expires_at: float
    used: bool = False


@dataclass
class AccessToken:
    """A token handed out; `refused` ones answer 40001 although their time is not up."""

    appid: str
    value: str = field(repr=False)
    expires_at: float
    refused: bool = False


@dataclass
class Template:
    """A subscribe-message template: its keys with their types, enum values where a key is one."""

    id: str
    fields: dict[str, str]
    enums: dict[str, list[str]] = field(default_factory=dict)
    title: str = ""
    kind: int = 2


@dataclass
class Fault:
    """Something to go wrong with the next `count` calls of `path` (`*`: any).

    `errcode`: answer so. `status`, `html`: an infrastructure's page. `delay`: seconds without an
    answer. `truncate`: half the body. `drop`: the connection breaks. With `process` the call takes
    effect first and only its answer suffers.
    """

    path: str
    count: int = 1
    errcode: int | None = None
    errmsg: str = "fault armed in the stand-in"
    status: int | None = None
    html: bool = False
    delay: float = 0.0
    truncate: bool = False
    drop: bool = False
    process: bool = False


@dataclass
class Limit:
    """At most `count` calls of a path within `seconds`, else `errcode`."""

    count: int
    seconds: float
    errcode: int


@dataclass
class PushTarget:
    """Where and how messages are pushed to us."""

    url: str
    token: str = field(repr=False)
    encoding_aes_key: str = field(default="", repr=False)
    secure: bool = False
    user_name: str = "gh_0000standin0"
    timeout: float = 5.0
    retries: int = 3


@dataclass
class MediaJob:
    """A media check whose result is to be pushed at `due`."""

    appid: str
    openid: str
    trace_id: str
    version: int
    due: float
    verdict: dict[str, Any]
    copies: int = 1


STANDARD_LIMITS = {
    "/cgi-bin/stable_token": Limit(10_000, 60, 45011),
    "/wxa/getwxacodeunlimit": Limit(5_000, 60, 45009),
    "/wxa/links": Limit(100, 1, 44990),
    "/wxa/msg_sec_check": Limit(4_000, 60, 44991),
    "/wxa/media_check_async": Limit(2_000, 60, 44991),
}
"""Keys are paths, but for `/wxa/links`: URL links and schemes share one limit."""

LOGINS_A_MINUTE = 100
"""Exchanges per user and minute before 45011."""

PUBLIC_TEMPLATES: dict[str, tuple[str, list[tuple[int, str, str]]]] = {
    "307": ("活动提醒", [(1, "活动名称", "thing"), (2, "活动时间", "time"), (3, "活动地点", "thing")]),
    "818": ("审核结果通知", [(1, "审核内容", "thing"), (2, "审核结果", "phrase"), (3, "审核时间", "date")]),
}
"""A tiny library of public templates: tid → title and its (kid, name, type)."""


class State:
    """All of it. `data` names a file that keeps users and acceptances over a restart."""

    def __init__(self, appid: str, secret: str, data: Path | None = None) -> None:
        self.lock = threading.RLock()
        self.clock = Clock()
        self._first_app = (appid, secret)
        self._data = data
        self.users: dict[str, User] = {}
        self.accepts: dict[tuple[str, str], int] = {}
        self._start_over()
        if data is not None and data.exists():
            self._load(data)

    def _start_over(self) -> None:
        appid, secret = self._first_app
        self.apps = {appid: secret}
        self.users.clear()
        self.accepts.clear()
        self.login_codes: dict[str, LoginCode] = {}
        self.phone_codes: dict[str, PhoneCode] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.stable: dict[str, AccessToken] = {}
        self.forces: dict[str, list[float]] = defaultdict(list)
        self.templates: dict[str, Template] = {}
        self.pages: set[str] = {"pages/index/index"}
        self.limits = dict(STANDARD_LIMITS)
        self.spent: dict[str, deque[float]] = defaultdict(deque)
        self.clears: dict[str, list[float]] = defaultdict(list)
        self.codes_drawn = 0
        self.faults: list[Fault] = []
        self.allowed_ips: set[str] | None = None
        self.calls: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.violations: list[str] = []
        self.words: dict[str, dict[str, Any]] = {}
        self.next_text: deque[dict[str, Any]] = deque()
        self.next_media: deque[dict[str, Any]] = deque()
        self.union_spelling = "unoin_id"
        self.sending: set[str] = set()
        self.target: PushTarget | None = None
        self.media_jobs: list[MediaJob] = []
        self.deliveries: list[dict[str, Any]] = []
        self._msgid = 1_316_263_177_503_703_040

    def reset(self) -> None:
        """Forget everything but the first app, and follow the real clock again."""
        self._start_over()
        self.clock.go_real()
        self.save()

    # --- identities -----------------------------------------------------------------------

    def user(self, openid: str) -> User:
        """Return the user with this openid, made now if there is none."""
        if openid not in self.users:
            self.users[openid] = User(openid, session_key=new_session_key())
        return self.users[openid]

    def issue_code(
        self, *, appid: str, openid: str | None, unionid: str | None, blocked: bool = False
    ) -> tuple[str, LoginCode]:
        """Do what `wx.login` does: a code for five minutes, a visit, a new session key."""
        user = self.user(openid or new_openid())
        user.unionid = unionid or user.unionid
        user.session_key = new_session_key()
        user.last_visit = self.clock.now()
        code = "0" + letters(31)
        self.login_codes[code] = LoginCode(appid, user.openid, self.clock.now() + CODE_LIFE, blocked=blocked)
        self.save()
        return code, self.login_codes[code]

    def visited_lately(self, openid: str) -> bool:
        """Tell whether the user opened the mini-program within two hours."""
        user = self.users.get(openid)
        if user is None or user.last_visit is None:
            return False
        return self.clock.now() - user.last_visit <= VISIT_WINDOW

    # --- tokens ---------------------------------------------------------------------------

    def mint(self, appid: str) -> AccessToken:
        """Make a token of WeChat's length at its longest, valid for two hours."""
        token = AccessToken(appid, "98_" + letters(509), self.clock.now() + TOKEN_LIFE)
        self.tokens[token.value] = token
        return token

    def stable_token(self, appid: str, *, force: bool) -> AccessToken:
        """Return the app's stable token, renewed when its time has come or when forced."""
        now = self.clock.now()
        current = self.stable.get(appid)
        if force:
            today = day_of(now)
            done = [at for at in self.forces[appid] if day_of(at) == today]
            # Calls that come too soon do not refresh, so they do not count either.
            if not done or now - done[-1] >= FORCE_APART:
                if len(done) >= FORCES_A_DAY:
                    # Which code WeChat gives for the 21st is not known.
                    raise Refusal(45009, "reach max api daily quota limit")
                self.forces[appid] = [*done, now]
                if current is not None:
                    current.refused = True
                current = self.stable[appid] = self.mint(appid)
        if current is None or current.expires_at - now <= TOKEN_OVERLAP:
            # The old one is not touched: it serves on to its end, beside the new.
            current = self.stable[appid] = self.mint(appid)
        return current

    # --- counters -------------------------------------------------------------------------

    def spend(self, key: str, limit: Limit | None, errmsg: str) -> None:
        """Count one use of `key`; refuse when its limit is reached."""
        now = self.clock.now()
        spent = self.spent[key]
        while spent and now - spent[0] > DAY:
            spent.popleft()
        spent.append(now)
        if limit is None:
            return
        recent = sum(1 for at in spent if now - at < limit.seconds)
        if recent > limit.count:
            spent.pop()
            raise Refusal(limit.errcode, errmsg)

    def take_fault(self, path: str) -> Fault | None:
        """Return the first fault armed for this path and use it up by one."""
        for fault in self.faults:
            if fault.path in (path, "*"):
                fault.count -= 1
                if fault.count <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def next_msgid(self) -> int:
        """Return a 64-bit number, too large for a double."""
        self._msgid += 1
        return self._msgid

    # --- keeping --------------------------------------------------------------------------

    def save(self) -> None:
        """Write users and acceptances to the data file, whole, readable by the owner only."""
        if self._data is None:
            return
        kept = {
            "users": [
                {"openid": user.openid, "unionid": user.unionid, "session_key": user.session_key}
                for user in self.users.values()
            ],
            "accepts": [[*key, count] for key, count in self.accepts.items()],
        }
        self._data.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._data.parent, prefix=".standin-")
        with os.fdopen(handle, "w") as file:
            json.dump(kept, file, ensure_ascii=False)
        Path(name).replace(self._data)

    def _load(self, data: Path) -> None:
        kept = json.loads(data.read_bytes())
        for user in kept["users"]:
            self.users[user["openid"]] = User(**user)
        for openid, template, count in kept["accepts"]:
            self.accepts[openid, template] = count


def letters(size: int) -> str:
    """Return random letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(size))


def new_openid() -> str:
    """Return an openid of the usual shape: 28 characters, the first an `o`."""
    return "o" + letters(27)


def new_session_key() -> str:
    """Return 16 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def request_id() -> str:
    """Return a rid as WeChat puts it at the end of an errmsg."""
    return f"{secrets.token_hex(4)}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"


def day_of(moment: float) -> str:
    """Return the calendar day in Beijing."""
    return datetime.fromtimestamp(moment, UTC).astimezone(BEIJING).date().isoformat()


def month_of(moment: float) -> str:
    """Return the calendar month in Beijing."""
    return day_of(moment)[:7]
