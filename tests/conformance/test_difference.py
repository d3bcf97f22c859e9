"""What distinguishes two values."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from clawdesk_storage import Session, SessionState
from clawdesk_storage.conformance.material.samples import full_config, session
from clawdesk_storage.conformance.telling.difference import brief, difference


@pytest.mark.parametrize(
    ("expected", "came", "lines"),
    [
        (1, 1, []),
        ([1, 2], (1, 2), []),
        (True, 1, ["value: expected True (bool), came 1 (int)"]),
        (1, 1.0, ["value: expected 1 (int), came 1.0 (float)"]),
        (None, "", ["value: expected None (NoneType), came '' (str)"]),
        ([], None, ["value: expected [] (list), came None (NoneType)"]),
        ([1], [1, 2], ["length: expected 1, came 2"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: expected 1, came 2"]),
        ({"a": 1}, {}, ["a: expected 1, came nothing"]),
        ({}, {"a": 1}, ["a: expected nothing, came 1"]),
        ([{"a": 1}], [{"a": True}], ["[0].a: expected 1 (int), came True (bool)"]),
        ("é", "e\u0301", [r"value: expected '\xe9', came 'e\u0301'"]),
        (
            SessionState.ACTIVE,
            "active",
            ["value: expected <SessionState.ACTIVE: 'active'> (SessionState), came 'active' (str)"],
        ),
    ],
)
def test_each_difference_is_a_line(expected: object, came: object, lines: list[str]) -> None:
    """Types count, and the path leads to the place."""
    assert lines == difference(expected, came)


def test_a_model_differs_field_by_field() -> None:
    """Only the fields that differ are named."""
    one = session("s", metadata={"n": 1.0})
    other = session("s", metadata={"n": 1}, model="m")
    assert difference(one, other) == [
        "model: expected None (NoneType), came 'm' (str)",
        "metadata.n: expected 1.0 (float), came 1 (int)",
    ]


def test_unknown_keys_are_compared() -> None:
    """They are part of a configuration."""
    came = full_config()
    extra: Any = came.gateway.__pydantic_extra__
    del extra["explicitly_none"]
    assert difference(full_config(), came) == [
        "gateway.explicitly_none: expected None, came nothing"
    ]


def test_a_timestamp_must_be_in_utc() -> None:
    """The same instant with another offset is another text in every log."""
    at = datetime(2024, 1, 1, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=1)))
    assert difference(at, elsewhere) == [
        "value: expected a timestamp in UTC, came 2024-01-01T01:00:00+01:00"
    ]


def test_a_naive_timestamp_is_a_difference() -> None:
    """An instant without an offset is no instant."""
    at = datetime(2024, 1, 1, tzinfo=UTC)
    assert 1 == len(difference(at, at.replace(tzinfo=None)))


def test_long_texts_are_shown_where_they_part() -> None:
    """A megabyte is not printed."""
    lines = difference("x" * 1000 + "y" + "x" * 1000, "x" * 1000 + "z" + "x" * 1000)
    part = "…'xxxxxxxxxx{}xxxxxxxxxxxxxxxxxxx'… of 2001 characters, parting at 1000"
    assert [f"value: expected {part.format('y')}, came {part.format('z')}"] == lines


def test_many_differences_are_cut() -> None:
    """Eight lines show what is wrong; the rest is counted out."""
    lines = difference(list(range(100)), [n + 1 for n in range(100)])
    assert (len(lines), lines[-1]) == (9, "and more")


def test_brief_leaves_out_defaults_and_length() -> None:
    """A call fits on a line."""
    one = Session(
        id="s", channel="c", system_prompt="x" * 9999,  # pyright: ignore[reportArgumentType]
        created_at=datetime(2024, 1, 1, tzinfo=UTC), last_activity=datetime(2024, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    shown = brief(one)
    assert ("id='s'" in shown, "state" in shown, len(shown) < 300) == (True, False, True)


def test_brief_survives_any_repr() -> None:
    """A store's own class may raise in its repr."""

    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError

    assert "Rude" in brief(Rude())


def test_what_is_left_out_of_a_text_is_counted() -> None:
    """Its length is often the cause, and both ends stand in one kind of quotes."""
    assert "'" + "s" * 40 + "…(1,024 characters)…" + "s" * 11 + "a'" == brief("s" * 1023 + "a")
    assert "'it\\'s" == brief("it's" + 'x" ' * 100)[:6]
