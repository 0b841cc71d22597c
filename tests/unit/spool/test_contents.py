"""Large contents: durable before they have their name, thrown away without a trace, swept after a crash."""

import errno
import os
from pathlib import Path

import pytest
from tests.contract.spools import KEEP_CONTENT, REFUSED, RELAYED, InlineWorker, SqliteBox
from tests.sim.clock import VirtualClock

from byreturn.mail import InMemory, QueueId, id_text
from byreturn.ports import SpoolFault
from byreturn.spool import SpoolSettings, SqliteSpool
from byreturn.spool.contents import FileReader, FileWriter
from byreturn.spool.opening import CONTENT_FOLDER

CALLS = ("open", "write", "fsync", "close", "rename")
NUMBER = QueueId(794354201395265536)
MIB = 1 << 20
PIECES = [b"a" * 1000, b"b" * 2000, b"c" * 3000]


class Disk:
    """Watches what is asked of the system, and lets the n-th call of a kind fail."""

    def __init__(self, monkeypatch):
        self.log = []
        self.fails_at = None
        self.error = errno.EIO
        self.open = {}
        self.short = False
        self.monkeypatch = monkeypatch

    def __enter__(self):
        self.real = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            self.monkeypatch.setattr(os, name, lambda *args, name=name, **how: self.call(name, *args, **how))
        return self

    def __exit__(self, *_):
        for name in CALLS:
            self.monkeypatch.setattr(os, name, self.real[name])

    def call(self, name, *args, **how):
        self.log.append((name, self.open.get(args[0], str(args[0]))))
        nth = sum(1 for each, _ in self.log if each == name)
        is_failing = self.fails_at == (name, nth) or (self.fails_at == (name, "on") and nth > 1)
        if name == "close":
            # Linux closes a descriptor also when it reports an error. To close it again is worse than an
            # error: by then the number may be another thread's file.
            assert args[0] in self.open, "closed twice"
            del self.open[args[0]]
            self.real["close"](*args)
        if is_failing:
            raise OSError(self.error, os.strerror(self.error))
        if name == "close":
            return None
        if name == "write" and self.short:
            return self.real["write"](args[0], bytes(args[1])[:700])
        result = self.real[name](*args, **how)
        if name == "open":
            self.open[result] = str(args[0])
        return result


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def write(folder, disk):
    """Write and seal a content as reception does; return the fault, if there was one, and how it went."""
    clock = VirtualClock()
    told = []
    with disk:
        writer = FileWriter(folder, NUMBER, InlineWorker(clock))
        faults = [writer.write(piece) for piece in PIECES]
        writer.seal(told.append)
        assert told == []
        clock.run_now()
    assert len(told) == 1
    return told[0], faults


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_content_is_synced_before_it_has_its_name_and_its_name_before_anybody_is_told(tmp_path, disk):
    assert write(tmp_path, disk) == (None, [None] * 3)
    final = str(tmp_path / id_text(NUMBER))
    aside = f"{final}.part"
    assert disk.log == [
        ("open", aside), ("write", aside), ("write", aside), ("write", aside),
        ("fsync", aside), ("close", aside), ("rename", aside),
        ("open", str(tmp_path)), ("fsync", str(tmp_path)), ("close", str(tmp_path)),
    ]  # fmt: skip
    assert names(tmp_path) == [id_text(NUMBER)]
    path = tmp_path / id_text(NUMBER)
    assert path.read_bytes() == b"".join(PIECES)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_short_write_is_gone_on_with(tmp_path, disk):
    disk.short = True
    assert write(tmp_path, disk) == (None, [None] * 3)
    assert (tmp_path / id_text(NUMBER)).read_bytes() == b"".join(PIECES)


FAILURES = [
    (call, nth)
    for call, count in (("open", 2), ("write", 3), ("fsync", 2), ("close", 2), ("rename", 1))
    for nth in [*range(1, count + 1), "on"]
]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize(("call", "nth"), FAILURES)
def test_whatever_fails_there_is_never_a_name_without_a_durable_content(tmp_path, disk, call, nth, code):
    disk.fails_at, disk.error = (call, nth), code
    fault, faults = write(tmp_path, disk)
    if fault is None:
        # It was not called so often, or all was synced already.
        assert (call, nth) in [("close", 2), ("close", "on"), ("rename", "on")]
        assert (tmp_path / id_text(NUMBER)).read_bytes() == b"".join(PIECES)
    else:
        assert fault.is_full == (code in (errno.ENOSPC, errno.EDQUOT))
        assert not fault.is_ambiguous
        assert os.strerror(code) in fault.why
        assert names(tmp_path) == []
    if call == "write" and nth != "on":
        # Once it has failed it stays so.
        assert [one is None for one in faults] == [n < nth for n in (1, 2, 3)]
    assert disk.open == {}


