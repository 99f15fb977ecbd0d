"""Pure decisions about people: tokens, defaults that follow from an age, pseudonyms, passwords, lock-out."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import argon2
from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from edu_platform.core import clock
from edu_platform.core.vocabulary import AgeBand, DeclaredAudience
from edu_platform.people.models import Purpose

STAFF_PREFIX = "staff_"
"""What staff tokens begin with; a learner's token never does."""

LEAST_PASSWORD = 10
FREE_ATTEMPTS = 5
"""Wrong passwords in a row before the account is locked for whoever sends them."""

LONGEST_LOCK = timedelta(hours=1)
ADDRESS_KNOWN_FOR = timedelta(days=90)
MOST_KNOWN_ADDRESSES = 20


@dataclass(frozen=True)
class PurposeText:
    """What a learner is asked: the current `version` of the text, its title and its words."""

    version: str
    title: str
    text: str


PURPOSES: dict[Purpose, PurposeText] = {
    Purpose.GUARDIAN: PurposeText(
        "2026-01",
        "监护人同意",
        "我是这名未满14岁孩子的监护人，同意平台为记录学习进度和答题成绩而处理孩子的微信标识。"
        "不同意也可以学习全部内容，只是不保存个人记录。",
    ),
    Purpose.STATISTICS: PurposeText(
        "2026-01",
        "学习统计",
        "同意把我的浏览和答题次数计入活动统计。统计结果只有数字，不会出现我的身份。",
    ),
    Purpose.LEADERBOARD: PurposeText(
        "2026-01",
        "排行榜展示",
        "同意在排行榜上以系统生成的昵称展示我的成绩。不展示微信昵称、头像和手机号。",
    ),
    Purpose.PRIZE_DELIVERY: PurposeText(
        "2026-01",
        "奖品发放",
        "同意在我中奖后，为发放奖品而核对我的领取凭证。奖品发放完毕后不再用于其他用途。",
    ),
}


def outdated(purpose: Purpose, version: str) -> str | None:
    """Return why nobody can consent to this version any more, in Chinese, or None when it is the current one."""
    current = PURPOSES[purpose].version
    if version == current:
        return None
    return f"授权文本的当前版本为 {current}，请重新展示后再同意。"


class _HouseClock(TimestampSigner):
    """Signs with the platform's clock, so that tokens age as everything else does."""

    def get_timestamp(self) -> int:
        return int(clock.now().timestamp())


class TokenExpired(Exception):
    """The token was good once."""


class TokenBroken(Exception):
    """The token was never ours, or was changed."""


def _serializer(keys: Sequence[str]) -> URLSafeTimedSerializer:
    # itsdangerous signs with the last key; the settings name the newest first.
    return URLSafeTimedSerializer(list(reversed(keys)), salt="learner", signer=_HouseClock)


def issue_token(keys: Sequence[str], learner_id: int, generation: int) -> str:
    """Return a signed token that holds nothing but the learner's id and generation; `keys` newest first."""
    token = _serializer(keys).dumps([learner_id, generation])
    return token if isinstance(token, str) else token.decode()


def read_token(keys: Sequence[str], token: str, *, lasts: timedelta) -> tuple[int, int]:
    """Return (learner id, generation); raise `TokenExpired` or `TokenBroken`. Revocation is for the row to say.

    A token from the future is good: our own clock, which alone dates tokens, has been set back since.
    """
    learner_id, generation, signed_at = open_token(keys, token)
    if clock.now() - signed_at > lasts:
        raise TokenExpired
    return learner_id, generation


def open_token(keys: Sequence[str], token: str) -> tuple[int, int, datetime]:
    """Return (learner id, generation, when it was signed), however old; raise `TokenBroken`."""
    try:
        found, signed_at = _serializer(keys).loads(token, return_timestamp=True)
    except BadData as bad:
        raise TokenBroken from bad
    if not (isinstance(found, list) and len(found) == 2 and all(type(part) is int for part in found)):
        raise TokenBroken
    return found[0], found[1], signed_at


def new_staff_token() -> str:
    """Return a fresh opaque token for a member of staff."""
    return STAFF_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is kept of a staff token; it is random, so a plain hash cannot be guessed back."""
    return hashlib.sha256(token.encode()).digest()


def implied_audience(age_band: AgeBand | None) -> DeclaredAudience:
    """Return the audience that a declared age implies when none is declared."""
    if age_band is AgeBand.FROM_60:
        return DeclaredAudience.ELDERLY
    if age_band in {AgeBand.UNDER_14, AgeBand.FROM_14}:
        return DeclaredAudience.YOUTH
    return DeclaredAudience.UNKNOWN


def implied_elder_mode(age_band: AgeBand | None, audience: DeclaredAudience) -> bool:
    """Say whether elder mode is on until the learner chooses otherwise."""
    return age_band is AgeBand.FROM_60 or audience is DeclaredAudience.ELDERLY


_QUALITIES = (
    "爱学习", "细心", "热心", "稳重", "乐观", "认真", "机灵", "勤快",
    "沉着", "爱思考", "好奇", "守信", "爽朗", "谨慎", "耐心", "温和",
)  # fmt: skip
_THINGS = (
    "松果", "银杏", "白鹭", "青竹", "海棠", "山雀", "云杉", "荷叶",
    "向日葵", "红枫", "小溪", "橡果", "茉莉", "喜鹊", "蒲公英", "玉兰",
    "燕子", "麦穗", "风铃", "石榴", "芦苇", "桂花", "鹅卵石", "星星",
)  # fmt: skip


def pseudonym(seed: int) -> str:
    """Return a stable made-up name such as 爱学习的松果·83 for a learner's id.

    It follows from the platform's own number alone, never from anything that WeChat gave. Two
    learners may share one; it is for showing, not for telling people apart.
    """
    draw = hashlib.sha256(b"edu:pseudonym:%d" % seed).digest()
    quality = _QUALITIES[draw[0] % len(_QUALITIES)]
    thing = _THINGS[draw[1] % len(_THINGS)]
    return f"{quality}的{thing}·{int.from_bytes(draw[2:4], 'big') % 90 + 10}"


# The smallest memory that OWASP recommends for one pass: many threads may verify at once.
_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    return _HASHER.hash(password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Say whether the password is right; takes as long when there is no such account (`None`)."""
    try:
        _HASHER.verify(password_hash or _NOBODY, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None


def new_password() -> str:
    """Return a one-time password of about 80 bits that can be read aloud and typed (no 0/o, 1/l/i)."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def network_of(address: str) -> str:
    """Return what stands for an address: itself, of IPv6 the 64 bits that one household is given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def weak_password(password: str, email: str) -> str | None:
    """Return why a chosen password is too weak, in Chinese, or None."""
    if len(password) < LEAST_PASSWORD:
        return f"密码至少 {LEAST_PASSWORD} 个字符。"
    if len(set(password)) < 5 or re.fullmatch(r"\d+", password):
        return "密码过于简单，请混用字母和数字。"
    if email.split("@", maxsplit=1)[0].lower() in password.lower():
        return "密码不能包含登录邮箱的名字。"
    return None


def lock_after(failed_attempts: int, at: datetime) -> datetime | None:
    """Return until when a lock lasts after that many wrong passwords in a row: 1, 2, 4 … 60 minutes."""
    over = failed_attempts - FREE_ATTEMPTS
    if over < 0:
        return None
    return at + min(timedelta(minutes=2 ** min(over, 10)), LONGEST_LOCK)
