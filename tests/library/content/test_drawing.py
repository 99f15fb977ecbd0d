"""What pieces show is drawn by jobs, once, kept by recipe; a piece is listed when all of it is there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select

from edu_platform.config.settings import Settings
from edu_platform.core.clock import now
from edu_platform.core.db import db, writing
from edu_platform.core.models import OutboxMessage
from edu_platform.factory.worker import drain, run_all_due, run_message
from edu_platform.library import kinds, operations, queries
from edu_platform.library.content import run
from edu_platform.library.films import RENDER_FILM, VideoKind, webvtt
from edu_platform.library.models import CatalogueEntry, Revision
from edu_platform.library.pictures import SHIPPED
from edu_platform.library.posters import DRAW_PAPER, PosterKind
from edu_platform.library.tasks import drawing
from edu_platform.media.models import DerivedFile, FileKind, FileState, MediaFile
from edu_platform.media.operations import is_public, keep
from edu_platform.media.storage import Store, store_of
from edu_platform.media.uploads import keep_received, received
from edu_platform.people.operations import import_account
from edu_platform.review import operations as review

FILM = """\
title: 电话响了
summary: 先挂断，再核实。
audiences: [elderly]
rights: [property_safety]
column: risk-alerts
size: 160x90
sound: silent
scenes:
  - ground: green
    seconds: 2
    captions: [是谁？]
    elements:
      - {kind: mark, name: question, at: [640, 300], size: 200}
      - {kind: illustration, name: phone-hang-up, at: [300, 300], size: 200}
ending: {claim: 先挂断, call: "拨打 {hotline}", seconds: 1}
"""
META = {
    "title": "一张海报",
    "summary": "一句话",
    "audiences": ["elderly"],
    "rights": ["education"],
    "column": "risk-alerts",
}


def bring(root: Path, settings: Settings) -> run.Report:
    with writing() as session:
        return run.import_(session, root, settings=settings)


def page(slug: str) -> dict[str, Any]:
    db.session.remove()
    entry = db.session().scalars(queries.visible(now(), slugs=[slug])).one()
    found: dict[str, Any] = json.loads(entry.page)
    return found


def listed() -> list[str]:
    db.session.remove()
    return sorted(entry.slug for entry in db.session().scalars(queries.visible(now())))


def published(kind: str, slug: str, body: Mapping[str, Any]) -> None:
    """Bring a draft of staff through the gate."""
    with writing() as session:
        operations.keep_column(session, slug="risk-alerts", title="风险提示", intro="介绍", position=1)
        revision = operations.draft_piece(session, kind=kind, slug=slug, meta=META, body=body, author=41)
        case = operations.submit(session, revision, by=41)
        review.approve(session, case, digest=revision.digest, by=import_account(session).id)
        operations.publish(session, revision, by=41)


@pytest.fixture
def store(settings: Settings) -> Store:
    return store_of(settings)


def picture(width: int = 800, height: int = 1000) -> io.BytesIO:
    target = io.BytesIO()
    Image.new("RGB", (width, height), (12, 110, 79)).save(target, "PNG")
    target.seek(0)
    return target


def film(seconds: float = 1.5) -> bytes:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for number in range(int(seconds * 8)):
            pixels = np.full((36, 64, 3), number * 15, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return target.getvalue()


def test_pieces_appear_when_their_drawings_are_there_and_nothing_is_drawn_twice(
    library: Flask, tree: Path, settings: Settings, store: Store
) -> None:
    bring(tree, settings)
    # an article can be read before its cover is drawn; a poster is its drawing
    assert listed() == ["hang-up-first", "keep-your-code"]
    assert page("hang-up-first")["cover"] is None
    assert run_all_due() == 4
    assert drawing.remaining(db.session()) == {}
    assert listed() == ["hang-up-first", "hang-up-poster", "keep-your-code"]

    cover = page("hang-up-first")["cover"]
    assert (cover["width"], cover["height"], cover["media_type"]) == (1200, 675, "image/png")
    found = page("hang-up-poster")
    assert found["review_no"].startswith("XB-")
    assert found["call"] == "拨打 95519 核实"
    assert [(r["edition"], r["size"], r["width"]) for r in found["renditions"]] == [
        ("normal", "phone", 1080), ("normal", "preview", 360), ("elder", "phone", 1080), ("elder", "preview", 360),
        ("normal", "a3", 3579), ("elder", "a3", 3579),
    ]  # fmt: skip
    for rendition in found["renditions"]:
        key = rendition["url"].removeprefix("/media/")
        with Image.open(io.BytesIO(b"".join(store.read(key, 0, store.size(key))))) as opened:
            assert opened.size == (rendition["width"], rendition["height"])
        assert store.size(key) == rendition["bytes"]
    assert found["renditions"][0]["url"] != found["renditions"][2]["url"]

    files = db.session().scalar(select(func.count()).select_from(DerivedFile))
    poster = operations.piece_of(db.session(), "hang-up-poster").id
    revision_id = db.session().scalars(select(Revision.id).where(Revision.piece_id == poster)).one()
    drawing.draw_poster(revision_id)  # a job may run twice
    drawing.draw_paper(revision_id)
    drawing.draw_picture("phone-hang-up", "amber", "先挂断再核实", 1)
    assert bring(tree, settings).counts["posters"].same == 1
    assert run_all_due() == 0
    assert db.session().scalar(select(func.count()).select_from(DerivedFile)) == files


def public(found: Mapping[str, Any]) -> set[str]:
    """Say which of a poster's renditions anyone may fetch."""
    db.session.remove()
    digests = {r["url"][len("/media/") :][:64]: r["size"] for r in found["renditions"]}
    return {size for digest, size in digests.items() if is_public(db.session(), digest)}


