"""Every table of the first release."""

from __future__ import annotations

import importlib

from alembic import op

from edu_platform.core.models import Base

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    Base.metadata.create_all(op.get_bind())
    if importlib.util.find_spec("edu_platform.library.search"):
        search = importlib.import_module("edu_platform.library.search")
        for statement in search.DDL[op.get_bind().dialect.name]:
            op.execute(statement)


def downgrade() -> None:
    Base.metadata.drop_all(op.get_bind())
