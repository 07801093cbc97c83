"""`portcullis casework`: the gateway's own records."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from gateway.casework.store import address, migrate
from gateway.cli.common import Commands, command
from gateway.configuration import load


def register(commands: Commands) -> None:
    group = commands.add_parser("casework", help="Ask agencies' desks, and answer for one.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    made = command(
        inner,
        "migrate",
        _migrate,
        help_text="Bring the tables of the gateway's own records to this version.",
        examples="  portcullis casework migrate --config deploy/gateway.toml",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")


def _migrate(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    asyncio.run(migrate(address(settings.casework_url, settings.state_dir)))
    print("The tables of the gateway's own records are those of this version.")
    return 0
