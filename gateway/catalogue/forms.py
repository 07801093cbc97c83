"""Normal forms: one spelling for each plate, phone, postcode, document number, name and date.

`normal` brings an asked value into its form, or says what is wrong with it; `settled` does the same
for a held value, and keeps what it cannot read as text rather than losing it. Comparisons are made
on `comparable` forms, so that a mapping, a caller and the gateway's own check agree.

Sources: PNC identifier as in the public HMPPS code (check letter modulo 23); E.164; ISO 3166;
ISO 8601, with the interval form of ISO 8601-2 for a date known only to lie between two.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import phonenumbers
import pycountry

_PNC_LETTERS = "ZABCDEFGHJKLMNPQRTUVWXY"
_PNC = re.compile(r"(\d{2}|\d{4})/(\d{1,7})([A-Z])\Z")
_POSTCODE = re.compile(r"([A-Z]{1,2}[0-9][A-Z0-9]?)\s*([0-9][A-Z]{2})?\Z")
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z", re.ASCII)
_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?\Z")


def fold_name(text: str) -> str:
    """A name as it is compared: capitals, no marks, no apostrophes, hyphens as spaces.

    >>> fold_name("O'Néill-Đặng")
    'ONEILL DANG'
    """
    plain = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D"))
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    kept = re.sub(r"['\u2018\u2019\u02bc`.]", "", kept.upper())
    return " ".join(re.sub(r"[-\u2010-\u2015_,]", " ", kept).split())


def _vrm(value: str) -> str:
    plate = re.sub(r"[\s-]", "", value.upper())
    if not re.fullmatch(r"[A-Z0-9]{2,8}", plate) or not re.search(r"[0-9]", plate):
        raise ValueError("a plate is two to eight letters and digits, like AB12 CDE")
    return plate


def _e164(value: str) -> str:
    text = re.sub(r"^00", "+", value.strip())
    try:
        number = phonenumbers.parse(text, "GB")
    except phonenumbers.NumberParseException:
        raise ValueError("a phone number is like +447700900123 or 07700 900123") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError("a phone number is like +447700900123 or 07700 900123")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _postcode(value: str) -> str:
    matched = _POSTCODE.fullmatch(value.strip().upper())
    if not matched:
        raise ValueError("a postcode is like TN28 8AB, or TN28 for its district")
    return f"{matched[1]} {matched[2]}" if matched[2] else matched[1]


def _country(value: str) -> str:
    code = value.strip().upper()
    if pycountry.countries.get(alpha_2=code) is None:
        raise ValueError("a country is two letters of ISO 3166, like AL")
    return code


def pnc_check_letter(year: str, serial: str) -> str:
    """The letter that a PNC identifier of this year and serial ends with."""
    return _PNC_LETTERS[int(year[-2:] + serial.zfill(7)) % 23]


def _document(value: str) -> str:
    text = re.sub(r"[\s-]", "", value.upper())
    if not re.fullmatch(r"[A-Z0-9/]{3,32}", text):
        raise ValueError("a document number is 3 to 32 letters and digits")
    if matched := _PNC.fullmatch(text):
        year, serial, letter = matched.groups()
        if pnc_check_letter(year, serial) != letter:
            raise ValueError("the check letter of this PNC identifier is wrong: read it again")
        return f"{year[-2:]}/{serial.zfill(7)}{letter}"
    return text


def passes_check(kind: str, value: str) -> bool | None:
    """Whether a number passes the check of its kind; None where its kind has none that we know.

    >>> passes_check("PNCID", "91/0004417A"), passes_check("PASSPORT", "BA4417093")
    (False, None)
    """
    if kind != "PNCID":
        return None
    try:
        return _PNC.fullmatch(_document(value)) is not None
    except ValueError:
        return False


def _contact(value: str) -> str:
    text = value.strip()
    if re.fullmatch(r"[+()\d\s-]{7,20}", text):
        return _e164(text)
    return text.casefold()


def _date(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError("a date is like 1991-04-17") from None


def _datetime(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a time is like 2026-11-01T06:00:00Z") from None
    if moment.tzinfo is None or moment.microsecond:
        raise ValueError("a time is given to the second, with its zone: 2026-11-01T06:00:00Z")
    return utc_text(moment)


def utc_text(moment: datetime) -> str:
    """An aware time as RFC 3339 text in UTC, to the second; texts sort like times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _partial(value: str) -> str:
    interval(value)  # raises what is wrong
    return value


