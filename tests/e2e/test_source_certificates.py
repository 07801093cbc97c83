"""A source whose certificate proves nothing is not asked; the others are.

A gateway of its own, whose border directorate is reached over TLS.
"""

from __future__ import annotations

import shutil
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.demo.story import WHO
from gateway.cli.demo import Demo
from tests.e2e.asking import Answer, Asker
from tests.e2e.between import Proxy
from tests.e2e.owngateway import CATALOGUE, served

LOOKUP = """query Lookup($who: [PersonCriteria!]!) {
  personSearch(anyOf: $who, first: 5) { total hits { owner } } }"""
NAME = "localhost"
GOOD = {"ANSWERED", "TRUNCATED"}
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate with its key."""

    held: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        return self.held.public_bytes(serialization.Encoding.PEM)

    def context(self, folder: Path) -> ssl.SSLContext:
        """What a server shows of it."""
        file = folder / f"{self.held.serial_number}.pem"
        file.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + self.pem()
        )
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(file)
        return made


def certificate(
    name: str = NAME, *, by: Certificate | None = None, days: tuple[int, int] = (-10, 10)
) -> Certificate:
    """One for `name`, signed `by` an authority or, where there is none, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    held = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(by.held.subject if by else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .sign(by.key if by else key, hashes.SHA256())
    )
    return Certificate(held=held, key=key)


@dataclass(slots=True, kw_only=True)
class Place:
    """A gateway, the door before its BID, and the authority that it trusts."""

    asker: Asker
    door: Proxy
    authority: Certificate
    folder: Path

    async def ask(self) -> Answer:
        return await self.asker.ask(
            "AO", LOOKUP, {"who": WHO}, purpose="PROTECT_VULNERABLE", reason="R04"
        )

    async def shows(self, shown: Certificate) -> None:
        """From here on the door shows this certificate; whoever was connected is cut off."""
        await self.door.kill()
        self.door.tls = shown.context(self.folder)
        await self.door.revive()


def trusting(folder: Path, authority: Certificate) -> Path:
    """The catalogue, in which BID is to be vouched for by this authority alone."""
    shutil.copytree(CATALOGUE, folder)
    file, bid = folder / "authority.pem", folder / "sources" / "bid.toml"
    file.write_bytes(authority.pem())
    text = bid.read_text("utf-8")
    assert "rate_per_s = 10\n" in text
    bid.write_text(text.replace("rate_per_s = 10\n", f'ca_file = "{file}"\n', 1), "utf-8")
    return folder


@pytest.fixture(scope="module")
async def place(
    demo: Demo, asker: Asker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("identity")
    authority = certificate("authority.example")
    real = httpx.URL(demo.stack.secrets["BID_URL"])
    door = Proxy(
        target=("127.0.0.1", real.port or 80),
        place=("127.0.0.1", 0),
        tls=certificate(by=authority).context(folder),
    )
    await door.revive()
    assert isinstance(door.place, tuple)
    url = f"https://{NAME}:{door.place[1]}"
    path = httpx.URL(demo.stack.secrets["BID_TOKEN_URL"]).path
    secrets = {"BID_URL": url, "BID_TOKEN_URL": f"{url}{path}"}
    catalogue = trusting(folder / "catalogue", authority)
    async with served(
        demo, folder / "state", secrets=secrets, catalogue=catalogue, policy_timeout_s=5.0
    ) as own:
        own_asker = Asker(demo=own, client=asker.client)
        made = Place(asker=own_asker, door=door, authority=authority, folder=folder)
        assert (await made.ask()).state("BID") in GOOD
        yield made
    await door.aclose()


def others_answer(answer: Answer) -> None:
    """BID is not there, the caller is told so, and nobody else is missing for it."""
    assert answer.status == 200
    assert answer.state("BID") == "UNAVAILABLE"
    assert {h["owner"] for h in answer.hits()} == {"NMC", "SCP", "ERU", "NCB"}
    assert answer.data["personSearch"]["total"] is None
    errors = [e for e in answer.body["errors"] if e["extensions"].get("agency") == "BID"]
    assert {e["extensions"]["code"] for e in errors} == {"SOURCE_UNAVAILABLE"}


@pytest.mark.parametrize("what", ["expired", "another's", "self-signed"])
async def test_up06_f14_a_certificate_that_proves_nothing(place: Place, what: str) -> None:
    """UP-06, F-14: not a byte of the question is sent; mended, it answers without a restart."""
    shown = {
        "expired": certificate(by=place.authority, days=(-10, -1)),
        "another's": certificate("eru.example", by=place.authority),
        "self-signed": certificate(),
    }
    await place.shows(shown[what])
    sent = place.door.sent
    try:
        others_answer(await place.ask())
        assert place.door.sent == sent
    finally:
        await place.shows(certificate(by=place.authority))
    assert (await place.ask()).state("BID") in GOOD
