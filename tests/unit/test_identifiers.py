"""UUIDv7 against the example of RFC 9562, appendix A.6."""

from __future__ import annotations

from uuid import UUID

import pytest

from gateway.identifiers import is_uuid, uuid7


def test_the_example_of_the_rfc() -> None:
    tail = 0x7CC3_98C4_DC0C_0C07_398F.to_bytes(10)
    assert uuid7(0x017F22E279B0, tail) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_version_and_variant_are_set_whatever_the_randomness(byte: bytes) -> None:
    value = UUID(uuid7(1, byte * 10))
    assert (value.version, value.variant) == (7, "specified in RFC 4122")


def test_later_ones_sort_later() -> None:
    assert uuid7(1, b"\xff" * 10) < uuid7(2, b"\x00" * 10)


@pytest.mark.parametrize(("ms", "size"), [(-1, 10), (1 << 48, 10), (1, 9)])
def test_what_does_not_fit_is_refused(ms: int, size: int) -> None:
    with pytest.raises(ValueError, match="48 bits"):
        uuid7(ms, b"\x00" * size)


def test_only_what_we_write_is_taken_for_one() -> None:
    value = uuid7(1, b"\xab" * 10)
    assert is_uuid(value)
    for other in ("", value.upper(), f"{{{value}}}", f"{value}\n", value[:-1], "Ann Omarr"):
        assert not is_uuid(other)