def interval(value: str) -> tuple[str, str]:
    """The first and last day that a partial date may stand for.

    >>> interval("1991-04")
    ('1991-04-01', '1991-04-30')

    Raises:
        ValueError: it is not a partial date.
    """
    if value.count("/") == 1:
        low, high = value.split("/")
        return _days(low)[0], _days(high)[1]
    return _days(value)


def _days(value: str) -> tuple[str, str]:
    matched = _PARTIAL.fullmatch(value)
    if not matched:
        raise ValueError("a date is like 1991, 1991-04 or 1991-04-17")
    year, month, day = matched.groups()
    try:
        if day:
            exact = date(int(year), int(month), int(day)).isoformat()
            return exact, exact
        if month:
            last = monthrange(int(year), int(month))[1]
            return f"{year}-{month}-01", f"{year}-{month}-{last:02}"
        date(int(year), 1, 1)
    except ValueError:
        raise ValueError("there is no such day: a date is like 1991-04-17") from None
    return f"{year}-01-01", f"{year}-12-31"


def partial_of(low: date, high: date) -> str:
    """The shortest partial date that covers the days from `low` to `high`, and no other day."""
    if low == high:
        return low.isoformat()
    if (low.month, low.day, high.month, high.day) == (1, 1, 12, 31):
        return f"{low.year}" if low.year == high.year else f"{low.year}/{high.year}"
    whole_month = low.day == 1 and high.day == monthrange(high.year, high.month)[1]
    if whole_month and (low.year, low.month) == (high.year, high.month):
        return f"{low.year}-{low.month:02}"
    return f"{low.isoformat()}/{high.isoformat()}"


def duration(value: str) -> timedelta:
    """A duration of days, hours and minutes as ISO 8601 writes it.

    Raises:
        ValueError: it is not one.
    """
    matched = _DURATION.fullmatch(value)
    if not matched or not any(matched.groups()):
        raise ValueError("a duration is like P1D or PT24H")
    days, hours, minutes = (int(group or 0) for group in matched.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def _duration(value: str) -> str:
    duration(value)
    return value


def _name(value: str) -> str:
    if not fold_name(value) or len(value) > 120:
        raise ValueError("a name has one to 120 characters")
    return value


_NORMAL: Mapping[str, Callable[[str], str]] = {
    "Name": _name,
    "GivenNames": _name,
    "Vrm": _vrm,
    "E164": _e164,
    "Postcode": _postcode,
    "CountryCode": _country,
    "DocumentNumber": _document,
    "ContactValue": _contact,
    "Date": _date,
    "DateTime": _datetime,
    "PartialDate": _partial,
    "Duration": _duration,
}


def normal(scalar: str, value: Any) -> Any:
    """An asked value in its normal form.

    Raises:
        ValueError: what the value should look like; the value itself is not in the text.
    """
    reader = _NORMAL.get(scalar)
    if reader is None:
        return value
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("this must be a text")
    return reader(value)


def settled(scalar: str, value: Any) -> Any:
    """A held value in its normal form; text that has none stays as it is."""
    reader = _NORMAL.get(scalar)
    if reader is None or not isinstance(value, str) or scalar in {"Name", "GivenNames"}:
        return value
    try:
        return reader(value)
    except ValueError:
        return None if scalar in {"Date", "DateTime", "PartialDate"} else value.strip()


def comparable(scalar: str, value: Any) -> Any:
    """What a held or asked value is compared by; a list compares by any of its elements."""
    if not isinstance(value, str):
        return value
    if scalar == "Name":
        return fold_name(value)
    if scalar == "GivenNames":
        folded = fold_name(value)
        return list(dict.fromkeys((folded, *folded.split())))
    return value
