"""`portcullis query`, `explain`, `token`, `probe`: asking, and seeing what asking would do."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from deploy.demo.personas import PERSONAS, mint
from gateway.catalogue.check import connect, load_catalogue
from gateway.catalogue.schema import build_schema
from gateway.cli.common import ROOT, Commands, at_work, command, home, running_demo
from gateway.errors import GatewayError
from gateway.identifiers import uuid7
from gateway.model import Request
from gateway.policy.contract import question
from gateway.query.derived import Moment
from gateway.query.explain import everything, explain, outline
from gateway.query.fanout import FanOut
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import Probe, Refs, officer
from gateway.settings import Limits


def register(commands: Commands) -> None:
    made = command(
        commands,
        "query",
        _query,
        help_text="Ask the running demonstration a question as one of its personas.",
        examples="  portcullis query deploy/demo/documents/street_stop.graphql --as RO \\\n"
        "    --purpose OFFICER_SAFETY --reason R01 --incident NM-2026-1 \\\n"
        '    --variables \'{"who": [{"family": "Hodja", "dob": "1991-04"}]}\'',
    )
    _asking(made)
    made.add_argument("--url", help="the gateway's /graphql (the demonstration's if left out)")
    made.add_argument("--json", action="store_true", help="print the answer as it came")
    made = command(
        commands,
        "explain",
        _explain,
        help_text="Show the plan, the question to OPA and each source's request. Asks nobody.",
        examples="  portcullis explain deploy/demo/documents/vehicle_stop.graphql --as RO \\\n"
        '    --purpose OFFICER_SAFETY --reason R02 --variables \'{"vrm": "AB12 CDE"}\'',
    )
    _asking(made)
    made = command(
        commands,
        "token",
        _token,
        help_text="An access token of one of the demonstration's personas.",
        examples="  portcullis token AO\n  portcullis token RO --ttl 600",
    )
    made.add_argument("persona", choices=sorted(PERSONAS), help="who")
    made.add_argument("--ttl", type=int, default=3600, help="seconds (default: 3600)")
    made = command(
        commands,
        "probe",
        _probe,
        help_text="A handle for one face search by one officer: good once, for five minutes.",
        examples="  portcullis probe --vector probe.json --as NO\n"
        "  portcullis probe --vector probe.json --key ref.key \\\n"
        "    --officer https://sign-in.example/ncb 4711 NCB",
    )
    made.add_argument("--vector", type=Path, required=True, help="a JSON list of 512 numbers")
    made.add_argument("--key", type=Path, help="the gateway's ref key (the demonstration's)")
    who = made.add_mutually_exclusive_group(required=True)
    who.add_argument("--as", dest="persona", choices=sorted(PERSONAS), help="whose it is")
    names = ("ISSUER", "SUBJECT", "AGENCY")
    who.add_argument("--officer", nargs=3, metavar=names, help="or, as in the officer's tokens")


def _asking(made: argparse.ArgumentParser) -> None:
    made.add_argument("file", type=Path, help="the GraphQL document")
    made.add_argument("--as", dest="persona", choices=sorted(PERSONAS), required=True)
    made.add_argument("--purpose", required=True, help="for instance OFFICER_SAFETY")
    made.add_argument("--reason", required=True, help="reason code, for instance R01")
    made.add_argument("--text", help="the reason in words")
    made.add_argument("--incident", help="incident or stop reference")
    made.add_argument("--case", help="case reference")
    made.add_argument("--variables", default="{}", help="JSON, or @FILE")


def _justification(given: argparse.Namespace) -> dict[str, str]:
    named = {
        "purpose": given.purpose,
        "reasonCode": given.reason,
        "reasonText": given.text,
        "incidentRef": given.incident,
        "caseRef": given.case,
    }
    return {name: value for name, value in named.items() if value is not None}


def _variables(given: argparse.Namespace) -> dict[str, Any]:
    text: str = given.variables
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        read = json.loads(text)
    except (OSError, ValueError) as error:
        raise SystemExit(f"--variables: {error}") from None
    if not isinstance(read, dict):
        raise SystemExit("--variables: must be a JSON object")
    return read


def _token(given: argparse.Namespace) -> int:
    print(mint(given.persona, running_demo()["issuer"], ttl_s=given.ttl))
    return 0


def _query(given: argparse.Namespace) -> int:
    demo = running_demo()
    body = {
        "query": _document(given),
        "variables": _variables(given),
        "extensions": {"justification": _justification(given)},
    }
    headers = {"Authorization": f"Bearer {mint(given.persona, demo['issuer'])}"}
    url = given.url or demo["graphql"]
    try:
        reply = httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False)
    except httpx.HTTPError as error:
        print(f"The gateway does not answer at {url}: {type(error).__name__}", file=sys.stderr)
        return 1
    answer = reply.json()
    if given.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        show(answer, Console())
    return 0 if reply.status_code == 200 and answer.get("data") is not None else 1


def _document(given: argparse.Namespace) -> str:
    try:
        return str(given.file.read_text("utf-8"))
    except OSError as error:
        raise SystemExit(f"{given.file}: {error.strerror}") from None


def show(answer: Mapping[str, Any], console: Console) -> None:
    """An answer as tables: records, then sources, then what is not shown in full."""
    data = answer.get("data")
    if data is None:
        for error in answer.get("errors", ()):
            console.print(f"[bold]{error['extensions']['code']}[/bold]: {error['message']}")
            if contact := error["extensions"].get("contact"):
                console.print(f"Ask: {contact}")
        return
    for key, value in data.items():
        rows = value.get("hits") or value.get("candidates") if isinstance(value, dict) else value
        rows = rows if isinstance(rows, list) else [value]
        table = Table(title=key, title_justify="left")
        names = list(dict.fromkeys(n for row in rows if isinstance(row, dict) for n in row))
        for name in (n for n in names if n != "ref"):
            table.add_column(name, overflow="fold")
        for row in rows:
            if isinstance(row, dict):
                table.add_row(*(_cell(row.get(n)) for n in names if n != "ref"))
        console.print(table if names else f"{key}: nothing to show")
    extensions = answer.get("extensions", {})
    for source in extensions.get("sources", ()):
        console.print(f"{source['agency']:<6} {source['system']:<28} {source['state']}")
    for entry in extensions.get("disclosure", ()):
        said = " ".join(str(entry[n]) for n in ("agency", "text", "shows") if n in entry)
        ask = f" Ask: {entry['contact']}." if "contact" in entry else ""
        console.print(f"{entry['outcome']:<16} {entry['path']}: {said}{ask}", style="dim")
    receipt = extensions.get("receipt", {})
    console.print(f"Recorded as entry {receipt.get('logEntry')}, query {receipt.get('queryId')}.")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case dict():
            return ", ".join(_cell(v) for v in value.values() if v not in (None, [], {}))
        case list():
            return "\n".join(_cell(v) for v in value)
        case _:
            return str(value)


def _explain(given: argparse.Namespace) -> int:
    """Plan and explain with the demonstration's catalogue, without asking anybody."""
    catalogue = load_catalogue(ROOT / "deploy" / "catalogue")
    now = datetime.now(UTC)
    request = Request(
        id=uuid7(int(now.timestamp() * 1000), secrets.token_bytes(10)),
        received_at=now,
        authorization=(),
        document=_document(given),
        variables=_variables(given),
        justification=_justification(given),
    )
    limits = Limits()
    subject = at_work(PERSONAS[given.persona], now)
    try:
        operation = parse_request(
            request, Parser(schema=build_schema(catalogue.vocabulary), limits=limits)
        )
        planner = Planner(catalogue=catalogue, refs=Refs(bytes(32)), limits=limits)
        plan = planner.plan_for(operation, subject, now)
    except GatewayError as error:
        print(f"{error.code}: {error.said}", file=sys.stderr)
        return 1
    agencies = {s.id: s.agency for s in catalogue.sources.values()}
    asked = question(
        plan, subject, operation.justification, agencies=agencies, now=now, query_id=request.id
    )
    print("# The plan")
    print("\n".join(outline(plan, limits)))
    print("\n# The question to Open Policy Agent")
    print(json.dumps({"input": asked}, indent=2))
    print("\n# What each source would be asked, if all of it were allowed")
    fan_out = FanOut(
        catalogue=catalogue,
        sources=connect(catalogue, _Placeholders()),
        moment=Moment(now=now),
        query_id=request.id,
        ends_at=0.0,
    )
    for fetch_id, texts in explain(fan_out, everything(plan)).items():
        fetch = next(f for f in plan.visits if f.id == fetch_id)
        below = f", beneath {fetch.parent}" if fetch.parent else ""
        below += ", for who else bears an identifier" if fetch in plan.looks else ""
        print(f"\n## {fetch_id}: {fetch.entity} from {fetch.source}{below}")
        print("\n".join(texts))
    return 0


