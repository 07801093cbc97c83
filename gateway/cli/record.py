"""`portcullis audit search`, `mine`, `receipts`, `entry`, `export` and `pairs`: the record at
/audit of a gateway that runs, as whoever the token says; what is given is the gateway's to decide.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from deploy.demo.personas import PERSONAS, mint
from gateway.audit.bundle import Bundle
from gateway.audit.uses import USES
from gateway.cli.common import ROOT, Commands, command, running_demo

DOCUMENTS: Final = ROOT / "deploy" / "demo" / "documents" / "audit"
_PAGE: Final = 50
_TEXTS: Final[Mapping[str, str]] = {
    "officer": "who asked, as the agency's sign-in names them",
    "ref": "a record that was asked for, by the ref that your agency was given",
    "case": "the reference of a case or an incident",
    "words": "the reason in words",
    "agency": "of who asked",
    "owner": "whose records were shown, or told of",
    "app": "through which it was asked",
    "purpose": "for instance OFFICER_SAFETY",
    "reason": "reason code, for instance R01",
    "kind": "I, O, R, D, F, V, P or K",
    "tag": "consultation, disclosure or combination",
    "code": "how it ended, for instance REFUSED; CUT_OFF without an outcome",
    "rule": "the rule that refused it, or withheld or masked something",
    "source": "a source that was asked",
    "since": "a time with its zone",
    "until": "a time with its zone, not included",
}

_TYPED: Final = (
    "a name, date, plate, phone, document number, postcode or address that was searched for; may "
    "be repeated"
)


def register(inner: Commands) -> None:
    made = _looking(
        inner,
        "search",
        _search,
        "Find searches in the record, the latest first. The look is itself recorded.",
        "search --officer demo-nmc-0001 --use COMPLAINT --as AF\n"
        "  portcullis audit search --typed 'AB12 CDE' --use RIGHTS --as AF\n"
        "  portcullis audit search --since 2026-11-01T00:00:00Z --use OVERSIGHT \\\n"
        "    --token token --url https://gateway.example/audit",
    )
    made.add_argument("--json", action="store_true", help="one search per line, as JSON")
    made = _looking(inner, "mine", _mine, "Your own past searches.", "mine --as SG", use=False)
    made.add_argument("--json", action="store_true", help="one search per line, as JSON")
    _looking(
        inner,
        "receipts",
        _receipts,
        "Which of your agency's records were shown, to which agency and for what.",
        "receipts --record nmc Person 4711 --use RIGHTS --as AF",
    )
    made = command(
        inner,
        "entry",
        _entry,
        help_text="One query by the number of an entry, with its proofs, as JSON.",
        examples="  portcullis audit entry 73 --use OVERSIGHT --as AF",
    )
    made.add_argument("index", type=int, help="the number of one of its entries")
    made.add_argument("--use", choices=USES, help="for what you look; left out: your own search")
    caller(made)
    made = _looking(
        inner,
        "export",
        _export,
        "Write searches, their entries and a proof of each to a directory or a zip file.",
        "export --officer demo-nmc-0001 --use INVESTIGATION --to export.zip --as AF\n"
        "  portcullis audit verify --bundle export.zip --key log.pub",
    )
    made.add_argument("--to", type=Path, required=True, help="a new directory, or a file FILE.zip")
    made = command(
        inner,
        "pairs",
        _pairs,
        help_text="Whom professional standards of your agency asked to agree that they look; with "
        "--end, end such an agreement before its time, if you are one of the two.",
        examples="  portcullis audit pairs --use COMPLAINT --as PS\n"
        "  portcullis audit pairs --end ID --use COMPLAINT --as PS",
    )
    made.add_argument("--end", metavar="ID", help="of an agreement that holds")
    made.add_argument("--use", choices=USES, required=True, help="for what you look")
    caller(made)


def _looking(
    inner: Commands, name: str, run: Any, help_text: str, example: str, *, use: bool = True
) -> argparse.ArgumentParser:
    made = command(inner, name, run, help_text=help_text, examples=f"  portcullis audit {example}")
    made.add_argument("--typed", action="append", metavar="TEXT", help=_TYPED)
    for text, told in _TEXTS.items():
        made.add_argument(f"--{text}", help=told)
    made.add_argument("--record", nargs=3, metavar=("SOURCE", "TYPE", "KEY"),
                      help="a record that was asked for; of receipts, that was shown")  # fmt: skip
    made.add_argument("--serial", type=int, help="of the policy that decided")
    made.add_argument("--glass", action="store_true", default=None, help="broken glass alone")
    made.add_argument("--first", type=int, default=_PAGE, help=f"at most (default: {_PAGE})")
    if use:
        made.add_argument("--use", choices=USES, required=True, help="for what you look")
    caller(made)
    return made


def caller(made: argparse.ArgumentParser) -> None:
    who = made.add_mutually_exclusive_group()
    who.add_argument("--as", dest="persona", choices=sorted(PERSONAS), help="of the demonstration")
    who.add_argument("--token", type=Path, help="or a file that holds your access token "
                     "(else the variable PORTCULLIS_TOKEN)")  # fmt: skip
    made.add_argument("--url", help="the gateway's /audit (the demonstration's if left out)")


class Gateway:
    """The /audit of a gateway that runs."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Raises SystemExit: there is nobody to ask, or nobody who asks, in words."""
        self._token, self.url = _reached(given)
        self.upto = 0  # how many entries could be found when a list was asked for
        self.before: int | None = None  # where that list goes on beyond what was wanted

    def ask(self, document: str, variables: Mapping[str, Any]) -> Any:
        """The one field of an answer.

        Raises:
            SystemExit: it is refused, or nobody answers; in words.
        """
        text = (DOCUMENTS / f"{document}.graphql").read_text("utf-8")
        try:
            reply = httpx.post(
                self.url,
                json={"query": text, "variables": dict(variables)},
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=60,
                trust_env=False,
            )
            answer = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SystemExit(f"No gateway answers at {self.url}: {type(error).__name__}") from None
        if faults := answer.get("errors"):
            raise SystemExit("\n".join(str(fault["message"]) for fault in faults))
        return next(iter(answer["data"].values()))

    def pages(self, document: str, given: argparse.Namespace, held: str) -> Iterator[Any]:
        """So many of a list as are asked for, page by page."""
        variables: dict[str, Any] = {"sought": _sought(given)}
        if "use" in given:
            variables["use"] = given.use
        left, before = given.first, None
        while left > 0:
            page = self.ask(document, {**variables, "first": min(left, _PAGE), "before": before})
            yield from page[held]
            left -= min(left, _PAGE)
            self.upto = self.upto or page["upto"]
            self.before = before = page["next"]
            if before is None:
                return

    def tell_more(self) -> None:
        """Say it where more was found than is given."""
        if self.before is not None:
            print(f"There may be more, before entry {self.before}: --first takes more.",
                  file=sys.stderr)  # fmt: skip


