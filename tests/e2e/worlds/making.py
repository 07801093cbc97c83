"""Worlds that differ only in what somebody may not see, cut out of the demonstration's own data.

The whole world is a copy of what the six agencies hold, with doubles of GOLD-1 planted in it that
nobody, or hardly anybody, may see: they bear his names, dates and numbers. A poorer world is the
same without everything that one kind of caller may not see, and nothing else.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from deploy.demo.agencies.nis import SERVICE_ROLE
from deploy.demo.agencies.nmc_schema import READER as NMC_READER
from deploy.demo.agencies.scp_schema import BASE, METADATA, READER, VIEWS, view_statements
from deploy.demo.databases import MariaDB, PostgreSQL
from deploy.demo.population import Agency, Population
from deploy.demo.services.process import running
from deploy.demo.stack import Stack

Record = dict[str, Any]
GONE = ("DISPOSE", "RESTRICTED")
LOCAL = {"ssl_disabled": True}  # by a socket; else all certificates are read for a connection
_CROWD = 45  # silent doubles of one person in a source that cannot leave them out itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What this kind of caller may see that others may not."""

    name: str  # names databases too
    covert_at_ncb: bool = False  # silent records, discreet alerts and markers of NCB
    discreet_at_bid: bool = False
    national_insurance: bool = False
    immigration_control: bool = False  # nothing that stands on a victim, no intelligence, no group


