"""The contact sheet: every poster and every scene of every film on one page, with what the check found.

For the editor's eye before anything is imported. The page is one file: pictures stand in it as data, nothing is
fetched, and it can be sent as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edu_platform.config.settings import Settings
from edu_platform.core.vocabulary import Audience, Right, label
from edu_platform.library.content import run
from edu_platform.library.content.proof_page import render_page
from edu_platform.library.content.sections import PieceSource
from edu_platform.library.posters import house_of
from edu_platform.library.source import Problem

SHARES: Final = (0.3, 0.62, 0.94)
"""At which shares of a scene's time its frames are taken."""
FRAME_SIZE: Final = (640, 360)
ENDING_FRAME: Final = 0.8


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture on the page: its data as a URL, its size in pixels, and what it is in words."""

    url: str
    width: int
    height: int
    alt: str
    caption: str


@dataclass(frozen=True, slots=True)
class SceneProof:
    """One scene of a film: frames, captions with their seconds, and the share that moves (None for the ending)."""

    name: str
    seconds: float
    captions: list[str]
    frames: list[Picture]
    moving: float | None = None


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A poster or film on the page, with what the check found in its file."""

    slug: str
    file: str
    title: str
    summary: str
    facts: list[str]
    pictures: list[Picture] = field(default_factory=list)
    scenes: list[SceneProof] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    advice: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Proof:
    """The page, and what it shows."""

    html: str
    posters: int
    films: int
    report: run.Report


def make_proof(
    root: Path, *, settings: Settings, progress: run.Progress | None = None, paper: bool = False
) -> Proof:
    """Check everything under `root` and draw its posters and film scenes on one page.

    Files with mistakes are not drawn; their mistakes stand on the page all the same. With `paper`, the A3
    editions are drawn as well. `progress` is told `(label, done, total)`.
    """
    tell = progress or (lambda *_: None)
    tell("检查材料", 0, 1)
    tree = run.read_for(root, settings)
    report, pieces = tree.report, tree.gathered.pieces
    drawings, moving = tree.gathered.drawings, tree.gathered.moving
    broken = {problem.file for problem in report.problems}
    posters = [piece for piece in pieces if piece.kind == "poster"]
    films = [piece for piece in pieces if piece.kind == "video"]
    shown: dict[str, list[Exhibit]] = {"posters": [], "films": []}
    for done, piece in enumerate(posters):
        tell("画海报", done, len(posters))
        pictures = (
            list(_poster_pictures(piece, settings, drawings, paper=paper)) if _fit(piece, broken) else []
        )
        shown["posters"].append(_exhibit(piece, report, pictures=pictures))
    for done, piece in enumerate(films):
        tell("画视频", done, len(films))
        scenes = (
            list(_scenes(piece, settings, drawings, moving.get(piece.slug, [])))
            if _fit(piece, broken) or piece.slug in moving
            else []
        )
        shown["films"].append(_exhibit(piece, report, scenes=scenes))
    tell("完成", 1, 1)
    on_page = {exhibit.file for exhibits in shown.values() for exhibit in exhibits}
    html = render_page(
        programme=settings.programme,
        posters=shown["posters"],
        films=shown["films"],
        problems=[problem for problem in report.problems if problem.file not in on_page],
        advice=[problem for problem in report.advice if problem.file not in on_page],
        report=report,
    )
    return Proof(html, len(posters), len(films), report)


def _fit(piece: PieceSource, broken: set[str]) -> bool:
    return piece.document.file not in broken


def _exhibit(piece: PieceSource, report: run.Report, **drawn: Any) -> Exhibit:
    from edu_platform.media.drawing.poster_parts import LABELS

    file, meta = piece.document.file, piece.meta
    facts = [
        "、".join(label(Audience(word)) for word in meta["audiences"]),
        "、".join(label(Right(word)) for word in meta["rights"]),
    ]
    if piece.kind == "poster":
        facts.append(f"模板 {LABELS[piece.body['template']]}")
    return Exhibit(
        slug=piece.slug,
        file=file,
        title=meta["title"],
        summary=meta["summary"],
        facts=facts,
        problems=[problem for problem in report.problems if problem.file == file],
        advice=[problem for problem in report.advice if problem.file == file],
        **drawn,
    )


def _poster_pictures(
    piece: PieceSource, settings: Settings, drawings: Path, *, paper: bool
) -> Iterator[Picture]:
    from edu_platform.media.drawing.posters import PosterSize, parse_poster, proof_poster
    from edu_platform.media.drawing.problems import CannotDrawError

    house = house_of(settings, review_no=None, day=None)
    copy, problems = parse_poster({**piece.meta, **piece.body}, house=house)
    if copy is None:
        raise CannotDrawError(problems)
    for size in (PosterSize.PHONE, PosterSize.A3) if paper else (PosterSize.PHONE,):
        for elder in (False, True):
            name = ("手机" if size is PosterSize.PHONE else "A3") + ("适老大字版" if elder else "普通版")
            data, width, height = proof_poster(
                copy, size=size, elder=elder, house=house, illustrations=drawings
            )
            yield Picture(_data("webp", data), width, height, f"{name}。{copy.alt}", name)


def _scenes(
    piece: PieceSource, settings: Settings, drawings: Path, moving: list[float]
) -> Iterator[SceneProof]:
    from edu_platform.library.films import film_of
    from edu_platform.media.drawing.films import film_still

    script, house = film_of(piece.body, settings)
    title = piece.meta["title"]

    def frame(number: int, share: float, seconds: float, said: str) -> Picture:
        data = film_still(
            script, house=house, illustrations=drawings, size=FRAME_SIZE, scene=number, share=share
        )
        when = f"{seconds * share:.1f} 秒"
        alt = f"《{title}》第 {number} 场 {when}的画面" + (f"，字幕：{said}" if said else "")
        return Picture(_data("jpeg", data), *FRAME_SIZE, alt, when)

    for number, scene in enumerate(script.scenes, 1):
        captions = [
            (caption.start, caption.end, caption.text.replace("{hotline}", house.hotline))
            for caption in scene.captions
        ]
        frames = []
        for share in SHARES:
            now = scene.seconds * share
            said = next((text for start, end, text in captions if start <= now < end), "")
            frames.append(frame(number, share, scene.seconds, said))
        yield SceneProof(
            name=f"第 {number} 场" + ("（封面）" if number == script.poster_scene else ""),
            seconds=scene.seconds,
            captions=[f"{start:.1f}–{end:.1f} 秒　{text}" for start, end, text in captions],
            frames=frames,
            moving=moving[number - 1] if number <= len(moving) else None,
        )
    ending = script.ending
    call = ending.call.replace("{hotline}", house.hotline)
    last = len(script.scenes) + 1
    yield SceneProof(
        "结尾", ending.seconds, [f"{ending.claim}　{call}"], [frame(last, ENDING_FRAME, ending.seconds, call)]
    )


def _data(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
