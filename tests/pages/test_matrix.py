"""The matrix as people use it: in a browser, with the keyboard, on a phone, in the dark."""

import pytest
from playwright.async_api import Page

from clawdesk_storage.pages.matrix import Matrix
from clawdesk_storage.pages.report import checked
from tests.pages.browsing import open_all, overflow, press, violations
from tests.pages.conftest import Show
from tests.pages.samples import HOSTILE, failing, law, mixed, page, report

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "a.rather.long_winded.package_of_somebody.backends:open_the_storage_of_it"


async def _visible_groups(page: Page) -> list[str]:
    return await page.locator(".group:visible > h2").all_inner_texts()


async def test_a_failed_cell_opens_with_the_keyboard(show: Show) -> None:
    """Tab leads to it, Enter opens it: what was expected and what came can be read."""
    shown = await show(page(report(), failing()))
    opener = shown.locator("summary", has_text="CNV-03, mine:open_storage")
    for _ in range(20):
        await press(shown, "Tab")
        if await opener.evaluate("one => one === document.activeElement"):
            break
    before = await shown.get_by_text("['m0']", exact=True).is_visible()
    await press(shown, "Enter")
    assert (False, True) == (
        before, await shown.get_by_text("['m0']", exact=True).is_visible(),
    )  # fmt: skip


async def test_what_a_cell_opens_takes_the_whole_width(show: Show) -> None:
    """A column is too narrow to read it in."""
    shown = await show(page(*mixed()))
    await shown.locator("summary.failed").first.click()
    opened, table = shown.locator(".why:visible"), shown.locator(".port-2 table")
    widths = [await one.evaluate("one => one.offsetWidth") for one in (opened, table)]
    assert widths[0] == widths[1]


async def test_an_opened_cell_stays_in_its_column(show: Show) -> None:
    """Who clicks again closes it."""
    shown = await show(page(*mixed()))
    opener = shown.locator("summary.failed").first
    before = await opener.evaluate("one => [one.offsetLeft, one.offsetTop]")
    await opener.click()
    assert before == await opener.evaluate("one => [one.offsetLeft, one.offsetTop]")


async def test_the_laws_of_one_port_can_be_chosen_with_the_keyboard(show: Show) -> None:
    """Arrows move through the ports."""
    shown = await show(page(*mixed()))
    everything = await _visible_groups(shown)
    await shown.locator("#port-all").focus()
    await press(shown, "ArrowRight", "ArrowRight")
    assert (6, ["ConversationStore"]) == (len(everything), await _visible_groups(shown))