class _Placeholders:
    """Addresses that lead nowhere: explaining makes no connection."""

    def get(self, name: str) -> str:
        if name in os.environ:
            return os.environ[name]
        if name.endswith("_DB_URL"):
            kinds = {
                "NMC_DB_URL": "postgresql+asyncpg://u@h/d",
                "SCP_DB_URL": "mysql+aiomysql://h/d",
            }
            return kinds.get(name, "sqlite+aiosqlite:///nowhere.sqlite")
        return "http://127.0.0.1:9" if name.endswith("URL") else "placeholder"


def _probe(given: argparse.Namespace) -> int:
    try:
        vector = json.loads(given.vector.read_text("utf-8"))
        key = (given.key or home() / "keys" / "ref.key").read_bytes()
        numbers = tuple(float(number) for number in vector)
    except (OSError, ValueError, TypeError) as error:
        print(f"Cannot read it: {error}", file=sys.stderr)
        return 1
    if len(numbers) != 512:
        print("A probe is 512 numbers.", file=sys.stderr)
        return 1
    probe = Probe(id=secrets.token_hex(16), made_at=datetime.now(UTC), vector=numbers)
    print(Refs(key).seal_probe(probe, officer(*_officer(given))))
    return 0


def _officer(given: argparse.Namespace) -> tuple[str, str, str]:
    """Issuer, subject and agency of the officer that a probe is for."""
    if given.officer:
        issuer, subject, agency = given.officer
        return issuer, subject, agency
    persona = PERSONAS[given.persona]
    return f"{running_demo()['issuer']}/{persona.issuer}", persona.sub, persona.agency
