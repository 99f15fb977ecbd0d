"""Verbs about people: coming in, consenting, leaving, rotating keys, managing staff.

Use it as `operations.sign_in(…)`: the families below are one vocabulary.
"""

from edu_platform.people.operations.consents import grant, has_consent
from edu_platform.people.operations.learners import (
    change_preferences,
    merge_visitor,
    open_anonymous,
    sign_in,
    sign_out,
)
from edu_platform.people.operations.leaving import (
    complete_erasure,
    erase_learner,
    export_learner,
    outstanding_erasures,
    replay_erasures,
    withdraw,
)
from edu_platform.people.operations.rotation import rotate
from edu_platform.people.operations.secrecy import (
    identity_of,
    move_keys_out,
    open_text,
    open_texts,
    seal_text,
    seal_texts,
)
from edu_platform.people.operations.staff import (
    ADMIN_EMAIL,
    change_account,
    change_password,
    create_staff,
    end_staff_session,
    ensure_admin,
    import_account,
    open_staff_session,
    staff_sign_in,
)

__all__ = [
    "ADMIN_EMAIL",
    "change_account",
    "change_password",
    "change_preferences",
    "complete_erasure",
    "create_staff",
    "end_staff_session",
    "ensure_admin",
    "erase_learner",
    "export_learner",
    "grant",
    "has_consent",
    "identity_of",
    "import_account",
    "merge_visitor",
    "move_keys_out",
    "open_anonymous",
    "open_staff_session",
    "open_text",
    "open_texts",
    "outstanding_erasures",
    "replay_erasures",
    "rotate",
    "seal_text",
    "seal_texts",
    "sign_in",
    "sign_out",
    "staff_sign_in",
    "withdraw",
]
