"""Nothing is inferred from what may not be seen: threats IN-.., over HTTP.

What the schema does not offer cannot be asked; a walk over all of it holds that so. What it
offers is tried on a canary, whose values occur nowhere else.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from connectors.spi import SourceQuery, SourceResult
from deploy.demo.population import Population
from gateway.cli.demo import Demo
from gateway.model import Request
from gateway.pipeline import answer
from tests.e2e.asking import REASON, Answer, Asker
from tests.e2e.test_threats_field_policy import NINO, WHO, text_of
from tests.e2e.test_tripwire import plain

WHY: dict[str, Any] = {"purpose": "OFFICER_SAFETY"}
PEOPLE = "query Q($n: [PersonCriteria!]!%s) { personSearch(anyOf: $n%s) { %s } }"
PAGE = PEOPLE % (", $a: String", ", first: 2, after: $a", "total next hits { owner ref }")
HUSHED = [{"family": "Canaryhush", "given": "Canary", "dob": "1985-05-05"}]
NOBODY = [{"family": "Canarynone", "given": "Canary", "dob": "1985-05-05"}]


async def people(asker: Asker, who: object, fields: str, persona: str = "RO") -> Answer:
    return await asker.ask(persona, PEOPLE % ("", "", fields), {"n": who}, **WHY)


@dataclass(frozen=True, slots=True)
class Counted:
    """A source that counts its visits."""

    honest: Any
    visits: Counter[str]
    name: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.honest, name)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.visits[self.name] += 1
        result: SourceResult = await self.honest.fetch(query)
        return result


async def test_in_21_what_another_officer_asked_is_asked_anew_of_every_source(
    asker: Asker,
) -> None:
    """Twice by one officer and then by a colleague in the same role: as many visits each time, and
    nothing kept of the decision on another person."""
    visits: Counter[str] = Counter()
    gate = asker.demo.started.gate
    sources: dict[str, Any] = {
        name: Counted(source, visits, name) for name, source in gate.sources.items()
    }
    gate = replace(gate, sources=sources)
    colleague = asker.saying("RO", sub="demo-nmc-colleague")
    seen, bodies = [], []
    for whose in (asker, asker, colleague):
        visits.clear()
        kept = set(gate.pdp._cache)
        request = Request(
            id=asker.demo.started.office.new_id(),
            received_at=gate.clock(),
            authorization=(f"Bearer {await whose.token('RO')}",),
            document=PEOPLE % ("", "", "hits { owner primaryName contacts { value } }"),
            variables={"n": WHO},
            justification={**WHY, "reasonCode": "R06", **REASON},
        )
        answered = await answer(gate, request)
        seen.append((dict(visits), len(set(gate.pdp._cache) - kept)))
        bodies.append(answered.body["data"])
    assert len(seen[0][0]) > 3
    assert seen[0][0] == seen[1][0] == seen[2][0]
    assert [new for _, new in seen] == [1, 0, 1]  # a decision is kept for the person it is about
    assert bodies[0] == bodies[1] == bodies[2]


UNOFFERED = {
    "IN-02": '{ vehicle(vrm: "SN68BTX", where: {markers: {startsWith: "a"}}) { make } }',
    "IN-03": '{ vehicle(vrm: "SN68BTX") { keeper(where: {nino: "x"}) { owner } } }',
    "IN-04": '{ personSearch(anyOf: [{or: [{nino: "x"}], not: {}}]) { total } }',
    "IN-06": '{ personSearch(anyOf: [{family: "A"}], orderBy: nino) { total } }',
    "IN-08": '{ personSearch(anyOf: [{family: "A"}]) { stats { max } groupBy distinct } }',
    "IN-14": '{ resolve(candidate: {nino: "x"}) { score } }',
    "IN-18": "{ faceSearch(probe: {vector: [0.1, 0.2]}) { threshold } }",
    "IN-28": '{ suggest(prefix: "QQ") autocomplete(field: nino) }',
}


@pytest.mark.parametrize("case", UNOFFERED)
async def test_in_02_what_is_not_offered_is_refused_before_any_source(
    asker: Asker, case: str
) -> None:
    """IN-03, IN-04, IN-06, IN-08, IN-14, IN-18 and IN-28 too."""
    await asker.demo.started.tripwires.settled()  # what follows others' questions
    before = asker.demo.started.log.size
    answer = await asker.ask("RO", UNOFFERED[case], **WHY)
    assert answer.code == "INVALID_OPERATION"
    assert "data" not in answer.body
    assert asker.demo.started.log.size == before + 1  # rejected: no intent, so no visit


ORACLES = frozenset(
    [
        "where",
        "filter",
        "not",
        "or",
        "and",
        "some",
        "every",
        "none",
        "orderBy",
        "sort",
        "sortBy",
        "groupBy",
        "stats",
        "distinct",
        "min",
        "max",
        "sum",
        "avg",
        "count",
        "vector",
        "suggest",
        "autocomplete",
        "resolve",
        "merged",
        "conflicts",
        "lastUpdated",
        "sourceCount",
        "provenance",
        "clusterId",
    ]
)


def test_in_06_the_schema_offers_no_such_argument_field_or_input(demo: Demo) -> None:
    """AZ-17, AZ-18, IN-02 to IN-08, IN-14, IN-16, IN-28: records are never merged nor sorted."""
    named, asked = set[str](), set[str]()
    for type_ in demo.started.gate.parser.schema.graphql.type_map.values():
        if type_.name.startswith("__"):
            continue
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            named |= set(type_.fields)
            asked |= {name for field in type_.fields.values() for name in field.args}
        elif isinstance(type_, GraphQLInputObjectType):
            asked |= set(type_.fields)
    assert {"anyOf", "family"} <= asked
    assert "hits" in named
    assert not asked & ORACLES
    assert not (named - {"where"}) & ORACLES  # `where` an event was is a place


async def test_in_01_a_criterion_on_a_denied_field_answers_alike(asker: Asker) -> None:
    """A number of a kind that is not shown finds nobody: whether somebody bears it or not."""
    hit = await people(asker, [{"identifier": f"{NINO}A"}], "total hits { owner }")
    miss = await people(asker, [{"identifier": "QQ990777A"}], "total hits { owner }")
    assert (plain(hit.body), hit.status) == (plain(miss.body), miss.status)


@pytest.mark.parametrize("persona", ["RO", "BF"])
async def test_in_09_a_total_counts_nothing_hidden(asker: Asker, persona: str) -> None:
    hidden = await people(asker, HUSHED, "total next hits { owner }", persona)
    nothing = await people(asker, NOBODY, "total next hits { owner }", persona)
    assert (plain(hidden.body), hidden.status) == (plain(nothing.body), nothing.status)


@pytest.fixture(scope="module")
def many(population: Population) -> list[dict[str, str]]:
    """The family name that most people bear."""
    names = Counter(p.name.family for p in population.people.values() if p.culture == "BRITISH")
    return [{"family": names.most_common(1)[0][0]}]


async def test_in_10_pages_are_full_until_the_last(asker: Asker, many: object) -> None:
    """IN-07 too: the order is the gateway's own, the same on every walk."""
    walks = []
    for _ in range(2):
        pages, after = list[list[dict[str, str]]](), None
        while not pages or after:
            answer = await asker.ask("RO", PAGE, {"n": many, "a": after}, **WHY)
            page = answer.data["personSearch"]
            pages.append(page["hits"])
            after = page["next"]
        for owner in {row["owner"] for row in pages[0]}:
            sizes = [sum(row["owner"] == owner for row in page) for page in pages]
            assert sizes == sorted(sizes, reverse=True), sizes
            assert sum(0 < size < 2 for size in sizes) <= 1, sizes  # two of each source, and a rest
        walks.append([row["ref"] for page in pages for row in page])
    assert len(pages) > 1
    assert walks[0] == walks[1]
    assert len(set(walks[0])) == len(walks[0])


