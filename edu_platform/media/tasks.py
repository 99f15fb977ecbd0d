"""Jobs of `media`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import structlog
from flask import current_app

from edu_platform.core.db import reading, writing
from edu_platform.core.errors import Invalid
from edu_platform.core.jobs import every, job
from edu_platform.media import inspection
from edu_platform.media.models import FileKind, FileState, MediaFile
from edu_platform.media.operations import keep, mend_public
from edu_platform.media.signals import FileFinished, file_finished
from edu_platform.media.storage import store_of
from edu_platform.media.uploads import fetch


@job("media.convert_film", is_heavy=True)
def convert_film(file_id: int) -> None:
    """Bring an uploaded film to H.264 and AAC; a film that cannot be is marked refused, with the reason."""
    store = store_of(current_app.config["EDU"])
    file = reading().get_one(MediaFile, file_id)
    if file.state is not FileState.PROCESSING:
        return
    with tempfile.TemporaryDirectory(prefix="edu-film-") as folder:
        source, target = Path(folder) / "source", Path(folder) / "target.mp4"
        fetch(store, file, source)
        reading().rollback()  # converting takes minutes; nothing may wait for this transaction
        try:
            facts = inspection.convert_film(source, target)
        except Invalid as refused:
            with writing() as session:
                file = session.get_one(MediaFile, file_id)
                file.state, file.refusal = FileState.REFUSED, refused.errors[0].reason
                file_finished.send(session, FileFinished(file.id, file.digest))
            return
        with writing() as session, target.open("rb") as film:
            finished = keep(
                session,
                store,
                film,
                kind=FileKind.FILM,
                media_type="video/mp4",
                width=facts.width,
                height=facts.height,
                duration_ms=facts.duration_ms,
            )
            file = session.get_one(MediaFile, file_id)
            file.state = FileState.READY
            if finished.id != file.id:
                file.successor_id = finished.id
            file_finished.send(session, FileFinished(file.id, file.digest))


@every(300, "media.mend_public")
def mend_the_public_folder() -> None:
    """Bring the public folder back to what the table says, after a crash between the two."""
    store = store_of(current_app.config["EDU"])
    with writing() as session:
        mended = mend_public(session, store, at=time.time())
    if mended:
        structlog.get_logger("media").warning("public_files_mended", files=len(mended))
