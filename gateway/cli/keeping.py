"""`portcullis audit erase|agree|hold|retain`: what is erased of the record, and what is held back.

The first three act at the gateway's `/casework` as somebody whose access token it checks; `retain`
is for whoever runs the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from gateway.app import begun_after, retained_once
from gateway.audit.reading import NotThere, source_of
from gateway.audit.succession import Ended
from gateway.audit.verify import NoteInvalid
from gateway.cli.casework import act, ask, caller
from gateway.cli.common import Commands, command
from gateway.configuration import load
from gateway.errors import AuditUnavailable


def register(inner: Commands) -> None:
    """Below `portcullis audit`."""
    made = command(
        inner,
        "erase",
        _erase,
        help_text="Ask that a record's body, or a key, is erased. It is when somebody else agrees.",
        examples="  portcullis audit erase 73 --reason UNLAWFUL --text 'why' --as PS\n"
        "  portcullis audit erase --month NMC/2026-03 --reason OVER --text 'why' --as PS",
    )
    made.add_argument("record", type=int, nargs="?", help="the record's number")
    made.add_argument("--month", help="or what an agency may read of a month: NMC/2026-03")
    made.add_argument("--tokens", help="or what a quarter is found by: actor/2026-Q1")
    _why(made)
    made = command(
        inner,
        "agree",
        lambda given: (
            ask(given, "agree_to_erasure", {"id": given.id}) if given.id else ask(given, "erasures")
        ),
        help_text="Agree to an erasure that somebody else asked for; without an id, list them.",
        examples="  portcullis audit agree --as AU\n  portcullis audit agree ID --as AU",
    )
    made.add_argument("id", nargs="?", help="of what somebody asked for")
    caller(made)
    _register_hold(inner)
    made = command(
        inner,
        "retain",
        _retain,
        help_text="Erase of the record what is over by policies/tables/kept and not held. The "
        "gateway does so once a day; a log in files must not be in use.",
        examples="  portcullis audit retain --config deploy/gateway.toml --dry-run",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")
    made.add_argument("--dry-run", action="store_true", help="say what it is, erase nothing")

    made = command(
        inner,
        "begin",
        _begin,
        help_text="Begin a log under a new name and key, with an entry that names the one before: "
        "how the key that signs is changed. The settings are those of the new log.",
        examples="  portcullis audit begin --config deploy/gateway.toml --after /srv/audit-2026 "
        "--key /srv/2026.pub",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")
    made.add_argument("--after", required=True, help="the log before: its directory or address")
    made.add_argument("--key", required=True, help="its public key, or the file that holds it")


def _register_hold(inner: Commands) -> None:
    group = inner.add_parser("hold", help="Let nobody erase something of the record.")
    holding = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    act(holding, "list", "holds", "The holds that stand.", "hold list --as AF", group="audit")
    made = command(
        holding,
        "add",
        _hold,
        help_text="Place a hold on records, a query, a month, an officer or a case.",
        examples="  portcullis audit hold add --records 70 80 --reason COURT --text 'why' --as AF\n"
        "  portcullis audit hold add --month NMC/2026-03 --reason COURT --text 'why' --as AF",
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--records", type=int, nargs=2, metavar=("FIRST", "LAST"), help="by number")
    what.add_argument("--request", help="a query's id, from its answer")
    what.add_argument("--month", help="all that an agency may read of a month: NMC/2026-03")
    what.add_argument("--actor", help="an officer, as their agency's sign-in names them")
    what.add_argument("--case", help="a case or incident")
    made.add_argument("--issuer", help="the officer's sign-in (default: your own)")
    _why(made)
    made = command(
        holding,
        "lift",
        lambda given: ask(
            given, "lift_hold", {"id": given.id, "code": given.reason, "text": given.text}
        ),
        help_text="Ask that a hold is lifted. It is when somebody else agrees.",
        examples="  portcullis audit hold lift ID --reason ENDED --text 'why' --as PS",
    )
    made.add_argument("id", help="of the hold")
    _why(made)
    made = command(
        holding,
        "agree",
        lambda given: ask(given, "agree_to_lift", {"id": given.id}),
        help_text="Agree that a hold is lifted, as somebody else asked; `list` says which wait.",
        examples="  portcullis audit hold agree ID --as AU",
    )
    made.add_argument("id", help="of the hold")
    caller(made)


def _why(made: argparse.ArgumentParser) -> None:
    made.add_argument("--reason", required=True, help="a code of policies/tables/casework")
    made.add_argument("--text", required=True, help="why, in words; sealed in the record")
    caller(made)


def _erase(given: argparse.Namespace) -> int:
    return ask(
        given,
        "request_erasure",
        {
            "record": given.record,
            "month": given.month,
            "tokens": given.tokens,
            "code": given.reason,
            "text": given.text,
        },
    )


def _hold(given: argparse.Namespace) -> int:
    wanted: dict[str, Any] = {
        name: getattr(given, name) for name in ("request", "month", "actor", "issuer", "case")
    }
    first, last = given.records or (None, None)
    wanted |= {"first": first, "last": last, "code": given.reason, "text": given.text}
    return ask(given, "place_hold", wanted)


def _begin(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    try:
        key = given.key if "+" in given.key else Path(given.key).read_text()
        before = Ended.of(source_of(given.after), key)
        asyncio.run(begun_after(settings, before))
    except (AuditUnavailable, NotThere, NoteInvalid, OSError) as error:
        print(f"It cannot be begun: {_told(error)}", file=sys.stderr)
        return 1
    ended = f"{before.origin}, which ended with {before.size} entries"
    print(f"{settings.audit_origin} follows {ended}.")
    return 0


def _told(error: Exception) -> str:
    return error.detail if isinstance(error, AuditUnavailable) else str(error)


def _retain(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    try:
        due = asyncio.run(retained_once(settings, dry_run=given.dry_run))
    except (AuditUnavailable, OSError) as error:
        print(f"It cannot be done: {_told(error)}", file=sys.stderr)
        return 1
    would = "would be" if given.dry_run else "are"
    print(f"The bodies of {due.records} records {would} erased.")
    for sort, names in (("months", due.months), ("tokens", due.tokens)):
        if names:
            print(f"Keys of {sort} that {would} destroyed: {', '.join(names)}.")
    if due.held:
        print(f"{due.held} records and keys are over, and held.")
    return 0
