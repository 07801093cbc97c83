"""Who else bears an identifier that would link: every source that may know is asked, or says no."""

from __future__ import annotations

import asyncio
import gc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connectors.conditions import NEVER, Compare, Op
from connectors.spi import SourceQuery, SourceResult, SourceTooBroad, SourceUnavailable
from gateway.catalogue.mapping import Catalogue, read_catalogue
from gateway.model import AuthorisedPlan, Note, Operation, PartGrant, Plan, State, Use
from gateway.policy.enforce import keys_of
from gateway.query.asking import cursor_binding
from gateway.query.bearers import Bearers
from gateway.query.derived import Moment
from gateway.query.explain import explain
from gateway.query.fanout import FanOut
from gateway.query.records import Records
from gateway.query.refs import Cursor
from gateway.query.shape import Shaper
from tests.memory import Memory, Row
from tests.unit.query import world

PASSPORT = ("PASSPORT", "A1234567")
SEARCH = """query ($after: String) { personSearch(anyOf: [{family: "Hodja"}], after: $after) {
  total next hits { owner match { band } } matches { band } } }"""
BY_NUMBER = """query ($after: String) { personSearch(
  anyOf: [{family: "Hodja"}, {identifier: "A1234567"}], first: 2, after: $after) {
  total next hits { owner match { band } } matches { band } } }"""


def catalogue(west: Mapping[str, Any] | None = None, **of_east: Any) -> Catalogue:
    """`north` and `south` find persons by family name; `east`, which holds whole names, cannot."""
    person = world.EAST["entity"]["Person"]
    parts = {**person["parts"], **of_east}
    east = {**world.EAST, "entity": {"Person": {**person, "parts": parts}}}
    south = {**world.NORTH, "id": "south", "agency": "SOUTH"}
    files = [("north.toml", world.NORTH), ("south.toml", south), ("east.toml", east)]
    files += [("west.toml", west)] if west else []
    return read_catalogue(world.vocabulary(), files)


def bearer(key: str) -> Mapping[str, Sequence[Row]]:
    """A source in which one person bears the passport."""
    person = {"id": key, "sur": "HODJA", "fore": "A", "sex": 1, "hnd": "P", "silent": 0}
    return {
        "person": [person],
        "person_no": [{"person": key, "n": 1, "kind": "PP", "no": "A1234567"}],
    }


def people(*passports: str) -> Mapping[str, Sequence[Row]]:
    """`east`, with one person for each passport."""
    held = enumerate(passports)
    return {"/people": [{"id": f"e{n}", "name": "A B", "passport": p} for n, p in held]}


class Failing(Memory):
    """A source that does not answer."""

    error: type[Exception] = SourceUnavailable

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.asked.append(query)
        raise self.error("no")


@dataclass
class Named(Memory):
    """A source that writes down that it was asked."""

    name: str = ""
    order: list[str] = field(default_factory=list)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.order.append(self.name)
        return await super().fetch(query)


@dataclass
class Seen(Memory):
    """A source that says once it was asked."""

    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.seen.set()
        return await super().fetch(query)


@dataclass
class Held(Seen):
    """A source that answers once it may."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        found = await super().fetch(query)
        await self.may_answer.wait()
        return found


class HeldUp(Held):
    """A source that fails once it may."""

    async def fetch(self, query: SourceQuery) -> SourceResult:
        await super().fetch(query)
        raise SourceUnavailable("no")


class TooBroad(Failing):
    """A source that answers narrower questions only."""

    error = SourceTooBroad


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search by family name, over three sources of which `east` is not searched."""

    operation: Operation
    held: Catalogue
    agreed: AuthorisedPlan
    visits: FanOut

    @property
    def east(self) -> Memory:
        source = self.visits.sources["east"]
        assert isinstance(source, Memory)
        return source

    async def answer(self) -> tuple[frozenset[tuple[str, str]], Mapping[str, Any]]:
        """The identifiers that count as shared, and the answer."""
        results, shared = await self.visits.visit(self.agreed)
        shaper = Shaper(self.operation, self.agreed, world.shaping(self.operation, self.held))
        return shared, shaper.shape(results, shared).body


def plan(
    held: Catalogue, after: Mapping[str, str | None] | None = None, document: str = SEARCH
) -> tuple[Operation, Plan]:
    asked = world.operation(document)
    if after is not None:
        text = world.REFS.seal_cursor(
            Cursor(
                positions={f"{source}/Person": key for source, key in after.items()},
                serial=7,
                expires_at=int(world.NOW.timestamp()) + 900,
                binding=cursor_binding(asked, world.SUBJECT, asked.roots[0]),
            )
        )
        asked = world.operation(document, {"after": text})
    return asked, world.plan_of(asked, held=held)


