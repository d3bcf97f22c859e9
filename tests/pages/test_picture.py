"""The picture of the matrix."""

from xml.etree import ElementTree as ET

from clawdesk_storage.pages.picture import matrix_picture
from tests.pages.samples import HOSTILE, mixed, report

_SVG = "{http://www.w3.org/2000/svg}"


def _kinds(root: ET.Element) -> list[str | None]:
    return [one.get("class") for one in root.iter(f"{_SVG}use")]


def _texts(root: ET.Element) -> list[str | None]:
    return [one.text for one in root.iter(f"{_SVG}text")]


def test_every_law_has_a_mark() -> None:
    """For each backend, and one in the legend."""
    assert ["passed"] * (6 + 6 + 1) == _kinds(ET.fromstring(matrix_picture([report(), report()])))


def test_every_outcome_has_a_mark_of_its_own() -> None:
    """More than a colour tells them apart."""
    root = ET.fromstring(matrix_picture(mixed()))
    drawn = {one.get("id") for one in root.iter(f"{_SVG}path") if one.get("id")}
    assert set(_kinds(root)) == drawn


def test_it_says_who_conforms() -> None:
    """In words too."""
    said = _texts(ET.fromstring(matrix_picture(mixed())))
    assert ["conforms, 6/6", "does not conform, 5/6"] == [
        one for one in said if one and "conform" in one
    ][:2]


def test_it_says_what_is_claimed() -> None:
    """And what share of the nearest neighbours is found."""
    said = _texts(ET.fromstring(matrix_picture([report()])))
    assert {"durable, shared", "corruption, recall 0.95"} <= set(said)


def test_hostile_names_do_not_break_it() -> None:
    """It stays well-formed."""
    assert "svg" in ET.fromstring(matrix_picture([report(HOSTILE)])).tag


def test_it_follows_the_colour_scheme() -> None:
    """A README is read in the dark too."""
    assert "prefers-color-scheme: dark" in matrix_picture([report()])
