"""`edu content check`, `proof` and `import`: the files that the platform ships with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flask import Flask
    from rich.progress import Progress

    from edu_platform.library.content.run import Report

ROOT = Path(__file__).parents[2] / "content"
_TREE = click.argument("root", type=click.Path(path_type=Path, file_okay=False), default=ROOT, required=False)


@click.group()
def command() -> None:
    """Check the material under content/, or bring it into the platform."""


@command.command("check")
@_TREE
@click.option("--table", is_flag=True, help="Count what there is by right and audience, and by column.")
def check_files(root: Path, *, table: bool) -> None:
    """Read every file and list all mistakes by file, line and reason; ends with 1 if there are any.

    Advice is printed as well and refuses nothing.
    """
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import settings_here
    from edu_platform.library.content import run

    settings = settings_here()
    create_app(settings)  # registers every room's sections; touches no database
    report = run.read_for(root, settings).report
    for line in report.measures:
        click.echo(line)
    for advice in report.advice:
        click.echo(f"建议 {advice}")
    if table:
        _print_table(report)
    if not report.ok:
        _refuse(report)
    click.echo(f"没有发现问题，建议 {len(report.advice)} 条：{_read(report)}。")


@command.command("proof")
@_TREE
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the page goes; by default proof.html in the data folder.",
)
@click.option("--paper", is_flag=True, help="Draw the A3 editions as well.")
def proof_files(root: Path, out: Path | None, *, paper: bool) -> None:
    """Draw every poster and film scene on one HTML page, with what the check found."""
    from edu_platform.factory.app import create_app
    from edu_platform.factory.entry import settings_here
    from edu_platform.library.content.proof import make_proof

    settings = settings_here()
    create_app(settings)  # registers every room's sections; touches no database
    target = out or settings.data_dir / "proof.html"
    with _bar() as progress:
        made = make_proof(root, settings=settings, progress=_teller(progress), paper=paper)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(made.html, "utf-8")
    found = f"问题 {len(made.report.problems)} 处，建议 {len(made.report.advice)} 处"
    click.echo(f"海报 {made.posters} 张，视频 {made.films} 部；{found}。样张在 {target}")


@command.command("import")
@_TREE
def import_files(root: Path) -> None:
    """Import what has changed, as new revisions; nothing at all if anything is wrong."""
    from edu_platform.factory.entry import application

    import_with_progress(application(), root)


def import_with_progress(app: Flask, root: Path) -> Report:
    """Import `root` with a progress bar and print what came of it; end the program with 1 when it is refused."""
    from edu_platform.core.db import db, writing
    from edu_platform.library.content import run

    with app.app_context(), _bar() as progress:
        tell = _teller(progress, "导入")
        try:
            settings = app.config["EDU"]
            # before the transaction: nobody waits for it
            tree = run.read_for(root, settings)
            with writing() as session:
                report = run.import_(session, root, settings=settings, progress=tell, tree=tree)
        except run.Refused as refused:
            progress.stop()
            _refuse(refused.report)
        finally:
            db.session.remove()
    _print_counts(report)
    return report


def _bar() -> Progress:
    """Return a bar on standard error that leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _teller(progress: Progress, verb: str = "") -> Callable[[str, int, int], None]:
    """Return what is told `(label, done, total)` and shows it."""
    task = progress.add_task("读取材料", total=None)

    def tell(label: str, done: int, total: int) -> None:
        progress.update(task, description=f"{verb}{label}", completed=done, total=max(total, 1))

    return tell


def _refuse(report: Report) -> None:
    """Print every problem, then end."""
    for problem in report.problems:
        click.echo(str(problem), err=True)
    click.echo(f"共 {len(report.problems)} 处问题，未导入任何内容。", err=True)
    sys.exit(1)


def _print_table(report: Report) -> None:
    """Print how many pieces and questions there are for each right and audience, then how many pieces by column.

    Nothing shows as a dash.
    """
    from rich.console import Console
    from rich.table import Table

    from edu_platform.core.vocabulary import Audience, Right, label
    from edu_platform.library.content.run import KINDS
    from edu_platform.library.content.sections import QUESTIONS

    names = [*KINDS.values(), QUESTIONS]
    table = Table("权利", "受众", title="按权利和受众统计")
    for name in names:
        table.add_column(name, justify="right")
    for right in Right:
        for audience in Audience:
            counts = [report.tally[name, right.value, audience.value] for name in names]
            table.add_row(label(right), label(audience), *(str(count or "—") for count in counts))
    columns = Table("栏目", title="按栏目统计")
    for name in KINDS.values():
        columns.add_column(name, justify="right")
    for title in dict.fromkeys(title for _, title in report.by_column):
        counts = [report.by_column[name, title] for name in KINDS.values()]
        columns.add_row(title, *(str(count or "—") for count in counts))
    Console().print(table, columns)


def _labels() -> dict[str, str]:
    from edu_platform.library.content import sections

    return {section.name: section.label for section in sections.ordered()}


def _read(report: Report) -> str:
    return "，".join(
        f"{label} {report.read[name]}" for name, label in _labels().items() if name in report.read
    )


def _print_counts(report: Report) -> None:
    changed = {name: c for name, c in report.counts.items() if c.new or c.changed or c.retired or c.kept}
    if not changed:
        click.echo(f"材料没有变化：{_read(report)}。")
        return
    labels = _labels()
    for name, counts in changed.items():
        kept = f"，保留人工修改 {len(counts.kept)}（{'、'.join(counts.kept)}）" if counts.kept else ""
        gone = f"，停用 {counts.retired}" if counts.retired else ""
        click.echo(
            f"{labels[name]}：新增 {counts.new}，更新 {counts.changed}，未变 {counts.same}{gone}{kept}"
        )
