"""Loading the catalogue from its files, and trying every source: each fault by file and key.

The only module of this room that touches files or sources.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from connectors.conditions import fields_of
from connectors.registry import connector_class
from connectors.spi import Column, Connector, Health, Secrets, SourceError, SourceQuery
from gateway.catalogue.conversions import Codec
from gateway.catalogue.mapping import BIT, Catalogue, EntityMapping, Source, read_catalogue
from gateway.catalogue.vocabulary_file import read_vocabulary
from gateway.errors import ConfigError, Fault

VOCABULARY = "entities.toml"


def load_catalogue(directory: Path) -> Catalogue:
    """The vocabulary in `entities.toml` and the mapping files in `sources/`.

    Raises:
        ConfigError: with every fault of every file.
    """
    faults: list[Fault] = []
    vocabulary_data = _toml(directory / VOCABULARY, directory, faults)
    files: list[tuple[str, Mapping[str, Any]]] = []
    for file in sorted((directory / "sources").glob("*.toml")):
        data = _toml(file, directory, faults)
        if data is not None:
            files.append((str(file.relative_to(directory)), data))
    if vocabulary_data is None:
        raise ConfigError(*faults)
    vocabulary = read_vocabulary(vocabulary_data, VOCABULARY)
    try:
        catalogue = read_catalogue(vocabulary, files)
    except ConfigError as error:
        raise ConfigError(*faults, *error.faults) from error
    if faults:
        raise ConfigError(*faults)
    return catalogue


def _toml(file: Path, root: Path, faults: list[Fault]) -> dict[str, Any] | None:
    name = str(file.relative_to(root))
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        faults.append(Fault(file=name, key="-", text=f"cannot be read: {error.strerror}"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(Fault(file=name, key="-", text=f"is not TOML: {error}"))
    return None


def connect(catalogue: Catalogue, secrets: Secrets) -> dict[str, Connector]:
    """A connector for each source. No I/O yet.

    Raises:
        ConfigError: with every fault of every `[connection]` table.
    """
    made: dict[str, Connector] = {}
    faults: list[Fault] = []
    for source in catalogue.sources.values():
        try:
            kind = connector_class(source.connector)
            made[source.id] = kind.from_config(source.connection, secrets)
        except KeyError as error:
            text = f"there is no secret {error.args[0]!r}: set it in the environment or a file"
            faults.append(Fault(file=source.file, key="connection", text=text))
        except ValueError as error:
            faults.append(Fault(file=source.file, key="connection", text=str(error)))
    if faults:
        raise ConfigError(*faults)
    return made


async def check_sources(
    catalogue: Catalogue, sources: Mapping[str, Connector]
) -> tuple[Fault, ...]:
    """Try every source: is it there, and does it hold what its mapping says?"""
    checked = await asyncio.gather(
        *(_check_source(source, sources[source.id]) for source in catalogue.sources.values())
    )
    return tuple(fault for faults in checked for fault in faults)


async def _check_source(source: Source, connector: Connector) -> list[Fault]:
    try:
        health = await connector.check()
    except SourceError as error:
        health = Health(ok=False, detail=str(error))
    if not health.ok:
        text = f"the source does not answer: {health.detail}"
        return [Fault(file=source.file, key="connection", text=text)]
    faults = list(_declared(source, health.relations)) if health.relations is not None else []
    if not faults:
        for entity in source.entities.values():
            faults.extend(await _try(source, entity, connector))
    return faults


def _declared(source: Source, relations: Mapping[str, Mapping[str, Column]]) -> Iterator[Fault]:
    """Every relation and column that a mapping names must be there, in a fitting type."""
    for entity in source.entities.values():
        key = f"entity.{entity.entity}"
        places = [(entity.relation, key, list(_named(entity.columns)))]
        own = places[0][2]
        for part, entries in entity.parts.items():
            for number, entry in enumerate(entries):
                named = list(_named(entry.columns))
                if entry.relation is None:
                    own.extend((f"parts.{part}.{number}.{n}", c, w) for n, c, w in named)
                else:
                    at = f"{key}.parts.{part}.{number}"
                    places.append((entry.relation, at, [*named, ("by", entry.by, _ANY)]))
        own.extend((f"only.{field}", field, _ANY) for field in fields_of(entity.only))
        for relation, at, columns in places:
            held = relations.get(relation)
            if held is None:
                text = f"the source has no {relation!r}"
                yield Fault(file=source.file, key=f"{at}.relation", text=text)
                continue
            for name, column, wants in columns:
                if column == BIT:
                    continue
                if (found := held.get(column.partition(":")[0])) is None:
                    text = f"{relation!r} has no column {column!r}"
                    yield Fault(file=source.file, key=f"{at}.{name}", text=text)
                elif wants and ":" not in column and found.type not in ("", *wants):
                    text = f"{column!r} is {found.type}; this conversion reads {_either(wants)}"
                    yield Fault(file=source.file, key=f"{at}.{name}", text=text)


_ANY: frozenset[str] = frozenset()


def _either(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))


def _named(columns: Mapping[str, Codec]) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(key, column, types that can be read) for each column that an entry names."""
    for name, codec in columns.items():
        for column in codec.columns:
            yield f"columns.{name}", column, codec.wants


