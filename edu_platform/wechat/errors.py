"""What a call to WeChat can come to besides success.

A small family, so that a caller decides by class and never by WeChat's numbers. Every member has a
stable `code`, a `reason` that may be shown to people, WeChat's `errcode` and `rid` where it gave
them, and `retry_after` in seconds where waiting helps. None of them carries a secret.
"""

LOGIN_REASONS = {
    40029: ("wechat_code_invalid", "登录凭证无效或已过期，请重新登录"),
    40163: ("wechat_code_used", "登录凭证已经用过，请重新登录"),
    40226: ("wechat_code_blocked", "微信判定该账号存在风险，未放行本次登录"),
    41008: ("wechat_code_missing", "缺少登录凭证"),
}


class WeChatError(Exception):
    """A call to WeChat that did not succeed."""

    code = "wechat_error"
    reason = "微信服务返回错误"

    def __init__(
        self,
        detail: str = "",
        *,
        errcode: int | None = None,
        rid: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.errcode = errcode
        self.rid = rid
        self.retry_after = retry_after


class CodeRefused(WeChatError):
    """A login or phone code that WeChat will not take; only a new one from the client helps.

    `after_timeout` says that an earlier try of this very call went unanswered, so the code was
    most likely good and has been spent on an answer that never arrived.
    """

    code = "wechat_code_refused"
    reason = "凭证无效，请重新获取"

    def __init__(
        self,
        detail: str = "",
        *,
        errcode: int | None = None,
        rid: str | None = None,
        after_timeout: bool = False,
    ) -> None:
        super().__init__(detail, errcode=errcode, rid=rid)
        self.after_timeout = after_timeout
        if errcode in LOGIN_REASONS:
            self.code, self.reason = LOGIN_REASONS[errcode]
        if after_timeout:
            self.code, self.reason = "wechat_code_spent", "网络超时，登录凭证已失效，请重新登录"


class RateLimited(WeChatError):
    """WeChat asks for fewer calls; `retry_after` is in seconds."""

    code = "wechat_rate_limited"
    reason = "微信接口调用过于频繁，请稍后再试"


class QuotaExhausted(RateLimited):
    """A daily or lifetime quota is used up: stop calling, and tell the operator."""

    code = "wechat_quota_exhausted"
    reason = "微信接口调用额度已用完"


class Unavailable(WeChatError):
    """No usable answer: time-out, broken connection, busy, an error page, after all retries."""

    code = "wechat_unavailable"
    reason = "微信服务暂时无法访问，请稍后再试"


class Undecided(Unavailable):
    """A message was handed over and no answer came: it may have been delivered, so never resend."""

    code = "wechat_undecided"
    reason = "微信未答复，消息可能已送达"


class Misconfigured(WeChatError):
    """The account, not the call, is wrong: appid, secret, IP list, capability. For the operator."""

    code = "wechat_misconfigured"
    reason = "微信接入配置有误，请联系管理员"


class Refused(WeChatError):
    """WeChat understood the call and said no, for a reason that repeating will not change."""

    code = "wechat_refused"
    reason = "微信拒绝了该请求"


class NoRecentVisit(Refused):
    """The user has not opened the mini-program within the last two hours (61010)."""

    code = "wechat_no_recent_visit"
    reason = "用户近两小时未访问小程序，无法检测"


class NoAcceptLeft(Refused):
    """The user has no unused acceptance of this message template (43101)."""

    code = "wechat_no_accept_left"
    reason = "用户未订阅该消息或订阅次数已用完"


class InvalidArgument(WeChatError, ValueError):
    """Something WeChat is known to refuse, refused before it was sent; names the field."""

    code = "wechat_invalid_argument"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class TokenRefused(WeChatError):
    """The access token was not accepted (40001, 40014, 42001). Handled inside the client."""

    code = "wechat_token_refused"


class BadSignature(WeChatError):
    """A push or user data whose signature does not match: answer 403 and read no further."""

    code = "wechat_bad_signature"
    reason = "签名不正确"


class BadCiphertext(WeChatError):
    """Encrypted data that does not open, or that was meant for another app or another time."""

    code = "wechat_bad_ciphertext"
    reason = "加密数据无法解开"
