"""Dip samples, what the external auditor asks agencies, recalls of records, what reviews say."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _officer(prefix: str, *, nullable: bool = False) -> Iterable[sa.Column[str]]:
    for part in ("issuer", "id", "agency"):
        yield sa.Column(f"{prefix}_{part}", sa.Text(), nullable=nullable)


_LEVELS = "ck_review_level"


def _reviews() -> sa.Table:
    """As the one before made it: SQLite makes a table anew, and does not tell of its checks."""
    return sa.Table(
        "review",
        sa.MetaData(),
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False),
        *_officer("by"),
        sa.CheckConstraint("level in ('SUPERVISOR', 'AUDITOR')", name=op.f(_LEVELS)),
        sa.CheckConstraint("quality between 0 and 4", name=op.f("ck_review_quality")),
        sa.ForeignKeyConstraint(["case"], ["review_case.id"], name="fk_review_case_review_case"),
        sa.PrimaryKeyConstraint("case", "level", name="pk_review"),
    )


def upgrade() -> None:
    op.create_table(
        "dip_sample",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *_officer("by"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("strata", sa.String(length=8), nullable=False),
        sa.Column("seed", sa.Text(), nullable=True),
        sa.Column("checkpoint", sa.Text(), nullable=True),
        sa.Column("population", sa.Integer(), nullable=True),
        sa.Column("drawn_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("strata in ('roles', 'app')", name=op.f("ck_dip_sample_strata")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dip_sample")),
    )
    op.create_table(
        "audit_matter",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *_officer("by"),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("standards", sa.Boolean(), nullable=False),
        sa.Column("use", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=True),
        sa.Column("answered", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        *_officer("answered", nullable=True),
        sa.Column("answered_as", sa.Text(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind in ('QUESTION', 'UNSEALING', 'PAIR')", name=op.f("ck_audit_matter_kind")
        ),
        sa.CheckConstraint(
            "answer in ('ANSWERED', 'AGREED', 'REFUSED')", name=op.f("ck_audit_matter_answer")
        ),
        sa.CheckConstraint(
            "answered_id is null or answered_id <> by_id or answered_issuer <> by_issuer",
            name=op.f("ck_audit_matter_two"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_matter")),
    )
    op.create_index(op.f("ix_audit_matter_agency"), "audit_matter", ["agency", "at"], unique=False)
    op.create_table(
        "recall",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *_officer("by"),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("source", "entity", "key")),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall")),
    )
    op.create_index(op.f("ix_recall_by_agency"), "recall", ["by_agency", "at"], unique=False)
    op.create_table(
        "recalled",
        sa.Column("recall", sa.String(length=36), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["recall"], ["recall.id"], name=op.f("fk_recalled_recall_recall")),
        sa.PrimaryKeyConstraint("recall", "agency", name=op.f("pk_recalled")),
    )
    op.create_index(op.f("ix_recalled_agency"), "recalled", ["agency"], unique=False)
    with op.batch_alter_table("review", copy_from=_reviews()) as table:
        table.drop_constraint(op.f(_LEVELS), type_="check")
        table.create_check_constraint(
            op.f(_LEVELS), "level in ('SUPERVISOR', 'AUDITOR', 'STANDARDS')"
        )
        table.alter_column("quality", existing_type=sa.Integer(), nullable=True)
        table.add_column(sa.Column("entry", sa.BigInteger(), nullable=True))