async def _try(source: Source, entity: EntityMapping, connector: Connector) -> list[Fault]:
    """Read some rows of each relation: what cannot be read is a fault of the file.

    What the rows hold is counted, never quoted.
    """
    if connector.capabilities.min_criteria:
        return []  # it gives nothing without criteria; its columns were checked by description
    key = f"entity.{entity.entity}"
    own = await _read(source, entity.relation, entity.key.columns[0], entity.columns, connector)
    faults = [own] if isinstance(own, str) else []
    found = [Fault(file=source.file, key=key, text=text) for text in faults]
    if not isinstance(own, str):
        found += [Fault(file=source.file, key=f"{key}.columns.{n}", text=t) for n, t in own]
    for part, entries in entity.parts.items():
        for number, entry in enumerate(entries):
            at = f"{key}.parts.{part}.{number}"
            if entry.relation is None:
                continue
            read = await _read(source, entry.relation, entry.key, entry.columns, connector)
            if isinstance(read, str):
                found.append(Fault(file=source.file, key=at, text=read))
            else:
                found += [Fault(file=source.file, key=f"{at}.{n}", text=t) for n, t in read]
    return found


async def _read(
    source: Source,
    relation: str,
    key: str,
    codecs: Mapping[str, Codec],
    connector: Connector,
) -> str | list[tuple[str, str]]:
    """(field, what is wrong with its conversion) for each, or why nothing could be read."""
    columns = tuple(
        dict.fromkeys([key, *(c for _, c, _ in _named(codecs) if c != BIT and "[" not in c)])
    )
    query = SourceQuery(
        query_id="check-config",
        relation=relation,
        columns=columns,
        key=key,
        limit=source.max_rows,
        timeout_s=source.timeout_s,
    )
    try:
        result = await connector.fetch(query)
    except SourceError as error:
        return f"cannot be read: {error}"
    index = {column: n for n, column in enumerate(columns)}
    wrong: list[tuple[str, str]] = []
    for name, codec in codecs.items():
        if not codec.columns or any(c not in index for c in codec.columns):
            continue
        raw = [[row[index[c]] for c in codec.columns] for row in result.rows]
        held = [values for values in raw if any(v not in (None, "") for v in values)]
        if codec.codes is not None:
            unknown = sum(1 for (value,) in held if value not in codec.codes)
            if unknown:
                text = f"{unknown} of {len(held)} rows hold a code that 'values' does not list"
                wrong.append((name, text))
        elif held and not any(codec.decode(values) is not None for values in held):
            text = f"none of {len(held)} values could be read; is the conversion right?"
            wrong.append((name, text))
    return wrong
