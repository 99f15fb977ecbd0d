"""Which key of the key store is a learner's own.

Revision: 0004

The keys themselves leave the database by `edu upgrade`, which moves them when this has run.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of names."""
    op.create_table(
        "learner_key",
        sa.Column("learner_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["learner_id"], ["learner.id"], name=op.f("fk_learner_key_learner_id")),
        sa.PrimaryKeyConstraint("learner_id", name=op.f("pk_learner_key")),
        sa.UniqueConstraint("name", name=op.f("uq_learner_key_name")),
    )


def downgrade() -> None:
    """Drop it; what was sealed under keys of the store is then out of reach for the release before."""
    op.drop_table("learner_key")