def test_a_poster_is_listed_with_its_phone_sizes_and_paper_follows(
    library: Flask, tree: Path, settings: Settings, client: FlaskClient
) -> None:
    (tree / "videos").mkdir()
    (tree / "videos/who-is-it.yaml").write_text(FILM)
    bring(tree, settings)
    done: list[str] = []

    def step(message_id: int, attempt: int) -> None:
        done.append(db.session().get_one(OutboxMessage, message_id).job)
        run_message(message_id, attempt)

    while drawing.remaining(db.session()) != {"paper": 1}:
        assert drain(step) > 0
    before = page("hang-up-poster")
    assert [r["size"] for r in before["renditions"]] == ["phone", "preview"] * 2
    assert drain(step) == 1
    assert (done[-1], RENDER_FILM in done[:-1]) == (DRAW_PAPER, True), "a film does not wait for paper"
    found = page("hang-up-poster")
    assert found["renditions"][:4] == before["renditions"]
    assert found["updated_at"] == before["updated_at"]
    assert public(found) == {"phone", "preview", "a3"}

    papers = {r["edition"]: r for r in found["renditions"] if r["size"] == "a3"}
    for paper in papers.values():
        assert paper["media_type"] == "image/png"
        assert (paper["width"], paper["height"]) == (3579, 5031)
        assert paper["paper"] == {"width_mm": 297, "height_mm": 420, "bleed_mm": 3, "dpi": 300}
        assert 100_000 < paper["bytes"] < 4_000_000, "a size that can be mailed"
        with client.get(paper["url"]) as answer:
            assert (answer.status_code, len(answer.data)) == (200, paper["bytes"])
            with Image.open(io.BytesIO(answer.data)) as opened:
                assert opened.size == (paper["width"], paper["height"])
                assert opened.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            tail = client.get(paper["url"], headers={"Range": "bytes=-1000"})
            assert (tail.status_code, tail.data) == (206, answer.data[-1000:])
    assert papers["normal"]["url"] != papers["elder"]["url"]

    with writing() as session:
        piece = operations.piece_of(session, "hang-up-poster")
        operations.withdraw(session, piece, by=import_account(session).id, reason="有误")
    assert public(found) == set()
    assert client.get(papers["elder"]["url"]).status_code == 404


def test_one_cover_for_two_pieces_is_drawn_once(library: Flask, tree: Path, settings: Settings) -> None:
    path = tree / "articles/keep-your-code.md"
    path.write_text(path.read_text().replace("title: 六个数字值多少钱", "title: 先挂断再核实"))
    bring(tree, settings)
    run_all_due()
    assert page("keep-your-code")["cover"] == page("hang-up-first")["cover"]


