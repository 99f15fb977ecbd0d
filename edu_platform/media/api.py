"""Files: the public's, and what staff upload."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, current_app, request
from flask_smorest.fields import Upload
from sqlalchemy import select

from edu_platform.config.settings import Settings
from edu_platform.core.db import reading, writing
from edu_platform.core.errors import FieldError, Invalid, NotFound
from edu_platform.core.health import check
from edu_platform.core.limits import limiter
from edu_platform.core.schemas import Shape, hostile_character
from edu_platform.core.vocabulary import Role
from edu_platform.core.web import blueprint
from edu_platform.media import uploads
from edu_platform.media.delivery import deliver
from edu_platform.media.inspection import HEAD, container_of, is_picture
from edu_platform.media.models import FileKind, MediaFile
from edu_platform.media.operations import is_public, key_of
from edu_platform.media.schemas import FileView
from edu_platform.media.storage import NoSuchFile, store_of
from edu_platform.people import guards

files = Blueprint("files", __name__)
staff = blueprint("media", prefix="/staff/media", description="上传图片与视频")
blueprints = [files, staff]


def _settings() -> Settings:
    found: Settings = current_app.config["EDU"]
    return found


@files.get("/media/<name>")
@limiter.exempt
@guards.public
def fetch_file(name: str) -> Response:
    """Return a published file, whole or by range."""
    digest, _, _ = name.partition(".")
    file = is_public(reading(), digest) if len(digest) == 64 and digest.isalnum() else None
    reading().rollback()
    if file is None or key_of(file) != name:
        raise NotFound("没有这个文件，或它已下架。")
    try:
        return deliver(file, store_of(_settings()))
    except NoSuchFile as gone:
        raise NotFound("没有这个文件，或它已下架。") from gone


class FilmOrPicture(Shape):
    """An upload: one file."""

    file = Upload(required=True, metadata={"description": "JPEG、PNG、WebP 图片，或 MP4、MOV、WebM 等视频"})


@files.before_app_request
def allow_large_uploads() -> None:
    """Let this one address take more than the house's largest body."""
    if request.path == "/api/v1/staff/media" and request.method == "POST":
        request.max_content_length = _settings().max_upload_bytes


@staff.post("")
@guards.staff(Role.EDITOR, Role.CAMPAIGN_MANAGER)
@staff.arguments(FilmOrPicture, location="files")
@staff.response(201, FileView)
def upload_file(arguments: dict[str, Any]) -> MediaFile:
    """Upload a picture (decoded and written anew at once) or a film (converted by the worker)."""
    source, name = arguments["file"].stream, shown_name(arguments["file"].filename or "")
    head = source.read(HEAD)
    source.seek(0)
    if not head:
        raise Invalid([FieldError("file", f"{name}是空的。", "empty_file")])
    kind = FileKind.PICTURE if is_picture(head) else FileKind.FILM
    if kind is FileKind.FILM and container_of(head) is None:
        raise Invalid(
            [
                FieldError(
                    "file",
                    f"{name}既不是 JPEG、PNG、WebP、GIF 图片，也不是 MP4、MOV、WebM、MKV、AVI、FLV、TS 视频"
                    "（以文件内容为准，与文件名无关）。",
                    "unknown_type",
                )
            ]
        )
    store = store_of(_settings())
    with uploads.received(store, source, kind, name) as upload, writing() as session:
        return uploads.keep_received(session, store, upload)


def shown_name(given: str) -> str:
    """Return a file's name as it can be quoted to people: its last part, without hidden characters, not endless."""
    last = re.split(r"[/\\]", given)[-1]
    plain = "".join(character for character in last if not hostile_character(character))
    return f"“{plain[:40]}…”" if len(plain) > 40 else f"“{plain}”" if plain.strip() else "文件"


@staff.get("/<digest>")
@guards.staff(Role.EDITOR, Role.REVIEWER, Role.CAMPAIGN_MANAGER)
@staff.response(200, FileView)
def show_file(digest: str) -> MediaFile:
    """Return how far an upload has come."""
    return _file(digest)


@staff.get("/<digest>/content")
@guards.staff(Role.EDITOR, Role.REVIEWER, Role.CAMPAIGN_MANAGER)
@staff.response(200, content_type="application/octet-stream")
def show_content(digest: str) -> Response:
    """Return the bytes of a file that is not (yet) public, for review."""
    file = _file(digest)
    if file.successor_id is not None:
        file = reading().get_one(MediaFile, file.successor_id)
    response = deliver(file, store_of(_settings()))
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _file(digest: str) -> MediaFile:
    found = reading().scalar(select(MediaFile).where(MediaFile.digest == digest))
    if found is None or found.kind not in {FileKind.PICTURE, FileKind.FILM}:
        raise NotFound("没有这个文件。")
    return found


@check("storage")
def _storage(session: object) -> None:
    del session
    store_of(_settings()).check()
