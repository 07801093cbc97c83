"""What `portcullis serve` asks of the C library."""

from __future__ import annotations

import platform

from gateway.cli.serve import steady_heap


def test_glibc_takes_every_option_and_another_library_is_left_alone() -> None:
    assert steady_heap() == (platform.libc_ver()[0] == "glibc")
