"""From text to an operation: limits before work, the threats of 2.1, variables, justification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import (
    GatewayError,
    InvalidOperation,
    LimitExceeded,
    MalformedRequest,
    PurposeRequired,
)
from gateway.model import Operation, Selection
from gateway.query.operation import Preparations, Prepared, parse_request
from tests.unit.query.world import LIMITS, WHY, operation, parser, request

SEARCH = 'personSearch(anyOf: [{family: "Hodja"}])'


def refused(document: str, kind: type[GatewayError], **more: Any) -> GatewayError:
    """The refusal of a document, which must not reach validation if it is a limit."""
    with pytest.raises(kind) as caught:
        operation(document, **more)
    return caught.value


def unvalidated(document: str) -> str:
    """What a limit says. The document is not valid either: so the limit was looked at first."""
    assert "unknownField" in document
    return refused(document, LimitExceeded).said


def tree(selections: tuple[Selection, ...]) -> Any:
    return [(s.key, s.name, sorted(s.on) if s.on else None, tree(s.selections)) for s in selections]


# --- threats 2.1 ---------------------------------------------------------------------------------


def test_gd_01_aliases_are_limited_before_validation() -> None:
    many = " ".join(f"a{n}: __typename" for n in range(101))
    assert unvalidated(f"{{ unknownField {many} }}") == (
        "The limit 'aliases' is 30; the request has 101."
    )


def test_gd_02_aliases_are_counted_after_fragments_are_spread() -> None:
    aliases = " ".join(f"a{n}: __typename" for n in range(10))
    spreads = " ".join("...F" for _ in range(10))
    said = unvalidated(f"{{ unknownField {spreads} }} fragment F on Query {{ {aliases} }}")
    assert said == "The limit 'aliases' is 30; the request has 100."


@pytest.mark.parametrize(
    "document",
    [
        "{ unknownField } fragment F on Person {" + " vehicles { vrm }" * 300 + "}",
        "{ unknownField " + "... { __typename } " * 21 + "}",
        "{ unknownField " + ("p {" + "q { r } " * 19 + "} ") * 3 + "}",
        "{ unknownField ...A ...B } fragment A on Q {" + "p " * 11 + "} "
        "fragment B on Q {" + "p " * 11 + "}",
    ],
    ids=[
        "in a fragment nobody spreads",
        "in inline fragments",
        "below a repeat",
        "in two fragments",
    ],
)
def test_gd_04_a_place_repeated_by_any_way_is_refused_before_validation(document: str) -> None:
    assert unvalidated(document).startswith("The limit 'repeats' is 20")


def test_fragments_are_limited_before_validation() -> None:
    many = " ".join(f"fragment F{n} on Q {{ a }}" for n in range(51))
    said = unvalidated(f"{{ unknownField }} {many}")
    assert said == "The limit 'fragments' is 50; the request has 51."


def test_gd_06_fragments_that_spread_one_another_and_no_field_are_refused() -> None:
    ring = "".join(
        f"fragment F{n} on Q {{ ...F{(n + 1) % 26} ...F{(n + 1) % 26} }} " for n in range(26)
    )
    assert "'expanded_fields'" in unvalidated(f"{{ unknownField ...F0 }} {ring}")


def test_gd_03_one_name_repeated_is_refused_before_validation() -> None:
    said = unvalidated("{ unknownField" + " __typename" * 500 + "}")
    assert said == "The limit 'repeats' is 20; the request has 21."


def test_gd_04_one_object_repeated_is_refused_before_validation() -> None:
    assert "repeats" in unvalidated("{ unknownField" + " p{id}" * 400 + "}")


def test_gd_06_doubling_fragments_are_measured_without_being_spread() -> None:
    # 2^60 fields: a measure that made them would never end.
    fragments = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    document = f"{{ unknownField ...F0 }} {fragments} fragment F60 on Query {{ __typename }}"
    assert "expanded_fields" in unvalidated(document)


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ ...A } fragment A on Query { ...A __typename }",
    ],
)
def test_gd_07_fragment_cycles_are_a_fault_of_the_document(document: str) -> None:
    error = refused(document, InvalidOperation)
    assert "Cannot spread fragment" in error.said


def test_gd_08_depth_counts_through_fragments_whatever_the_operation_is_called() -> None:
    nest = '{ vehicle(vrm: "AB12CDE") { ...V } }'
    inner = "keeper { vehicles { " * 5 + "make" + " } }" * 5
    said = refused(f"query __schema {nest} fragment V on Vehicle {{ {inner} }}", LimitExceeded).said
    assert said == "The limit 'depth' is 10; the request has 12."


def test_gd_09_depth_is_that_of_each_use_of_a_fragment() -> None:
    deep = "keeper { vehicles { " * 4 + "...V" + " } }" * 4
    document = (
        f'{{ a: vehicle(vrm: "AB12CDE") {{ ...V }} b: vehicle(vrm: "AB12CDE") {{ {deep} }} }}'
        " fragment V on Vehicle { keeper { sex } }"
    )
    assert refused(document, LimitExceeded).said == ("The limit 'depth' is 10; the request has 11.")


@pytest.mark.parametrize("depth", [190, 5000])
@pytest.mark.parametrize(
    "document",
    [
        lambda n: "{a" * n + "}" * n,
        lambda n: "{ personSearch(anyOf: " + "[" * n + "]" * n + ") { total } }",
        lambda n: "{ personSearch(anyOf: " + "{a: " * n + "1" + "}" * n + ") { total } }",
        lambda n: "query ($a: " + "[" * n + "Int" + "]" * n + ") { __typename }",
    ],
    ids=["selection sets", "lists", "objects", "types"],
)
def test_gd_10_nesting_is_refused_without_a_crash(document: Any, depth: int) -> None:
    with pytest.raises((LimitExceeded, InvalidOperation)):
        operation(document(depth))


def test_gd_12_at_most_five_of_many_faults_are_told() -> None:
    fields = " ".join(f"x{n}" for n in range(900))
    error = refused(f"{{ {fields} }}", InvalidOperation)
    assert isinstance(error, InvalidOperation)
    assert len(error.messages) == LIMITS.validation_errors
    assert all("Did you mean" not in text for text, _ in error.messages)
    assert error.messages[0][1] == ((1, 3),)


@pytest.mark.parametrize("times", [10, 10_000])
def test_gd_13_an_unknown_directive_is_refused_however_often_it_stands(times: int) -> None:
    with pytest.raises((LimitExceeded, InvalidOperation)) as caught:
        operation("{ __typename " + "@aa " * times + "}")
    if isinstance(caught.value, InvalidOperation):
        assert len(caught.value.messages) <= LIMITS.validation_errors


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


def test_gd_26_limits_hold_for_the_whole_document() -> None:
    fields = " ".join(f"a{n}: __typename" for n in range(2))
    document = " ".join(f"query Q{n} {{ {fields} }}" for n in range(30))
    error = refused(document, LimitExceeded, operation_name="Q0")
    assert error.said == "The limit 'aliases' is 30; the request has 60."


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


# --- limits, on both sides -----------------------------------------------------------------------


def test_a_document_just_within_every_limit_is_taken() -> None:
    aliases = " ".join(f"a{n}: __typename" for n in range(30))
    assert len(operation(f"{{ {aliases} }}").roots) == 30
    assert len(operation("{" + " __typename" * 20 + "}").roots) == 1


def test_tokens_and_comments_are_limited_while_parsing() -> None:
    few = replace(LIMITS, tokens=10)
    for document in ("{ a b c d e f g h i j k }", "#\n" * 11 + "{ __typename }"):
        with pytest.raises(LimitExceeded, match="tokens"):
            parse_request(request(document), parser(few))


def test_a_syntax_error_that_quotes_the_word_tokens_is_no_limit() -> None:
    with pytest.raises(InvalidOperation, match="Syntax Error"):
        operation('{ __typename "tokens" }')


def test_fields_are_counted_after_fragments_are_spread() -> None:
    few = replace(LIMITS, expanded_fields=10)
    fields = "__typename a: __typename b: __typename c: __typename"
    document = f"{{ ...F ...F ...F }} fragment F on Query {{ {fields} }}"
    with pytest.raises(LimitExceeded) as caught:
        parse_request(request(document), parser(few))
    assert caught.value.said == "The limit 'expanded_fields' is 10; the request has 12."


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
    documents = {"a" * 64: "{ __typename }"}
    found = parser(documents=documents)
    made = parse_request(request("", document_id="a" * 64, read_only=True), found)
    assert made.text == "{ __typename }"
    same = request("{ __typename }", document_id="a" * 64)
    assert parse_request(same, found).roots == made.roots
    for wrong in (
        request("", document_id="b" * 64),
        request("{ a: __typename }", document_id="a" * 64),
    ):
        with pytest.raises(MalformedRequest):
            parse_request(wrong, found)


def test_get_takes_persisted_documents_or_what_fetches_nothing() -> None:
    assert parse_request(request("{ __typename sources { agency } }", read_only=True), parser())
    with pytest.raises(MalformedRequest) as caught:
        parse_request(request(f"{{ {SEARCH} {{ total }} }}", read_only=True), parser())
    assert caught.value.status == 405


def test_documents_are_prepared_once_and_the_oldest_forgotten() -> None:
    kept = Preparations()
    held = parser(preparations=kept)
    first = parse_request(request("{ __typename }"), held)
    prepared = kept.get(first.digest)
    assert prepared is not None
    parse_request(request("{ __typename }"), held)
    assert kept.get(first.digest) is prepared
    for n in range(512):
        kept.put(replace_digest(prepared, str(n)))
    assert kept.get(first.digest) is None
    assert len(kept.kept) == 512


def replace_digest(prepared: Prepared, digest: str) -> Prepared:
    return replace(prepared, digest=digest)


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


# --- justification -------------------------------------------------------------------------------


def justified(given: object) -> Operation:
    return operation(f"{{ {SEARCH} {{ total }} }}", justification=given)


def test_a_justification_is_read_whole() -> None:
    given = {
        "purpose": "APPREHEND",
        "reasonCode": "R05",
        "reasonText": "t",
        "caseRef": "c",
        "incidentRef": "i",
        "onBehalfOf": "o",
        "breakGlass": "b",
    }
    made = justified(given).justification
    assert made is not None
    assert (made.purpose, made.reason_code, made.reason_text) == ("APPREHEND", "R05", "t")
    assert (made.case_ref, made.incident_ref) == ("c", "i")
    assert (made.on_behalf_of, made.break_glass) == ("o", "b")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "Say why you ask"),
        ("OFFICER_SAFETY", "must be an object"),
        ([], "must be an object"),
        ({}, "purpose is missing"),
        ({"purpose": "APPREHEND"}, "reasonCode is missing"),
        ({"reasonCode": "R01"}, "purpose is missing"),
        (WHY | {"Purpose": "x"}, "knows only purpose"),
        (WHY | {"purpose": ""}, "purpose must be a text of 1 to 64"),
        (WHY | {"purpose": "x" * 65}, "purpose must be a text of 1 to 64"),
        (WHY | {"reasonCode": 7}, "reasonCode must be a text"),
        (WHY | {"caseRef": ["x"]}, "caseRef must be a text"),
        (WHY | {"reasonText": "x" * 2001}, "reasonText must be a text of 1 to 2000"),
    ],
)
def test_a_justification_that_lacks_something_says_what(given: object, said: str) -> None:
    with pytest.raises(PurposeRequired) as caught:
        justified(given)
    assert said in caught.value.said
    assert "xxxx" not in caught.value.said


def test_an_operation_that_fetches_nothing_needs_no_purpose() -> None:
    assert operation("{ __typename sources { state } }", justification=None).justification is None
    with pytest.raises(PurposeRequired):
        operation("{ __typename }", justification={"purpose": 1})


# --- what is kept, what is written down -----------------------------------------------------------


def test_in_21_a_document_with_a_value_in_its_text_is_not_kept() -> None:
    kept = Preparations()
    asking = replace(parser(), preparations=kept)
    parse_request(request('{ vehicle(vrm: "AB12CDE") { make } }'), asking)
    assert not kept.kept
    parse_request(
        request("query ($v: Vrm!) { vehicle(vrm: $v) { make } }", {"v": "AB12CDE"}), asking
    )
    assert len(kept.kept) == 1


@pytest.mark.parametrize("given", [{"purpose": "Arben Hoxha"}, {"reasonCode": "R01\n"}])
def test_pu_02_purpose_and_reason_are_codes(given: dict[str, str]) -> None:
    with pytest.raises(PurposeRequired, match="is a code"):
        operation(f"{{ {SEARCH} {{ total }} }}", justification={**WHY, **given})
