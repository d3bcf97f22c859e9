"""What tests do with a page in a browser."""

from importlib.resources import files

from playwright.async_api import Page

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


async def violations(page: Page) -> list[str]:
    """What axe has to say of a page."""
    await page.evaluate(_AXE)
    found = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


async def overflow(page: Page) -> int:
    """By how many pixels a page is wider than its window."""
    return await page.evaluate("document.documentElement.scrollWidth - innerWidth")


async def press(page: Page, *keys: str) -> None:
    """Press keys, one after the other."""
    for key in keys:
        await page.keyboard.press(key)


async def open_all(page: Page) -> None:
    """Open whatever can be opened."""
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
