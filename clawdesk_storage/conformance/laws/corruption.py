"""What a storage promises when what it stored is damaged."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from clawdesk_storage.conformance.circumstances.damaged import damage
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.numbered import angle, config, version
from clawdesk_storage.conformance.material.samples import message
from clawdesk_storage.conformance.telling.difference import brief
from clawdesk_storage.conformance.trial import Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import ChannelId, SessionId

_ALL = 10**6
_IDS = ("first key", "second key")


async def _damage(trial: Trial, port: str) -> None:
    if trial.backend.corrupt is None:  # the runner tries this law only where there is a hook
        raise RuntimeError("a corruption law needs a corrupt hook")
    trial.note(f"every stored record of {port} is damaged")
    await trial.backend.corrupt(trial.location(), port)


async def _expect_damaged(
    trial: Trial, call: Callable[[], Awaitable[object]], what: str, keys: Sequence[str]
) -> None:
    """Expect the same error twice: a read neither mends a record nor drops it."""
    for reading in ("first", "second"):
        try:
            came = brief(await call())
        except SerializationError as error:
            named = not keys or any(key in str(error) for key in keys)
            expected = f"SerializationError naming {' or '.join(map(repr, keys))}"
            trial.holds(named, f"{what}, {reading} reading", expected, str(error))
        else:
            trial.violated(f"{what}, {reading} reading", "SerializationError", came)


@law("COR-01", claim="corruption")
async def a_damaged_session_is_an_error(trial: Trial) -> None:
    """A damaged session is `SerializationError` naming its id, on `get` and in both lists.

    It is never skipped, replaced by a default or overwritten by a read; saving it anew mends it. A
    list that leaves out what it cannot read hides the loss from everybody.
    """
    async with trial.open() as storage:
        for number, id in enumerate(_IDS):
            await storage.sessions.save(version(id, number))
    await _damage(trial, "sessions")
    async with trial.open() as storage:
        store = storage.sessions
        for number, id in enumerate(_IDS):
            key, channel = SessionId(id), ChannelId(f"channel {number}")
            await _expect_damaged(trial, partial(store.get, key), f"get({id!r})", [id])
            by_channel = f"list_by_channel({channel!r})"
            await _expect_damaged(trial, partial(store.list_by_channel, channel), by_channel, _IDS)
        await _expect_damaged(trial, partial(store.list, _ALL, 0), "list", _IDS)
        for number, id in enumerate(_IDS):
            await store.save(version(id, number))
            mended = await store.get(SessionId(id))
            trial.same(version(id, number), mended, "a damaged session, saved anew")
        listed = sorted(one.id for one in await store.list(_ALL, 0))
        trial.same(sorted(_IDS), listed, "the list, after all was saved anew")
    await damage(trial, "sessions", 1)


@law("COR-02", claim="corruption")
async def a_damaged_message_is_an_error(trial: Trial) -> None:
    """A damaged message is `SerializationError` naming its session; it is never skipped.

    Clearing the conversation removes it. A history that leaves out what it cannot read answers a
    question that was never asked.
    """
    async with trial.open() as storage:
        for id in _IDS:
            for content in ("one", "two", "three"):
                await storage.conversations.append_message(SessionId(id), message(content))
    await _damage(trial, "conversations")
    async with trial.open() as storage:
        store = storage.conversations
        for id in _IDS:
            key = SessionId(id)
            for limit in (_ALL, 1):
                await _expect_damaged(
                    trial,
                    partial(store.get_messages, key, limit),
                    f"get_messages({id!r}, limit={limit})",
                    [id],
                )
            await store.clear(key)
            trial.same([], await store.get_messages(key, _ALL), "a damaged conversation, cleared")
            await store.append_message(key, message("anew"))
            anew = await store.get_messages(key, _ALL)
            trial.same([message("anew")], anew, "a damaged conversation, begun anew")
    await damage(trial, "conversations", 2)


@law("COR-03", claim="corruption")
async def a_damaged_configuration_is_an_error(trial: Trial) -> None:
    """A damaged configuration is `SerializationError`; it is never replaced by the default.

    A gateway that starts with the default has sandbox and token of the default, too. Saving a
    configuration anew mends it.
    """
    async with trial.open() as storage:
        await storage.config.save_config(config(1))
    await _damage(trial, "config")
    async with trial.open() as storage:
        await _expect_damaged(trial, storage.config.get_config, "get_config", [])
        await storage.config.save_config(config(2))
        trial.same(config(2), await storage.config.get_config(), "the configuration, saved anew")
    await damage(trial, "config", 3)


@law("COR-04", claim="corruption")
async def a_damaged_vector_is_an_error(trial: Trial) -> None:
    """A damaged vector or its metadata is `SerializationError` naming its id, in a search.

    It is never skipped, and never found with a score of noise. Storing it anew mends it.
    """
    async with trial.open() as storage:
        for number, id in enumerate(_IDS):
            await storage.vectors.upsert(id, angle(number), metadata={"number": number})
    await _damage(trial, "vectors")
    async with trial.open() as storage:
        store = storage.vectors
        for top_k in (_ALL, len(_IDS)):
            await _expect_damaged(
                trial, partial(store.search, angle(0), top_k), f"top {top_k}", _IDS
            )
        for number, id in enumerate(_IDS):
            await store.upsert(id, angle(number), metadata={"number": number})
        came = [one.id for one in await store.search(angle(0), _ALL)]
        trial.same(list(_IDS), came, "the vectors, stored anew")
    await damage(trial, "vectors", 4)


@law("COR-05", claim="corruption")
async def damage_to_one_port_leaves_the_others(trial: Trial) -> None:
    """Damage to the records of one port leaves the other ports readable.

    A store that reads everything on opening makes one damaged session the loss of all.
    """
    async with trial.open() as storage:
        ports = list(storage.raw)
        id = SessionId("s")
        if "sessions" in ports:
            await storage.sessions.save(version("s", 1))
        if "conversations" in ports:
            await storage.conversations.append_message(id, message("one"))
        if "config" in ports:
            await storage.config.save_config(config(1))
        if "vectors" in ports:
            await storage.vectors.upsert("s", angle(1), metadata=1)
    damaged: list[str] = []
    for port in ports[:-1]:
        await _damage(trial, port)
        damaged.append(port)
        async with trial.open() as storage:
            what = f"where {' and '.join(damaged)} are damaged"
            if "conversations" in ports and "conversations" not in damaged:
                came = await storage.conversations.get_messages(id, _ALL)
                trial.same([message("one")], came, f"the messages {what}")
            if "config" in ports and "config" not in damaged:
                trial.same(config(1), await storage.config.get_config(), f"configuration {what}")
            if "vectors" in ports:
                found = await storage.vectors.search(angle(0), _ALL)
                trial.same([1], [one.metadata for one in found], f"the vectors {what}")
