"""`portcullis notices`: what an agency's desk is to know."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from gateway.app import delivered_once
from gateway.cli.casework import act
from gateway.cli.common import Commands, command
from gateway.configuration import load


def register(commands: Commands) -> None:
    group = commands.add_parser("notices", help="What an agency's desk is to know.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    act(
        inner,
        "list",
        "notices",
        "Notices that your desk has not acknowledged, the oldest first.",
        "list --as DK",
        group="notices",
    )
    act(
        inner,
        "acknowledge",
        "acknowledge_notice",
        "Say that your desk knows; else the desk on call is told.",
        "acknowledge ID --as DK",
        group="notices",
        id="of the notice",
    )
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
