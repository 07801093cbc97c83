"""Misuse is found by tokens, told in words, and ranked; what cannot be looked for is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import token
from gateway.audit.index import Index, Opened, Wanted
from gateway.audit.misuse import Case, Queue, flagged, queue
from gateway.audit.signals import Pattern
from gateway.audit.staff import Feed, staff_of, watch_list
from gateway.audit.terms import terms_as

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=21)
WITHIN = ("2026-Q1",)
ISSUER = "https://sign-in.example/nmc"
STAFF = f"""issuer,id,team,given,family,born,plates,phones,postcodes,near,relatives,cases
{ISSUER},ann,B,Ann,Omarr,1990-02-03,AB12CDE,07700900123,TN28 8AB,TN28 8AD;TN28 8AE,Bo Tull,CR/9
{ISSUER},bob,B,Bob,Sykes,1980-05-06,XY34ZZZ,07700900456,CT1 1AA,,,
{ISSUER},cyd,C,Cyd,Field,1985-07-08,QR56STU,07700900789,ME1 1AA,,,
{ISSUER},dan,B,Dan,Reeve,1986-07-08,QR57STU,07700900780,ME1 1AB,,,
"""
COLUMNS = "issuer,id,from,to\n"
KEY = bytes(32)


def tokens(name: str, value: str, quarter: str) -> str:
    return token(KEY, f"{name} {quarter}", value)


@dataclass(slots=True)
class Place:
    """An index of some queries, and the feeds."""

    folder: Path
    index: Index
    numbers: Iterator[int] = field(default_factory=count)

    def asked(
        self, who: str, *terms: tuple[str, str], at: datetime = SINCE + timedelta(hours=9),
        agency: str = "NMC", purpose: str = "OFFICER_SAFETY", reason: str = "R01", words: str = "",
        matter: str = "", glass: bool = False, found: int = 1, code: str | None = None,
        roles: str = "response", act: str = "", about: str = "", duty: bool | None = None,
        review: str = "", by: str = "force_auditor", sealed: bool = True, **more: str,
    ) -> int:  # fmt: skip
        """The number of a query's first entry."""
        index, request = self.index.size, f"q{next(self.numbers)}"
        leaf: dict[str, Any] = {
            "kind": "I", "tag": "consultation", "request_id": request, "at": at.isoformat(),
            "who": {"actor": tokens("actor", f"{ISSUER}|{who}", "2026-Q1"), "agency": agency,
                    "roles": sha256(roles.encode()).hexdigest()[:16], "client": "app"},
            "purpose": {"code": purpose, "reason": reason},
        }  # fmt: skip
        if words:
            leaf["purpose"]["words"] = tokens("words", words, "2026-Q1")
        if matter:
            leaf["purpose"]["case"] = tokens("case", matter, "2026-Q1")
        if glass:
            leaf["purpose"]["break_glass"] = True
        if act:
            leaf["casework"] = {"act": act, "about": about}
        said = [
            [kind, tokens("term", f"{kind}|{value}", "2026-Q1")]
            for type_name, text in terms
            for kind, value in terms_as(type_name, text)
        ]
        subject = {} if duty is None else {"question": {"subject": {"on_duty": duty}}}
        if review:
            told = {"of": review, "outcome": "JUSTIFIED", **more}
            leaf |= {"kind": "V", "view": {"as": by},
                     "review": {"origin": "MISUSE"} if sealed else told}  # fmt: skip
            parts = {"asker": {"review": told}} if sealed else {}
            self.index.add([Opened(index=index, leaf=leaf, parts=parts)])
            return index
        self.index.add([
            Opened(index=index, leaf=leaf, parts={"asker": {"terms": said, **subject}}),
            Opened(index=index + 1, leaf={
                "kind": "O", "tag": "disclosure", "request_id": request, "at": at.isoformat(),
                "status": 200, "code": code, "disclosed": {"records": found},
            }),
        ])  # fmt: skip
        return index

    def usual(self, people: Sequence[str] = ("ann", "bob", "cyd", "dan"), days: int = 20) -> None:
        """What ordinary days hold: for each officer a few queries at work, by ordinary names."""
        for day in range(days):
            for number, who in enumerate(people):
                at = SINCE + timedelta(days=day, hours=8, minutes=7 * number)
                for n in range(4):
                    words = f"stop {who} {day} {n}"
                    self.asked(who, ("Name", f"Person {'abcdefghij'[n]}"), words=words,
                               at=at + timedelta(minutes=30 * n), found=n % 3)  # fmt: skip

    def staff(self, text: str = STAFF) -> Feed:
        (self.folder / "NMC").mkdir(exist_ok=True)
        (self.folder / "NMC" / "staff.csv").write_text(text)
        feed = staff_of(self.folder, "NMC", tokens, WITHIN)
        assert feed is not None
        return feed

    def shifts(self, days: int = 20) -> Feed:
        lines = [
            f"{ISSUER},{who},{(SINCE + timedelta(days=day, hours=6)).isoformat()},"
            f"{(SINCE + timedelta(days=day, hours=14)).isoformat()}\n"
            for who in ("ann", "bob", "cyd", "dan")
            for day in range(days)
        ]
        (self.folder / "NMC").mkdir(exist_ok=True)
        (self.folder / "NMC" / "shifts.csv").write_text(COLUMNS + "".join(lines))
        return self.staff()

    def queue(self, *staff: Feed, watch: Feed | None = None, agency: str | None = None) -> Queue:
        return queue(self.index, since=SINCE, until=UNTIL, staff=staff, watch=watch, agency=agency)

    def case(self, pattern: Pattern, *staff: Feed, watch: Feed | None = None) -> Case:
        (found,) = [one for one in self.queue(*staff, watch=watch).cases if one.pattern is pattern]
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    index = Index(tmp_path / "index.db", "portcullis.example/audit")
    yield Place(tmp_path, index)
    index.close()


