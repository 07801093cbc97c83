"""`portcullis check-config`, `schema`: what the catalogue says, and whether it is true."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from gateway.app import canary_questions
from gateway.audit.postgresql.database import Address, check, roles
from gateway.audit.publishing import policy_of
from gateway.catalogue.check import (
    check_connections,
    check_questions,
    check_sources,
    connections,
    declared_files,
    load_catalogue,
)
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.schema import build_schema
from gateway.catalogue.tables import unknown_coordinates
from gateway.cli.common import ROOT, Commands, command
from gateway.configuration import WHOLE_FILE, declared_settings
from gateway.errors import ConfigError, Fault
from gateway.query.operation import Parser
from gateway.registered import LIST, documents_in
from gateway.secrets import NamedSecrets
from gateway.settings import Settings

_CATALOGUE = ROOT / "deploy" / "catalogue"


def register(commands: Commands) -> None:
    made = command(
        commands,
        "check-config",
        _check,
        help_text="Check settings, vocabulary and mapping files, and try each source.",
        examples="  portcullis check-config --config deploy/gateway.toml\n"
        "  portcullis check-config --offline --catalogue deploy/catalogue",
    )
    made.add_argument("--config", type=Path, help="gateway.toml; left out: only the catalogue")
    made.add_argument("--catalogue", type=Path, help="the catalogue's directory")
    made.add_argument("--offline", action="store_true", help="check the files alone")
    made = command(
        commands,
        "schema",
        _schema,
        help_text="Print the GraphQL schema with each field's classification.",
        examples="  portcullis schema > schema.graphql",
    )
    made.add_argument("--catalogue", type=Path, default=_CATALOGUE, help="its directory")


def _schema(given: argparse.Namespace) -> int:
    print(build_schema(load_catalogue(given.catalogue).vocabulary).sdl(), end="")
    return 0


def _check(given: argparse.Namespace) -> int:
    """Read every file and try every source, whatever is wrong with the others.

    Returns 2 where a file is at fault, else 1 where a source is, else 0.
    """
    settings, in_files = _settings(given.config)
    directory = given.catalogue or (settings.catalogue_dir if settings else None)
    in_sources: tuple[Fault, ...] = ()
    if directory is not None:
        catalogue, found = declared_files(directory)
        in_files += (*found, *check_questions(catalogue))
        if not in_files and settings is not None and given.config is not None:
            in_files += unknown_coordinates(settings.tables_dir, catalogue.vocabulary)
            in_files += _canaries(settings, catalogue)
        in_files += check_connections(catalogue)
        if not in_files:
            build_schema(catalogue.vocabulary)
            held = sum(len(source.entities) for source in catalogue.sources.values())
            print(f"{len(catalogue.sources)} sources map {held} entities; the files are in order.")
        if not given.offline:
            tried = _tried(catalogue, settings)
            in_sources = tuple(fault for fault in tried if fault not in in_files)
    if settings is not None and settings.audit_url and not given.offline:
        in_sources += _log_tried(settings)
    for fault in (*in_files, *in_sources):
        print(fault, file=sys.stderr)
    if in_files or in_sources:
        print(f"{len(in_files) + len(in_sources)} faults.", file=sys.stderr)
    return 2 if in_files else 1 if in_sources else 0


def _settings(file: Path | None) -> tuple[Settings | None, tuple[Fault, ...]]:
    """What the settings say, None where their file says nothing, and every fault of them."""
    if file is None:
        return Settings(catalogue_dir=_CATALOGUE, secrets_dir=Path("secrets")), ()
    settings, faults = declared_settings(file, os.environ)
    if any(fault.key == WHOLE_FILE for fault in faults):
        return None, faults
    return settings, (*faults, *_folders(settings, file), *_witnesses(settings))


def _folders(settings: Settings, file: Path) -> Iterator[Fault]:
    """What is not where the settings say, and is missed only when somebody needs it."""
    if not settings.tables_dir.is_dir():
        text = f"there is no {settings.tables_dir}: /about could name no purpose"
        yield Fault(file=str(file), key="tables_dir", text=text)
    try:
        registered = documents_in(settings.documents_dir)
        documents_in(settings.documents_dir / "casework")
    except ConfigError as error:
        yield from error.faults
        return
    for app in sorted({app for issuer in settings.issuers for app in issuer.documents_only}):
        if not registered.get(app):
            text = f"{settings.documents_dir / LIST} has no document of {app}: it could ask nothing"
            yield Fault(file=str(file), key="documents_dir", text=text)


def _witnesses(settings: Settings) -> tuple[Fault, ...]:
    """What is wrong with the policy of the log's witnesses, where there is one."""
    try:
        policy_of(settings.audit_witnesses, None)
    except ConfigError as error:
        return error.faults
    return ()


def _canaries(settings: Settings, catalogue: Catalogue) -> tuple[Fault, ...]:
    """What is wrong with what the gateway is to ask itself, and whether it would tell in time."""
    parser = Parser(schema=build_schema(catalogue.vocabulary), limits=settings.limits)
    try:
        canary_questions(settings, tuple(catalogue.sources), parser)
    except ConfigError as error:
        return error.faults
    return ()


def _log_tried(settings: Settings) -> tuple[Fault, ...]:
    """What is wrong with the database of the log, as each of its two roles finds it."""

    async def tried() -> tuple[Fault, ...]:
        if not settings.audit_sequencer_url:
            replica = Address.of(settings.audit_url, "audit_url")
            return await check(replica, "replica", "audit_url")
        replica, sequencer = roles(settings)
        faults = await check(replica, "replica", "audit_url")
        return faults + await check(sequencer, "sequencer", "audit_sequencer_url")

    try:
        faults = asyncio.run(tried())
    except ConfigError as error:
        return error.faults
    if not faults:
        print("The log's database is fit for a log, and its roles may do what they must.")
    return faults


def _tried(catalogue: Catalogue, settings: Settings | None) -> tuple[Fault, ...]:
    """What is wrong with the sources; one that cannot be reached keeps no other from its turn."""
    folder = settings.secrets_dir if settings else Path("secrets")
    secrets = NamedSecrets(folder=folder, environment=os.environ)

    async def tried() -> tuple[Fault, ...]:
        sources, unconnected = connections(catalogue, secrets)
        try:
            faults = await check_sources(catalogue, sources)
        finally:
            for connector in sources.values():
                await connector.aclose()
        if not unconnected and not faults:
            print(f"{len(sources)} sources answer and hold what their mappings say.")
        return (*unconnected, *faults)

    return asyncio.run(tried())
