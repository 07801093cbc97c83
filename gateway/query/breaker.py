"""How sources have fared of late: which fail so often that asking again at once would only cost
everybody time, and which take longest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable


class Breakers:
    """For every query of a gateway: is this source to be visited now?

    After `failures` visits in a row that failed, a source is left alone; then one visit in every
    `probe_s` seconds is let through, until one is answered. It knows sources and time, nothing of
    who asked or what for.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        failures: int = 5,
        probe_s: float = 2.0,
        changed: Callable[[str, bool], None] = lambda _source, _is_open: None,
    ) -> None:
        self._monotonic = monotonic
        self._most, self._probe_s, self._changed = failures, probe_s, changed
        self._failed: Counter[str] = Counter()  # in a row
        self._next_probe: dict[str, float] = {}  # of those that are left alone
        self._took_s: dict[str, float] = {}  # a visit of late: a mean that fades by an eighth

    def admits(self, source: str) -> bool:
        """Whether a visit may go ahead; of a source that is left alone, only the probe."""
        due = self._next_probe.get(source)
        if due is None:
            return True
        now = self._monotonic()
        if now < due:
            return False
        self._next_probe[source] = now + self._probe_s
        return True

    def takes_s(self, source: str) -> float:
        """How long a visit to it takes of late; 0 before the first."""
        return self._took_s.get(source, 0.0)

    def answered(self, source: str, took_s: float) -> None:
        """A visit was answered, after so long."""
        before = self._took_s.setdefault(source, took_s)
        self._took_s[source] = before + (took_s - before) / 8
        self._failed.pop(source, None)
        if self._next_probe.pop(source, None) is not None:
            self._changed(source, False)

    def failed(self, source: str) -> None:
        """A visit failed by the source's own fault."""
        self._failed[source] += 1
        if self._failed[source] >= self._most and source not in self._next_probe:
            self._next_probe[source] = self._monotonic() + self._probe_s
            self._changed(source, True)
