"""Laws of the house: what is true of the code as a whole."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from sqlalchemy.engine import Engine

from edu_platform.core.db import db
from edu_platform.core.models import Base
from edu_platform.factory.app import create_app

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "edu_platform").rglob("*.py"))
# where a commit may stand, and why
MAY_COMMIT = {
    "core/db.py": "the unit of work",
    "migrations/env.py": "settings of the migrating connection",
}


def test_rooms_depend_downwards_only():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_one_place_commits():
    found = {
        str(path.relative_to(ROOT / "edu_platform"))
        for path in SOURCES
        if re.search(r"\.commit\(\)", path.read_text()) and "standin" not in path.parts
    }
    assert found <= set(MAY_COMMIT), f"commits stand in {sorted(found - set(MAY_COMMIT))}"


def test_nothing_is_called_utils():
    assert not [path for path in SOURCES if path.stem in {"utils", "util", "common", "helpers", "misc"}]


def test_no_comment_promises_to_do_it_later():
    marks = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    assert not [path.name for path in SOURCES if marks.search(path.read_text())]


def test_building_the_application_touches_no_database(settings):
    touched = []

    def note(*_):
        touched.append(True)

    event.listen(Engine, "connect", note)
    try:
        create_app(settings)
    finally:
        event.remove(Engine, "connect", note)
    assert not touched


def test_serving_does_not_load_what_only_some_need(settings):
    """Each takes memory and time to start in every web process; whoever needs it loads it."""
    code = (
        "import sys, app\n"
        "print([name for name in ('skia', 'av', 'boto3', 'rjieba', 'redis', 'alembic', 'rich', 'numpy') if name in sys.modules])"
    )
    upgrade = "from edu_platform.core.migration import upgrade; upgrade({!r})"
    environ = {
        "PATH": "",
        "EDU_ENVIRONMENT": "test",
        "EDU_DATA_DIR": str(settings.data_dir.with_name("served")),
        "EDU_SECRET_KEYS": settings.secret_keys[0],
        "EDU_SEALING_KEYS": settings.sealing_keys[0],
        "EDU_WECHAT_SECRET": "test-only-secret",
    }
    url = f"sqlite:///{environ['EDU_DATA_DIR']}/edu.sqlite3"
    for script in (upgrade.format(url), code):
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environ, check=True, capture_output=True, text=True
        )
    assert done.stdout.strip() == "[]"


def test_going_down_leaves_nothing_and_up_again_works(tmp_path):
    from alembic import command
    from sqlalchemy import inspect

    from edu_platform.core.migration import configuration, plain_engine, upgrade

    url = f"sqlite:///{tmp_path / 'migrated.sqlite3'}"
    upgrade(url)
    command.downgrade(configuration(url), "base")
    engine = plain_engine(url)
    assert set(inspect(engine).get_table_names()) == {"alembic_version"}
    engine.dispose()
    upgrade(url)


def test_the_newest_revision_is_named_by_the_last_file():
    """`check_schema` does without Alembic: names must say what it would."""
    from alembic.script import ScriptDirectory

    from edu_platform.core.migration import configuration, newest

    assert ScriptDirectory.from_config(configuration("")).get_heads() == [newest()]


def test_models_and_migrations_agree(app):
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: (
                    not (kind == "table" and (name or "").startswith("search_index"))
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_somebody_answers_for_every_column_about_a_learner(whole_app):
    """Export and erasure reach every table that knows of a learner."""
    from edu_platform.people.operations.leaving import OWN_TABLES
    from edu_platform.people.registry import holdings

    claimed = {"learner"} | OWN_TABLES | {table for holding in holdings() for table in holding.tables}
    about = {
        table.name
        for table in Base.metadata.tables.values()
        if any(key.column.table.name == "learner" for column in table.columns for key in column.foreign_keys)
        or any(column.name in {"learner_id", "visitor_id", "openid", "phone"} for column in table.columns)
    }
    assert about - claimed == set()


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_requirements_are_pinned_with_hashes_and_name_no_index(name):
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    pins = re.findall(r"^([a-z0-9][\w.\[\]-]*)(==| )(.*)$", text, re.MULTILINE | re.IGNORECASE)
    assert len(pins) > 40
    for block in re.split(r"\n(?=\S)", text.strip()):
        if not block.startswith("#"):
            assert "==" in block.splitlines()[0], block.splitlines()[0]
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_no_path_of_a_machine_stands_in_the_project():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    wrong = re.compile(r"(?<![\w.])/(" + "|".join(["wor" + "k", "roo" + "t", "hom" + "e"]) + r")/[A-Za-z.]")
    found = []
    for name in tracked.split("\0"):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".yaml", ".sh", ".in"} and path.is_file():
            found += [name] if wrong.search(path.read_text()) else []
    assert not found


def test_the_api_is_what_was_agreed(whole_app):
    """A change of the API shows in the diff of docs/openapi.json: `edu openapi > docs/openapi.json`."""
    import json

    agreed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert whole_app.test_client().get("/api/v1/openapi.json").get_json() == agreed


def test_every_operation_says_in_chinese_or_english_what_it_does_and_how_it_is_guarded(whole_app):
    document = whole_app.test_client().get("/api/v1/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation.get("summary"), f"{method} {path}"
            if "/staff/" in path and path != "/api/v1/staff/sessions":
                assert operation.get("security"), f"{method} {path}"