@dataclass(slots=True, kw_only=True)
class Copying:
    """The demonstration's data, from which worlds are copied."""

    stack: Stack
    population: Population
    postgresql: PostgreSQL
    home: Path
    removed: dict[str, dict[str, int]] = field(default_factory=dict)  # world -> what -> how many

    @property
    def mariadb_socket(self) -> str:
        url = sa.make_url(self.stack.secrets["SCP_DB_URL"])
        return str(url.query["unix_socket"])

    def key(self, agency: Agency, gold: str = "GOLD-1") -> str:
        return self.population.people[self.population.gold[gold]].copies[agency].key

    def count(self, world: str, what: str, number: int) -> None:
        counts = self.removed.setdefault(world, {})
        counts[what] = counts.get(what, 0) + number

    # --- PostgreSQL: NMC and NIS ---

    def copy_postgresql(self) -> None:
        """The bases of all worlds, each with nobody connected, so that it can be a template."""
        for name in ("nmc", "nis"):
            self._drop(f"{name}_whole")  # other worlds' of this server, if there were any
            self.postgresql.create_database(f"{name}_whole")
            dumped = subprocess.run(  # noqa: S603 - a fixed command
                [
                    str(self.postgresql.programs / "pg_dump"),
                    *("-h", str(self.postgresql.socket), "-U", "postgres", name),
                ],
                capture_output=True,
                text=True,
                check=True,
                cwd="/",
            ).stdout
            self.postgresql.run(dumped, database=f"{name}_whole")
        nominal = self.key(Agency.NMC)
        self.postgresql.run(
            f"""
            create temp table double as select * from rms.nominal where nom_ref = '{nominal}';
            update double set nom_ref = 'NM9999991Z', ret_cd = 'D';
            insert into rms.nominal select * from double;
            update double set nom_ref = 'NM9999992Z', ret_cd = 'X';
            insert into rms.nominal select * from double;
            insert into rms.vehicle_marker
              select vrm, code, reason, added_dt, review_dt, 'NMC', true from rms.vehicle_marker;
            insert into rms.phone
              select 'NM9999991Z', num, first_dt, last_dt from rms.phone
              where nom_ref = '{nominal}';
            insert into rms.nom_document
              select 'NM9999992Z', doc_type, doc_no, issuer from rms.nom_document
              where nom_ref = '{nominal}';
            """,  # noqa: S608 - our own key
            database="nmc_whole",
        )

    def _drop(self, name: str) -> None:
        self.postgresql.run(f"drop database if exists {name} with (force)")

    def postgresql_of(self, sight: Sight | None, name: str) -> None:
        """NMC and NIS as this kind of caller knows them; all of them for None."""
        for base in ("nmc", "nis"):
            self._drop(f"{base}_{name}")
            self.postgresql.run(f"create database {base}_{name} template {base}_whole")
        if sight is None:
            return
        rows = {
            "nominal": "ret_cd in ('D', 'X')",
            "crime": "ret_cd in ('D', 'X')",
            "vehicle": "ret_cd in ('D', 'X')",
            "custody": "ret_cd in ('D', 'X')",
            "nom_alert": "discreet",
            "vehicle_marker": "discreet and owner <> 'NCB'" if sight.covert_at_ncb else "discreet",
        }
        if not sight.national_insurance:
            rows["nom_document"] = "doc_type = 'NINO'"
        if sight.immigration_control:
            rows["nominal"] += " or role_cds ~ '[VW]'"
            rows["crime_person"] = "role_cd in ('V', 'W', 'I')"
            rows["nom_warning"] = "warn_cd = 'MH'"
            holders = "nom_ref not in (select nom_ref from rms.nominal)"
            rows |= {"phone": holders, "address": holders}
        for table, where in rows.items():
            self._delete(f"nmc_{name}", f"rms.{table}", where, sight, table)
        self._delete(f"nis_{name}", "face", "retention_cd = 'X'", sight, "image")

    def _delete(self, database: str, table: str, where: str, sight: Sight, what: str) -> None:
        statement = (
            f"with gone as (delete from {table} where {where} returning 1) "  # noqa: S608
            "select count(*) from gone"
        )
        number = self.postgresql.run(statement, database=database)
        self.count(sight.name, f"{database[:3]} {what}", int(number))

    # --- MariaDB: SCP ---

    def mariadb_of(self, sight: Sight | None, name: str) -> None:
        base, views = f"{BASE}_{name}", f"{VIEWS}_{name}"
        person = self.key(Agency.SCP)
        with self._mariadb() as connection:
            for made in (base, views):
                connection.exec_driver_sql(f"drop database if exists {made}")
                connection.exec_driver_sql(
                    f"create database {made} character set utf8mb4 collate utf8mb4_general_ci"
                )
            for table in METADATA.sorted_tables:
                connection.exec_driver_sql(
                    f"create table {base}.{table.name} like {BASE}.{table.name}"
                )
                connection.exec_driver_sql(
                    f"insert into {base}.{table.name} select * from {BASE}.{table.name}"  # noqa: S608
                )
            for statement in view_statements(base, views):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"grant select on {views}.* to '{READER}'@'localhost'")
            connection.exec_driver_sql(f"use {base}")
            columns = [c.name for c in METADATA.tables["tblPerson"].columns]
            for key, retention in ((9_999_991, "Dispose"), (9_999_992, "Restricted")):
                given = [
                    str(key) if c == "PersonID" else f"'{retention}'" if c == "Retention" else c
                    for c in columns
                ]
                connection.exec_driver_sql(
                    f"insert into tblPerson select {', '.join(given)} from tblPerson "  # noqa: S608
                    f"where PersonID = {person}"
                )
                connection.exec_driver_sql(
                    "insert into tblPersonPhone select "  # noqa: S608
                    f"{key}, Number, FirstSeen, LastSeen from tblPersonPhone "
                    f"where PersonID = {person}"
                )
            for what, statement in _scp_statements(sight):
                number = connection.exec_driver_sql(statement).rowcount
                assert sight is not None
                self.count(sight.name, f"scp {what}", number)

    @contextmanager
    def _mariadb(self) -> Iterator[sa.Connection]:
        """A connection by which databases are made and dropped."""
        url = sa.URL.create(
            "mariadb+pymysql",
            username="root",
            database="mysql",
            query={"unix_socket": self.mariadb_socket},
        )
        engine = sa.create_engine(
            url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, connect_args=LOCAL
        )
        with engine.connect() as connection:
            yield connection

    def scp_secret(self, name: str) -> str:
        url = sa.make_url(self.stack.secrets["SCP_DB_URL"])
        return url.set(database=f"{VIEWS}_{name}").render_as_string(hide_password=False)

    # --- files ---

    def eru_of(self, sight: Sight | None, path: Path) -> None:
        shutil.copy(self.stack.home / "eru.sqlite", path)
        person = int(self.key(Agency.ERU))
        with sqlite3.connect(path) as connection:
            columns = [row[1] for row in connection.execute("pragma table_info(entity)")]
            for key, name, value in ((99_991, "silent", "1"), (99_992, "retention", "'D'")):
                given = [str(key) if c == "id" else value if c == name else c for c in columns]
                connection.execute(
                    f"insert into entity select {', '.join(given)} from entity where id = ?",  # noqa: S608
                    (person,),
                )
                connection.execute(
                    "insert into link select ? + id, ?, b, rel, grade, start, end, 1 from link "
                    "where a = ? and rel = 'USE'",
                    (key * 100, key, person),
                )
            if sight is None:
                return
            hidden = "silent = 1 or retention in ('D', 'X')"
            rows = dict.fromkeys(("entity", "intel", "ocg", "disr"), hidden)
            rows |= {"link": "silent = 1", "ocg_member": "silent = 1"}
            if sight.immigration_control:
                rows |= {"intel": "1", "ocg_member": "1"}
            for table, where in rows.items():
                number = connection.execute(f"delete from {table} where {where}").rowcount  # noqa: S608
                self.count(sight.name, f"eru {table}", number)
        connection.close()

    def bid_of(self, sight: Sight | None, path: Path) -> None:
        held = json.loads((self.stack.home / "bid.json").read_text("utf-8"))
        persons, encounters = held["persons"], held["encounters"]
        gold = next(p for p in persons if p["personRef"] == self.key(Agency.BID))
        gold["alerts"].append(
            {
                "kind": "LOCATE",
                "power": "",
                "contact": "",
                "discreet": True,
                "addedOn": "2026-01-01",
            }
        )
        persons.append(gold | {"personRef": "BP999999991", "restricted": True})
        persons.append(gold | {"personRef": "BP999999992", "retention": "DIS"})
        persons.append(gold | {"personRef": "BP999999993", "discreet": True})
        persons += [gold | {"personRef": f"BP{n:09d}", "discreet": True} for n in range(_CROWD)]
        met = next(e for e in encounters if e["personRef"] == gold["personRef"])
        encounters += [
            met | {"encounterRef": f"ENC-99999{n}", "personRef": f"BP99999999{n}"} for n in (1, 3)
        ]
        if sight is not None:
            persons = self.without(
                sight,
                "bid person",
                persons,
                lambda p: p["restricted"] or p["discreet"] or p["retention"] in ("DIS", "RST"),
            )
            known = {p["personRef"] for p in persons}
            encounters = self.without(
                sight,
                "bid encounter",
                encounters,
                lambda e: e["personRef"] not in known or e["retention"] in ("DIS", "RST"),
            )
            if not sight.discreet_at_bid:
                self.thin(sight, "bid alert", persons, "alerts", lambda a: a["discreet"])
            if sight.immigration_control:
                for record in (*persons, *encounters):
                    record["needs"] = []
        path.write_text(json.dumps({"persons": persons, "encounters": encounters}), "utf-8")

    def ncb_of(self, sight: Sight | None, path: Path) -> None:
        held = json.loads((self.stack.home / "ncb.json").read_text("utf-8"))
        gold = next(n for n in held["nominals"] if n["guid"] == self.key(Agency.NCB))
        held["nominals"].append(gold | {"guid": _guid(1), "posture": "SILENT"})
        held["nominals"] += [  # more than a page of them, before all others
            gold | {"guid": f"00000000-0000-5000-8000-{n:012d}", "posture": "SILENT"}
            for n in range(_CROWD)
        ]
        old = gold["governance"] | {"retention": "DISPOSE"}
        held["nominals"].append(gold | {"guid": _guid(2), "governance": old})
        referral = held["referrals"][0]
        held["referrals"].append(referral | {"guid": _guid(3), "nominalGuid": _guid(1)})
        if sight is not None:
            for name in ("nominals", "criminalGroups", "intelReports"):
                held[name] = self.without(sight, f"ncb {name}", held[name], _hidden_by(sight))
            self._ncb_parts(sight, held)
        path.write_text(json.dumps(held), "utf-8")

    def _ncb_parts(self, sight: Sight, held: dict[str, list[Record]]) -> None:
        if not sight.covert_at_ncb:
            self.thin(sight, "ncb alert", held["nominals"], "alerts", lambda a: a["discreet"])
        if sight.immigration_control:
            referred = {r["nominalGuid"] for r in held["referrals"]}
            held["nominals"] = self.without(
                sight, "ncb victim", held["nominals"], lambda n: n["guid"] in referred
            )
            held |= {"referrals": [], "intelReports": [], "memberships": []}
        known = {n["guid"] for n in held["nominals"]}
        groups = {g["guid"] for g in held["criminalGroups"]}
        held["referrals"] = [r for r in held["referrals"] if r["nominalGuid"] in known]
        held["memberships"] = [
            m for m in held["memberships"] if m["nominalGuid"] in known and m["groupGuid"] in groups
        ]

    def without(
        self,
        sight: Sight,
        what: str,
        records: Sequence[Record],
        hidden: Callable[[Record], bool],
    ) -> list[Record]:
        kept = [record for record in records if not hidden(record)]
        self.count(sight.name, what, len(records) - len(kept))
        return kept

    def thin(
        self,
        sight: Sight,
        what: str,
        records: Sequence[Record],
        part: str,
        hidden: Callable[[Record], bool],
    ) -> None:
        for record in records:
            record[part] = self.without(sight, what, record[part], hidden)

    # --- a world ---

    def write(self, sight: Sight | None, name: str = "") -> dict[str, str]:
        """One world's data, called as the sight is unless named; its databases' secrets."""
        name = name or ("all" if sight is None else sight.name)
        self.postgresql_of(sight, name)
        self.mariadb_of(sight, name)
        eru = self.home / f"eru_{name}.sqlite"
        self.eru_of(sight, eru)
        self.bid_of(sight, self.home / f"bid_{name}.json")
        self.ncb_of(sight, self.home / f"ncb_{name}.json")
        return {
            "NMC_DB_URL": self.postgresql.url(role=NMC_READER, database=f"nmc_{name}"),
            "SCP_DB_URL": self.scp_secret(name),
            "ERU_DB_URL": f"sqlite+aiosqlite:///{eru}",
        }

    def forget(self, name: str) -> None:
        """Remove a world's data. Nobody may be connected any more."""
        for base in ("nmc", "nis"):
            self._drop(f"{base}_{name}")
        with self._mariadb() as connection:
            for base in (BASE, VIEWS):
                connection.exec_driver_sql(f"drop database if exists {base}_{name}")
        for kind in ("eru", "bid", "ncb"):
            for file in self.home.glob(f"{kind}_{name}.*"):  # SQLite's own beside the database
                file.unlink()

    @asynccontextmanager
    async def serving(self, name: str) -> AsyncIterator[Mapping[str, str]]:
        """The secrets of the services over a written world, while they run."""
        async with AsyncExitStack() as stack:
            secrets: dict[str, str] = {}
            dsn = self.postgresql.url(role=SERVICE_ROLE, database=f"nis_{name}")
            given = {
                "bid": ("--data", str(self.home / f"bid_{name}.json"), "--no-rate"),
                "ncb": ("--data", str(self.home / f"ncb_{name}.json")),
                "nis": ("--dsn", dsn),
            }
            for agency, arguments in given.items():
                module = f"deploy.demo.services.{agency}"
                url = await stack.enter_async_context(running(module, *arguments))
                secrets[f"{agency.upper()}_URL"] = url
                secrets[f"{agency.upper()}_TOKEN_URL"] = f"{url}/oauth/token"
            yield secrets | {"NCB_URL": f"{secrets['NCB_URL']}/graphql"}


