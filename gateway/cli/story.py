"""The demonstration's story in some twenty-five lines, each from a real request of this run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from deploy.demo.story import STEPS, Step
from gateway.cli.proof import PROOFS
from gateway.cli.tour import agency_rows, first_things

if TYPE_CHECKING:
    from gateway.cli.demo import Demo

_SIX = ("NMC", "SCP", "BID", "ERU", "NCB", "NIS")


async def tell(demo: Demo, console: Console, steps: Sequence[Step] = STEPS) -> bool:
    """Tell the story by its first three steps; whether every line of it was as expected."""
    expected = True
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        arrival, stop, control = steps[:3]
        body, lines_ok = await _told(demo, client, arrival, console, table=True)
        expected &= lines_ok and _all_answered(body, console)
        body, lines_ok = await _told(demo, client, stop, console)
        expected &= lines_ok and _safety(body, console)
        body, lines_ok = await _told(demo, client, control, console)
        expected &= lines_ok and _firewall(body, console)
    console.print()
    for proof in PROOFS:
        with console.status(proof.title):
            found = await proof.look(demo)
        console.print(found.text, style="" if found.good else "red")
        expected &= found.good
    return expected


async def _told(
    demo: Demo, client: httpx.AsyncClient, step: Step, console: Console, *, table: bool = False
) -> tuple[Mapping[str, Any], bool]:
    """Ask one step's question over HTTP and print what came."""
    token = await asyncio.to_thread(demo.token, step.persona)
    reply = await client.post(
        demo.graphql,
        json={
            "query": step.text,
            "variables": step.variables,
            "extensions": {"justification": step.justification},
        },
        headers={"Authorization": f"Bearer {token}"},
    )
    body: Mapping[str, Any] = reply.json()
    console.print(f"[bold]{step.persona}[/bold] {step.title} [{step.justification['purpose']}]")
    if body.get("data") is None:
        console.print(f"  no answer: {body['errors'][0]['message']}")
        return body, False
    receipt = body["extensions"]["receipt"]
    if table:
        _table(demo, body, console)
    console.print(f"  What matters first: {first_things(body)}.")
    console.print(
        f"  Recorded: entry {receipt['logEntry']}, rules {receipt['policySerial']}, "
        f"query {receipt['queryId']}."
    )
    return body, reply.status_code == 200


def _table(demo: Demo, body: Mapping[str, Any], console: Console) -> None:
    console.print("  agency  state       hits  shown  masked  withheld      ms", style="dim")
    reports = demo.watch.reports[body["extensions"]["receipt"]["queryId"]]
    for row in agency_rows(body, reports, demo.started):
        ms = f"{row.elapsed_ms:7.1f}" if row.elapsed_ms is not None else "      -"
        console.print(
            f"  {row.agency:<7} {row.state:<10} {row.records:>5} {row.shown:>6}"
            f" {row.masked:>7} {row.withheld:>9} {ms}"
        )


def _hits(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(((body.get("data") or {}).get("personSearch") or {}).get("hits") or [])


def _all_answered(body: Mapping[str, Any], console: Console) -> bool:
    if body.get("data") is None:
        return False
    states = {s["agency"]: s["state"] for s in body["extensions"]["sources"]}
    held = {hit["owner"] for hit in _hits(body)}
    held |= {image["owner"] for hit in _hits(body) for image in hit.get("images") or ()}
    held |= {e.get("agency", "") for e in body["extensions"]["disclosure"] if e["outcome"] == "HIT"}
    missing = [a for a in _SIX if states.get(a) not in {"ANSWERED", "TRUNCATED"} or a not in held]
    if missing:
        console.print(f"  [red]Expected all six agencies; not {', '.join(missing)}.[/red]")
    return not missing


def _safety(body: Mapping[str, Any], console: Console) -> bool:
    warned = any(hit.get("warnings") for hit in _hits(body))
    disclosed = (body.get("extensions") or {}).get("disclosure", ())
    desk = any(e["outcome"] == "HIT" and e.get("contact") for e in disclosed)
    if not (warned and desk):
        console.print("  [red]Expected a warning in clear and a hit with a desk to ask.[/red]")
    return warned and desk


def _firewall(body: Mapping[str, Any], console: Console) -> bool:
    if body.get("data") is None:
        return False
    shown = [hit["owner"] for hit in _hits(body) if hit.get("safeguarding")]
    said = [
        e
        for e in body["extensions"]["disclosure"]
        if e["path"].endswith("safeguarding") and e["outcome"] in {"HIT", "MASKED"}
    ]
    gone = not shown and not said
    if gone:
        console.print("  Not a word of him as a possible victim: not shown, not hinted at.")
    else:
        console.print(f"  [red]Expected no victim's data; {', '.join(shown) or said}.[/red]")
    return gone
