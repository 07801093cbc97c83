"""Columns of JSON records as paths."""

from __future__ import annotations

import pytest

from connectors._paths import bare, reader
from connectors.spi import SourceProtocolError

RECORD = {"a": {"b": 1, "c": None}, "l": [{"f": "x"}, {}, {"f": None}], "p": ["u", "v"], "n": None}


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a", {"b": 1, "c": None}), ("a.b", 1), ("a.c", None), ("a.c.d", None), ("a.z", None),
     ("l[].f", ["x", None, None]), ("p[]", ["u", "v"]), ("p", ["u", "v"]), ("n[].f", None),
     ("z.y.x", None)],
)  # fmt: skip
def test_a_path_reaches_its_value_or_nothing(path: str, expected: object) -> None:
    assert reader(path)(RECORD) == expected


@pytest.mark.parametrize("path", ["a.b.c", "p[].f", "a[].b", "l.f"])
def test_a_record_of_another_shape_cannot_be_used(path: str) -> None:
    with pytest.raises(SourceProtocolError):
        reader(path)(RECORD)


@pytest.mark.parametrize("path", ["", "a..b", "a b", "a[0]", "a[]b", "__proto__ x", "a;"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(SourceProtocolError):
        reader(path)


def test_ij_15_names_that_mean_something_elsewhere_are_plain_keys() -> None:
    for name in ("__proto__", "constructor", "__class__", "keys", "items"):
        assert reader(name)({name: 1}) == 1
        assert reader(name)({}) is None


def test_without_list_marks() -> None:
    assert bare("a[].b[].c") == "a.b.c"