def _scp_statements(sight: Sight | None) -> list[tuple[str, str]]:
    if sight is None:
        return []
    gone = "Retention in ('Dispose', 'Restricted')"
    made = [
        (table, f"delete from {table} where {gone}")  # noqa: S608 - our own names
        for table in ("tblPerson", "tblOccurrence", "tblVehicle", "tblIntel")
    ]
    made.append(("alert", "delete from tblPersonAlert where Discreet = 1"))
    ours = " and Owner <> 'NCB'" if sight.covert_at_ncb else ""
    made.append(("marker", f"delete from tblVehicleMarker where Discreet = 1{ours}"))  # noqa: S608
    if sight.immigration_control:
        victims = "find_in_set('Aggrieved', Roles) or find_in_set('Witness', Roles) or Flags & 48"
        holders = "PersonID not in (select PersonID from tblPerson)"
        made += [
            ("victim", f"delete from tblPerson where {victims}"),  # noqa: S608
            ("phone", f"delete from tblPersonPhone where {holders}"),  # noqa: S608
            ("address", f"delete from tblPersonAddress where {holders}"),  # noqa: S608
            ("health", "update tblPerson set Flags = Flags & ~8"),
            ("intel", "delete from tblIntel"),
            (
                "involvement",
                "delete from tblInvolvement where Involvement in "
                "('Aggrieved', 'Witness', 'Reporting')",
            ),
        ]
    return made


def _guid(number: int) -> str:
    return f"ffffffff-0000-5000-8000-{number:012d}"


def _hidden_by(sight: Sight) -> Callable[[Record], bool]:
    def hidden(record: Record) -> bool:
        silent = record["posture"].startswith("SILENT") and not sight.covert_at_ncb
        return silent or record["governance"]["retention"] in GONE

    return hidden


def server_of(home: Path) -> PostgreSQL:
    """The PostgreSQL of a running demonstration."""
    from deploy.demo import stack

    return stack._servers[home]


def reachable(secrets: Mapping[str, str]) -> bool:
    """Whether SCP runs on a database server of its own, as the tests require."""
    return secrets["SCP_DB_URL"].startswith("mariadb") and MariaDB.installed()
