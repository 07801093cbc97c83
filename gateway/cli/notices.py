"""`portcullis notices`: what an agency's desk is to know."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from gateway.app import delivered_once
from gateway.cli.casework import ask, caller
from gateway.cli.common import Commands, command
from gateway.configuration import load


def register(commands: Commands) -> None:
    group = commands.add_parser("notices", help="What an agency's desk is to know.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    made = command(
        inner,
        "list",
        lambda given: ask(given, "notices"),
        help_text="Notices that your desk has not acknowledged, the oldest first.",
        examples="  portcullis notices list --as DK\n"
        "  portcullis notices list --token desk.jwt --url https://gateway.example/casework",
    )
    caller(made)
    made = command(
        inner,
        "acknowledge",
        lambda given: ask(given, "acknowledge_notice", {"id": given.id}),
        help_text="Say that your desk knows; else the desk on call is told.",
        examples="  portcullis notices acknowledge ID --as DK",
    )
    made.add_argument("id", help="of the notice")
    caller(made)
    made = command(
        inner,
        "deliver",
        _deliver,
        help_text="Send what is due to agencies' own systems, once; a gateway does it by itself.",
        examples="  portcullis notices deliver --config deploy/gateway.toml",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")


def _deliver(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    taken, left = asyncio.run(delivered_once(settings, dict(os.environ)))
    print(f"{taken} taken, {left} to be tried again.")
    return 0 if not left else 1
