"""How the demonstration's story ends: with what anybody can check of it afterwards.

That the record is whole, shown from its files alone; and that nothing of a person lies in what the
gateway itself has written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from deploy.demo.population import Population
from gateway.audit.verify import verify
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.cli.demo import Demo


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look at the demonstration found."""

    good: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One such look: its name in an address, what it shows, and how it is done."""

    id: str
    title: str
    sentence: str
    look: Callable[[Demo], Awaitable[Finding]]


async def _verified(demo: Demo) -> Finding:
    await demo.started.tripwires.settled()  # what follows the last answer is in the record too
    settings = demo.started.settings
    key = (settings.audit_keys_dir / "log.pub").read_text()
    report = await asyncio.to_thread(verify, settings.audit_dir, key)
    word = "whole" if report.ok else "NOT whole"
    text = f"The record: {demo.started.log.size} entries, verified from its files alone: {word}."
    return Finding(good=report.ok, text=text)


async def _scanned(demo: Demo) -> Finding:
    needles = await asyncio.to_thread(seeded, demo.population)
    async with httpx.AsyncClient(trust_env=False) as client:
        metrics = (await client.get(f"{demo.url}/metrics")).content
    written = await asyncio.to_thread(written_by, demo.started.settings)
    texts = {**written, "metrics": metrics}
    found = await asyncio.to_thread(scan, needles, texts)
    size = sum(map(len, texts.values()))
    places = sorted({Path(where).name for _needle, where in found})
    return Finding(
        good=not found,
        text=f"The gateway's own disk and metrics, {size / 1024:.0f} KiB, searched for "
        f"{len(needles)} names and numbers: {len(found) or 'none'} found"
        f"{' in ' + ', '.join(places) if found else ''}.",
    )


PROOFS = (
    Proof(
        id="record",
        title="Is it all in the record?",
        sentence="Every question above left its entries before it was answered. The verifier reads "
        "nothing but the record's own files and the public key.",
        look=_verified,
    ),
    Proof(
        id="scan",
        title="Has the gateway kept anything of anybody?",
        sentence="All that the gateway itself has written, and its metrics, are searched for every "
        "name, document, phone and image key of the invented world.",
        look=_scanned,
    ),
)


def written_by(settings: Settings) -> dict[str, bytes]:
    """All that a demonstration's gateway has written, by file: what lies in its state directory
    and is neither an agency's own database nor what it was given to read."""
    state = settings.state_dir
    others = {state / "agencies", settings.catalogue_dir}
    while True:
        own = (path for path in sorted(state.rglob("*")) if others.isdisjoint(path.parents))
        try:
            return {str(path): path.read_bytes() for path in own if path.is_file()}
        except FileNotFoundError:
            pass  # it goes on writing: what was there has given way to what is looked at next


def seeded(population: Population) -> list[str]:
    """What must not be found: full names, documents, phones, PNC identifiers, images' keys."""
    made: set[str] = set()
    for person in population.people.values():
        for copy in person.copies.values():
            if copy.name.given and copy.name.family:
                made.add(f"{copy.name.given} {copy.name.family}")
            made.update(document.number for document in copy.documents)
            made.update(copy.phones)
        if person.pncid:
            made.add(person.pncid)
    made.update(image.image_id for image in population.images)
    return sorted(needle for needle in made if len(needle) >= 7)


def scan(needles: list[str], texts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(needle, where) for each that lies somewhere in the clear, as text or inside JSON."""
    return [
        (needle, where)
        for needle in needles
        for spelt in {needle.encode(), json.dumps(needle)[1:-1].encode()}
        for where, text in texts.items()
        if spelt in text
    ]
