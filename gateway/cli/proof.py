"""How the demonstration's story ends: with what anybody can check of it afterwards.

That the record is whole, shown from its files alone; and that nothing of a person lies in what the
gateway itself has written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from deploy.demo.population import Population
from gateway.audit.publishing import policy_of
from gateway.audit.verify import Policy, Report, verify
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.cli.demo import Demo

_LEAST, _LEAST_NAME = 7, 5  # characters
_ONE_IN = 50


_WITNESSES_S = 10.0


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
    policy = policy_of(settings.audit_witnesses, key.strip())
    report = await asyncio.to_thread(verify, settings.audit_dir, key, policy=policy)
    if policy is not None and report.ok:
        report = await _seen_by_all(demo, key, policy, report)
    word = "whole" if report.ok else "NOT whole"
    text = f"The record: {demo.started.log.size} entries, verified from its files alone: {word}."
    if policy is not None:
        needed, _ = policy.groups.get(policy.quorum, (1, ()))
        text += (
            f" {needed} of {len(policy.witnesses)} witnesses must have signed it, and "
            f"{len(report.witnesses)} have."
        )
    return Finding(good=report.ok, text=text)


async def _seen_by_all(demo: Demo, key: str, policy: Policy, report: Report) -> Report:
    """The report once every witness has signed all of the record, or they had time enough."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_WITNESSES_S):
            while report.ok and (
                report.witnessed < demo.started.log.size
                or len(report.witnesses) < len(policy.witnesses)
            ):
                await asyncio.sleep(0.2)
                directory = demo.started.settings.audit_dir
                report = await asyncio.to_thread(verify, directory, key, policy=policy)
    return report


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
        text=f"The gateway's own disk, log and metrics, {size / 1024:.0f} KiB, searched for "
        f"{len(needles)} names and numbers: {len(found) or 'none'} found"
        f"{' in ' + ', '.join(places) if found else ''}.",
    )


PROOFS = (
    Proof(
        id="record",
        title="Is it all in the record?",
        sentence="Every question above left its entries before it was answered. The verifier reads "
        "nothing but the record's own files, the public key and the keys of its witnesses.",
        look=_verified,
    ),
    Proof(
        id="scan",
        title="Has the gateway kept anything of anybody?",
        sentence="All that the gateway itself has written, its process's log and its metrics are "
        "searched for every name, document, phone, number and key of the invented world.",
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
    """What must not be found: names, documents, phones, numbers of people, devices and vehicles,
    the agencies' own keys, images' keys.

    Of keys and numbers those with seven characters or more: shorter ones, as ERU's `1007`, lie in
    any bytes by chance.
    """
    made: set[str] = set()
    for person in population.people.values():
        for copy in person.copies.values():
            if copy.name.given and copy.name.family:
                made.add(f"{copy.name.given} {copy.name.family}")
            made.add(copy.key)
            made.update(document.number for document in copy.documents)
            made.update(copy.phones)
        numbers = (person.pncid, person.cro, person.nino, person.driver_no)
        made.update(number for number in numbers if number)
    made.update(image.image_id for image in population.images)
    made.update(device.imei for met in population.encounters for device in met.devices)
    made.update(vehicle.vin for vehicle in population.vehicles)
    long = {needle for needle in made if len(needle) >= _LEAST}
    return sorted(long | families(population))


def families(population: Population) -> set[str]:
    """Family names alone, as they are written and in capitals: of the golden people, in all their
    spellings, and of one person in fifty."""
    golden = set(population.gold.values())
    chosen = {*golden, *sorted(population.people)[::_ONE_IN]}
    names = {
        name.family
        for truth in chosen
        for copy in population.people[truth].copies.values()
        for name in (copy.name, *copy.aliases)
    }
    long = {name for name in names if len(name) >= _LEAST_NAME}
    return long | {name.upper() for name in long}


def scan(needles: Iterable[str], texts: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(needle, where) for each that lies somewhere in the clear, as text or inside JSON.

    Every text is walked once, however many needles there are: work grows with the bytes searched.
    """
    spelt = {s: needle for needle in needles for s in _spellings(needle)}
    length = min(map(len, spelt), default=1)
    by_start: dict[bytes, list[bytes]] = {}
    for spelling in spelt:
        by_start.setdefault(spelling[:length], []).append(spelling)
    found = {
        (spelt[spelling], where)
        for where, text in texts.items()
        for at in range(len(text) - length + 1)
        for spelling in by_start.get(text[at : at + length], ())
        if text.startswith(spelling, at)
    }
    return sorted(found)


def _spellings(needle: str) -> set[bytes]:
    return {needle.encode(), json.dumps(needle)[1:-1].encode()}
