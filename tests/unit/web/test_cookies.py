"""What a browser carries: sealed, for this host and over TLS, bounded, and each state once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request as HttpRequest

from gateway.identity.signing_in import Begun
from gateway.web.cookies import (
    BEGUN_FOR,
    BROWSER,
    MOST_BEGUN,
    NO_SESSION,
    Browser,
    Keys,
    Pending,
    browser_cookie,
    browser_of,
    session_cookie,
)

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
FLAGS = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}


def pending(state: str, at: datetime = NOW) -> Pending:
    issuer = "https://sign-in.an-agency-with-a-rather-long-name.example/realms/officers"
    begun = Begun(issuer=issuer, state=state.ljust(43, "s"), nonce="n" * 43, verifier="v" * 43)
    return Pending(begun=begun, to="/console/audit/use", at=at)


def carrying(cookie: str) -> HttpRequest:
    kept = cookie.partition(";")[0].encode()
    return HttpRequest({"type": "http", "headers": [(b"cookie", kept)]})


def test_oi_09_the_flags_of_both_and_what_they_tell() -> None:
    kept = browser_cookie(Browser.new(), Keys(NEW))
    for cookie in (kept, session_cookie("x", timedelta(hours=1)), NO_SESSION):
        name, _, rest = cookie.partition("=")
        assert name.startswith("__Host-")
        flags = set(rest.split("; ")[1:])
        assert flags >= FLAGS
        assert not any(flag.startswith(("Domain", "Expires")) for flag in flags)
    browser = Browser.new().beginning(pending("a"))
    cookie = browser_cookie(browser, Keys(NEW))
    for secret in (browser.id, "a" + "s" * 42, "v" * 43, "an-agency"):
        assert secret not in cookie
    assert browser_cookie(browser, Keys(NEW)) != cookie  # not even that two are alike
    assert "v" * 43 not in repr(browser)


def test_a_browser_comes_back_as_it_was() -> None:
    browser = Browser.new().beginning(pending("a")).beginning(pending("b"))
    assert browser_of(carrying(browser_cookie(browser, Keys(NEW))), Keys(NEW)) == browser


@pytest.mark.parametrize("value", ["", "x", "é", "A" * 16, "A" * 15, "=" * 30, "A" * 4000])
def test_a_cookie_that_is_not_ours_is_no_browsers(value: str) -> None:
    assert browser_of(carrying(f"{BROWSER}={value}"), Keys(NEW)) is None


def test_neither_an_altered_cookie_nor_another_gateways_opens() -> None:
    cookie = browser_cookie(Browser.new(), Keys(NEW)).partition(";")[0]
    at = len(cookie) // 2
    altered = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
    assert browser_of(carrying(altered), Keys(NEW)) is None
    assert browser_of(carrying(cookie), Keys(OLD)) is None
    sealed = Keys(NEW).seal(b'["x", []]', "another use")
    assert browser_of(carrying(f"{BROWSER}={sealed}"), Keys(NEW)) is None


def test_oi_02_states_are_few_and_short_lived_and_end_once() -> None:
    browser = Browser.new()
    for number in range(1000):
        browser = browser.beginning(pending(f"{number:04}"))
    assert len(browser.pending) == MOST_BEGUN
    assert len(browser_cookie(browser, Keys(NEW))) < 3000
    dropped, _ = browser.ending("0000".ljust(43, "s"), NOW)
    assert dropped is None
    state = "0999".ljust(43, "s")
    found, after = browser.ending(state, NOW)
    assert found is not None
    assert found.begun.state == state
    assert after.ending(state, NOW) == (None, after)
    late, after = browser.ending(state, NOW + BEGUN_FOR)
    assert (late, len(after.pending)) == (None, MOST_BEGUN - 1)
    assert browser.ending(state, NOW - timedelta(seconds=1))[0] is None
    assert browser.ending("", NOW)[0] is None


def test_oi_09_two_keys_overlap_and_the_old_one_dies() -> None:
    before, during, after = Keys(OLD), Keys(NEW, OLD), Keys(NEW)
    sealed, mark = before.seal(b"x", "a"), before.mark("somebody")
    assert during.opened(sealed, "a") == b"x"
    assert during.fits("somebody", mark)
    assert after.opened(sealed, "a") is None
    assert not after.fits("somebody", mark)
    assert after.opened(during.seal(b"y", "a"), "a") == b"y"
    assert after.fits("somebody", during.mark("somebody"))
    assert not during.fits("somebody else", mark)


def test_oi_09_a_weak_key_is_none() -> None:
    for keys in ((), (b"",), (b"k" * 31,), (NEW, b"short")):
        with pytest.raises(ValueError, match="key of 32 bytes"):
            Keys(*keys)


def test_what_no_browser_would_keep_is_not_sent() -> None:
    begun = Begun(issuer="https://x.example/" + "x" * 4000, state="s", nonce="n", verifier="v")
    browser = Browser.new().beginning(Pending(begun=begun, to="", at=NOW))
    with pytest.raises(ValueError, match="too long"):
        browser_cookie(browser, Keys(NEW))
