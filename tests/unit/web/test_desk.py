"""`/desk` over hand-written actions: what a browser is told when something is not to be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from gateway.casework.model import Told
from gateway.errors import AuditUnavailable
from gateway.model import Request
from gateway.web.desk import Desk, desk_routes
from gateway.web.desk_page import _ABOUT, Verdicts
from gateway.web.look import Look
from tests.unit.web.pages_world import NOW, TOKEN, Client, Place, session

ASKED = {
    "id": "r-1", "state": "OPEN", "at": "2026-03-01T09:00:00Z", "dueAt": "2026-03-01T10:00:00Z",
    "urgency": "PRIORITY", "entity": "IntelligenceReport", "key": None, "fields": ["text"],
    "minutes": 2880, "askedBy": "NMC nmc-1", "purpose": "APPREHEND", "reasonCode": "R08",
    "reasonText": None, "caseRef": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """What the recorder would have made."""

    status: int
    body: Mapping[str, Any]


@dataclass(slots=True)
class Actions:
    """Answers every action, or fails as told, and remembers."""

    asked: list[Request] = field(default_factory=list)
    place: Place = field(default_factory=lambda: Place(who=session("desk")))
    requests: Sequence[Mapping[str, Any]] = ()
    fails: Exception | None = None
    refusals: Mapping[str, str] = field(default_factory=lambda: {"NOT_OURS": "Not ours."})

    async def act(self, request: Request) -> Any:
        self.asked.append(request)
        if self.fails:
            raise self.fails
        root = next(
            r for r in ("deskQueue", "standingReleases", "notices") if r in request.document
        )
        return Answered(200, {"data": {root: self.requests if root == "deskQueue" else []}})

    def client(self) -> Client:
        desk = Desk(
            act=cast("Any", self.act),
            verdicts=lambda: Verdicts(
                refusals=self.refusals, revocations=self.refusals, longest_s=86400
            ),
            clock=lambda: NOW,
        )
        return self.place.client(desk_routes(desk, Look()))


@pytest.fixture
def actions() -> Actions:
    return Actions()


async def test_each_list_is_one_action_with_the_sessions_token(actions: Actions) -> None:
    async with actions.client() as http:
        assert (await http.get("/desk")).status_code == 200
    assert [one.authorization for one in actions.asked] == [(f"Bearer {TOKEN}",)] * 4
    assert len({one.id for one in actions.asked}) == 4
    assert all(one.received_at == NOW for one in actions.asked)


async def test_a_request_is_shown_with_what_policy_allows_to_decide(actions: Actions) -> None:
    actions.requests = (ASKED,)
    async with actions.client() as http:
        page = (await http.get("/desk")).text
    assert "2 days" in page  # it is wanted for so long
    assert '<option value="PT24H" selected>' in page  # and granted for no longer than the table has
    assert "P2D" not in page
    assert "overdue" in page
    assert '<option value="NOT_OURS">Not ours.</option>' in page


async def test_where_the_table_is_elsewhere_a_code_is_typed(actions: Actions) -> None:
    actions.requests, actions.refusals = (ASKED,), {}
    async with actions.client() as http:
        page = (await http.get("/desk")).text
    assert '<input name="refusal"' in page


async def test_what_cannot_be_recorded_is_not_shown(actions: Actions) -> None:
    actions.fails = AuditUnavailable()
    async with actions.client() as http:
        reply = await http.get("/desk")
        assert (reply.status_code, AuditUnavailable.text in reply.text) == (503, True)
        assert reply.headers["cache-control"] == "no-store"
        actions.fails, actions.place.unrecorded = None, True
        refused = await http.post("/desk/refuse", data={"csrf": "x"})
        assert (refused.status_code, AuditUnavailable.text in refused.text) == (503, True)


async def test_what_nobody_foresaw_is_told_without_its_words_and_logged_without_them(
    actions: Actions, caplog: pytest.LogCaptureFixture
) -> None:
    actions.fails = ValueError("a name that must not be told")
    async with actions.client() as http:
        reply = await http.get("/desk")
    assert reply.status_code == 500
    for text in (reply.text, caplog.text):
        assert "must not be told" not in text
    assert "ValueError" in caplog.text


async def test_a_page_that_was_reloaded_does_nothing_again(actions: Actions) -> None:
    async with actions.client() as http:
        reply = await http.get("/desk/refuse")
        assert (reply.status_code, reply.headers["location"]) == (303, "/desk")
        shown = await http.get("/desk?done=refuse")
        assert "Refused." in shown.text
        other = await http.get("/desk?done=<b>whatever")
        assert "whatever" not in other.text


async def test_headers_are_bounded_here_too(actions: Actions) -> None:
    async with actions.client() as http:
        reply = await http.get("/desk", headers={"X-Long": "x" * 20_000})
    assert reply.status_code == 431
    assert actions.asked == []
    assert [one.status for one, _ in actions.place.refused] == [431]


def test_each_kind_of_notice_is_told_in_words() -> None:
    assert _ABOUT.keys() == {told.value for told in Told}
