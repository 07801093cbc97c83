"""Ways to the log's database, and whether it is one that may be trusted with a log."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.errors import AuditUnavailable, ConfigError, Fault
from gateway.settings import Settings

Connection = Any  # asyncpg ships no types
OPENING_S: Final = 5.0
# the second for a session that ends just as the next statement is sent
_CLIENT: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)
BROKEN: Final = (OSError, TimeoutError, asyncpg.PostgresError, *_CLIENT)
"""What a database that does not do what it should raises."""
DIED: Final = (
    OSError,
    *_CLIENT,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
)
"""What a connection raises whose other end has gone."""
_LAYOUT: Final = "portcullis audit log, layout 2"
_DRIVER: Final = "postgresql+asyncpg"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
_OLDEST: Final = 140_000  # PostgreSQL 14: the first that ends a silent session by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One role's way to the database. Passwords are the client's own to find."""

    role: str
    dsn: str

    @classmethod
    def of(cls, url: str, setting: str) -> Address:
        """What a setting says.

        Raises:
            ConfigError: it is no such address.
        """
        try:
            where = make_url(url)
        except ArgumentError as error:
            raise _fault(setting, "is not a database address") from error
        if where.drivername != _DRIVER:
            raise _fault(setting, f"must begin with {_DRIVER}://")
        if where.password is not None:
            raise _fault(setting, "must hold no password: the client reads PGPASSWORD or .pgpass")
        if not _NAME.match(where.username or ""):
            raise _fault(setting, "must name its role, of small letters, digits and underscores")
        return cls(role=str(where.username), dsn=_dsn(where))

    def by(self, role: str) -> Address:
        """The same database, for another role."""
        return Address(role=role, dsn=_dsn(make_url(self.dsn).set(username=role)))

    async def connect(self, name: str, **session: str) -> Connection:
        """A connection whose commits last, with what else its session is to have.

        Raises:
            any of `BROKEN`
        """
        settings = {
            "application_name": f"portcullis audit: {name}",
            "synchronous_commit": "on",
            "jit": "off",
            **session,
        }
        return await asyncpg.connect(self.dsn, timeout=OPENING_S, server_settings=settings)


def roles(settings: Settings) -> tuple[Address, Address]:
    """The addresses of the two roles that the settings name.

    Raises:
        ConfigError: one is missing or no address; or they are one role, or lead elsewhere.
    """
    replica = Address.of(settings.audit_url, "audit_url")
    sequencer = Address.of(settings.audit_sequencer_url, "audit_sequencer_url")
    if replica.role == sequencer.role:
        raise _fault("audit_sequencer_url", "must name another role than audit_url")
    if replica.by(sequencer.role) != sequencer:
        raise _fault("audit_sequencer_url", "must lead to the database of audit_url")
    return replica, sequencer


def _dsn(where: URL) -> str:
    return where.set(drivername="postgresql").render_as_string(hide_password=False)


def _fault(setting: str, text: str) -> ConfigError:
    return ConfigError(Fault(file=setting, key="(database)", text=text))


@contextmanager
def answering(what: str) -> Iterator[None]:
    """What goes wrong between us and the database, in our words."""
    try:
        yield
    except BROKEN as error:
        raise AuditUnavailable(detail=f"{what}: {type(error).__name__}") from error


def drop(connection: Connection | None) -> None:
    """Let go of a connection at once, whatever it was doing."""
    if connection is not None:
        with suppress(*BROKEN):
            connection.terminate()


# -- whether it will do ----------------------------------------------------------------------

