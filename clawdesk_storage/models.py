"""The values that cross the ports.

All are frozen. Unknown fields are refused, except in `AppConfig` and its sections, which keep them
so that an older program does not erase what a newer one configured. NaN and infinity are refused,
because JSON has neither. Timestamps carry an offset when they come in and are UTC, to the
microsecond, from then on.

The field names and defaults are those of the Rust project's types.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NewType, SupportsFloat

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue
from typing_extensions import Protocol

__all__ = [
    "AgentsConfig",
    "AnthropicConfig",
    "AppConfig",
    "ChannelId",
    "ChannelsConfig",
    "DiscordConfig",
    "GatewayConfig",
    "GoogleConfig",
    "JsonValue",
    "Message",
    "OllamaConfig",
    "OpenAIConfig",
    "ProvidersConfig",
    "Role",
    "SecurityConfig",
    "Session",
    "SessionConfig",
    "SessionId",
    "SessionState",
    "SlackConfig",
    "TelegramConfig",
    "Vector",
    "VectorResult",
    "WhatsAppConfig",
]

SessionId = NewType("SessionId", str)
"""Names one session. Any text that is not empty and holds no NUL and no lone surrogate."""

ChannelId = NewType("ChannelId", str)
"""Names one channel. The same rules as for `SessionId`."""


class SessionState(StrEnum):
    """Where a session is in its life."""

    ACTIVE = "active"
    IDLE = "idle"
    PAUSED = "paused"
    ARCHIVED = "archived"


class Role(StrEnum):
    """Who speaks in a message."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"
    TOOL_RESULT = "tool_result"


class Vector(Protocol):
    """An embedding: anything with a length whose items are real numbers.

    Lists, tuples, `array.array`, `memoryview` and NumPy arrays are vectors; sets and strings are
    not. The shape is one-dimensional: `(dimension,)`.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[SupportsFloat]: ...
    def __getitem__(self, index: int, /) -> SupportsFloat: ...


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} is outside the years 1 to 9999 in UTC") from error


def _now() -> datetime:
    return datetime.now(UTC)


def _creation(fields: dict[str, Any]) -> datetime:
    return fields.get("created_at") or _now()


_Timestamp = Annotated[AwareDatetime, AfterValidator(_in_utc)]
_Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Secret = Annotated[str | None, Field(repr=False)]


# Each class is frozen by the keyword: type checkers see it in no configuration, and in no base.
class _Value(BaseModel, frozen=True):
    # Instances are revalidated wherever they enter another model or the codec: a frozen model's
    # dicts and lists are still mutable, and what a caller did to them must not slip through.
    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", allow_inf_nan=False, revalidate_instances="always"
    )


class _Section(_Value, frozen=True):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")
    if not TYPE_CHECKING:  # a checker would take it for an argument of the constructor
        __pydantic_extra__: dict[str, JsonValue]


class Session(_Value, frozen=True):
    """One conversation's settings and counters.

    The application keeps `last_activity` and `message_count`; a store changes neither.
    """

    id: SessionId
    channel: ChannelId
    state: SessionState = SessionState.ACTIVE
    system_prompt: str = ""
    model: str | None = None
    history_limit: _Count = 50
    created_at: _Timestamp = Field(default_factory=_now)
    last_activity: _Timestamp = Field(default_factory=_creation)
    message_count: _Count = 0
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class Message(_Value, frozen=True):
    """One entry of a conversation."""

    role: Role
    content: str
    timestamp: _Timestamp = Field(default_factory=_now)
    model: str | None = None
    token_count: _Count | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])


class VectorResult(_Value, frozen=True):
    """One hit of a search: `score` is the cosine similarity, from -1 to 1."""

    id: str
    score: float
    metadata: JsonValue = None


class AgentsConfig(_Section, frozen=True):
    """How agents run. `timeout_seconds` bounds one run."""

    default_model: str = "auto"
    max_tool_iterations: int = 10
    timeout_seconds: int = 120
    streaming: bool = True


class TelegramConfig(_Section, frozen=True):
    """The Telegram channel."""

    bot_token: _Secret = None
    allowed_chat_ids: list[int] = Field(default_factory=list[int])
    enable_groups: bool = True


class DiscordConfig(_Section, frozen=True):
    """The Discord channel."""

    bot_token: _Secret = None
    application_id: int | None = None
    allowed_guild_ids: list[int] = Field(default_factory=list[int])


class SlackConfig(_Section, frozen=True):
    """The Slack channel."""

    bot_token: _Secret = None
    app_token: _Secret = None
    signing_secret: _Secret = None


class WhatsAppConfig(_Section, frozen=True):
    """The WhatsApp channel."""

    phone_number: str | None = None
    api_key: _Secret = None


class ChannelsConfig(_Section, frozen=True):
    """The channels; one without its token is not configured."""

    telegram: TelegramConfig = Field(default_factory=TelegramConfig)
    discord: DiscordConfig = Field(default_factory=DiscordConfig)
    slack: SlackConfig = Field(default_factory=SlackConfig)
    whatsapp: WhatsAppConfig = Field(default_factory=WhatsAppConfig)


class _ProviderConfig(_Section, frozen=True):
    api_key_ref: str | None = None
    api_key: _Secret = None
    default_model: str | None = None


class AnthropicConfig(_ProviderConfig, frozen=True):
    """Anthropic's models. `max_tokens` None leaves the limit to the provider."""

    max_tokens: int | None = 8192


class OpenAIConfig(_ProviderConfig, frozen=True):
    """OpenAI's models, or any server that speaks the same protocol at `base_url`."""

    base_url: str | None = None


class GoogleConfig(_ProviderConfig, frozen=True):
    """Google's models."""


class OllamaConfig(_ProviderConfig, frozen=True):
    """Models served by Ollama."""

    base_url: str | None = "http://localhost:11434"


class ProvidersConfig(_Section, frozen=True):
    """The providers; one without a key of its own or a reference to one is not configured."""

    anthropic: AnthropicConfig = Field(default_factory=AnthropicConfig)
    openai: OpenAIConfig = Field(default_factory=OpenAIConfig)
    google: GoogleConfig = Field(default_factory=GoogleConfig)
    ollama: OllamaConfig = Field(default_factory=OllamaConfig)


class SessionConfig(_Section, frozen=True):
    """What a new session starts with. `idle_timeout_seconds` is when it becomes idle."""

    history_limit: int = 50
    idle_timeout_seconds: int = 3600


class GatewayConfig(_Section, frozen=True):
    """Where the gateway listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = 18789
    auth_mode: str = "token"
    auth_token: _Secret = None
    cors_origins: list[str] = Field(default_factory=lambda: ["http://localhost:*"])


class SecurityConfig(_Section, frozen=True):
    """What agents may do. `max_file_size` is in bytes."""

    bash_enabled: bool = False
    allowed_commands: list[str] = Field(default_factory=list[str])
    sandbox: bool = True
    max_file_size: int = 50 * 1024 * 1024


class AppConfig(_Section, frozen=True):
    """The whole configuration; `AppConfig()` is a gateway's first start.

    Keys that this version does not know are kept, at the top and in every section. A secret is a
    plain string that `repr` does not show: what is saved must come back.
    """

    agents: AgentsConfig = Field(default_factory=AgentsConfig)
    channels: ChannelsConfig = Field(default_factory=ChannelsConfig)
    providers: ProvidersConfig = Field(default_factory=ProvidersConfig)
    session: SessionConfig = Field(default_factory=SessionConfig)
    gateway: GatewayConfig = Field(default_factory=GatewayConfig)
    security: SecurityConfig = Field(default_factory=SecurityConfig)