OWN = [
    [("Vrm", "ab12 cde")], [("ContactValue", "+44 7700 900123")],
    [("Name", "O'Marr"), ("GivenNames", "ann")], [("Name", "omarr"), ("Date", "1990-02-03")],
]  # fmt: skip


@pytest.mark.parametrize("terms", OWN, ids=["vehicle", "phone", "name", "name and birth"])
@pytest.mark.parametrize("code", [None, "REFUSED"], ids=["allowed", "refused"])
def test_pu_08_who_asks_for_oneself_or_a_colleague_is_always_flagged(
    place: Place, terms: list[tuple[str, str]], code: str | None
) -> None:
    """However many cases they name, and whether or not policy allowed it."""
    place.usual()
    own = place.asked("ann", *terms, matter="CR/1", code=code)
    theirs = place.asked("bob", *terms, matter="CR/2", code=code)
    other = place.asked("bob", ("Vrm", "ZZ99ZZZ"))
    feed = place.staff()
    flags = flagged(place.index, since=SINCE, until=UNTIL, staff=[feed])
    assert flags == {own: "self_or_colleague", theirs: "self_or_colleague"}
    assert other not in flags
    mine, mate = place.case(Pattern.SELF, feed), place.case(Pattern.COLLEAGUE, feed)
    assert (mine.flag, mate.flag) == ("self_or_colleague", "self_or_colleague")
    assert (mine.entries, mate.entries) == ((own,), (theirs,))
    assert mine.reasons[0].startswith("Asked once for their own ")
    assert mate.reasons[0].startswith("Asked once for a colleague's ")
    assert mine.score > mate.score


def test_pu_08_a_colleagues_case_is_flagged(place: Place) -> None:
    place.usual()
    own = place.asked("ann", ("Vrm", "ZZ99ZZZ"), matter="CR/9")
    theirs = place.asked("dan", ("Vrm", "ZZ98ZZZ"), matter="CR/9")
    flags = flagged(place.index, since=SINCE, until=UNTIL, staff=[place.staff()])
    assert flags == {own: "self_or_colleague", theirs: "self_or_colleague"}


def test_somebody_of_the_family_is_found_and_a_namesake_of_many_counts_little(
    place: Place,
) -> None:
    place.usual()
    idx = place.asked("ann", ("Name", "Tull"), ("GivenNames", "Bo"))
    feed = place.staff()
    found = place.case(Pattern.SELF, feed)
    assert (found.entries, found.reasons) == (
        (idx,),
        ("Asked once for somebody of their family, by name; without a case.",),
    )
    before = found.score
    for who in ("bob", "cyd", "dan"):
        place.asked(who, ("Name", "Tull"), ("GivenNames", "Bo"))
    assert place.case(Pattern.SELF, feed).score < before / 2


