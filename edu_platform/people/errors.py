"""What people are told when they cannot come in."""

from __future__ import annotations

from edu_platform.core.errors import Conflict, DomainError, NotAllowed, TooMany, Unauthenticated


class TokenRefused(Unauthenticated):
    """The bearer token is not (or no longer) good: `code` says whether invalid, expired or revoked."""

    code = "token_invalid"


class CodeRefused(Unauthenticated):
    """WeChat does not take the login code: `code` says whether expired, used, blocked or spent by a time-out."""

    code = "code_refused"


class WrongKind(NotAllowed):
    """A learner's token where staff are needed, or the other way round."""

    code = "wrong_account_kind"


class SignInNeeded(NotAllowed):
    """A visitor where a signed-in learner is needed."""

    code = "sign_in_needed"


class RoleNeeded(NotAllowed):
    """A member of staff without the role."""

    code = "role_needed"


class PasswordChangeNeeded(NotAllowed):
    """Signed in with a one-time password, which is good for choosing one's own and for nothing else."""

    code = "password_change_needed"


class BadCredentials(Unauthenticated):
    """The e-mail or the password is wrong; it is not said which."""

    code = "bad_credentials"


class LockedOut(TooMany):
    """Too many wrong passwords; waiting helps."""

    code = "locked_out"


class LastAdmin(Conflict):
    """Somebody must remain who can manage accounts."""

    code = "last_admin"


class EmailTaken(Conflict):
    """The e-mail belongs to another account."""

    code = "email_taken"


class Misconfigured(DomainError):
    """The platform's own WeChat account is wrong; only the operator can help."""

    status = 500
    code = "wechat_misconfigured"