def test_after_a_fault_the_same_id_can_be_written(tmp_path, disk):
    disk.fails_at = ("fsync", 1)
    assert write(tmp_path, disk)[0] is not None
    disk.fails_at = None
    assert write(tmp_path, disk)[0] is None
    assert names(tmp_path) == [id_text(NUMBER)]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_fault_is_told_although_the_rest_cannot_be_cleared_away(tmp_path, disk, monkeypatch, call):
    # The disk has gone read-only: what is left of it is swept at the next start.
    def unlink(*_args, **_how):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    disk.fails_at = (call, 1)
    monkeypatch.setattr(os, "unlink", unlink)
    fault, _ = write(tmp_path, disk)
    monkeypatch.undo()
    assert fault is not None
    assert os.strerror(errno.EIO) in fault.why
    assert names(tmp_path) == [f"{id_text(NUMBER)}.part"]


def test_an_aside_that_is_there_already_is_another_writers(tmp_path, disk):
    # No id is made twice; if it were, one message would be written into the other.
    (tmp_path / f"{id_text(NUMBER)}.part").write_bytes(b"another's")
    fault, _ = write(tmp_path, disk)
    assert isinstance(fault, SpoolFault)
    assert not (tmp_path / id_text(NUMBER)).exists()


@pytest.mark.parametrize("is_sealed", [False, True])
def test_what_is_thrown_away_leaves_nothing(tmp_path, is_sealed):
    clock = VirtualClock()
    writer = FileWriter(tmp_path, NUMBER, InlineWorker(clock))
    writer.write(b"x")
    if is_sealed:
        writer.seal(lambda fault: None)
        clock.run_now()
    writer.abort()
    assert names(tmp_path) == []
    writer.abort()


@pytest.mark.parametrize("make", [InMemory, "file"])
def test_a_reader_gives_everything_once_in_order(tmp_path, make):
    data = bytes(range(256)) * 10
    if make == "file":
        (tmp_path / "x").write_bytes(data)
        reader = FileReader(tmp_path / "x")
    else:
        reader = make(data)
    assert reader.octets == len(data)
    assert reader.read(0) == b""
    pieces = [reader.read(n) for n in (1, 1000, 10_000, 5)]
    assert [len(piece) for piece in pieces] == [1, 1000, 1559, 0]
    assert b"".join(pieces) == data
    reader.close()


# --- The sweep ----------------------------------------------------------------------------------------


@pytest.fixture
def box(tmp_path):
    box = SqliteBox(tmp_path / "data")
    yield box
    box.close()


def large(box, *to):
    mail = box.make(*(to or ("bob@away.example",)), content=None, octets=100_000)
    assert box.seal(mail.id, b"x" * 100_000) is None
    return mail


def contents(box):
    return names(box.folder / CONTENT_FOLDER)


def test_a_start_removes_what_no_row_names_and_nothing_else(box):
    kept = box.keep(large(box))
    stray, aside = (id_text(QueueId(kept.id + n)) for n in (100, 200))
    strangers = ["README", ".hidden", "x.part", "0" * 12, "U" * 13]
    for name in (stray, f"{aside}.part", f"{id_text(kept.id)}.part", *strangers):
        (box.folder / CONTENT_FOLDER / name).write_bytes(b"x")
    box.restart()
    assert contents(box) == sorted([id_text(kept.id), *strangers])


def test_a_start_sweeps_what_was_being_written(box):
    kept = box.keep(large(box))
    writer = box.spool.content_writer(box.ids.make(box.now))
    writer.write(b"x" * 1000)
    assert len(contents(box)) == 2
    box.crash()
    assert contents(box) == [id_text(kept.id)]


def test_a_start_sweeps_what_was_sealed_and_never_accepted(box):
    # It is the newest of all there are, because the crash came before anything else was accepted.
    kept = box.keep(large(box))
    large(box)
    box.crash()
    assert contents(box) == [id_text(kept.id)]


def test_a_start_sweeps_a_sealed_one_although_nothing_was_ever_accepted(box):
    large(box)
    box.crash()
    assert contents(box) == []


