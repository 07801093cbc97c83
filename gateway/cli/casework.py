"""`portcullis casework`: asking agencies' desks, answering for one, and the tables it lies in."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from deploy.demo.personas import PERSONAS, mint
from gateway.casework.database import address, migrate
from gateway.cli.common import ROOT, Commands, command, running_demo
from gateway.configuration import load

DOCUMENTS = ROOT / "deploy" / "demo" / "documents" / "casework"


def register(commands: Commands) -> None:
    group = commands.add_parser("casework", help="Ask agencies' desks, and answer for one.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _register_request(inner)
    _register_decide(inner)
    act(inner, "mine", "my_requests", "What you asked for, and what became of it.", "mine --as NO")
    act(
        inner,
        "outcome",
        "record_outcome",
        "Say what came of your search; the next one of its kind waits for it.",
        "outcome QUERY-ID LEAD --as NO",
        operation="the queryId of the search's receipt",
        outcome="a code of policies/tables/casework: LEAD, NO_LEAD, ...",
    )
    made = command(
        inner,
        "countersign",
        lambda given: (
            ask(given, "countersign", {"id": given.id})
            if given.id
            else ask(given, "to_countersign")
        ),
        help_text="Agree to a colleague's question; without an id, list what waits.",
        examples="  portcullis casework countersign --as SG\n"
        "  portcullis casework countersign ID --as SG",
    )
    made.add_argument("id", nargs="?", help="of what the colleague was told")
    caller(made)
    made = command(
        inner,
        "budget",
        lambda given: ask(
            given,
            "release_budget",
            {
                "officer": given.officer,
                "agency": given.agency,
                "budget": given.budget,
                "extra": given.extra,
                "until": given.until,
            },
        ),
        help_text="For a supervisor: let an officer ask more for a time.",
        examples="  portcullis casework budget demo-nmc-0001 questions 200 --for PT4H --as SG",
    )
    made.add_argument("officer", help="as your identity provider names them")
    made.add_argument("budget", help="a row of policies/tables/budgets: questions, records, ...")
    made.add_argument("extra", type=int, help="how much is added")
    made.add_argument("--for", dest="until", default="PT8H", help="how long (default: PT8H)")
    made.add_argument("--agency", help="the officer's (default: your own)")
    caller(made)
    act(
        inner,
        "queue",
        "desk_queue",
        "What waits for your desk, the soonest due first.",
        "queue --as DK",
    )
    act(
        inner,
        "standing",
        "standing_releases",
        "What your desk has released and stands, the soonest ending first.",
        "standing --as DK",
    )
    act(
        inner,
        "revoke",
        "revoke_release",
        "For the originator's desk: end a release before its time.",
        "revoke ID IN_ERROR --as DK",
        id="of the request",
        code="of policies/tables/casework: SOURCE_AT_RISK, IN_ERROR, ...",
    )
    made = command(
        inner,
        "migrate",
        _migrate,
        help_text="Bring the tables of the gateway's own records to this version.",
        examples="  portcullis casework migrate --config deploy/gateway.toml",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")


def act(
    inner: Commands,
    name: str,
    document: str,
    help_text: str,
    example: str,
    *,
    group: str = "casework",
    **arguments: str,
) -> None:
    """A command that is one action, whose arguments are its document's variables, each with what
    it is."""
    made = command(
        inner,
        name,
        lambda given: ask(given, document, {one: getattr(given, one) for one in arguments}),
        help_text=help_text,
        examples=f"  portcullis {group} {example}",
    )
    for argument, told in arguments.items():
        made.add_argument(argument, help=told)
    caller(made)


def _register_request(inner: Commands) -> None:
    made = command(
        inner,
        "request",
        _request,
        help_text="Ask the originator's desk to release fields of a record.",
        examples="  portcullis casework request REF text --as NO --urgency PRIORITY \\\n"
        "    --purpose OIC_INVESTIGATION --reason R08 --case NCB-2026-00001",
    )
    made.add_argument("record", help="its ref, from an answer")
    made.add_argument("fields", nargs="+", help="as the schema names them: text, title")
    made.add_argument("--for", dest="until", default="PT24H", help="how long (default: PT24H)")
    made.add_argument(
        "--urgency",
        default="ROUTINE",
        choices=("LIFE_AT_RISK", "PRIORITY", "ROUTINE"),
        help="how soon an answer is needed (default: ROUTINE)",
    )
    made.add_argument("--purpose", required=True, help="for instance OIC_INVESTIGATION")
    made.add_argument("--reason", required=True, help="reason code, for instance R08")
    made.add_argument("--text", help="the reason in words, for the desk to read")
    made.add_argument("--case", help="case reference")
    caller(made)


def _register_decide(inner: Commands) -> None:
    made = command(
        inner,
        "decide",
        _decide,
        help_text="For the originator's desk: grant some of the fields, or refuse with a code.",
        examples="  portcullis casework decide ID --grant text --for PT24H --as DK\n"
        "  portcullis casework decide ID --refuse SOURCE_AT_RISK --as DK",
    )
    made.add_argument("id", help="of the request")
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument("--grant", nargs="+", metavar="FIELD", help="fields that may be seen")
    what.add_argument("--refuse", metavar="CODE", help="a code of policies/tables/casework")
    made.add_argument("--for", dest="until", default="PT24H", help="how long (default: PT24H)")
    caller(made)


def caller(made: argparse.ArgumentParser) -> None:
    """Who acts, and where."""
    who = made.add_mutually_exclusive_group(required=True)
    who.add_argument("--as", dest="persona", choices=sorted(PERSONAS), help="of the demonstration")
    who.add_argument("--token", type=Path, help="or a file that holds your access token")
    made.add_argument("--url", help="the gateway's /casework (the demonstration's if left out)")


def ask(
    given: argparse.Namespace,
    document: str,
    variables: Mapping[str, Any] | None = None,
    justification: Mapping[str, str | None] | None = None,
) -> int:
    """Carry out one action and print what came of it; 1 if nothing did.

    Raises:
        SystemExit: there is nobody to ask, in words.
    """
    body: dict[str, Any] = {
        "query": (DOCUMENTS / f"{document}.graphql").read_text("utf-8"),
        "variables": dict(variables or {}),
    }
    if justification is not None:
        said = {name: text for name, text in justification.items() if text is not None}
        body["extensions"] = {"justification": said}
    token, url = _reached(given)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        reply = httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False)
        answer = reply.json()
    except (httpx.HTTPError, ValueError) as error:
        raise SystemExit(f"No gateway answers at {url}: {type(error).__name__}") from None
    for fault in answer.get("errors", ()):
        desk = fault.get("extensions", {}).get("contact")
        print(fault["message"] + (f" Desk: {desk}." if desk else ""), file=sys.stderr)
    found = next(iter((answer.get("data") or {}).values()), None)
    if found is None:
        if not answer.get("errors"):
            print("There is no such record for you.", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


def _reached(given: argparse.Namespace) -> tuple[str, str]:
    """The token to act with, and the address to act at."""
    if given.token is not None:
        if given.url is None:
            raise SystemExit("--token needs --url: the address of the gateway's /casework")
        try:
            return given.token.read_text("utf-8").strip(), given.url
        except OSError as error:
            raise SystemExit(f"--token: {error.strerror}") from None
    demo = running_demo()
    url = given.url or demo["graphql"].removesuffix("/graphql") + "/casework"
    return mint(given.persona, demo["issuer"]), url


def _request(given: argparse.Namespace) -> int:
    why = {
        "purpose": given.purpose,
        "reasonCode": given.reason,
        "reasonText": given.text,
        "caseRef": given.case,
    }
    wanted = {
        "record": given.record,
        "fields": given.fields,
        "until": given.until,
        "urgency": given.urgency,
    }
    return ask(given, "request_release", wanted, why)


def _decide(given: argparse.Namespace) -> int:
    verdict: dict[str, Any] = {"id": given.id}
    if given.refuse is not None:
        verdict["refusal"] = given.refuse
    else:
        verdict["grant"] = {"fields": given.grant, "until": given.until}
    return ask(given, "decide_release", verdict)


def _migrate(given: argparse.Namespace) -> int:
    settings = load(given.config, os.environ)
    asyncio.run(migrate(address(settings.casework_url, settings.state_dir)))
    print("The tables of the gateway's own records are those of this version.")
    return 0
