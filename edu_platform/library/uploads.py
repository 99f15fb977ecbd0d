"""Files that editors uploaded and that a body names by digest: `{"file": "<sha-256, hex>"}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from edu_platform.core.errors import FieldError
from edu_platform.library.models import Revision, RevisionState
from edu_platform.library.operations import refresh
from edu_platform.media.models import FileKind, FileState, MediaFile
from edu_platform.media.operations import find_file
from edu_platform.media.signals import FileFinished

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAMES = {FileKind.PICTURE: "图片", FileKind.FILM: "影片"}


def file_errors(session: Session, body: Mapping[str, Any], kind: FileKind) -> list[FieldError]:
    """Return what is wrong with the file that a body names; one that is still being inspected is not wrong."""
    digest = body.get("file")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        return [FieldError("file", "应为上传后得到的文件编号（64 位十六进制）", "not_a_digest")]
    file = session.scalar(select(MediaFile).where(MediaFile.digest == digest))
    if file is None:
        return [FieldError("file", "没有这个文件，请先上传", "unknown_file")]
    if file.kind is not kind:
        return [FieldError("file", f"须为{_NAMES[kind]}", "wrong_kind")]
    if file.state is FileState.REFUSED:
        return [FieldError("file", f"文件不能使用：{file.refusal or '未通过检查'}", "refused_file")]
    return []


def ready_file(session: Session, body: Mapping[str, Any]) -> MediaFile | None:
    """Return the finished file, or None while it is being inspected or when it was refused."""
    file = find_file(session, str(body["file"]))
    return file if file is not None and file.state is FileState.READY else None


def follow_upload(session: Session, news: FileFinished) -> None:
    """Render again what waits for an upload; connected to `media.signals.file_finished` by `factory`."""
    waiting = session.scalars(
        select(Revision).where(Revision.state.in_([RevisionState.PUBLISHED, RevisionState.SCHEDULED]))
    )
    for piece_id in {r.piece_id for r in waiting if r.body.get("file") == news.digest}:
        refresh(session, piece_id)
