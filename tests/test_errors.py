"""The four errors, and how a driver's exceptions become them."""

import copy
import pickle
import traceback

import pytest

from clawdesk_storage import (
    ConflictError,
    ConnectionFailedError,
    NotFoundError,
    SerializationError,
    StorageError,
    StorageIOError,
    translate_errors,
)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NotFoundError, "item not found: why {0}"),
        (ConnectionFailedError, "storage connection failed: why {0}"),
        (SerializationError, "serialization error: why {0}"),
        (StorageIOError, "storage I/O error: why {0}"),
    ],
)
def test_the_messages_are_those_of_the_rust_crate(kind: type[StorageError], words: str) -> None:
    """Each class has its words, and the detail follows them as it is, braces included."""
    assert words == str(kind("why {0}"))


def test_an_error_can_be_copied() -> None:
    """A copy says the same."""
    assert str(copy.copy(NotFoundError("x"))) == "item not found: x"


def test_an_error_can_be_sent_to_another_process() -> None:
    """Its pickle says the same."""
    assert str(pickle.loads(pickle.dumps(NotFoundError("x")))) == "item not found: x"


def test_the_detail_is_kept_apart() -> None:
    """The reason can be read without the class's own words."""
    assert "x" == NotFoundError("x").detail


class _DriverError(Exception):
    pass


class _LockedError(_DriverError):
    pass


_TABLE = {_DriverError: StorageIOError, _LockedError: ConnectionFailedError}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (_DriverError("d"), StorageIOError),
        (_LockedError("l"), ConnectionFailedError),
        (ConnectionResetError("r"), ConnectionFailedError),
        (TimeoutError("t"), ConnectionFailedError),
        (FileNotFoundError("f"), NotFoundError),
        (PermissionError("p"), StorageIOError),
        (OSError(28, "No space left on device"), StorageIOError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_the_most_specific_class_decides(raised: Exception, expected: type[StorageError]) -> None:
    """The table and the system's own errors are looked up along the exception's ancestors."""
    with pytest.raises(StorageError) as caught, translate_errors(_TABLE):
        raise raised
    assert (expected, raised) == (type(caught.value), caught.value.__cause__)


@pytest.mark.parametrize("error", [ValueError("v"), KeyError("k"), SerializationError("s")])
def test_everything_else_passes(error: Exception) -> None:
    """A caller's mistake, a bug and an error already translated stay what they are."""
    with pytest.raises(type(error)) as caught, translate_errors(_TABLE):
        raise error
    assert error is caught.value


def test_a_function_decides_where_the_class_does_not_tell() -> None:
    """Drivers that put everything into one class carry a code."""

    def by_text(error: Exception) -> StorageError:
        return NotFoundError(error) if "gone" in str(error) else StorageIOError(error)

    with pytest.raises(NotFoundError), translate_errors({_DriverError: by_text}):
        raise _DriverError("gone")


def test_the_system_errors_can_be_overridden() -> None:
    """A backend may know better what a missing file means."""
    with (
        pytest.raises(ConnectionFailedError),
        translate_errors({FileNotFoundError: ConnectionFailedError}),
    ):
        raise FileNotFoundError("socket")


def test_the_traceback_leads_to_the_call_that_failed() -> None:
    """A block may hold ten calls, and whoever reads the report needs the one."""

    def second_call() -> None:
        raise _DriverError("d")

    def block() -> None:
        with translate_errors(_TABLE):
            len("the first call")
            second_call()

    with pytest.raises(StorageIOError) as caught:
        block()
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert ["second_call()", 'raise _DriverError("d")'] == [frame.line for frame in frames[-2:]]


def test_a_conflict_has_words_of_its_own() -> None:
    """It is the one error beside the four of the Rust crate."""
    assert "conflict: session 's' has been saved" == str(
        ConflictError("session 's' has been saved")
    )
