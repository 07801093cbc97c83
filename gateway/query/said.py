"""What is said of an answer beside its values: events at places, told as errors and disclosure.

What is said never depends on a withheld value: it follows from the decision and from what the
caller may see anyway. Where all records of a list agree the path says `*`, else it names the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gateway.model import Note, Outcome, State

Place: TypeAlias = tuple[Any, str | int]
"""A place in the answer: (the place around it or None, key or index). Spelt out only when told."""

Path: TypeAlias = tuple[str | int, ...]

TOO_BROAD = (
    "This source answers narrower questions only and was not asked: add a criterion, such as a "
    "date of birth, a given name or a document number."
)
NOTHING_TEXT = (
    "Nothing that can be shown to you for this purpose; that is not proof that nothing is held."
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something said of one place in the answer."""

    agency: str
    outcome: Outcome
    mask: str = ""
    rule: str = ""
    text: str = ""
    contact: str = ""
    action: str = ""
    shows: str = ""
    fault: bool = False  # it answered, and its answer could not be used


def event_of(agency: str, outcome: Outcome, note: Note, mask: str = "", shows: str = "") -> Event:
    """The event that a ruling's public note describes."""
    return Event(agency, outcome, mask, note.rule, note.text, note.desk, note.action, shows)


@dataclass(slots=True)
class Tally:
    """How much of one source was shown, and how much was not."""

    rows: int = 0
    masked: int = 0
    withheld: int = 0
    hits: int = 0


@dataclass(slots=True)
class Said:
    """Gathers events by list path and agency, and counts them by source."""

    places: dict[tuple[str, str], dict[Place, Event | None]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, source: str) -> Tally:
        return self.tallies.setdefault(source, Tally())

    def say(self, source: str, path: str, place: Place, agency: str, event: Event | None) -> None:
        """At one `place` of the pattern `path`, this; None for plainly shown."""
        if event is not None:
            tally = self.tally(source)
            match event.outcome:
                case Outcome.MASKED:
                    tally.masked += 1
                case Outcome.WITHHELD:
                    tally.withheld += 1
                case Outcome.HIT:
                    tally.hits += 1
                case _:
                    pass
        self.places.setdefault((path, agency), {})[place] = event

    def entries(self) -> list[tuple[Path, Event]]:
        """(path, event), where all agree with `*`, else each with its indexes."""
        told: list[tuple[Path, Event]] = []
        for (path, _agency), by_place in self.places.items():
            events = list(by_place.values())
            first = events[0]
            if first is not None and all(event is first or event == first for event in events):
                told.append((tuple(path.split(".")), first))
            else:
                told.extend((_path(at), event) for at, event in by_place.items() if event)
        return told


def _path(place: Place) -> Path:
    steps: list[str | int] = []
    around: Any = place
    while around is not None:
        around, step = around
        steps.append(step)
    return tuple(reversed(steps))


_MESSAGES: Mapping[Outcome, str] = {
    Outcome.WITHHELD: "Withheld by {}.",
    Outcome.SOURCE_UNAVAILABLE: "{}: Did not answer.",
}


def failure(agency: str, state: State) -> Event:
    """That a source gave nothing, as its state says why."""
    return Event(agency, Outcome.SOURCE_UNAVAILABLE, fault=state is State.FAULT)


def errors(entries: Iterable[tuple[Path, Event]]) -> list[dict[str, Any]]:
    """One GraphQL error for each place, agency and outcome that is not an answer."""
    made: list[dict[str, Any]] = []
    for path, event in entries:
        if event.outcome not in _MESSAGES:
            continue
        code, text = event.outcome.value, _MESSAGES[event.outcome]
        if event.fault:
            code, text = "SOURCE_FAULT", "{}: Its answer could not be used."
        extensions = {"code": code, "agency": event.agency}
        if event.rule:
            extensions["rule"] = event.rule
        text = text.format(event.agency)
        made.append(
            {
                "message": f"{text} {event.text}".strip(),
                "path": list(path),
                "extensions": extensions,
            }
        )
    return made


def disclosure(entries: Iterable[tuple[Path, Event]]) -> list[dict[str, Any]]:
    """What is not plainly shown, where, by which rule, whom to ask and what to do now."""
    made: list[dict[str, Any]] = []
    for path, event in entries:
        entry: dict[str, Any] = {
            "path": ".".join(map(str, path)),
            "outcome": event.outcome.value,
        }
        for name in ("agency", "mask", "shows", "rule", "text", "contact", "action"):
            if value := getattr(event, name):
                entry[name] = value
        made.append(entry)
    return made
