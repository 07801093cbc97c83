"""Releases that their desk ended early."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("release_grant", sa.Column("revoked_at", sa.BigInteger(), nullable=True))
    for name in ("revoked_issuer", "revoked_id", "revoked_agency", "revocation"):
        op.add_column("release_grant", sa.Column(name, sa.Text(), nullable=True))
