from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image

from edu_platform.media.drawing import palette
from edu_platform.media.drawing.film_scripts import SECONDS_PER_CHARACTER, FilmScript, parse_film
from edu_platform.media.drawing.films import (
    LEAST_MOVING_SHARE,
    film_facts,
    film_still,
    moving_share,
    render_film,
)
from edu_platform.media.drawing.illustrations import finder, part_finder
from edu_platform.media.drawing.poster_parts import RIGHTS
from edu_platform.media.drawing.posters import House
from edu_platform.media.drawing.problems import CannotDrawError
from edu_platform.media.drawing.stage import CAPTION_TOP, HEIGHT, set_caption, set_claim

FILMS = sorted((Path(__file__).parents[3] / "content" / "videos").glob("*.yaml"))
TINY = (160, 90)

GOOD: dict[str, Any] = {
    "title": "短片",
    "size": "320x180",
    "sound": "pad",
    "poster_scene": 1,
    "scenes": [
        {
            "ground": "green",
            "seconds": 1,
            "captions": ["信吗？"],
            "elements": [
                {"kind": "person", "who": "grandma", "at": [400, 548], "acts": [{"do": "wave"}]},
                {"kind": "illustration", "name": "scales", "at": [900, 300]},
            ],
        }
    ],
    "ending": {"claim": "先核实", "call": "拨打 {hotline}", "seconds": 1},
}


def script_of(**changes: Any) -> FilmScript:
    script, problems = parse_film(GOOD | changes)
    assert script is not None, problems
    return script


def shipped(path: Path) -> FilmScript:
    script, problems = parse_film(yaml.safe_load(path.read_text("utf-8")))
    assert script is not None, problems
    return script


def test_every_problem_is_listed_at_once(illustrations: Path) -> None:
    script, problems = parse_film(
        {
            "title": "短片",
            "size": "100x100",
            "sound": "drums",
            "scenes": [
                {
                    "ground": "neon",
                    "seconds": 2,
                    "captions": [
                        "一句没有问号而且长得两行也放不下的字幕，一句没有问号而且长得两行也放不下的字幕"
                    ],
                    "elements": [
                        {"kind": "person", "who": "nobody", "acts": [{"do": "fly", "at": 99}]},
                        {
                            "kind": "illustration",
                            "name": "no-such-picture",
                            "moves": [{"do": "move", "to": 3}],
                        },
                        {"kind": "sign", "text": "放不下的字" * 40},
                        {"kind": "ghost"},
                    ],
                }
            ],
        },
        finder(illustrations),
    )
    assert script is None
    paths = {problem.path for problem in problems}
    assert paths >= {
        "size",
        "sound",
        "ending",
        "scenes[0].ground",
        "scenes[0].seconds",
        "scenes[0].captions[0]",
        "scenes[0].elements[0].who",
        "scenes[0].elements[0].acts[0].do",
        "scenes[0].elements[0].acts[0].at",
        "scenes[0].elements[1].name",
        "scenes[0].elements[1].moves[0].to",
        "scenes[0].elements[2].text",
        "scenes[0].elements[3].kind",
    }
    assert all(problem.reason for problem in problems)


def test_a_film_begins_with_a_question_and_every_scene_has_captions_and_elements() -> None:
    _, problems = parse_film(GOOD | {"scenes": [{"seconds": 2, "captions": ["好。"], "elements": []}]})
    assert {problem.path for problem in problems} == {"scenes[0].elements", "scenes[0].captions[0]"}
    _, problems = parse_film(GOOD | {"scenes": []})
    assert [problem.path for problem in problems] == ["scenes"]


