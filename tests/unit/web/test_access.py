"""The guard: nothing opens that nobody gave leave for, and a form comes from where it was made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import AuditUnavailable, CaseworkUnavailable, Refused, Unauthenticated
from gateway.web.access import PAGES, Everyone, local, opens, row_of, visit_of
from gateway.web.cookies import BROWSER, SESSION
from tests.unit.web.pages_world import ORIGIN, Client, Place, SignedIn, session


async def page(http: HttpRequest) -> Response:
    """Says who looks at it, and has a form."""
    visit = visit_of(http)
    return Response(f'{visit.who} | name="csrf" value="{visit.csrf}" | {dict(visit.form)}')


def client(place: Place) -> Client:
    """Every page that has a row, as one that does nothing."""
    return place.client(
        [Route(path, page, methods=[method]) for method, path in PAGES if method != "*"]
    )


def test_a_route_that_has_no_row_stops_the_start() -> None:
    with pytest.raises(LookupError, match="GET /console/new has no row"):
        Place().client([Route("/console/new", page, methods=["GET"])])
    with pytest.raises(LookupError, match="POST /about has no row"):
        Place().client([Route("/about", page, methods=["GET", "POST"])])


def test_roles_open_pages_and_everyone_what_is_everyones() -> None:
    subject = session("desk").subject
    assert opens(frozenset({"desk", "x"}), subject)
    assert not opens(frozenset({"force_auditor"}), subject)
    assert not opens(frozenset(), subject)
    assert opens(Everyone.SIGNED_IN, subject)
    assert opens(row_of("GET", "/about"), subject)


async def test_nobody_is_sent_to_sign_in_with_the_page_that_was_asked_for() -> None:
    async with client(Place()) as http:
        reply = await http.get("/console/audit")
        assert (reply.status_code, reply.headers["location"]) == (
            303, "/sign-in?next=%2Fconsole%2Faudit",
        )  # fmt: skip
        assert (await http.get("/about")).status_code == 200


async def test_a_cookie_of_no_session_is_taken_away_and_told_of() -> None:
    place = Place()
    async with client(place) as http:
        http.cookies.set(SESSION, "x" * 43)
        reply = await http.get("/desk")
        assert reply.status_code == 401
        assert f"{SESSION}=; Max-Age=0" in reply.headers["set-cookie"]
        assert [type(error) for error, _ in place.refused] == [Unauthenticated]
        http.cookies.set(SESSION, "x" * 43)
        assert (await http.get("/about")).status_code == 200  # what is anybody's opens
        assert len(place.refused) == 1


async def test_oi_15_another_role_is_turned_away_and_named_in_the_record() -> None:
    place = Place(who=session("response_officer"))
    async with client(place) as http:
        reply = await http.get("/desk")
    assert reply.status_code == 403
    assert "It opens to: desk." in reply.text
    ((error, subject),) = place.refused
    assert isinstance(error, Refused)
    assert place.who is not None
    assert subject == place.who.subject


async def test_what_cannot_be_recorded_is_not_said() -> None:
    place = Place(who=session("response_officer"), unrecorded=True)
    async with client(place) as http:
        reply = await http.get("/desk")
    assert (reply.status_code, AuditUnavailable.text in reply.text) == (503, True)


async def test_where_sessions_cannot_be_read_only_what_is_anybodys_opens() -> None:
    class Down(SignedIn):
        async def of(self, _http: HttpRequest) -> Any:
            raise CaseworkUnavailable

    place = Place(sessions=Down())
    async with client(place) as http:
        http.cookies.set(SESSION, "x" * 43)
        assert (await http.get("/desk")).status_code == 503
        assert (await http.get("/about")).status_code == 200


# --- forms ---------------------------------------------------------------------------------------

UNSAFE = [path for (method, path), who in PAGES.items() if method == "POST"]
ROLES = ("desk", "external_auditor", "force_auditor", "professional_standards")


def test_every_other_route_is_safe_or_asks_for_a_token() -> None:
    assert {method for method, _ in PAGES} == {"GET", "POST", "*"}
    assert {who for (method, _), who in PAGES.items() if method == "*"} == {Everyone.BEARER}
    assert not {PAGES["POST", path] for path in UNSAFE} & {Everyone.OPEN, Everyone.BEARER}


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize("known", [True, False])
async def test_no_unsafe_route_takes_a_form_without_its_mark(path: str, known: bool) -> None:
    """By somebody whom each page opens to; by nobody, where it is anybody's."""
    place = Place(who=session(*ROLES) if known else None)
    address = path.replace("{", "").replace("}", "")
    async with client(place) as http:
        mark = await http.mark()
        if not known and PAGES["POST", path] is not Everyone.ANYBODY:
            assert (await http.post(address, data={"csrf": mark})).status_code == 401
            return
        for data in ({"x": ""}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": [mark, mark]}):
            reply = await http.post(address, data=data)
            assert reply.status_code == 403, data
        for origin in ("https://elsewhere.example", "null", "", "http://gate.example",
                       "https://gate.example:8443", f"{ORIGIN}.example"):  # fmt: skip
            reply = await http.post(address, data={"csrf": mark}, headers={"Origin": origin})
            assert reply.status_code == 403, origin
        assert len(place.refused) == 10
        assert (await http.post(address, data={"csrf": mark})).status_code == 200


async def test_a_mark_is_of_one_session_or_one_browser() -> None:
    mine = Place(who=session(*ROLES))
    async with client(mine) as http:
        mark = await http.mark()
    theirs = Place(who=session(*ROLES, number="m" * 43))
    async with client(theirs) as http:
        assert (await http.post("/desk/grant", data={"csrf": mark})).status_code == 403
    async with client(Place()) as one, client(Place()) as another:
        assert (await one.post("/sign-in", data={"csrf": await one.mark()})).status_code == 200
        mark = await one.mark()
        assert (await another.post("/sign-in", data={"csrf": mark})).status_code == 403
        await another.mark()
        assert (await another.post("/sign-in", data={"csrf": mark})).status_code == 403


async def test_a_browser_has_a_number_only_once_it_has_a_form() -> None:
    async def plain(_http: HttpRequest) -> Response:
        return Response("nothing")

    async with Place().client([Route("/about", plain, methods=["GET"])]) as http:
        assert "set-cookie" not in (await http.get("/about")).headers
    async with client(Place()) as http:
        first = await http.get("/about")
        assert BROWSER in first.headers["set-cookie"]
        assert "set-cookie" not in (await http.get("/about")).headers


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [("127.0.0.1:8470", "http://127.0.0.1:8470", 200),
     ("localhost:8470", "http://localhost:8470", 200),
     ("[::1]:8470", "http://[::1]:8470", 200), ("inside.example", ORIGIN, 200),
     ("127.0.0.1.example", "http://127.0.0.1.example", 403),
     ("evil.example", "https://evil.example", 403), ("evil.example", "http://evil.example", 403)],
)  # fmt: skip
async def test_a_form_comes_from_the_gateways_own_address_or_from_this_machine(
    host: str, origin: str, status: int
) -> None:
    async with client(Place()) as http:
        data = {"csrf": await http.mark()}
        headers = {"Host": host, "Origin": origin, "Cookie": f"{BROWSER}={http.cookies[BROWSER]}"}
        assert (await http.post("/sign-in", data=data, headers=headers)).status_code == status


