"""What the shipped text promises: no right without something for each audience, no article without whom to call."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from flask import Flask

from edu_platform.cli.content import ROOT
from edu_platform.core.vocabulary import Audience, Right
from edu_platform.library.content import run
from edu_platform.library.content.pieces import ArticlesSection
from edu_platform.library.content.run import Report
from edu_platform.library.source import Problems, files_under

LEAST = {"图文": 3, "问答": 3, "题目": 12}
"""For each right and audience."""


@pytest.fixture
def report(app: Flask, tmp_path: Path) -> Report:
    """What the check says of the shipped text; pictures and films are counted where they are drawn."""
    del app  # it registers every room's sections
    drawn = shutil.ignore_patterns("posters", "videos", "illustrations")
    return run.check(Path(shutil.copytree(ROOT, tmp_path / "content", ignore=drawn)))


def test_every_right_has_something_for_each_audience(report: Report) -> None:
    few = {
        (kind, right.value, audience.value): report.tally[kind, right.value, audience.value]
        for kind, least in LEAST.items()
        for right in Right
        for audience in Audience
        if report.tally[kind, right.value, audience.value] < least
    }
    assert few == {}


def test_every_column_has_articles(report: Report) -> None:
    articles = {title: count for (kind, title), count in report.by_column.items() if kind == "图文"}
    assert len(articles) == 5
    assert sum(articles.values()) >= 48
    assert min(articles.values()) >= 6


def test_every_article_says_whom_to_call_what_it_rests_on_and_what_to_read_next() -> None:
    articles = ArticlesSection().read(list(files_under(ROOT, "articles")), Problems())
    assert len(articles) >= 48
    for article in articles:
        said = " ".join(article.body["actions"])
        assert re.search(r"\{hotline\}|110|12378|12345|96110", said), article.slug
        assert article.body["laws"], article.slug
        assert len(article.meta["related"]) >= 2, article.slug
        assert "虚构" in article.document.text or not re.search(r"案例|的故事", article.document.text), (
            article.slug
        )
