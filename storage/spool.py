"""Webhooks that came while the database was away: on the disk until it is back, then read in, in their order."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from struct import Struct
from tempfile import TemporaryFile
from typing import BinaryIO, TypeAlias

import msgspec
import structlog

from storage.intake import StorageError

TRY_EVERY_SECONDS = 1.0
_HEAD = Struct(">II")
"""Before each record: its length, and its checksum, by which one is known that was cut off and never answered."""
_SUFFIX, _BROKEN = ".spool", ".broken"
_STAMP = "%Y%m%dT%H%M%S.%f"
_OURS = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}-[0-9]+-[0-9a-f]{8}\.spool")
"""Whatever else lies in the folder is somebody else's."""

Store: TypeAlias = Callable[[str, bytes, datetime], object]
"""Keeps a webhook of a resource, with its body and when it came; raises StorageError. To keep one twice is to keep it once."""


class Spooled(msgspec.Struct, frozen=True, array_like=True):
    """A webhook as it is spooled."""

    received_at: datetime
    resource: str
    body: bytes


class FolderError(Exception):
    """Nothing could be spooled in the folder; the text says why and what to do."""


def check_folder(folder: Path) -> None:
    """See whether files can be made there; that the disk is full may pass.

    Raises:
        FolderError: none can.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            way_out = "give it to the user of the web process, or set SPOOL_DIR to another folder"
            raise FolderError(f"SPOOL_DIR: no file can be made in {folder}: {error.strerror}; {way_out}") from None


def spooled_bytes(folder: Path) -> int:
    """How much waits in a spool, of all processes that share it."""
    total = 0
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError):  # it was read in meanwhile
            total += path.stat().st_size
    return total


def waiting(folder: Path) -> tuple[int, datetime | None]:
    """How many files are spooled in a folder, and when the oldest was begun; broken ones are not read in any more.

    Raises:
        FolderError: it cannot be looked into.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if _OURS.fullmatch(path.name))
    except OSError as error:
        raise FolderError(f"SPOOL_DIR: {folder} cannot be looked into: {error.strerror}") from None
    begun = datetime.strptime(names[0].partition("-")[0], _STAMP).replace(tzinfo=UTC) if names else None
    return len(names), begun


class Spool:
    """The spool of one process; several may share a folder. A process that died leaves its file to the others.

    As long as anything is in it, everything that comes goes into it, for what came first is to be decided first.
    """

    def __init__(self, folder: Path, store: Store, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Begin to read in what is there already."""
        self._folder, self._store, self._clock = folder, store, clock
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        """Where to append; None: nothing has come since the last file was closed."""
        self._is_reading_in = False
        self._log = structlog.get_logger()
        if self._files():
            self._begin_to_read_in()

    @property
    def is_empty(self) -> bool:
        """Whether what comes may pass it by: nothing is in it, of no process."""
        if not self._is_reading_in and self._files():
            with self._lock:
                self._begin_to_read_in()
        return not self._is_reading_in

    def append(self, resource: str, body: bytes, received_at: datetime) -> None:
        """Keep a webhook: when this returns, it is on the disk.

        Raises:
            StorageError: it is not.
        """
        record = msgspec.msgpack.encode(Spooled(received_at, resource, body))
        with self._lock:
            try:
                self._write(_HEAD.pack(len(record), zlib.crc32(record)) + record)
            except OSError as error:
                raise StorageError(f"the event could not be spooled: {error.strerror}") from error
            self._begin_to_read_in()

    def read_in(self) -> bool:
        """Store what is spooled, the oldest file first, whosever it is; whether nothing is left."""
        with self._lock:
            if self._file:
                self._file.close()  # what comes now begins another one
            self._file = None
        for path in self._files():
            try:
                self._read_in(path)
            except (StorageError, BlockingIOError):  # another process is at it, and what is in the next file came later
                return False
        return True

    def _files(self) -> list[Path]:
        """The oldest first."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - with each webhook, and a tenth of the cost of paths
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [self._folder / name for name in sorted(filter(_OURS.fullmatch, names))]

    def _write(self, record: bytes) -> None:
        file = self._file or self._begin_file()
        try:
            rest = memoryview(record)
            while rest:  # a disk that is nearly full takes a part, and says no only to what is left
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            self._file = None  # nothing may follow half a record
            file.close()
            raise

    def _begin_file(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._stamp()}-{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        file: BinaryIO = path.open("xb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # or the file itself may be gone after a power cut
        finally:
            os.close(folder)
        self._file = file
        return file

    def _stamp(self) -> str:
        """By which files are in their order, also when the clock has been put back since the last one."""
        now = self._clock()
        others = [path.name.partition("-")[0] for path in self._files()]
        if others and others[-1] >= now.strftime(_STAMP):
            now = datetime.strptime(others[-1], _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1)
        return now.strftime(_STAMP)

    def _read_in(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except FileNotFoundError:  # another process was quicker
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused, whoever reads it or appends to it lives
            if not os.fstat(file.fileno()).st_nlink:  # it was read in by another one meanwhile
                return
            count, end = 0, 0
            for one in _records(file):
                self._store(one.resource, one.body, one.received_at)
                count, end = count + 1, file.tell()
            self._log.info("spool_read_in", count=count)
            if end == path.stat().st_size:
                path.unlink()
            else:
                broken = path.rename(path.with_suffix(_BROKEN))
                # What was cut off was answered to nobody; if more is missing, the disk is at fault.
                self._log.error("spool_cut_off", file=str(broken), whole=count)

    def _begin_to_read_in(self) -> None:
        if not self._is_reading_in:
            self._is_reading_in = True
            self._log.warning("spool_in_use", effect="events are spooled until the database has taken them all", folder=str(self._folder))
            threading.Thread(target=self._keep_reading_in, name="spool", daemon=True).start()

    def _keep_reading_in(self) -> None:
        is_done = False
        while True:
            if not is_done:  # else what came meanwhile is read in at once: with each time it is less, and then nothing
                time.sleep(TRY_EVERY_SECONDS)
            try:
                is_done = self.read_in()
            except Exception:  # noqa: BLE001 - without this thread all that ever comes would stay in the spool
                self._log.exception("spool_not_read_in", effect="tried again in a second")
                is_done = False
            with self._lock:
                if is_done and self._file is None:
                    self._is_reading_in = False
                    return


def _records(file: BinaryIO) -> Iterator[Spooled]:
    """Those that are whole; what is cut off at the end was answered to nobody."""
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        record = file.read(length)
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield msgspec.msgpack.decode(record, type=Spooled)
