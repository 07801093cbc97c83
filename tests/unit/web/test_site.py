"""What of the pages there is, by the settings; and what of them stops the start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gateway.errors import ConfigError
from gateway.identity import Identity
from gateway.identity.signing_in import SigningIn
from gateway.secrets import NamedSecrets
from gateway.settings import IssuerSetting, Settings
from gateway.web.desk import Desk
from gateway.web.site import Site, _keys, guarded_routes, signing_in_with

NMC = IssuerSetting(issuer="https://sso.nmc.example", agency="NMC")
PAGES = replace(NMC, client_id="pages", client_secret="pages-nmc")  # noqa: S106  # its name
GIVEN = {"GATEWAY_SECRET_PAGES_NMC": "a secret"}


def now() -> datetime:
    return datetime(2026, 3, 1, 10, tzinfo=UTC)


def signing_in(settings: Settings, environment: dict[str, str] = GIVEN) -> SigningIn | None:
    http = httpx.AsyncClient(trust_env=False)
    identity = Identity([], audience="gate", http=http, clock=now)
    secrets = NamedSecrets(folder=Path("nowhere"), environment=environment)
    return signing_in_with(identity, settings, secrets, http, now)


@pytest.mark.parametrize(
    "url", ["https://gate.example", "https://gate.example/", "https://gate.example:8443",
            "http://127.0.0.1:8470", "http://localhost:8470"],
)  # fmt: skip
def test_people_sign_in_by_the_issuers_that_know_the_pages(url: str) -> None:
    made = signing_in(Settings(public_url=url, issuers=(PAGES, replace(NMC, issuer="https://x"))))
    assert made is not None
    assert made.issuers == ("https://sso.nmc.example",)


def test_without_a_client_nobody_signs_in_and_nothing_is_amiss() -> None:
    assert signing_in(Settings(issuers=(NMC,))) is None
    assert signing_in(Settings()) is None


def test_a_public_client_has_no_secret() -> None:
    settings = Settings(public_url="https://gate.example", issuers=(replace(NMC, client_id="p"),))
    assert signing_in(settings, {}) is not None


@pytest.mark.parametrize(
    "url", ["", "http://gate.example", "https://gate.example/pages", "https://gate.example/?x",
            "gate.example", "https://gate.example/#x"],
)  # fmt: skip
def test_without_an_address_to_come_back_to_nothing_starts(url: str) -> None:
    with pytest.raises(ConfigError, match="public_url: must be the https address"):
        signing_in(Settings(public_url=url, issuers=(PAGES,)))


def test_a_missing_secret_is_told_by_its_name() -> None:
    with pytest.raises(ConfigError, match="the secret 'pages-nmc' is missing"):
        signing_in(Settings(public_url="https://gate.example", issuers=(PAGES,)), {})


def site(settings: Settings) -> Site:
    nothing: Any = cast("Any", None)
    return Site(
        settings=settings,
        refuse=nothing,
        authenticate=nothing,
        signing_in=signing_in(settings),
        store=nothing,
        inquiry=nothing,
        oversight=nothing,
        choices=nothing,
        asking=nothing,
        pairing=nothing,
        recalling=nothing,
        desk=Desk(act=nothing, verdicts=nothing, clock=now),
        about=nothing,
        agencies=lambda: {"NMC": "Northmarch Constabulary"},
        clock=now,
    )


def paths(settings: Settings) -> set[str]:
    return {route.path for route in guarded_routes(site(settings), [])}


def test_what_needs_signing_in_is_there_where_somebody_can(tmp_path: Path) -> None:
    alone = Settings(session_key=tmp_path / "k", session_key_before=tmp_path / "b")
    assert paths(alone) == {"/about", "/static/{name}"}
    with_pages = replace(alone, public_url="https://gate.example", issuers=(PAGES,))
    assert {"/sign-in", "/account", "/console/audit"} <= paths(with_pages)
    assert "/desk" not in paths(with_pages)
    assert "/desk" in paths(replace(with_pages, desk_page=True))


def test_a_desk_that_nobody_could_sign_in_to_stops_the_start(tmp_path: Path) -> None:
    settings = Settings(
        session_key=tmp_path / "k", session_key_before=tmp_path / "b", desk_page=True
    )
    with pytest.raises(ConfigError, match="desk_page: needs public_url, and an issuer"):
        paths(settings)


def test_oi_09_the_key_before_opens_while_its_file_is_there(tmp_path: Path) -> None:
    key, before = tmp_path / "session.key", tmp_path / "session.key.before"
    settings = Settings(session_key=key, session_key_before=before)
    sealed = _keys(settings).seal(b"x", "a")
    key.rename(before)
    assert _keys(settings).opened(sealed, "a") == b"x"  # a new key was made beside it
    assert key.read_bytes() != before.read_bytes()
    before.unlink()
    assert _keys(settings).opened(sealed, "a") is None
    assert not before.exists()  # and none is made in its place
    key.write_bytes(b"short")
    with pytest.raises(ConfigError, match="another number of bytes"):
        _keys(settings)
