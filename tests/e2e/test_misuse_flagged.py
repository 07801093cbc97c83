"""An officer asks for themselves through the whole gateway; the auditors' index flags it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.demo.personas import PERSONAS
from deploy.demo.story import STEPS
from gateway.audit.following import Follower
from gateway.audit.index import Wanted
from gateway.audit.keys import AuditKeys
from gateway.audit.misuse import flagged, queue
from gateway.audit.signals import Pattern
from gateway.audit.staff import quarters, staff_of, tokens_of
from tests.e2e.asking import Answer, Asker

VEHICLE = next(step for step in STEPS if step.id == "vehicle-stop").text


async def test_pu_08_asking_for_oneself_is_flagged_whether_allowed_or_refused(
    asker: Asker, tmp_path: Path
) -> None:
    started, officer = asker.demo.started, PERSONAS["RO"]
    since = datetime.now(UTC) - timedelta(minutes=1)
    own = await asker.ask(
        "RO", VEHICLE, {"vrm": "SN68 BTX"}, purpose="OFFICER_SAFETY", reason="R02"
    )
    refused = await asker.ask("RO", VEHICLE, {"vrm": "SN68BTX"}, purpose="STRATEGIC_REPORTING")
    other = await asker.ask(
        "RO", VEHICLE, {"vrm": "AB12CDE"}, purpose="OFFICER_SAFETY", reason="R02"
    )
    assert (own.status, refused.code, other.status) == (200, "REFUSED", 200)
    told = await asker.came_of("RO", own)
    assert told.data == {"recordOutcome": None}  # nothing is owed, and the record says what it was
    issuer = f"{asker.demo.stack.issuer_url}/{officer.issuer}"
    folder = tmp_path / officer.agency
    folder.mkdir()
    (folder / "staff.csv").write_text(
        f"issuer,id,plates\n{issuer},{officer.sub},sn68btx\n{issuer},mate,ZZ99ZZZ\n"
    )
    keys = AuditKeys(started.settings.audit_keys_dir)
    follower = Follower(started.log, keys, tmp_path / "index.sqlite", rests=False)
    until = datetime.now(UTC) + timedelta(minutes=1)
    try:
        await started.log.keeper.in_tree(_entry(told))
        await follower.follow()
        feed = staff_of(tmp_path, officer.agency, tokens_of(keys), quarters(since, until))
        assert feed is not None
        flags = flagged(follower.index, since=since, until=until, staff=[feed])
        found = {one.request: one for one in follower.index.find(Wanted(since=since), limit=1000)}
        numbers = [found[_query(one)].idx for one in (own, refused, other)]
        assert [flags.get(n) for n in numbers] == ["self_or_colleague", "self_or_colleague", None]
        assert found[_query(refused)].kind == "D"
        acted = [one.about for one in found.values() if one.act == "recordOutcome"]
        assert _query(own) in acted
        case = next(
            case for case in queue(follower.index, since=since, until=until, staff=[feed]).cases
            if case.pattern is Pattern.SELF
        )  # fmt: skip
        assert set(numbers[:2]) <= set(case.entries)
        assert "for their own vehicle" in case.reasons[0]
    finally:
        await follower.aclose()


def _query(answer: Answer) -> str:
    return str(answer.body["extensions"]["receipt"]["queryId"])


def _entry(answer: Answer) -> int:
    return int(answer.body["extensions"]["receipt"]["logEntry"])
