"""Refusals: a small family that carries the facts. `core.problems` turns each into one HTTP answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: where (`items[3].title`), why (in the reader's language), and a stable word."""

    field: str
    reason: str
    code: str = "invalid"


class DomainError(Exception):
    """A refusal by the rules of the house: HTTP `status`, stable `code`, `detail` for people."""

    status = 400
    code = "refused"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code


class Unauthenticated(DomainError):
    """Nobody, or nobody any more."""

    status = 401
    code = "unauthenticated"


class NotAllowed(DomainError):
    """Known, but not allowed to do this."""

    status = 403
    code = "not_allowed"


class NotFound(DomainError):
    """No such thing, or none of yours."""

    status = 404
    code = "not_found"

    def __init__(self, detail: str = "没有找到。", *, code: str | None = None) -> None:
        super().__init__(detail, code=code)


class Conflict(DomainError):
    """The state does not allow it (any more)."""

    status = 409
    code = "conflict"


class Invalid(DomainError):
    """The input cannot be accepted; names every field that is wrong."""

    status = 422
    code = "invalid_input"

    def __init__(
        self,
        errors: Sequence[FieldError],
        *,
        detail: str = "提交的内容有误，请按提示修改。",
        code: str | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.errors = list(errors)


class BadRequest(DomainError):
    """The body cannot be read at all."""

    status = 400
    code = "bad_request"


class UnsupportedMedia(DomainError):
    """The body is of a type that is not taken here."""

    status = 415
    code = "unsupported_media_type"


class NotNow(DomainError):
    """Not stored; the same request will work later, after `retry_after` seconds."""

    status = 503
    code = "not_now"

    def __init__(
        self, detail: str = "服务暂时繁忙，请稍后重试。", *, retry_after: int = 2, code: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class NoSpace(NotNow):
    """Not stored: the disk is full; the same request will work once somebody has made room."""

    status = 507
    code = "no_space"

    def __init__(self, detail: str = "服务器存储空间不足，本次没有保存，请稍后重试。") -> None:
        super().__init__(detail, retry_after=60)


class TooMany(NotNow):
    """Too often; wait `retry_after` seconds."""

    status = 429
    code = "too_many_requests"


class InProgress(NotNow):
    """The same request is running at this moment; ask again after `retry_after` seconds."""

    status = 409
    code = "in_progress"
