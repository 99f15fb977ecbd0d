"""One-time passwords that must be changed, and addresses from which staff are known.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add both; a first password that was never used still has to be changed."""
    op.add_column(
        "staff", sa.Column("must_change_password", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.execute(
        "UPDATE staff SET must_change_password = true WHERE last_signed_in_at IS NULL AND password_hash IS NOT NULL"
    )
    op.create_table(
        "staff_known_address",
        sa.Column("id", _ID, nullable=False),
        sa.Column("staff_id", _ID, nullable=False),
        sa.Column("address_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(), nullable=True),
        sa.Column("last_signed_in_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_known_address_staff_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_known_address")),
        sa.UniqueConstraint(
            "staff_id", "address_hash", name=op.f("uq_staff_known_address_staff_id_address_hash")
        ),
    )


def downgrade() -> None:
    """Take both away."""
    op.drop_table("staff_known_address")
    op.drop_column("staff", "must_change_password")
