"""How much each officer has asked, and what supervisors have added."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_use",
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("writer", sa.String(length=36), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("officer", "budget", "target", "since", "writer"),
            name=op.f("pk_budget_use"),
        ),
    )
    op.create_index(op.f("ix_budget_use_since"), "budget_use", ["since"], unique=False)
    op.create_index(op.f("ix_budget_use_written_at"), "budget_use", ["written_at"], unique=False)
    op.create_table(
        "budget_release",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("officer_issuer", sa.Text(), nullable=False),
        sa.Column("officer_id", sa.Text(), nullable=False),
        sa.Column("officer_agency", sa.Text(), nullable=False),
        sa.Column("by_issuer", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_agency", sa.Text(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("extra", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_release")),
    )
    op.create_index(op.f("ix_budget_release_until"), "budget_release", ["until"], unique=False)