def search(
    east: Memory,
    *,
    held: Catalogue | None = None,
    after: Mapping[str, str | None] | None = None,
    document: str = SEARCH,
    change: world.Change = lambda _id, grant: grant,
) -> Asked:
    held = held or catalogue()
    operation, planned = plan(held, after, document)
    sources = {"north": Memory(bearer("n1")), "south": Memory(bearer("s1")), "east": east}
    return Asked(
        operation=operation,
        held=held,
        agreed=world.allowed(planned, change),
        visits=FanOut(
            catalogue=held, sources=sources, moment=Moment(now=world.NOW), query_id="q",
            ends_at=math.inf,
        ),
    )  # fmt: skip


def bands(body: Mapping[str, Any]) -> list[str | None]:
    return [hit["match"]["band"] for hit in body["data"]["personSearch"]["hits"]]


PAGES = pytest.mark.parametrize(
    "after", [None, {"north": "a", "south": "a"}], ids=["not searched", "nothing more to give"]
)


@PAGES
def test_a_source_that_is_not_searched_is_planned_for_identifiers_alone(
    after: Mapping[str, str] | None,
) -> None:
    _, made = plan(catalogue(), after)
    assert [(f.id, f.source) for f in made.fetches] == [("f0", "north"), ("f1", "south")]
    (look,) = made.looks
    assert (look.id, look.source, look.entity, look.where) == ("f2", "east", "Person", NEVER)
    assert made.roots[0].fetches == ("f0", "f1")
    assert [(part.path, sorted(part.reads)) for part in look.parts] == [
        ("", ["ref"]), ("match", []), ("identifiers", []),
    ]  # fmt: skip
    uses = {use for part in look.parts for use in part.uses} - {(Use.COUNT, "verified")}
    assert uses == {(Use.MATCH, "kind"), (Use.MATCH, "value")}


def test_one_source_links_nobody_so_no_other_is_looked_at() -> None:
    _, made = plan(catalogue(), {"north": "a"})
    assert [f.source for f in made.fetches] == ["north"]
    assert made.looks == ()


@PAGES
@pytest.mark.parametrize(
    ("passports", "shared"),
    [
        ((), False),
        (("B7654321",), False),
        (("A1234567",), False),
        (("A1234567", "B7654321", "A1234567"), True),
        (("A1234567",) * 60, True),  # more than are read
    ],
)
async def test_another_bearer_where_nobody_searched_holds_the_records_apart(
    after: Mapping[str, str] | None, passports: Sequence[str], shared: bool
) -> None:
    asked = search(Memory(people(*passports)), after=after)
    found, body = await asked.answer()
    assert found == ({PASSPORT} if shared else frozenset())
    assert bands(body) == [None if shared else "LINKED_BY_IDENTIFIER"] * 2
    assert len(body["data"]["personSearch"]["matches"]) == (not shared)
    look, *read = asked.east.asked
    assert look.where == Compare("passport", Op.EQ, "A1234567")
    assert (look.after, look.columns, look.limit) == (None, ("id",), 2)
    assert bool(read) == shared  # more is read only where more than one person was found
    states = {entry["agency"]: entry["state"] for entry in body["extensions"]["sources"]}
    assert states["EAST"] == "NOT_ASKED"  # of the search: its records are not in the answer


@pytest.mark.parametrize(
    ("passports", "linked", "times"),
    [
        (("A1234567",), True, 1),
        (("A1234567", "A1234567"), False, 1),
        ((), True, 1),
        (("B7654321",) * 3, True, 1),
        (("A1234567",) * 3, False, 1),
    ],
)
async def test_a_source_that_was_searched_for_the_identifier_is_not_asked_for_it_again(
    passports: Sequence[str], linked: bool, times: int
) -> None:
    asked = search(Memory(people(*passports)), document=BY_NUMBER)
    _, body = await asked.answer()
    assert ("LINKED_BY_IDENTIFIER" in bands(body)) == linked
    assert len(asked.east.asked) == times


async def test_a_search_for_the_identifier_that_is_under_way_is_waited_for() -> None:
    east = Held(people("A1234567"))
    asked = search(east, document=BY_NUMBER)
    task = asyncio.create_task(asked.answer())
    async with asyncio.timeout(5.0):
        await east.seen.wait()
        for _ in range(100):  # the other searches end, and link
            await asyncio.sleep(0)
        east.may_answer.set()
        found, body = await task
    assert (found, len(east.asked)) == (frozenset(), 1)
    assert bands(body) == ["LINKED_BY_IDENTIFIER"] * 3