def test_a_rendered_film_is_what_phones_play(tmp_path: Path, house: House, illustrations: Path) -> None:
    target = tmp_path / "film.mp4"
    shares: list[float] = []
    facts = render_film(
        script_of(), target, house=house, illustrations=illustrations, progress=shares.append, size=(320, 180)
    )
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert sorted(shares) == shares
    assert shares[-1] == 1.0
    assert list(tmp_path.iterdir()) == [target]
    with av.open(str(target)) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        assert video.codec_context.name == "h264"
        assert video.profile == "Main"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert (video.width, video.height) == (facts.width, facts.height) == (320, 180)
        assert video.average_rate == 24
        assert audio.codec_context.name == "aac"
        assert audio.profile == "LC"
        assert video.frames == 48
        assert facts.duration_ms == 2000
        assert abs(film.duration / 1000 - facts.duration_ms) < 50
        assert sum(1 for _ in film.decode(video)) == 48


@pytest.mark.parametrize("sound", ["pad", "silent"])
def test_a_film_repeats_byte_for_byte(sound: str, tmp_path: Path, house: House, illustrations: Path) -> None:
    for name in ("one", "two"):
        render_film(
            script_of(sound=sound), tmp_path / name, house=house, illustrations=illustrations, size=TINY
        )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_nothing_is_left_of_a_film_that_fails(tmp_path: Path, house: House, illustrations: Path) -> None:
    def stop(_: float) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        render_film(
            script_of(),
            tmp_path / "f.mp4",
            house=house,
            illustrations=illustrations,
            progress=stop,
            size=TINY,
        )
    with pytest.raises(CannotDrawError, match="scales"):
        render_film(script_of(), tmp_path / "f.mp4", house=house, illustrations=tmp_path)
    with pytest.raises(CannotDrawError, match="16:9"):
        render_film(script_of(), tmp_path / "f.mp4", house=house, illustrations=illustrations, size=(90, 90))
    assert list(tmp_path.iterdir()) == []


def test_there_are_films_for_every_audience_and_every_right() -> None:
    films = [yaml.safe_load(path.read_text("utf-8")) for path in FILMS]
    assert len(films) >= 11
    assert {name for film in films for name in film["audiences"]} == {"elderly", "youth", "new_customer"}
    assert {name for film in films for name in film["rights"]} == set(RIGHTS)
    assert {film["rights"][0] for film in films} >= {"free_choice", "fair_dealing", "respect"}


def test_a_claim_in_two_lines_stays_clear_of_the_number() -> None:
    claim = set_claim("条件不公平，您可以说不")
    assert claim is not None
    assert len(claim.lines) == 2
    assert 184 + claim.height / 2 <= 386 - 66 - 12


@pytest.mark.parametrize("path", FILMS, ids=lambda path: path.stem)
def test_a_shipped_film_is_sound_and_every_scene_moves(path: Path, house: House, illustrations: Path) -> None:
    data = yaml.safe_load(path.read_text("utf-8"))
    script, problems = parse_film(data, finder(illustrations), parts=part_finder(illustrations))
    assert script is not None, problems
    for number in range(1, len(script.scenes) + 1):
        assert moving_share(script, number, illustrations=illustrations) >= LEAST_MOVING_SHARE, number
    assert script.ending.seconds >= 5
    facts = film_facts(script, house=house)
    assert 40_000 <= facts.duration_ms <= 60_000


def test_a_part_the_illustration_lacks_is_a_problem(
    tmp_path: Path, house: House, illustrations: Path
) -> None:
    turn = [{"do": "turn", "at": 0, "to": 9}]
    element = {"kind": "illustration", "name": "scales", "parts": {"beam": turn, "baem": turn}}
    scenes = [{**GOOD["scenes"][0], "elements": [element]}]
    _, problems = parse_film(GOOD | {"scenes": scenes}, parts=part_finder(illustrations))
    assert [problem.path for problem in problems] == ["scenes[0].elements[0].parts.baem"]
    with pytest.raises(CannotDrawError, match="baem"):
        render_film(script_of(scenes=scenes), tmp_path / "f.mp4", house=house, illustrations=illustrations)


