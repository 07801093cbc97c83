"""Pages for people: plain HTML that works without scripts.

One frozen dataclass per template holds all that the template may use, every field with a line of
help that the page itself can show. Nothing here asks an agency: what a page says is handed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web.access import visit_of
from gateway.web.look import Look, elsewhere, told


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutAgency:
    """One agency as `/about` shows it."""

    code: str = told("The short name that answers carry.")
    name: str = told("Its full name.")
    systems: tuple[str, ...] = told("The systems that can be asked.", ())
    holds: tuple[str, ...] = told("The kinds of record in them.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPurpose:
    """One purpose for which may be asked, from the policy's tables."""

    code: str = told("The code that a query carries.")
    title: str = told("What it means.")
    regime: str = told("The law's name for this kind of use.", "")
    legal_basis: str = told("What allows it; none is shown as such.", "")
    owner: str = told("Who answers for the purpose.", "")
    reviewed_on: str = told("When it was last looked at, ISO 8601.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutPage:
    """`/about`: who is asked, what for, and who watches."""

    operator: str = told("Who runs this service and answers for it.")
    agencies: tuple[AboutAgency, ...] = told(
        "Each keeps its own data and its own say. A question is put to their systems as it is "
        "asked; nothing is copied or kept here."
    )
    purposes: tuple[AboutPurpose, ...] = told(
        "Every question must name one of these purposes, and only roles that hold the purpose "
        "may use it. The answer depends on it."
    )
    oversight: str = told("Who watches over the use of the service.")
    oversight_bodies: tuple[str, ...] = told("The bodies that may inspect the record.", ())
    contact: str = told("Where to ask or complain.", "")
    log_origin: str = told("The name of the record that every question is written to.", "")
    policy_serial: int = told("The number of the rules in force.", 0)
    demo: bool = told("Whether this is the demonstration, with invented people.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyRow:
    """How one agency's system fared in a step."""

    agency: str = told("The agency.")
    system: str = told("Its system.")
    state: str = told("How it fared, as the answer says it: ANSWERED, TIMED_OUT and so on.")
    records: int = told("Records found.", 0)
    shown: int = told("Values shown.", 0)
    masked: int = told("Values shown coarsely.", 0)
    withheld: int = told("Values not shown.", 0)
    elapsed_ms: float | None = told("How long it took; None where it was not asked.", 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that an officer must see before all else."""

    kind: str = told("Warning, Marker, Alert, Safeguarding or Hit.")
    text: str = told("What it is, and for a hit whom to ask.")
    agencies: tuple[str, ...] = told("Who says so.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One record of the answer, as its owner holds it."""

    agency: str = told("Whose record it is.")
    title: str = told("What it is called there: a name as that agency spells it.")
    facts: tuple[tuple[str, str], ...] = told("Its plain facts, each with what it is.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureRow:
    """One thing that the answer does not show in full, and what the officer can do."""

    path: str = told("What it is about.")
    agency: str = told("Whose it is; several where they say the same.")
    outcome: str = told("WITHHELD, MASKED, HIT and so on.")
    text: str = told("The policy's public reason.", "")
    desk: str = told("Whom to ask.", "")
    next_step: str = told("What to do now.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TourReceipt:
    """The proof that the step was recorded."""

    query_id: str = told("The query's identifier.")
    policy_serial: int = told("The rules it was decided by.")
    log_entry: int = told("Its outcome's place in the record.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TourStep:
    """One step of the story: a question that somebody asks, or a look at what all of it left,
    which nobody asks. Before it is run only its first eight fields are filled."""

    id: str = told("Its name in the address, [a-z0-9-].")
    title: str = told("What it shows, in a few words.")
    sentence: str = told("What happens, in one sentence.")
    persona: str = told("Who asks.", "")
    agency: str = told("For which agency that person works.", "")
    purpose: str = told("For which purpose.", "")
    graphql: str = told("The question as the app sends it.", "")
    variables: str = told("Its variables, as JSON.", "")
    question: str = told("What Open Policy Agent was asked, as JSON.", "")
    decision: str = told("What it answered, as JSON.", "")
    answer: str = told("What the app got, as JSON.", "")
    summary: str = told("What matters first in the answer, or what was found, in one sentence.", "")
    findings: tuple[Finding, ...] = told("What matters first, gravest first.", ())
    records: tuple[RecordRow, ...] = told("The records found.", ())
    agencies: tuple[AgencyRow, ...] = told("How each agency fared.", ())
    disclosures: tuple[DisclosureRow, ...] = told("What is not shown in full.", ())
    receipt: TourReceipt | None = field(default=None, metadata={"help": "Where it is recorded."})
    elapsed_ms: float = told("From the question to the recorded answer.", 0.0)
    problem: str = told("Why there is no answer, or what was found amiss.", "")

    @property
    def ran(self) -> bool:
        return bool(self.answer or self.summary or self.problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class TourPage:
    """`/` in the demonstration: the story in steps, each of which can be run."""

    steps: tuple[TourStep, ...] = told("The story, in order.")
    endpoint: str = told("Where an app sends its questions.", "/graphql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """What `/` needs from the application. `run` gives None for a step that does not exist."""

    page: Callable[[], TourPage]
    run: Callable[[str], Awaitable[TourStep | None]]


def public_routes(*, about: Callable[[], AboutPage], look: Look) -> list[Route]:
    """`/about` and the stylesheet."""

    async def about_page(http: Request) -> Response:
        return look.page("about.html", about(), visit_of(http))

    return [
        Route("/about", about_page, methods=["GET"]),
        Route("/static/{name}", look.static, methods=["GET"]),
    ]


def tour_routes(tour: Tour, look: Look) -> list[Route]:
    """`/` and `POST /tour/<step>`."""

    async def first(http: Request) -> Response:
        return look.page("tour.html", tour.page(), visit_of(http), ran="")

    async def run(http: Request) -> Response:
        """The page again with this one step's fresh result: nothing is remembered."""
        step_id = http.path_params["step"]
        page = tour.page()
        if step_id not in {step.id for step in page.steps}:
            return look.missing(visit_of(http))
        if (fresh := await tour.run(step_id)) is None:
            return look.missing(visit_of(http))
        steps = tuple(fresh if step.id == step_id else step for step in page.steps)
        filled = TourPage(steps=steps, endpoint=page.endpoint)
        return look.page("tour.html", filled, visit_of(http), ran=step_id)

    async def again(_http: Request) -> Response:
        """Somebody reloads or shares the address of a step that was run."""
        return elsewhere("/")

    return [
        Route("/", first, methods=["GET"]),
        Route("/tour/{step}", run, methods=["POST"]),
        Route("/tour/{step}", again, methods=["GET"]),
    ]
