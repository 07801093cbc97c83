"""The auditors' console in a real browser: search, open, verify, and a store that was changed."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from deploy.demo.story import STEPS
from gateway.audit.entry import read_leaf
from gateway.audit.merkle import ENTRIES, TILE_WIDTH, leaf_hash, tile_path
from gateway.audit.verify import check_bundle, check_proof, read_proof
from gateway.cli.demo import Demo
from gateway.web.cookies import SESSION
from tests.e2e.asking import Asker
from tests.e2e.browser.conftest import Window
from tests.e2e.browsing import session_of
from tests.e2e.test_audit_entries import asked
from tests.e2e.test_audit_reading import VEHICLE, seen

Windows: TypeAlias = Callable[..., Awaitable[Window]]
OFFICER = "demo-nmc-0001"
PLATE = "ZZ98 QRS"  # nobody else searches for it
OTHER = {"kind": "K", "tag": "consultation", "at": "2026-01-01T00:00:00+00:00"}


@pytest.fixture(scope="module", name="stop")
async def fixture_stop(asker: Asker) -> Mapping[str, Any]:
    """The receipt of a street stop by RO of NMC, who asked for a plate as well. Its intent and its
    outcome stand side by side in the tree, whatever was written before."""
    log = asker.demo.started.log
    for _ in range(9):
        await asker.demo.started.tripwires.settled()  # what follows an earlier answer writes too
        if log.size % 2:
            await log.append(OTHER)
        answer = await asked(asker, STEPS[1])
        number = answer.body["extensions"]["receipt"]["logEntry"]
        pair = [read_leaf(await log.leaf(one))["request_id"] for one in (number - 1, number)]
        if number % 2 and pair[0] == pair[1]:
            break
    else:
        raise AssertionError("others write between an intent and its outcome each time")
    plate = await asker.ask("RO", VEHICLE, {"v": PLATE}, purpose="OFFICER_SAFETY", reason="R02")
    assert plate.status == 200
    await seen(asker)
    receipt: dict[str, Any] = answer.body["extensions"]["receipt"]
    return receipt


async def audits(at: Window, asker: Asker, persona: str = "AF", use: str = "OVERSIGHT") -> Window:
    """Somebody who is signed in and has said for what they look."""
    made = await session_of(at.demo, await asker.token(persona), f"Auditor {persona}")
    await at.demo.started.office.store.use_session(made.digest, use)
    there = at.demo.url.replace("http:", "https:")
    cookie: Any = {"name": SESSION, "value": made.number, "url": there, "secure": True}
    await at.page.context.add_cookies([cookie])
    return at


async def search(at: Window, **fields: str) -> None:
    await at.open("/console/audit/search")
    for label, value in fields.items():
        await at.page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    await at.page.get_by_role("button", name="Search").click()
    await at.page.wait_for_url("**/console/audit/search?q=**")


async def verdicts(at: Window) -> list[str]:
    """What the browser finds of each entry of the page, once it was asked to verify it."""
    for button in await at.page.get_by_role("button", name="Verify in this browser").all():
        await button.click()
    places = at.page.locator(".verdicts strong")
    count = await at.page.locator("[data-proof]").count()
    await at.page.wait_for_function(
        f"() => document.querySelectorAll('.verdicts strong').length === {count}"
    )
    return await places.all_inner_texts()


async def test_an_auditor_searches_opens_and_verifies_by_the_keyboard_alone(
    window: Windows, stop: Mapping[str, Any]
) -> None:
    at = await window()
    await at.sign_in("Northmarch Constabulary", "Force auditor", to="/console/audit")
    await at.page.get_by_label("Routine oversight").focus()
    await at.page.keyboard.press("Space")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit")
    await at.tab_to("Search")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit/search")
    for _ in range(60):
        await at.page.keyboard.press("Tab")
        if await at.page.evaluate("() => document.activeElement.name") == "typed":
            break
    await at.page.keyboard.type(PLATE)
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit/search?q=**")
    assert PLATE not in at.page.url
    assert "Found, the latest first" in await at.text()
    first = await at.page.locator(".found tbody th a").first.inner_text()
    await at.tab_to(first.replace("\n", " "))
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit/entry/**")
    assert OFFICER in await at.text()
    await at.tab_to("Verify in this browser")
    await at.page.keyboard.press("Enter")
    await at.page.locator(".verdicts strong").first.wait_for()
    told = await at.page.locator(".verdicts").first.inner_text()
    assert "Verified." in told, told
    assert "Its path leads to the root" in told
    assert "is signed by the log" in told
    await at.page.go_back()  # to what was found, which is no form to send again
    assert await at.heading() == "Search the record"
    assert "Found, the latest first" in await at.text()
    assert at.ran == []


async def test_another_key_is_not_the_log_s(
    window: Windows, asker: Asker, stop: Mapping[str, Any]
) -> None:
    at = await audits(await window(), asker, "AU")
    await at.open(f"/console/audit/entry/{stop['logEntry']}")
    assert set(await verdicts(at)) == {"Verified."}
    key = at.page.get_by_label("The log’s public key")  # noqa: RUF001
    good = await key.input_value()
    other = "other.example/log" + good[good.index("+") :]
    for wrong in (other, good[:-4] + "AAA=", "no key", good.replace("+", "+0", 1)):
        await key.fill(wrong)
        assert set(await verdicts(at)) == {"Not verified."}, wrong
    await key.fill(good)
    # what is in the page is what is verified: the leaf, its path, and the number
    for name, change in (
        ("leaf", "v => btoa(atob(v).replace('OFFICER_SAFETY', 'MISSING_PERSON'))"),
        ("hashes", "v => v.replace(/^./, c => c === 'a' ? 'b' : 'a')"),
        ("index", "v => String(Number(v) ^ 1)"),
        ("checkpoint", "v => v.replace(/\\n(\\d+)\\n/, (_, n) => `\\n${Number(n) + 1}\\n`)"),
    ):
        await at.open(f"/console/audit/entry/{stop['logEntry']}")
        script = f"d => d.forEach(e => e.dataset.{name} = ({change})(e.dataset.{name}))"
        await at.page.eval_on_selector_all("[data-proof]", script)
        assert "Not verified." in await verdicts(at), name


@contextmanager
def changed(file: Path, old: bytes, new: bytes) -> Iterator[None]:
    """A file of the store with one text in the place of another, by hand; then as it was."""
    held = file.read_bytes()
    assert old in held
    assert len(old) == len(new)
    _write(file, held.replace(old, new))
    try:
        yield
    finally:
        _write(file, held)


def _write(file: Path, data: bytes) -> None:
    fresh = file.with_name(file.name + ".changed")
    fresh.write_bytes(data)
    os.replace(fresh, file)  # noqa: PTH105


@pytest.fixture
async def filled(demo: Demo, asker: Asker, stop: Mapping[str, Any]) -> None:
    """More entries, so that the tile in which the stop lies is on the disk and full."""
    log = demo.started.log
    last = (int(stop["logEntry"]) // TILE_WIDTH + 1) * TILE_WIDTH
    while log.size <= last:
        await asyncio.gather(*(log.append(OTHER) for _ in range(128)))
    await log.keeper.in_tree(last)
    await seen(asker)


async def test_AU_01_the_console_says_that_the_store_was_changed(
    window: Windows, asker: Asker, stop: Mapping[str, Any], filled: None
) -> None:
    at = await audits(await window(), asker)
    number = int(stop["logEntry"])
    place = f"/console/audit/entry/{number}"
    store = at.demo.started.settings.audit_dir
    entries = store / tile_path(ENTRIES, number // TILE_WIDTH)
    hashes = store / tile_path(0, number // TILE_WIDTH)
    leaf = await at.demo.started.log.leaf(number)
    await at.open(place)
    assert "This is not what" not in await at.text()
    assert set(await verdicts(at)) == {"Verified."}
    for old, new, fail in (
        (b"OFFICER_SAFETY", b"MISSING_PERSON", 1),  # what the officer gave as a purpose
        (b'"agency":"NMC"', b'"agency":"SCP"', 1),  # of whom it was
        (b'"kind":"O"', b'"kind":"I"', 1),
    ):
        with changed(entries, leaf, leaf.replace(old, new)):
            await at.open(place)
            said = await at.text()
            assert "This is not what the log’s tree holds." in said  # noqa: RUF001
            assert said.lower().count("does not fit the log") == fail
            assert (await verdicts(at)).count("Not verified.") == fail
    real = bytes.fromhex(stop["leafHash"])
    with changed(hashes, real, bytes(32)):  # the tree itself: whoever stands beside it fails
        await at.open(f"/console/audit/entry/{number ^ 1}")
        assert "This is not what" in await at.text()
        assert "Not verified." in await verdicts(at)
    await at.open(place)
    assert set(await verdicts(at)) == {"Verified."}


async def test_without_scripts_everything_is_there_but_the_button(
    window: Windows, asker: Asker, stop: Mapping[str, Any], tmp_path: Path
) -> None:
    at = await audits(await window(scripts=False), asker)
    await search(at, Officer=OFFICER)
    await at.page.locator(".found tbody th a").first.click()
    await at.page.wait_for_url("**/console/audit/entry/**")
    assert "Verifying on this page needs scripts" in await at.text()
    assert await at.page.get_by_role("button", name="Verify in this browser").count() == 0
    async with at.page.expect_download() as told:
        await at.page.get_by_role(
            "link", name=re.compile("Download the offline proof")
        ).first.click()
    held = (await (await told.value).path()).read_bytes()
    proof = read_proof(held)
    leaf = await asker.demo.started.log.leaf(proof.index)
    check_proof(proof, leaf_hash(leaf), asker.demo.started.log.verifier)
    await at.open("/console/audit/export")
    await at.page.get_by_label("Officer", exact=True).fill(OFFICER)
    async with at.page.expect_download() as told:
        await at.page.get_by_role("button", name="Download the bundle").click()
    target = tmp_path / "export.zip"
    await (await told.value).save_as(target)
    assert check_bundle(target, asker.demo.started.log.verifier.strip()).entries >= 4


async def test_what_is_typed_is_in_no_address_that_the_browser_asks_for(
    window: Windows, asker: Asker, stop: Mapping[str, Any]
) -> None:
    at = await audits(await window(), asker)
    addresses: list[str] = []
    at.page.on("request", lambda request: addresses.append(request.url))
    at.page.on("request", lambda request: addresses.append(request.headers.get("referer", "")))
    await search(at, What_was_searched_for="Hodja", Officer=OFFICER)
    await at.page.locator(".found tbody th a").first.click()
    await at.page.wait_for_url("**/console/audit/entry/**")
    assert len(addresses) > 6
    assert not [one for one in addresses if "hodja" in one.lower() or OFFICER in one]


async def test_an_entry_that_was_verified_can_be_read_by_everybody(
    window: Windows, asker: Asker, axe: str, stop: Mapping[str, Any]
) -> None:
    """In both widths and schemes; all other pages are walked in test_hostile.py."""
    at = await audits(await window(), asker)
    await at.open(f"/console/audit/entry/{stop['logEntry']}")
    await verdicts(at)
    for fold in await at.page.locator("summary").all():
        await fold.click()
    faults = await at.faults(axe)
    await at.open("/console/audit/export")
    assert faults + await at.faults(axe) == []


@pytest.mark.parametrize(
    ("name", "never"),
    [("verify.js", r"fetch|XMLHttp|innerHTML|eval|import\("),
     ("console.js", r"fetch\(|XMLHttp|\.innerHTML|eval|import\(|setItem|cookie")],
)  # fmt: skip
def test_our_scripts_are_short_enough_to_be_read(name: str, never: str) -> None:
    script = Path(__file__).parents[3] / "gateway" / "web" / "static" / name
    lines = script.read_text("utf-8").splitlines()
    assert len(lines) < 200
    assert not re.search(never, "\n".join(lines))
