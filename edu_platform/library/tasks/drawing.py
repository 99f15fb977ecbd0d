"""Drawing covers, illustrations and posters, rendering films: outside any transaction, kept by recipe.

A job draws what is still missing, keeps it, and has the pieces that wait for it rendered again. It may run
twice: what has been made is found by its recipe.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import current_app
from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from edu_platform.config.settings import Settings
from edu_platform.core.db import reading, writing
from edu_platform.core.jobs import job
from edu_platform.core.models import OutboxMessage
from edu_platform.library import films, operations, pictures, posters
from edu_platform.library.kinds import Shown
from edu_platform.library.models import Revision
from edu_platform.library.pictures import Picture
from edu_platform.library.rendering import shown_of
from edu_platform.library.uploads import ready_file
from edu_platform.media.models import FileKind, MediaFile
from edu_platform.media.operations import find_derived, keep_derived, key_of
from edu_platform.media.storage import store_of, whole

if TYPE_CHECKING:
    from edu_platform.media.drawing.films import FilmFacts

KINDS = {
    pictures.DRAW_PICTURE: "picture",
    posters.DRAW_POSTER: "poster",
    posters.DRAW_PAPER: "paper",
    films.RENDER_FILM: "video",
}
ILLUSTRATION_SIDE = 900


def remaining(session: Session) -> dict[str, int]:
    """Return how many drawings still wait or run, by what they are of: picture, poster, paper, video."""
    waiting = session.execute(
        select(OutboxMessage.job, func.count())
        .where(OutboxMessage.job.in_(KINDS), OutboxMessage.done_at.is_(None))
        .group_by(OutboxMessage.job)
    ).all()
    return {KINDS[name]: count for name, count in waiting}


@job(pictures.DRAW_PICTURE)
def draw_picture(illustration: str, ground: str | None, title: str, piece_id: int) -> None:
    """Draw a cover, or an illustration by itself, for a piece."""
    settings = _settings()
    picture = Picture(illustration, ground, title)
    recipe = pictures.picture_recipe(settings, picture)
    known = find_derived(reading(), recipe)
    reading().rollback()
    data = None if known else _drawn(settings, picture)
    with writing() as session:
        if data is not None:
            _keep_picture(session, settings, recipe, data)
        operations.refresh(session, piece_id)


def _drawn(settings: Settings, picture: Picture) -> bytes:
    folder = pictures.illustrations_folder(settings)
    if picture.ground:
        from edu_platform.media.drawing.covers import draw_cover

        cover = {"illustration": picture.illustration, "ground": picture.ground}
        return draw_cover(cover, picture.title, illustrations=folder, programme=settings.programme)
    import skia

    from edu_platform.media.drawing import palette
    from edu_platform.media.drawing.illustrations import load_illustration

    surface = skia.Surface(ILLUSTRATION_SIDE, ILLUSTRATION_SIDE * 2 // 3)
    canvas = surface.getCanvas()
    canvas.clear(palette.GROUNDS["sand"].base)
    side = surface.height() * 0.86
    drawing = load_illustration(folder, picture.illustration)
    drawing.draw(canvas, (surface.width() - side) / 2, (surface.height() - side) / 2, side)
    return bytes(surface.makeImageSnapshot().encodeToData())


@job(posters.DRAW_POSTER)
def draw_poster(revision_id: int) -> None:
    """Draw a poster's missing renditions for a screen; of an uploaded picture, make the preview."""
    settings = _settings()
    shown = _shown(revision_id)
    made = _shrink(shown, settings) if "file" in shown.body else _draw_editions(shown, settings)
    with writing() as session:
        for recipe, data in made.items():
            _keep_picture(session, settings, recipe, data)
        operations.refresh(session, shown.piece_id)


@job(posters.DRAW_PAPER, is_patient=True)
def draw_paper(revision_id: int) -> None:
    """Draw a poster's missing renditions for paper, each kept before the next is drawn: they are large."""
    settings = _settings()
    shown = _shown(revision_id)
    for edition, size in posters.PAPERS:
        recipe = posters.poster_recipe(shown, settings, edition, size)
        known = find_derived(reading(), recipe)
        reading().rollback()  # nothing may wait for this transaction while Skia draws
        if known is None:
            picture = _draw(shown, settings, edition, size)
            with writing() as session:
                _keep_picture(session, settings, recipe, picture)
    with writing() as session:
        operations.refresh(session, shown.piece_id)


def _shrink(shown: Shown, settings: Settings) -> dict[str, bytes]:
    recipe = posters.poster_recipe(shown, settings, "normal", "preview")
    file = ready_file(reading(), shown.body)
    known = find_derived(reading(), recipe)
    reading().rollback()
    if file is None or known is not None:
        return {}
    return {recipe: _preview(whole(store_of(settings), key_of(file)))}


