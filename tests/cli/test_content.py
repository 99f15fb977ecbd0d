"""`edu content`: mistakes by file, line and reason and an exit code; counts of what was imported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from edu_platform.cli import content
from edu_platform.config.settings import Settings

SHIPPED = Path(__file__).parents[2] / "content"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two of the shipped posters, and what they need."""
    root = tmp_path / "content"
    (root / "posters").mkdir(parents=True)
    shutil.copy(SHIPPED / "columns.yaml", root)
    for slug in ("hang-up-first", "ask-family-first"):
        text = (SHIPPED / "posters" / f"{slug}.yaml").read_text()
        kept = [line for line in text.splitlines() if not line.startswith("related:")]
        (root / "posters" / f"{slug}.yaml").write_text("\n".join(kept) + "\n")
    return root


@pytest.fixture
def environ(settings: Settings, monkeypatch: pytest.MonkeyPatch, app: Flask) -> None:
    """The environment of the application under test, as a shell would have it."""
    # one engine only: the database's file is put back after each test
    monkeypatch.setattr("edu_platform.factory.entry.application", lambda: app)
    monkeypatch.setenv("EDU_ENVIRONMENT", "test")
    monkeypatch.setenv("EDU_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("EDU_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("EDU_SECRET_KEYS", settings.secret_keys[0])
    monkeypatch.setenv("EDU_SEALING_KEYS", settings.sealing_keys[0])


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(content.command, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.mark.usefixtures("environ")
def test_good_material_is_said_to_be_good(tree: Path) -> None:
    code, said = run("check", str(tree))
    assert (code, "没有发现问题" in said, "海报 2" in said) == (0, True, True)


@pytest.mark.usefixtures("environ")
def test_the_table_counts_by_right_and_audience(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    code, said = run("check", str(tree), "--table")
    rows = [line.replace(" ", "").split("│")[1:-1] for line in said.splitlines() if line.startswith("│")]
    assert (code, len(rows)) == (0, 24 + 5)
    assert ["财产安全权", "老年人", "—", "2", "—", "—", "—"] in rows
    assert ["风险提示", "—", "2", "—", "—"] in rows
    assert ["以案说险", "—", "—", "—", "—"] in rows


@pytest.mark.usefixtures("environ")
def test_advice_is_printed_and_refuses_nothing(tree: Path) -> None:
    path = tree / "posters/hang-up-first.yaml"
    path.write_text(path.read_text().replace("summary: ", "summary: 唯一的办法。"))
    code, said = run("check", str(tree))
    assert code == 0
    assert "建议 posters/hang-up-first.yaml:2: summary: “唯一”" in said


@pytest.mark.usefixtures("environ")
def test_mistakes_are_printed_a_line_each_and_end_with_one(tree: Path) -> None:
    path = tree / "posters/hang-up-first.yaml"
    text = path.read_text()
    line = text.splitlines().index("audiences: [elderly]") + 1
    path.write_text(text.replace("audiences: [elderly]", "audiences: [grandparents]"))
    for command in ("check", "import"):
        code, said = run(command, str(tree))
        assert code == 1
        assert f"posters/hang-up-first.yaml:{line}: audiences[0]: 没有这个受众" in said
        assert "共 1 处问题" in said


@pytest.mark.usefixtures("environ")
def test_an_import_prints_what_it_did_and_a_second_one_that_nothing_changed(tree: Path) -> None:
    code, said = run("import", str(tree))
    assert (code, "海报：新增 2，更新 0，未变 0" in said, "栏目：新增 5" in said) == (0, True, True)
    code, said = run("import", str(tree))
    assert (code, "材料没有变化" in said) == (0, True)


@pytest.mark.usefixtures("environ")
def test_the_proof_is_one_page_with_every_poster(tree: Path, tmp_path: Path) -> None:
    page = tmp_path / "made" / "proof.html"
    code, said = run("proof", str(tree), "--out", str(page))
    assert (code, "海报 2 张，视频 0 部" in said, str(page) in said.replace("\n", "")) == (0, True, True)
    assert page.read_text("utf-8").count('class="look"') == 4
