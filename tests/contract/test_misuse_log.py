"""What was hidden in a log of ordinary officers is found near the top of the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.misuselog import KINDS, Judged, indexed, looked_through, make_log


def test_hidden_misuse_of_each_kind_is_found_early(tmp_path: Path) -> None:
    log = make_log(11, officers=90, days=30, patterns=18, least=8_000)
    index, tokens = indexed(log, tmp_path)
    found = looked_through(log, index, tokens, tmp_path / "feeds")
    index.close()
    assert found.looked_at >= 8_000
    assert not found.missing
    judged = Judged.of(log.seeded(), found.cases)
    assert {one.kind for one in judged.truth} == {*KINDS}
    assert judged.recall(judged.half) >= 0.75
    assert judged.recall(100) >= 0.9
    scores = [case.score for case in found.cases]
    assert scores == sorted(scores, reverse=True)


def test_the_same_seed_makes_the_same_log_and_another_another() -> None:
    one, same, other = (
        make_log(seed, officers=60, days=10, patterns=9, least=500) for seed in (3, 3, 4)
    )
    assert one.seeded() == same.seeded()
    assert one.seeded() != other.seeded()
    assert len(one.seeded()) == 9
    assert [q.at for q in one.queries] == sorted(q.at for q in one.queries)


def test_it_is_judged_by_queries_and_kind() -> None:
    log = make_log(3, officers=60, days=10, patterns=9, least=500)
    nothing = Judged.of(log.seeded(), [])
    assert (nothing.half, nothing.recall(200), nothing.precision(200)) == (0, 0, 0)
    with pytest.raises(ValueError, match="Sample larger"):
        make_log(3, officers=5, days=10, patterns=9, least=500)