def test_without_a_feed_the_queue_says_what_it_cannot_look_for(place: Place) -> None:
    place.usual()
    place.asked("ann", ("Vrm", "AB12CDE"))
    found = place.queue()
    assert not {one.pattern for one in found.cases} & {Pattern.SELF, Pattern.COLLEAGUE}
    assert found.missing == (
        "NMC has connected no staff feed: its officers' own names, family, neighbours, "
        "colleagues and rosters are not looked for.",
        "There is no watch list: who is watched is not looked for.",
    )
    narrow = place.staff("\n".join(",".join(line.split(",")[:6]) for line in STAFF.splitlines()))
    assert place.queue(narrow).missing[0] == (
        "The staff feed of NMC does not tell of: own vehicles and those of colleagues, own phones "
        "and those of colleagues, own addresses, family, neighbours, off-duty use by the roster."
    )


def test_neighbours_are_whom_one_asks_for_more_than_ones_team(place: Place) -> None:
    place.usual()
    own = [
        place.asked("ann", ("Postcode", code), at=SINCE + timedelta(days=day, hours=9))
        for day, code in enumerate(("TN28 8AD", "TN28 8AE", "TN28 8AB", "TN28 8AD"))
    ]
    feed = place.staff()
    found = place.case(Pattern.NEIGHBOUR, feed)
    assert found.entries == tuple(own)
    assert (
        "4 times on 4 days for streets next to their home, 1 of these for their own"
        in (found.reasons[0])
    )
    alone = found.score
    for who in ("bob", "dan"):  # their beat: the team asks there day by day
        for day in range(15):
            place.asked(who, ("Postcode", "TN28 8AD"), at=SINCE + timedelta(days=day, hours=9))
    assert place.case(Pattern.NEIGHBOUR, feed).score < alone / 2


def test_the_watched_are_found_by_label_and_whoever_is_to_look_at_them_is_not(
    place: Place,
) -> None:
    (place.folder / "watch.csv").write_text(
        "id,why,given,family,plates,cases\nW-1,in the news,Mona,Lisal,MO11NNN,CR/77\n"
    )
    watch = watch_list(place.folder, tokens, WITHIN)
    place.usual()
    place.asked("bob", ("Name", "Lisal"), ("GivenNames", "Mona"), matter="CR/77")
    idx = place.asked("ann", ("Vrm", "MO11NNN"))
    found = place.case(Pattern.WATCHED, watch=watch)
    assert found.entries == (idx,)
    assert found.reasons == (
        "Asked once for W-1 of the watch list (in the news), by vehicle; without a case.",
    )


def test_off_duty_is_told_by_the_roster_or_by_the_token(place: Place) -> None:
    place.usual()
    nights = [
        place.asked("cyd", ("Name", "Person q"), at=SINCE + timedelta(days=day, hours=23))
        for day in range(7)
    ]
    found = place.case(Pattern.OFF_DUTY, place.shifts())
    assert found.entries == tuple(nights)
    assert "on 7 days when off duty by the roster" in found.reasons[0]
    tokens_say = [
        place.asked(
            "dan", ("Name", "Person q"), duty=False, at=SINCE + timedelta(days=day, hours=8)
        )
        for day in range(7)
    ]
    found = place.case(Pattern.OFF_DUTY)
    assert found.entries == tuple(tokens_say)
    assert "by their own token" in found.reasons[0]


def test_an_operation_of_colleagues_off_their_roster_is_no_sign(place: Place) -> None:
    place.usual()
    for day in range(7):
        for who in ("ann", "bob", "dan"):
            place.asked(who, ("Vrm", "ZZ99ZZZ"), at=SINCE + timedelta(days=day, hours=20))
    patterns = {one.pattern for one in place.queue(place.shifts()).cases}
    assert Pattern.OFF_DUTY not in patterns


def test_pu_06_one_purpose_and_reason_for_hundreds_of_lookups_leads_the_queue(
    place: Place,
) -> None:
    place.usual()
    asked = [
        place.asked("bob", ("Name", "Person r"), words="routine", at=SINCE + timedelta(
            days=3, hours=9, seconds=7 * n)) for n in range(500)
    ]  # fmt: skip
    first, *_ = place.queue().cases
    assert first.pattern is Pattern.HABIT
    assert set(asked) <= set(first.entries)
    assert any("the same words as reason 500 times" in reason for reason in first.reasons)
    assert any("times within one hour" in reason for reason in first.reasons)


def test_a_list_that_colleagues_work_through_together_is_no_habit(place: Place) -> None:
    place.usual()
    for who in ("ann", "bob", "dan"):
        for n in range(60):
            place.asked(who, ("Vrm", f"ZZ{n:02}ZZZ"), words="road check", found=0,
                        at=SINCE + timedelta(days=3, hours=9, seconds=90 * n))  # fmt: skip
    assert not place.queue().cases


