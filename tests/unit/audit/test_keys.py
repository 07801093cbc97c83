"""Key files of the log, made by whichever gateway asks first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from gateway.audit.keys import AuditKeys


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
    names = [keys.wrapping(agency, datetime(2026, 11, 1, tzinfo=UTC)) for agency in ("NMC", "ERU")]
    (kept, key), (gone, _) = names
    (keys.directory / "month" / gone).unlink()
    assert keys.still(gone) is not None
    keys.forget()
    assert (keys.still(kept), keys.still(gone)) == (key, None)