async def test_a_source_that_holds_no_such_number_is_not_asked() -> None:
    held = catalogue(identifiers={"kind": {"constant": "BRP"}, "value": "passport"})
    asked = search(Memory(people("A1234567", "A1234567")), held=held)
    assert (await asked.answer())[0] == frozenset()
    assert asked.east.asked == []


NUMBERS = ("A1234567", "B7654321", "C1111111")


@pytest.mark.parametrize("page", [1, 2, 20])
@pytest.mark.parametrize(
    "borne", [(1, 0, 0), (1, 1, 1), (3, 1, 0), (2, 1, 2), (5, 0, 1), (1, 4, 0), (3, 3, 3)]
)
async def test_what_is_known_of_a_number_hangs_on_no_other_asked_for_with_it(
    borne: tuple[int, ...], page: int
) -> None:
    """Which are asked for together hangs on which search ends first."""

    def short(id_: str, grant: PartGrant) -> PartGrant:
        return replace(grant, limit=page) if id_ == "f2" else grant

    held = [number for number, times in zip(NUMBERS, borne, strict=True) for _ in range(times)]
    asked = search(Memory(people(*held)), change=short)
    bearers = Bearers(
        agreed=asked.agreed,
        catalogue=asked.held,
        results={},
        searches={},
        ask=lambda grant: asked.visits.look(asked.agreed, grant, ()),
        ordered=list,
    )

    async def several(*numbers: str) -> set[str]:
        wanted = {("PASSPORT", number) for number in numbers}
        known = await bearers._borne(asked.agreed.looks["f2"], wanted)
        assert known is not None
        return {value for kind, value in known if known.count((kind, value)) > 1}

    apart = [await several(number) for number in NUMBERS]
    assert await several(*NUMBERS) == set().union(*apart)
    assert set().union(*apart) == {n for n, times in zip(NUMBERS, borne, strict=True) if times > 1}
    assert await several(*NUMBERS[:2]) == apart[0] | apart[1]


@pytest.mark.parametrize("then", ["answers", "fails"])
async def test_others_are_asked_while_a_search_is_under_way(then: str) -> None:
    west = {**world.NORTH, "id": "west", "agency": "WEST"}
    held = catalogue(west=west)
    slow = (Held if then == "answers" else HeldUp)({})
    east = Seen(people())
    asked = search(east, held=held)
    sources = {**asked.visits.sources, "west": slow}
    asked = replace(asked, visits=replace(asked.visits, sources=sources))
    task = asyncio.create_task(asked.answer())
    async with asyncio.timeout(5.0):
        await east.seen.wait()
    assert len(slow.asked) == 1
    slow.may_answer.set()
    found, body = await task
    assert len(east.asked) == 1  # nothing twice
    assert found == (frozenset() if then == "answers" else {PASSPORT})
    assert bands(body) == ["LINKED_BY_IDENTIFIER" if then == "answers" else None] * 2


async def test_nobody_is_asked_once_a_search_has_failed() -> None:
    """Which may know another bearer; what others would say changes nothing."""
    west = {**world.NORTH, "id": "west", "agency": "WEST"}
    asked = search(Memory(people()), held=catalogue(west=west))
    slow, failed = Held(bearer("n1")), HeldUp({})
    sources = {**asked.visits.sources, "west": failed, "north": slow}
    asked = replace(asked, visits=replace(asked.visits, sources=sources))
    task = asyncio.create_task(asked.answer())
    async with asyncio.timeout(5.0):
        await failed.seen.wait()
        failed.may_answer.set()
        slow.may_answer.set()
        assert (await task)[0] == {PASSPORT}
    assert (len(failed.asked), asked.east.asked) == (1, [])


async def test_who_may_know_another_bearer_is_not_waited_for_once_a_search_has_failed() -> None:
    west = {**world.NORTH, "id": "west", "agency": "WEST"}
    failing, never = HeldUp({}), Held(people())
    asked = search(never, held=catalogue(west=west))
    asked = replace(
        asked,
        visits=replace(asked.visits, sources={**asked.visits.sources, "west": failing}),
    )
    task = asyncio.create_task(asked.answer())
    async with asyncio.timeout(5.0):
        await never.seen.wait()
        failing.may_answer.set()
        assert (await task)[0] == {PASSPORT}


