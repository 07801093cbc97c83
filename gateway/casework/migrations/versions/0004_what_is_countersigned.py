"""What a second person reads of a question. Of those that waited before, nobody knows any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("reason_code", sa.Text(), nullable=False, server_default=""),
        sa.Column("fields", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("face", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("roles", sa.JSON(), nullable=False, server_default="[]"),
    ):
        op.add_column("countersignature", column)
