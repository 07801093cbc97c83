"""What an entry says of a plan: what is silent looks as if it had been asked."""

from __future__ import annotations

from gateway.audit.content import counted, touched_by
from gateway.model import (
    CLEAR,
    AuthorisedPlan,
    Fetch,
    Grant,
    Note,
    Part,
    PartGrant,
    Plan,
    Show,
)


def person(id_: str, source: str, parent: str | None = None) -> Fetch:
    own = Part(path="", type="Person", reads=frozenset({"sex", "born"}))
    alerts = Part(path="alerts", type="Alert", reads=frozenset({"kind"}))
    return Fetch(id=id_, source=source, entity="Person", parts=(own, alerts), parent=parent)


def granted(fetch: Fetch, alerts: Show | None, *read: str) -> Grant:
    own, inner = fetch.parts
    return Grant(
        fetch=fetch,
        parts={
            "": PartGrant(part=own, show=Show.RECORDS, read=dict.fromkeys(read, CLEAR)),
            "alerts": PartGrant(
                part=inner, show=alerts, read={"kind": CLEAR} if alerts is Show.RECORDS else {}
            ),
        },
    )


FETCHES = (person("f0", "nmc"), person("f1", "ncb"), person("f2", "ncb", "f1"), person("f3", "scp"))


def test_a_silent_visit_and_what_is_beneath_stand_as_what_is_read() -> None:
    shown = AuthorisedPlan(
        plan=Plan(fetches=FETCHES),
        serial=1,
        grants={one.id: granted(one, Show.RECORDS, "sex", "born") for one in FETCHES},
    )
    silent = AuthorisedPlan(
        plan=Plan(fetches=FETCHES),
        serial=1,
        grants={
            "f0": granted(FETCHES[0], Show.SILENT, "sex", "born"),
            "f3": granted(FETCHES[3], Show.RECORDS, "sex", "born"),
        },
        silent=frozenset({"f1"}),
    )
    assert touched_by(silent) == touched_by(shown)
    assert counted(touched_by(silent)) == {
        "visits": {name: {"Person": 3} for name in ("nmc", "ncb", "scp")},
        "withheld": 0,
    }


def test_what_is_withheld_or_only_told_of_is_not_read() -> None:
    agreed = AuthorisedPlan(
        plan=Plan(fetches=FETCHES),
        serial=1,
        grants={"f0": granted(FETCHES[0], Show.HIT, "sex"), "f3": granted(FETCHES[3], None)},
        withheld={"f1": Note()},
    )
    assert touched_by(agreed) == {
        "visits": {"nmc": {"Person": ["alerts:hit", "sex"]}, "scp": {"Person": []}},
        "withheld": 1,
    }
