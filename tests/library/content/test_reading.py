"""How hard a text is: counted as an editor would count, stricter for readers of seventy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edu_platform.library.content import run
from edu_platform.library.content.language import Passage
from edu_platform.library.content.reading import ELDERLY, OTHERS, limits_for, measure, note_difficulty
from edu_platform.library.source import Problems


def text_of(*sizes: int) -> list[Passage]:
    return [Passage("a.md", line, "", "字" * size + "。") for line, size in enumerate(sizes, 3)]


def noted(passages: list[Passage], *audiences: str) -> tuple[list[str], list[str]]:
    advice, problems = Problems(), Problems()
    note_difficulty(passages, audiences, advice, problems, file="a.md")
    return [a.reason for a in advice], [p.reason for p in problems]


def test_it_counts_as_an_editor_would() -> None:
    ease = measure([Passage("a.md", 7, "", "先挂断，再核实！“别怕”，慢慢来……\n" + "长" * 17 + "，短。")])
    assert ease is not None
    assert (ease.sentences, ease.mean, ease.longest, ease.longest_line) == (3, (6 + 5 + 18) / 3, 18, 7)
    assert ease.long_clauses == pytest.approx(1 / 6)
    assert measure([Passage("a.md", 1, "", "……！")]) is None


def test_elders_are_given_easier_texts_even_among_others() -> None:
    assert limits_for(["elderly", "youth"]) is ELDERLY
    assert limits_for(["new_customer"]) is OTHERS
    assert ELDERLY.mean < OTHERS.mean
    assert ELDERLY.longest < OTHERS.longest


def test_the_same_text_is_advised_against_for_elders_only() -> None:
    passages = text_of(*[10] * 9, 50)
    advice, problems = noted(passages, "elderly")
    assert [a.partition("，")[0] for a in advice] == ["写给长者的一句话有 50 字"]
    assert problems == []
    assert noted(passages, "youth") == ([], [])


def test_far_too_hard_is_refused() -> None:
    assert noted(text_of(91), "elderly")[1] == [
        f"写给长者的一句话有 91 字，宜在 45 字以内，请拆开：“{'字' * 12}…”"
    ]
    advice, problems = noted(text_of(*[41] * 10), "youth")
    assert advice == []
    assert len(problems) == 2
    assert "平均 41.0 字" in problems[0]
    assert "长分句（超过 16 字）占 100%" in problems[1]


def test_few_sentences_have_no_habit() -> None:
    assert noted(text_of(30, 30), "elderly") == ([], [])


def test_a_check_advises_by_line_and_is_still_good(tree: Path, write_article: Callable[..., str]) -> None:
    text = write_article("hang-up-first", "先挂断再核实")
    long = "他" + "一边说一边走，" * 8 + "走远了。"
    path = tree / "articles/hang-up-first.md"
    path.write_text(f"{text}\n{long}\n")
    report = run.check(tree)
    assert report.ok
    line = len(text.splitlines()) + 2
    assert [a.line for a in report.advice if "他一边说一边走" in a.reason] == [line]
    path.write_text(f"{text}\n{long.replace('走远了', '走' * 60)}\n")
    assert [p.line for p in run.check(tree).problems] == [line]


def test_a_tables_cells_are_no_sentence(tree: Path, write_article: Callable[..., str]) -> None:
    row = "| " + " | ".join(["没有多长的一格话"] * 6) + " |"
    table = "\n".join([row, "|" + "---|" * 6, row])
    path = tree / "articles/hang-up-first.md"
    path.write_text(f"{write_article('hang-up-first', '先挂断再核实')}\n{table}\n")
    report = run.check(tree)
    assert report.ok
    assert not [a for a in report.advice if "没有多长" in a.reason]


def test_what_there_is_is_counted_by_right_and_audience(tree: Path) -> None:
    tally = run.check(tree).tally
    assert tally["图文", "property_safety", "elderly"] == 2
    assert tally["海报", "property_safety", "elderly"] == 1
    assert tally["海报", "respect", "elderly"] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("columns.yaml", "骗人办法"),
        ("posters/hang-up-poster.yaml", "再打公司客服热线"),
        ("articles/keep-your-code.md", "分钟队"),
    ],
)
def test_addresses_are_refused_in_every_kind_of_file(tree: Path, name: str, words: str) -> None:
    path = tree / name
    good = path.read_text()
    line = good[: good.index(words)].count("\n") + 1
    path.write_text(good.replace(words, f"{words} tuibao.top"))
    found = [p for p in run.check(tree).problems if "tuibao.top" in p.reason]
    assert [(p.file, p.line) for p in found] == [(name, line)]
    assert run.check(tree, host="tuibao.top").ok


def test_numbers_are_refused_in_the_list_of_columns(tree: Path) -> None:
    path = tree / "columns.yaml"
    path.write_text(path.read_text().replace("骗人办法", "骗人办法，拨 95588"))
    assert [(p.file, p.line) for p in run.check(tree).problems] == [("columns.yaml", 3)]


def test_claims_are_refused_in_the_list_of_columns(tree: Path) -> None:
    path = tree / "columns.yaml"
    path.write_text(path.read_text().replace("眼下有人正在用的骗人办法", "全国第一的栏目"))
    (problem,) = run.check(tree).problems
    assert (problem.file, problem.line, "绝对化" in problem.reason) == ("columns.yaml", 3, True)
