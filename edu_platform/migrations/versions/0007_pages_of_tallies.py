"""Keep tallies as pages: all values of a family, day and campaign together, and a page over all campaigns.

What was counted stays counted: pages are made of the cells there are, aliases replaced on the way.

Revision: 0007
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import sqlalchemy as sa
from alembic import op
from pyroaring import BitMap, BitMap64

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_EVERYWHERE = -1
_DAY = 0
Cells = dict[int, tuple[int, Any]]


def upgrade() -> None:
    """Make the pages, then let go of the cells."""
    big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("fold_mark", sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "unsettled_alias",
        sa.Column("number", big_id, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["number"], ["person_number.number"], name=op.f("fk_unsettled_alias_number")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_unsettled_alias")),
    )
    op.create_table(
        "tally_page",
        sa.Column("family", sa.SmallInteger(), nullable=False),
        sa.Column("span", sa.SmallInteger(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.Column("persons", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("family", "span", "campaign_id", "starts", name=op.f("pk_tally_page")),
    )
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SELECT last_id FROM fold_mark FOR UPDATE"))  # nobody folds meanwhile
    same_as = {
        row.number: row.same_as
        for row in connection.execute(
            sa.text("SELECT number, same_as FROM person_number WHERE same_as IS NOT NULL")
        )
    }
    days = connection.execute(
        sa.text("SELECT DISTINCT family, starts FROM tally WHERE span = 0 ORDER BY family, starts")
    ).all()
    for family, starts in days:
        _make_pages(connection, family, starts, same_as)
    op.drop_index("uq_tally_cell", table_name="tally")
    op.drop_table("tally")


def _make_pages(connection: sa.Connection, family: int, starts: int, same_as: dict[int, int]) -> None:
    rows = connection.execute(
        sa.text(
            "SELECT campaign_id, value, measure, scope, suspect, times, persons FROM tally"
            " WHERE family = :family AND span = 0 AND starts = :starts ORDER BY campaign_id"
        ),
        {"family": family, "starts": starts},
    ).all()
    everywhere: Cells = {}
    for campaign_id, some in groupby(rows, lambda row: row.campaign_id):
        cells: Cells = {}
        for row in some:
            persons = BitMap.deserialize(row.persons)
            persons = BitMap([same_as.get(number, number) for number in persons])
            cell = row.value << 3 | row.measure << 2 | int(row.suspect) << 1 | row.scope
            cells[cell] = (row.times, persons)
            times, others = everywhere.get(cell, (0, BitMap()))
            everywhere[cell] = (times + row.times, others | persons)
        _insert(connection, (family, _DAY, campaign_id, starts), cells)
    _insert(connection, (family, _DAY, _EVERYWHERE, starts), everywhere)


def _insert(connection: sa.Connection, key: tuple[int, int, int, int], cells: Cells) -> None:
    none = (0, BitMap())
    figures = []
    for head in sorted({cell >> 1 for cell in cells}):
        (times, persons), (anonymous_times, anonymous) = (
            cells.get(head << 1, none), cells.get(head << 1 | 1, none)
        )  # fmt: skip
        figures.append(
            [
                *(head >> 2, (head >> 1) & 1, head & 1, times, anonymous_times),
                *(len(persons), len(anonymous), len(persons & anonymous)),
            ]
        )
    everybody = BitMap64(
        number | cell << 32 for cell, (_, persons) in sorted(cells.items()) for number in persons
    )
    connection.execute(
        sa.text("INSERT INTO tally_page VALUES (:family, :span, :campaign, :starts, :figures, :persons)"),
        {
            **dict(zip(("family", "span", "campaign", "starts"), key, strict=True)),
            "figures": np.array(figures, "<u4").tobytes(),
            "persons": everybody.serialize(),
        },
    )


def downgrade() -> None:
    """Take the pages apart into cells again, of days and of the months that they add up to."""
    op.create_table(
        "tally",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("family", sa.SmallInteger(), nullable=False),
        sa.Column("span", sa.SmallInteger(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("measure", sa.SmallInteger(), nullable=False),
        sa.Column("scope", sa.SmallInteger(), nullable=False),
        sa.Column("suspect", sa.Boolean(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("persons", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally")),
    )
    op.create_index(
        "uq_tally_cell",
        "tally",
        ["family", "span", "starts", "campaign_id", "value", "measure", "scope", "suspect"],
        unique=True,
    )
    connection = op.get_bind()
    heads = connection.execute(
        sa.text(
            "SELECT family, campaign_id, starts FROM tally_page WHERE span = 0 AND campaign_id >= 0"
            " ORDER BY family, campaign_id, starts"
        )
    ).all()
    for (family, campaign_id, month), days in groupby(heads, lambda h: (*h[:2], _month(h.starts))):
        whole: Cells = {}
        for day in days:
            cells = _cells(connection, day)
            _insert_cells(connection, (family, 0, day.starts, campaign_id), cells)
            for cell, (times, persons) in cells.items():
                before = whole.get(cell, (0, BitMap()))
                whole[cell] = (before[0] + times, before[1] | persons)
        _insert_cells(connection, (family, 1, month, campaign_id), whole)
    op.drop_table("tally_page")
    op.drop_table("unsettled_alias")
    op.drop_column("fold_mark", "turn")


def _month(day: int) -> int:
    """Return the number of the first day of the month that a day is in."""
    first = date(1970, 1, 1)
    return ((first + timedelta(days=day)).replace(day=1) - first).days


def _cells(connection: sa.Connection, head: Any) -> Cells:
    page = connection.execute(
        sa.text(
            "SELECT figures, persons FROM tally_page WHERE span = 0 AND family = :family"
            " AND campaign_id = :campaign_id AND starts = :starts"
        ),
        dict(head._mapping),  # noqa: SLF001 - a row's public way to a mapping
    ).one()
    cells: Cells = {}
    for value, measure, suspect, *times in np.frombuffer(page.figures, "<u4").reshape(-1, 8)[:, :5].tolist():
        for scope in (0, 1):
            if times[scope]:
                cells[value << 3 | measure << 2 | suspect << 1 | scope] = (times[scope], BitMap())
    for person in BitMap64.deserialize(page.persons):
        cells[person >> 32][1].add(person & 0xFFFFFFFF)
    return cells


def _insert_cells(connection: sa.Connection, head: tuple[int, int, int, int], cells: Cells) -> None:
    names = ("family", "span", "starts", "campaign_id")
    connection.execute(
        sa.text(
            "INSERT INTO tally (family, span, starts, campaign_id, value, measure, scope, suspect, times, persons)"
            " VALUES (:family, :span, :starts, :campaign_id, :value, :measure, :scope, :suspect, :times, :persons)"
        ),
        [
            {
                **dict(zip(names, head, strict=True)),
                "value": cell >> 3,
                "measure": (cell >> 2) & 1,
                "scope": cell & 1,
                "suspect": bool(cell & 2),
                "times": times,
                "persons": persons.serialize(),
            }
            for cell, (times, persons) in sorted(cells.items())
        ],
    )
