"""The questions that the officers' documents put to the rules: who, for which purpose, of what."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from deploy.demo.personas import PERSONAS
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.schema import build_schema
from gateway.cli.common import at_work
from gateway.model import (
    Fetch,
    Justification,
    Part,
    Plan,
    Request,
    RootPlan,
    Selection,
    Subject,
)
from gateway.policy.contract import question
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import Refs
from gateway.settings import Limits

HERE: Final = Path(__file__).parent
NOW: Final = datetime(2026, 11, 1, 6, tzinfo=UTC)  # any moment: the cells hold for every one
_QUERY_ID: Final = "01900000-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCome:
    """What a root that is no field yet would touch: its cells are decided before it is."""

    root: str
    entity: str
    fields: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Officers:
    """One document of officers' work, and what is asked with it."""

    name: str
    title: str
    reason: str
    document: str
    variables: Mapping[str, Any]
    also: tuple[str, ...] = ()  # reasons with which somebody may see other things
    lacking: str = ""
    to_come: ToCome | None = None


def officers_questions() -> Iterator[Officers]:
    """The twelve, in their order."""
    for name, row in tomllib.loads((HERE / "questions.toml").read_text("utf-8")).items():
        yield Officers(
            name=name,
            title=row["title"],
            reason=row["reason"],
            document=(HERE / "questions" / f"{name}.graphql").read_text("utf-8"),
            variables=row.get("variables", {}),
            also=tuple(row.get("also", ())),
            lacking=row.get("lacking", ""),
            to_come=_to_come(row["to_come"]) if "to_come" in row else None,
        )


def _to_come(row: Mapping[str, Any]) -> ToCome:
    return ToCome(
        root=row["root"],
        entity=row["entity"],
        fields=tuple(row["fields"]),
        sources=tuple(row["sources"]),
    )


@dataclass(frozen=True)
class Desk:
    """Plans documents as the gateway does, over one catalogue, and words their questions."""

    catalogue: Catalogue

    @cached_property
    def agencies(self) -> Mapping[str, str]:
        return {source.id: source.agency for source in self.catalogue.sources.values()}

    @cached_property
    def _parser(self) -> Parser:
        return Parser(schema=build_schema(self.catalogue.vocabulary), limits=Limits())

    @cached_property
    def _planner(self) -> Planner:
        return Planner(catalogue=self.catalogue, refs=Refs(bytes(32)), limits=Limits())

    def plan(self, asked: Officers, code: str) -> Plan:
        """What the document would touch, asked by one of the demonstration's people."""
        subject = at_work(PERSONAS[code], NOW)
        request = Request(
            id=_QUERY_ID,
            received_at=NOW,
            authorization=(),
            document=asked.document,
            variables={
                name: self._sealed(given, subject) for name, given in asked.variables.items()
            },
            justification={"purpose": "OFFICER_SAFETY", "reasonCode": asked.reason},
        )
        plan = self._planner.plan_for(parse_request(request, self._parser), subject, NOW)
        return plan if asked.to_come is None else with_root(plan, asked.to_come)

    def _sealed(self, given: Any, subject: Subject) -> Any:
        """A variable, or the ref of a record as the asker's agency would have been given it."""
        if not (isinstance(given, Mapping) and "ref_of" in given):
            return given
        source, entity = given["ref_of"].split("/")
        return self._planner.refs.seal(subject.agency, source, entity, 1)

    def question(
        self, plan: Plan, code: str, purpose: str, reason: str, case: str
    ) -> Mapping[str, Any]:
        """The question, with all that could be given as its reason: what is refused is refused
        for who asks and for what. Whoever may ask for another names one."""
        why = Justification(
            purpose=purpose, reason_code=reason, reason_text="given", case_ref=case,
            incident_ref="given", on_behalf_of="another",
        )  # fmt: skip
        return question(
            plan,
            at_work(PERSONAS[code], NOW),
            why,
            agencies=self.agencies,
            now=NOW,
            query_id=_QUERY_ID,
        )


def with_root(plan: Plan, to_come: ToCome) -> Plan:
    """The plan with one more root, of visits that read these fields and nothing else."""
    selections = tuple(Selection(key=name, name=name) for name in to_come.fields)
    own = Part(path="", type=to_come.entity, reads=frozenset({"ref", *to_come.fields}))
    made = tuple(
        Fetch(
            id=f"f{number}",
            source=source,
            entity=to_come.entity,
            parts=(own,),
            selections=selections,
            root=to_come.root,
            path=to_come.root,
        )
        for number, source in enumerate(to_come.sources, start=len(plan.visits))
    )
    root = RootPlan(
        key=to_come.root,
        name=to_come.root,
        selection=Selection(key=to_come.root, name=to_come.root, selections=selections),
        fetches=tuple(fetch.id for fetch in made),
    )
    return replace(plan, roots=(*plan.roots, root), fetches=(*plan.fetches, *made), structure=None)
