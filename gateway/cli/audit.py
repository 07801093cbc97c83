"""`portcullis audit`: the record, checked and shown from its public files and key alone."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress

from gateway.app import reindexed
from gateway.audit import witness
from gateway.audit.compare import Found, compare
from gateway.audit.index import Held
from gateway.audit.merkle import ProofInvalid
from gateway.audit.postgresql.database import prepare, roles, statements
from gateway.audit.postgresql.export import export
from gateway.audit.proof import prove
from gateway.audit.reading import NotThere, source_of
from gateway.audit.verify import NoteInvalid
from gateway.audit.verify import main as verify
from gateway.cli import audit_sample, disclosed, keeping, record
from gateway.cli.common import Commands, command, home
from gateway.configuration import load
from gateway.errors import AuditUnavailable


def register(commands: Commands) -> None:
    group = commands.add_parser("audit", help="Check the record of every query.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _register_verify(inner)
    audit_sample.register(inner)
    _register_reindex(inner)
    record.register(inner)
    disclosed.register(inner)
    made = command(
        inner,
        "prove",
        _prove,
        help_text="Write an offline proof that a record is in the log (c2sp.org/tlog-proof).",
        examples="  portcullis audit prove 73 --entry > 73.tlog-proof\n"
        "  portcullis audit prove 73 --log https://gateway.example/audit/log --key log.pub",
    )
    made.add_argument("index", type=int, help="the record's number")
    _log_and_key(made)
    made.add_argument("--entry", action="store_true", help="with the record itself")
    made = command(
        inner,
        "compare",
        _compare,
        help_text="Compare two sights of the log; shows a fork as the pair of checkpoints.",
        examples="  portcullis audit compare kept.note https://gateway.example/audit/log\n"
        "  portcullis audit compare /srv/mine /srv/theirs --key log.pub",
    )
    made.add_argument("one", help="a kept checkpoint, a log's directory, or its address")
    made.add_argument("other", help="the same")
    made.add_argument("--key", help="the log's public key, or the file that holds it")
    made.add_argument("--json", action="store_true", help="print what was found as JSON")
    made = command(
        inner,
        "witness",
        _witness,
        help_text="Witness logs: sign that they only grow. A small process of its own.",
        examples="  portcullis audit witness --name witness.example/w1 --state /srv/w1 "
        "--log log.pub",
    )
    witness.arguments(made)
    keeping.register(inner)


def _register_verify(inner: Commands) -> None:
    made = command(
        inner,
        "verify",
        _verify,
        help_text="Verify the log offline; names the first bad entry, tile or checkpoint.",
        examples="  portcullis audit verify\n"
        "  portcullis audit verify --dir /srv/log --key /srv/log.pub --checkpoint kept.note\n"
        "  portcullis audit verify --proof 73.tlog-proof --key log.pub --policy witnesses.policy\n"
        "  portcullis audit verify --receipt answer.json --dir /srv/log --key log.pub\n"
        "  portcullis audit verify --bundle export.zip --key log.pub\n"
        "  portcullis audit verify --disclosed opened.json --answer answer.json --key log.pub",
    )
    made.add_argument("--dir", help="the log's directory (the demonstration's if left out)")
    made.add_argument("--key", help="its public key, or the file that holds it")
    made.add_argument("--checkpoint", help="a checkpoint kept from earlier: must still fit")
    made.add_argument("--policy", help="the policy whose witnesses must have seen it")
    made.add_argument("--proof", help="an offline proof of one record; needs no log")
    made.add_argument("--entry", help="the record, where the proof does not hold it")
    made.add_argument("--receipt", help="a receipt, or the whole answer that it came with")
    made.add_argument("--bundle", help="what `portcullis audit export` wrote; needs no log")
    made.add_argument("--disclosed", help="what `portcullis audit disclosed --open` wrote")
    made.add_argument("--answer", help="the answer that is compared with it")
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    made = command(
        inner,
        "prepare",
        _prepare,
        help_text="Make the log's tables in PostgreSQL, their rules, and the rights of the roles "
        "that audit_url and audit_sequencer_url name. Running it again sets them anew.",
        examples="  portcullis audit prepare --config deploy/gateway.toml --as audit_owner\n"
        "  portcullis audit prepare --config deploy/gateway.toml --print > audit.sql",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")
    how = made.add_mutually_exclusive_group(required=True)
    how.add_argument("--as", dest="owner", metavar="ROLE", help="the role that owns the tables")
    how.add_argument("--print", action="store_true", help="print the statements, do nothing")
    made = command(
        inner,
        "export-tiles",
        _export,
        help_text="Write the log that is kept in PostgreSQL to a directory, for audit verify. "
        "A directory that was written before is continued, if the log still continues it.",
        examples="  portcullis audit export-tiles --config deploy/gateway.toml --to /srv/copy\n"
        "  portcullis audit verify --dir /srv/copy --key /srv/log.pub",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")
    made.add_argument("--to", type=Path, required=True, help="the directory")
    made.add_argument("--bodies", action="store_true", help="with what lies sealed")


def _register_reindex(inner: Commands) -> None:
    made = command(
        inner,
        "reindex",
        _reindex,
        help_text="Make the index anew by which auditors find entries; no gateway may hold it.",
        examples="  portcullis audit reindex --config deploy/gateway.toml",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")


def _log_and_key(made: argparse.ArgumentParser) -> None:
    made.add_argument("--log", help="the log's directory or address (else the demonstration's)")
    made.add_argument("--key", help="its public key, or the file that holds it")


def _key(given: argparse.Namespace) -> str:
    return str(given.key or home() / "keys" / "audit" / "log.pub")


def _key_text(given: argparse.Namespace) -> str:
    key = _key(given)
    return key if "+" in key else Path(key).read_text()


def _verify(given: argparse.Namespace) -> int:
    arguments = ["--key", _key(given)]
    if given.dir or not (given.proof or given.bundle or given.disclosed):
        arguments += ["--dir", given.dir or str(home() / "audit")]
    for name in (
        "checkpoint", "policy", "proof", "entry", "receipt", "bundle", "disclosed", "answer"
    ):  # fmt: skip
        if value := getattr(given, name):
            arguments += [f"--{name}", value]
    return verify([*arguments, *(["--json"] if given.json else [])])


def _prepare(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    replica, sequencer = roles(settings)
    if given.print:
        print(statements(replica.role, sequencer.role))
        return 0
    asyncio.run(prepare(replica.by(given.owner), replica.role, sequencer.role))
    print("The tables of the log are of this version, and the two roles have their rights.")
    return 0


def _export(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    replica, _ = roles(settings)
    try:
        public = (settings.audit_keys_dir / "log.pub").read_text()
        size = asyncio.run(export(replica, public, given.to, bodies=given.bodies))
    except (OSError, AuditUnavailable) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    print(f"{size} entries are in {given.to}.")
    return 0


def _reindex(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as bar:
        task = bar.add_task("Entries")
        try:
            size = asyncio.run(
                reindexed(settings, lambda done, of: bar.update(task, completed=done, total=of))
            )
        except Held:
            bar.stop()
            print("A gateway holds the index: stop it first.", file=sys.stderr)
            return 1
        except (OSError, AuditUnavailable) as error:
            bar.stop()
            print(f"The index cannot be made: {error}", file=sys.stderr)
            return 1
    print(f"{size} entries are indexed in {settings.audit_index}.")
    return 0


def _prove(given: argparse.Namespace) -> int:
    try:
        source = source_of(given.log or str(home() / "audit"))
        proof = prove(source, given.index, _key_text(given), with_entry=given.entry)
    except (OSError, NotThere, NoteInvalid, ProofInvalid) as error:
        print(f"No proof can be made: {error}", file=sys.stderr)
        return 2
    print(proof, end="")
    return 0


def _compare(given: argparse.Namespace) -> int:
    """0: no fork; 1: a fork; 2: it cannot be told."""
    try:
        found = compare(source_of(given.one), source_of(given.other), _key_text(given))
    except (OSError, NotThere, NoteInvalid) as error:
        print(f"It cannot be compared: {error}", file=sys.stderr)
        return 2
    pair = [note.decode() for note in found.pair or ()]
    if given.json:
        print(json.dumps({"found": found.found.value, "text": found.text, "pair": pair}))
    else:
        print("\n".join([found.text, *pair]))
    return {Found.FORK: 1, Found.UNKNOWN: 2}.get(found.found, 0)


def _witness(given: argparse.Namespace) -> int:
    """This process becomes the witness, which needs little of what the command line has loaded."""
    if given.show_key:
        return witness.run(given)
    arguments = ["--name", given.name, "--state", str(given.state)]
    arguments += [part for log in given.log for part in ("--log", log)]
    arguments += ["--host", given.host, "--port", str(given.port)]
    sys.stdout.flush()
    program = [sys.executable, "-m", witness.__name__, *arguments]
    os.execv(sys.executable, program)  # noqa: S606 - this interpreter, without a shell
