"""The contact sheet in a real browser: on a phone, at 200 %, by keyboard alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edu_platform.config.settings import Settings
from edu_platform.library.content.proof import make_proof

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def page(tree: Path, settings: Settings, tmp_path: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    target = tmp_path / "proof.html"
    target.write_text(make_proof(tree, settings=settings, paper=True).html, "utf-8")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*flags, "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        opened = browser.new_page()
        opened.goto(target.as_uri())
        yield opened
        browser.close()


def test_nothing_runs_out_of_the_page_and_targets_can_be_hit(page: Any) -> None:
    # a phone; a desktop; the same desktop at 200 %, which halves what it has in CSS pixels
    for width, height in ((390, 844), (1280, 900), (640, 450)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
        small = page.evaluate(
            "[...document.querySelectorAll('nav a, button')].map(e => e.getBoundingClientRect())"
            ".filter(r => r.width && r.height < 44).length"
        )
        assert small == 0, width
    assert page.evaluate("[...document.images].filter(i => !i.alt && !i.closest('dialog')).length") == 0
    assert page.locator("figcaption").all_text_contents()[:4] == [
        "手机普通版", "手机适老大字版", "A3普通版", "A3适老大字版",
    ]  # fmt: skip


def test_pictures_are_looked_at_by_keyboard_alone(page: Any) -> None:
    big = page.locator("dialog img")
    first = page.locator("button.look").first
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('button.look')"):
            break
    page.keyboard.press("Enter")
    big.wait_for(state="visible")
    assert big.get_attribute("alt") == first.locator("img").get_attribute("alt")
    page.keyboard.press("ArrowRight")
    assert big.get_attribute("alt").startswith("手机适老大字版")
    page.keyboard.press("Escape")
    # the dialog says that it was closed a moment after it was
    page.wait_for_function("document.activeElement.querySelector('img')?.alt.startsWith('手机适老大字版')")
    assert not big.is_visible()
