"""From a request to an operation: selections, variables, persisted documents, introspection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import (
    InvalidOperation,
    MalformedRequest,
)
from gateway.model import Selection
from gateway.query.document import Preparations
from gateway.query.operation import parse_request
from tests.unit.query.world import operation, parser, plan_of, refused, request

SEARCH = 'personSearch(anyOf: [{family: "Hodja"}])'


def tree(selections: tuple[Selection, ...]) -> Any:
    return [(s.key, s.name, sorted(s.on) if s.on else None, tree(s.selections)) for s in selections]


# --- selections ----------------------------------------------------------------------------------


def test_aliases_fragments_and_arguments_become_a_plain_tree() -> None:
    made = operation(
        'query Q($p: String) { found: personSearch(anyOf: [{familyPrefix: $p, dob: "1991-04"}]) '
        "{ total ...H } } fragment H on PersonHits { hits { born: dateOfBirth ... { sex } } }",
        {"p": "Hod"},
    )
    assert made.name == "Q"
    assert tree(made.roots) == [
        (
            "found",
            "person_search",
            None,
            [
                ("total", "total", None, []),
                (
                    "hits",
                    "hits",
                    None,
                    [("born", "date_of_birth", None, []), ("sex", "sex", None, [])],
                ),
            ],
        )
    ]
    assert made.roots[0].args == {
        "any_of": ({"family_prefix": "Hod", "dob": "1991-04"},),
        "first": 20,
    }


def test_a_field_selected_twice_is_one_with_both_selections() -> None:
    made = operation(
        f"{{ {SEARCH} {{ hits {{ sex }} }} ...Q }} "
        f"fragment Q on Query {{ {SEARCH} {{ hits {{ owner }} total }} }}"
    )
    assert tree(made.roots) == [
        (
            "personSearch",
            "person_search",
            None,
            [
                ("hits", "hits", None, [("sex", "sex", None, []), ("owner", "owner", None, [])]),
                ("total", "total", None, []),
            ],
        )
    ]


def test_conditions_on_an_interface_keep_their_concrete_types() -> None:
    made = operation(
        '{ eventSearch(by: {ref: "x"}) { hits { __typename when ... on Incident { offenceCode } '
        "... on Event { eventRef } ... on Record { owner ... on Landing { vessel } } } } }"
    )
    everyone = None
    assert [
        (s.name, sorted(s.on) if s.on else None) for s in made.roots[0].selections[0].selections
    ] == [
        ("__typename", everyone),
        ("when", everyone),
        ("offence_code", ["Incident"]),
        ("event_ref", everyone),
        ("owner", everyone),
        ("vessel", ["Landing"]),
    ]


@pytest.mark.parametrize(
    "inner",
    [
        "... on Record { ... on Vehicle { make } }",
        "... on Record { ... on Event { when } }",
        "... on Record { ... on Vehicle { ... on Record { ... on Contact { platform } } } }",
    ],
)
def test_a_fragment_that_can_never_apply_selects_nothing(inner: str) -> None:
    made = operation(f"{{ {SEARCH} {{ hits {{ sex {inner} }} }} }}")
    assert tree(made.roots[0].selections) == [("hits", "hits", None, [("sex", "sex", None, [])])]


def test_an_interface_narrowed_to_nothing_selects_nothing() -> None:
    inner = "... on Incident { ... on Event { ... on Encounter { debrief } } }"
    made = operation(f'{{ eventSearch(by: {{ref: "x"}}) {{ hits {{ when {inner} }} }} }}')
    assert tree(made.roots[0].selections[0].selections) == [("when", "when", None, [])]


@pytest.mark.parametrize(
    ("directive", "variables", "there"),
    [
        ("@skip(if: $x)", {"x": True}, False),
        ("@skip(if: $x)", {"x": False}, True),
        ("@include(if: $x)", {"x": True}, True),
        ("@include(if: $x)", {"x": False}, False),
        ("@include(if: $x) @skip(if: $x)", {"x": True}, False),
        ("@include(if: $x)", {}, True),
    ],
)
def test_skip_and_include(directive: str, variables: dict[str, Any], there: bool) -> None:
    for place in (f"total {directive}", f"... {directive} {{ total }}", f"...T {directive}"):
        spread = " fragment T on PersonHits { total }" if "...T" in place else ""
        document = f"query ($x: Boolean = true) {{ {SEARCH} {{ next {place} }} }}{spread}"
        names = [s.name for s in operation(document, variables).roots[0].selections]
        assert names == ["next", "total"] if there else names == ["next"]


def test_a_directive_whose_variable_is_null_is_a_fault_of_the_caller() -> None:
    document = f"query ($x: Boolean = true) {{ {SEARCH} {{ total @skip(if: $x) }} }}"
    with pytest.raises(InvalidOperation, match="true or false"):
        operation(document, {"x": None})


# --- variables -----------------------------------------------------------------------------------


def test_gd_27_many_unknown_keys_name_one_at_most() -> None:
    document = "query ($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { total } }"
    given = {"n": [{f"secretkey{n}": 1 for n in range(10_000)}]}
    with pytest.raises(InvalidOperation) as caught:
        operation(document, given)
    told = " ".join(text for text, _ in caught.value.messages)
    assert told.count("secretkey") == 1
    assert "Did you mean" not in told


def test_gd_27_a_long_list_of_wrong_values_is_told_by_five() -> None:
    document = 'query ($k: [EventKind!]) { eventSearch(by: {ref: "x", kinds: $k}) { total } }'
    with pytest.raises(InvalidOperation) as caught:
        operation(document, {"k": ["singer in a choir"] * 100_000})
    assert len(caught.value.messages) == 5
    assert "choir" not in str(caught.value.messages)
    assert "'EventKind' enum." in caught.value.said


@pytest.mark.parametrize(
    ("type_", "use", "value", "said"),
    [
        ("Vrm!", "vehicle(vrm: $v) { make }", None, "'Vrm!'"),
        ("Vrm!", "vehicle(vrm: $v) { make }", "sekret plate!", "like AB12 CDE"),
        ("Vrm!", "vehicle(vrm: $v) { make }", 77123, "must be a text"),
        ("Int", f"{SEARCH[:-1]}, first: $v) {{ total }}", "sekret", "Int cannot represent"),
        ("Int", f"{SEARCH[:-1]}, first: $v) {{ total }}", 1e400, "Int cannot represent"),
        ("Int", f"{SEARCH[:-1]}, first: $v) {{ total }}", 10**40, "Int cannot represent"),
        (
            "[PersonCriteria!]!",
            "personSearch(anyOf: $v) { total }",
            [{"dob": "1991-99"}],
            "no such day",
        ),
        (
            "[PersonCriteria!]!",
            "personSearch(anyOf: $v) { total }",
            [{"identifierKind": "sekret in spe"}],
            "'IdentifierKind' enum",
        ),
        (
            "[PersonCriteria!]!",
            "personSearch(anyOf: $v) { total }",
            [{"identifierKind": ["sekret"]}],
            "cannot represent",
        ),
        ("[PersonCriteria!]!", "personSearch(anyOf: $v) { total }", ["sekret"], "mapping"),
    ],
)
def test_a_wrong_variable_is_named_and_never_quoted(
    type_: str, use: str, value: Any, said: str
) -> None:
    with pytest.raises(InvalidOperation) as caught:
        operation(f"query ($v: {type_}) {{ {use} }}", {"v": value})
    text = str(caught.value.messages)
    assert "Variable '$v" in text
    assert said in text
    for part in ("sekret", "77123", "1991-99", "in spe", "inf", "00000"):
        assert part not in text


def test_missing_variables_take_their_default_or_are_named() -> None:
    document = f"query ($f: Int = 3) {{ {SEARCH[:-1]}, first: $f) {{ total }} }}"
    assert operation(document).roots[0].args["first"] == 3
    with pytest.raises(InvalidOperation, match=r"'\$v' of type 'Vrm!' is needed"):
        operation("query ($v: Vrm!) { vehicle(vrm: $v) { make } }")


def test_values_are_coerced_to_their_normal_form() -> None:
    made = operation("query ($v: Vrm!) { vehicle(vrm: $v) { make } }", {"v": "ab12 cde"})
    assert made.roots[0].args["vrm"] == "AB12CDE"
    assert made.variables == {"v": "AB12CDE"}


def test_a_null_argument_that_may_not_be_null_is_refused() -> None:
    document = 'query ($f: Int = 3) { personSearch(anyOf: [{family: "x"}], first: $f) { total } }'
    assert operation(document, {"f": None}).roots[0].args["first"] is None


# --- several operations, persisted documents, GET ------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        "subscription { __typename }",
        "mutation { __typename }",
        f"{{ {SEARCH} {{ total ... @defer {{ next }} }} }}",
        f"{{ {SEARCH} {{ hits @stream(initialCount: 1) {{ ref }} }} }}",
    ],
)
def test_gd_25_only_a_plain_query_is_answered(document: str) -> None:
    with pytest.raises((MalformedRequest, InvalidOperation)) as caught:
        operation(document)
    assert caught.value.status == 400


def test_gd_25_a_mutation_by_get_is_the_wrong_method() -> None:
    error = refused("mutation { __typename }", MalformedRequest, read_only=True)
    assert error.status == 405


def test_az_08_the_operation_named_is_the_one_taken() -> None:
    document = "query A { __typename } query B { b: __typename }"
    assert operation(document, operation_name="B").roots[0].key == "b"
    for name, said in ((None, "say operationName"), ("C", "no operation of that")):
        with pytest.raises(InvalidOperation, match=said):
            operation(document, operation_name=name)


def test_a_document_of_fragments_alone_holds_no_operation() -> None:
    with pytest.raises(InvalidOperation):
        operation("fragment F on Query { __typename }")


def test_persisted_documents_are_found_by_their_digest() -> None:
    found = parser(documents={"mobile": {"a" * 64: "{ __typename }"}, "desk": {}})
    made = parse_request(request("", document_id="a" * 64, read_only=True), found, "mobile")
    assert made.text == "{ __typename }"
    same = request("{ __typename }", document_id="a" * 64)
    assert parse_request(same, found, "mobile").roots == made.roots
    with pytest.raises(MalformedRequest, match="differ"):
        parse_request(request("{ a: __typename }", document_id="a" * 64), found, "mobile")


@pytest.mark.parametrize("app", ["desk", "nobodys", ""])
def test_az_24_another_apps_document_is_like_one_that_there_is_not(app: str) -> None:
    found = parser(documents={"mobile": {"a" * 64: "{ nothing }"}, "desk": {}})
    said = set()
    for digest in ("a" * 64, "b" * 64):
        with pytest.raises(MalformedRequest) as caught:
            parse_request(request("", document_id=digest), found, app)
        said.add(caught.value.said)
    assert said == {"This app has no persisted document of that SHA-256 here."}


def test_get_takes_persisted_documents_or_what_fetches_nothing() -> None:
    assert parse_request(request("{ __typename sources { agency } }", read_only=True), parser())
    with pytest.raises(MalformedRequest) as caught:
        parse_request(request(f"{{ {SEARCH} {{ total }} }}", read_only=True), parser())
    assert caught.value.status == 405


def test_in_21_a_document_with_a_value_in_its_text_is_not_kept() -> None:
    kept = Preparations()
    asking = replace(parser(), preparations=kept)
    parse_request(request('{ vehicle(vrm: "AB12CDE") { make } }'), asking)
    assert not kept.kept
    parse_request(
        request("query ($v: Vrm!) { vehicle(vrm: $v) { make } }", {"v": "AB12CDE"}), asking
    )
    assert len(kept.kept) == 1


# --- introspection -------------------------------------------------------------------------------


def test_sd_01_introspection_is_off_unless_it_is_on() -> None:
    for document in ("{ __schema { types { name } } }", '{ x: __type(name: "Person") { name } }'):
        assert "Introspection is off" in refused(document, InvalidOperation).said
    on = parser(introspection=True)
    made = parse_request(request('{ __type(name: "Person") { name } t: __typename }'), on)
    assert made.introspection == {"__type": {"name": "Person"}, "t": "Query"}
    assert made.justification is not None
    mixed = f"{{ __schema {{ description }} {SEARCH} {{ total }} }}"
    with pytest.raises(InvalidOperation, match="operation of its own"):
        parse_request(request(mixed), on)


def test_sd_01_hidden_fields_are_not_in_the_schema() -> None:
    on = parser(introspection=True)
    asked = request('{ __type(name: "Person") { fields { name } } }')
    made = parse_request(asked, on).introspection
    assert made is not None
    names = {field["name"] for field in made["__type"]["fields"]}
    assert not names & {"nativeKey", "silent", "victim", "imageSubject", "dobClaimed"}


# --- variables -----------------------------------------------------------------------------------

TWICE = """query ($who: [PersonCriteria!]!, $n: Int) {
  personSearch(anyOf: $who, first: $n) { hits { sex } }
  again: personSearch(anyOf: $who) { hits { sex } } }"""


def test_az_10_variables_that_change_after_they_were_read_change_nothing() -> None:
    """One coerced copy is decided on, logged and asked: deep changes and new ones come too late."""
    sent: dict[str, Any] = {"who": [{"family": "Hodja", "dob": "1991-04"}], "n": 3}
    made = operation(TWICE, sent)
    before = plan_of(made)
    sent["who"][0].update(family="Hoxha", dob=None, identifier="A1234567")
    sent["who"].append({"identifier": "A1234567"})
    sent["n"] = 50
    sent.clear()
    after = plan_of(made)
    assert after == before
    wheres = {fetch.where for fetch in after.fetches}
    assert len(wheres) == 1  # both uses of one variable ask the same
    assert "HODJA" in str(wheres).upper()
    assert "A1234567" not in str(wheres)
