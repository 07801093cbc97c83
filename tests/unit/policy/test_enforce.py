"""`authorise` narrows a plan to a decision, and never does anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, NEVER, And, Compare, Condition, Op, Or
from gateway.errors import PolicyMisunderstood, Refused
from gateway.model import (
    AuthorisedPlan,
    Beside,
    Case,
    Decision,
    Fetch,
    FieldUse,
    Manner,
    Note,
    Obligation,
    Part,
    PartGrant,
    Plan,
    Reveal,
    Ruling,
    Show,
    Use,
)
from gateway.policy.enforce import authorise, elements_of
from gateway.policy.masks import MASKS
from gateway.policy.obligations import OBLIGATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """As much of a vocabulary as enforcing needs."""

    derived: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    reveals: Mapping[tuple[str, str], tuple[Reveal, ...]] = field(default_factory=dict)

    def contents(self, entity: str, name: str) -> tuple[tuple[str, str], ...]:
        return (("names", "full"), ("names", "kind")) if name == "names" else (("", name),)


NAME = ("Person", "primary_name")
DERIVED = Words(derived={NAME: ("names.full", "names.kind", "title"), ("Person", "rank"): ()})
REVEALS = Words(
    reveals={
        ("Identifier", "value"): (
            Reveal(fields=("date_of_birth", "names"), when_kind="DRIVER_NO"),
            Reveal(fields=("sex",), when_kind="PASSPORT"),
        ),
        ("Identifier", "kind"): (Reveal(fields=("title",), when_kind="NRM_REF"),),
        ("Identifier", "issuer"): (Reveal(fields=("sex",)),),
    }
)
NO = Note(rule="r", text="not here", desk="d", action="a")


def part(path: str, type_: str, *reads: str, uses: tuple[FieldUse, ...] = ()) -> Part:
    return Part(path=path, type=type_, reads=frozenset(reads), uses=frozenset(uses))


def fetch(id_: str, *parts: Part, parent: str | None = None, limit: int = 20) -> Fetch:
    return Fetch(
        id=id_, source="nmc", entity="Person", parts=parts or (part("", "Person", "sex"),),
        parent=parent, limit=limit,
    )  # fmt: skip


def shown(
    *clear: str,
    show: Show | None = Show.RECORDS,
    limit: int = 20,
    rows: Condition = ALWAYS,
    uses: tuple[FieldUse, ...] = (),
    note: Note | None = None,
) -> Ruling:
    return Ruling(
        show=show, limit=limit, rows=rows, uses=frozenset(uses),
        read=dict.fromkeys(clear, "CLEAR"), notes={"": note} if note else {},
    )  # fmt: skip


def agreed(
    *fetches: Fetch,
    looks: tuple[Fetch, ...] = (),
    words: Words | None = None,
    obligations: tuple[str, ...] = (),
    refuse: Note | None = None,
    **rulings: Ruling,
) -> AuthorisedPlan:
    decision = Decision(
        serial=7,
        rulings={name.replace("_", "."): ruling for name, ruling in rulings.items()},
        obligations=tuple(Obligation(type=one) for one in obligations),
        refuse=refuse,
    )
    return authorise(
        Plan(fetches=fetches, looks=looks), decision, masks=MASKS.keys(), duties=OBLIGATIONS.keys(),
        vocabulary=words or Words(),
    )  # fmt: skip


# --- a masked field is asked for no finer than it is shown ---

FULL, DISTRICT = Compare("postcode", Op.EQ, "TN28 8AB"), Compare("postcode", Op.STARTSWITH, "TN28 ")
FILTER = (Use.FILTER, "postcode")


def asking(
    where: Condition,
    manner: Manner | None,
    *,
    show: Show = Show.RECORDS,
    **notes: Note,
) -> AuthorisedPlan:
    """A place searched for by its postcode, which is shown in this manner."""
    own = Part(
        path="", type="Location", reads=frozenset({"town"}), uses=frozenset({FILTER}),
        filters=frozenset({"postcode"}),
    )  # fmt: skip
    read: dict[str, Manner] = {"town": "CLEAR", **({"postcode": manner} if manner else {})}
    ruling = replace(shown("town", uses=(FILTER,), show=show), read=read, notes={"": NO, **notes})
    other = fetch("f1")
    return agreed(replace(fetch("f0", own), where=where), other, f0=ruling, f1=shown("sex"))


@pytest.mark.parametrize(
    ("where", "manner"),
    [
        (FULL, "FIRST_OUT"), (DISTRICT, "YEAR"), (DISTRICT, "LAST4"), (FULL, "LAST4"),
        (FULL, None), (DISTRICT, None), (FULL, "SILENT"), (FULL, "BAND"), (FULL, "NULL"),
        (Or((DISTRICT, FULL)), "FIRST_OUT"),
        (Compare("postcode", Op.STARTSWITH, "TN28 8"), "FIRST_OUT"),
        (Compare("postcode", Op.STARTSWITH, "T"), "FIRST_OUT"),
        (Compare("postcode", Op.IN, ("TN28 8AB",)), "FIRST_OUT"),
        (FULL, (Case(ALWAYS, "CLEAR"), Case(ALWAYS, "FIRST_OUT"))),
        (Compare("postcode", Op.EQ, "1991-04-17"), "YEAR"),
        (Compare("postcode", Op.GTE, "1991"), "YEAR"),
        (Compare("postcode", Op.EQ, 1991), "YEAR"),
    ],
)  # fmt: skip
def test_what_is_finer_than_the_mask_is_not_asked(where: Condition, manner: Manner | None) -> None:
    plan = asking(where, manner)
    assert plan.withheld == {"f0": NO}
    assert set(plan.grants) == {"f1"}


def test_a_note_on_the_field_explains_what_is_too_fine() -> None:
    why = Note(rule="fine", text="only the district", desk="d2")
    assert asking(FULL, "FIRST_OUT", postcode=why).withheld == {"f0": why}
    assert asking(FULL, "FIRST_OUT", town=why).withheld == {"f0": NO}


def test_a_note_on_the_part_or_on_the_record_explains_it_where_the_field_has_none() -> None:
    names = replace(part("names", "PersonName"), filters=frozenset({"full"}))
    asked = fetch("f0", part("", "Person", "sex"), names)
    asked = replace(asked, where=Compare("names.full", Op.EQ, "A"))
    own, other = Note(rule="own", text="record"), Note(rule="part", text="part")
    for inner, expected in ((shown(note=other), other), (shown(), own)):
        plan = agreed(
            asked, fetch("f1"), f0=shown("sex", note=own), f0_names=inner, f1=shown("sex")
        )
        assert plan.withheld == {"f0": expected}
    plan = agreed(asked, fetch("f1"), f0=shown("sex"), f1=shown("sex"))
    assert plan.withheld == {"f0": Note()}


def test_an_element_is_shown_if_something_of_it_is_or_nothing_was_to_be() -> None:
    """Else a list of empty elements would tell how many there are."""
    parts = {
        "names": part("names", "PersonName", "full", "kind"),
        "warnings": part("warnings", "Warning", "kind"),
        "alerts": part("alerts", "Alert"),  # only asked by
        "": part("", "Person", "sex"),
    }
    grant = agreed(
        fetch("f0", *parts.values()), f0=shown(), f0_names=shown("kind"), f0_warnings=shown(),
        f0_alerts=shown(),
    ).grants["f0"]  # fmt: skip
    found = {path: grant.parts[path].show for path in parts}
    assert found == {
        "names": Show.RECORDS, "warnings": None, "alerts": Show.RECORDS, "": Show.RECORDS,
    }  # fmt: skip


@pytest.mark.parametrize("show", [Show.RECORDS, Show.SILENT])
def test_a_component_whose_outer_one_is_not_planned_is_as_wide_as_its_record(show: Show) -> None:
    inner = part("addresses.location", "Place", "town")
    plan = agreed(
        fetch("f0", part("", "Person", "sex"), inner), fetch("f1"),
        f0=shown("sex", show=show), f0_addresses_location=shown("town"), f1=shown("sex"),
    )  # fmt: skip
    if show is Show.RECORDS:
        assert plan.grants["f0"].parts["addresses.location"].show is Show.RECORDS
    else:
        assert plan.silent == {"f0"}


@pytest.mark.parametrize(
    ("where", "manner"),
    [
        (FULL, "CLEAR"), (DISTRICT, "CLEAR"), (DISTRICT, "FIRST_OUT"),
        (Compare("postcode", Op.EQ, "TN28"), "FIRST_OUT"),
        (DISTRICT, (Case(ALWAYS, "CLEAR"), Case(ALWAYS, "FIRST_OUT"))),
        (Compare("postcode", Op.EQ, "1991"), "YEAR"),
        (Compare("postcode", Op.EQ, "1991"), "MONTH_YEAR"),
        (Compare("postcode", Op.EQ, "1991-04"), "MONTH_YEAR"),
        (Compare("town", Op.EQ, "Wrackhaven"), "FIRST_OUT"),
        (Compare("parent_key", Op.EQ, "7"), "FIRST_OUT"),  # a link's key, no criterion
    ],
)  # fmt: skip
def test_what_is_no_finer_than_the_mask_is_asked(where: Condition, manner: Manner) -> None:
    assert set(asking(where, manner).grants) == {"f0", "f1"}


@pytest.mark.parametrize("show", [Show.HIT, Show.COUNT])
def test_of_a_hit_or_a_count_no_value_is_shown_that_could_be_confirmed(show: Show) -> None:
    assert "f0" in asking(FULL, None, show=show).grants


@pytest.mark.parametrize("leave", [True, False])
def test_a_number_in_full_finds_its_bearer_where_policy_says_so(leave: bool) -> None:
    dotted = "identifiers.value"
    uses = ((Use.FILTER, dotted), (Use.IDENTIFY, dotted))
    own = part("", "Person", "sex", uses=uses)
    inner = replace(part("identifiers", "Identifier"), filters=frozenset({"value"}))
    asked = replace(fetch("f0", own, inner), where=Compare(dotted, Op.EQ, "A1234567"))
    number = replace(shown(note=NO), read={"value": "LAST4"})
    plan = agreed(
        asked, fetch("f1"), f1=shown("sex"), f0_identifiers=number,
        f0=shown("sex", uses=uses if leave else uses[:1]),
    )  # fmt: skip
    assert ("f0" in plan.grants) is leave
    assert plan.withheld == ({} if leave else {"f0": NO})


def test_what_is_planned_and_allowed_is_granted() -> None:
    plan = agreed(fetch("f0"), f0=shown("sex", "date_of_birth", limit=5))
    own = plan.grants["f0"].own
    assert dict(own.read) == {"sex": "CLEAR"}
    assert (own.limit, own.rows, own.show, plan.serial) == (5, ALWAYS, Show.RECORDS, 7)


def test_the_smaller_limit_holds() -> None:
    assert agreed(fetch("f0", limit=3), f0=shown("sex", limit=9)).grants["f0"].own.limit == 3


@pytest.mark.parametrize(
    "ruling",
    [
        shown("sex", show=None, note=NO),
        shown("sex", limit=0, note=NO),
        shown("sex", rows=NEVER, note=NO),
        shown("sex", rows=And((ALWAYS, Or((NEVER, And((NEVER,)))))), note=NO),
    ],
)
def test_az_14_a_fetch_without_permission_is_withheld_with_its_children(ruling: Ruling) -> None:
    plan = agreed(fetch("f0"), fetch("f1", parent="f0"), fetch("f2"),
                  f0=ruling, f1=shown("sex"), f2=shown("sex"))  # fmt: skip
    assert plan.withheld == {"f0": NO}
    assert plan.grants.keys() == {"f2"}


def test_az_14_silence_takes_the_children_along_and_says_nothing() -> None:
    plan = agreed(fetch("f0"), fetch("f1", parent="f0"),
                  f0=Ruling(show=Show.SILENT), f1=shown("sex"))  # fmt: skip
    assert plan.silent == {"f0"}
    assert not plan.grants
    assert not plan.withheld


def test_a_look_is_granted_apart_and_never_answers_for_a_fetch() -> None:
    plan = agreed(fetch("f0"), looks=(fetch("f1"),), f0=shown("sex"), f1=shown("sex"))
    assert plan.grants.keys() == {"f0"}
    assert plan.looks.keys() == {"f1"}
    assert agreed(fetch("f0"), looks=(fetch("f1"),), f0=shown("sex")).withheld.keys() == {"f1"}
    for look in (shown("sex"), Ruling(show=Show.SILENT)):
        with pytest.raises(Refused):
            agreed(fetch("f0"), looks=(fetch("f1"),), f1=look)


def test_what_is_told_of_beside_is_looked_for_by_itself_and_never_for_a_look() -> None:
    quiet = Compare("handling", Op.EQ, "C")
    both = replace(shown("sex"), beside=Beside(rows=quiet, note=NO))
    plan = agreed(fetch("f0"), fetch("f2"), looks=(fetch("f1"),), f0=both, f1=both, f2=shown("sex"))
    assert plan.beside.keys() == {"f0"}
    own = plan.beside["f0"].own
    assert (own.rows, own.limit, own.read, own.notes) == (quiet, 1, {}, {"": NO})


def test_other_elements_are_looked_for_by_what_rules_on_them_rest_on_and_nothing_else() -> None:
    uses = ((Use.MATCH, "value"), (Use.COUNT, "verified"))
    asked = fetch(
        "f0", part("", "Person", "sex"), part("identifiers", "Identifier", "value", uses=uses)
    )
    kind, lost = Compare("kind", Op.EQ, "PASSPORT"), Compare("status", Op.EQ, "LOST")
    ruling = shown("value", rows=kind, uses=uses)
    grant = agreed(asked, f0=shown("sex"), f0_identifiers=ruling).grants["f0"]
    look = elements_of(grant, "identifiers", lost, frozenset({"issuer"}))
    part_ = look.parts["identifiers"]
    assert part_.read == dict.fromkeys(("kind", "status", "issuer"), "CLEAR")
    assert (part_.rows, part_.match, part_.count) == (lost, frozenset(), frozenset())
    assert look.own.read == {}


@pytest.mark.parametrize(
    ("ruling", "known"), [(shown("value"), {"value"}), (shown(show=None), set()), (Ruling(), set())]
)
def test_of_a_hit_matching_looks_only_at_elements_that_would_be_shown(
    ruling: Ruling, known: set[str]
) -> None:
    uses = ((Use.MATCH, "value"),)
    asked = fetch("f0", part("", "Person"), part("identifiers", "Identifier", uses=uses))
    ruling = replace(ruling, uses=frozenset(uses))
    plan = agreed(asked, f0=shown(show=Show.HIT), f0_identifiers=ruling)
    numbers = plan.grants["f0"].parts["identifiers"]
    assert numbers.show is None
    assert numbers.match == known


@pytest.mark.parametrize("show", [Show.COUNT, Show.HIT])
def test_counts_and_hits_have_no_fields_and_no_children(show: Show) -> None:
    plan = agreed(
        fetch("f0", part("", "Person", "sex"), part("names", "PersonName", "full")),
        fetch("f1", parent="f0"),
        f0=shown("sex", show=show), f0_names=shown("full"), f1=shown("sex"),
    )  # fmt: skip
    assert plan.grants.keys() == {"f0"}
    assert not plan.grants["f0"].own.read
    assert plan.grants["f0"].parts["names"].show is None


def test_a_component_without_a_ruling_is_withheld() -> None:
    grant = agreed(fetch("f0", part("", "Person"), part("names", "PersonName", "full")),
                   f0=shown()).grants["f0"]  # fmt: skip
    assert grant.parts["names"].show is None


@pytest.mark.parametrize("show", [None, Show.SILENT])
def test_of_a_component_that_is_not_shown_nothing_is_agreed(show: Show | None) -> None:
    names = part("names", "PersonName", "full", uses=((Use.MATCH, "full"), (Use.COUNT, "alias")))
    ruling = shown("full", show=show, limit=0, uses=tuple(names.uses), note=NO)
    grant = agreed(fetch("f0", part("", "Person"), names), f0=shown(), f0_names=ruling)
    assert grant.grants["f0"].parts["names"] == PartGrant(
        part=names, show=show, rows=NEVER, notes={"": NO}
    )


@pytest.mark.parametrize(
    ("rows", "any_row"),
    [(Compare("sex", Op.EQ, "MALE"), True), (Or((NEVER, Compare("sex", Op.EQ, "MALE"))), True),
     (And((Compare("sex", Op.EQ, "MALE"), Or((NEVER,)))), False), (Or((NEVER, NEVER)), False)],
)  # fmt: skip
def test_a_rule_on_rows_withholds_the_fetch_only_if_no_row_can_meet_it(
    rows: Condition, any_row: bool
) -> None:
    plan = agreed(fetch("f0"), fetch("f1"), f0=shown("sex", rows=rows), f1=shown("sex"))
    assert ("f0" in plan.grants, "f0" in plan.withheld) == (any_row, not any_row)
    if any_row:
        assert plan.grants["f0"].own.rows == rows


@pytest.mark.parametrize(("outer", "inner"), [(None, None), (Show.SILENT, Show.SILENT)])
def test_an_inner_component_is_no_wider_than_the_outer(
    outer: Show | None, inner: Show | None
) -> None:
    parts = (part("addresses.location", "Place", "town"), part("addresses", "Occupancy", "kind"),
             part("", "Person"))  # fmt: skip
    grant = agreed(fetch("f0", *parts), f0=shown(), f0_addresses=shown("kind", show=outer),
                   f0_addresses_location=shown("town")).grants["f0"]  # fmt: skip
    assert grant.parts["addresses.location"].show is inner
    assert not grant.parts["addresses.location"].read


@pytest.mark.parametrize("use", [Use.FILTER, Use.SORT, Use.LINK, Use.FACE])
def test_a_denied_use_of_any_part_withholds_the_fetch(use: Use) -> None:
    for path, type_ in (("", "Person"), ("names", "PersonName")):
        parts = {"": part("", "Person", "sex"), "names": part("names", "PersonName", "full")}
        parts[path] = part(path, type_, uses=((use, "x"), (use, "y")))
        with pytest.raises(Refused):
            agreed(fetch("f0", *parts.values()),
                   f0=shown("sex", uses=((use, "x"),)), f0_names=shown("full"))  # fmt: skip


def test_a_note_on_the_field_explains_a_denied_use() -> None:
    ruling = Ruling(show=Show.RECORDS, limit=1, rows=ALWAYS, notes={"x": NO, "": Note(text="z")})
    with pytest.raises(Refused) as raised:
        agreed(fetch("f0", part("", "Person", uses=((Use.FILTER, "x"),))), f0=ruling)
    assert (raised.value.said, raised.value.rule, raised.value.contact) == ("not here", "r", "d")


def test_a_hit_that_nobody_looked_for_is_not_said_to_be_there() -> None:
    ruling = Ruling(show=Show.HIT, limit=1, rows=ALWAYS, notes={"": NO})
    with pytest.raises(Refused) as raised:
        agreed(fetch("f0", part("", "Person", uses=((Use.FILTER, "x"),))), f0=ruling)
    assert (raised.value.said, raised.value.rule, raised.value.contact) == (Refused.text, "r", "d")


def test_denied_match_and_count_uses_take_only_themselves_away() -> None:
    uses = ((Use.MATCH, "a"), (Use.MATCH, "b"), (Use.COUNT, "c"), (Use.COUNT, "d"))
    given = shown("kind", uses=((Use.MATCH, "a"), (Use.COUNT, "d"), (Use.MATCH, "other")))
    asked = fetch("f0", part("", "Person", "sex"), part("offending", "Offence", "kind", uses=uses))
    plan = agreed(asked, f0=shown("sex"), f0_offending=given)
    offences = plan.grants["f0"].parts["offending"]
    assert offences.match == {"a"}
    assert offences.count == {"d"}


@pytest.mark.parametrize("use", [Use.COUNT, Use.SORT])
def test_a_total_or_a_next_page_that_is_denied_withholds_the_visit(use: Use) -> None:
    asked = fetch("f0", part("", "Person", "sex", uses=((use, "native_key"),)))
    with pytest.raises(Refused):
        agreed(asked, f0=shown("sex"))
    other: Use = Use.SORT if use is Use.COUNT else Use.COUNT
    with pytest.raises(Refused):
        agreed(asked, f0=shown("sex", uses=((other, "native_key"),)))
    own = agreed(asked, f0=shown("sex", uses=((use, "native_key"),))).grants["f0"].own
    assert own.count == frozenset()  # how many are shown is told, and no field is counted


def numbers(
    *reads: str, allowed: tuple[str, ...] = ("date_of_birth", "names", "sex", "title"),
    own: Ruling | None = None, names: Ruling | None = None, rows: Condition = ALWAYS,
    manner: Manner = "CLEAR",
) -> PartGrant:  # fmt: skip
    """What is agreed for identifiers, where policy rules so on what they tell."""
    uses = tuple((Use.REVEAL, name) for name in ("date_of_birth", "names", "sex", "title"))
    identifiers = Ruling(
        show=Show.RECORDS, limit=9, rows=rows, read=dict.fromkeys(reads, manner),
        uses=frozenset((Use.REVEAL, name) for name in allowed),
    )  # fmt: skip
    asked = fetch("f0", part("", "Person"), part("identifiers", "Identifier", *reads, uses=uses))
    plan = agreed(
        replace(asked, told=(part("names", "PersonName"),)), words=REVEALS,
        f0=own or shown("date_of_birth", "sex", "title"),
        f0_names=names or shown("full", "kind"), f0_identifiers=identifiers,
    )  # fmt: skip
    return plan.grants["f0"].parts["identifiers"]


@pytest.mark.parametrize("allowed", [("names", "sex", "title"), ()])
def test_what_reveals_something_without_leave_is_withheld(allowed: tuple[str, ...]) -> None:
    assert numbers("value", "status", allowed=allowed).read == {"status": "CLEAR"}


def test_what_reveals_only_what_is_clear_is_shown() -> None:
    grant = numbers("kind", "value", "issuer", "status")
    assert grant.read == dict.fromkeys(("kind", "value", "issuer", "status"), "CLEAR")
    assert grant.rows == ALWAYS


OF = {kind: Compare("kind", Op.EQ, kind) for kind in ("DRIVER_NO", "PASSPORT", "NRM_REF")}
DATED = Ruling(show=Show.RECORDS, limit=9, rows=ALWAYS, read={
    "date_of_birth": "YEAR", "sex": "CLEAR", "title": "CLEAR"})  # fmt: skip


@pytest.mark.parametrize(
    ("own", "names"),
    [
        (DATED, None),  # masked
        (shown("sex", "title"), None),  # withheld
        (replace(DATED, read={**DATED.read, "date_of_birth": (Case(ALWAYS, "CLEAR"),)}), None),
        (None, shown("full")),  # a field of the component
        (None, shown("full", "kind", show=Show.HIT)),
        (None, shown("full", "kind", show=Show.SILENT)),
        (None, shown("full", "kind", rows=Compare("kind", Op.EQ, "LEGAL"))),  # some elements
        (None, Ruling()),
    ],
)
def test_a_kind_that_tells_what_is_not_clear_shows_nothing(
    own: Ruling | None, names: Ruling | None
) -> None:
    grant = numbers("kind", "value", own=own, names=names)
    value = (Case(OF["DRIVER_NO"], "NULL"), Case(ALWAYS, "CLEAR"))
    assert grant.read == {"kind": "CLEAR", "value": value}
    assert grant.rows == ALWAYS


def test_what_always_tells_goes_and_a_kind_that_tells_takes_its_elements_away() -> None:
    assert numbers("issuer", "status", own=shown("date_of_birth")).read == {"status": "CLEAR"}
    told = numbers("kind", "status", own=shown("date_of_birth", "sex"))
    assert told.read.keys() == {"kind", "status"}
    assert told.rows == Compare("kind", Op.NE, "NRM_REF")
    assert numbers("issuer", own=shown("date_of_birth")).show is None  # nothing is left to read
    of_kind = numbers("issuer", "status", own=shown("date_of_birth"), rows=OF["PASSPORT"])
    assert of_kind.read == {"status": "CLEAR"}
    listed = Compare("kind", Op.IN, ("PASSPORT", "NRM_REF"))
    assert numbers("value", own=shown("title"), rows=listed).read != {"value": "CLEAR"}


def test_only_what_is_in_clear_tells_and_no_rows_are_masked_twice() -> None:
    no_sex = shown("date_of_birth", "title")
    assert numbers("value", own=no_sex, manner="LAST4").read == {"value": "LAST4"}
    cases = (Case(OF["PASSPORT"], "LAST4"), Case(OF["DRIVER_NO"], "CLEAR"))
    assert numbers("value", own=no_sex, manner=cases).read == {"value": cases}
    kinds = Compare("kind", Op.IN, ("DRIVER_NO", "NRM_REF"))
    assert numbers("value", own=no_sex, rows=And((kinds,))).read == {"value": "CLEAR"}
    others = Or((OF["NRM_REF"], OF["DRIVER_NO"]))
    assert numbers("value", own=no_sex, rows=others).read == {"value": "CLEAR"}
    either = Or((OF["NRM_REF"], Compare("status", Op.EQ, "LOST")))
    assert numbers("value", own=no_sex, rows=either).read != {"value": "CLEAR"}
    met = (Case(Compare("status", Op.EQ, "LOST"), "CLEAR"),)
    both = And((met[0].when, OF["PASSPORT"]))
    assert numbers("value", own=no_sex, manner=met).read == {"value": (Case(both, "NULL"), *met)}


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (shown("sex", "title"), False),
        (shown("sex"), True),  # withheld
        (replace(shown("sex"), read={"sex": "CLEAR", "title": "YEAR"}), True),  # masked
    ],
)
def test_a_link_whose_records_tell_what_is_not_clear_of_their_record_is_withheld(
    own: Ruling, told: bool
) -> None:
    link = replace(fetch("f1", parent="f0"), reveals=(("", "sex"), ("", "title")))
    plan = agreed(fetch("f0"), link, f0=own, f1=shown("sex", note=NO))
    assert ("f1" in plan.grants, plan.withheld) == (not told, {"f1": NO} if told else {})
    assert "f1" in agreed(fetch("f0"), fetch("f1", parent="f0"), f0=own, f1=shown("sex")).grants
    hit = agreed(fetch("f0"), link, f0=own, f1=shown(show=Show.HIT))
    assert "f1" in hit.grants  # nothing of it is seen that could tell
    quiet = agreed(fetch("f0"), link, f0=own, f1=shown("sex"))
    assert quiet.withheld == ({"f1": Note()} if told else {})


@pytest.mark.parametrize(
    "outer",
    [shown("kind"), shown("kind", show=Show.HIT), shown("kind", rows=OF["PASSPORT"]), None],
)
def test_what_stands_in_a_component_is_clear_only_if_every_element_around_it_is_shown(
    outer: Ruling | None,
) -> None:
    link = replace(fetch("f1", parent="f0"), reveals=(("addresses.location", "town"),))
    rulings: dict[str, Any] = {"f0_addresses": outer} if outer else {}
    plan = agreed(
        fetch("f0"), link, f0=shown("sex"), f0_addresses_location=shown("town"), f1=shown("sex"),
        **rulings,
    )  # fmt: skip
    assert ("f1" in plan.grants) is (outer == shown("kind"))


def test_a_masked_field_does_not_reveal_itself() -> None:
    words = Words(reveals={("Person", "title"): (Reveal(fields=("title", "sex")),)})
    uses = ((Use.REVEAL, "title"), (Use.REVEAL, "sex"))
    own = replace(shown("sex", uses=uses), read={"sex": "CLEAR", "title": "REDACT"})
    asked = fetch("f0", part("", "Person", "sex", "title", uses=uses))
    assert agreed(asked, words=words, f0=own).grants["f0"].own.read == own.read


@pytest.mark.parametrize(
    ("full", "title", "kept"),
    [
        ("CLEAR", "CLEAR", True),
        ("CLEAR", "REDACT", False),
        ("REDACT", "CLEAR", False),
        ((Case(ALWAYS, "CLEAR"),), "CLEAR", False),
        (None, "CLEAR", False),
    ],
)
def test_a_derived_field_is_shown_only_if_all_it_rests_on_is_clear(
    full: str | tuple[Case, ...] | None, title: str, kept: bool
) -> None:
    names = Ruling(show=Show.RECORDS, limit=9, rows=ALWAYS, read={"full": full} if full else {})
    own = Ruling(
        show=Show.RECORDS, limit=9, rows=ALWAYS, read={"primary_name": "CLEAR", "title": title}
    )
    parts = (part("", "Person", "primary_name", "title"), part("names", "PersonName", "full"))
    plan = agreed(fetch("f0", *parts), words=DERIVED, f0=own, f0_names=names)
    assert ("primary_name" in plan.grants["f0"].own.read) is kept


def test_a_derived_field_of_nothing_planned_is_withheld_and_one_of_nothing_is_not() -> None:
    plan = agreed(fetch("f0", part("", "Person", "primary_name", "rank")), words=DERIVED,
                  f0=shown("primary_name", "rank"))  # fmt: skip
    assert plan.grants["f0"].own.read.keys() == {"rank"}


@pytest.mark.parametrize(("lat", "kept"), [("CLEAR", True), ("GRID_1KM", False)])
def test_a_component_in_a_component_has_derived_fields_too(lat: str, kept: bool) -> None:
    words = Words(derived={("Place", "grid_ref"): ("point.lat",)})
    parts = (
        part("", "Person", "sex"), part("addresses", "Occupancy", "kind"),
        part("addresses.location", "Place", "grid_ref", "town"),
        part("addresses.location.point", "Point", "lat"),
    )  # fmt: skip
    plan = agreed(
        fetch("f0", *parts), words=words, f0=shown("sex"), f0_addresses=shown("kind"),
        f0_addresses_location=shown("grid_ref", "town"),
        f0_addresses_location_point=replace(shown("lat"), read={"lat": lat}),
    )  # fmt: skip
    assert ("grid_ref" in plan.grants["f0"].parts["addresses.location"].read) is kept


def test_a_silent_field_stays_silent_whatever_it_rests_on() -> None:
    own = Ruling(show=Show.RECORDS, limit=9, rows=ALWAYS, read={"primary_name": "SILENT"})
    plan = agreed(fetch("f0", part("", "Person", "primary_name")), words=DERIVED, f0=own)
    assert plan.grants["f0"].own.read == {"primary_name": "SILENT"}


def test_no_case_and_no_manner_is_no_reading() -> None:
    own = Ruling(show=Show.RECORDS, limit=9, rows=ALWAYS, read={"sex": ()})
    assert not agreed(fetch("f0"), f0=own).grants["f0"].own.read


@pytest.mark.parametrize(
    "manner", ["BLUR", (Case(Compare("a", Op.EQ, 1), "CLEAR"), Case(ALWAYS, "BLUR"))]
)
def test_an_unknown_mask_anywhere_is_not_understood(manner: str | tuple[Case, ...]) -> None:
    other = Ruling(read={"x": manner})
    with pytest.raises(PolicyMisunderstood, match="BLUR"):
        agreed(fetch("f0"), f0=shown("sex"), f9=other)


def test_an_unknown_obligation_is_not_understood_and_a_known_one_is_passed_on() -> None:
    with pytest.raises(PolicyMisunderstood, match="sing"):
        agreed(fetch("f0"), obligations=("sing",), f0=shown("sex"))
    plan = agreed(fetch("f0"), obligations=("require_reason",), f0=shown("sex"))
    assert plan.obligations == (Obligation(type="require_reason"),)


def test_a_refusal_wins_over_everything() -> None:
    with pytest.raises(Refused) as raised:
        agreed(fetch("f0"), refuse=NO, obligations=("unknown",), f0=shown("sex"))
    assert (raised.value.said, raised.value.rule, raised.value.contact) == ("not here", "r", "d")


def test_refused_only_when_nothing_is_granted_and_nothing_silent() -> None:
    with pytest.raises(Refused) as raised:
        agreed(fetch("f0"), fetch("f1"), f0=shown(show=None, note=NO), f1=Ruling())
    assert raised.value.said == "not here"
    assert agreed().grants == {}
    assert agreed(fetch("f0"), fetch("f1"), f0=Ruling(show=Show.SILENT)).withheld.keys() == {"f1"}