def _draw_editions(shown: Shown, settings: Settings) -> dict[str, bytes]:
    recipes = {
        (edition, size): posters.poster_recipe(shown, settings, edition, size)
        for edition in posters.EDITIONS
        for size in posters.SIZES
    }
    missing = [place for place, recipe in recipes.items() if find_derived(reading(), recipe) is None]
    reading().rollback()  # nothing may wait for this transaction while Skia draws
    made: dict[str, bytes] = {}
    for edition in dict.fromkeys(edition for edition, _ in missing):
        picture = _draw(shown, settings, edition, "phone")
        made[recipes[edition, "phone"]] = picture
        made[recipes[edition, "preview"]] = _preview(picture)
    return made


def _draw(shown: Shown, settings: Settings, edition: str, size: str) -> bytes:
    from edu_platform.media.drawing.posters import PosterSize
    from edu_platform.media.drawing.posters import draw_poster as draw

    copy, house = posters.poster_copy(shown, settings)
    return draw(
        copy,
        size=PosterSize(size),
        elder=edition == "elder",
        house=house,
        illustrations=pictures.illustrations_folder(settings),
    )


def _preview(picture: bytes) -> bytes:
    """Return a picture at the width of a card."""
    with Image.open(io.BytesIO(picture)) as opened:
        full = opened.convert("RGB")
    height = max(1, round(full.height * posters.PREVIEW_WIDTH / full.width))
    small = full.resize((posters.PREVIEW_WIDTH, height), Image.Resampling.LANCZOS)
    target = io.BytesIO()
    small.save(target, "JPEG", quality=86, optimize=True)
    return target.getvalue()


@job(films.RENDER_FILM, is_heavy=True)
def render_film(revision_id: int) -> None:
    """Render the missing parts of a film: the film itself, its still, its captions as WebVTT."""
    settings = _settings()
    shown = _shown(revision_id)
    kind = films.VideoKind(settings)
    recipes = {part: films.film_recipe(shown, settings, part) for part in films.PARTS}
    missing = {part for part, recipe in recipes.items() if find_derived(reading(), recipe) is None}
    upload = ready_file(reading(), shown.body) if "file" in shown.body else None
    if "file" in shown.body:
        missing.discard("film")
        if upload is None:
            missing.clear()
    reading().rollback()  # rendering takes minutes; nothing may wait for this transaction
    with tempfile.TemporaryDirectory(prefix="edu-film-") as folder:
        target = Path(folder) / "film.mp4"
        facts: FilmFacts | None = None
        still: bytes | None = None
        if upload is not None:
            if "still" in missing:
                _fetch(settings, upload, target)
                still = _first_frame(target)
        else:
            if "film" in missing:
                facts = _render(shown, settings, target)
            if "still" in missing:
                still = _still(shown, settings)
        with writing() as session:
            if still is not None:
                _keep_picture(session, settings, recipes["still"], still)
            if facts is not None:
                with target.open("rb") as film:
                    keep_derived(
                        session,
                        store_of(settings),
                        recipes["film"],
                        film,
                        kind=FileKind.FILM,
                        media_type="video/mp4",
                        width=facts.width,
                        height=facts.height,
                        duration_ms=facts.duration_ms,
                    )
            if "captions" in missing:
                keep_derived(
                    session,
                    store_of(settings),
                    recipes["captions"],
                    films.webvtt(kind.captions(shown)).encode(),
                    kind=FileKind.DOCUMENT,
                    media_type="text/vtt",
                )
            operations.refresh(session, shown.piece_id)


def _render(shown: Shown, settings: Settings, target: Path) -> FilmFacts:
    from edu_platform.media.drawing.films import render_film as render

    script, house = films.film_of(shown.body, settings)
    return render(script, target, house=house, illustrations=pictures.illustrations_folder(settings))


def _still(shown: Shown, settings: Settings) -> bytes:
    from edu_platform.media.drawing.films import film_still

    script, house = films.film_of(shown.body, settings)
    return film_still(script, house=house, illustrations=pictures.illustrations_folder(settings))


def _fetch(settings: Settings, file: MediaFile, target: Path) -> None:
    with target.open("wb") as copy:
        for piece in store_of(settings).read(key_of(file), 0, file.size):
            copy.write(piece)


def _first_frame(path: Path) -> bytes:
    """Return a frame a second into a film (or its last one before that) as JPEG."""
    import av

    chosen = None
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            chosen = frame
            if frame.time is not None and frame.time >= 1:
                break
    if chosen is None:
        raise ValueError("the film has no picture")
    target = io.BytesIO()
    picture: Image.Image = chosen.to_image()  # type: ignore[no-untyped-call]  # av types it by halves
    picture.convert("RGB").save(target, "JPEG", quality=88)
    return target.getvalue()


def _keep_picture(session: Session, settings: Settings, recipe: str, data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as opened:
        width, height = opened.size
        media_type = str(Image.MIME[str(opened.format)])
    keep_derived(
        session,
        store_of(settings),
        recipe,
        data,
        kind=FileKind.PICTURE,
        media_type=media_type,
        width=width,
        height=height,
    )


def _shown(revision_id: int) -> Shown:
    revision = reading().get_one(Revision, revision_id)
    return shown_of(revision.piece, revision)


def _settings() -> Settings:
    settings: Any = current_app.config["EDU"]
    assert isinstance(settings, Settings)
    return settings
