"""The page of a bench as people use it, and what its plots claim."""

import re
from itertools import pairwise
from typing import Any

import pytest

from clawdesk_storage.pages.bench import bench_page
from clawdesk_storage.pages.plot import Plot, Target, bars, curves, quantiles
from tests.pages.browsing import open_all, overflow, press, violations
from tests.pages.conftest import Show
from tests.pages.figures import bench, failed
from tests.pages.samples import HOSTILE

pytestmark = pytest.mark.asyncio(loop_scope="session")

ONE, TWO = Target("one", 0), Target("two", 1)


def _odd() -> dict[str, Any]:
    """A run that was interrupted, with what failed and what was left out."""
    report = bench("sqlite", "my_package.storage_of_mine:open_storage", finished=False)
    report["workloads"][1] = failed(report["workloads"][1], "StorageIOError: disk full")
    report["targets"][1]["left_out"] = ["ConfigStore: not offered"]
    return report


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
async def test_the_page_is_accessible(show: Show, width: int, scheme: str) -> None:
    """Contrast, names, roles: axe finds nothing."""
    report = _odd()
    report["workloads"] = [one for one in report["workloads"] if one["operation"] == "get"]
    shown = await show(bench_page(report), width=width, scheme=scheme)
    await shown.locator("summary").first.click()
    assert [] == await violations(shown)


async def test_a_phone_shows_it_all(show: Show) -> None:
    """Nothing is wider than 360 pixels; wide tables scroll by themselves."""
    shown = await show(bench_page(_odd()), width=360)
    await open_all(shown)
    assert 0 == await overflow(shown)


async def test_the_figures_open_with_the_keyboard(show: Show) -> None:
    """Whoever cannot see the plots finds what they show."""
    shown = await show(bench_page(bench()))
    await shown.locator("summary").first.focus()
    await press(shown, "Enter")
    assert await shown.get_by_role("cell", name="11.1k/s").first.is_visible()


async def test_the_growth_is_told_in_words(show: Show) -> None:
    """At a glance, before any plot."""
    shown = await show(bench_page(bench()))
    row = shown.locator(".glance tr", has=shown.get_by_role("link", name="list (deep page)"))
    words = [one.split() for one in await row.locator("small").all_inner_texts()]
    assert [["worse", "than", "linear"], ["flat"], ["flat"]] == words


async def test_plots_name_what_they_show() -> None:
    """Each has a title with the size at which it was measured."""
    page = bench_page(bench())
    titles = re.findall(r"<figcaption>(.*?)<", page)[:3]
    assert [
        "Calls per second, 10,000 sessions stored",
        "Time of a call: p50, p95, p99, 10,000 sessions stored",
        "Time of a call against sessions stored",
    ] == titles


async def test_cost_is_plotted_only_where_sizes_differ() -> None:
    """One point makes no curve."""
    article = bench_page(bench()).partition('id="ConfigStore-get-config"')[2]
    assert 2 == article.partition("</article>")[0].count("<figure>")


async def test_all_figures_are_in_the_tables() -> None:
    """Recall, loop stalls and memory too."""
    page = bench_page(bench("sqlite"))
    row = page.partition('id="VectorStore-search"')[2].partition("<tbody>")[2].partition("</tr>")[0]
    cells = re.findall(r">([^<>\n]+)</t[dh]>", row)
    assert [
        "sqlite", "1,000", "1", "11.1k/s", "9.22k/s to 12.4k/s", "90 µs", "171 µs", "378 µs",
        "1.89 ms", "0.987", "1.2 ms", "58.2 MiB", "5,000",
    ] == cells  # fmt: skip


async def test_an_interrupted_run_says_so() -> None:
    """Nobody takes a part for the whole."""
    warning = "The run was interrupted."
    assert [True, False] == [warning in bench_page(one) for one in (_odd(), bench())]


async def test_what_failed_and_what_was_left_out_is_told() -> None:
    """With the reason."""
    page = bench_page(_odd())
    said = ("StorageIOError: disk full", "Left out: ConfigStore: not offered")
    assert [True, True] == [one in page for one in said]


