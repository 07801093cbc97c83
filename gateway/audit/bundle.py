"""What an auditor takes along: entries and their proofs in files, whole by their manifest.

    entries.jsonl         the leaves, one entry per line
    searches.jsonl        the searches, one per line, with the asker's words if they may be read
    searches.csv          the same as a table
    proofs/N.tlog-proof   that entry N is in the log
    checkpoint            the log's newest signed checkpoint among them
    manifest.json         the SHA-256 of each file above, what was looked for, and whether that is
                          all that was found
    manifest.tlog-proof   that the log recorded this manifest's own SHA-256

Every line is ASCII, so that nothing in a record can look like another line. No cell of the table is
a formula to whatever program opens it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_COLUMNS: Final = (
    "index", "last", "at", "kind", "tag", "queryId", "agency", "app", "purpose", "reason", "glass",
    "serial", "status", "code", "rule", "records", "masked", "withheld", "missing", "answered",
    "sources",
)  # fmt: skip
_ASKED: Final = ("officer", "reason", "case", "incident", "variables", "text")
_FORMULA: Final = tuple("=+-@|%＝＋－＠")  # noqa: RUF001  # the wide ones as well


class Bundle:
    """An export that is being put together."""

    def __init__(self, *, use: str, sought: Mapping[str, Any]) -> None:
        self._use, self._sought = use, sought
        self._leaves: dict[int, Mapping[str, Any]] = {}
        self._searches: list[Mapping[str, Any]] = []
        self._checkpoint, self._size = "", -1
        self._before: int | None = None
        self._upto: int | None = None

    def looked(self, upto: int, before: int | None) -> None:
        """Say after each page how many entries could be found by then, and from where on backwards
        there may be more; None where it was the last."""
        self._before = before
        self._upto = upto if self._upto is None else self._upto  # older pages are of that look

    @property
    def complete(self) -> bool:
        """Whether it has all that was found."""
        return self._upto is not None and self._before is None

    @property
    def searches(self) -> int:
        """How many searches it has."""
        return len(self._searches)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Take in one of the gateway's answers."""
        self._searches.append(entry["search"])
        for leaf in entry["leaves"]:
            self._leaves[leaf["index"]] = leaf
            if leaf["proof"]["size"] > self._size:
                self._checkpoint = leaf["proof"]["checkpoint"]
                self._size = leaf["proof"]["size"]

    def manifest(self) -> tuple[bytes, str]:
        """The manifest as it is to be written, and its SHA-256."""
        files = self._files()
        told = {
            "format": "portcullis audit export/v1",
            "use": self._use,
            "sought": dict(self._sought),
            "searches": self.searches,
            "complete": self.complete,
            "before": self._before,
            "upto": self._upto,
            "entries": sorted(self._leaves),
            "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        }
        data = json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"
        return data, hashlib.sha256(data).hexdigest()

    def write(self, target: Path, manifest: bytes, proof: str) -> None:
        """Write it all: to a zip file if that is the target's name, else to a new directory.

        Raises:
            OSError: it cannot be written, or is there already.
        """
        if target.suffix == ".zip":
            with target.open("xb") as file:
                file.write(self.packed(manifest, proof))
            return
        target.mkdir()
        for name, data in self._whole(manifest, proof).items():
            place = target / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(data)

    def packed(self, manifest: bytes, proof: str) -> bytes:
        """The same as the bytes of a zip file."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in self._whole(manifest, proof).items():
                packed.writestr(name, data)
        return made.getvalue()

    def _whole(self, manifest: bytes, proof: str) -> dict[str, bytes]:
        return {
            **self._files(),
            "manifest.json": manifest,
            "manifest.tlog-proof": proof.encode(),
        }

    def _files(self) -> dict[str, bytes]:
        leaves = [leaf for _, leaf in sorted(self._leaves.items())]
        return {
            "entries.jsonl": _lines(
                {"index": leaf["index"], "hash": leaf["hash"], "leaf": json.loads(leaf["leaf"])}
                for leaf in leaves
            ),
            "searches.jsonl": _lines(self._searches),
            "searches.csv": _table(self._searches),
            "checkpoint": self._checkpoint.encode(),
            **{
                f"proofs/{one['index']}.tlog-proof": one["proof"]["text"].encode() for one in leaves
            },
        }


def _lines(values: Any) -> bytes:
    return b"".join(json.dumps(value, sort_keys=True).encode() + b"\n" for value in values)


def _table(searches: list[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow((*_COLUMNS, *(f"asked.{name}" for name in _ASKED)))
    for search in searches:
        states = {one["source"]: one["state"] for one in search["sources"]}
        sources = " ".join(f"{source}:{state}" for source, state in states.items())
        asked = search["asked"] or {}
        cells = [{**search, "sources": sources}.get(name) for name in _COLUMNS]
        writer.writerow(_safe(cell) for cell in (*cells, *(asked.get(name) for name in _ASKED)))
    return text.getvalue().encode()


def _safe(cell: Any) -> str:
    """A cell that is one line, and that no spreadsheet takes for a formula."""
    if cell is None or isinstance(cell, bool | int):
        return "" if cell is None else str(cell)
    text = str(cell)
    line = "".join(c if c.isprintable() else " " for c in text)
    return f"'{line}" if line.lstrip().startswith(_FORMULA) else line
