"""How every page looks: its templates, its stylesheet, and the headers that keep it to itself."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from gateway.web.times import to_the_minute, zones

_HERE = Path(__file__).parent
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action {forms_to}; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY.format(forms_to="'self'"),
    # not `no-referrer`: with that a browser says `Origin: null` of our own forms too
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OPTIONS = Markup('"></option><option value="')  # between the names of all time zones
_STATIC_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Runs(StrEnum):
    """Which scripts a page may run: none but files of ours, on the pages that are better for them.
    The value is what is added to the policy that the browser keeps to."""

    NOTHING = ""
    ALONE = "; script-src 'self'"  # and it can ask nobody anything
    ASKING = "; script-src 'self'; connect-src 'self'"  # and it asks this very gateway


def told(help_text: str, default: Any = None) -> Any:
    """A field of a page, with the line of help that explains it."""
    if default is None:
        return field(metadata={"help": help_text})
    return field(default=default, metadata={"help": help_text})


class Frame(Protocol):
    """What the frame of every page shows of who looks at it."""

    @property
    def places(self) -> Sequence[tuple[str, str]]:
        """The addresses and names of the pages that open to them."""

    @property
    def who(self) -> str:
        """Who is signed in; "" for nobody."""

    @property
    def offers_sign_in(self) -> bool:
        """Whether somebody could sign in."""

    @property
    def csrf(self) -> str:
        """What stands in each form that is made for them."""

    @property
    def zone(self) -> ZoneInfo:
        """In which times are shown and taken."""

    @property
    def here(self) -> str:
        """The address of the page, for forms that lead back to it."""


class Look:
    """Templates and static files, read once. `forms_to` are the origins to which a form of ours may
    lead: a browser that is sent on to an issuer would stop otherwise."""

    def __init__(self, forms_to: Sequence[str] = ()) -> None:
        self._headers = {
            **HEADERS,
            "Content-Security-Policy": _POLICY.format(forms_to=" ".join(("'self'", *forms_to))),
        }
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
        self._environment.globals["integrity"] = {
            name: f"sha256-{b64encode(hashlib.sha256(content).digest()).decode()}"
            for name, (content, _) in files.items()
        }
        self._environment.globals["zones"] = _OPTIONS.join(zones())
        self._environment.filters["words"] = _words
        self._environment.filters["moment"] = _moment
        self._environment.filters["wordy"] = lambda codes: [(c, _words(c)) for c in codes]
        self._environment.filters["codes"] = lambda codes: [(c, c) for c in codes]

    def page(
        self,
        template: str,
        page: Any,
        frame: Frame,
        *,
        status: int = 200,
        runs: Runs = Runs.NOTHING,
        **more: Any,
    ) -> Response:
        """A page made of its template."""
        help_texts = {one.name: one.metadata["help"] for one in fields(page)}
        made = self._environment.get_template(template)
        text = made.render(page=page, help=help_texts, frame=frame, **more)
        headers = {**self._headers, "Cache-Control": "no-store"}
        headers["Content-Security-Policy"] += runs
        return Response(text, status, headers, media_type="text/html; charset=utf-8")

    def missing(self, frame: Frame) -> Response:
        return self.page("missing.html", _Nothing(), frame, status=404)

    async def static(self, request: Request) -> Response:
        """One of the files read at the start, whole: no path is opened, no range is cut."""
        if (found := self._files.get(request.path_params["name"])) is None:
            return Response(status_code=404, headers=HEADERS)
        content, media_type = found
        headers = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(content, headers=headers, media_type=media_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nothing:
    """A page that has nothing to say of its own."""


def elsewhere(address: str) -> Response:
    """Go on there, by GET: what was sent is not sent again when the page is reloaded."""
    headers = {**HEADERS, "Cache-Control": "no-store", "Location": address}
    return Response(status_code=303, headers=headers)


def _words(code: str) -> str:
    """`TIMED_OUT` -> `timed out`, `requestRelease` -> `request release`, for reading."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code).replace("_", " ").lower()


@pass_context
def _moment(context: Context, text: str) -> str:
    """`2026-03-01T10:00:00Z` -> `2026-03-01 10:00 UTC`, in the zone of whoever reads it. A macro
    that says it is imported `with context`."""
    frame: Frame = context["frame"]
    return to_the_minute(datetime.fromisoformat(text), frame.zone) if text else ""
