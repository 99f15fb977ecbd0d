"""`content/campaigns.yaml`: the campaigns that a branch plans as files.

A list of campaigns with the fields of the staff API (`code`, `name`, `theme`, `series`, `starts_on`,
`ends_on` …), their `pieces` by slug, `channel_codes`, and `state: open | draft`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, validate
from sqlalchemy.orm import Session

from edu_platform.campaigns import queries
from edu_platform.campaigns.models import Campaign, CampaignState, ChannelCode
from edu_platform.campaigns.operations import running
from edu_platform.campaigns.rules import CODE
from edu_platform.campaigns.schemas import CampaignIn, ChannelCodeIn, plan_of
from edu_platform.core.errors import FieldError
from edu_platform.core.web import field_errors
from edu_platform.library.content.sections import Counts, Gathered, Importer, note_errors
from edu_platform.library.source import Document, Problems, SourceFile, read_document
from edu_platform.people.models import Staff


class _CodeEntry(ChannelCodeIn):
    """A channel code in a file: named, so that a second import finds it again."""

    code = fields.String(
        required=True, validate=validate.Regexp(CODE.pattern + r"\Z", error="须为 4 到 12 个字母或数字。")
    )


class _Entry(CampaignIn):
    """A campaign in a file."""

    state = fields.String(load_default="open", validate=validate.OneOf(["open", "draft"]))
    channel_codes = fields.List(fields.Nested(_CodeEntry), load_default=())


@dataclass(frozen=True)
class CampaignSource:
    """A campaign as the file has it."""

    data: Mapping[str, Any]
    document: Document
    path: str

    @property
    def code(self) -> str:
        """Return the campaign's code."""
        code: str = self.data["code"]
        return code


class CampaignsSection:
    """`content/campaigns.yaml`."""

    name = "campaigns"
    label = "活动"
    folder = "campaigns.yaml"
    order = 50

    def read(self, files: Sequence[SourceFile], problems: Problems) -> list[CampaignSource]:
        """Read the list of campaigns."""
        found: list[CampaignSource] = []
        for source in files:
            document = read_document(source, problems)
            if document is None:
                continue
            if not isinstance(document.value, list):
                document.note(problems, "", "应为活动的列表")
                continue
            for number, item in enumerate(document.value):
                path = f"[{number}]"
                try:
                    data: Any = _Entry().load(item)
                except ValidationError as wrong:
                    note_errors(document, field_errors(wrong.messages), problems, path)
                    continue
                note_errors(document, running.plan_errors(plan_of(data, branch="-")), problems, path)
                found.append(CampaignSource(data, document, path))
        return found

    def check(self, gathered: Gathered, problems: Problems) -> None:
        """Note codes that stand twice, pieces that no file has, and channels that are not the campaign's."""
        campaigns: dict[str, str] = {}
        codes: dict[str, str] = {}
        for source in gathered.parsed.get(self.name, []):
            errors: list[FieldError] = []
            if source.code in campaigns:
                errors.append(FieldError("code", f"活动代码与 {campaigns[source.code]} 重复"))
            campaigns.setdefault(source.code, source.path)
            for number, slug in enumerate(source.data["pieces"]):
                if slug not in gathered.slugs:
                    errors.append(FieldError(f"pieces[{number}]", f"没有“{slug}”这个作品"))
                elif slug in source.data["pieces"][:number]:
                    errors.append(FieldError(f"pieces[{number}]", f"“{slug}”重复"))
            for number, entry in enumerate(source.data["channel_codes"]):
                where = f"channel_codes[{number}]"
                if entry["code"] in codes:
                    errors.append(FieldError(f"{where}.code", f"渠道码与 {codes[entry['code']]} 重复"))
                codes.setdefault(entry["code"], f"{source.path}.{where}")
                if entry["channel"] not in source.data["channels"]:
                    errors.append(FieldError(f"{where}.channel", "活动不包含这个渠道"))
                landing = entry["landing_piece"]
                if landing is not None and landing not in gathered.slugs:
                    errors.append(FieldError(f"{where}.landing_piece", f"没有“{landing}”这个作品"))
            note_errors(source.document, errors, problems, source.path)

    def import_(self, session: Session, parsed: Sequence[CampaignSource], importer: Importer) -> Counts:
        """Make or change what differs; what staff have changed since, and what they closed, is left alone."""
        by = session.get_one(Staff, importer.account).actor
        counts = Counts()
        for source in parsed:
            counts.add(_bring(session, source.data, branch=importer.settings.issuer, by=by), source.code)
        return counts


def _bring(session: Session, data: Mapping[str, Any], *, branch: str, by: str) -> str:
    plan = plan_of(dict(data), branch=branch)
    wanted = _digest(plan.values(), list(data["pieces"]))
    campaign = session.scalar(queries.campaign(data["code"]))
    how = "changed"
    if campaign is None:
        campaign = running.create_campaign(
            session, code=data["code"], plan=plan, pieces=data["pieces"], by=by
        )
        how = "new"
    present = _digest({name: getattr(campaign, name) for name in plan.values()}, campaign.pieces)
    if how == "changed":
        by_hand = campaign.imported != present
        if campaign.state is CampaignState.CLOSED or (by_hand and present != wanted):
            return "kept"
        if present == wanted and not _missing(session, campaign, data):
            return "same"
        running.change_campaign(session, campaign, plan, by=by)
        running.set_pieces(session, campaign, data["pieces"], by=by)
    for entry in _missing(session, campaign, data):
        running.add_channel_code(session, campaign, **entry, by=by)
    if how == "new" and data["state"] == "open":
        running.open_campaign(session, campaign, by=by)
    campaign.imported = wanted
    session.flush()
    return how


def _missing(session: Session, campaign: Campaign, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    known = set(session.scalars(queries.channel_codes(campaign.id).with_only_columns(ChannelCode.code)))
    return [entry for entry in data["channel_codes"] if entry["code"] not in known]


def _digest(values: Mapping[str, Any], pieces: Sequence[str]) -> str:
    plain = json.dumps([dict(values), list(pieces)], default=str, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


CAMPAIGNS = CampaignsSection()
