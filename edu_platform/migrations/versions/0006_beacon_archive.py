"""Rows of the log leave it only when an archive holds them.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HELD = "EXISTS (SELECT 1 FROM beacon_archive WHERE OLD.id BETWEEN first_id AND last_id)"


def upgrade() -> None:
    """Make the list of archives, and let the log lose only what stands on it."""
    op.create_table(
        "beacon_archive",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("beacons", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.DateTime(), nullable=False),
        sa.Column("dropped_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beacon_archive")),
        sa.UniqueConstraint("first_id", name=op.f("uq_beacon_archive_first_id")),
        sa.UniqueConstraint("last_id", name=op.f("uq_beacon_archive_last_id")),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER beacon_no_delete BEFORE DELETE ON beacon WHEN NOT {_HELD} "
            "BEGIN SELECT RAISE(ABORT, 'beacon loses only what an archive holds'); END"
        )
        return
    op.execute(
        f"""CREATE FUNCTION only_archived() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT {_HELD} THEN
                RAISE EXCEPTION 'beacon loses only what an archive holds'
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN OLD;
        END $$"""
    )
    op.execute(
        "CREATE TRIGGER beacon_no_delete BEFORE DELETE ON beacon FOR EACH ROW EXECUTE FUNCTION only_archived()"
    )


def downgrade() -> None:
    """Forget the list; the archives stay in the store."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER beacon_no_delete")
    else:
        op.execute("DROP TRIGGER beacon_no_delete ON beacon")
        op.execute("DROP FUNCTION only_archived()")
    op.drop_table("beacon_archive")
