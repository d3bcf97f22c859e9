"""What `SessionRevisions` and `ConfigRevisions` promise: no update is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clawdesk_storage.conformance.circumstances.cancellation import attempts
from clawdesk_storage.conformance.circumstances.together import together
from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import BAD_IDS
from clawdesk_storage.conformance.material.samples import message, session
from clawdesk_storage.conformance.trial import Opened, Trial
from clawdesk_storage.errors import ConflictError, SerializationError
from clawdesk_storage.models import AppConfig, ChannelId, Session, SessionId

_S = SessionId("s")
_ABILITY = "SessionRevisions"
_PATIENCE = 5.0
_MOST_CONFLICTS = 500
"""More than as many writers can cause: somebody always wins."""


def _store(storage: Opened) -> Any:
    return storage.sessions


def _counted(count: int, id: str = "s") -> Session:
    return session(id, "c", message_count=count, metadata={"count": count})


async def _token(store: Any, id: SessionId = _S) -> str:
    return str((await store.get_revision(id)).revision)


@law("REV-01", ability=_ABILITY)
async def a_revision_comes_with_what_get_gives(trial: Trial) -> None:
    """`get_revision` agrees with `get`, and tells the same token until the next save.

    A token read apart from its session belongs to another version of it.
    """
    async with trial.open() as storage:
        store = _store(storage)
        trial.same(None, await store.get_revision(_S), "the revision of what was never saved")
        for count in range(3):
            await store.save(_counted(count))
            came = await store.get_revision(_S)
            trial.same(await store.get(_S), came.session, "the session with its revision")
            await store.save(_counted(count, "t"))
            trial.same(came.revision, await _token(store), "the revision, after another's save")
        await store.delete(_S)
        trial.same(None, await store.get_revision(_S), "the revision of what was deleted")
        for id in BAD_IDS:
            call = store.get_revision(SessionId(id))
            await trial.refused(ValueError, call, f"get_revision of the id {id!r}")


@law("REV-02", ability=_ABILITY)
async def a_current_token_saves_and_gives_the_next(trial: Trial) -> None:
    """`save_if` with the current token stores the session, and returns the next token.

    Whoever goes on writes again without reading; and the lists see it as they see every save.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.save(_counted(0))
        token = await _token(store)
        for count in range(1, 5):
            channel = ChannelId(f"c{count}")
            saved = session(_S, channel, message_count=count)
            token = await store.save_if(saved, revision=token)
            trial.same(saved, await store.get(_S), "the session that was saved")
            trial.same(
                token, await _token(store), "the token that was returned, and the stored one"
            )
            listed = list(await store.list(10, 0))
            trial.same([saved], listed, "the list")
            trial.same([saved], list(await store.list_by_channel(channel)), "its channel")


