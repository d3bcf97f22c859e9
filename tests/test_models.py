"""The values that cross the ports."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from clawdesk_storage import (
    AppConfig,
    ChannelId,
    Message,
    Role,
    Session,
    SessionId,
    SessionState,
    VectorResult,
)

_ID, _CHANNEL = SessionId("s"), ChannelId("c")


def test_a_session_starts_with_the_rust_projects_defaults() -> None:
    """What is not given is what the Rust type starts with, and both instants are the same."""
    one = Session(id=_ID, channel=_CHANNEL)
    assert (SessionState.ACTIVE, "", None, 50, 0, {}, one.created_at) == (
        one.state,
        one.system_prompt,
        one.model,
        one.history_limit,
        one.message_count,
        one.metadata,
        one.last_activity,
    )


def test_the_states_and_roles_are_in_lower_case() -> None:
    """They are text wherever text is expected."""
    assert ["active", "idle", "paused", "archived"] == list(SessionState)
    assert ["user", "assistant", "system", "tool", "tool_result"] == list(Role)


def test_a_timestamp_becomes_utc_with_its_microseconds() -> None:
    """The instant stays, the offset goes."""
    at = datetime(2024, 1, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))
    one = Message(role=Role.USER, content="", timestamp=at)
    expected = datetime(2024, 1, 1, 17, 0, 0, 123456, tzinfo=UTC)
    assert (expected, UTC) == (one.timestamp, one.timestamp.tzinfo)


@pytest.mark.parametrize(
    "fields",
    [
        {"created_at": datetime(2024, 1, 1)},
        {"created_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
        {"created_at": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=2)))},
        {"unknown": 1},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": {"b": [float("inf")]}}},
        {"metadata": {1: 2}},
        {"metadata": {"a": (1, 2)}},
        {"history_limit": -1},
        {"message_count": 2**63},
        {"state": "asleep"},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any]) -> None:
    """Naive timestamps, unknown fields, NaN and numbers out of range never enter a value."""
    with pytest.raises(ValidationError):
        Session(id=_ID, channel=_CHANNEL, **fields)


def test_values_are_frozen() -> None:
    """A changed session is another session: `model_copy(update=...)`."""
    one: Any = Session(id=_ID, channel=_CHANNEL)
    with pytest.raises(ValidationError):
        one.state = SessionState.IDLE


def test_metadata_keeps_the_kinds_of_numbers_apart() -> None:
    """True, 1 and 1.0 are three values."""
    result = VectorResult(id="v", score=1, metadata=[True, 1, 1.0])
    assert isinstance(result.metadata, list)
    assert [bool, int, float] == [type(one) for one in result.metadata]


def test_the_default_configuration_is_the_rust_projects() -> None:
    """A first start listens on the loopback, asks for a token and lets agents do little."""
    config = AppConfig()
    assert (
        config.gateway.host,
        config.gateway.port,
        config.gateway.auth_mode,
        config.gateway.cors_origins,
    ) == ("127.0.0.1", 18789, "token", ["http://localhost:*"])
    assert (
        config.agents.default_model,
        config.agents.max_tool_iterations,
        config.agents.timeout_seconds,
        config.agents.streaming,
    ) == ("auto", 10, 120, True)
    assert (
        config.security.bash_enabled,
        config.security.allowed_commands,
        config.security.sandbox,
        config.security.max_file_size,
    ) == (False, [], True, 50 * 2**20)
    assert (config.session.history_limit, config.session.idle_timeout_seconds) == (50, 3600)
    assert (
        config.providers.anthropic.max_tokens,
        config.providers.ollama.base_url,
    ) == (8192, "http://localhost:11434")


def test_a_configuration_keeps_what_it_does_not_know() -> None:
    """An older program must not erase what a newer one configured."""
    tree: dict[str, Any] = {"gateway": {"tls": {"cert": None}}, "plugins": ["a"], "x": None}
    dumped = AppConfig.model_validate(tree).model_dump(exclude_unset=True)
    assert tree == dumped


def test_an_unknown_key_must_still_be_json() -> None:
    """What cannot be stored is refused where it enters."""
    with pytest.raises(ValidationError):
        AppConfig.model_validate({"x": {"y": object()}})


def test_a_secret_is_hidden_from_repr_and_kept_in_dumps() -> None:
    """Logs do not show it, and what is saved comes back."""
    config = AppConfig.model_validate({"providers": {"anthropic": {"api_key": "sk-secret"}}})
    assert "sk-secret" not in repr(config)
    assert "sk-secret" == config.model_dump(mode="json")["providers"]["anthropic"]["api_key"]


def test_two_configurations_share_no_list() -> None:
    """A default list belongs to one configuration."""
    AppConfig().security.allowed_commands.append("rm")
    assert [] == AppConfig().security.allowed_commands