def test_a_changed_illustration_makes_new_revisions_of_what_shows_it(
    library: Flask, tree: Path, settings: Settings
) -> None:
    (tree / "illustrations").mkdir()
    target = tree / "illustrations/phone-hang-up.svg"
    drawing_bytes = (SHIPPED / "phone-hang-up.svg").read_bytes()
    target.write_bytes(drawing_bytes)
    bring(tree, settings)
    run_all_due()
    before = page("hang-up-poster")["renditions"][0]["url"]
    target.write_bytes(drawing_bytes.replace(b"</svg>", b'<rect x="0" y="0" width="90" height="90"/></svg>'))
    report = bring(tree, settings)
    assert report.counts["illustrations"].changed == 1
    assert report.counts["posters"].changed == 1
    run_all_due()
    assert page("hang-up-poster")["renditions"][0]["url"] != before


def test_a_film_is_rendered_from_its_script(
    library: Flask, tree: Path, settings: Settings, store: Store
) -> None:
    (tree / "videos").mkdir()
    (tree / "videos/who-is-it.yaml").write_text(FILM)
    bring(tree, settings)
    assert drawing.remaining(db.session())["video"] == 1
    run_all_due()
    found = page("who-is-it")
    assert found["duration_ms"] == 3000
    assert (found["video"]["width"], found["video"]["height"]) == (160, 90)
    assert found["video"]["media_type"] == "video/mp4"
    assert found["poster_frame"]["media_type"] == "image/jpeg"
    assert found["captions"][0] == {"start_ms": 0, "end_ms": 2000, "text": "是谁？"}
    assert found["captions"][1]["text"] == "拨打 95519"
    assert "是谁？" in found["transcript"]
    key = found["captions_url"].removeprefix("/media/")
    vtt = b"".join(store.read(key, 0, store.size(key))).decode()
    assert vtt == webvtt(found["captions"])
    key = found["video"]["url"].removeprefix("/media/")
    with av.open(io.BytesIO(b"".join(store.read(key, 0, store.size(key))))) as opened:
        assert opened.duration / 1000 == pytest.approx(3000, abs=150)


def test_an_uploaded_picture_is_a_poster_of_one_edition(
    library: Flask, settings: Settings, store: Store
) -> None:
    with received(store, picture(), FileKind.PICTURE) as upload, writing() as session:
        digest = keep_received(session, store, upload).digest
    published("poster", "uploaded", {"file": digest, "alt": "一块绿色"})
    run_all_due()
    found = page("uploaded")
    assert [(r["edition"], r["size"], r["width"], r["height"]) for r in found["renditions"]] == [
        ("normal", "phone", 800, 1000), ("normal", "preview", 360, 450),
    ]  # fmt: skip
    assert digest in found["renditions"][0]["url"]
    assert (found["alt"], found["review_no"] is not None) == ("一块绿色", True)


def test_an_uploaded_film_waits_until_it_is_finished(
    library: Flask, settings: Settings, store: Store
) -> None:
    data = film()
    with writing() as session:
        file = keep(
            session,
            store,
            data,
            kind=FileKind.FILM,
            media_type="video/mp4",
            width=64,
            height=36,
            duration_ms=1500,
        )
        file.state = FileState.PROCESSING
        digest = file.digest
    captions = [
        {"start_ms": 0, "end_ms": 700, "text": "三 < 四 & -->"},
        {"start_ms": 700, "end_ms": 1400, "text": "再见"},
    ]
    published("video", "uploaded", {"file": digest, "transcript": "你好，再见。", "captions": captions})
    run_all_due()
    assert listed() == []
    with writing() as session:
        session.scalars(select(MediaFile).where(MediaFile.digest == digest)).one().state = FileState.READY
        piece = operations.piece_of(session, "uploaded")
        operations.refresh(session, piece.id)
    run_all_due()
    found = page("uploaded")
    assert found["duration_ms"] == 1500
    assert digest in found["video"]["url"]
    assert found["captions"] == captions
    assert (found["poster_frame"]["width"], found["poster_frame"]["height"]) == (64, 36)
    key = found["captions_url"].removeprefix("/media/")
    assert "三 &lt; 四 &amp; --&gt;" in b"".join(store.read(key, 0, store.size(key))).decode()