async def test_in_13_a_cursor_that_is_not_ones_own_is_refused_in_one_text(
    asker: Asker, many: object
) -> None:
    """IN-12 too: it is of this officer, for this question."""
    page = (await asker.ask("RO", PAGE, {"n": many, "a": None}, **WHY)).data["personSearch"]
    cursor = page["next"]
    swapped = ("A" if cursor[20] != "A" else "B").join((cursor[:20], cursor[21:]))
    said = []
    for persona, who, given in (
        ("RO", many, swapped), ("RO", many, cursor[:-4]), ("RO", many, "x"), ("BF", many, cursor),
        ("RO", NOBODY, cursor),
    ):  # fmt: skip
        answer = await asker.ask(persona, PAGE, {"n": who, "a": given}, **WHY)
        said.append((answer.status, answer.code, answer.body["errors"][0]["message"]))
    assert set(said) == {said[0]}
    assert said[0][:2] == (400, "BAD_REQUEST")


@pytest.mark.parametrize("most", [11, 1000])
async def test_in_19_candidates_are_bounded(asker: Asker, most: int) -> None:
    document = f'{{ faceSearch(probe: {{handle: "x"}}, maxCandidates: {most}) {{ threshold }} }}'
    answer = await asker.ask("NO", document, purpose="OIC_INVESTIGATION")
    assert answer.code in {"INVALID_OPERATION", "LIMIT_EXCEEDED"}


@pytest.mark.parametrize("field", ["identifier", "family"])
async def test_in_22_a_wrong_type_is_told_before_policy_and_without_the_value(
    asker: Asker, field: str
) -> None:
    answer = await people(asker, [{field: 417990}], "total")
    assert answer.code == "INVALID_OPERATION"
    assert "417990" not in text_of(answer)


async def test_in_24_figures_tell_nothing_of_what_is_held(asker: Asker) -> None:
    hidden = await people(asker, HUSHED, "total hits { owner }")
    for source in hidden.body["extensions"]["sources"]:
        assert set(source) == {"agency", "system", "state", "band"}
    assert not {"cost", "tracing", "rows"} & set(hidden.body["extensions"])


async def test_in_25_what_a_caller_sends_is_not_said_back_and_nothing_is_compressed(
    asker: Asker,
) -> None:
    marker = "Zqxjkvbnm"
    why = {"purpose": "OFFICER_SAFETY", "reasonCode": "R06", "reasonText": marker}
    body = {
        "query": PEOPLE % ("", "", "total hits { owner }"),
        "variables": {"n": [*WHO, {"family": marker, "given": marker, "dob": "1985-05-05"}]},
        "extensions": {"justification": why},
    }
    reply = await asker.post("RO", body, **{"Accept-Encoding": "gzip, br, zstd"})
    assert reply.status_code == 200
    assert marker not in reply.text
    assert "content-encoding" not in reply.headers


async def test_in_30_refs_tell_neither_agency_nor_order(asker: Asker) -> None:
    rows = (await people(asker, WHO, "hits { owner ref }")).hits()
    refs = [row["ref"] for row in rows]
    assert len(refs) == 5
    assert not [row for row in rows if row["owner"].lower() in json.dumps(row["ref"])[:8].lower()]
    assert all(ref[:6] != other[:6] for ref in refs for other in refs if ref is not other)
