"""Loading the catalogue from files, and trying every source: each fault by file and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import pytest

from connectors.conditions import ALWAYS, Compare, Condition, Op, fields_of
from connectors.spi import (
    Ability,
    Capability,
    Column,
    Connector,
    Health,
    Secrets,
    SourceProtocolError,
    SourceQuery,
    SourceResult,
    SourceTooBroad,
    SourceUnavailable,
)
from gateway.catalogue.check import check_connections, check_sources, connect, load_catalogue
from gateway.catalogue.mapping import Catalogue, read_catalogue
from gateway.errors import ConfigError, Fault
from tests.unit.query.world import EAST, HEADER, ROOT, vocabulary

REAL = ROOT / "deploy/catalogue"


def files(directory: Path, **sources: str) -> Path:
    (directory / "sources").mkdir()
    (directory / "entities.toml").write_text((REAL / "entities.toml").read_text("utf-8"), "utf-8")
    for name, text in sources.items():
        (directory / "sources" / f"{name}.toml").write_text(text, "utf-8")
    return directory


def told(error: ConfigError) -> list[tuple[str, str]]:
    return [(fault.file, fault.key) for fault in error.faults]


def test_the_real_catalogue_loads() -> None:
    held = load_catalogue(REAL)
    assert {"bid", "eru", "ncb", "nis", "nmc", "scp"} <= set(held.sources)
    for source in held.sources.values():
        assert source.file == f"sources/{source.id}.toml"


def test_a_report_is_silent_by_its_posture_or_by_a_condition() -> None:
    silent = load_catalogue(REAL).mapping("ncb", "IntelligenceReport").columns["silent"]
    rows: list[tuple[str, list[str]]] = [
        ("OVERT_NOTIFY", ["NO_ONWARD"]), ("OVERT_NOTIFY", ["NO_ONWARD", "SILENT"]),
        ("SILENT", []), ("A_NEW_POSTURE", []),
    ]  # fmt: skip
    assert [silent.decode(row) for row in rows] == [False, True, True, True]


def test_faults_of_several_files_come_together(tmp_path: Path) -> None:
    files(tmp_path, a="version = ", b='version = 1\nid = "b"', c='version = 3\nid = "c"')
    (tmp_path / "sources" / "d.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(tmp_path)
    found = told(caught.value)
    assert ("sources/a.toml", "-") in found
    assert ("sources/d.toml", "-") in found
    assert ("sources/b.toml", "agency") in found
    assert ("sources/c.toml", "version") in found


def test_a_broken_file_alone_stops_the_loading(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalogue(files(tmp_path, a="nonsense"))
    assert told(caught.value) == [("sources/a.toml", "-")]


def test_a_directory_without_vocabulary_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_catalogue(tmp_path)
    assert told(caught.value) == [("entities.toml", "-")]
    assert "cannot be read" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"), [("", "version"), ("version = 1\nheader = 3\n", "header.fields")]
)
def test_a_vocabulary_that_says_nothing_of_use_is_at_fault_too(
    tmp_path: Path, text: str, key: str
) -> None:
    files(tmp_path, b='version = 1\nid = "b"\nconnector = "sql"')
    (tmp_path / "entities.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(tmp_path)
    assert told(caught.value) == [("entities.toml", key), ("sources/b.toml", "agency")]


# --- connecting ----------------------------------------------------------------------------------


class NoSecrets:
    def get(self, name: str) -> str:
        raise KeyError(name)


def test_connections_that_cannot_be_made_are_named_together() -> None:
    def source(name: str, connector: str, connection: Mapping[str, Any]) -> dict[str, Any]:
        return {**EAST, "id": name, "connector": connector, "connection": connection}

    held = read_catalogue(
        vocabulary(),
        [
            ("a.toml", source("a", "pigeon", {})),
            ("b.toml", source("b", "sql", {"url_secret": "B_URL"})),
            ("c.toml", source("c", "sql", {"colour": "red"})),
        ],
    )
    with pytest.raises(ConfigError) as caught:
        connect(held, NoSecrets())
    assert [(f.file, f.key) for f in caught.value.faults] == [
        ("a.toml", "connection"),
        ("b.toml", "connection.url_secret"),
        ("c.toml", "connection.url"),
        ("c.toml", "connection.colour"),
    ]
    assert "'B_URL'" in caught.value.faults[1].text


def test_a_connections_table_is_read_without_its_secrets() -> None:
    """What is wrong in the file is told; that a secret is not on this machine is not."""
    assert check_connections(load_catalogue(REAL)) == ()
    listing = {"path": "/p", "params": [{"column": "a", "op": "like", "param": "a"}]}
    rest = {"base_url_secret": "B_URL", "page_size": "many", "relations": {"r": listing}}
    tables = {"rest": {**rest, "oauth": {"scope": "s"}}, "sql": {"colour": "red"}}
    sources = [
        (f"{kind}.toml", {**EAST, "id": kind, "connector": kind, "connection": table})
        for kind, table in tables.items()
    ]
    found = check_connections(read_catalogue(vocabulary(), sources))
    assert {(fault.file, fault.key) for fault in found} == {
        ("rest.toml", "connection.page_size"),
        ("rest.toml", "connection.oauth.token_url"),
        ("rest.toml", "connection.oauth.client_id_secret"),
        ("rest.toml", "connection.oauth.client_secret_secret"),
        ("rest.toml", "connection.relations.r.params[0].op"),
        ("sql.toml", "connection.url"),
        ("sql.toml", "connection.colour"),
    }


# --- trying --------------------------------------------------------------------------------------


@dataclass
class FakeConnector:
    """A source that says of itself what it is told to say."""

    health: Health = field(default_factory=lambda: Health(ok=True))
    row: Mapping[str, object] = field(default_factory=dict)
    error: Exception | None = None
    unknown: str = ""  # a column for which it refuses the whole question
    wants: Condition = ALWAYS  # the only question that it answers
    empty: bool = False
    deaf: str = ""  # a column that it cannot filter by
    told: Mapping[str, frozenset[tuple[str, Op]]] | None = None  # what it has parameters for

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        raise NotImplementedError

    @property
    def capabilities(self) -> Capability:
        return Capability(abilities=Ability.PROJECT, told=self.told)

    def residual(self, query: SourceQuery) -> Condition:
        return query.guard if self.deaf in fields_of(query.guard) else ALWAYS

    def explain(self, query: SourceQuery) -> str:
        return query.relation

    async def fetch(self, query: SourceQuery) -> SourceResult:
        if self.error is not None:
            raise self.error
        if self.wants not in (ALWAYS, query.where):
            raise SourceTooBroad("needs one of its combinations of criteria")
        if self.unknown in query.columns:
            raise SourceProtocolError("status 400")
        if self.empty:
            return SourceResult(rows=())
        return SourceResult(rows=(tuple(self.row.get(column) for column in query.columns),))

    async def check(self) -> Health:
        return self.health

    async def aclose(self) -> None:
        return None


def small(**more: object) -> Catalogue:
    person = {
        "relation": "person",
        "only": {"field": "gone", "op": "eq", "value": 0},
        "columns": {"date_of_birth": {"column": "dob", "format": "%Y%m%d"}},
        "parts": {
            "names": {"family": "sur"},
            "contacts": {"relation": "phone", "by": "person", "value": "num"},
        },
        **more,
    }
    source = {
        "version": 1, "id": "s", "agency": "S", "connector": "sql", "header": HEADER,
        "entity": {"Person": person},
    }  # fmt: skip
    return read_catalogue(vocabulary(), [("s.toml", source)])


async def tried(connector: FakeConnector, held: Catalogue | None = None) -> tuple[Fault, ...]:
    return await check_sources(held or small(), {"s": cast("Connector", connector)})


def relations(**columns: str) -> Health:
    held = {
        name: {
            column: Column(type="integer" if column in {"silent", "gone"} else "text")
            for column in text.split()
        }
        for name, text in columns.items()
    }
    return Health(ok=True, relations=held)


WHOLE = relations(person="id dob sur gone hnd silent", phone="person num")


async def test_a_source_that_has_all_it_should_has_no_fault() -> None:
    row = {"id": "p1", "dob": "19910417", "hnd": "P", "silent": 0}
    assert await tried(FakeConnector(WHOLE, row)) == ()
    assert await tried(FakeConnector(Health(ok=True), row)) == ()


async def test_a_source_that_does_not_answer_is_named() -> None:
    (fault,) = await tried(FakeConnector(Health(ok=False, detail="refused")))
    assert (fault.file, fault.key) == ("s.toml", "connection")
    assert "refused" in fault.text


async def test_what_a_source_lacks_is_named_by_the_key_that_names_it() -> None:
    health = relations(person="id sur hnd silent")
    found = {fault.key: fault.text for fault in await tried(FakeConnector(health))}
    assert "'person' has no column 'dob'" in found.values()
    assert "'person' has no column 'gone'" in found.values()
    assert found["entity.Person.parts.contacts.0.relation"] == "the source has no 'phone'"
    none = await tried(FakeConnector(relations(other="x")))
    assert "the source has no 'person'" in [fault.text for fault in none]


async def test_a_column_of_another_type_than_the_conversion_reads_is_named() -> None:
    held = relations(person="id dob sur gone hnd silent", phone="person num").relations
    assert held is not None
    person = {**held["person"], "silent": Column(type="text")}
    health = Health(ok=True, relations={**held, "person": person})
    assert "entity.Person.columns.silent" in {f.key for f in await tried(FakeConnector(health))}


async def test_values_that_cannot_be_read_are_named() -> None:
    (fault,) = await tried(FakeConnector(WHOLE, {"id": "p1", "dob": "17/04/1991", "hnd": "P"}))
    assert fault.key == "entity.Person.columns.date_of_birth"
    assert "1991" not in fault.text


async def test_a_source_that_cannot_be_read_is_named() -> None:
    found = await tried(FakeConnector(WHOLE, error=SourceUnavailable("gone")))
    assert "entity.Person" in {fault.key for fault in found}
    assert all("cannot be read" in fault.text for fault in found)


ONE = {"field": "id", "op": "eq", "value": "p1"}
ASKED = Compare("id", Op.EQ, "p1")
LONE = {"sample": ONE, "only": None, "parts": {"names": {"family": "sur"}}}


async def test_a_source_that_wants_criteria_is_tried_by_its_sample() -> None:
    picky = FakeConnector(Health(ok=True), {"id": "p1", "dob": "17/04/1991"}, wants=ASKED)
    (untried, _) = await tried(picky)
    assert untried.key == "entity.Person.sample"
    assert "narrower" in untried.text
    (fault,) = await tried(picky, small(**LONE))
    assert fault.key == "entity.Person.columns.date_of_birth"
    picky.empty = True
    (fault,) = await tried(picky, small(**LONE))
    assert fault.key == "entity.Person.sample"
    assert "no record" in fault.text


async def test_a_service_that_refuses_a_field_is_asked_for_each() -> None:
    row = {"id": "p1", "dob": "19910417", "hnd": "Q"}
    refusing = FakeConnector(Health(ok=True), row, unknown="sur")
    found = {fault.key: fault.text for fault in await tried(refusing, small(**LONE))}
    assert set(found) == {
        "entity.Person.parts.names.0.family",
        "entity.Person.columns.handling",
    }
    assert "status 400" in found["entity.Person.parts.names.0.family"]
    assert "does not list" in found["entity.Person.columns.handling"]


async def test_codes_in_lists_are_tried_one_by_one() -> None:
    kinds = {"DOC": "LEGAL"}
    listed = {"each": "n", "family": "n[].f", "kind": {"column": "n[].t", "values": kinds}}
    row = {"id": "p1", "n[].f": ["A", "B", "C"], "n[].t": ["DOC", "AKA", None]}
    held = small(**{**LONE, "parts": {"names": listed}})
    (fault,) = await tried(FakeConnector(Health(ok=True), row), held)
    assert fault.key == "entity.Person.parts.names.0.kind"
    assert fault.text.startswith("1 of 2 values")


async def test_a_source_that_cannot_apply_the_guard_is_named() -> None:
    row = {"id": "p1", "dob": "19910417", "hnd": "P", "silent": 0}
    (fault,) = await tried(FakeConnector(WHOLE, row, deaf="silent"))
    assert fault.key == "entity.Person.columns.silent"
    assert "guard" in fault.text
    assert await tried(FakeConnector(WHOLE, row, deaf="silent"), small(over_read=True)) == ()


async def test_a_source_that_cannot_choose_elements_by_a_rule_is_named() -> None:
    alert = {"relation": "alert", "by": "person", "discreet": "disc"}
    row = {"id": "p1", "dob": "19910417", "hnd": "P", "silent": 0}
    held = {"parts": {"alerts": alert}}
    whole = relations(person="id dob sur gone hnd silent", alert="person disc")
    found = await tried(FakeConnector(whole, row, deaf="disc"), small(**held))
    assert "entity.Person.parts.alerts.0.discreet" in {fault.key for fault in found}
    agreed = {"parts": {"alerts": {**alert, "over_read": True}}}
    found = await tried(FakeConnector(whole, row, deaf="disc"), small(**agreed))
    assert "cannot" not in " ".join(fault.text for fault in found)


async def test_a_filter_that_a_service_has_no_parameter_for_is_named() -> None:
    row = {"id": "p1", "dob": "19910417", "hnd": "P", "silent": 0}
    nothing: frozenset[tuple[str, Op]] = frozenset()
    (fault,) = await tried(FakeConnector(WHOLE, row, told={"person": nothing}))
    assert fault.key == "entity.Person.columns.date_of_birth"
    assert "no parameter" in fault.text
    born = frozenset(("dob", op) for op in Op)
    assert await tried(FakeConnector(WHOLE, row, told={"person": born})) == ()
    (fault,) = await tried(FakeConnector(WHOLE, row, told={}))  # nor the relation itself
    assert fault.key == "entity.Person.columns.date_of_birth"
    said = {"date_of_birth": {"column": "dob", "format": "%Y%m%d", "ask": False}}
    assert await tried(FakeConnector(WHOLE, row, told={}), small(columns=said)) == ()
