"""Pages for people: plain HTML that works without scripts.

One frozen dataclass per template holds all that the template may use, every field with a line of
help that the page itself can show. Nothing here asks an agency: what a page says is handed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HERE = Path(__file__).parent
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STATIC_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def _told(help_text: str, default: Any = None) -> Any:
    """A field of a page, with the line of help that explains it."""
    if default is None:
        return field(metadata={"help": help_text})
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutAgency:
    """One agency as `/about` shows it."""

    code: str = _told("The short name that answers carry.")
    name: str = _told("Its full name.")
    systems: tuple[str, ...] = _told("The systems that can be asked.", ())
    holds: tuple[str, ...] = _told("The kinds of record in them.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPurpose:
    """One purpose for which may be asked, from the policy's tables."""

    code: str = _told("The code that a query carries.")
    title: str = _told("What it means.")
    regime: str = _told("The law's name for this kind of use.", "")
    legal_basis: str = _told("What allows it; none is shown as such.", "")
    owner: str = _told("Who answers for the purpose.", "")
    reviewed_on: str = _told("When it was last looked at, ISO 8601.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPage:
    """`/about`: who is asked, what for, and who watches."""

    operator: str = _told("Who runs this service and answers for it.")
    agencies: tuple[AboutAgency, ...] = _told(
        "Each keeps its own data and its own say. A question is put to their systems as it is "
        "asked; nothing is copied or kept here."
    )
    purposes: tuple[AboutPurpose, ...] = _told(
        "Every question must name one of these purposes, and only roles that hold the purpose "
        "may use it. The answer depends on it."
    )
    oversight: str = _told("Who watches over the use of the service.")
    oversight_bodies: tuple[str, ...] = _told("The bodies that may inspect the record.", ())
    contact: str = _told("Where to ask or complain.", "")
    log_origin: str = _told("The name of the record that every question is written to.", "")
    policy_serial: int = _told("The number of the rules in force.", 0)
    demo: bool = _told("Whether this is the demonstration, with invented people.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyRow:
    """How one agency's system fared in a step."""

    agency: str = _told("The agency.")
    system: str = _told("Its system.")
    state: str = _told("How it fared, as the answer says it: ANSWERED, TIMED_OUT and so on.")
    records: int = _told("Records found.", 0)
    shown: int = _told("Values shown.", 0)
    masked: int = _told("Values shown coarsely.", 0)
    withheld: int = _told("Values not shown.", 0)
    elapsed_ms: float | None = _told("How long it took; None where it was not asked.", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an officer must see before all else."""

    kind: str = _told("Warning, Marker, Alert, Safeguarding or Hit.")
    text: str = _told("What it is, and for a hit whom to ask.")
    agencies: tuple[str, ...] = _told("Who says so.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One record of the answer, as its owner holds it."""

    agency: str = _told("Whose record it is.")
    title: str = _told("What it is called there: a name as that agency spells it.")
    facts: tuple[tuple[str, str], ...] = _told("Its plain facts, each with what it is.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRow:
    """One thing that the answer does not show in full, and what the officer can do."""

    path: str = _told("What it is about.")
    agency: str = _told("Whose it is; several where they say the same.")
    outcome: str = _told("WITHHELD, MASKED, HIT and so on.")
    text: str = _told("The policy's public reason.", "")
    desk: str = _told("Whom to ask.", "")
    next_step: str = _told("What to do now.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TourReceipt:
    """The proof that the step was recorded."""

    query_id: str = _told("The query's identifier.")
    policy_serial: int = _told("The rules it was decided by.")
    log_entry: int = _told("Its outcome's place in the record.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TourStep:
    """One question of the story. Before it is run only its first seven fields are filled."""

    id: str = _told("Its name in the address, [a-z0-9-].")
    title: str = _told("What it shows, in a few words.")
    persona: str = _told("Who asks.")
    agency: str = _told("For which agency that person works.")
    purpose: str = _told("For which purpose.")
    sentence: str = _told("What happens, in one sentence.")
    graphql: str = _told("The question as the app sends it.")
    variables: str = _told("Its variables, as JSON.", "")
    question: str = _told("What Open Policy Agent was asked, as JSON.", "")
    decision: str = _told("What it answered, as JSON.", "")
    answer: str = _told("What the app got, as JSON.", "")
    summary: str = _told("What matters first in the answer, in one sentence.", "")
    findings: tuple[Finding, ...] = _told("What matters first, gravest first.", ())
    records: tuple[RecordRow, ...] = _told("The records found.", ())
    agencies: tuple[AgencyRow, ...] = _told("How each agency fared.", ())
    disclosures: tuple[DisclosureRow, ...] = _told("What is not shown in full.", ())
    receipt: TourReceipt | None = field(default=None, metadata={"help": "Where it is recorded."})
    elapsed_ms: float = _told("From the question to the recorded answer.", 0.0)
    problem: str = _told("Why there is no answer, where there is none.", "")

    @property
    def ran(self) -> bool:
        return bool(self.answer or self.problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class TourPage:
    """`/` in the demonstration: the story in steps, each of which can be run."""

    steps: tuple[TourStep, ...] = _told("The story, in order.")
    endpoint: str = _told("Where an app sends its questions.", "/graphql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """What `/` needs from the application. `run` gives None for a step that does not exist."""

    page: Callable[[], TourPage]
    run: Callable[[str], Awaitable[TourStep | None]]


def page_routes(*, about: Callable[[], AboutPage], tour: Tour | None) -> list[Route]:
    """`/about`, the stylesheet, and with a tour `/` and `POST /tour/<step>`."""
    look = _Look()

    async def about_page(_request: Request) -> Response:
        return look.page("about.html", about())

    routes = [
        Route("/about", about_page, methods=["GET"]),
        Route("/static/{name}", look.static, methods=["GET"]),
    ]
    return routes + (_tour_routes(tour, look) if tour else [])


def _tour_routes(tour: Tour, look: _Look) -> list[Route]:
    async def first(_request: Request) -> Response:
        return look.page("tour.html", tour.page(), ran="")

    async def run(request: Request) -> Response:
        """The page again with this one step's fresh result: nothing is remembered."""
        step_id = request.path_params["step"]
        page = tour.page()
        if step_id not in {step.id for step in page.steps}:
            return look.missing()
        if (fresh := await tour.run(step_id)) is None:
            return look.missing()
        steps = tuple(fresh if step.id == step_id else step for step in page.steps)
        filled = TourPage(steps=steps, endpoint=page.endpoint)
        return look.page("tour.html", filled, ran=step_id)

    async def again(_request: Request) -> Response:
        """Somebody reloads or shares the address of a step that was run."""
        return Response(status_code=303, headers={**_HEADERS, "Location": "/"})

    return [
        Route("/", first, methods=["GET"]),
        Route("/tour/{step}", run, methods=["POST"]),
        Route("/tour/{step}", again, methods=["GET"]),
    ]


class _Look:
    """Templates and static files, read once."""

    def __init__(self) -> None:
        files = {
            file.name: (file.read_bytes(), _STATIC_TYPES[file.suffix])
            for file in (_HERE / "static").iterdir()
            if file.suffix in _STATIC_TYPES
        }
        self._files = files
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["static"] = {
            name: f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
            for name, (content, _) in files.items()
        }
        self._environment.filters["words"] = _words

    def page(self, template: str, page: Any, **more: str) -> Response:
        told = {one.name: one.metadata["help"] for one in fields(page)}
        text = self._environment.get_template(template).render(page=page, help=told, **more)
        headers = {**_HEADERS, "Cache-Control": "no-store"}
        return Response(text, headers=headers, media_type="text/html; charset=utf-8")

    def missing(self) -> Response:
        text = self._environment.get_template("missing.html").render()
        return Response(text, 404, {**_HEADERS}, media_type="text/html; charset=utf-8")

    async def static(self, request: Request) -> Response:
        """One of the files read at the start, whole: no path is opened, no range is cut."""
        if (found := self._files.get(request.path_params["name"])) is None:
            return self.missing()
        content, media_type = found
        headers = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(content, headers=headers, media_type=media_type)


def _words(code: str) -> str:
    """`TIMED_OUT` -> `timed out`, `requestRelease` -> `request release`, for reading."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code).replace("_", " ").lower()
