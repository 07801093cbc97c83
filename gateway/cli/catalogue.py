"""`portcullis check-config`, `schema`: what the catalogue says, and whether it is true."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from gateway.catalogue.check import check_sources, connect, load_catalogue
from gateway.catalogue.schema import build_schema
from gateway.cli.common import ROOT, Commands, command
from gateway.configuration import load
from gateway.errors import ConfigError
from gateway.secrets import NamedSecrets

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
    settings = load(given.config, os.environ) if given.config else None
    directory = given.catalogue or (settings.catalogue_dir if settings else _CATALOGUE)
    catalogue = load_catalogue(directory)
    build_schema(catalogue.vocabulary)
    held = sum(len(source.entities) for source in catalogue.sources.values())
    print(f"{len(catalogue.sources)} sources map {held} entities; the files are in order.")
    if given.offline:
        return 0
    folder = settings.secrets_dir if settings else Path("secrets")
    secrets = NamedSecrets(folder=folder, environment=os.environ)

    async def tried() -> int:
        sources = connect(catalogue, secrets)
        try:
            faults = await check_sources(catalogue, sources)
        finally:
            for connector in sources.values():
                await connector.aclose()
        if faults:
            raise ConfigError(*faults)
        print(f"{len(sources)} sources answer and hold what their mappings say.")
        return 0

    try:
        return asyncio.run(tried())
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        print(f"{len(error.faults)} faults.", file=sys.stderr)
        return 1
