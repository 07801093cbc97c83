"""The auditors' first page: recorded before it is sent, and nothing on it that the log lacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.keys import Signer
from gateway.audit.uses import USES
from gateway.errors import AuditUnavailable
from gateway.model import Request, Subject
from gateway.web.audit import Console, console_routes
from gateway.web.look import Look
from gateway.web.sessions import Sessions
from tests.unit.web.pages_world import NOW, Client, Place, session

SIGNER = Signer("gate.example/audit", Ed25519PrivateKey.generate())


@dataclass(slots=True)
class Log:
    """A log, and the views that were recorded of it."""

    place: Place = field(default_factory=lambda: Place(who=session("force_auditor", use="RIGHTS")))
    size: int = 1_234_567
    signed_s: int = 12  # ago
    healthy: bool = True
    fails: bool = False
    views: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def checkpoint(self) -> bytes:
        return SIGNER.sign(1_234_000, b"r" * 32, NOW - timedelta(seconds=self.signed_s))

    @property
    def verifier(self) -> str:
        return SIGNER.verifier

    async def view(self, request: Request, subject: Subject, *, page: str, use: str) -> None:
        if self.fails:
            raise AuditUnavailable(detail="the disk is full")
        self.views.append((subject.id, page, use))

    def client(self) -> Client:
        sessions = cast("Sessions", self.place.sessions)
        console = Console(
            log=cast("Any", self), view=self.view, sessions=sessions, clock=lambda: NOW
        )
        return self.place.client(console_routes(console, Look()))


@pytest.fixture
def at() -> Log:
    return Log()


async def test_the_page_says_what_the_log_says_and_is_recorded(at: Log) -> None:
    async with at.client() as http:
        shown = unescape((await http.get("/console/audit")).text)
    for text in ("1,234,567", "1,234,000", "12 s", "gate.example/audit", (b"r" * 32).hex(),
                 "force auditor", "ERU", USES["RIGHTS"][0]):  # fmt: skip
        assert text in shown, text
    assert "overdue" not in shown
    assert at.views == [("u-1", "overview", "RIGHTS")]


async def test_no_record_no_page(at: Log) -> None:
    at.fails = True
    async with at.client() as http:
        reply = await http.get("/console/audit")
    assert (reply.status_code, AuditUnavailable.text in reply.text) == (503, True)
    assert "1,234,567" not in reply.text
    assert at.views == []


async def test_a_log_that_is_not_well_is_shown_so(at: Log) -> None:
    at.healthy, at.signed_s = False, 91
    async with at.client() as http:
        shown = (await http.get("/console/audit")).text
    assert "overdue" in shown
    assert '<span class="state bad">no</span>' in shown
    assert "no question is answered" in shown


async def test_nobody_looks_without_saying_for_what(at: Log) -> None:
    at.place.who = session("external_auditor")
    async with at.client() as http:
        reply = await http.get("/console/audit")
        assert (reply.status_code, reply.headers["location"]) == (303, "/console/audit/use")
        shown = unescape((await http.get("/console/audit/use")).text)
        assert all(title in shown and when in shown for title, when in USES.values())
        for wrong in ({}, {"use": ""}, {"use": "CURIOSITY"}):
            assert (await http.form("/console/audit/use", **wrong)).status_code == 400
        assert at.views == []
        reply = await http.form("/console/audit/use", use="COMPLAINT")
        assert (reply.status_code, reply.headers["location"]) == (303, "/console/audit")
        assert (await http.get("/console/audit")).status_code == 200
    assert at.views == [("u-1", "overview", "COMPLAINT")]


async def test_oi_15_nobody_but_an_auditor_looks(at: Log) -> None:
    for role in ("desk", "policy_admin", "response_officer", "canary"):
        at.place.who = session(role, use="RIGHTS")
        async with at.client() as http:
            for path in ("/console/audit", "/console/audit/use"):
                assert (await http.get(path)).status_code == 403
    assert at.views == []
