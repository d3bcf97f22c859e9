"""Values to bytes and back, exactly or not at all."""

import json
import math
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from clawdesk_storage.conformance.material.samples import EPOCH, full_config, message, session
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


def _nested(depth: int, leaf: Any = 1, kind: str = "list") -> Any:
    """A value at that depth: in as many lists, or objects."""
    for _ in range(depth):
        leaf = [leaf] if kind == "list" else {"a": leaf}
    return leaf


def _message_with(value: Any) -> Message:
    built = message("m")
    built.metadata["x"] = value
    return built


def _session_with(value: Any) -> Session:
    built = session("s")
    built.metadata["x"] = value
    return built


def _config_with(value: Any) -> AppConfig:
    built = full_config()
    assert built.agents.__pydantic_extra__ is not None
    built.agents.__pydantic_extra__["x"] = value
    return built


def _bare(value: Any) -> Any:
    return value


_AROUND: list[Callable[[Any], Any]] = [_message_with, _session_with, _config_with, _bare]


def _itself() -> Any:
    cycle: dict[str, Any] = {}
    cycle["a"] = [cycle]
    return cycle


class _Text(str):
    __slots__ = ()


def _long(digits: int) -> int:
    return -(10**digits)


_LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.builds(_long, st.integers(4290, 4310)),
    st.floats(),
    st.text(st.characters()),
    st.sampled_from(
        ["NaN", "[" * 300, "0" * 5000, b"", (), (1,), {1}, object(), Role.USER, _Text("t")]
    ),
    st.builds(_itself),
    st.dictionaries(
        st.one_of(st.integers(), st.none(), st.text(st.characters())), st.none(), max_size=2
    ),
)
_VALUES = st.builds(
    _nested,
    st.integers(0, 300),
    st.recursive(
        _LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["list", "object"]),
)


@settings(max_examples=400, deadline=None)
@given(_VALUES, st.sampled_from(_AROUND))
def test_whatever_is_written_can_be_read(value: Any, around: Callable[[Any], Any]) -> None:
    """Deep, long or odd: it is refused, or it comes back equal in every type."""
    whole = around(value)
    try:
        data = encode(whole)
    except SerializationError:
        return
    kind: Any = type(whole) if isinstance(whole, BaseModel) else JsonValue
    assert [] == difference(_plain(whole), _plain(decode(kind, data)))


def _plain(value: Any) -> Any:
    """A value whose texts are plain: a member of an enumeration is stored as its text."""
    if isinstance(value, BaseModel):
        return {key: _plain(one) for key, one in value}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(one) for one in cast("list[Any]", value)]
    return str(value) if isinstance(value, str) else value


@pytest.mark.parametrize("around", _AROUND)
@pytest.mark.parametrize("kind", ["list", "object"])
@pytest.mark.parametrize("depth", [99, 100])
def test_nesting_to_a_depth_of_a_hundred_is_kept(
    around: Callable[[Any], Any], kind: str, depth: int
) -> None:
    """A model's or a tool's output is nested as it likes, and this much is kept for certain."""
    value = around(_nested(depth, 2**63, kind))
    read: Any = decode(type(value) if isinstance(value, BaseModel) else JsonValue, encode(value))
    assert value == read


@pytest.mark.parametrize("around", _AROUND)
@pytest.mark.parametrize("kind", ["list", "object"])
@pytest.mark.parametrize("depth", [202, 253, 260, 2000, 100_000])
def test_what_is_nested_deeper_than_it_could_be_read_is_refused(
    around: Callable[[Any], Any], kind: str, depth: int
) -> None:
    """It would be acknowledged, and then nobody could read the conversation."""
    with pytest.raises(SerializationError, match="nested too deep"):
        encode(around(_nested(depth, 1, kind)))


@pytest.mark.parametrize("around", _AROUND)
def test_a_longer_integer_than_could_be_read_is_refused(around: Callable[[Any], Any]) -> None:
    """The parser ends at 4,300 digits."""
    with pytest.raises(SerializationError, match="cannot store"):
        encode(around([-(10**4300)]))


@pytest.mark.parametrize("text", ["[" * 300, "{" * 10_000, "7" * 10_000])
def test_brackets_and_digits_in_text_are_text(text: str) -> None:
    """Only what is nested, or a number, has bounds."""
    assert text == decode(Message, encode(message(text))).content


def test_a_subclass_with_another_field_is_refused() -> None:
    """The reader asks for the contract's class, which does not know it."""

    class Reasoned(Message, frozen=True):
        reasoning: str = ""

    with pytest.raises(
        SerializationError, match="cannot store Reasoned: Message has no field 'reasoning'"
    ):
        encode(Reasoned(role=Role.ASSISTANT, content="x"))


def test_a_subclass_of_the_configuration_with_another_field_is_refused() -> None:
    """Its value would come back as that of an unknown key, in another class."""

    class Mine(AppConfig, frozen=True):
        mine: int = 1

    with pytest.raises(
        SerializationError, match="cannot store Mine: AppConfig has no field 'mine'"
    ):
        encode(Mine())


def test_a_subclass_with_methods_alone_comes_back_as_what_the_contract_knows() -> None:
    """It has nothing that could be lost."""

    class Shouting(Message, frozen=True):
        def shout(self) -> str:
            return self.content.upper()

    said = Shouting(role=Role.USER, content="x", timestamp=EPOCH)
    assert message("x") == decode(Message, encode(said))


@pytest.mark.parametrize("depth", [198, 199, 240])
@pytest.mark.parametrize("kind", ["list", "object"])
def test_a_deep_record_of_an_earlier_version_is_read(depth: int, kind: str) -> None:
    """Earlier versions wrote what they could not read, and the record is still there."""
    deep = _nested(depth, 1, kind)
    written = encode(message("m", metadata={"b": 1}))
    record = written.replace(b'{"b":1}', json.dumps({"b": [0, deep], "c": deep}).encode())
    assert {"b": [0, deep], "c": deep} == decode(Message, record).metadata
    assert deep == decode(JsonValue, json.dumps(deep).encode())


def test_a_deep_record_of_an_earlier_configuration_is_read() -> None:
    """Its unknown keys may stand in any section."""
    deep = _nested(220)
    record = json.dumps({"agents": {"x": deep}, "y": deep}).encode()
    read = decode(AppConfig, record)
    assert (deep, deep) == (getattr(read.agents, "x"), getattr(read, "y"))  # noqa: B009


@pytest.mark.parametrize(("depth", "leaf"), [(220, "NaN"), (220, "1}"), (100_000, "1")])
@pytest.mark.parametrize("kind", [JsonValue, AppConfig])
def test_a_deep_record_that_is_damaged_is_an_error(depth: int, leaf: str, kind: Any) -> None:
    """Depth is no excuse for what is no JSON, or was never written."""
    record = f'{{"a": {"[" * depth}{leaf}{"]" * depth}}}'.encode()
    with pytest.raises(SerializationError, match="damaged record of 'k'"):
        decode(kind, record, key="k")
