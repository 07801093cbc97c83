"""Limits come before work, whatever the document: the threats of 2.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import InvalidOperation, LimitExceeded
from gateway.query.document import Preparations, Prepared
from gateway.query.operation import parse_request
from tests.unit.query.world import LIMITS, operation, parser, refused, request


def unvalidated(document: str) -> str:
    """What a limit says. The document is not valid either: so the limit was looked at first."""
    assert "unknownField" in document
    return refused(document, LimitExceeded).said


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


def test_gd_26_limits_hold_for_the_whole_document() -> None:
    fields = " ".join(f"a{n}: __typename" for n in range(2))
    document = " ".join(f"query Q{n} {{ {fields} }}" for n in range(30))
    error = refused(document, LimitExceeded, operation_name="Q0")
    assert error.said == "The limit 'aliases' is 30; the request has 60."


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


# --- what is kept ---------------------------------------------------------------------------------


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
