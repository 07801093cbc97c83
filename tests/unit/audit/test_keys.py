"""Key files of the log, made by whichever gateway asks first."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.audit.keys import AuditKeys
from gateway.errors import AuditUnavailable

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def test_gateways_that_start_together_have_the_same_keys(tmp_path: Path) -> None:
    """Each has the directory open by itself, as processes have; all end with what one made."""
    for turn in range(20):
        place = tmp_path / str(turn)
        gateways = [AuditKeys(place) for _ in range(8)]
        with ThreadPoolExecutor(len(gateways)) as at_once:
            signers = list(at_once.map(lambda keys: keys.signer("test/log"), gateways))
            journals = list(at_once.map(lambda keys: keys.journal(), gateways))
        (verifier,) = {signer.verifier for signer in signers}
        assert len(set(journals)) == 1
        assert (place / "log.pub").read_text() == verifier + "\n"
        assert {path.name for path in place.iterdir()} == {"log.key", "log.pub", "journal.key"}


def test_what_is_let_go_of_is_read_again_where_it_still_is(tmp_path: Path) -> None:
    keys = AuditKeys(tmp_path / "keys")
    keys.signer("test/log")
    names = [keys.wrapping(agency, NOVEMBER) for agency in ("NMC", "ERU")]
    (kept, key), (gone, _) = names
    (keys.directory / "month" / gone).unlink()
    assert keys.still(gone) is not None
    keys.forget()
    assert (keys.still(kept), keys.still(gone)) == (key, None)


def away(place: Path, how: str) -> Path:
    """The directory has another name, and in its place is nothing, or something else."""
    kept = place.with_name("kept")
    place.rename(kept)
    match how:
        case "empty":
            place.mkdir(mode=0o700)
        case "another's":
            AuditKeys(place).signer("test/log")
        case "a file":
            place.write_text("not a directory")
        case "unreadable":
            place.symlink_to("x" * 300)  # a name that is too long for any
    return kept


def back(place: Path, kept: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        place.rename(place.with_name("other"))
    kept.rename(place)


AWAY = ("gone", "empty", "another's", "a file", "unreadable")


@pytest.mark.parametrize("how", AWAY)
def test_F_41_without_its_place_no_key_is_read_made_or_said_to_be_gone(
    tmp_path: Path, how: str
) -> None:
    """What was read goes on; what is new waits until the same place is back."""
    place = tmp_path / "keys"
    keys = AuditKeys(place)
    keys.signer("test/log")
    october, current = keys.wrapping("NMC", OCTOBER), keys.token_key("actor", "2026-Q4")
    made = {path.relative_to(place) for path in place.rglob("*")}
    reader = AuditKeys(place)  # of a process that indexes: it signs nothing
    assert reader.still(october[0]) == october[1]
    reader.forget()
    kept = away(place, how)
    assert (keys.wrapping("NMC", OCTOBER), keys.token_key("actor", "2026-Q4")) == (october, current)
    assert keys.healthy
    found = list(os.walk(place))
    needed: tuple[Callable[[], object], ...] = (
        lambda: keys.wrapping("NMC", NOVEMBER),
        lambda: keys.wrapping("ERU", OCTOBER),
        lambda: keys.token_key("actor", "2027-Q1"),
        keys.months,
        keys.tokens,
        lambda: keys.periods("actor"),
        lambda: keys.still("NMC/2026-09"),
    )
    for needs in needed:
        with pytest.raises(AuditUnavailable):
            needs()
        assert list(os.walk(place)) == found
    if how != "another's":  # which a process that does not sign cannot know
        with pytest.raises(AuditUnavailable):
            reader.still(october[0])
    lacked = keys.healthy
    back(place, kept)
    assert {path.relative_to(place) for path in place.rglob("*")} == made
    assert (lacked, keys.healthy) == (False, True)
    assert reader.still(october[0]) == october[1]
    fresh = keys.wrapping("NMC", NOVEMBER)
    assert AuditKeys(place).wrapping("NMC", NOVEMBER) == fresh
    assert keys.still("NMC/2026-09") is None
    assert keys.months() == ["NMC/2026-10", "NMC/2026-11"]


@pytest.mark.parametrize("how", AWAY)
def test_F_41_a_key_is_never_replaced_by_one_that_is_made_elsewhere(
    tmp_path: Path, how: str
) -> None:
    """It is lacking until its place is back, and then is what every other gateway has."""
    place = tmp_path / "keys"
    one, other = AuditKeys(place), AuditKeys(place)
    one.signer("test/log")
    other.signer("test/log")
    there = other.wrapping("NMC", OCTOBER)
    kept = away(place, how)
    with pytest.raises(AuditUnavailable):
        one.wrapping("NMC", OCTOBER)
    back(place, kept)
    assert one.wrapping("NMC", OCTOBER) == there
