"""The editor's guide is true: what it shows as an example of each kind passes the check as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from edu_platform.cli import content
from edu_platform.library.content import run
from edu_platform.library.meta import KEYS

GUIDE = (Path(__file__).parents[2] / "docs" / "content-guide.md").read_text("utf-8")


def examples(section: str, language: str = "yaml") -> list[str]:
    """The examples of a section of the guide, in order."""
    text = re.split(rf"(?m)^## {section}$", GUIDE)[1]
    text = re.split(r"(?m)^## ", text)[0]
    return re.findall(rf"(?s)```{language}\n(.*?)```", text)


@pytest.fixture
def root(app: Flask, tmp_path: Path) -> Path:
    """A tree of nothing but the guide's examples; only the article borrows its text from one that we ship."""
    del app  # it registers every room's sections
    for folder in ("articles", "questions", "quizzes", "posters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "columns.yaml").write_text(examples("栏目")[0])
    shipped = (content.ROOT / "articles" / "let-me-think-it-over.md").read_text()
    text = shipped.split("---\n", 2)[2]
    (tmp_path / "articles" / "my-article.md").write_text(f"---\n{examples('图文')[0]}---\n{text}")
    (tmp_path / "questions" / "personal-information.yaml").write_text(examples("题库")[0])
    (tmp_path / "questions" / "table.csv").write_text(examples("题库", "csv")[0])
    (tmp_path / "quizzes" / "my-information.yaml").write_text(examples("问答")[0])
    (tmp_path / "posters" / "my-poster.yaml").write_text(examples("海报")[0])
    (tmp_path / "campaigns.yaml").write_text(examples("活动")[0])
    return tmp_path


def test_the_examples_pass_the_check(root: Path) -> None:
    report = run.check(root)
    assert [str(problem) for problem in report.problems] == []
    assert report.read == {
        "illustrations": 0, "columns": 1, "questions": 2, "articles": 1, "posters": 1, "videos": 0, "quizzes": 1,
        "campaigns": 1,
    }  # fmt: skip


@pytest.mark.control
def test_an_example_with_a_mistake_does_not(root: Path) -> None:
    """The control: the examples are really read."""
    path = root / "campaigns.yaml"
    path.write_text(path.read_text().replace("pieces: [my-information]", "pieces: [not-there]"))
    assert any("not-there" in problem.reason for problem in run.check(root).problems)


def test_every_key_that_every_kind_has_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", GUIDE.split("## 栏目")[0]))
    assert set(KEYS) - explained == set()


def test_the_commands_that_it_names_are_there() -> None:
    named = set(re.findall(r"edu content (\w+)", GUIDE))
    assert named == set(content.command.commands)
    for option in re.findall(r"edu content check (--\w+)", GUIDE):
        assert option in CliRunner().invoke(content.command, ["check", "--help"]).output