def test_a_purpose_that_peers_do_not_have_is_unfit(place: Place) -> None:
    people = ("ann", "bob", "cyd", "dan", "eve", "fox")
    place.usual(people)
    place.usual(people, days=3)

    def misfit(who: str) -> list[int]:
        return [
            place.asked(who, ("Name", "Person r"), purpose="MISSING_PERSON",
                        at=SINCE + timedelta(days=day, hours=9)) for day in range(12)
        ]  # fmt: skip

    unfit = misfit("cyd")
    found = place.case(Pattern.PURPOSE)
    assert found.entries == tuple(unfit)
    assert found.reasons[0] == (
        "Asked 12 times on 12 days without a case for the purpose MISSING_PERSON, which others "
        "with the same roles give for 0.0 % of such."
    )
    for who in people:  # others have it too
        misfit(who)
    assert Pattern.PURPOSE not in {one.pattern for one in place.queue().cases}


def test_many_in_vain_in_a_row_are_fishing(place: Place) -> None:
    place.usual()
    row = [
        place.asked("ann", ("Name", f"Guess {'abcdefghijklmnopqrstuvwxyz'[n]}"), found=0,
                    code="REFUSED" if n % 5 == 4 else None,
                    at=SINCE + timedelta(days=2, hours=13, seconds=20 * n)) for n in range(20)
    ]  # fmt: skip
    found = place.case(Pattern.FISHING)
    assert found.entries == tuple(row)
    assert found.reasons[0].startswith("Asked 20 times in a row, within 6 minutes, and nothing")


def test_broken_glass_is_followed_by_an_outcome_or_a_review_within_three_days(
    place: Place,
) -> None:
    place.usual()
    at = SINCE + timedelta(days=1)
    one, two, three, four = (
        place.asked("ann", ("Name", "Person r"), glass=True, words="danger",
                    at=at + timedelta(days=n)) for n in range(4)
    )  # fmt: skip
    late = place.asked(
        "ann", ("Name", "Person r"), glass=True, at=at + timedelta(days=18, hours=12)
    )
    found = place.case(Pattern.GLASS)
    assert found.entries == (one, two, three, four)  # the last one may still be followed
    assert late not in found.entries
    assert found.reasons == (
        "Broke the glass 5 times, and 4 times within three days neither told an outcome nor was "
        "reviewed.",
    )
    requests = {one.idx: one.request for one in place.index.events(Wanted())}
    # what is said of no search, of another one, by another officer or too late follows up nothing
    place.asked("ann", act="recordOutcome", at=at + timedelta(hours=5))
    place.asked("ann", act="recordOutcome", about="q0", at=at + timedelta(hours=5))
    place.asked("bob", act="recordOutcome", about=requests[one], at=at + timedelta(hours=5))
    place.asked("ann", act="recordOutcome", about=requests[one], at=at + timedelta(days=4))
    # nor does a review of another search, nor one that its readers must not know of, nor the
    # closing of another sign: there nobody looked at why the glass was broken
    place.asked("eve", review=requests[late], at=at + timedelta(days=19))
    place.asked("eve", review=requests[one], by="professional_standards", at=at)
    place.asked("eve", review=requests[one], outcome="CLOSED", sign="habit", at=at)
    assert place.case(Pattern.GLASS).entries == (one, two, three, four)
    place.asked("ann", act="recordOutcome", about=requests[one], at=at + timedelta(days=2))
    place.asked("eve", review=requests[two], at=at + timedelta(days=9))
    place.asked("eve", review=requests[three], sealed=False, at=at + timedelta(days=9))  # as before
    assert place.case(Pattern.GLASS).entries == (four,)
    place.asked("eve", review=requests[four], outcome="CLOSED", sign="glass", at=at)
    assert Pattern.GLASS not in {case.pattern for case in place.queue().cases}


def test_a_scope_sees_its_own_officers_alone(place: Place) -> None:
    place.usual()
    for agency, who in (("NMC", "ann"), ("SCP", "zoe")):
        for n in range(20):
            place.asked(who, ("Name", f"Guess {n}"), found=0, agency=agency,
                        at=SINCE + timedelta(days=2, hours=13, seconds=20 * n))  # fmt: skip
    found = place.queue(place.staff(), agency="SCP")
    assert {one.agency for one in found.cases} == {"SCP"}
    assert [one[:3] for one in found.missing] == ["SCP", "The"]
