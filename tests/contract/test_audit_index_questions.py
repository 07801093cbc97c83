"""The auditor's three questions find in a loaded index what a look at every entry finds."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.audit.index import Index, Opened, Wanted
from tests.bench.index_bench import build, questions


def held(entry: Opened) -> set[str]:
    """All tokens of an entry."""
    purpose, who = entry.leaf.get("purpose", {}), entry.leaf.get("who", {})
    found = {who.get("actor"), purpose.get("case"), purpose.get("words")}
    for part in entry.parts.values():
        found |= {token for _kind, token in part.get("terms", ())}
        found |= {record[3] for record in part.get("records", ())}
    return {token for token in found if token}


def wants(wanted: Wanted, begun: dict[str, Any], ended: dict[str, Any], tokens: set[str]) -> bool:
    at, purpose = datetime.fromisoformat(begun["at"]), begun["purpose"]
    return all((
        all(some & tokens for some in wanted.tokens),
        wanted.agency in (None, begun["who"]["agency"]),
        wanted.source is None or wanted.source in ended["sources"],
        wanted.code in (None, ended["code"]),
        wanted.rule in (None, ended["rule"]),
        wanted.reason in (None, purpose["reason"]),
        wanted.purpose in (None, purpose["code"]),
        wanted.serial in (None, begun["policy"]["serial"]),
        wanted.glass in (None, purpose.get("break_glass", False)),
        wanted.since is None or at >= wanted.since,
        wanted.until is None or at < wanted.until,
    ))  # fmt: skip


def test_the_three_questions_find_what_a_look_at_every_entry_finds(tmp_path: Path) -> None:
    built = build(tmp_path / "index.db", 4_000, lambda _done: None)
    spread = type(built.spread)(2_000)
    entries = list(spread.entries())
    assert len(entries) == 4_000
    pairs = [
        (entries[n].index, entries[n].leaf, entries[n + 1].leaf,
         held(entries[n]) | held(entries[n + 1]))
        for n in range(0, len(entries), 2)
    ]  # fmt: skip
    index = Index(built.path, "portcullis.example/bench")
    assert index.size == 4_000
    some = 0
    for asked in questions(built.spread, 6).values():
        for wanted in asked:
            expected = [
                number for number, begun, ended, tokens in reversed(pairs)
                if wants(wanted, dict(begun), dict(ended), tokens)
            ]  # fmt: skip
            assert [one.idx for one in index.find(wanted, limit=1_000)] == expected[:1_000]
            some += bool(expected)
    index.close()
    assert some > 30