async def test_the_choice_of_a_port_can_be_taken_back(show: Show) -> None:
    """All ports are shown again."""
    shown = await show(page(*mixed()))
    await shown.get_by_text("SessionStore").first.click()
    await shown.get_by_text("all ports").click()
    assert 6 == len(await _visible_groups(shown))


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
async def test_the_page_is_accessible(show: Show, width: int, scheme: str) -> None:
    """Contrast, names, roles: axe finds nothing, also with everything opened."""
    shown = await show(page(*mixed()), width=width, scheme=scheme)
    await open_all(shown)
    assert [] == await violations(shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_follows_the_colour_scheme(show: Show, scheme: str) -> None:
    """The background of the page is light or dark as the reader's system is."""
    shown = await show(page(report()), scheme=scheme)
    colour = await shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ("rgb(255, 255, 255)" == colour) == (scheme == "light")


@pytest.mark.parametrize("count", [1, 2, 4, 9])
async def test_a_phone_shows_it_all(show: Show, count: int) -> None:
    """Nothing is wider than 360 pixels, with many backends and long names and all opened."""
    reports = [failing("x" * 3000), *(report(f"{LONG}_{n}") for n in range(count - 1))]
    shown = await show(page(*reports), width=360)
    await open_all(shown)
    assert 0 == await overflow(shown)


async def test_outcomes_differ_by_more_than_colour(show: Show) -> None:
    """Each has a mark of its own, and a word for those who hear the page."""
    shown = await show(page(*mixed()))
    cells = shown.locator(".group td")
    marks = await cells.locator("use").evaluate_all(
        "all => all.map(one => [one.closest('td').innerText.split('\\n')[0].split(':')[0].trim(),"
        "one.getAttribute('href')])"
    )
    kinds = {word: mark for word, mark in marks if mark != "#passed"}
    assert {
        "failed": "#failed", "1 error": "#failed", "inconclusive": "#inconclusive",
        "waived": "#waived", "not claimed": "#not-claimed", "left out": "#not-claimed",
        "not offered": "#not-offered", "not in this report": "#absent",
    } == kinds  # fmt: skip


async def test_it_is_a_table_for_those_who_cannot_see_it(show: Show) -> None:
    """Its layout does not take the roles of rows and cells from it."""
    shown = await show(page(report(), failing()))
    table = shown.get_by_role("table", name="ConversationStore")
    row = table.get_by_role("row").filter(has=shown.get_by_role("rowheader", name="CNV-03"))
    assert (1, 2) == (await row.count(), await row.get_by_role("cell").count())


async def test_what_the_type_checker_said_can_be_read(show: Show) -> None:
    """Its errors open like a failed law."""
    shown = await show(page(*mixed()))
    await shown.locator(".port-types summary.failed").click()
    assert "SessionStore.get is not async" in await shown.locator(".why:visible").inner_text()


async def test_what_only_looks_like_a_label_is_left_as_it_is(show: Show) -> None:
    """A line of code that speaks of what is expected stays whole."""
    code = "print(get(1))  # expected [1], came [2]"
    shown = await show(page(failing(f"the shortest script\n{code}\n  expected  [1]")))
    await shown.locator("summary.failed").click()
    assert [f"the shortest script\n{code}", "[1]"] == (
        await shown.locator(".why pre").all_inner_texts()
    )


async def test_hostile_text_is_shown_and_obeyed_nowhere(show: Show) -> None:
    """Neither markup nor controls nor marks that turn the direction of text."""
    hostile = failing(HOSTILE)
    hostile["backend"] = HOSTILE
    hostile["versions"] = {HOSTILE: HOSTILE}
    shown = await show(page(hostile, report("sqlite", law(HOSTILE, "failed"), conforms=False)))
    await shown.locator("summary.failed").first.click()
    text = await shown.locator(".why:visible").inner_text()
    assert (r"\x00 \ud800 \u202egnp.exe \u2028 \x1b[31m </details>" in text, 0) == (
        True, await shown.locator("script").count(),
    )  # fmt: skip


async def test_failures_are_linked_from_the_top(show: Show) -> None:
    """The link leads to the law's row."""
    shown = await show(page(report(), failing()))
    await shown.get_by_role("link", name="CNV-03").click()
    assert "CNV-03" == await shown.evaluate("document.querySelector(':target').id")


def _texts(html: str, *words: str) -> list[bool]:
    return [word in html for word in words]


async def test_versions_and_the_day_are_on_the_page() -> None:
    """Who finds the page a year later knows what it speaks of."""
    html = page(report(versions={"python": "3.11.7", "clawdesk-sqlite": "0.1.0"}))
    assert [True] * 4 == _texts(html, "clawdesk-sqlite", "0.1.0", "1.1.414", "23 November 2026")


async def test_one_backend_has_its_name_in_the_title() -> None:
    """The page of `verify` is the page of `report` with one column."""
    assert [True] == _texts(
        page(failing()), "<title>mine:open_storage: storage conformance</title>"
    )


async def test_the_page_needs_no_script_and_no_other_file() -> None:
    """It can be mailed, archived and read without JavaScript."""
    html = page(*mixed())
    assert [False] * 4 == _texts(html, "<script", "http://", "https://", "url(")


async def test_a_claim_whose_law_failed_is_not_ticked() -> None:
    """That it was made is not that it is kept."""
    broken = report("sqlite", law("DUR-02", "failed", "lost"), conforms=False)
    (durable,) = [
        row for row in Matrix([checked(broken)], ["sqlite"]).claims() if row.id == "durable"
    ]
    assert ["broken: DUR-02"] == [cell.word for cell in durable.cells]