@law("REV-03", ability=_ABILITY)
async def a_stale_token_is_a_conflict_and_changes_nothing(trial: Trial) -> None:
    """A token that is no longer current is `ConflictError`, and changes nothing.

    The session, its channel and its place in the lists stay those of the one who was first.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.save(_counted(0))
        stale = await _token(store)
        await store.save(_counted(1))
        current = await _token(store)
        for token in (stale, "", "0", "-1", current + "0", "no token", current[:-1]):
            late = session(_S, "another channel", message_count=9)
            call = store.save_if(late, revision=token)
            await trial.refused(ConflictError, call, f"save_if with the stale {token!r}")
            trial.same(_counted(1), await store.get(_S), "the session")
            there = list(await store.list_by_channel(ChannelId("another channel")))
            trial.same([], there, "the channel of the save that was refused")
            trial.same(current, await _token(store), "its revision")


@law("REV-04", ability=_ABILITY)
async def none_creates_or_conflicts(trial: Trial) -> None:
    """`save_if` with None creates the session, or is `ConflictError` where there is one.

    A token for what is absent is a conflict too: it was deleted meanwhile.
    """
    async with trial.open() as storage:
        store = _store(storage)
        token = await store.save_if(_counted(0), revision=None)
        trial.same(_counted(0), await store.get(_S), "the session that was created")
        call = store.save_if(_counted(1), revision=None)
        await trial.refused(ConflictError, call, "save_if with None of what is there")
        trial.same(_counted(0), await store.get(_S), "the session")
        other = store.save_if(_counted(1, "t"), revision=token)
        await trial.refused(ConflictError, other, "save_if of what is absent, with a token")
        trial.same(None, await store.get(SessionId("t")), "what was not created")
        bad = _counted(1, "t").model_copy(update={"metadata": {"bad": {1}}})
        call = store.save_if(bad, revision=None)
        await trial.refused(SerializationError, call, "save_if of what cannot be stored")
        trial.same(None, await store.get(SessionId("t")), "what could not be stored")


@law("REV-05", ability=_ABILITY)
async def every_save_gives_a_new_token(trial: Trial) -> None:
    """Every save gives a new token: a plain one too, an equal one, and each of a quick series.

    A token made of the content sees no change back and forth; one made of a clock sees none within
    a tick.
    """
    async with trial.open() as storage:
        store = _store(storage)
        seen: list[str] = []
        for number in range(60):
            if number % 3 == 2 and seen:
                await store.save_if(_counted(0), revision=seen[-1])
            else:
                await store.save(_counted(0))
            seen.append(await _token(store))
        trial.same(len(seen), len(set(seen)), "how many tokens there were, of equal saves")


@law("REV-06", ability=_ABILITY)
async def deleting_revives_no_old_token(trial: Trial) -> None:
    """Deleting and saving anew revives no old token.

    A count that begins anew gives the first version's token to another session.
    """
    async with trial.open() as storage:
        store = _store(storage)
        seen: set[str] = set()
        for number in range(4):
            for _ in range(number + 1):
                await store.save(_counted(0))
                token = await _token(store)
                trial.holds(token not in seen, "the token of a save", "one never given", token)
                seen.add(token)
            await store.delete(_S)
            for old in sorted(seen):
                call = store.save_if(_counted(9), revision=old)
                await trial.refused(ConflictError, call, "save_if with the token of the deleted")
            trial.same(None, await store.get(_S), "what was deleted")


@law("REV-07", ability=_ABILITY, shuffled=True)
async def incrementers_that_retry_lose_none(trial: Trial) -> None:
    """N writers that read, add one and save if nobody was first end at exactly N.

    A store that compares and then writes, with an await between, lets two win.
    """
    async with trial.open() as storage:
        await _count(trial, [_store(storage)], SessionId("one"))
        if trial.backend.shared:
            async with trial.open() as other:
                await _count(trial, [_store(storage), _store(other)], SessionId("two"))


async def _count(trial: Trial, stores: Sequence[Any], id: SessionId) -> None:
    await stores[0].save(_counted(0, id))

    async def increment(store: Any) -> None:
        added = conflicts = 0
        while added < 5:
            found = await store.get_revision(id)
            try:
                more = _counted(found.session.message_count + 1, id)
                await store.save_if(more, revision=found.revision)
                added += 1
            except ConflictError:
                conflicts += 1
                if conflicts > _MOST_CONFLICTS:
                    raise

    writers = [store for store in stores for _ in range(4)]
    await together(*map(increment, writers))
    expected = _counted(5 * len(writers), id)
    trial.same(expected, await stores[-1].get(id), f"the session after {5 * len(writers)} updates")


@law("REV-08", ability=_ABILITY, shuffled=True)
async def of_many_creators_one_wins(trial: Trial) -> None:
    """Of N creators of one session one wins, and what is stored is what the winner saved.

    Two servers that both greet a new user would both believe to be the first.
    """
    async with trial.open() as storage:
        store = _store(storage)
        for number in range(8):
            id, won = f"s{number}", list[int]()

            async def create(count: int, id: str = id, won: list[int] = won) -> None:
                try:
                    await store.save_if(_counted(count, id), revision=None)
                except ConflictError:
                    return
                won.append(count)

            await together(*map(create, range(1, 6)))
            trial.same(1, len(won), "how many of the creators won")
            trial.same(_counted(won[0], id), await store.get(SessionId(id)), "the session")


@law("REV-09", ability=_ABILITY)
async def a_lone_writer_never_conflicts(trial: Trial) -> None:
    """A lone writer never conflicts, however quick, whatever happens to other things meanwhile.

    A token for the whole store, or one that an append to the conversation renews, makes everybody
    wait for everybody.
    """
    async with trial.open() as storage:
        store = _store(storage)
        token = await store.save_if(_counted(0), revision=None)
        for count in range(1, 400):
            token = await store.save_if(_counted(count), revision=token)
            if count % 40 == 0:
                await store.save(_counted(count, "other"))
                if "conversations" in storage.raw:
                    await storage.conversations.append_message(_S, message("m"))
                if "config" in storage.raw:
                    await storage.config.save_config(AppConfig())
        trial.same(_counted(399), await store.get(_S), "the session")


@law("REV-10", ability=_ABILITY)
async def a_token_is_good_everywhere(trial: Trial) -> None:
    """The same token is told after reopening and by another handle, and saves there.

    It is sent as an ETag to a browser, and comes back to another server.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.save(_counted(0))
        token = await _token(store)
        if trial.backend.shared:
            async with trial.open() as other:
                trial.same(token, await _token(_store(other)), "the token, through another handle")
                token = await _store(other).save_if(_counted(1), revision=token)
            trial.same(token, await _token(store), "the token of the other handle's save")
            stale = store.save_if(_counted(5), revision=token + "x")
            await trial.refused(ConflictError, stale, "a wrong token after the other's save")
    if trial.backend.durable:
        async with trial.open() as storage:
            store = _store(storage)
            trial.same(token, await _token(store), "the token, after reopening")
            await store.save_if(_counted(2), revision=token)
            trial.same(_counted(2), await store.get(_S), "the session, saved after reopening")


