"""Beacons and reports on the wire.

A batch of beacons is read by msgspec: `BeaconIn` is both what is accepted and, through
`BATCH_DOCUMENT`, what OpenAPI says. As patterns cost msgspec five times as much as all the rest, a batch is
read without them (`BeaconTold`) and they are looked at for all its beacons together. Only a batch in which
something is wrong is looked at piece by piece, to name what.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from marshmallow import fields, validate
from msgspec import Meta

from edu_platform.core.schemas import Shape, Slug, When
from edu_platform.core.vocabulary import ACTIONS, Action, Channel, DeclaredAudience
from edu_platform.reach.rules.choices import By, ScopeChoice, Source, Suspects
from edu_platform.reach.rules.intake import MOST_IN_A_BATCH

_ID, _SLUG, _CODE = "[A-Za-z0-9_-]{1,64}", "[a-z0-9]+(-[a-z0-9]+)*", "[0-9A-Za-z]{4,12}"
_LONGEST = 64
BeaconId = Annotated[str, Meta(pattern=rf"^{_ID}\Z", min_length=1, max_length=_LONGEST)]
SlugText = Annotated[str, Meta(pattern=rf"^{_SLUG}\Z", min_length=1, max_length=_LONGEST)]
CodeText = Annotated[str, Meta(pattern=rf"^{_CODE}\Z")]
Moment = Annotated[datetime, Meta(tz=True)]
Duration = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class BeaconTold(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One thing that happened, as the client tells it; whether its texts are what they should be is open."""

    id: str
    action: Action
    occurred_at: Moment
    piece: str | None = None
    campaign: str | None = None
    channel_code: str | None = None
    channel: Channel | None = None
    dwell_ms: Duration | None = None


class BeaconIn(BeaconTold, forbid_unknown_fields=True, gc=False):
    """One thing that happened, as the client tells it."""

    id: BeaconId
    piece: SlugText | None = None
    campaign: SlugText | None = None
    channel_code: CodeText | None = None


_Beacons = Meta(min_length=1, max_length=MOST_IN_A_BATCH)


