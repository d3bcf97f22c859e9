"""What a `ConfigStore` promises."""

from typing import Any

from clawdesk_storage.conformance.law import law
from clawdesk_storage.conformance.material.hostile import TEXTS, UNSTORABLE
from clawdesk_storage.conformance.material.samples import (
    changed_configs,
    full_config,
    worded_config,
)
from clawdesk_storage.conformance.trial import Trial
from clawdesk_storage.errors import SerializationError
from clawdesk_storage.models import AppConfig
from clawdesk_storage.ports import ConfigStore


def _config(**sections: Any) -> AppConfig:
    return AppConfig.model_validate(sections)


async def _expect_config(trial: Trial, store: ConfigStore, expected: AppConfig, what: str) -> None:
    for reading in ("first", "second"):
        trial.same(expected, await store.get_config(), f"{what}, {reading} reading")


@law("CFG-01")
async def nothing_saved_is_the_default(trial: Trial) -> None:
    """With nothing saved, `get_config` is `AppConfig()`; what is saved takes its place.

    A first start must not fail, and reading must not save: a later version's defaults would never
    reach who never changed them.
    """
    async with trial.open() as storage:
        store = storage.config
        await _expect_config(trial, store, AppConfig(), "with nothing saved")
        changed = _config(gateway={"port": 1}, agents={"streaming": False})
        await store.save_config(changed)
        await _expect_config(trial, store, changed, "after the first save")


@law("CFG-02")
async def what_was_saved_comes_back(trial: Trial) -> None:
    """What was saved comes back equal: secrets, keys this version does not know, explicit None.

    A secret type that dumps as asterisks, a serialiser that leaves out None or defaults, and a
    model that ignores what it does not know each lose a part of a user's configuration.
    """
    async with trial.open() as storage:
        store = storage.config
        full = full_config()
        await store.save_config(full)
        await _expect_config(trial, store, full, "a configuration with nothing at its default")
        for what, changed in changed_configs():
            await store.save_config(changed)
            trial.same(changed, await store.get_config(), f"saved with {what}")
        for text in (*_TEXTS, *TEXTS):
            worded = worded_config(text)
            await store.save_config(worded)
            trial.same(worded, await store.get_config(), f"saved with the text {text[:40]!r}")
        numbers = [2**53 + 1, -1, 2**53 + 1]
        keys = {"UPPER": 1, "a.b": {"c": 2}, "": 3, "with space": True, "n": 2**63}
        odd = _config(channels={"telegram": {"allowed_chat_ids": numbers}}, gateway=keys, **keys)
        await store.save_config(odd)
        await _expect_config(trial, store, odd, "saved with odd keys and large numbers")
        appended = AppConfig()
        appended.security.allowed_commands.append("ls")
        await store.save_config(appended)
        await _expect_config(trial, store, appended, "a default whose list was appended to")


# What a file format, a shell or a tidy mind would make something else of.
_TEXTS = (
    " sk-key\n", "${HOME}", "$HOME", "%(a)s", "100%%", "a # b", "; c", "a = b", "[section]",
    "LOCALHOST", "http://host/", "http://host//a/../b", "yes", "no", "on", "off", "~", "0x10",
    "1e3", "08:30", "'a'", "*****", "**********", "SecretStr('a')", "!!python", "&a", "*a", "- a",
    "a: b", "\\", "x" * 300,
)  # fmt: skip


@law("CFG-03")
async def save_config_replaces_all_of_it(trial: Trial) -> None:
    """`save_config` replaces all of it: a section or key left out is gone.

    A deep merge keeps the API key that was removed for being leaked.
    """
    async with trial.open() as storage:
        store = storage.config
        full = full_config()
        versions = [
            full,
            AppConfig(),
            full,
            _config(future={"a": {"b": 1}, "c": 2}, channels={"telegram": {"bot_token": "t"}}),
            _config(future={"a": {"d": 3}}, channels={"telegram": {"allowed_chat_ids": [1, 2]}}),
            _config(future={"a": {}}, channels={"telegram": {"allowed_chat_ids": [3]}}),
            _config(future=[], security={"allowed_commands": ["ls", "cat"], "future": 1}),
            _config(security={"allowed_commands": []}),
            _config(future=None),
            # Equal by `==`, and yet three values.
            _config(future=True),
            _config(future=1),
            _config(future=1.0),
            _config(future="x" * (1 << 20)),
            AppConfig(),
        ]
        for number, version in enumerate(versions):
            await store.save_config(version)
            await _expect_config(trial, store, version, f"version {number + 1}")
        mine = AppConfig()
        for text in ("one", "two", "three"):
            mine.security.allowed_commands.append(text)
            await store.save_config(mine)
            saved = _config(security=mine.security.model_dump())
            await _expect_config(trial, store, saved, "the same object, changed and saved again")


def _defaceable() -> AppConfig:
    return _config(
        channels={"telegram": {"allowed_chat_ids": [1, 2]}},
        security={"allowed_commands": ["ls"]},
        future={"nested": {"changed": "no"}, "list": [{"changed": "no"}]},
    )


def _deface(config: AppConfig) -> None:
    config.channels.telegram.allowed_chat_ids.append(3)
    config.security.allowed_commands.clear()
    config.gateway.cors_origins.append("*")
    extra: Any = config.__pydantic_extra__
    extra["added"] = "later"
    extra["future"]["nested"]["changed"] = "later"
    extra["future"]["list"][0]["changed"] = "later"


@law("CFG-04")
async def later_changes_by_the_caller_are_not_configured(trial: Trial) -> None:
    """What a caller does later to a configuration it saved or was given changes nothing stored.

    That holds for the default too: an allowed command appended to a list that every caller shares
    is allowed for all.
    """
    async with trial.open() as storage:
        store = storage.config
        given = await store.get_config()
        trial.note("the caller changes the default that it was given")
        given.security.allowed_commands.append("rm")
        await _expect_config(trial, store, AppConfig(), "after the default was changed")
        for _ in range(2):
            mine = _defaceable()
            await store.save_config(mine)
            trial.note("the caller changes the configuration that it saved")
            _deface(mine)
            await _expect_config(trial, store, _defaceable(), "after what was saved was changed")
            for _ in range(2):
                given = await store.get_config()
                trial.note("the caller changes the configuration that it was given")
                _deface(given)
                await _expect_config(trial, store, _defaceable(), "after what came was changed")


@law("CFG-05")
async def a_configuration_that_cannot_be_stored_is_refused(trial: Trial) -> None:
    """A configuration that cannot be stored is `SerializationError`, and the earlier one stays.

    A file that is truncated before the new text is ready, or a NaN that becomes null, loses it.
    """
    async with trial.open() as storage:
        store = storage.config
        for earlier in (AppConfig(), full_config()):
            if earlier != AppConfig():
                await store.save_config(earlier)
            for what, value in UNSTORABLE:
                bad = _config(future={"list": []}, gateway={"port": 2})
                extra: Any = bad.__pydantic_extra__
                extra["future"]["list"].append(value)
                await trial.refused(SerializationError, store.save_config(bad), f"save of {what}")
                await _expect_config(trial, store, earlier, f"after {what} was refused")
        surrogate = _config(gateway={"auth_token": "a\ud800"}, future={"a": ["\udfff"]})
        try:
            await store.save_config(surrogate)
        except SerializationError:
            surrogate = full_config()
        # An encoding that keeps a lone surrogate is honest too; one that replaces it is not.
        await _expect_config(trial, store, surrogate, "a lone surrogate, kept or refused")