@law("REV-11", ability=_ABILITY)
async def deleting_with_a_token_keeps_what_was_saved_meanwhile(trial: Trial) -> None:
    """`delete_if` deletes with the current token, and is `ConflictError` with any other.

    What was cleaned away as idle had just been spoken to, and its user lost the thread.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.save(_counted(0))
        stale = await _token(store)
        await store.save(_counted(1))
        call = store.delete_if(_S, revision=stale)
        await trial.refused(ConflictError, call, "delete_if with a stale token")
        trial.same(_counted(1), await store.get(_S), "the session")
        current = await _token(store)
        await store.save(_counted(7, "t"))
        await store.delete_if(_S, revision=current)
        trial.same(None, await store.get(_S), "what was deleted")
        trial.same([_counted(7, "t")], list(await store.list(10, 0)), "the list")
        call = store.delete_if(_S, revision=current)
        await trial.refused(ConflictError, call, "delete_if of what is absent")


@law("REV-12", ability=_ABILITY)
async def a_cancelled_save_if_took_place_or_did_not(trial: Trial) -> None:
    """A `save_if` that is cancelled took place or did not, and its token says which.

    A session that changed while its token did not lets the next writer overwrite it unseen.
    """
    async with trial.open() as storage:
        store = _store(storage)
        await store.save(_counted(0))
        state: dict[str, Any] = {"count": 0, "token": await _token(store)}

        async def call() -> None:
            await store.save_if(_counted(state["count"] + 1), revision=state["token"])

        async for attempt in attempts(call, timeout=_PATIENCE):
            found = await store.get_revision(_S)
            before, count = state["count"], found.session.message_count
            trial.holds(
                count in (before, before + 1), f"the session after {attempt}",
                f"number {before} or {before + 1}", count,
            )  # fmt: skip
            changed = found.revision != state["token"]
            trial.same(count != before, changed, f"whether the token changed, after {attempt}")
            state = {"count": count, "token": found.revision}
            if attempt.suspension > 40:
                break


@law("REV-13", ability="ConfigRevisions", shuffled=True)
async def revisions_hold_for_the_configuration(trial: Trial) -> None:
    """All of it holds for the configuration: its token guards it, and every save renews that.

    Two administrators with the settings open save one after the other.
    """
    async with trial.open() as storage:
        store: Any = storage.config
        none = await store.get_config_revision()
        trial.same((AppConfig(), None), tuple(none), "the configuration that was never saved")
        token = await store.save_config_if(_marked(0), revision=None)
        trial.same((_marked(0), token), tuple(await store.get_config_revision()), "what was saved")
        seen = {token}
        for number in range(20):
            await store.save_config(_marked(0))
            token = (await store.get_config_revision()).revision
            trial.holds(token not in seen, "the token of a save", "one never given", token)
            seen.add(token)
            for stale in (None, "", *sorted(seen - {token})[:3]):
                call = store.save_config_if(_marked(9), revision=stale)
                await trial.refused(ConflictError, call, f"a save with the stale {stale!r}")
            trial.same(_marked(0), await store.get_config(), f"the configuration, round {number}")
        bad = _marked(3).model_copy(update={"mark": {1}})
        call = store.save_config_if(bad, revision=token)
        await trial.refused(SerializationError, call, "a configuration that cannot be stored")
        await store.save_config(_marked(0))
        await _expect_counted(trial, [store] * 4)
        if trial.backend.shared:
            async with trial.open() as other:
                await store.save_config(_marked(0))
                await _expect_counted(trial, [store, other.config] * 2)
    if trial.backend.durable:
        async with trial.open() as storage:
            store = storage.config
            found = await store.get_config_revision()
            trial.same(_marked(12), found.config, "the configuration, after reopening")
            await store.save_config_if(_marked(13), revision=found.revision)


async def _expect_counted(trial: Trial, stores: Sequence[Any]) -> None:
    async def increment(store: Any) -> None:
        added = tried = 0
        while added < 3 and tried < _MOST_CONFLICTS:
            added += await _add_one(store)
            tried += 1

    await together(*map(increment, stores))
    expected = _marked(3 * len(stores))
    trial.same(expected, await stores[0].get_config(), f"after {3 * len(stores)} updates")


async def _add_one(store: Any) -> bool:
    """Add one to the mark, and tell whether nobody else was first."""
    found = await store.get_config_revision()
    mark = found.config.model_dump().get("mark", 0)
    try:
        await store.save_config_if(_marked(mark + 1), revision=found.revision)
    except ConflictError:
        return False
    return True


def _marked(mark: int) -> AppConfig:
    return AppConfig.model_validate({"mark": mark})