def test_webvtt_is_as_the_standard_has_it() -> None:
    captions = [
        {"start_ms": 0, "end_ms": 1500, "text": "一"},
        {"start_ms": 3_661_001, "end_ms": 3_662_000, "text": "二"},
    ]
    assert webvtt(captions) == (
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.500\n一\n\n2\n01:01:01.001 --> 01:01:02.000\n二\n"
    )


COPY = {
    "template": "warning",
    "claim": "先挂断",
    "points": ["别信", "别交钱"],
    "call": "拨打 {hotline}",
    "illustration": "phone-hang-up",
    "alt": "一部电话",
}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**COPY, "template": "wanted"}, "template"), ({**COPY, "claim": "先挂断再核实然后告诉家里人"}, "claim"),
        ({**COPY, "illustration": "no-such"}, "illustration"), ({**COPY, "alt": "长" * 301}, "alt"),
        ({**COPY, "colour": "red"}, "colour"), ({**COPY, "points": "别信"}, "points"), ({"file": "x", "alt": "y"}, "file"),
        ({"file": "0" * 64, "alt": "y"}, "file"), ({"file": "0" * 64}, "alt"), ({"file": 5, "alt": 6, "claim": "x"}, "claim"),
    ],
)  # fmt: skip
def test_mistakes_of_a_poster_name_their_field(
    library: Flask, settings: Settings, body: dict[str, Any], field: str
) -> None:
    errors = PosterKind(settings).check(db.session(), body)
    assert field in {error.field for error in errors}
    assert all(error.reason for error in errors)


def test_a_good_copy_has_no_mistake_for_any_right(library: Flask, settings: Settings) -> None:
    kind = PosterKind(settings)
    assert kind.check(db.session(), COPY) == []
    assert kind.check(db.session(), {**COPY, "template": "right"}) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"size": "160x90"}, "scenes"), ({"file": "x"}, "file"), ({"file": "0" * 64, "transcript": 5}, "transcript"),
        ({"file": "0" * 64, "captions": [{"start_ms": 5, "end_ms": 1, "text": "x"}]}, "captions[0]"),
        ({"file": "0" * 64, "captions": [{"start_ms": True, "end_ms": 9, "text": "x"}]}, "captions[0]"),
        (
            {"file": "0" * 64, "captions": [{"start_ms": a, "end_ms": a + 9, "text": "x"} for a in (0, 5)]},
            "captions[1]",
        ),
        ({"file": "0" * 64, "captions": "x"}, "captions"), ({"file": "0" * 64, "scenes": []}, "scenes"),
    ],
)  # fmt: skip
def test_mistakes_of_a_video_name_their_field(
    library: Flask, settings: Settings, body: dict[str, Any], field: str
) -> None:
    assert field in {error.field for error in VideoKind(settings).check(db.session(), body)}


def test_no_body_whatever_makes_a_check_fail(library: Flask, settings: Settings) -> None:
    odd: list[Any] = [None, 5, "x", [], {}, [None], {"x": 1}, True, 1.5, "中" * 5000]
    for name in ("article", "poster", "video"):
        kind = kinds.kind_of(name)
        keys = [
            "markdown",
            "remember",
            "actions",
            "laws",
            *COPY,
            "file",
            "transcript",
            "captions",
            "scenes",
            "ending",
            "size",
        ]
        for key in keys:
            for value in odd:
                base = COPY if name == "poster" and key != "file" else {}
                errors = kind.check(db.session(), {**base, key: value})
                assert all(isinstance(error.field, str) for error in errors)


def test_entries_name_their_files(library: Flask, tree: Path, settings: Settings) -> None:
    bring(tree, settings)
    run_all_due()
    named = {entry.slug: len(entry.files) for entry in db.session().scalars(select(CatalogueEntry))}
    assert named == {"hang-up-first": 1, "hang-up-poster": 6, "keep-your-code": 1}