@pytest.mark.parametrize("path", FILMS, ids=lambda path: path.stem)
def test_captions_can_be_read_in_their_time(path: Path, house: House) -> None:
    facts = film_facts(shipped(path), house=house)
    end = 0
    for start, stop, text in facts.captions:
        assert start >= end - 1
        assert stop - start >= len(text) * SECONDS_PER_CHARACTER * 1000 - 40
        setting = set_caption(text)
        assert setting is not None
        assert len(setting.lines) <= 2
        assert text in facts.transcript
        end = stop
    assert end <= facts.duration_ms + 1
    assert house.hotline in facts.transcript
    assert "{" not in facts.transcript
    assert palette.contrast(palette.WHITE, palette.INK) >= 7


def test_a_still_scene_does_not_count_as_moving(illustrations: Path) -> None:
    still = {
        "seconds": 2,
        "captions": ["信吗？", "不信。"],
        "elements": [{"kind": "sign", "text": "不动", "enter": "none", "idle": "none"}],
    }
    assert moving_share(script_of(scenes=[still]), 1, illustrations=illustrations) < 0.001
    assert moving_share(script_of(), 1, illustrations=illustrations) > LEAST_MOVING_SHARE


def test_a_still_is_the_poster_scene_with_its_caption(house: House, illustrations: Path) -> None:
    def still(**changes: Any) -> np.ndarray:
        picture = film_still(script_of(**changes), house=house, illustrations=illustrations, size=(320, 180))
        image = Image.open(io.BytesIO(picture))
        assert image.format == "JPEG"
        return np.asarray(image.convert("L")).astype(int)

    first = still()
    assert first.shape == (180, 320)
    band = int(CAPTION_TOP / HEIGHT * 180) + 4
    assert (first[band:] > 200).mean() > 0.01
    other = [{**GOOD["scenes"][0], "captions": ["不信？"]}]
    second = still(scenes=other)
    assert (abs(first - second)[: band - 8] > 25).mean() < 0.001
    assert (abs(first - second)[band:] > 60).any()


def test_someone_who_enters_from_a_side_walks(illustrations: Path) -> None:
    scene = {**GOOD["scenes"][0], "seconds": 3}
    scene["elements"] = [
        {
            "kind": "person",
            "who": "friend",
            "at": [600, 548],
            "enter": "left",
            "leave": "right",
            "leave_at": 2,
        }
    ]
    script = script_of(scenes=[scene])
    acts = [act.do for act in script.scenes[0].elements[0].acts]
    assert acts == ["walk", "walk"]
    assert script.scenes[0].elements[0].x < 0
    assert moving_share(script, 1, illustrations=illustrations) > 0.2


@pytest.mark.parametrize(
    "nasty", ["\ud800？", "\x00", "长" * 5000, ["好"], {"a": 1}, -9, float("inf"), [float("nan")] * 3]
)
@pytest.mark.parametrize(
    "key", ["kind", "at", "size", "who", "acts", "enter_at", "moves", "text", "name", "parts", "tone"]
)
def test_hostile_elements_are_refused_by_name(key: str, nasty: Any) -> None:
    kinds = {"text": "sign", "tone": "sign", "name": "mark", "parts": "illustration"}
    element = {"kind": kinds.get(key, "person"), "who": "friend", "name": "check", "text": "好"}
    element = {k: v for k, v in element.items() if k != "who" or element["kind"] == "person"}
    scene = {**GOOD["scenes"][0], "elements": [element | {key: nasty}], "captions": [nasty]}
    script, problems = parse_film(GOOD | {"scenes": [scene]})
    assert script is None
    assert all(problem.reason.encode() for problem in problems)


def test_a_drawing_that_breaks_off_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, house: House, illustrations: Path
) -> None:
    """The process that draws is killed, runs out of memory, meets a bug: the film is refused, not cut short."""
    from edu_platform.media.drawing import frames

    monkeypatch.setattr(frames.sys, "executable", "/bin/false")
    with pytest.raises(frames.DrawingEndedError):
        render_film(script_of(), tmp_path / "film.mp4", house=house, illustrations=illustrations, size=TINY)
    assert list(tmp_path.iterdir()) == []
