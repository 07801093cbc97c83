"""The cookie of a session: sealed, for this host and over TLS, and not a moment longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request

from gateway.errors import MalformedRequest
from gateway.web.access import NO_COOKIE, Session, Sessions, check_csrf, check_origin
from tests.unit.query import world

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
ENDS = NOW + timedelta(minutes=30)
SUBJECT = replace(world.SUBJECT, agency="ERU", expires_at=ENDS)
TOKEN = "header.claims." + "s" * 700
SESSIONS = Sessions(b"k" * 32)


def browser(cookie: str = "", **headers: str) -> Request:
    given = {"host": "gate.example", "cookie": cookie, **headers}
    raw = [(name.encode(), value.encode()) for name, value in given.items() if value]
    return Request({"type": "http", "headers": raw})


def sealed() -> str:
    return SESSIONS.cookie(Session.of(SUBJECT, TOKEN), NOW)


def test_a_session_comes_back_as_it_was_until_its_token_ends() -> None:
    held = Session.of(SUBJECT, TOKEN)
    cookie = SESSIONS.cookie(held, NOW)
    assert SESSIONS.opened(browser(cookie.partition(";")[0]), NOW) == held
    last = ENDS - timedelta(microseconds=1)
    assert SESSIONS.opened(browser(cookie.partition(";")[0]), last) == held
    assert SESSIONS.opened(browser(cookie.partition(";")[0]), ENDS) is None


def test_oi_09_the_cookie_is_the_hosts_and_no_scripts_and_tells_nothing() -> None:
    cookie = sealed()
    name, _, rest = cookie.partition("=")
    assert name == "__Host-desk"
    assert set(rest.split("; ")[1:]) == {
        "Max-Age=1800", "Path=/", "Secure", "HttpOnly", "SameSite=Strict",
    }  # fmt: skip
    assert TOKEN not in cookie
    assert "ERU" not in cookie
    assert sealed() != cookie  # not even that two are alike
    assert NO_COOKIE.startswith("__Host-desk=; Max-Age=0; Path=/; Secure")
    assert repr(Session.of(SUBJECT, TOKEN)).count(TOKEN) == 0


def test_each_session_has_a_form_token_of_its_own() -> None:
    one, other = Session.of(SUBJECT, TOKEN), Session.of(SUBJECT, TOKEN)
    check_csrf(one, {"csrf": [one.csrf]})
    for wrong in ({}, {"csrf": [""]}, {"csrf": [other.csrf]}, {"csrf": [one.csrf, one.csrf]},
                  {"csrf": ["é"]}):  # fmt: skip
        with pytest.raises(MalformedRequest):
            check_csrf(one, wrong)


@pytest.mark.parametrize(
    "value", ["", "x", "a.b.c.d.e", "....", "eyJhbGciOiJub25lIn0....", "é.b.c.d.e"]
)
def test_a_cookie_that_is_not_ours_is_nobodys(value: str) -> None:
    assert SESSIONS.opened(browser(f"__Host-desk={value}"), NOW) is None


def test_neither_an_altered_cookie_nor_another_gateways_opens() -> None:
    value = sealed().partition(";")[0]
    body = value.rindex(".") - 20
    altered = value[:body] + ("A" if value[body] != "A" else "B") + value[body + 1 :]
    assert SESSIONS.opened(browser(altered), NOW) is None
    assert Sessions(b"j" * 32).opened(browser(value), NOW) is None
    elsewhere = value.replace("__Host-desk", "desk")
    assert SESSIONS.opened(browser(elsewhere), NOW) is None
    assert SESSIONS.opened(browser(), NOW) is None


def test_a_token_that_no_browser_would_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        SESSIONS.cookie(Session.of(SUBJECT, "x" * 4000), NOW)
    with pytest.raises(ValueError, match="needs an end"):
        Session.of(replace(SUBJECT, expires_at=None), TOKEN)


@pytest.mark.parametrize(
    ("origin", "host", "fine"),
    [
        ("https://gate.example", "gate.example", True),
        ("https://gate.example:8443", "gate.example:8443", True),
        ("http://127.0.0.1:8470", "127.0.0.1:8470", True),
        ("http://localhost:8470", "localhost:8470", True),
        ("http://[::1]:8470", "[::1]:8470", True),
        ("http://gate.example", "gate.example", False),
        ("http://127.0.0.1.example", "127.0.0.1.example", False),
        ("https://gate.example:8443", "gate.example", False),
        ("https://elsewhere.example", "gate.example", False),
        ("null", "gate.example", False),
        ("", "gate.example", False),
    ],
)
def test_a_form_comes_from_this_very_host(origin: str, host: str, fine: bool) -> None:
    http = browser(origin=origin, host=host)
    if fine:
        check_origin(http)
        return
    with pytest.raises(MalformedRequest) as caught:
        check_origin(http)
    assert caught.value.status == 403
