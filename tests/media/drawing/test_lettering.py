from __future__ import annotations

import pytest
import skia
from hypothesis import given, settings
from hypothesis import strategies as st

from edu_platform.media.drawing import lettering
from edu_platform.media.drawing.lettering import (
    CLOSING,
    OPENING,
    atoms,
    break_lines,
    fit_text,
    missing_characters,
    set_text,
    shape_line,
)

WORDS = st.text(
    alphabet="保险合同先挂断再核实验证码退保犹豫期条款，。、；：！？“”（）《》…—·95519abc %",
    min_size=1,
    max_size=48,
)


@settings(max_examples=150, deadline=None)
@given(WORDS, st.floats(min_value=6, max_value=24))
def test_no_line_begins_or_ends_with_a_forbidden_mark(text: str, width: float) -> None:
    lines = break_lines(text, width)
    if lines is None:
        return
    assert "".join("".join(lines).split()) == "".join(text.split())
    for index, line in enumerate(lines):
        if index:
            assert line[0] not in CLOSING, lines
        if index < len(lines) - 1:
            assert line[-1] not in OPENING, lines
        assert shape_line(line, 400).width <= width + 1e-6


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_atoms_join_to_the_text(text: str) -> None:
    assert "".join(atoms(text)) == text


def test_a_number_a_word_and_an_ellipsis_are_never_parted() -> None:
    lines = break_lines("请您拨打95519核实吧……好的，再见", 4)
    assert lines is not None
    assert any("95519" in line for line in lines)
    assert any("……" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("买不买，您做得了主吗", ["买不买，", "您做得了主吗"]),
        ("替老乡签了个名，他多了一笔债", ["替老乡签了个名，", "他多了一笔债"]),
        ("不买保险就不放款？她多问了一句", ["不买保险就不放款？", "她多问了一句"]),
    ],
)
def test_a_line_does_not_end_on_the_first_characters_of_a_clause(text: str, lines: list[str]) -> None:
    assert break_lines(text, 9.0, 900) == lines


def test_a_smaller_size_is_taken_where_a_larger_one_would_part_the_sense() -> None:
    rough, fine = (
        fit_text("买不买，您做得了主吗", 510, 500, largest=92, smallest=44, weight=900, by_sense=sense)
        for sense in (False, True)
    )
    assert rough is not None
    assert fine is not None
    assert [line.text for line in rough.lines] == ["买不买，您", "做得了主吗"]
    assert [line.text for line in fine.lines] == ["买不买，", "您做得了主吗"]


def test_lines_are_balanced_rather_than_leaving_one_character() -> None:
    lines = break_lines("保险合同条款看不明白可以问", 10)
    assert lines is not None
    assert len(lines) == 2
    assert min(len(line) for line in lines) >= 4


def test_a_word_is_kept_whole_where_another_break_is_as_good() -> None:
    lines = break_lines("个人信息保护小测验", 5)
    assert lines == ["个人信息", "保护小测验"]


def test_marks_give_up_their_empty_half() -> None:
    assert shape_line("好。", 400).width < shape_line("好好", 400).width - 0.4
    assert shape_line("“好”，好", 400).width < 4.6
    assert shape_line("“好", 400).hang > 0


def test_what_cannot_fit_is_refused_not_cut() -> None:
    assert set_text("supercalifragilistic", 100, 40) is None
    assert fit_text("很长的一段话" * 20, 200, 60, largest=60, smallest=30) is None
    fitted = fit_text("很长的一段话" * 3, 400, 200, largest=90, smallest=20)
    assert fitted is not None
    assert fitted.width <= 400
    assert fitted.height <= 200


def test_ink_stays_inside_the_set_box() -> None:
    setting = set_text("先挂断，再核实（95519）“好”。", 300, 50, weight=900)
    assert setting is not None
    surface = skia.Surface(500, 500)
    with surface as canvas:
        canvas.clear(0xFFFFFFFF)
        setting.draw(canvas, 100, 100, skia.Paint(Color=0xFF000000, AntiAlias=True))
    pixels = surface.makeImageSnapshot().toarray()[:, :, 0]
    rows, columns = (pixels < 128).nonzero()
    assert len(rows) > 500
    assert rows.min() >= 99
    assert rows.max() <= 101 + setting.height
    assert columns.min() >= 98
    assert columns.max() <= 102 + setting.width


def test_the_face_is_simplified_chinese_in_every_weight() -> None:
    assert lettering.typeface(900).getFamilyName() == "Noto Sans CJK SC"
    thin, heavy = (
        lettering.font(weight, 100).getPath(lettering.typeface(weight).unicharToGlyph(ord("门")))
        for weight in (100, 900)
    )
    assert thin.computeTightBounds() != heavy.computeTightBounds()


def test_letters_the_font_lacks_are_named() -> None:
    assert missing_characters("保险") == []
    assert missing_characters("保\U0001f600险") == ["\U0001f600"]
