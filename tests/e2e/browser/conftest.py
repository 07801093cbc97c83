"""The system's own Chromium, without a screen, at the running demonstration."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from playwright.async_api import Browser, Page, async_playwright

from gateway.cli.demo import Demo
from tests.e2e.npm import installed

Scheme: TypeAlias = Literal["light", "dark"]
_AXE = Path(__file__).parent / "axe"
_RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
VIEWS: tuple[tuple[int, Scheme], ...] = (
    (390, "light"), (390, "dark"), (1280, "light"), (1280, "dark"),
)  # fmt: skip
_WIDE = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  const out = (e) => e.getBoundingClientRect().right > clientWidth && e.checkVisibility()
    && !e.closest("pre");
  const by = [...document.querySelectorAll("body *")].filter(out).map(e => e.outerHTML);
  return scrollWidth > clientWidth ? (by.pop() || "nobody knows why").slice(0, 200) : "";
}"""
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium_program() -> str:
    named = [os.environ.get("CHROME", ""), *(shutil.which(name) or "" for name in _PROGRAMS)]
    for program in named:
        if program and Path(program).is_file():
            return program
    pytest.fail(
        "these tests need Chromium: install the package chromium (apt-get install chromium), or "
        "name a Chrome in the variable CHROME"
    )


@pytest.fixture(scope="session")
async def chromium(chromium_program: str) -> AsyncIterator[Browser]:
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as started:
        browser = await started.chromium.launch(
            executable_path=chromium_program, args=["--disable-dev-shm-usage", *as_root]
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's own script."""
    folder = installed(_AXE, "axe-core")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@dataclass(slots=True, kw_only=True)
class Window:
    """One window of a browser, with cookies of its own."""

    page: Page
    demo: Demo
    ran: list[str] = field(default_factory=list)  # what a script of a page did or tried to

    async def open(self, path: str) -> None:
        await self.page.goto(path if "://" in path else f"{self.demo.url}{path}")

    async def text(self) -> str:
        return await self.page.inner_text("body")

    async def heading(self) -> str:
        return await self.page.inner_text("h1")

    async def tab_to(self, words: str) -> None:
        """Go on by the Tab key until what has the focus says this; it must be seen to have it."""
        for _ in range(80):
            await self.page.keyboard.press("Tab")
            said, outline = await self.page.evaluate(
                "() => { const e = document.activeElement; const s = getComputedStyle(e);"
                " if (e === document.body) return ['', ''];"  # past the last
                " return [e.innerText || e.value || '', s.outlineStyle + s.outlineWidth]; }"
            )
            if words in said.replace("\n", " "):
                assert outline not in ("none0px", "none3px"), f"{words}: the focus cannot be seen"
                return
        raise AssertionError(f"no Tab leads to {words!r}")

    async def sign_in(self, agency: str, person: str, to: str = "") -> None:
        """By the keyboard alone, from whatever page offers it."""
        await self.open(f"/sign-in?next={to}" if to else "/sign-in")
        await self.tab_to(agency)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(f"{self.demo.stack.issuer_url}/**")
        await self.tab_to(person)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(f"{self.demo.url}/**")

    async def faults(self, axe: str, views: Sequence[tuple[int, Scheme]] = VIEWS) -> list[str]:
        """What axe finds against WCAG 2.2 AA, and whether the page must be moved sideways: on a
        phone and on a desk, in both schemes. The dark scheme has other colours and nothing else."""
        await self.page.evaluate(axe)
        faults: list[str] = []
        for width, scheme in views:
            await self.page.set_viewport_size({"width": width, "height": 900})
            await self.page.emulate_media(color_scheme=scheme)
            rules = _RULES if scheme == "light" else _COLOURS
            found: dict[str, Any] = await self.page.evaluate(
                "(only) => axe.run(document, {runOnly: only, resultTypes: ['violations']})", rules
            )
            told = [
                f"{one['id']}: {node['target']} {node['failureSummary']}"
                for one in found["violations"]
                for node in one["nodes"]
            ]
            if wide := await self.page.evaluate(_WIDE):
                told.append(f"it is wider than the window: {wide}")
            faults += [f"{width} px, {scheme}: {one}" for one in told]
        return faults


@pytest.fixture
async def window(chromium: Browser, demo: Demo) -> AsyncIterator[Callable[..., Awaitable[Window]]]:
    """Opens windows, each with cookies of its own: `await window()`."""
    opened = []

    async def open_window(
        *, width: int = 1280, scheme: Scheme = "light", scripts: bool = True
    ) -> Window:
        context = await chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        opened.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        made = Window(page=page, demo=demo)

        async def told(dialog: Any) -> None:
            made.ran.append(f"dialog: {dialog.message}")
            await dialog.dismiss()

        page.on("dialog", told)
        page.on("console", lambda said: made.ran.append(f"console: {said.text}"))
        return made

    yield open_window
    for context in opened:
        await context.close()
