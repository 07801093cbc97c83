"""What a record may be, and that what is sealed opens for the right key alone."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from itertools import product
from string import ascii_uppercase

import pytest
import rfc8785
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.entry import (
    ASKER,
    MAX_LEAF_BYTES,
    VERSION,
    InvalidEntry,
    Json,
    Kind,
    Sealing,
    canonical,
    entry_of,
    owner_part,
    parts_of,
    read_leaf,
    token,
    unseal,
)

KEY, OTHER = b"k" * 32, b"o" * 32
SEALING = Sealing(
    salt=b"s" * 32, data_key=b"d" * 32, nonce=b"n" * 12, key_id="NMC/2026-03", wrapping=KEY
)
HASH = "ab" * 32
DETAIL: dict[str, Json] = {"reason": "stopped at the quay", "variables": {"surname": "Exampleová"}}


def leaf(kind: str = "R", **more: Json) -> dict[str, Json]:
    return {"kind": kind, "request_id": "0190", **more}


def test_a_leaf_is_canonical_and_says_its_version() -> None:
    entry = entry_of({"request_id": "0190", "kind": "R", "counts": {"b": 1, "a": (2, 3)}})
    assert entry.leaf == (
        b'{"counts":{"a":[2,3],"b":1},"kind":"R","request_id":"0190","v":%d}' % VERSION
    )
    assert entry.body is None
    assert read_leaf(entry.leaf)["counts"] == {"a": [2, 3], "b": 1}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_accepted(kind: Kind) -> None:
    said = leaf(kind, intent=HASH) if kind is Kind.OUTCOME else leaf(kind)
    assert read_leaf(entry_of(said).leaf)["kind"] == kind.value


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "X"},
        {"kind": ["I"]},
        {},
        leaf(v=1),
        leaf(sealed={}),
        leaf(tag="gossip"),
        {"kind": "I"},
        {"kind": "I", "request_id": ""},
        leaf("O"),
        leaf("O", intent=4),
        leaf("O", intent="AB" * 32),
        leaf("O", intent=HASH + "\n"),
        leaf(rows=float("nan")),
        leaf(rows=float("inf")),
        leaf(rows=2**53),
        leaf(rows=1e16),
        leaf(text="\ud800"),
        leaf(nested={1: "a"}),  # type: ignore[dict-item]  # what a careless caller might pass
    ],
)
def test_what_is_no_record_is_refused(wrong: Mapping[str, Json]) -> None:
    with pytest.raises(InvalidEntry):
        entry_of(wrong)


def test_a_value_without_end_is_refused() -> None:
    deep: list[Json] = []
    deep.append(deep)
    with pytest.raises(InvalidEntry):
        canonical(deep)


def test_AU_09_the_largest_leaf_and_one_byte_more() -> None:
    room = MAX_LEAF_BYTES - len(entry_of(leaf(text="")).leaf)
    assert len(entry_of(leaf(text="x" * room)).leaf) == MAX_LEAF_BYTES
    with pytest.raises(InvalidEntry, match="60001 bytes"):
        entry_of(leaf(text="x" * (room + 1)))
    long = entry_of(leaf(), {ASKER: ({"query": "x" * 200_000}, SEALING)})
    assert len(long.leaf) < 1_000
    assert unseal(read_leaf(long.leaf), long.body or b"", ASKER, KEY) == {"query": "x" * 200_000}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_canonical_text_reads_back_as_the_same_value(value: Json) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text
    assert b"\n" not in text  # AU-10: one record, one line


@given(JSON)
def test_canonical_text_is_what_rfc8785_writes(value: Json) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_names_are_sorted_by_their_utf_16_units() -> None:
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@given(JSON.filter(lambda value: value is not None))
def test_what_is_sealed_opens(detail: Json) -> None:
    entry = entry_of(leaf(), {ASKER: (detail, SEALING)})
    assert entry.body is not None
    assert unseal(read_leaf(entry.leaf), entry.body, ASKER, KEY) == detail


def test_the_leaf_commits_to_salt_and_detail_and_to_the_ciphertext() -> None:
    entry = entry_of(leaf(), {ASKER: (DETAIL, SEALING)})
    said = read_leaf(entry.leaf)["sealed"]["parts"][ASKER]
    assert said["commitment"] == sha256(b"s" * 32 + canonical(DETAIL)).hexdigest()
    assert said["keys"] == ["NMC/2026-03"]
    assert entry.body is not None
    for text in (b"quay", b"surname", b"Exampleov"):
        assert text not in entry.leaf + entry.body


def test_AU_13_each_part_opens_for_its_own_agency_alone() -> None:
    shown: dict[str, Json] = {"records": ["of ERU"]}
    other = replace(SEALING, data_key=b"e" * 32, key_id="ERU/2026-03", wrapping=OTHER)
    entry = entry_of(leaf(), {ASKER: (DETAIL, SEALING), owner_part("ERU"): (shown, other)})
    said, body = read_leaf(entry.leaf), entry.body or b""
    assert parts_of(said) == {ASKER: "NMC/2026-03", "owner/ERU": "ERU/2026-03"}
    assert unseal(said, body, ASKER, KEY) == DETAIL
    assert unseal(said, body, "owner/ERU", OTHER) == shown
    for name, key in ((ASKER, OTHER), ("owner/ERU", KEY), ("owner/SCP", KEY)):
        with pytest.raises(InvalidEntry):
            unseal(said, body, name, key)


def test_one_part_cannot_pass_for_another() -> None:
    """Though both are of one agency, under one key."""
    parts = dict.fromkeys((ASKER, owner_part("NMC")), (DETAIL, SEALING))
    entry = entry_of(leaf(), parts)
    said, whole = read_leaf(entry.leaf), json.loads(entry.body or b"")
    for held in (said["sealed"]["parts"], whole["parts"]):
        held[ASKER], held["owner/NMC"] = held["owner/NMC"], held[ASKER]
    with pytest.raises(InvalidEntry, match="cannot open"):
        unseal(said, canonical(whole), ASKER, KEY)


def test_a_changed_or_exchanged_body_does_not_open() -> None:
    entry = entry_of(leaf(), {ASKER: (DETAIL, SEALING)})
    said, body = read_leaf(entry.leaf), entry.body or b""
    for at in range(len(body)):
        changed = body[:at] + bytes((body[at] ^ 1,)) + body[at + 1 :]
        with pytest.raises(InvalidEntry):
            unseal(said, changed, ASKER, KEY)
    other = entry_of(leaf(), {ASKER: ({"another": "detail"}, SEALING)}).body or b""
    with pytest.raises(InvalidEntry, match="not the one"):
        unseal(said, other, ASKER, KEY)
    forged = json.loads(entry.leaf)
    forged["sealed"]["parts"][ASKER]["commitment"] = "00" * 32
    with pytest.raises(InvalidEntry, match="commits to"):
        unseal(forged, body, ASKER, KEY)
    with pytest.raises(InvalidEntry):
        unseal({}, body, ASKER, KEY)
    with pytest.raises(InvalidEntry):
        parts_of({"v": 2, "sealed": {"parts": {ASKER: {}}}})


def test_a_record_of_the_first_version_opens() -> None:
    """Written by hand as it was then: one part without a name, bound by other words."""
    plain = b"s" * 32 + canonical(DETAIL)
    ciphertext = AESGCM(b"d" * 32).encrypt(b"n" * 12, plain, b"portcullis audit body v1")
    said = {
        "alg": "A256GCM+A256KW", "commitment": sha256(plain).hexdigest(),
        "keys": ["NMC/2026-03"], "sha256": sha256(ciphertext).hexdigest(),
    }  # fmt: skip
    wrapped = b64encode(aes_key_wrap(KEY, b"d" * 32)).decode()
    body: dict[str, Json] = {
        "alg": "A256GCM+A256KW", "ciphertext": b64encode(ciphertext).decode(),
        "keys": {"NMC/2026-03": wrapped}, "nonce": b64encode(b"n" * 12).decode(),
    }  # fmt: skip
    old = {"v": 1, "kind": "R", "sealed": said}
    assert parts_of(old) == {ASKER: "NMC/2026-03"}
    assert unseal(old, canonical(body), ASKER, KEY) == DETAIL
    assert parts_of({"v": 1, "kind": "R"}) == {}


@pytest.mark.parametrize(
    "wrong", [{"salt": b""}, {"data_key": b"d" * 16}, {"nonce": b""}, {"wrapping": b"k"}]
)
def test_a_detail_is_never_left_unsealed(wrong: dict[str, bytes]) -> None:
    with pytest.raises(InvalidEntry, match="bytes"):
        entry_of(leaf(), {ASKER: (DETAIL, replace(SEALING, **wrong))})  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_leaf_is_not_read(data: bytes) -> None:
    with pytest.raises(InvalidEntry):
        read_leaf(data)


def test_a_token_is_stable_keyed_and_bound_to_its_kind() -> None:
    assert token(KEY, "vrm", "AB12CDE") == token(KEY, "vrm", "AB12CDE")
    assert len({token(k, n, "AB12CDE") for k in (KEY, OTHER) for n in ("vrm", "nino")}) == 4
    assert token(KEY, "a", "bc") != token(KEY, "ab", "c")
    for key, kind in ((b"short", "vrm"), (KEY, "v\0m")):
        with pytest.raises(InvalidEntry):
            token(key, kind, "AB12CDE")


def test_AU_12_trying_all_values_does_not_find_the_one_behind_a_token() -> None:
    secret = token(KEY, "vrm", "QX7")
    for letters in product(ascii_uppercase, repeat=2):
        for digit in range(10):
            value = "".join(letters) + str(digit)
            assert sha256(value.encode()).hexdigest() != secret
            assert sha256(f"vrm\0{value}".encode()).hexdigest() != secret
