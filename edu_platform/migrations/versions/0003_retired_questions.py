"""A question that is used no more says since when.

Revision: 0003

A column that may be empty is added without touching a row, on both databases.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: every question is in use."""
    op.add_column("question", sa.Column("retired_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    """Take the column away: every question is in use again."""
    op.drop_column("question", "retired_at")
