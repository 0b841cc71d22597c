"""One delivery into a Maildir: what a worker thread does, with folders held open and never by path.

    tmp/<name>  --write, fsync, close-->  --rename-->  new/<name>  --fsync new-->  it is in the mailbox

Every folder is opened inside its parent and never through a symbolic link, so that nobody who may write in
one mailbox can steer a delivery into another.

Promises: when it returns None, the message survives a power failure; before, nothing of it is seen under
its name. Whatever fails, no half of it is left in tmp, if the disk lets it be removed.
Fails: with a StoreFault, for whatever the file system says. A bug of the content's reader is raised.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from byreturn.mail import SECOND, Duration
from byreturn.ports import ContentReader, StoreFault

_PIECE_OCTETS: Final = 256 * 1024
_LEFTOVER_AGE: Final = 36 * 3600  # Seconds, as the file system counts. From the definition of Maildir.
_LEFTOVER_LIMIT: Final = 1_000  # Entries of tmp looked at in one upkeep.
_SLACK: Final = 120  # Seconds that a clock may have been set by since the message was accepted.

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_SENTENCES: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk reports an error",
    errno.EROFS: "the disk is mounted read-only",
    errno.EACCES: "we have no right to write there",
    errno.EPERM: "we have no right to write there",
    errno.ELOOP: "a folder is a symbolic link, which is not followed",
    errno.ENOTDIR: "a folder is a symbolic link or a file, which is not followed",
    errno.EXDEV: "its folders tmp and new are on different file systems",
    errno.ENOENT: "a folder is missing; perhaps its disk is not mounted",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


class _Unreadable(Exception):
    """The content cannot be read, or not to its end: the spool is at fault, not the mailbox."""


class Delivery(Struct, frozen=True):
    """One delivery, as a thread needs it; `folder` names the domain's and the mailbox's.

    `age` is the message's if an earlier attempt may have stored it already, or else None.
    """

    root: Path
    folder: tuple[str, str]
    name: str
    trace: bytes
    content: ContentReader
    age: Duration | None


def lf_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    r"""Turn CRLF into LF, wherever the pieces are cut.

    Why: a Maildir is Unix files, and readers there expect LF. Dovecot takes both, mutt shows every CR. A CR
    alone stays; there is no LF alone in what we accept, so CRLF can be restored when the mail is fetched.
    """
    held = b""
    for piece in pieces:
        whole = held + piece
        held = b"\r" if whole.endswith(b"\r") else b""
        yield (whole[:-1] if held else whole).replace(b"\r\n", b"\n")
    yield held


def _pieces(delivery: Delivery) -> Iterator[bytes]:
    yield delivery.trace
    content = delivery.content
    missing = content.octets
    # Read in the worker's thread: whoever opened the reader keeps off it until `done`, and closes it then.
    try:
        while piece := content.read(_PIECE_OCTETS):
            missing -= len(piece)
            yield piece
    except OSError as error:
        raise _Unreadable(str(error)) from error
    if missing:
        # Half a message must not look like a whole one.
        raise _Unreadable(f"{missing} octets are missing at its end")


def _enter(open_folders: ExitStack, parent: int, name: str) -> int:
    """Open a folder inside another one, created if need be; never through a symbolic link."""
    try:
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
        folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        open_folders.callback(os.close, folder)
        os.fchmod(folder, 0o700)  # The umask may have taken too much.
        os.fsync(parent)
        return folder
    open_folders.callback(os.close, folder)
    return folder


def put_into_mailbox(delivery: Delivery, *, with_upkeep: bool) -> StoreFault | None:
    """Put a message into its mailbox, with the mailbox's upkeep where it is due."""
    try:
        with ExitStack() as open_folders:
            root = os.open(delivery.root, _FOLDER)  # It may be a link: it is the operator's own.
            open_folders.callback(os.close, root)
            domain = _enter(open_folders, root, delivery.folder[0])
            mailbox = _enter(open_folders, domain, delivery.folder[1])
            tmp, new, cur = (_enter(open_folders, mailbox, name) for name in ("tmp", "new", "cur"))
            if with_upkeep:
                # A process before us may have died between making a folder and syncing its parent.
                for folder in (root, domain, mailbox):
                    os.fsync(folder)
                _remove_leftovers(tmp)
            if _is_there(delivery, tmp, new, cur):
                # Whoever put it there may have died before this.
                os.fsync(new)
                os.fsync(cur)
            else:
                _write_and_publish(delivery, tmp, new)
    except _Unreadable as error:
        return StoreFault(f"the content of the message could not be read: {error}")
    except OSError as error:
        number = error.errno or 0
        sentence = _SENTENCES.get(number) or error.strerror or str(error)
        code = errno.errorcode.get(number, "no code")
        return StoreFault(f"mailbox {'/'.join(delivery.folder)}: {sentence} ({code})")
    return None


def _is_there(delivery: Delivery, tmp: int, new: int, cur: int) -> bool:
    """Whether an earlier attempt delivered it already.

    First new, then cur, as mail goes that way. In cur its name has flags behind it, and to find it costs a
    walk through the folder (measured: 45 ms for 100,000 entries); so the walk is made only where an earlier
    attempt is possible at all and something came into cur since the message was accepted.

    NOT DONE: what a reader moved to another folder or deleted since is delivered again. Twice is better
              than never.
    """
    with suppress(FileNotFoundError):
        os.stat(delivery.name, dir_fd=new, follow_symlinks=False)
        return True
    if delivery.age is None or _now_there(tmp) - os.fstat(cur).st_mtime > delivery.age / SECOND + _SLACK:
        return False
    with os.scandir(cur) as entries:
        return any(entry.name.partition(":")[0] == delivery.name for entry in entries)


def _write_and_publish(delivery: Delivery, tmp: int, new: int) -> None:
    name = delivery.name
    try:
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=tmp)
    except FileExistsError:
        # Left by an attempt that died: MaildirStore never begins a delivery twice at a time.
        os.unlink(name, dir_fd=tmp)
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=tmp)
    try:
        try:
            os.fchmod(file, 0o600)
            for piece in lf_pieces(_pieces(delivery)):
                _write(file, piece)
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=new)
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=tmp)
        raise
    # CRASH HERE: it may be in new although nobody was told. The attempt is repeated, and finds it or writes
    #             it again under the same name.
    try:
        os.fsync(new)
    except OSError:
        # What may vanish again must not be seen: the next attempt starts afresh.
        with suppress(OSError):
            os.unlink(name, dir_fd=new)
        raise


def _write(file: int, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[os.write(file, left) :]


def _now_there(folder: int) -> float:
    """Ask the file system for its time: a file server's clock may differ from ours."""
    os.utime(folder)
    return os.fstat(folder).st_mtime


def _remove_leftovers(tmp: int) -> None:
    """Remove what crashed deliveries left in tmp."""
    limit = _now_there(tmp) - _LEFTOVER_AGE
    with os.scandir(tmp) as entries:
        for entry in islice(entries, _LEFTOVER_LIMIT):
            # It may be gone meanwhile, or not be ours: then let it be.
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < limit:
                    os.unlink(entry.name, dir_fd=tmp)
