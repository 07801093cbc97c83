"""`portcullis audit sample`: draws a dip sample again, from the log's public files alone."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.audit.reading import NotThere, source_of
from gateway.audit.sampling import NoSample, Sample, Wish, draw
from gateway.audit.verify import NoteInvalid, PolicyInvalid, read_policy
from gateway.cli.common import Commands, command, home


def register(inner: Commands) -> None:
    made = command(
        inner,
        "sample",
        _sample,
        help_text="Draw a dip sample of a period's queries, by the root of a later checkpoint: "
        "whoever draws it from the same log gets the same.",
        examples="  portcullis audit sample --dir /srv/log --key log.pub --from 2026-01-01 "
        "--until 2026-04-01 --checkpoint kept.note --policy witnesses.policy --count 200",
    )
    made.add_argument("--dir", help="the log's directory or address (else the demonstration's)")
    made.add_argument("--key", help="its public key, or the file that holds it")
    made.add_argument("--from", dest="since", type=_moment, required=True, metavar="MOMENT",
                      help="the first moment: 2026-01-01, or 2026-01-01T06:00:00Z")  # fmt: skip
    made.add_argument("--until", type=_moment, required=True, metavar="MOMENT",
                      help="the first moment after it")  # fmt: skip
    made.add_argument("--checkpoint", type=Path, required=True, help="signed after the period")
    made.add_argument("--policy", type=Path, help="the policy whose witnesses must have signed it")
    made.add_argument("--count", type=int, default=100, help="how many queries (100)")
    made.add_argument("--by", choices=("roles", "app"), default="roles",
                      help="strata by the asker's roles, or by the app (roles)")  # fmt: skip
    made.add_argument("--json", action="store_true", help="print the sample as JSON")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sample(given: argparse.Namespace) -> int:
    """0: drawn; 2: it cannot be."""
    wish = Wish(since=given.since, until=given.until, count=given.count, by=given.by)
    try:
        key = given.key or str(home() / "keys" / "audit" / "log.pub")
        key = key if "+" in key else Path(key).read_text()
        policy = read_policy(given.policy.read_bytes()) if given.policy else None
        source = source_of(given.dir or str(home() / "audit"))
        sample = draw(source, key, given.checkpoint.read_bytes(), wish, policy)
    except (OSError, NotThere, NoteInvalid, NoSample, PolicyInvalid) as error:
        print(f"No sample can be drawn: {error}", file=sys.stderr)
        return 2
    print(json.dumps(as_json(sample)) if given.json else _text(sample))
    return 0


def as_json(sample: Sample) -> dict[str, Any]:
    return {
        "seed": sample.seed,
        "checkpoint": sample.seen.said.size,
        "witnesses": sorted(sample.seen.witnesses),
        "population": sample.population,
        "strata": [[*stratum, size] for stratum, size in sorted(sample.strata.items())],
        "sample": [
            {"index": one.index, "leafHash": one.leaf_hash, "queryId": one.request,
             "stratum": list(one.stratum)}
            for one in sample.drawn
        ],
    }  # fmt: skip


def _text(sample: Sample) -> str:
    by = ", ".join(sorted(sample.seen.witnesses))
    lines = [
        f"{len(sample.drawn)} of {sample.population} queries, drawn by {sample.seen}.",
        f"Witnessed by {by}."
        if by
        else "Whether anybody witnessed it was not looked at (--policy).",
        f"Seed {sample.seed}",
    ]
    places: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for one in sample.drawn:
        places[one.stratum].append(one.index)
    for stratum, size in sorted(sample.strata.items()):
        drawn = " ".join(map(str, places.get(stratum, ()))) or "none"
        lines.append(f"{' / '.join(stratum)} ({size}): {drawn}")
    return "\n".join(lines)
