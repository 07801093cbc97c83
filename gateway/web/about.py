"""What `/about` says: who is asked, what for, and who watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.catalogue.mapping import Source
from gateway.catalogue.tables import shown_table
from gateway.settings import Settings
from gateway.web.pages import AboutAgency, AboutPage, AboutPurpose


def about_page(settings: Settings, sources: Sequence[Source], *, policy_serial: int) -> AboutPage:
    """The public page as it is now."""
    names, purposes = agency_names(settings), shown_table(settings.tables_dir, "purposes")
    agencies: dict[str, list[Source]] = {}
    for source in sources:
        agencies.setdefault(source.agency, []).append(source)
    return AboutPage(
        operator=settings.about.operator,
        agencies=tuple(
            AboutAgency(
                code=code,
                name=names.get(code, code),
                systems=tuple(source.system for source in held),
                holds=tuple(sorted({name for source in held for name in source.entities})),
            )
            for code, held in sorted(agencies.items())
        ),
        purposes=tuple(_purpose(code, row) for code, row in purposes.items()),
        oversight=settings.about.oversight,
        oversight_bodies=settings.about.oversight_bodies,
        contact=settings.about.contact,
        log_origin=settings.audit_origin,
        policy_serial=policy_serial,
        demo=settings.demo,
    )


def agency_names(settings: Settings) -> dict[str, str]:
    """The agencies' names by their codes, as the policy's table has them."""
    rows = shown_table(settings.tables_dir, "agencies").items()
    return {code: str(row.get("name", code)) for code, row in rows if isinstance(row, dict)}


def _purpose(code: str, row: dict[str, Any]) -> AboutPurpose:
    return AboutPurpose(
        code=code,
        title=code.replace("_", " ").capitalize(),
        regime=str(row.get("regime", "")),
        legal_basis=str(row.get("legal_basis", "")),
        owner=str(row.get("owner", "")),
        reviewed_on=str(row.get("reviewed_on", "")),
    )
