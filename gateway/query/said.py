"""What is said of an answer beside its values: events at places, told as errors and disclosure.

What is said never depends on a withheld value: it follows from the decision and from what the
caller may see anyway. Where all records of a list agree the path says `*`, else it names the index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from gateway.model import Note, Outcome, Place, State, steps_of

Path: TypeAlias = tuple[str | int, ...]

_T = TypeVar("_T")

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


Tell: TypeAlias = Callable[[Place, Event | None], None]
"""Says what happened at a place of one pattern; None for plainly shown."""


@dataclass(slots=True)
class Tally:
    """How much of one source was shown, and how often what was said of it."""

    rows: int = 0
    review_due: int = 0  # of the rows
    told: defaultdict[Outcome, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class Said:
    """Gathers events by list path and agency, and counts them by source."""

    places: dict[tuple[str, str], dict[Place, Event]] = field(default_factory=dict)
    plain: set[tuple[str, str]] = field(default_factory=set)  # where something is shown plainly
    tallies: dict[str, Tally] = field(default_factory=dict)

    def tally(self, source: str) -> Tally:
        return self.tallies.setdefault(source, Tally())

    def teller(self, source: str, path: str, agency: str) -> Tell:
        """What says something of places of the pattern `path`.

        A place may end before its pattern does, at the record of a field say: what is left of the
        pattern is the same for all.
        """
        told, key = self.tally(source).told, (path, agency)
        events: dict[Place, Event] | None = None

        def tell(place: Place, event: Event | None) -> None:
            nonlocal events
            if events is None:  # not before: entries stand in the order of what was said first
                events = self.places.setdefault(key, {})
            if event is None:
                self.plain.add(key)
            else:
                told[event.outcome] += 1
                events[place] = event

        return tell

    def entries(self) -> list[tuple[Path, Event]]:
        """(path, event), where all agree with `*`, else each with its indexes."""
        told: list[tuple[Path, Event]] = []
        for key, by_place in self.places.items():
            steps = tuple(key[0].split("."))
            alike = {id(event): event for event in by_place.values()}
            if key not in self.plain and len(set(alike.values())) == 1:
                told.append((steps, next(iter(alike.values()))))
            else:
                told.extend((_path(at, steps), event) for at, event in by_place.items())
        return told


def _path(place: Place, pattern: Path) -> Path:
    steps = steps_of(place)
    return (*steps, *pattern[len(steps) :])


_MESSAGES: Mapping[Outcome, str] = {
    Outcome.WITHHELD: "Withheld by {}.",
    Outcome.SOURCE_UNAVAILABLE: "{}: Did not answer.",
}


def failure(agency: str, state: State) -> Event:
    """That a source gave nothing, as its state says why."""
    return Event(agency, Outcome.SOURCE_UNAVAILABLE, fault=state is State.FAULT)


def errors(entries: Iterable[tuple[Path, Event]]) -> list[dict[str, Any]]:
    """One GraphQL error for each place, agency and outcome that is not an answer."""
    return [
        {"message": message, "path": list(path), "extensions": dict(extensions)}
        for path, (message, extensions) in _with(_error, entries)
        if message
    ]


def _error(event: Event) -> tuple[str, dict[str, str]]:
    """The message and the extensions; no message for what is an answer."""
    if event.outcome not in _MESSAGES:
        return "", {}
    code, text = event.outcome.value, _MESSAGES[event.outcome]
    if event.fault:
        code, text = "SOURCE_FAULT", "{}: Its answer could not be used."
    extensions = {"code": code, "agency": event.agency}
    if event.rule:
        extensions["rule"] = event.rule
    return f"{text.format(event.agency)} {event.text}".strip(), extensions


def disclosure(entries: Iterable[tuple[Path, Event]]) -> list[dict[str, Any]]:
    """What is not plainly shown, where, by which rule, whom to ask and what to do now."""
    return [{"path": ".".join(map(str, path)), **entry} for path, entry in _with(_entry, entries)]


def _entry(event: Event) -> dict[str, str]:
    names = ("agency", "mask", "shows", "rule", "text", "contact", "action")
    given = {name: value for name in names if (value := getattr(event, name))}
    return {"outcome": event.outcome.value, **given}


def _with(
    make: Callable[[Event], _T], entries: Iterable[tuple[Path, Event]]
) -> Iterator[tuple[Path, _T]]:
    """Each path with what `make` makes of its event, once for the many places that share one."""
    made: dict[int, _T] = {}
    for path, event in entries:
        known = made.get(id(event))
        if known is None:
            known = made[id(event)] = make(event)
        yield path, known