_TABLES: Final = (
    "audit_log", "audit_pending", "audit_entry", "audit_node", "audit_body", "audit_head",
    "audit_checkpoint", "audit_reconciled", "audit_witnessed",
)  # fmt: skip
_MAY: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "replica": frozenset({("audit_pending", "INSERT")}),
    "sequencer": frozenset(
        {
            ("audit_log", "INSERT"), ("audit_entry", "INSERT"), ("audit_node", "INSERT"),
            ("audit_body", "INSERT"), ("audit_body", "DELETE"), ("audit_pending", "DELETE"),
            ("audit_checkpoint", "INSERT"), ("audit_head", "UPDATE"),
            ("audit_reconciled", "UPDATE"), ("audit_witnessed", "UPDATE"),
        }
    ),
}  # fmt: skip
_UNBOUND: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
_RIGHTS: Final = """
SELECT t AS "table", r AS "right"
FROM unnest($1::text[]) t, unnest($2::text[]) r
WHERE CASE WHEN r IN ('DELETE', 'TRUNCATE', 'TRIGGER') THEN has_table_privilege(t, r)
      ELSE has_any_column_privilege(t, r) END
"""


async def unfit(connection: Connection, part: str) -> list[str]:
    """Why this database, seen by the role of this part ("replica", "sequencer"), will not do.

    Raises:
        any of `BROKEN`
    """
    found = []
    if int(await connection.fetchval("SHOW server_version_num")) < _OLDEST:
        return ["it must be PostgreSQL 14 or newer"]
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        found.append("it is a standby: a log is written and read at the primary alone")
    for name in ("fsync", "full_page_writes"):
        if await connection.fetchval(f"SHOW {name}") != "on":
            found.append(f"{name} is off: what it says is written may be lost")
    layout = await connection.fetchval(
        "SELECT obj_description(to_regclass('audit_log'), 'pg_class')"
    )
    if layout != _LAYOUT:
        return [*found, "its tables are not those of this version: run portcullis audit prepare"]
    if await connection.fetchval(_UNBOUND):
        return [*found, "its role is bound by no right: use one that is no superuser"]
    rights = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
    held = {tuple(row) for row in await connection.fetch(_RIGHTS, list(_TABLES), rights)}
    meant = _MAY[part] | {(table, "SELECT") for table in _TABLES}
    for table, right in sorted(meant - held):
        found.append(f"its role may not {right} {table}: run portcullis audit prepare")
    for table, right in sorted(held - meant):
        found.append(f"its role may {right} {table}, which it must not: use roles of their own")
    return found


async def check(address: Address, part: str, setting: str) -> tuple[Fault, ...]:
    """Try an address: what is wrong with it, in words for who deploys."""
    connection = None
    try:
        async with asyncio.timeout(OPENING_S):
            connection = await address.connect("check")
            texts = await unfit(connection, part)
    except BROKEN as error:
        texts = [f"cannot be reached: {type(error).__name__}"]
    finally:
        drop(connection)
    return tuple(Fault(file=setting, key="(database)", text=text) for text in texts)


# -- making it -------------------------------------------------------------------------------


def statements(replica: str, sequencer: str, schema: str = "public") -> str:
    """All that makes the tables, their rules and the two roles' rights.

    Raises:
        ValueError: a name that needs quoting.
    """
    text = Path(__file__).with_name("schema.sql").read_text("utf-8")
    for place, name in (("replica", replica), ("sequencer", sequencer), ("schema", schema)):
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is not of small letters, digits and underscores")
        text = text.replace(f"{{{place}}}", f'"{name}"')
    return text


async def prepare(owner: Address, replica: str, sequencer: str) -> None:
    """Make or mend the tables, as the role that owns them.

    Raises:
        ConfigError: it cannot be reached, a role is missing, or this one may not.
    """
    connection = None
    try:
        connection = await owner.connect("prepare")
        schema = await connection.fetchval("SELECT current_schema()")
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('portcullis audit'))")
            await connection.execute(statements(replica, sequencer, schema))
    except asyncpg.PostgresError as error:
        raise _fault("audit_url", f"cannot be prepared: {error.message}") from error
    except (*BROKEN, ValueError) as error:
        raise _fault("audit_url", f"cannot be prepared: {type(error).__name__}") from error
    finally:
        drop(connection)
