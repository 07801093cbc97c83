"""Feeds of staff become tokens; a bad one is refused with all that is wrong, and no value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.audit.entry import token
from gateway.audit.staff import Mark, What, quarters, staff_of, watch_list
from gateway.errors import ConfigError

KEY = bytes(32)
WITHIN = ("2026-Q1", "2026-Q2")
ISSUER = "https://sign-in.example/nmc"
STAFF = "\n".join((
    "issuer,id,team,given,family,born,plates,phones,postcodes,near,relatives,records,cases",
    f"{ISSUER},nmc-1,B,Ann Lea,O'Marr;Tull,1990-02-03,ab12 cde,07700 900123,tn28 8ab,"
    "TN28 8AD;TN28 8AE,Bo Tull 1988-01-02;Cy Marr,nmc|Person|77,CR/1",
    f"{ISSUER},nmc-2{',' * 11}",
))  # fmt: skip
SHIFTS = """issuer,id,from,to
https://sign-in.example/nmc,nmc-1,2026-03-01T06:00:00Z,2026-03-01T14:00:00Z
https://sign-in.example/nmc,nmc-1,2026-03-03T22:00:00+00:00,2026-03-04T06:00:00+00:00
"""


def tokens(name: str, value: str, quarter: str) -> str:
    return token(KEY, f"{name} {quarter}", value)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / "NMC" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return folder


def test_what_is_theirs_becomes_tokens_of_each_quarter(tmp_path: Path) -> None:
    feed = staff_of(written(tmp_path, "staff.csv", STAFF), "NMC", tokens, WITHIN)
    assert feed is not None
    for quarter in WITHIN:
        assert feed.actors[tokens("actor", f"{ISSUER}|nmc-1", quarter)] == 0
        assert feed.actors[tokens("actor", f"{ISSUER}|nmc-2", quarter)] == 1
        for name, value, mark in (
            ("term", "Name|OMARR", Mark(0, What.FAMILY)),
            ("term", "Name^|OMA", Mark(0, What.BEGINNING)),
            ("term", "Name|TULL", Mark(0, What.FAMILY)),
            ("term", "Name|TULL", Mark(0, What.FAMILY, 1)),
            ("term", "Name|ANN", Mark(0, What.GIVEN)),
            ("term", "Name|ANN LEA", Mark(0, What.GIVEN)),
            ("term", "Date|1990-02-03", Mark(0, What.BORN)),
            ("term", "Vrm|AB12CDE", Mark(0, What.PLATE)),
            ("term", "Contact|+447700900123", Mark(0, What.PHONE)),
            ("term", "Postcode|TN28 8AB", Mark(0, What.HOME)),
            ("term", "Postcode|TN28 8AE", Mark(0, What.NEAR)),
            ("term", "Name|BO", Mark(0, What.GIVEN, 1)),
            ("term", "Date|1988-01-02", Mark(0, What.BORN, 1)),
            ("term", "Name|MARR", Mark(0, What.FAMILY, 2)),
            ("record", "nmc|Person|77", Mark(0, What.RECORD)),
            ("term", "record|nmc|Person|77", Mark(0, What.RECORD)),
            ("case", "CR/1", Mark(0, What.CASE)),
        ):
            assert mark in feed.marks[tokens(name, value, quarter)], value
    assert tokens("term", "Name^|OM", "2026-Q1") not in feed.marks  # too short to be anybody's
    assert tokens("actor", f"{ISSUER}|nmc-1", "2026-Q3") not in feed.actors


def test_nothing_of_a_feed_stays_in_the_clear(tmp_path: Path) -> None:
    feed = staff_of(written(tmp_path, "staff.csv", STAFF), "NMC", tokens, WITHIN)
    for value in ("Marr", "MARR", "Ann", "AB12", "7700900123", "TN28", "1990", "nmc-1", "CR/1"):
        assert value not in repr(feed)
        assert feed is not None
        assert not any(value in one for one in (*feed.marks, *feed.actors))


def test_shifts_say_how_far_off_duty_a_moment_is(tmp_path: Path) -> None:
    written(tmp_path, "staff.csv", STAFF)
    feed = staff_of(written(tmp_path, "shifts.csv", SHIFTS), "NMC", tokens, WITHIN)
    assert feed is not None
    one, other = feed.members

    def micros(moment: datetime) -> int:
        return int(moment.timestamp() * 1_000_000)

    start = datetime(2026, 3, 1, 6, tzinfo=UTC)
    hour = 3_600_000_000
    for hours, expected in ((0, 0), (8, 0), (9.5, 1.5), (-2, 2), (24, 16), (63, 1), (65, 0)):
        assert one.off_by(micros(start + timedelta(hours=hours))) == expected * hour
    assert one.off_by(micros(start + timedelta(days=40))) is None  # no roster goes so far
    assert other.off_by(micros(start)) is None
    assert "shifts" in feed.columns


def test_no_feed_is_none_and_no_column_is_known_as_missing(tmp_path: Path) -> None:
    assert staff_of(tmp_path, "NMC", tokens, WITHIN) is None
    assert watch_list(tmp_path, tokens, WITHIN) is None
    feed = staff_of(written(tmp_path, "staff.csv", "issuer,id\na,b\n"), "NMC", tokens, WITHIN)
    assert feed is not None
    assert feed.columns == {"issuer", "id"}


def test_who_is_watched_has_a_label_and_no_name(tmp_path: Path) -> None:
    (tmp_path / "watch.csv").write_text("id,why,family,given\nW-1,in the news,Hoxha,Arben\n")
    feed = watch_list(tmp_path, tokens, WITHIN)
    assert feed is not None
    assert (feed.members[0].label, feed.members[0].why) == ("W-1", "in the news")
    assert Mark(0, What.FAMILY) in feed.marks[tokens("term", "Name|HOXHA", "2026-Q1")]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("staff.csv", "id,team\nx,y\n", ["column issuer: is missing"]),
        ("staff.csv", "issuer,id,secret\n", ["line 1, column 3: is none of"]),
        ("staff.csv", "issuer,id,id\n", ["line 1, column 2: is none of", "column 3"]),
        ("staff.csv", "", ["column issuer: is missing", "column id: is missing"]),
        ("staff.csv", "issuer,id\na,b\na,b\n,c\n", ["line 3, column id", "line 4, column id"]),
        ("staff.csv", "issuer,id,plates\na,b,SECRET\n", ["line 2, column plates: a plate is"]),
        ("staff.csv", "issuer,id,born\na,b,SECRET\n", ["line 2, column born: a date is"]),
        ("staff.csv", "issuer,id,near\na,b,SECRET\n", ["line 2, column near: a postcode is"]),
        ("staff.csv", "issuer,id,relatives\na,b,SECRET\n", ["line 2, column relatives: one is"]),
        ("staff.csv", "issuer,id,team\na,b,<SECRET>\n", ["line 2, column team: is letters"]),
        ("staff.csv", "issuer,id\na\n", ["line 2, column (all): holds 1 cells, not 2"]),
        ("staff.csv", 'issuer,id\na,"b\n', ["is not CSV"]),
        ("staff.csv", "issuer,id\n\udcff,b\n", ["cannot be read: UnicodeDecodeError"]),
        ("shifts.csv", "issuer,id,from\n", ["column to: is missing"]),
        ("shifts.csv", "issuer,id,from,to\na,SECRET,2026-03-01T06:00:00Z,2026-03-01T07:00:00Z\n",
         ["line 2, column id: is not in staff.csv"]),
        ("shifts.csv", f"issuer,id,from,to\n{ISSUER},nmc-1,2026-03-01,SECRET\n",
         ["column from: a time is", "column to: a time is"]),
        ("shifts.csv",
         f"issuer,id,from,to\n{ISSUER},nmc-1,2026-03-01T06:00:00Z,2026-03-01T06:00:00Z\n",
         ["line 2, column to: must be later than from"]),
        ("shifts.csv",
         f"issuer,id,from,to\n{ISSUER},nmc-1,2026-03-01T06:00:00Z,2026-03-04T06:00:00Z\n",
         ["line 2, column to: must be later than from"]),
    ],
)  # fmt: skip
def test_a_bad_feed_is_refused_with_line_and_column_and_no_value(
    tmp_path: Path, name: str, text: str, expected: list[str]
) -> None:
    written(tmp_path, "staff.csv", STAFF)
    (tmp_path / "NMC" / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        staff_of(tmp_path, "NMC", tokens, WITHIN)
    for part in expected:
        assert part in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert name in str(caught.value)


def test_a_feed_that_is_wrong_everywhere_says_so_twenty_times(tmp_path: Path) -> None:
    lines = "".join(f"a,{n},?\n" for n in range(100))
    with pytest.raises(ConfigError) as caught:
        staff_of(
            written(tmp_path, "staff.csv", f"issuer,id,plates\n{lines}"), "NMC", tokens, WITHIN
        )
    assert len(caught.value.faults) == 20


def test_quarters_are_those_that_keys_are_named_by() -> None:
    moment = datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert quarters(moment - timedelta(days=200), moment) == ("2026-Q2", "2026-Q3", "2026-Q4")
    assert quarters(moment, moment + timedelta(hours=1)) == ("2026-Q4", "2027-Q1")
