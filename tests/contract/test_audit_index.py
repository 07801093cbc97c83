"""The index finds what was asked and by whom, and can be made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.audit.index import Costly, Count, Found, Held, Index, Opened, Wanted, holding
from gateway.model import EMPTY

ORIGIN = "portcullis.example/audit/2026"
AT = datetime(2026, 11, 1, 6, 30, 0, 123456, tzinfo=UTC)


def token(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def intent(
    index: int, request: str, *, who: str = "ann", agency: str = "NMC", terms: tuple[str, ...] = (),
    case: str = "", purpose: str = "OFFICER_SAFETY", at: datetime = AT, glass: bool = False,
) -> Opened:  # fmt: skip
    why: dict[str, Any] = {"code": purpose, "reason": "R01"}
    why |= {"case": token(case)} if case else {}
    why |= {"break_glass": True} if glass else {}
    leaf = {
        "v": 2, "kind": "I", "tag": "consultation", "request_id": request, "at": at.isoformat(),
        "who": {"actor": token(who), "agency": agency, "client": "app-1"}, "purpose": why,
        "policy": {"serial": 7}, "sealed": {"parts": {"asker": {}}},
    }  # fmt: skip
    parts = {"asker": {"terms": [["Name", token(term)] for term in terms]}}
    return Opened(index=index, leaf=leaf, parts=parts)


def outcome(index: int, request: str, *, records: Mapping[str, tuple[str, ...]] = EMPTY) -> Opened:
    parts: dict[str, Any] = {}
    for agency, some in records.items():
        shown = [["p", "s", "Person", token(record), []] for record in some]
        parts[f"owner/{agency}"] = {"records": shown, "hits": []}
    leaf = {
        "v": 2, "kind": "O", "tag": "disclosure", "request_id": request, "at": AT.isoformat(),
        "status": 200, "code": None, "policy": {"serial": 7},
        "disclosed": {"records": sum(map(len, records.values()))},
        "sources": {"bid": ["TIMED_OUT", 0, 0, 0, 0], "eru": ["ANSWERED", 1, 0, 0, 0]},
        "sealed": {"parts": {"asker": {}, **{name: {} for name in parts}}},
    }  # fmt: skip
    return Opened(index=index, leaf=leaf, parts={**parts, "asker": {}})


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "index.db", ORIGIN)
    yield made
    made.close()


def numbers(found: tuple[Found, ...]) -> list[int]:
    return [one.idx for one in found]


def filled(index: Index) -> Index:
    denied = {**intent(4, "r2", who="bob", agency="SCP").leaf,
        "kind": "D", "status": 403, "code": "REFUSED", "rule": "refuse.current",
    }  # fmt: skip
    index.add([
        intent(0, "r0", terms=("hoxha",), case="c1"),
        intent(1, "r1", who="bob", agency="SCP", terms=("hodja",), glass=True,
               at=AT + timedelta(hours=1), purpose="PROTECT_VULNERABLE"),
        outcome(2, "r1", records={"ERU": ("eru-9",), "NMC": ("nmc-1",)}),
        outcome(3, "r0", records={"ERU": ("eru-9",)}),
        Opened(index=4, leaf=denied),
        intent(5, "r5"),
        Opened(index=6, leaf={"v": 2, "kind": "K"}),
    ])  # fmt: skip
    return index


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), [6, 5, 4, 1, 0]),
        (Wanted(tokens=(frozenset({token("ann")}),)), [5, 0]),
        (Wanted(tokens=(frozenset({token("hoxha"), token("hodja")}),)), [1, 0]),
        (Wanted(tokens=(frozenset({token("hoxha")}), frozenset({token("ann")}))), [0]),
        (Wanted(tokens=(frozenset({token("hoxha")}), frozenset({token("bob")}))), []),
        (Wanted(tokens=(frozenset({token("eru-9")}),)), [1, 0]),
        (Wanted(tokens=(frozenset({token("c1")}),)), [0]),
        (Wanted(owner="ERU"), [1, 0]),
        (Wanted(owner="NMC"), [1]),
        (Wanted(owner="NCB"), []),
        (Wanted(agency="SCP"), [4, 1]),
        (Wanted(code="REFUSED"), [4]),
        (Wanted(rule="refuse.current"), [4]),
        (Wanted(kind="D"), [4]),
        (Wanted(tag="disclosure"), [1, 0]),
        (Wanted(purpose="PROTECT_VULNERABLE", serial=7), [1]),
        (Wanted(serial=8), []),
        (Wanted(glass=True), [1]),
        (Wanted(source="bid"), [1, 0]),
        (Wanted(named=True), [5, 4, 1, 0]),
        (Wanted(named=False), [6]),
        (Wanted(tokens=(frozenset(),)), []),
        (Wanted(viewers=frozenset()), [6, 5, 4, 1, 0]),
        (Wanted(source="id"), []),
        (Wanted(since=AT + timedelta(minutes=1)), [1]),
        (Wanted(until=AT, kind="I"), []),
        (Wanted(app="app-1", reason="R01", until=AT + timedelta(seconds=1)), [5, 4, 0]),
    ],
)
def test_all_that_is_wanted_must_hold(index: Index, wanted: Wanted, expected: list[int]) -> None:
    assert numbers(filled(index).find(wanted)) == expected


def test_a_query_is_one_row_from_its_intent_to_its_outcome(index: Index) -> None:
    *_, one, zero = filled(index).find(Wanted())
    assert (zero.idx, zero.last, zero.status, zero.records, zero.tag) == (
        0,
        3,
        200,
        1,
        "disclosure",
    )
    assert one.records == 2
    assert zero.at == AT
    assert zero.sources == {"bid": "TIMED_OUT", "eru": "ANSWERED"}
    assert (zero.actor, zero.agency, zero.serial, zero.glass) == (token("ann"), "NMC", 7, False)
    assert zero.answered
    (cut_off,) = index.find(Wanted(), before=6, limit=1)
    assert (cut_off.idx, cut_off.answered) == (5, False)


def test_views_are_found_by_whose_they_are(index: Index) -> None:
    views = ("force_auditor", "professional_standards", "")
    for n, viewer in enumerate(views):
        leaf = {"v": 2, "kind": "V", "view": {"page": "search", "as": viewer}}
        index.add([Opened(index=n, leaf=leaf)])
    assert numbers(index.find(Wanted())) == [2, 1, 0]
    assert numbers(index.find(Wanted(viewers=frozenset()))) == []
    assert numbers(index.find(Wanted(viewers=frozenset({"force_auditor"})))) == [0]
    assert [one.viewer for one in index.find(Wanted())] == list(reversed(views))
    for n, view in enumerate(({}, {"view": {"as": "professional_standards"}}), len(views)):
        index.add([Opened(index=n, leaf={"v": 2, "kind": "D", **view})])  # refused; one was a look
    assert numbers(index.find(Wanted(viewers=frozenset({"force_auditor"})))) == [3, 0]


def test_a_query_is_found_by_either_of_its_entries(index: Index) -> None:
    filled(index)
    for number, first in ((0, 0), (3, 0), (2, 1), (4, 4), (5, 5)):
        found = index.of(number)
        assert found is not None
        assert found.idx == first
    assert index.of(7) is None


def test_a_search_that_takes_too_long_is_cut_off(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add([Opened(index=n, leaf={"kind": "R", "code": "A"}) for n in range(500)])
    assert index.find(Wanted(code="B")) == ()
    monkeypatch.setattr("gateway.audit.index._LOOK_S", -1.0)
    monkeypatch.setattr("gateway.audit.index._STEPS", 100)
    with pytest.raises(Costly):
        index.find(Wanted(code="B"))


def test_queries_are_counted_by_time_agency_and_purpose(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(index)
    masked = {**outcome(7, "r5").leaf, "sources": {"eru": ["ANSWERED", 2, 3, 1, 0]}}
    index.add([Opened(index=7, leaf=masked)])
    spans = [AT.replace(minute=0, microsecond=0) + timedelta(hours=n) for n in range(3)]
    assert set(index.counts(spans)) == {
        Count(0, "NMC", "OFFICER_SAFETY", 2, 0, 0, 1, 0, 1),
        Count(0, "SCP", "OFFICER_SAFETY", 1, 1, 0, 0, 0, 0),
        Count(1, "SCP", "PROTECT_VULNERABLE", 1, 0, 0, 0, 1, 1),
    }
    nmc = index.counts(spans, agency="NMC")
    assert [(one.agency, one.queries) for one in nmc] == [("NMC", 2)]
    assert index.counts([one + timedelta(days=1) for one in spans]) == ()
    uneven = [spans[0] + timedelta(hours=n) for n in (-3, -2, -1, 0, 2, 3, 5)]  # some are longer
    assert {(one.span, one.agency, one.purpose, one.queries) for one in index.counts(uneven)} == {
        (3, "NMC", "OFFICER_SAFETY", 2),
        (3, "SCP", "OFFICER_SAFETY", 1),
        (3, "SCP", "PROTECT_VULNERABLE", 1),
    }
    assert index.counts([spans[0], spans[2], *uneven[4:]], agency="SCP") == index.counts(
        [spans[0], spans[2]], agency="SCP"
    )
    (found,) = index.find(Wanted(), before=6, limit=1)
    assert (found.missing, found.masked, found.withheld) == (0, 3, 1)
    monkeypatch.setattr("gateway.audit.index._LOOK_S", -1.0)
    monkeypatch.setattr("gateway.audit.index._STEPS", 1)
    with pytest.raises(Costly):
        index.counts(spans)
    with pytest.raises(ValueError, match="whole hours"):
        index.counts([one + timedelta(minutes=1) for one in spans])


def test_one_process_holds_it(index: Index, tmp_path: Path) -> None:
    with pytest.raises(Held), holding(tmp_path / "index.db"):
        pass
    with pytest.raises(Held):
        Index(tmp_path / "index.db", ORIGIN)
    filled(index)
    index.close()
    with holding(tmp_path / "index.db"):
        pass
    again = Index(tmp_path / "index.db", ORIGIN)
    assert (again.size, again.root) == (7, b"")
    again.add([intent(7, "x")], b"hash")
    assert again.root == b"hash"
    again.close()


def test_pages_go_on_where_the_last_one_ended(index: Index) -> None:
    filled(index)
    first = index.find(Wanted(), limit=2)
    assert numbers(first) == [6, 5]
    assert numbers(index.find(Wanted(), before=first[-1].idx, limit=9)) == [4, 1, 0]


def test_entries_come_in_the_log_s_order_and_once(index: Index) -> None:
    filled(index)
    for wrong in ([intent(6, "x")], [intent(8, "x")], [intent(7, "x"), intent(9, "y")]):
        with pytest.raises(ValueError, match="next entry of the index is 7"):
            index.add(wrong)
    assert index.size == 7


def test_what_fails_half_way_leaves_nothing(index: Index) -> None:
    broken = replace(intent(1, "b"), parts={"asker": {"terms": [["Name", "not hexadecimal"]]}})
    with pytest.raises(ValueError, match="hex"):
        index.add([intent(0, "a", terms=("hoxha",)), broken])
    assert index.size == 0
    assert index.find(Wanted()) == ()
    assert numbers(filled(index).find(Wanted())) == [6, 5, 4, 1, 0]


def test_it_is_kept_and_made_again_for_another_log_or_when_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    first = filled(Index(path, ORIGIN))
    first.close()
    kept = Index(path, ORIGIN)
    assert (kept.size, numbers(kept.find(Wanted(kind="D")))) == (7, [4])
    kept.close()
    other = Index(path, "another.example/audit")
    assert (other.size, other.find(Wanted())) == (0, ())
    other.close()
    path.write_bytes(b"no database" * 1_000)
    again = Index(path, ORIGIN)
    assert again.size == 0
    filled(again).clear()
    assert (again.size, again.find(Wanted())) == (0, ())
    again.close()


def test_it_finds_what_a_look_at_every_query_finds(index: Index) -> None:
    random = Random(5)  # noqa: S311  a test that can be repeated
    people, names, cases = ("ann", "bob", "cyd"), ("a", "b", "c", "d"), ("", "c1", "c2")
    made: list[tuple[str, set[str], str, str]] = []
    for n in range(0, 400, 2):
        who, case = random.choice(people), random.choice(cases)
        terms = tuple(random.sample(names, random.randrange(3)))
        agency = random.choice(("NMC", "SCP"))
        index.add([
            intent(n, f"r{n}", who=who, case=case, terms=terms, agency=agency),
            outcome(n + 1, f"r{n}"),
        ])  # fmt: skip
        made.append((who, set(terms), case, agency))
    for _ in range(100):
        who, name = random.choice(people), random.choice(names)
        of = random.choice(("NMC", None))
        wanted = Wanted(tokens=(frozenset({token(who)}), frozenset({token(name)})), agency=of)
        expected = [
            2 * n for n, (w, terms, _, a) in enumerate(made)
            if w == who and name in terms and of in (None, a)
        ]  # fmt: skip
        assert numbers(index.find(wanted, limit=1_000)) == expected[::-1]


def test_a_whole_log_is_loaded_at_once_and_is_found_like_one_that_came_bit_by_bit(
    tmp_path: Path,
) -> None:
    random = Random(9)  # noqa: S311  a test that can be repeated
    entries: list[Opened] = []
    for n in range(0, 600, 2):
        who, terms = random.choice("abc"), tuple(random.sample("vwxyz", 2))
        entries.append(intent(n, f"r{n}", who=who, terms=terms, case=random.choice(("", "c1"))))
        entries.append(outcome(n + 1, f"r{n}", records={"ERU": (random.choice("klm"),)}))
    one, other = Index(tmp_path / "one.db", ORIGIN), Index(tmp_path / "other.db", ORIGIN)
    for start in range(0, 600, 50):
        one.add(entries[start : start + 50])
    with other.loading():
        for start in range(0, 600, 70):
            other.add(entries[start : start + 70])
    later = intent(600, "r600", who="a", terms=("v",))
    for index in (one, other):
        index.add([later])
        with pytest.raises(ValueError, match="not empty"), index.loading():
            pass
    assert other.size == one.size == 601
    for text in "abcvwxyzklm":
        for agency in (None, "NMC"):
            wanted = Wanted(tokens=(frozenset({token(text)}),), agency=agency)
            assert other.find(wanted, limit=999) == one.find(wanted, limit=999) != ()
    assert list(other.events(Wanted())) == list(one.events(Wanted()))
    one.close()
    other.close()


def test_what_was_not_loaded_to_the_end_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    index = Index(path, ORIGIN)

    def loaded(last: Opened) -> None:
        with index.loading():
            index.add([intent(0, "r0")])
            index.add([last])

    with pytest.raises(ValueError, match="next entry"):
        loaded(intent(2, "r2"))
    assert (index.size, index.find(Wanted())) == (0, ())
    wrong = {"asker": {"terms": [["Name", "not hexadecimal"]]}}
    with pytest.raises(ValueError, match="hex"):
        loaded(replace(intent(1, "r1"), parts=wrong))
    assert index.size == 0
    killed = index.loading()
    killed.__enter__()
    index.add([intent(0, "r0")])
    index.close()  # the process ended in the middle
    again = Index(path, ORIGIN)
    assert again.size == 0
    assert numbers(filled(again).find(Wanted(kind="D"))) == [4]
    again.close()


def test_times_are_found_though_clocks_go_wrong(index: Index) -> None:
    random = Random(4)  # noqa: S311  a test that can be repeated
    hours = [n / 10 + (random.choice((0, 0, 0, 5, -3)) if n > 30 else 0) for n in range(200)]
    index.add([intent(n, f"r{n}", at=AT + timedelta(hours=hour)) for n, hour in enumerate(hours)])
    index.add([Opened(index=200, leaf={"v": 2, "kind": "K"})])  # says no time
    for since, until in ((None, 6.0), (3.0, None), (5.0, 9.0), (18.0, 30.0), (25.0, None)):
        wanted = Wanted(
            since=None if since is None else AT + timedelta(hours=since),
            until=None if until is None else AT + timedelta(hours=until),
        )
        expected = [
            n for n, hour in enumerate(hours)
            if (since is None or hour >= since) and (until is None or hour < until)
        ]  # fmt: skip
        found = [n for n in numbers(index.find(wanted, limit=999)) if n < 200]
        assert found == expected[::-1]
        assert [one.idx for one in index.events(wanted) if one.idx < 200] == expected
