"""What several commands share: how a command is declared, and where the demonstration lives."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.demo.personas import Persona
from gateway.model import Subject

Commands = Any  # argparse does not name the type that add_subparsers gives
ROOT = Path(__file__).resolve().parents[2]


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help_text: str,
    examples: str,
) -> argparse.ArgumentParser:
    """Declare a command whose `--help` ends with examples."""
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_text,
        description=help_text,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    return made


def at_work(persona: Persona, now: datetime) -> Subject:
    """A persona as a token would make them, for a question that is only explained."""
    return Subject(
        issuer="explain",
        id=persona.sub,
        agency=persona.agency,
        roles=persona.roles,
        clearance=persona.clearance,
        training=persona.training,
        app=persona.app,
        token_id="explain",  # noqa: S106 - not a password
        attributes_as_at=now,
        on_duty=True,
    )


def home() -> Path:
    """Where the demonstration keeps its state: PORTCULLIS_HOME, or beside the checkout."""
    return Path(os.environ.get("PORTCULLIS_HOME") or ROOT / ".portcullis").absolute()


def demo_file() -> Path:
    """Where a running demonstration says how to reach it."""
    return home() / "demo.json"


def running_demo() -> dict[str, str]:
    """The addresses of a running demonstration.

    Raises:
        SystemExit: there is none, in words.
    """
    try:
        found: dict[str, str] = json.loads(demo_file().read_text())
    except (OSError, ValueError):
        raise SystemExit("No demonstration is running here. Start one: portcullis demo") from None
    return found
