"""JSON with one reading; the rows GD-20, HT-10 and HT-11 of the threat model."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded, MalformedRequest
from gateway.web.strictjson import decoded

_scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=9)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner)
)


def clean(value: object) -> bool:
    return "\\u0000" not in json.dumps(value)


@given(_values.filter(clean))
def test_every_clean_value_is_read_back(value: object) -> None:
    for ascii_only in (True, False):
        body = json.dumps(value, ensure_ascii=ascii_only).encode()
        assert decoded(body, depth=100) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"v":{"b":1,"b":2}}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":["\\u0000"]}',
        b'{"a":"\x00"}',
        b'{"a":"\xc0\xaf"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\x01"}',
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e400]",
        b"[-1e400]",
        b"1" * 10_000,
        b"-" + b"1" * 10_000,
        b"0." + b"1" * 10_000,
        b"",
        b'{"a":1',
        b'{"a":1}]',
        b"{'a':1}",
        b"{} {}",
    ],
)
def test_ht10_ht11_gd20_what_has_no_single_reading_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decoded(body, depth=10)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert decoded(b'"\\ud83c\\udfc3"', depth=1) == "\U0001f3c3"


def test_brackets_within_texts_do_not_count() -> None:
    assert decoded(b'{"a":"[[[[\\"[[[[","b\\\\":"{{"}', depth=1)


def test_depth_counts_lists_and_objects() -> None:
    assert decoded(b'{"a":[{}]}', depth=3) == {"a": [{}]}
    with pytest.raises(LimitExceeded):
        decoded(b'{"a":[{}]}', depth=2)


@pytest.mark.parametrize(
    "body",
    [b"[" * 65_000, b'{"a":' * 13_000, b"[" * 32_000 + b"]" * 32_000, b"[" + b"9" * 65_000 + b"]"],
)
def test_gd20_deep_or_long_is_refused_fast(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises((LimitExceeded, MalformedRequest)):
        decoded(body, depth=10)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'"\\', b'""', b'\\\\"', b"]["])
def test_no_text_takes_more_than_linear_time(unit: bytes) -> None:
    started = time.process_time()
    with pytest.raises((LimitExceeded, MalformedRequest)):
        decoded(b'["' + unit * (65_000 // len(unit)), depth=10)
    assert time.process_time() - started < 0.1
