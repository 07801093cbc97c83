"""How much of seeded misuse the queue of an auditor finds, and how soon."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.misuselog import KINDS, Judged, indexed, looked_through, make_log

FIRST: Final = 200
REPORTED: Final = (101, 102, 103, 104, 105)
"""Seeds of the figures. Nothing was set by these: that was done on 1, 2, 3, 11 and 201 to 206."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one log."""

    seed: int
    queries: int
    took_s: float
    judged: Judged

    @property
    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Of each kind how many patterns are found as far as half is worth it, and how many are
        there."""
        all_of = Counter(one.kind for one in self.judged.truth)
        found = Counter(self.judged.truth[n].kind for n in self.judged.found(self.judged.half))
        return {kind: (found[kind], all_of[kind]) for kind in KINDS}


def figures(seed: int, folder: Path) -> Figures:
    """Make a log, and look through it."""
    log = make_log(seed)
    folder.mkdir()
    index, tokens = indexed(log, folder)
    try:
        started = time.perf_counter()
        found = looked_through(log, index, tokens, folder / "feeds")
        took_s = time.perf_counter() - started
    finally:
        index.close()
    judged = Judged.of(log.seeded(), found.cases[:FIRST])
    return Figures(seed=seed, queries=len(log.queries), took_s=took_s, judged=judged)
