"""One case: a query as files, and what the pure stages make of it against the real catalogue.

`x.graphql` with `x.request.json` (who asks, why, with which variables) gives `x.plan.json`,
`x.question.json`, `x.decision.json`, `x.explain.txt` and `x.response.json`. Adding a case is adding
the first two, and to `rows.toml` what the sources are to hold, and running
`python -m tests.cases.write`; a review sees every change of a plan, of a decision or of an answer
as a diff.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from connectors.conditions import to_json
from connectors.spi import Connector
from deploy.demo.personas import PERSONAS
from gateway.catalogue.check import connect, load_catalogue
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.schema import Schema, build_schema
from gateway.cli.common import at_work
from gateway.model import Fetch, Operation, Part, Plan, Request, Subject
from gateway.policy.contract import question
from gateway.query.derived import Moment
from gateway.query.explain import everything, explain
from gateway.query.fanout import FanOut
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import Refs
from gateway.settings import Limits
from tests.cases.answering import Decide, answered

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
QUERY_ID = "01900000-0000-7000-8000-000000000000"
PRODUCTS = ("plan.json", "question.json", "decision.json", "explain.txt", "response.json")


@dataclass(frozen=True, slots=True)
class Case:
    """A query in this folder."""

    name: str

    def file(self, kind: str) -> Path:
        return HERE / f"{self.name}.{kind}"

    def made(self, decide: Decide) -> Mapping[str, str]:
        """What the stages make of it now, by product."""
        given = json.loads(self.file("request.json").read_text("utf-8"))
        subject = _subject(given["persona"])
        parser = Parser(schema=_schema(), limits=Limits())
        planner = Planner(catalogue=_catalogue(), refs=Refs(bytes(32)), limits=Limits())
        request = Request(
            id=QUERY_ID,
            received_at=NOW,
            authorization=(),
            document=self.file("graphql").read_text("utf-8"),
            variables=given["variables"],
            justification=given["justification"],
        )
        operation = parse_request(request, parser)
        plan = planner.plan_for(operation, subject, NOW)
        asked = _question(plan, subject, operation)
        decision = decide(asked)
        answer = answered(
            request, subject, operation, plan, decision=decision, parser=parser, planner=planner
        )
        return {
            "plan.json": _text(_plan(plan)),
            "question.json": _text({"input": asked}),
            "decision.json": _text({"result": decision}),
            "explain.txt": _explained(plan),
            "response.json": _text(answer.body),
        }


def cases() -> list[Case]:
    return [Case(file.stem) for file in sorted(HERE.glob("*.graphql"))]


@cache
def _catalogue() -> Catalogue:
    return load_catalogue(HERE.parents[1] / "deploy" / "catalogue")


@cache
def _schema() -> Schema:
    return build_schema(_catalogue().vocabulary)


class _Nowhere:
    """Addresses that lead nowhere: explaining makes no connection."""

    def get(self, name: str) -> str:
        urls = {
            "NMC_DB_URL": "postgresql+asyncpg://u@h/d",
            "SCP_DB_URL": "mysql+aiomysql://h/d",
            "ERU_DB_URL": "sqlite+aiosqlite:///nowhere.sqlite",
        }
        return urls.get(name, "http://127.0.0.1:9" if name.endswith("URL") else "placeholder")


@cache
def _connectors() -> Mapping[str, Connector]:
    return connect(_catalogue(), _Nowhere())


def _subject(name: str) -> Subject:
    return replace(at_work(PERSONAS[name], NOW), issuer="https://issuer.example")


def _question(plan: Plan, subject: Subject, operation: Operation) -> Mapping[str, Any]:
    return question(
        plan,
        subject,
        operation.justification,
        agencies={s.id: s.agency for s in _catalogue().sources.values()},
        now=NOW,
        query_id=QUERY_ID,
    )


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "roots": [
            {"key": r.key, "field": r.name, "fetches": r.fetches, "cannot_apply": r.not_held}
            for r in plan.roots
        ],
        "fetches": {fetch.id: _fetch(fetch) for fetch in plan.fetches},
        **({"looks": {fetch.id: _fetch(fetch) for fetch in plan.looks}} if plan.looks else {}),
        "held_by_nobody": [path for path, _ in plan.not_held],
    }


def _fetch(fetch: Fetch) -> dict[str, Any]:
    made: dict[str, Any] = {
        "visit": f"{fetch.entity} at {fetch.source}",
        "path": fetch.path,
        "limit": fetch.limit,
        "where": to_json(fetch.where),
        "parts": {part.path or ".": _part(part) for part in fetch.parts},
    }
    if fetch.parent is not None:
        made["link"] = f"{fetch.parent}: {fetch.link_from} = {fetch.link_by}"
    return made


def _part(part: Part) -> dict[str, Any]:
    return {
        "reads": sorted(part.reads),
        "uses": [f"{use} {name}" for use, name in sorted(part.uses)],
    }


def _explained(plan: Plan) -> str:
    fan_out = FanOut(
        catalogue=_catalogue(),
        sources=_connectors(),
        moment=Moment(now=NOW),
        query_id=QUERY_ID,
        ends_at=0.0,
    )
    said: list[str] = []
    fetches = {fetch.id: fetch for fetch in plan.visits}
    for fetch_id, requests in explain(fan_out, everything(plan)).items():
        fetch = fetches[fetch_id]
        below = f", beneath {fetch.parent}" if fetch.parent else ""
        below += ", for who else bears an identifier" if fetch in plan.looks else ""
        said.append(f"## {fetch_id}: {fetch.entity} from {fetch.source}{below}")
        said.extend(_MANY.sub(_counted, request) for request in requests)
        said.append("")
    return "\n".join(line.rstrip() for line in "\n".join(said).splitlines()) + "\n"


_MANY = re.compile(r"(\?|%s)(?:, \1){3,}")


def _counted(many: re.Match[str]) -> str:
    """A long row of placeholders as one, with their number."""
    return f"{many[1]} ×{many[0].count(many[1])}"  # noqa: RUF001  # times


def _text(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
