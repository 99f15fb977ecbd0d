"""Wire shapes of sessions, learners, consents and staff accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from edu_platform.core.schemas import Id, PlainText, Shape, When
from edu_platform.core.vocabulary import AgeBand, Channel, DeclaredAudience, Role
from edu_platform.people.models import LearnerKind, Purpose
from edu_platform.people.rules import outdated


class Flag(fields.Boolean):
    """`true` or `false`, and no word or number that looks like it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        del attr, data, kwargs
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def _word(kind: type[Any], **options: Any) -> fields.Enum[Any]:
    return fields.Enum(kind, by_value=fields.String, **options)


def _token(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(min=1, max=512), **options)


class ConsentGiven(Shape):
    """A consent: the purpose, and the version of the text that was shown."""

    purpose = _word(Purpose, required=True)
    version = fields.String(required=True, validate=validate.Length(min=1, max=32))

    @ma.validates_schema
    def _current(self, data: dict[str, Any], **_: Any) -> None:
        # Seen here already, so that a login code is not spent on a request that must fail.
        reason = outdated(data["purpose"], data["version"])
        if reason is not None:
            raise ma.ValidationError(reason, "version")


class SignIn(Shape):
    """A login code of `wx.login`, and what the learner declares."""

    code = fields.String(
        required=True,
        validate=[validate.Length(min=1, max=128), validate.Regexp(r"[\x21-\x7e]+\Z")],
        metadata={"description": "wx.login 取得的 code，五分钟内有效，只能用一次"},
    )
    age_band = _word(AgeBand, required=True)
    audience = _word(DeclaredAudience, load_default=None)
    channel = _word(Channel, load_default=Channel.MINI_PROGRAM)
    guardian_consent = Flag(
        load_default=False, metadata={"description": "未满14岁时，监护人是否已同意保存个人记录"}
    )
    consents = fields.List(
        fields.Nested(ConsentGiven), load_default=list, validate=validate.Length(max=len(Purpose))
    )
    visitor_token = _token(
        load_default=None, metadata={"description": "此前的访客令牌；访客的学习记录将并入本人"}
    )


class AnonymousSession(Shape):
    """A visitor of any channel; nothing personal is asked."""

    channel = _word(Channel, required=True)
    age_band = _word(AgeBand, load_default=None)
    audience = _word(DeclaredAudience, load_default=None)


class LearnerView(Shape):
    """A learner, as they themselves see it."""

    id = Id(required=True)
    kind = _word(LearnerKind, required=True)
    age_band = _word(AgeBand, required=True, allow_none=True)
    audience = _word(DeclaredAudience, required=True)
    elder_mode = fields.Boolean(required=True)


class SessionView(Shape):
    """A session: the bearer token and whose it is."""

    token = fields.String(required=True)
    expires_at = When(required=True)
    learner = fields.Nested(LearnerView, required=True)


class MeView(LearnerView):
    """A learner's own page of facts."""

    channel = _word(Channel, required=True)
    pseudonym = fields.String(required=True, metadata={"description": "排行榜上显示的系统昵称"})
    guardian_consent = fields.Boolean(required=True)
    created_at = When(required=True)


class MeChange(Shape):
    """What a learner may change; what is left out stays."""

    age_band = _word(AgeBand)
    audience = _word(DeclaredAudience)
    elder_mode = Flag()
    guardian_consent = Flag()


class PurposeView(Shape):
    """A purpose that a learner may consent to, with the text to show."""

    purpose = _word(Purpose, required=True)
    version = fields.String(required=True)
    title = fields.String(required=True)
    text = fields.String(required=True)


class PurposeList(Shape):
    """Every purpose."""

    items = fields.List(fields.Nested(PurposeView), required=True)


class ConsentView(PurposeView):
    """A purpose, and whether the learner consents to its present text."""

    granted = fields.Boolean(required=True)
    granted_version = fields.String(required=True, allow_none=True)
    granted_at = When(required=True, allow_none=True)


class ConsentList(Shape):
    """Every purpose, with the learner's word on it."""

    items = fields.List(fields.Nested(ConsentView), required=True)


class StaffSignIn(Shape):
    """E-mail and password."""

    email = fields.String(required=True, validate=validate.Length(min=3, max=254))
    password = fields.String(required=True, validate=validate.Length(min=1, max=256))


class StaffView(Shape):
    """A member of staff."""

    id = Id(required=True)
    email = fields.String(required=True)
    display_name = fields.String(required=True)
    roles = fields.List(_word(Role), required=True)
    active = fields.Boolean(required=True)
    must_change_password = fields.Boolean(
        required=True, metadata={"description": "仍是一次性密码：先改密码，其他功能才可用"}
    )


class StaffSessionView(Shape):
    """A staff session."""

    token = fields.String(required=True)
    expires_at = When(required=True)
    staff = fields.Nested(StaffView, required=True)


class AccountView(StaffView):
    """An account, as an administrator sees it; the one-time password is shown in the answer that made it, never again."""

    can_sign_in = fields.Boolean(required=True)
    locked_until = When(required=True, allow_none=True)
    last_signed_in_at = When(required=True, allow_none=True)
    created_at = When(required=True)
    one_time_password = fields.String()


class AccountPage(Shape):
    """Accounts, in the order of their making."""

    items = fields.List(fields.Nested(AccountView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def _roles(**options: Any) -> fields.List[Any]:
    return fields.List(_word(Role), validate=validate.Length(max=len(Role)), **options)


class NewAccount(Shape):
    """An account to make."""

    email = fields.Email(required=True, validate=validate.Length(max=254))
    display_name = PlainText(most=64, least=1, required=True)
    roles = _roles(required=True)


class AccountChange(Shape):
    """What an administrator changes; what is left out stays."""

    display_name = PlainText(most=64, least=1)
    roles = _roles()
    active = Flag()
    reset_password = Flag(load_default=False)


class PasswordChange(Shape):
    """One's own new password."""

    current_password = fields.String(required=True, validate=validate.Length(min=1, max=256))
    new_password = fields.String(required=True, validate=validate.Length(min=1, max=256))
