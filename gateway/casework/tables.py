"""The tables of the gateway's own records, for SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[datetime]):
    """A moment to the microsecond, kept as a number: both databases order it exactly alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", String(36), primary_key=True)


def _officer(prefix: str, *, nullable: bool = False) -> tuple[Column[str], ...]:
    return tuple(
        Column(f"{prefix}_{part}", Text, nullable=nullable) for part in ("issuer", "id", "agency")
    )


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Moment, nullable=nullable)


requests = Table(
    "release_request",
    metadata,
    _id(),
    _moment("at"),
    *_officer("asker"),
    *(_text(name) for name in ("ref", "source", "entity", "agency", "desk", "on_call")),
    Column("fields", JSON, nullable=False),
    Column("for_s", Integer, nullable=False),
    Column("opens", Boolean, nullable=False),
    *(_text(name) for name in ("urgency", "purpose", "reason_code")),
    _text("reason_text", nullable=True),
    _text("case_ref", nullable=True),
    _moment("due_at"),
    Column("state", String(16), nullable=False),
    _moment("decided_at", nullable=True),
    _text("refusal", nullable=True),
    CheckConstraint("state in ('OPEN', 'ESCALATED', 'GRANTED', 'REFUSED')", name="state"),
    Index(None, "asker_issuer", "asker_id", "at"),
    Index(None, "agency", "state", "due_at"),
)

grants = Table(
    "release_grant",
    metadata,
    Column("request", ForeignKey("release_request.id"), primary_key=True),
    _moment("at"),
    *_officer("by"),
    Column("fields", JSON, nullable=False),
    _moment("until"),
    _moment("revoked_at", nullable=True),
    *_officer("revoked", nullable=True),
    _text("revocation", nullable=True),
    Index(None, "until"),
)

notices = Table(
    "notice",
    metadata,
    _id(),
    _moment("at"),
    *(_text(name) for name in ("agency", "desk", "about", "subject")),
    _text("record", nullable=True),
    *_officer("asker", nullable=True),
    _text("on_call", nullable=True),
    _moment("due_at", nullable=True),
    _moment("escalated_at", nullable=True),
    _moment("acknowledged_at", nullable=True),
    *_officer("acknowledged", nullable=True),
    Column("attempts", Integer, nullable=False),
    _moment("next_at", nullable=True),
    _moment("delivered_at", nullable=True),
    Index(None, "agency", "at"),
)

outcomes = Table(
    "search_outcome",
    metadata,
    Column("operation", String(36), primary_key=True),
    *_officer("officer"),
    Column("kind", Text, primary_key=True),
    _moment("at"),
    _text("outcome", nullable=True),
    _moment("recorded_at", nullable=True),
    Index(
        "ix_search_outcome_owed",  # at most one is owed of each kind
        "officer_issuer",
        "officer_id",
        "kind",
        unique=True,
        sqlite_where=text("outcome is null"),
        postgresql_where=text("outcome is null"),
    ),
)

countersignatures = Table(
    "countersignature",
    metadata,
    _id(),
    _moment("at"),
    *_officer("asker"),
    _text("digest"),
    _text("purpose"),
    _text("reason_code"),
    _text("what"),
    Column("fields", JSON, nullable=False),
    Column("face", Boolean, nullable=False),
    Column("roles", JSON, nullable=False),
    *_officer("by", nullable=True),
    _moment("until", nullable=True),
    _moment("used_at", nullable=True),
    Index(None, "asker_issuer", "asker_id", "digest"),
)