def test_a_start_sweeps_what_a_crash_kept_from_being_removed(box):
    mail = box.keep(large(box))
    later = box.keep(large(box))
    told = []
    box.spool.settle((mail.outcome(RELAYED),), (), box.now, told.append)
    box.die_at_the_commit(is_kept=True)
    assert told == []
    assert contents(box) == [id_text(later.id)]
    assert box.content(later.id) == b"x" * 100_000


def test_a_file_goes_when_its_content_does(box):
    delivered, failed, pair = large(box), large(box), large(box, "bob@away.example", "carol@away.example")
    for mail in (delivered, failed, pair):
        box.keep(mail)
    box.settle(delivered.outcome(RELAYED), pair.outcome(RELAYED, 0))
    assert contents(box) == [id_text(failed.id), id_text(pair.id)]
    box.settle(pair.outcome(RELAYED, 1), failed.outcome(REFUSED))
    assert contents(box) == [id_text(failed.id)]
    box.tell(failed)
    box.clock.advance(KEEP_CONTENT)
    assert box.purge() == 1
    assert contents(box) == []


def test_a_start_keeps_the_files_of_all_who_need_them(box):
    mails = [box.keep(large(box)) for _ in range(5)]
    box.crash()
    box.restart()
    assert contents(box) == sorted(id_text(mail.id) for mail in mails)


class LateWorker(InlineWorker):
    """Lets the first work wait: the sweep, which runs in a thread while mail comes in already."""

    def __init__(self, clock):
        super().__init__(clock)
        self.first = None
        self.is_first = True

    def submit(self, work, done):
        if self.is_first:
            self.is_first = False
            self.first = lambda: super(LateWorker, self).submit(work, done)
        else:
            super().submit(work, done)


@pytest.mark.parametrize("when", ["while it is written", "when it is sealed", "when it is accepted"])
def test_a_sweep_leaves_alone_what_came_in_since(box, when):
    large(box)
    box.close()
    clock = box.clock
    worker = LateWorker(clock)
    box._spool = SqliteSpool(box.folder, worker, clock, settings=SpoolSettings(), on_broken=box.broken.append)
    clock.advance(1)
    mail = box.make("bob@away.example", content=None, octets=6)
    writer = box.spool.content_writer(mail.id)
    assert writer.write(b"abc") is None
    if when == "while it is written":
        worker.first()
    assert writer.write(b"def") is None
    assert box.ask(writer.seal) is None
    if when == "when it is sealed":
        worker.first()
    box.keep(mail)
    if when == "when it is accepted":
        worker.first()
    clock.run_now()
    assert box.content(mail.id) == b"abcdef"


def test_a_file_that_somebody_took_away_is_a_content_that_is_gone(box):
    mail = box.keep(large(box))
    (box.folder / CONTENT_FOLDER / id_text(mail.id)).unlink()
    assert box.content(mail.id) is None


def test_a_file_that_cannot_be_opened_is_a_fault(box, monkeypatch):
    mail = box.keep(large(box))

    def refuse(*_args, **_how):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "open", refuse)
    told = []
    box.spool.content(mail.id, told.append)
    (fault,) = told
    assert isinstance(fault, SpoolFault)
    assert "Too many open files" in fault.why


def test_a_large_content_goes_to_the_disk_while_it_comes_in(tmp_path, monkeypatch):
    clock = VirtualClock()
    writer = FileWriter(tmp_path, NUMBER, InlineWorker(clock))
    synced = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    for _ in range(9):
        assert writer.write(b"x" * MIB) is None
        clock.run_now()
    assert synced == [4 * MIB, 8 * MIB]


def test_an_error_while_it_comes_in_is_not_forgotten_by_the_sync_at_the_end(tmp_path, monkeypatch):
    clock = VirtualClock()
    writer = FileWriter(tmp_path, NUMBER, InlineWorker(clock))

    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    answers = []
    assert writer.write(b"x" * 5 * MIB) is None
    # The end comes while the portion is on its way.
    writer.seal(answers.append)
    clock.run_now()
    assert answers == [SpoolFault(f"cannot write {tmp_path / id_text(NUMBER)}.part: Input/output error")]
    assert not any(tmp_path.iterdir())


def test_the_end_waits_for_a_portion_on_its_way(tmp_path):
    clock = VirtualClock()
    writer = FileWriter(tmp_path, NUMBER, InlineWorker(clock))
    answers = []
    writer.write(b"x" * 5 * MIB)
    writer.seal(answers.append)
    clock.run_now()
    assert answers == [None]
    assert (tmp_path / id_text(NUMBER)).stat().st_size == 5 * MIB
