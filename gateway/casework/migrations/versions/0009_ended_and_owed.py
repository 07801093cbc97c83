"""Pairs that are ended early, and recalls of which the agencies are not told yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_matter", sa.Column("ended", sa.BigInteger(), nullable=True))
    op.add_column("audit_matter", sa.Column("ended_at", sa.BigInteger(), nullable=True))
    for part in ("issuer", "id", "agency"):
        op.add_column("audit_matter", sa.Column(f"ended_{part}", sa.Text(), nullable=True))
    op.add_column("recall", sa.Column("told_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE recall SET told_at = at")
