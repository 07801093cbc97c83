"""Refs name one record to one agency; cursors fit one question; nothing else opens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.query.refs import Cursor, Refs, binding
from tests.unit.query.world import NOW, REFS

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
BOUND = binding("issuer", "u-1", "APPREHEND", "person_search", "{}")
CURSOR = Cursor(
    positions={"north/Person": 17, "east/Person": "BP9"},
    serial=7,
    expires_at=int(NOW.timestamp()) + 900,
    binding=BOUND,
)


@given(key=st.one_of(st.text(), st.integers()))
def test_a_ref_opens_to_what_was_sealed_with_the_key_of_its_kind(key: str | int) -> None:
    ref = REFS.seal("NORTH", "north", "Person", key)
    assert REFS.seal("NORTH", "north", "Person", key) == ref  # the same each time
    assert REFS.open("NORTH", ref) == ("north", "Person", key)


def test_az_12_a_ref_is_for_one_agency_and_one_master_key() -> None:
    ref = REFS.seal("NORTH", "north", "Person", "p1")
    assert REFS.seal("EAST", "north", "Person", "p1") != ref
    assert REFS.open("EAST", ref) is None
    assert Refs(b"n" * 32).open("NORTH", ref) is None


@pytest.mark.parametrize("key", ["p1", "p" * 30, "p" * 60])
def test_no_bit_of_a_ref_can_be_changed(key: str) -> None:
    ref = REFS.seal("NORTH", "north", "Person", key)
    for at, held in enumerate(ref):
        for bit in range(6):
            other = ALPHABET[ALPHABET.index(held) ^ (1 << bit)]
            assert REFS.open("NORTH", ref[:at] + other + ref[at + 1 :]) is None
    for damaged in ("", ref[:-1], ref + "A", ref + "=", " " + ref, "é", "\0", "A", "p1"):
        assert REFS.open("NORTH", damaged) is None


def test_az_11_a_cursor_is_no_ref_and_a_ref_no_cursor() -> None:
    ref = REFS.seal("NORTH", "north", "Person", "p1")
    assert REFS.open_cursor(ref, BOUND, NOW) is None
    assert REFS.open("NORTH", REFS.seal_cursor(CURSOR)) is None


def test_in_30_the_length_of_a_ref_does_not_tell_that_of_its_key() -> None:
    lengths = {len(REFS.seal("NORTH", "n", "Person", "x" * n)) for n in range(1, 12)}
    assert len(lengths) == 1
    ordered = [REFS.seal("NORTH", "n", "Person", n) for n in range(50)]
    assert ordered != sorted(ordered)


def test_a_cursor_opens_for_its_question_until_it_ends() -> None:
    text = REFS.seal_cursor(CURSOR)
    assert REFS.open_cursor(text, BOUND, NOW) == CURSOR
    assert REFS.open_cursor(text, BOUND, NOW + timedelta(seconds=900)) == CURSOR
    assert REFS.open_cursor(text, BOUND, NOW + timedelta(seconds=901)) is None


def test_in_13_a_cursor_for_anything_else_does_not_open() -> None:
    text = REFS.seal_cursor(CURSOR)
    for other in (
        binding("issuer", "u-2", "APPREHEND", "person_search", "{}"),
        binding("issuer", "u-1", "OFFICER_SAFETY", "person_search", "{}"),
        binding("issuer", "u-1", "APPREHEND", "event_search", "{}"),
        binding("issuer", "u-1", "APPREHEND", "person_search", "{}", ""),
        binding("issueru", "-1", "APPREHEND", "person_search", "{}"),
    ):
        assert REFS.open_cursor(text, other, NOW) is None
    for at in range(len(text)):
        other_text = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert REFS.open_cursor(other_text, BOUND, NOW) is None


def test_in_12_a_cursor_tells_nothing() -> None:
    text = REFS.seal_cursor(CURSOR)
    for word in ("north", "Person", "BP9"):
        assert word not in text