def _reached(given: argparse.Namespace) -> tuple[str, str]:
    if given.persona is not None:
        demo = running_demo()
        url = given.url or demo["graphql"].removesuffix("/graphql") + "/audit"
        return mint(given.persona, demo["issuer"]), url
    try:
        token = given.token.read_text("utf-8") if given.token else os.environ["PORTCULLIS_TOKEN"]
    except OSError as error:
        raise SystemExit(f"--token: {error.strerror}") from None
    except KeyError:
        raise SystemExit("Say who you are: --as, --token or PORTCULLIS_TOKEN.") from None
    if given.url is None:
        raise SystemExit("A token needs --url: the address of the gateway's /audit")
    return token.strip(), given.url


def _sought(given: argparse.Namespace) -> dict[str, Any]:
    names = [*_TEXTS, "typed", "serial", "glass"]
    said = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    if given.record:
        said["record"] = dict(zip(("source", "entity", "key"), given.record, strict=True))
    return said


def _search(given: argparse.Namespace) -> int:
    return _listed(given, "search")


def _mine(given: argparse.Namespace) -> int:
    return _listed(given, "mine")


def _listed(given: argparse.Namespace, document: str) -> int:
    gateway = Gateway(given)
    rows = list(gateway.pages(document, given, "rows"))
    gateway.tell_more()
    if given.json:
        for row in rows:
            print(json.dumps(row))  # ASCII alone: a record is one line, whatever is in it
        return 0
    table = Table("entry", "at", "kind", "who", "purpose", "reason", "ended", "shown", "words")
    for row in rows:
        asked = row["asked"] or {}
        who = " ".join(filter(None, (row["agency"], asked.get("officer"))))
        ended = row["code"] or ("answered" if row["answered"] else "cut off")
        table.add_row(
            str(row["index"]), row["at"][:19], row["kind"], who, row["purpose"], row["reason"],
            ended, str(row["records"]), asked.get("reason", ""),
        )  # fmt: skip
    Console(highlight=False, markup=False).print(table)
    return 0


def _receipts(given: argparse.Namespace) -> int:
    gateway = Gateway(given)
    for row in gateway.pages("receipts", given, "rows"):
        print(json.dumps(row))
    gateway.tell_more()
    return 0


def _entry(given: argparse.Namespace) -> int:
    found = Gateway(given).ask("entry", {"use": given.use, "index": given.index})
    if found is None:
        print("There is no such entry for you.", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0


def _pairs(given: argparse.Namespace) -> int:
    gateway = Gateway(given)
    if given.end is not None:
        told = [gateway.ask("end_pair", {"use": given.use, "id": given.end})]
    else:
        told = gateway.ask("pairs", {"use": given.use})
    for row in told:
        print(json.dumps(row))
    return 0


def _export(given: argparse.Namespace) -> int:
    if given.to.exists():
        raise SystemExit(f"{given.to} is there already.")
    gateway = Gateway(given)
    bundle = Bundle(use=given.use, sought=_sought(given))
    for entry in gateway.pages("export", given, "entries"):
        bundle.add(entry)
    bundle.looked(gateway.upto, gateway.before)
    gateway.tell_more()
    manifest, digest = bundle.manifest()
    recorded = gateway.ask("exported", {"use": given.use, "manifest": digest})
    try:
        bundle.write(given.to, manifest, recorded["proof"]["text"])
    except OSError as error:
        print(f"{given.to}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{bundle.searches} searches are in {given.to}; the log has that as entry "
          f"{recorded['index']}.")  # fmt: skip
    return 0