@pytest.mark.parametrize("name", ["Hodja", "A1234567"])
async def test_a_search_by_something_else_does_not_give_every_bearer(name: str) -> None:
    """Somebody of another name bears the number in a source that was searched by name, though the
    name be the number's text."""
    north, south = dict(bearer("n1")), dict(bearer("s1"))
    for held in (north, south):
        held["person"] = [{**held["person"][0], "sur": name.upper()}]
    north["person"] = [*north["person"], {**north["person"][0], "id": "n2", "sur": "DOE"}]
    north["person_no"] = [*north["person_no"], {**north["person_no"][0], "person": "n2"}]
    asked = search(Memory(people()), document=SEARCH.replace("Hodja", name))
    sources = {**asked.visits.sources, "north": Memory(north), "south": Memory(south)}
    found, body = await replace(asked, visits=replace(asked.visits, sources=sources)).answer()
    assert found == {PASSPORT}
    assert bands(body) == [None, None]


@pytest.mark.parametrize("together", [True, False])
async def test_a_search_for_the_number_and_a_name_does_not_give_every_bearer(
    together: bool,
) -> None:
    """But one for the number alone does, whatever else is searched for."""
    both = '{identifier: "A1234567", family: "Hodja"}'
    either = '{identifier: "A1234567"}, {family: "Hodja"}'
    document = SEARCH.replace('{family: "Hodja"}', both if together else either)
    north = Memory(bearer("n1"))
    asked = search(Memory(people("A1234567")), document=document)
    asked = replace(
        asked, visits=replace(asked.visits, sources={**asked.visits.sources, "north": north})
    )
    assert (await asked.answer())[0] == frozenset()
    searches = [query for query in north.asked if query.relation == "person"]
    assert len(searches) == (2 if together else 1)


async def test_a_later_page_does_not_give_every_bearer() -> None:
    east = Memory(people("A1234567", "A1234567"))
    after = {"north": "a", "south": "a", "east": "e0"}
    found, body = await search(east, after=after, document=BY_NUMBER).answer()
    assert found == {PASSPORT}
    assert bands(body) == [None] * 3


async def test_what_hangs_on_a_record_is_not_asked_who_bears_a_number() -> None:
    vehicle = ' vehicle(vrm: "AB12CDE") { keeper { match { band } } } }'
    documents = (SEARCH, SEARCH.removesuffix("}") + vehicle)
    times: list[int] = []
    for document in documents:
        _, planned = plan(catalogue(), document=document)
        linked = {f"{fetch.id}.identifiers" for fetch in planned.fetches if fetch.parent}

        def closed(id_: str, grant: PartGrant, to: set[str] = linked) -> PartGrant:
            return replace(grant, match=frozenset()) if id_ in to else grant

        asked = search(Memory(people()), document=document, change=closed)
        north = asked.visits.sources["north"]
        assert isinstance(north, Memory)
        assert (await asked.answer())[0] == frozenset()
        times.append(len([query for query in north.asked if query.relation != "vehicle"]))
    assert times[0] == times[1]


@pytest.mark.parametrize("source", [Failing, TooBroad])
async def test_a_source_that_cannot_say_holds_the_records_apart(source: type[Failing]) -> None:
    asked = search(source({}))
    found, body = await asked.answer()
    assert found == {PASSPORT}
    assert bands(body) == [None, None]
    if source is Failing:
        assert len(asked.east.asked) == 1  # not waited for again


async def test_a_place_that_cannot_be_asked_holds_the_records_apart() -> None:
    passport = {"kind": {"constant": "PASSPORT"}, "value": "passport"}
    unasked = {**passport, "value": {"column": "old", "ask": False}}
    for identifiers in (unasked, [passport, unasked]):
        held = catalogue(identifiers=identifiers)
        asked = search(Memory(people()), held=held)
        assert (await asked.answer())[0] == {PASSPORT}
        assert asked.east.asked == []


@pytest.mark.parametrize("lost", ["f2", "f2.identifiers", "a field"])
async def test_in_15_where_matching_may_not_look_the_records_are_held_apart(lost: str) -> None:
    def change(id_: str, grant: PartGrant) -> PartGrant:
        if lost == "a field" and id_ == "f2.identifiers":
            return replace(grant, match=frozenset({"value"}))
        return replace(grant, show=None, match=frozenset()) if id_ == lost else grant

    asked = search(Memory(people()), change=change)
    agreed = asked.agreed
    if lost == "f2":
        agreed = replace(agreed, looks={}, withheld={"f2": Note(rule="r")})
    found, body = await replace(asked, agreed=agreed).answer()
    assert found == {PASSPORT}
    assert bands(body) == [None, None]
    assert asked.east.asked == []


