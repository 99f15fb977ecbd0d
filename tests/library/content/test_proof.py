"""The contact sheet: every picture in words and pixels, every finding beside its piece, nothing fetched."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
import skia

from edu_platform.config.settings import Settings
from edu_platform.library.content import motion, run
from edu_platform.library.content.proof import SHARES, Proof, make_proof

FILM = """\
title: 合同到手，先翻开看看
summary: 拿到合同先看三处，再收进抽屉。
audiences: [new_customer]
rights: [right_to_know]
column: risk-alerts
size: 1280x720
sound: silent
poster_scene: 1
scenes:
  - ground: plum
    place: room
    seconds: 4
    captions: [合同到手，看还是不看？]
    elements:
      - {kind: person, who: newcomer, at: [420, 548], enter: left, acts: [{do: wave, at: 1.5}]}
      - {kind: sign, text: 保单, at: [900, 240], tone: plain, enter: up, enter_at: 1}
ending: {claim: 先翻开，再收好, call: "拨打 {hotline} 问明白", ground: green, seconds: 3}
"""
STILL = re.sub(r"elements:\n.*?\nending", """elements:
      - {kind: sign, text: 保单, at: [900, 240], tone: plain, enter: none}
ending""", FILM, flags=re.DOTALL)  # fmt: skip


@pytest.fixture
def tree_with_film(tree: Path) -> Path:
    (tree / "videos").mkdir()
    (tree / "videos/open-it.yaml").write_text(FILM)
    return tree


@pytest.fixture
def proof(tree_with_film: Path, settings: Settings) -> Proof:
    return make_proof(tree_with_film, settings=settings)


def pictures(html: str) -> list[tuple[str, bytes]]:
    found = re.findall(
        r'<img src="data:image/\w+;base64,([^"]+)" width="\d+" height="\d+" alt="([^"]*)"', html
    )
    return [(alt, base64.b64decode(data)) for data, alt in found]


def test_every_poster_edition_and_scene_frame_is_there_and_is_a_picture(proof: Proof) -> None:
    shown = pictures(proof.html)
    assert len(shown) == 2 + len(SHARES) + 1  # two editions; frames of the scene and one of the ending
    assert all(alt for alt, _ in shown)
    drawn = [skia.Image.MakeFromEncoded(data).toarray() for _, data in shown]
    # drawn, and each of them something else
    assert len({picture.tobytes() for picture in drawn}) == len(drawn)
    assert all(picture.std() > 10 for picture in drawn)
    assert (proof.posters, proof.films) == (1, 1)


def test_captions_and_the_moving_share_stand_with_the_scene(proof: Proof) -> None:
    assert "合同到手，看还是不看？" in proof.html
    share = re.search(r"除字幕外在动的画面 (\d+)%", proof.html)
    assert share is not None
    assert int(share[1]) >= 5


def test_the_page_fetches_nothing_and_says_its_language(proof: Proof) -> None:
    assert '<html lang="zh-CN">' in proof.html
    assert 'name="viewport"' in proof.html
    assert not re.findall(r'(?:src|href)="(?!data:|#)', proof.html)
    assert "url(" not in proof.html


def test_what_an_editor_wrote_is_text_and_not_markup(tree_with_film: Path, settings: Settings) -> None:
    path = tree_with_film / "videos/open-it.yaml"
    path.write_text(FILM.replace("summary: 拿到", 'summary: 甲&乙"丙" 拿到'))
    html = make_proof(tree_with_film, settings=settings).html
    assert "甲&amp;乙&#34;丙&#34; 拿到" in html
    assert '乙"丙"' not in html


def test_mistakes_stand_on_the_page_drawn_or_not(tree_with_film: Path, settings: Settings) -> None:
    (tree_with_film / "videos/open-it.yaml").write_text(STILL)
    path = tree_with_film / "posters/hang-up-poster.yaml"
    path.write_text(path.read_text().replace("template: warning", "template: neon"))
    proof = make_proof(tree_with_film, settings=settings)
    assert "在动，至少要有 2%" in proof.html  # beside the film, whose frames are shown all the same
    assert len(pictures(proof.html)) == len(SHARES) + 1
    assert "posters/hang-up-poster.yaml 第" in proof.html
    assert "neon" in proof.html


def test_a_scene_in_which_only_captions_move_is_refused_with_its_line(tree_with_film: Path) -> None:
    path = tree_with_film / "videos/open-it.yaml"
    assert run.check(tree_with_film).ok
    path.write_text(STILL)
    (problem,) = run.check(tree_with_film).problems
    line = STILL.splitlines().index("  - ground: plum") + 1
    assert (problem.file, problem.line, problem.path) == ("videos/open-it.yaml", line, "scenes[0]")
    assert "除字幕外" in problem.reason


def test_what_was_measured_is_not_measured_again(
    tree_with_film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "checks"
    first = run.read(tree_with_film, cache=cache).gathered.moving

    def measure(*_: object, **__: object) -> float:
        raise AssertionError("measured again")

    monkeypatch.setattr("edu_platform.media.drawing.films.moving_share", measure)
    assert run.read(tree_with_film, cache=cache).gathered.moving == first
    path = tree_with_film / "videos/open-it.yaml"
    path.write_text(FILM.replace("enter: up", "enter: down"))
    with pytest.raises(AssertionError, match="measured again"):
        run.read(tree_with_film, cache=cache)


@pytest.mark.parametrize("kept", ["", "[1]", '{"a": 3}', '{"a": ["x"]}'])
def test_a_spoilt_cache_is_measured_over(tree_with_film: Path, tmp_path: Path, kept: str) -> None:
    (tmp_path / "moving-shares.json").write_text(kept)
    assert motion._read(tmp_path) == {}
    shares = run.read(tree_with_film, cache=tmp_path).gathered.moving["open-it"]
    assert motion._read(tmp_path)
    assert shares[0] > 0.02
