"""A question about everything: each field and use of each place, by each role for each purpose.

No officer asks it. It shows what the rules can come to: `reach` and `coverage` read what they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from gateway.catalogue.coordinates import offered, parts
from gateway.catalogue.vocabulary import Vocabulary
from gateway.policy.contract import ATTRIBUTES, VERSION

_TIME: Final = "2026-11-01T06:00:00Z"  # attributes are as old as the question: none is stale
_ANOTHER: Final = "another"  # on whose behalf somebody asks
_APP: Final = "canary"  # the gateway's own, on the agencies' network


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """A role as its first agency gives it, for one purpose, with every training or with none."""

    role: str
    agency: str
    purpose: str
    trained: bool
    reason: str  # a code


@dataclass(frozen=True)
class Everything:
    """The questions over one vocabulary and one set of tables."""

    vocabulary: Vocabulary
    tables: Mapping[str, Any]

    def askers(self) -> Iterator[Asker]:
        """Every role that asks questions, for every purpose that it holds; with every training
        also for each reason that an outcome asks for."""
        ways = [(True, self.usual), (False, self.usual), *((True, code) for code in self.reasons)]
        for role, row in self.tables["roles"].items():
            for purpose in row["purposes"] if row["queries"] else ():
                for trained, reason in ways:
                    yield Asker(
                        role=role, agency=row["agencies"][0], purpose=purpose,
                        trained=trained, reason=reason,
                    )  # fmt: skip

    @cached_property
    def reasons(self) -> Sequence[str]:
        """The codes of reasons that some outcome asks for."""
        asked = [one.get("reasons", ()) for one in self.tables["outcomes"].values()]
        return sorted({code for codes in asked for code in codes})

    @cached_property
    def usual(self) -> str:
        """A code that no outcome asks for: it stands for all of them."""
        return next(str(code) for code in self.tables["reasons"] if code not in self.reasons)

    def question(self, asker: Asker, agencies: Sequence[str]) -> Mapping[str, Any]:
        """The question of one asker, about the data of each of some agencies."""
        row = self.tables["roles"][asker.role]
        forms = self.tables["agencies"].get(asker.agency, {}).get("case_forms", [None])
        return {
            "version": VERSION,
            "action": {"name": "query"},
            "subject": {
                "type": "officer",
                "id": "asker",
                "agency": asker.agency,
                "roles": [asker.role],
                "clearance": row["clearance"],
                "training": self._training if asker.trained else [],
                "on_duty": True,
                "as_at": dict.fromkeys(ATTRIBUTES, _TIME),
                "said_by": dict.fromkeys(ATTRIBUTES, "everything"),
                "app": _APP,
            },
            "context": {
                "time": _TIME,
                "query_id": "everything",
                "purpose": asker.purpose,
                "reason_code": asker.reason,
                "reason_given": True,
                "case_given": True,
                "case_form": forms[0],
                "incident_given": True,
                "on_behalf_of": _ANOTHER,
                "break_glass": False,
            },
            "resources": {
                f"{agency}-{place}": {
                    **resource,
                    "source": agency.lower(),
                    "agency": agency,
                    "parent": resource["parent"] and f"{agency}-{resource['parent']}",
                }
                for agency in agencies
                for place, resource in self.resources.items()
            },
        }

    @cached_property
    def _training(self) -> list[str]:
        return sorted({one["needs"] for one in self.tables["outcomes"].values() if "needs" in one})

    @cached_property
    def links(self) -> Mapping[str, tuple[str, str]]:
        """The links that the matrix treats by themselves, "Vehicle>Person", with the entities at
        their two ends; over any other link a record is treated as by itself."""
        known = {
            f"{name}>{to}": (name, to)
            for name, entity in self.vocabulary.entities.items()
            for link in entity.links.values()
            for to in self.vocabulary.concrete(link.to.name)
        }
        named = {place.partition(".")[0] for place in self.tables["matrix"]}
        return {link: ends for link, ends in known.items() if link in named}

    @cached_property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """Every record and every part of one, by itself and over such a link, by a name
        that has the record's before the first dot."""
        made: dict[str, Mapping[str, Any]] = {}
        for entity in self.vocabulary.entities:
            made.update(self._record(entity, entity, None))
        for link, (parent, entity) in self.links.items():
            made.update(self._record(link, entity, parent))
        return made

    def _record(
        self, name: str, entity: str, parent: str | None
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for path, type_ in parts(self.vocabulary, entity):
            # What holds a part has no value of its own, and what is hidden nobody reads.
            held = self.vocabulary.components
            fields = self.vocabulary.fields_of(type_).values()
            read = {one.name for one in fields if not one.hidden and one.type.name not in held}
            yield (
                f"{name}.{path}" if path else name,
                {
                    "entity": type_,
                    "parent": name if path else parent,
                    "limit": 100 if path else 20,
                    "read": sorted(read if path else read | {"ref"}),
                    "uses": self._uses(type_, entity if not path else None),
                },
            )

    def _uses(self, type_: str, entity: str | None) -> Mapping[str, list[str]]:
        """Each use that the vocabulary offers of a part's fields, and of a record that of the
        fields of its parts."""
        asked: dict[str, set[str]] = {}
        for use, name in offered(self.vocabulary, type_):
            asked.setdefault(use, set()).add(name)
        for path, inner in parts(self.vocabulary, entity) if entity else ():
            for use, name in offered(self.vocabulary, inner) if path else ():
                if use not in {"reveal", "count"}:
                    asked.setdefault(use, set()).add(f"{path}.{name}")
        return {use: sorted(names) for use, names in asked.items()}