async def test_a_run_in_which_nothing_was_measured_is_a_page_too() -> None:
    """Interrupted at once."""
    report = bench(finished=False)
    report["workloads"].clear()
    assert "Nothing was measured." in bench_page(report)


async def test_an_operation_that_failed_everywhere_has_no_plot_of_nothing() -> None:
    """Its errors are in the table."""
    report = bench("sqlite")
    report["workloads"] = [failed(one, "OSError") for one in report["workloads"][:9]]
    assert (2, 9) == (
        bench_page(report).count('class="plot"'), bench_page(report).count(">OSError<"),
    )  # fmt: skip


async def test_hostile_text_is_shown_and_obeyed_nowhere(show: Show) -> None:
    """An error may say anything."""
    report = bench(HOSTILE)
    report["workloads"][0] = failed(report["workloads"][0], HOSTILE)
    shown = await show(bench_page(report))
    assert 0 == await shown.locator("script").count()


async def test_the_page_needs_no_script_and_no_other_file() -> None:
    """It can be mailed, archived and read without JavaScript."""
    page = bench_page(bench())
    forbidden = ("<script", "http://", "https://", "url(")
    assert [False] * 4 == [one in page for one in forbidden]


async def test_bars_start_at_zero_and_are_as_long_as_what_they_show() -> None:
    """Twice the throughput is a bar of twice the length."""
    plot = bars("", {"": {ONE: (100, 90, 110), TWO: (200, 190, 210)}})
    first, second = plot.bars
    assert (first.x, round(2 * first.width, 6)) == (second.x, round(second.width, 6))


async def test_logarithmic_axes_have_powers_of_ten() -> None:
    """Labelled as a person says them."""
    plot = curves("", {ONE: {100: 1e-5, 1_000: 1e-3, 10_000: 1e-1}})
    ticks = [one.text for one in plot.labels if one.kind == "tick"]
    assert ["100", "1k", "10k", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms"] == ticks


async def test_what_hardly_changes_looks_so() -> None:
    """An axis that spans a few per cent would make a mountain of noise."""
    plot = curves("", {ONE: {100: 1e-3, 10_000: 1.05e-3}})
    (start, end) = (y for _, y in plot.curves[0].points)
    assert abs(start - end) < 5


@pytest.mark.parametrize("least", [1e-9, 1e-6, 3.3e-4, 0.1, 7.0])
@pytest.mark.parametrize("factor", [1.0, 1.5, 40, 1e6])
async def test_every_point_lies_within_the_axes(least: float, factor: float) -> None:
    """Whatever was measured."""
    plot = quantiles("", {"": {ONE: (least, least * factor**0.5, least * factor)}})
    assert [True] * 3 == [96 <= one.x <= 352 for one in plot.marks[1:]]


@pytest.mark.parametrize("most", [0.02, 1, 7, 99, 1e3, 3.3e6])
async def test_figures_on_an_axis_do_not_touch(most: float) -> None:
    """They can be read."""
    plot = bars("", {"": {ONE: (most, most, most)}})
    ticks = [one for one in plot.labels if one.kind == "tick"]
    gaps = [b.x - a.x - 3 * (len(a.text) + len(b.text)) for a, b in pairwise(ticks)]
    assert (True, True) == (len(ticks) > 1, min(gaps) > 0)


async def test_targets_are_told_apart_by_more_than_colour() -> None:
    """Each has a mark of its own, and its name beside it."""
    plot = _plot_of_seven()
    marks = {one.target.name: (one.target.mark, one.target.hue) for one in plot.marks[:6]}
    names = [one.text for one in plot.labels if one.kind == "name"]
    assert (6, [f"t{n}" for n in range(7)]) == (len(set(marks.values())), names)


async def test_names_at_the_ends_of_curves_do_not_cover_each_other() -> None:
    """Where two targets cost the same, both names can be read."""
    plot = curves("", {Target(f"t{n}", n): {1: 1e-3, 100: 1e-3} for n in range(4)})
    ends = sorted(one.y for one in plot.labels if one.kind.startswith("name"))
    assert [True] * 3 == [b - a > 11 for a, b in pairwise(ends)]


def _plot_of_seven() -> Plot:
    return bars("", {"": {Target(f"t{n}", n): (n + 1, n, n + 2) for n in range(7)}})
