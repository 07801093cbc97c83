"""Which queries somebody is to review, and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_case",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("origin in ('SAMPLE', 'MISUSE')", name=op.f("ck_review_case_origin")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_case")),
    )
    op.create_index("ix_review_case_one", "review_case", ["batch", "request"], unique=True)
    op.create_index(op.f("ix_review_case_agency"), "review_case", ["agency", "at"], unique=False)
    op.create_table(
        "review",
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("by_issuer", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_agency", sa.Text(), nullable=False),
        sa.CheckConstraint("level in ('SUPERVISOR', 'AUDITOR')", name=op.f("ck_review_level")),
        sa.CheckConstraint("quality between 0 and 4", name=op.f("ck_review_quality")),
        sa.ForeignKeyConstraint(
            ["case"], ["review_case.id"], name=op.f("fk_review_case_review_case")
        ),
        sa.PrimaryKeyConstraint("case", "level", name=op.f("pk_review")),
    )
