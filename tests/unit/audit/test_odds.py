"""How surprising a count is, against the sums themselves."""

from __future__ import annotations

from math import comb, exp, factorial, log10

import pytest

from gateway.audit.odds import Spread, Usual, surprise, together, weight


@pytest.mark.parametrize(("count", "mean"), [(1, 0.2), (3, 0.5), (9, 2.0), (40, 12.5), (8, 7.9)])
def test_it_is_the_tail_of_poissons_law(count: int, mean: float) -> None:
    tail = sum(exp(-mean) * mean**k / factorial(k) for k in range(count, count + 120))
    assert surprise(count, mean) == pytest.approx(-log10(tail), rel=1e-6)


def test_what_varies_more_surprises_less() -> None:
    # 2 of mean and 6 of variance: the negative binomial of shape 1, a geometric law
    assert surprise(9, 2.0, 6.0) == pytest.approx(-9 * log10(2 / 3), rel=1e-9)
    # shape 2
    tail = sum(comb(k + 1, 1) * 0.5**2 * 0.5**k for k in range(9, 200))
    assert surprise(9, 2.0, 4.0) == pytest.approx(-log10(tail), rel=1e-9)
    assert surprise(9, 2.0, 6.0) < surprise(9, 2.0, 4.0) < surprise(9, 2.0)


@pytest.mark.parametrize(("count", "mean"), [(0, 1.0), (2, 2.0), (1, 5.0), (3, 0.0)])
def test_what_is_usual_does_not_surprise(count: int, mean: float) -> None:
    assert surprise(count, mean) == 0


def test_much_of_it_does_not_overflow() -> None:
    assert 100 < surprise(5_000, 100.0, 2_000.0) < -5_000 * log10(0.95)
    assert surprise(100_000, 1.0) > 100_000


def test_each_is_compared_with_the_others() -> None:
    spread = Spread.of([2, 2, 2, 90])
    assert spread.without(90) == (2 + 0.125, 0.125)
    mean, variance = spread.without(2)
    assert mean > 30
    assert variance > 1_000
    assert Spread.of([7]).without(7) == (0.5, 1.0)


def test_who_stands_out_does_not_widen_what_is_usual() -> None:
    crowd = [2.0] * 99
    assert Spread.of([*crowd, 90]).without(2) == (2 + 0.005, 0.005)
    assert Spread.of([*crowd, 90, 95, 80]).without(90) == Spread.of([*crowd, 2, 2, 2]).without(2)
    assert Spread.of([*crowd[:5], 90]).without(2)[0] > 15  # of so few nobody knows what is usual


def test_several_who_stand_out_do_not_hide_each_other() -> None:
    group = [1.0, 2.0, 3.0] * 12
    calm = Spread.of(group).without(1)
    hidden = Spread.of([*group, 22, 23, 24, 25])
    assert surprise(22, *hidden.without(22)) > 10
    assert hidden.without(1)[0] < calm[0] + 0.5
    # but a tail that thins out slowly is usual
    tail = sorted(float(n * n) for n in range(12)) * 3
    assert Spread.of(tail).cap == max(tail)


@pytest.mark.parametrize(("number", "rare"), [(1, 0.0), (2, 0.75), (3, 1.0)])
def test_what_all_have_says_nothing_of_anybody(number: int, rare: float) -> None:
    assert Usual([1, 1, 1, 2, 3], 5).rare(number) == pytest.approx(rare)


def test_scores_stay_between_nothing_and_certainty() -> None:
    assert weight(-1) == weight(0) == 0
    assert weight(2) == 0.5
    assert 0.9 < weight(40) < 1
    assert together([]) == 0
    assert together([0.5, 0.5]) == pytest.approx(0.75)
    assert together([1.0] * 50) <= 1
