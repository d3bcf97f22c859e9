"""Values to bytes and back, exactly or not at all."""

import math
from typing import Any

import pytest
from pydantic import BaseModel

from clawdesk_storage import (
    AppConfig,
    JsonValue,
    Message,
    Role,
    SerializationError,
    Session,
    decode,
    encode,
)
from clawdesk_storage.conformance.material.hostile import UNSTORABLE, json_samples
from clawdesk_storage.conformance.material.samples import full_config, message, session
from clawdesk_storage.conformance.telling.difference import difference


@pytest.mark.parametrize(
    "value",
    [
        session("s", metadata=json_samples()),
        message("m", Role.TOOL, tool_call_id="", metadata=json_samples()),
        full_config(),
        AppConfig(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_comes_back_the_same(value: BaseModel) -> None:
    """Every field and type survives."""
    assert [] == difference(value, decode(type(value), encode(value)))


@pytest.mark.parametrize("value", [None, True, 1, 1.0, "", "NaN", [], {}, json_samples()], ids=str)
def test_a_json_value_comes_back_the_same(value: JsonValue) -> None:
    """Bare JSON values need no model."""
    assert [] == difference(value, decode(JsonValue, encode(value)))


@pytest.mark.parametrize(("what", "value"), [*UNSTORABLE, ("a tuple", (1, 2)), ("bytes", b"a")])
def test_what_would_not_come_back_is_refused(what: str, value: Any) -> None:
    """What was put into a model's metadata behind its back is refused."""
    bad = session("s")
    bad.metadata["list"] = [value]
    with pytest.raises(SerializationError, match=r"^serialization error: cannot store Session 's'"):
        encode(bad)


def test_a_key_that_is_no_text_is_refused() -> None:
    """JSON would turn the key 1 into "1"."""
    bad: Any = {1: "one"}
    with pytest.raises(SerializationError):
        encode(bad)


def test_a_lone_surrogate_is_refused() -> None:
    """It is no Unicode text, and has no bytes."""
    with pytest.raises(SerializationError, match="surrogate"):
        encode(message("\ud800"))


def test_a_refusal_does_not_show_the_value() -> None:
    """A configuration holds secrets, and messages end up in logs."""
    config = AppConfig.model_validate({"providers": {"openai": {"api_key": "sk-secret\ud800"}}})
    with pytest.raises(SerializationError) as caught:
        encode(config)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"role": "user"}',
        b'{"role": "user", "content": "x", "timestamp": "no"}',
        b'{"role": "nobody", "content": "x"}',
        b'{"role": "user", "content": 1}',
        b'{"role": "user", "content": "x", "unknown": 1}',
        b'{"role": "user", "content": "x", "token_count": "1"}',
        b'{"role": "user", "content": "x", "metadata": {"a": NaN}}',
        b'{"role": "user", "content": "x", "metadata": {"a": -Infinity}}',
    ],
)
def test_damaged_bytes_are_an_error_that_names_the_key(data: bytes) -> None:
    """Whoever mends the record needs to know where it is."""
    with pytest.raises(SerializationError, match=r"damaged record of 'the key'"):
        decode(Message, data, key="the key")


def test_text_that_says_nan_is_text() -> None:
    """Only numbers are refused, not words."""
    assert "NaN" == decode(Message, encode(message("NaN"))).content


def test_the_encoding_is_json() -> None:
    """Other programs can read it, and numbers keep their kind."""
    assert encode({"a": [1, 1.0, True, None, "é"]}) == b'{"a":[1,1.0,true,null,"\xc3\xa9"]}'


def test_large_numbers_survive() -> None:
    """Neither ±2^63 nor the ends of float64 are rounded."""
    numbers: JsonValue = [2**63, -(2**63), 5e-324, 1.7976931348623157e308, math.pi]
    assert numbers == decode(JsonValue, encode(numbers))


def test_decode_copies() -> None:
    """Two readings of the same bytes share nothing."""
    data = encode(session("s", metadata={"a": [1]}))
    first, second = decode(Session, data), decode(Session, data)
    first.metadata["a"] = 2
    assert {"a": [1]} == second.metadata
