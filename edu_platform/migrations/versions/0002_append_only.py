"""The trail of what staff did and the log of beacons can only be added to.

Revision: 0002

Triggers take no lock that stops readers: CREATE TRIGGER waits for writers of its table, for `lock_timeout` at most.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# what may not be done to which table; rows of the log leave it by retention, so deleting is not forbidden there
GUARDED = {"audit_entry": ("UPDATE", "DELETE"), "beacon": ("UPDATE",)}


def upgrade() -> None:
    """Put a guard on both tables."""
    if op.get_bind().dialect.name == "sqlite":
        for table, deeds in GUARDED.items():
            for deed in deeds:
                op.execute(
                    f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} can only be added to'); END"
                )
        return
    op.execute(
        """CREATE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% can only be added to', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
        END $$"""
    )
    for table, deeds in GUARDED.items():
        op.execute(
            f"CREATE TRIGGER {table}_guard BEFORE {' OR '.join(deeds)} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION only_added_to()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION only_added_to()"
        )


def downgrade() -> None:
    """Take the guards off."""
    if op.get_bind().dialect.name == "sqlite":
        for table, deeds in GUARDED.items():
            for deed in deeds:
                op.execute(f"DROP TRIGGER {table}_no_{deed.lower()}")
        return
    for table in GUARDED:
        op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
        op.execute(f"DROP TRIGGER {table}_guard ON {table}")
    op.execute("DROP FUNCTION only_added_to()")
