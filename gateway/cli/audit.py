"""`portcullis audit`: the record, checked from its files and public key alone."""

from __future__ import annotations

import argparse

from gateway.audit.verify import main as verify
from gateway.cli.common import Commands, command, home


def register(commands: Commands) -> None:
    group = commands.add_parser("audit", help="Check the record of every query.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    made = command(
        inner,
        "verify",
        _verify,
        help_text="Verify the log offline; names the first bad entry, tile or checkpoint.",
        examples="  portcullis audit verify\n"
        "  portcullis audit verify --dir /srv/log --key /srv/log.pub --checkpoint kept.note",
    )
    made.add_argument("--dir", help="the log's directory (the demonstration's if left out)")
    made.add_argument("--key", help="its public key, or the file that holds it")
    made.add_argument("--checkpoint", help="a checkpoint kept from earlier: must still fit")
    made.add_argument("--json", action="store_true", help="print the report as JSON")


def _verify(given: argparse.Namespace) -> int:
    arguments = ["--dir", given.dir or str(home() / "audit")]
    arguments += ["--key", given.key or str(home() / "keys" / "audit" / "log.pub")]
    if given.checkpoint:
        arguments += ["--checkpoint", given.checkpoint]
    return verify([*arguments, *(["--json"] if given.json else [])])