async def test_where_no_address_is_set_the_hosts_own_counts_over_tls() -> None:
    place = Place(origin="")
    app = place.client([Route("/sign-in", page, methods=["GET", "POST"])])
    async with httpx.AsyncClient(transport=app._transport, base_url=ORIGIN) as http:
        shown = (await http.get("/sign-in")).text
        data = {"csrf": shown.split('value="')[1][:64]}
        for origin, status in ((ORIGIN, 200), ("http://gate.example", 403)):
            reply = await http.post("/sign-in", data=data, headers={"Origin": origin})
            assert reply.status_code == status


async def test_headers_and_forms_are_bounded_on_every_page() -> None:
    async with client(Place(who=session(*ROLES))) as http:
        assert (await http.get("/about", headers={"X-Long": "x" * 20_000})).status_code == 431
        assert (await http.form("/desk/grant", field="x" * 70_000)).status_code == 413
        typed = await http.post("/desk/grant", json={})
        assert typed.status_code == 415


async def test_every_answer_is_kept_by_nobody() -> None:
    async with client(Place(who=session("desk"))) as http:
        for path in ("/about", "/desk", "/console/audit", "/account"):
            assert (await http.get(path)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("address", "known"),
    [("/", True), ("/desk", True), ("/about", True), ("/console/audit", True), ("", False),
     ("//evil.example", False), ("/\\evil", False), ("https://evil.example", False),
     ("/account", True), ("/searches/7", True),
     ("/time-zone", False), ("/sign-out", False),
     ("/sign-in", False), ("/sign-in/callback", False), ("/graphql", False),
     ("/desk?x", False), ("/desk\n", False), ("/metrics", False), ("/static/x", False)],
)  # fmt: skip
def test_oi_06_only_pages_of_ours_are_gone_on_to(address: str, known: bool) -> None:
    assert local(address) == (address if known else "")
