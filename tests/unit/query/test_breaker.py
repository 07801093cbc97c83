"""A source that keeps failing is left alone, and comes back by itself."""

from __future__ import annotations

import pytest

from gateway.query.breaker import Breakers


class World:
    """Three failures open a breaker, one probe every two seconds; time stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.changes: list[tuple[str, bool]] = []
        self.breakers = Breakers(
            monotonic=lambda: self.now,
            failures=3,
            probe_s=2.0,
            changed=lambda source, is_open: self.changes.append((source, is_open)),
        )

    def fail(self, times: int, source: str = "nmc") -> None:
        for _ in range(times):
            self.breakers.failed(source)

    def admitted(self, visits: int) -> int:
        return sum(self.breakers.admits("nmc") for _ in range(visits))


def test_it_opens_after_failures_in_a_row_only() -> None:
    at = World()
    at.fail(2)
    at.breakers.answered("nmc", 0.01)
    at.fail(2)
    assert at.admitted(10) == 10
    at.fail(1)
    assert at.admitted(10) == 0


def test_one_source_never_costs_another() -> None:
    at = World()
    at.fail(3)
    assert at.breakers.admits("scp")
    assert not at.breakers.admits("nmc")


def test_one_probe_is_let_through_in_its_time() -> None:
    at = World()
    at.fail(3)
    at.now += 1.9
    assert at.admitted(5) == 0
    at.now += 0.1
    assert at.admitted(5) == 1
    at.fail(1)  # the probe's own
    at.now += 1.9
    assert at.admitted(5) == 0
    at.now += 0.1
    assert at.admitted(5) == 1


def test_a_probe_that_is_given_up_does_not_keep_the_next_one_out() -> None:
    at = World()
    at.fail(3)
    at.now += 2
    assert at.admitted(1) == 1  # the caller hung up: nothing is learned
    at.now += 2
    assert at.admitted(1) == 1


def test_an_answer_closes_it_and_the_count_begins_again() -> None:
    at = World()
    at.fail(3)
    at.now += 2
    assert at.admitted(1) == 1
    at.breakers.answered("nmc", 0.01)
    assert at.admitted(5) == 5
    at.fail(2)
    assert at.admitted(5) == 5


def test_each_change_is_told_once() -> None:
    at = World()
    at.fail(5)
    at.breakers.answered("nmc", 0.01)
    at.breakers.answered("nmc", 0.01)
    assert at.changes == [("nmc", True), ("nmc", False)]


def test_how_long_a_visit_takes_is_what_it_took_of_late() -> None:
    breakers = World().breakers
    assert breakers.takes_s("nmc") == 0
    breakers.answered("nmc", 0.8)
    assert breakers.takes_s("nmc") == 0.8
    breakers.answered("nmc", 0.0)
    assert breakers.takes_s("nmc") == pytest.approx(0.7)
    for _ in range(50):
        breakers.answered("nmc", 0.1)
    assert breakers.takes_s("nmc") == pytest.approx(0.1, abs=0.01)
    assert breakers.takes_s("scp") == 0