async def test_a_silent_source_is_like_one_that_holds_nobody() -> None:
    holding_nobody = search(Memory(people()))
    silent = search(Memory(people("A1234567", "A1234567")))
    agreed = replace(silent.agreed, looks={}, silent=frozenset({"f2"}))
    silent = replace(silent, agreed=agreed)
    assert await silent.answer() == await holding_nobody.answer()
    assert silent.east.asked == []


def test_what_is_looked_at_is_explained() -> None:
    asked = search(Memory({}))
    assert explain(asked.visits, asked.agreed)["f2"] == ["/people"]


async def test_what_takes_longest_of_late_is_asked_first() -> None:
    for slowest in ("north", "south"):
        asked = search(Memory(people()))
        asked.visits.breakers.answered(slowest, 0.5)
        order: list[str] = []
        sources = {
            name: Named(held.relations, name=name, order=order)
            for name, held in asked.visits.sources.items()
            if isinstance(held, Memory)
        }
        await replace(asked.visits, sources=sources).visit(asked.agreed)
        firsts = list(dict.fromkeys(order))
        assert firsts[0] == slowest
        assert sorted(firsts) == ["east", "north", "south"]
        asked_again = order[order.index("east") - 2 :]  # for bearers of the number
        assert asked_again[0] == slowest


async def test_something_is_done_once_all_are_asked_and_one_has_answered() -> None:
    asked = search(Memory(people()))
    slow = Held(bearer("s1"))

    def meanwhile() -> None:
        assert slow.asked
        assert not slow.may_answer.is_set()
        slow.may_answer.set()

    visits = replace(asked.visits, sources={**asked.visits.sources, "south": slow})
    async with asyncio.timeout(5):
        results, _ = await visits.visit(asked.agreed, meanwhile)
    assert [len(results[fetch].records) for fetch in ("f0", "f1")] == [1, 1]


async def test_what_was_prepared_makes_the_same_answer() -> None:
    asked = search(Memory(people()))
    results, shared = await asked.visits.visit(asked.agreed)
    prepared, other = (
        Shaper(asked.operation, asked.agreed, world.shaping(asked.operation, asked.held))
        for _ in range(2)
    )
    prepared.prepare()
    made = prepared.shape(results, shared)
    assert made == other.shape(results, shared)
    assert len(made.body["data"]["personSearch"]["hits"]) == 2


class Once(Memory):
    """A source that answers one visit."""

    async def fetch(self, query: SourceQuery) -> SourceResult:
        if self.asked:
            raise SourceUnavailable("no more")
        return await super().fetch(query)


@pytest.mark.parametrize("source", [Memory, Once])
async def test_a_source_that_cannot_say_what_is_told_beside_has_not_answered(
    source: type[Memory],
) -> None:
    """Else its silence would look like nothing held."""
    held = catalogue()
    _, made = plan(held)
    agreed = world.allowed(made)
    grant = agreed.grants["f0"]
    quiet = Compare("silent", Op.EQ, True)
    look = keys_of(grant, quiet, limit=1, after=None)
    people = bearer("n1")
    people = {
        **people,
        "person": [*people["person"], {**people["person"][0], "id": "n2", "silent": 1}],
    }
    north = source(people)
    visits = FanOut(
        catalogue=held,
        sources={"north": north, "south": Memory(bearer("s1")), "east": Memory({})},
        moment=Moment(now=world.NOW),
        query_id="q",
        ends_at=math.inf,
    )
    alone = replace(agreed, grants={"f0": grant}, looks={}, beside={"f0": look})
    results, _ = await visits.visit(alone)
    found = results["f0"]
    if source is Once:
        assert (found.state, found.records, found.beside) == (State.UNAVAILABLE, (), ())
        return
    assert (found.state, [r.key for r in found.beside]) == (State.ANSWERED, ["n2"])
    assert [part.read for part in look.parts.values()] == [{}] * len(look.parts)


async def test_an_answer_that_was_made_leaves_nothing_to_the_garbage_collector() -> None:
    asked = search(Memory(people()))
    results, shared = await asked.visits.visit(asked.agreed)
    shaping = world.shaping(asked.operation, asked.held)

    def made() -> int:
        gc.collect()
        gc.disable()  # from here on only what nobody holds goes
        try:
            shaper = Shaper(asked.operation, asked.agreed, shaping)
            shaper.prepare()
            shaper.shape(results, shared)
            del shaper
            return sum(isinstance(one, Records) for one in gc.get_objects())
        finally:
            gc.enable()

    before = sum(isinstance(one, Records) for one in gc.get_objects())
    assert made() <= before
