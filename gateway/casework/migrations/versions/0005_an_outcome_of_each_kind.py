"""One search may be of several kinds, and owes an outcome of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OWED = "ix_search_outcome_owed"


def upgrade() -> None:
    op.drop_index(_OWED, "search_outcome")  # SQLite makes the table anew, and would lose its where
    with op.batch_alter_table("search_outcome") as table:
        table.drop_constraint("pk_search_outcome", type_="primary")
        table.create_primary_key("pk_search_outcome", ["operation", "kind"])
    op.create_index(
        _OWED,
        "search_outcome",
        ["officer_issuer", "officer_id", "kind"],
        unique=True,
        sqlite_where=sa.text("outcome is null"),
        postgresql_where=sa.text("outcome is null"),
    )
