"""Loading the catalogue from its files, and trying every source: each fault by file and key.

The only module of this room that touches files or sources.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from connectors.conditions import ALWAYS, Condition, all_of
from connectors.registry import connector_class
from connectors.spi import (
    NO_SECRET,
    Connector,
    Health,
    Secrets,
    SourceError,
    SourceProtocolError,
    SourceQuery,
    SourceTooBroad,
)
from gateway.catalogue.askable import asked_of, element_guards, guards, unaskable, untold
from gateway.catalogue.mapping import Catalogue, EntityMapping, Source, declared_catalogue
from gateway.catalogue.trial import Place, Spelling, Told, lacking, places_of, unread
from gateway.catalogue.vocabulary import Vocabulary
from gateway.catalogue.vocabulary_file import declared_vocabulary
from gateway.errors import ConfigError, Fault

VOCABULARY = "entities.toml"


def load_catalogue(directory: Path) -> Catalogue:
    """The vocabulary in `entities.toml` and the mapping files in `sources/`.

    Raises:
        ConfigError: with every fault of every file.
    """
    catalogue, faults = declared_files(directory)
    if faults:
        raise ConfigError(*faults)
    return catalogue


def files_digest(directory: Path) -> str:
    """SHA-256 over the vocabulary and the mapping files, by their names and in their order.

    Raises:
        OSError: one cannot be read.
    """
    whole = sha256()
    for file in (directory / VOCABULARY, *sorted((directory / "sources").glob("*.toml"))):
        name = file.relative_to(directory).as_posix()
        whole.update(f"{name}\0{sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def declared_files(directory: Path) -> tuple[Catalogue, tuple[Fault, ...]]:
    """The sources whose files are in order, and every fault of every file.

    A mapping file is read by the vocabulary as far as that can be read. Where it is not TOML at
    all, nothing can be said of the entities of a source, and only the rest is read.
    """
    faults: list[Fault] = []
    words = _toml(directory / VOCABULARY, directory, faults)
    vocabulary, found = declared_vocabulary({"version": 1} if words is None else words, VOCABULARY)
    faults.extend(found)
    files: list[tuple[str, Mapping[str, Any]]] = []
    for file in sorted((directory / "sources").glob("*.toml")):
        data = _toml(file, directory, faults)
        if data is not None and words is None:
            data.pop("entity", None)
        if data is not None:
            files.append((str(file.relative_to(directory)), data))
    catalogue, found = declared_catalogue(vocabulary, files)
    return catalogue, (*faults, *found)


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
    made, faults = connections(catalogue, secrets)
    if faults:
        raise ConfigError(*faults)
    return made


def connections(
    catalogue: Catalogue, secrets: Secrets
) -> tuple[dict[str, Connector], tuple[Fault, ...]]:
    """A connector for each source that has all it needs, and what the others lack."""
    made: dict[str, Connector] = {}
    faults: list[Fault] = []
    for source in catalogue.sources.values():
        try:
            kind = connector_class(source.connector)
            made[source.id] = kind.from_config(source.connection, secrets)
        except KeyError as error:
            text = f"{NO_SECRET} {error.args[0]!r}: set it in the environment or a file"
            faults.append(Fault(file=source.file, key="connection", text=text))
        except ValueError as error:
            faults.extend(_told(source.file, line) for line in str(error).splitlines())
    return made, tuple(faults)


def _told(file: str, line: str) -> Fault:
    """What a connector says of its table: `connection.<key>: what is wrong`."""
    key, _, text = line.partition(": ")
    if not (key.startswith("connection") and text):
        key, text = "connection", line
    return Fault(file=file, key=key, text=text)


class _NoSecrets:
    """A machine that knows no secret, as the one where files are only written."""

    def get(self, name: str) -> str:
        raise KeyError(name)


def check_connections(catalogue: Catalogue) -> tuple[Fault, ...]:
    """What is wrong in `[connection]` tables, as far as that can be told without secrets."""
    _, faults = connections(catalogue, _NoSecrets())
    return tuple(fault for fault in faults if not fault.text.startswith(NO_SECRET))


def check_questions(catalogue: Catalogue) -> tuple[Fault, ...]:
    """What callers may ask and rules will demand, and a source cannot be asked: from the files."""
    asked = asked_of(catalogue.vocabulary)
    return tuple(
        Fault(file=source.file, key=at, text=text)
        for source in catalogue.sources.values()
        for mapping in source.entities.values()
        for at, text in unaskable(mapping, catalogue.vocabulary, asked)
    )


async def check_sources(
    catalogue: Catalogue, sources: Mapping[str, Connector]
) -> tuple[Fault, ...]:
    """Try every source that there is a connector for: is it there, and does it hold what its
    mapping says?"""
    tried = [source for source in catalogue.sources.values() if source.id in sources]
    checked = await asyncio.gather(
        *(_check_source(s, sources[s.id], catalogue.vocabulary) for s in tried)
    )
    return tuple(fault for faults in checked for fault in faults)


async def _check_source(
    source: Source, connector: Connector, vocabulary: Vocabulary
) -> list[Fault]:
    try:
        health = await connector.check()
    except SourceError as error:
        health = Health(ok=False, detail=str(error))
    if not health.ok:
        text = f"the source does not answer: {health.detail}"
        return [Fault(file=source.file, key="connection", text=text)]
    told: list[Told] = []
    asked, offers = asked_of(vocabulary, alone=source.entities), connector.capabilities.told
    for entity in source.entities.values():
        if offers is not None:
            told += untold(entity, vocabulary, asked, offers.get(entity.relation, frozenset()))
        told += _unguarded(entity, vocabulary, connector)
        for place in places_of(entity, vocabulary):
            found = list(lacking(place, health.relations)) if health.relations is not None else []
            told += [*found, *await _try(source, place, {at for at, _ in found}, connector)]
    return [Fault(file=source.file, key=at, text=text) for at, text in dict.fromkeys(told)]


def _unguarded(
    mapping: EntityMapping, vocabulary: Vocabulary, connector: Connector
) -> Iterator[Told]:
    """Each field of a guard that the conversion can ask for, and the source cannot be asked."""

    def applies(relation: str, key: str, guard: Condition | None) -> bool:
        query = SourceQuery(
            query_id="check-config",
            relation=relation,
            columns=(key,),
            key=key,
            guard=guard or ALWAYS,  # what cannot be asked for at all is told of the files
        )
        return connector.residual(query) == ALWAYS

    if not mapping.over_read:
        for name, guard in guards(mapping, vocabulary).items():
            if not applies(mapping.relation, mapping.key.columns[0], guard):
                text = "every guard rests on it and the source cannot apply it"
                yield f"entity.{mapping.entity}.columns.{name}", f"{text}; nothing would be shown"
    for at, entry, guard in element_guards(mapping, vocabulary):
        if entry.relation and not applies(entry.relation, entry.key, guard):
            yield at, "rules choose elements by it and the source cannot; none would be shown"


async def _try(source: Source, place: Place, faulted: set[str], connector: Connector) -> list[Told]:
    """Read some rows of a relation, leaving out what is already known to be wrong."""
    if not faulted.isdisjoint((f"{place.at}.relation", place.key[0])):
        return []  # without it, or without what orders its rows, there is nothing to read
    spellings = [one for one in place.spellings if one.leaves and one.at not in faulted]
    try:
        columns, rows = await _read(source, place, spellings, connector)
    except SourceTooBroad:
        text = "the source answers narrower questions only: say here which its owner agreed to"
        return [(f"{place.at}.sample", text)]
    except SourceProtocolError as error:
        return await _refused(source, place, spellings, connector, str(error))
    except SourceError as error:
        return [(place.at, f"cannot be read: {error}")]
    if not rows and place.sample != ALWAYS:
        return [(f"{place.at}.sample", "no record is found by it, so nothing could be tried")]
    return list(unread(spellings, columns, rows))


async def _refused(
    source: Source, place: Place, spellings: Sequence[Spelling], connector: Connector, why: str
) -> list[Told]:
    """Which fields a source does not give, where it refused all of them together: a service
    that does not describe itself says no more."""
    told: list[Told] = []
    for spelling in (one for one in spellings if one.columns):
        try:
            told += unread([spelling], *await _read(source, place, [spelling], connector))
        except SourceError as error:
            told.append((spelling.at, f"cannot be read: {error}"))
    return told or [(place.at, f"cannot be read: {why}")]


async def _read(
    source: Source, place: Place, spellings: Sequence[Spelling], connector: Connector
) -> tuple[tuple[str, ...], Sequence[Sequence[Any]]]:
    """The columns that were read, and some rows of them."""
    columns = dict.fromkeys((place.key[1], *(c for one in spellings for c in one.columns)))
    query = SourceQuery(
        query_id="check-config",
        relation=place.relation,
        columns=tuple(columns),
        key=place.key[1],
        where=all_of((place.only, place.sample)),
        limit=source.max_rows,
        timeout_s=source.timeout_s,
    )
    return query.columns, (await connector.fetch(query)).rows
