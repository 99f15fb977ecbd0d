"""Wire shapes of files."""

from __future__ import annotations

from marshmallow import fields

from edu_platform.core.schemas import Shape
from edu_platform.media.models import FileKind, FileState


class FileView(Shape):
    """One file, as staff see it."""

    digest = fields.String(required=True)
    kind = fields.Enum(FileKind, by_value=True, required=True)
    state = fields.Enum(FileState, by_value=True, required=True)
    media_type = fields.String(required=True)
    size = fields.Integer(required=True)
    width = fields.Integer(allow_none=True)
    height = fields.Integer(allow_none=True)
    duration_ms = fields.Integer(allow_none=True)
    refusal = fields.String(allow_none=True)
