"""Records outlive deletes, torn logs and failed writes."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clawdesk_storage import SerializationError

from clawdesk_sochdb.records import Records

FULL_DISK = """
import resource, sys
from pathlib import Path
from clawdesk_sochdb.engine import SochDBError
from clawdesk_sochdb.records import Records
from clawdesk_storage import ConnectionFailedError, StorageIOError

records = Records(Path(sys.argv[1]))
with records.writing() as changes:
    changes.put(b"k/before", b"value")
records.commit()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    with records.writing() as changes:
        changes.put(b"k/during", b"value" * 40_000)
    records.commit()
except (SochDBError, StorageIOError):
    print("refused")
for call in (lambda: records.get(b"k/before", "k"), lambda: records.writing().__enter__()):
    try:
        call()
    except ConnectionFailedError:
        print("closed")
records.close()
"""


def put(records: Records, key: bytes, value: bytes) -> None:
    """Store one record."""
    with records.writing() as changes:
        changes.put(key, value)
    records.commit()


def delete(records: Records, key: bytes) -> None:
    """Delete one record."""
    with records.writing() as changes:
        changes.delete(key)
    records.commit()


def log_of(location: Path) -> Path:
    """Return the engine's log in a location."""
    return location / "sochdb" / "wal.log"


def tear(location: Path) -> None:
    """Leave the location as a kill in the middle of a write does."""
    (location / "seal.json").unlink()
    log = log_of(location)
    os.truncate(log, log.stat().st_size - 10)


def test_deleted_record_stays_deleted(tmp_path: Path) -> None:
    """What was deleted is gone after reopening too, to get and to scan."""
    records = Records(tmp_path)
    put(records, b"k/1", b"value")
    delete(records, b"k/1")
    records.close()
    records = Records(tmp_path)
    assert (records.get(b"k/1", "k"), list(records.scan(b"k/"))) == (None, [])
    records.close()


def test_failed_block_stores_nothing(tmp_path: Path) -> None:
    """An exception inside `writing` undoes all of its puts."""
    records = Records(tmp_path)
    with contextlib.suppress(KeyError), records.writing() as changes:
        changes.put(b"k/1", b"value")
        raise KeyError
    put(records, b"k/2", b"value")
    assert list(records.scan(b"k/")) == [("2", b"value")]
    records.close()


def test_torn_log_loses_nothing_written_later(tmp_path: Path) -> None:
    """What is written after a torn record is there at the next opening, and the torn one is not."""
    records = Records(tmp_path)
    put(records, b"k/1", b"before")
    put(records, b"k/2", b"in flight")
    records.close()
    tear(tmp_path)
    records = Records(tmp_path)
    put(records, b"k/3", b"later")
    records.close()
    records = Records(tmp_path)
    assert list(records.scan(b"k/")) == [("1", b"before"), ("3", b"later")]
    records.close()


def test_unfinished_rewriting_is_begun_anew(tmp_path: Path) -> None:
    """What an interrupted rewriting left behind does not get into the records."""
    left = Records(tmp_path / "left")
    put(left, b"k/left", b"value")
    left.close()
    records = Records(tmp_path / "data")
    put(records, b"k/1", b"value")
    records.close()
    (tmp_path / "data" / "seal.json").unlink()
    (tmp_path / "left" / "sochdb").rename(tmp_path / "data" / "rewritten")
    records = Records(tmp_path / "data")
    assert list(records.scan(b"k/")) == [("1", b"value")]
    records.close()


def test_changed_log_is_refused(tmp_path: Path) -> None:
    """A log that was changed after it was closed does not open with fewer records."""
    records = Records(tmp_path)
    put(records, b"k/1", b"value")
    records.close()
    log = log_of(tmp_path)
    data = log.read_bytes()
    log.write_bytes(data.replace(b"value", b"vALUE"))
    with pytest.raises(SerializationError, match=r"wal\.log was changed"):
        Records(tmp_path)


@pytest.mark.parametrize(
    "seal", [b"", b"\xff", b"{}", b"[]", b'{"digest": 1, "compact_size": "x"}']
)
def test_damaged_seal_is_refused(tmp_path: Path, seal: bytes) -> None:
    """A seal that cannot be read is an error that names it, and not a reason to trust the log."""
    Records(tmp_path).close()
    (tmp_path / "seal.json").write_bytes(seal)
    with pytest.raises(SerializationError, match=r"seal\.json is damaged"):
        Records(tmp_path)


def test_missing_log_is_refused(tmp_path: Path) -> None:
    """A log that is gone is damage, and not an empty storage."""
    records = Records(tmp_path)
    put(records, b"k/1", b"value")
    records.close()
    log_of(tmp_path).unlink()
    with pytest.raises(SerializationError, match=r"wal\.log was changed"):
        Records(tmp_path)


def test_restored_log_opens_again(tmp_path: Path) -> None:
    """A refusal leaves the location as it was, for a restored log to open."""
    records = Records(tmp_path)
    put(records, b"k/1", b"value")
    records.close()
    log = log_of(tmp_path)
    data = log.read_bytes()
    log.write_bytes(data[:-1])
    with pytest.raises(SerializationError):
        Records(tmp_path)
    log.write_bytes(data)
    records = Records(tmp_path)
    assert records.get(b"k/1", "k") == b"value"
    records.close()


def test_replaced_values_leave_the_log(tmp_path: Path) -> None:
    """A log that has more than doubled is written anew with the live records alone."""
    records = Records(tmp_path)
    for _ in range(30):
        put(records, b"k/1", b"value" * 20_000)
    records.close()
    Records(tmp_path).close()
    assert log_of(tmp_path).stat().st_size < 2 * len(b"value" * 20_000)


def test_log_closed_in_order_is_taken_as_it_is(tmp_path: Path) -> None:
    """Opening writes nothing anew where nothing is to be gained."""
    records = Records(tmp_path)
    put(records, b"k/1", b"value")
    records.close()
    before = log_of(tmp_path).stat().st_ino
    records = Records(tmp_path)
    assert before == log_of(tmp_path).stat().st_ino
    records.close()


def test_reads_do_not_fill_the_log(tmp_path: Path) -> None:
    """A thousand reads leave the log as it is."""
    records = Records(tmp_path)
    put(records, b"k/1", b"value")
    before = log_of(tmp_path).stat().st_size
    for _ in range(1000):
        records.get(b"k/1", "k")
    assert before == log_of(tmp_path).stat().st_size
    records.close()


def test_failed_write_closes_the_records(tmp_path: Path) -> None:
    """After a write that failed nothing is answered, for the log's end cannot be trusted."""
    done = subprocess.check_output([sys.executable, "-c", FULL_DISK, str(tmp_path)], text=True)
    assert done.splitlines() == ["refused", "closed", "closed"]


def test_failed_write_is_absent_after_reopening(tmp_path: Path) -> None:
    """What was stored before a failed write is there, and what failed is not."""
    subprocess.check_output([sys.executable, "-c", FULL_DISK, str(tmp_path)])
    records = Records(tmp_path)
    assert list(records.scan(b"k/")) == [("before", b"value")]
    records.close()
