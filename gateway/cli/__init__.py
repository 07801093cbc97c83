"""The command `portcullis`: everything that a deployer does by hand. One module per group."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from deploy.demo.starting import CannotStart
from gateway.cli import audit, casework, catalogue, demo, notices, policy, query, serve
from gateway.errors import AuditUnavailable, ConfigError

_EPILOG = """examples:
  portcullis demo                              six agencies and the gateway, with a story
  portcullis query stop.graphql --as RO --purpose OFFICER_SAFETY --reason R01
  portcullis casework mine --as NO
  portcullis check-config --config gateway.toml
  portcullis policy explain --as RO --field Identifier.value --purpose APPREHEND
  portcullis audit verify
Each command explains itself: portcullis COMMAND --help
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    made = argparse.ArgumentParser(
        prog="portcullis",
        description="A secure federated query gateway across agency databases.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (demo, serve, query, casework, notices, catalogue, policy, audit):
        group.register(commands)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it did what it was asked, 2 if its configuration cannot be used or a
    part of the demonstration cannot start."""
    given = parser().parse_args(argv)
    try:
        return int(given.run(given))
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        print(f"{len(error.faults)} faults. Nothing was started.", file=sys.stderr)
        return 2
    except AuditUnavailable as error:
        print(f"The log cannot be used: {error.detail}", file=sys.stderr)
        return 2
    except CannotStart as error:
        print(f"{error}\nNothing is left running.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
