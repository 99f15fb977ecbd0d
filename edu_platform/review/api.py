"""Routes of reviewers."""

from __future__ import annotations

from typing import Any

from edu_platform.core.db import reading, writing
from edu_platform.core.errors import NotFound
from edu_platform.core.paging import Page, decode_cursor, encode_cursor
from edu_platform.core.schemas import LARGEST_ID
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import blueprint
from edu_platform.people import guards
from edu_platform.review import operations, queries
from edu_platform.review.models import ReviewCase
from edu_platform.review.schemas import Approval, CaseFilter, CaseList, CaseView, Return

cases = blueprint("review-cases", prefix="/staff/review-cases", description="消保审查")
blueprints = [cases]


@cases.get("")
@guards.staff(Role.REVIEWER, Role.EDITOR)
@cases.arguments(CaseFilter, location="query")
@cases.response(200, CaseList)
def list_cases(wanted: dict[str, Any]) -> Page[ReviewCase]:
    """List review cases, newest first."""
    before = decode_cursor(wanted["cursor"], int)[0] if wanted["cursor"] else None
    limit = wanted["limit"]
    found = reading().scalars(queries.cases(state=wanted["state"], before=before).limit(limit + 1)).all()
    cursor = encode_cursor(found[limit - 1].id) if len(found) > limit else None
    return Page(found[:limit], cursor)


@cases.get("/<int:case_id>")
@guards.staff(Role.REVIEWER, Role.EDITOR)
@cases.response(200, CaseView)
def get_case(case_id: int) -> ReviewCase:
    """Return one review case."""
    found = reading().get(ReviewCase, _small(case_id))
    if found is None:
        raise NotFound("没有这个审查事项。")
    return found


@cases.post("/<int:case_id>/approve")
@guards.staff(Role.REVIEWER)
@cases.arguments(Approval)
@cases.response(200, CaseView)
def approve_case(approval: dict[str, Any], case_id: int) -> ReviewCase:
    """Approve exactly the digest that was reviewed; never one's own work."""
    with writing() as session:
        case = operations.case_of(session, _small(case_id))
        return operations.approve(
            session,
            case,
            digest=approval["digest"],
            by=guards.current_staff().id,
            comment=approval["comment"],
        )


@cases.post("/<int:case_id>/return")
@guards.staff(Role.REVIEWER)
@cases.arguments(Return)
@cases.response(200, CaseView)
def return_case(wanted: dict[str, Any], case_id: int) -> ReviewCase:
    """Send a case back, saying what must change."""
    with writing() as session:
        case = operations.case_of(session, _small(case_id))
        return operations.return_case(session, case, comment=wanted["comment"], by=guards.current_staff().id)


def _small(number: int) -> int:
    """Refuse a number that no row can have before a database chokes on it."""
    if number > LARGEST_ID:
        raise NotFound("没有这个审查事项。")
    return number
