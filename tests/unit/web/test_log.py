"""An address of the log names a tile to the letter, or nothing."""

from __future__ import annotations

import pytest

from gateway.audit.merkle import ENTRIES, tile_path
from gateway.web.log import Tile, tile_of


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/000", Tile(level=0, number=0, width=256)),
        ("63/x001/x234/067", Tile(level=63, number=1234067, width=256)),
        ("1/000.p/255", Tile(level=1, number=0, width=255)),
        ("entries/x001/000.p/1", Tile(level=ENTRIES, number=1000, width=1)),
    ],
)
def test_what_the_log_writes_is_read(path: str, tile: Tile) -> None:
    assert tile_of(path) == tile
    assert tile_path(tile.level, tile.number, tile.width) == f"tile/{path}"


@pytest.mark.parametrize(
    "path",
    [
        "/", "0", "0/", "00/000", "64/000", "-1/000", "0/0", "0/0000", "0/x000/001", "0/001/002",
        "0/x001", "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p", "0/000/",
        "0/000\n", "0/\u0660\u0660\u0660", "0/000.p/\u0661", "entries", "entries/", "Entries/000",
        "../checkpoint", "0/../../journal", "../sealed/000/000", "entries/../../lock", "sealed/000",
        "0/x999/x999/x999/x999/x999/999", "0/%30%30%30", "0/000\0",
    ],
)  # fmt: skip
def test_anything_else_names_nothing(path: str) -> None:
    assert tile_of(path) is None