class BatchIn(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Beacons sent together, with the client's clock at that moment."""

    sent_at: Moment
    beacons: Annotated[list[BeaconIn], _Beacons]


class BatchTold(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The same, before its texts are looked at."""

    sent_at: Moment
    beacons: Annotated[list[BeaconTold], _Beacons]


_DECODER = msgspec.json.Decoder(BatchTold)
_IDS = re.compile(rf"({_ID}\n)+")
_SLUG_ALONE = re.compile(_SLUG)
_CODE_ALONE = re.compile(_CODE)
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""How msgspec refuses."""


def decode(raw: bytes) -> BatchTold | None:
    """Return the batch that these bytes are, None when anything about them is wrong; what, is for others to say."""
    try:
        batch = _DECODER.decode(raw)
    except UNREADABLE:
        return None
    told = batch.beacons
    ids = "".join([f"{one.id}\n" for one in told])
    if ids.count("\n") != len(told) or not _IDS.fullmatch(ids):
        return None
    slugs = {one.piece for one in told} | {one.campaign for one in told}
    codes = {one.channel_code for one in told}
    if not all(map(_is_slug, slugs)) or not all(map(_is_code, codes)):
        return None
    # No text that was accepted holds a quote, so every quote is one around a key or a text: no key stood there twice.
    return batch if raw.count(b'"') == 6 + sum(map(_quotes, told)) else None


def _is_slug(text: str | None) -> bool:
    return text is None or (len(text) <= _LONGEST and _SLUG_ALONE.fullmatch(text) is not None)


def _is_code(text: str | None) -> bool:
    return text is None or _CODE_ALONE.fullmatch(text) is not None


def _quotes(told: BeaconTold) -> int:
    """Return how many quotes it takes to tell that: two around each key and each text."""
    return (
        12
        + 4 * (told.piece is not None)
        + 4 * (told.campaign is not None)
        + 4 * (told.channel_code is not None)
        + 4 * (told.channel is not None)
        + 2 * (told.dwell_ms is not None)
    )


BEACON_FIELDS = frozenset(BeaconIn.__struct_fields__)


def _batch_document() -> dict[str, Any]:
    """Return the JSON Schema of a batch, made from the structs, with nothing left to refer to."""
    (_, beacon, batch), components = _components()

    def inline(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return inline(components[node["$ref"].rsplit("/", 1)[-1]])
            if "anyOf" in node:
                # what may be left out is None inside; null on the wire is refused
                return inline(next(kind for kind in node["anyOf"] if kind != {"type": "null"}))
            return {key: inline(value) for key, value in node.items()}
        if isinstance(node, list):
            return [inline(item) for item in node]
        if isinstance(node, str):
            return node.replace(r"\Z", "$")
        return node

    del beacon
    document: dict[str, Any] = inline(batch)
    items = document["properties"]["beacons"]["items"]
    items["properties"]["action"]["enum"] = [word.value for word, rule in ACTIONS.items() if rule.by_beacon]
    return document


def _components() -> tuple[tuple[Any, ...], dict[str, Any]]:
    schemas, components = msgspec.json.schema_components(
        [Action, BeaconIn, BatchIn], ref_template="#/components/schemas/{name}"
    )
    return tuple(schemas), components


BATCH_DOCUMENT = _batch_document()


class Refused(Shape):
    """A beacon that does not count, and why; the others of its batch do."""

    index = fields.Integer(required=True, metadata={"description": "在 beacons 中的位置，从 0 开始"})
    id = fields.String(required=True, allow_none=True, metadata={"description": "能辨认时为其编号"})
    field = fields.String(required=True)
    code = fields.String(required=True)
    reason = fields.String(required=True)


class BatchOut(Shape):
    """What became of a batch: `accepted` + `duplicate` + the refused ones are all of it."""

    accepted = fields.Integer(required=True)
    duplicate = fields.Integer(required=True)
    refused = fields.List(fields.Nested(Refused), required=True)


def _by_field() -> fields.Field[By]:
    return fields.Enum(By, by_value=True, load_default=By.DAY)


class ReportIn(Shape):
    """Which figures are wanted. Days are of the branch's calendar, both included; absent ones are the campaign's."""

    first = fields.Date(data_key="from", load_default=None)
    last = fields.Date(data_key="to", load_default=None)
    by = _by_field()
    scope = fields.Enum(ScopeChoice, by_value=True, load_default=ScopeChoice.ALL)
    suspects = fields.Enum(Suspects, by_value=True, load_default=Suspects.EXCLUDE)
    audience = fields.Enum(DeclaredAudience, by_value=True, load_default=None)
    channel = fields.Enum(Channel, by_value=True, load_default=None)
    piece = Slug(load_default=None)
    action = fields.Enum(Action, by_value=True, load_default=None)


class WholeReportIn(ReportIn):
    """Which figures over all campaigns and everyday education are wanted, or over everyday education alone."""

    campaign = fields.String(load_default="all", validate=validate.OneOf(["all", "everyday"]))


class NumbersOut(Shape):
    """The four figures, never mixed."""

    person_times = fields.Integer(required=True, metadata={"description": "触及人次"})
    persons = fields.Integer(required=True, metadata={"description": "触及人数（去重）"})
    participations = fields.Integer(required=True, metadata={"description": "参与人次"})
    participants = fields.Integer(required=True, metadata={"description": "参与人数（去重）"})


class RowOut(NumbersOut):
    """The figures of one day, audience, channel, piece or action."""

    key = fields.String(required=True)
    label = fields.String(required=True)


class ReportOut(Shape):
    """Figures, what they mean, and as of when. Person-times of the rows add up to the total; persons do not."""

    campaign = fields.String(required=True)
    name = fields.String(required=True)
    first = fields.Date(data_key="from", required=True)
    last = fields.Date(data_key="to", required=True)
    by = fields.Enum(By, by_value=True, required=True)
    scope = fields.Enum(ScopeChoice, by_value=True, required=True)
    suspects = fields.Enum(Suspects, by_value=True, required=True)
    filters = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    totals = fields.Nested(NumbersOut, required=True)
    rows = fields.List(fields.Nested(RowOut), required=True)
    suspects_left_out = fields.Nested(NumbersOut, required=True)
    source = fields.Enum(Source, by_value=True, required=True)
    cut_off = When(required=True)
    definitions = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