budget_uses = Table(
    "budget_use",
    metadata,
    Column("officer", Text, primary_key=True),
    Column("budget", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("since", Moment, primary_key=True),
    Column("writer", String(36), primary_key=True),
    Column("used", Integer, nullable=False),
    _moment("written_at"),
    Index(None, "since"),
    Index(None, "written_at"),
)

budget_releases = Table(
    "budget_release",
    metadata,
    _id(),
    _moment("at"),
    *_officer("officer"),
    *_officer("by"),
    _text("budget"),
    Column("extra", Integer, nullable=False),
    _moment("until"),
    Index(None, "until"),
)

page_sessions = Table(
    "page_session",
    metadata,
    Column("digest", String(64), primary_key=True),
    *(_moment(name) for name in ("opened_at", "seen_at", "ends_at")),
    *(_text(name) for name in ("sealed", "use")),
    Index(None, "ends_at"),
)

review_cases = Table(
    "review_case",
    metadata,
    _id(),
    _moment("at"),
    Column("origin", String(16), nullable=False),
    *(_text(name) for name in ("batch", "stratum", "agency", "actor", "request")),
    Column("entry", BigInteger, nullable=False),
    _moment("asked_at"),
    CheckConstraint("origin in ('SAMPLE', 'MISUSE')", name="origin"),
    Index("ix_review_case_one", "batch", "request", unique=True),
    Index(None, "agency", "at"),
)

reviews = Table(
    "review",
    metadata,
    Column("case", ForeignKey("review_case.id"), primary_key=True),
    Column("level", String(16), primary_key=True),
    _moment("at"),
    Column("outcome", String(16), nullable=False),
    Column("quality", Integer, nullable=True),
    *_officer("by"),
    Column("entry", BigInteger, nullable=True),
    CheckConstraint("level in ('SUPERVISOR', 'AUDITOR', 'STANDARDS')", name="level"),
    CheckConstraint("quality between 0 and 4", name="quality"),
)

dip_samples = Table(
    "dip_sample",
    metadata,
    _id(),
    _moment("at"),
    *_officer("by"),
    *(_moment(name) for name in ("since", "until")),
    Column("count", Integer, nullable=False),
    Column("strata", String(8), nullable=False),
    *(_text(name, nullable=True) for name in ("seed", "checkpoint")),
    Column("population", Integer, nullable=True),
    _moment("drawn_at", nullable=True),
    CheckConstraint("strata in ('roles', 'app')", name="strata"),
)

audit_matters = Table(
    "audit_matter",
    metadata,
    _id(),
    Column("kind", String(16), nullable=False),
    _moment("at"),
    *_officer("by"),
    _text("agency"),
    Column("entry", BigInteger, nullable=False),
    Column("standards", Boolean, nullable=False),
    _text("use"),
    Column("asked", BigInteger, nullable=False),
    Column("answer", String(16), nullable=True),
    Column("answered", BigInteger, nullable=True),
    _moment("answered_at", nullable=True),
    *_officer("answered", nullable=True),
    _text("answered_as", nullable=True),
    _moment("until", nullable=True),
    Column("ended", BigInteger, nullable=True),
    _moment("ended_at", nullable=True),
    *_officer("ended", nullable=True),
    CheckConstraint("kind in ('QUESTION', 'UNSEALING', 'PAIR')", name="kind"),
    CheckConstraint("answer in ('ANSWERED', 'AGREED', 'REFUSED')", name="answer"),
    CheckConstraint(  # two pairs of eyes, whatever the program does
        "answered_id is null or answered_id <> by_id or answered_issuer <> by_issuer", name="two"
    ),
    Index(None, "agency", "at"),
)

recalls = Table(
    "recall",
    metadata,
    _id(),
    _moment("at"),
    *_officer("by"),
    *(_text(name) for name in ("source", "entity", "key", "said")),
    Column("entry", BigInteger, nullable=False),
    Column("answers", Integer, nullable=False),
    _moment("told_at", nullable=True),
    Index(None, "by_agency", "at"),
)

recalled = Table(
    "recalled",
    metadata,
    Column("recall", ForeignKey("recall.id"), primary_key=True),
    Column("agency", Text, primary_key=True),
    _text("ref"),
    Column("shown", JSON, nullable=False),
    Index(None, "agency"),
)
