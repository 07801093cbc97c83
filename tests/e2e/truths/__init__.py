"""What is true of everything that an agency writes as a code, told by the population alone.

No mapping file and no agency's own table of codes is looked at here: a code that is read as another
thing than it was written for disagrees with what is told here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.demo.world.truth import Governance
from gateway.model import Record

GRADES = {1: "RELIABLE", 2: "UNTESTED", 3: "NOT_RELIABLE"}
KEPT = frozenset({"CURRENT", "REVIEW_DUE"})
Told = Mapping[str, Any]  # "sex" -> "MALE", "warnings.kind" -> ["WEAPONS", "DRUGS"]


def record_key(record: Record) -> Any:
    return record.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Of one agency's records of an entity, found by `keys` in its field `by`."""

    source: str
    entity: str
    told: Mapping[Any, Told]  # by what `of` says of a record
    by: str = "native_key"
    keys: tuple[Any, ...] = ()  # those of `told` if left out
    of: Callable[[Record], Any] = record_key

    @property
    def asked(self) -> tuple[Any, ...]:
        return self.keys or tuple(self.told)


def header(held: Governance, *, silent: bool | None = None) -> dict[str, Any]:
    """What a record's header says; with its conditions where its agency notes silence."""
    told: dict[str, Any] = {
        "marking": held.marking,
        "handling": held.handling,
        "source_grade": GRADES[held.source_grade],
        "info_grade": held.info_grade,
        "retention": held.retention,
    }
    if silent is None:
        return told
    noted = conditions(held.conditions)
    return told | {"conditions": noted, "silent": silent or "SILENT" in noted}


def conditions(held: Iterable[str]) -> list[str]:
    """Without what follows the colon of `EXPIRES:2026-12-31`."""
    return [condition.partition(":")[0] for condition in held]
