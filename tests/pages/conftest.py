"""A browser for the tests of the pages, and pages in it."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.pages.chromium import NODE, find_chromium

Show: TypeAlias = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(request: pytest.FixtureRequest) -> AsyncGenerator[Browser]:
    """A headless Chromium."""
    cache = request.config.cache
    assert cache is not None
    try:
        chromium = find_chromium(cache.mkdir("chromium"))
    except RuntimeError as error:  # out of reach of any registry, or no Linux on x86-64
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        # Its own Node needs a library (libatomic) that not every machine has; this one does not.
        patch.setenv("PLAYWRIGHT_NODEJS_PATH", str(NODE))
        playwright = await async_playwright().start()
    try:
        browser = await playwright.chromium.launch(
            executable_path=chromium.program,
            args=["--disable-gpu", "--no-zygote"],
            env={**os.environ, **chromium.environment},
        )
        yield browser
        await browser.close()
    finally:
        await playwright.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def show(browser: Browser) -> AsyncGenerator[Show]:
    """Give a function that shows a page, as wide and in the colour scheme that it is told.

    Whatever the page asks the network for and whatever it says on the console is an error.
    """
    said: list[str] = []

    async def show(html: str, *, width: int = 1280, scheme: str = "light") -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        page.on("request", lambda request: said.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.set_content(html)
        return page

    yield show
    for context in browser.contexts:
        await context.close()
    assert [] == said
