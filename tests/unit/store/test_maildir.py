"""The Maildir store: once, whole, private, inside its root, whatever the disk and the crash do."""

import asyncio
import errno
import os
import shutil
import stat
import threading

import pytest

from byreturn.mail import HOUR, MINUTE, SECOND, IdFactory, Mailbox, id_text
from byreturn.ports import StoreFault, StoreRefused
from byreturn.store import AT_ONCE, LocalDirectory, LocalDomain, MaildirStore
from byreturn.store.maildir import WAITING_LIMIT
from byreturn.store.names import file_name, host_name
from byreturn.transport import ThreadWorker

TRACE = b"Return-Path: <ann@else.example>\r\n"
CONTENT = b"Subject: hello\r\n\r\nline\r\n"
STORED = (TRACE + CONTENT).replace(b"\r\n", b"\n")
INFO = Mailbox("info", "here.example")
START = 1_900_000_000_000


class Watch:
    """A clock that stands until it is set."""

    def __init__(self):
        self.instant = START

    def now(self):
        return self.instant

    def is_trusted(self):
        return True

    def call_later(self, delay, call):
        raise AssertionError("the store sets no timers")


class Inline:
    """A worker that works on the spot."""

    def submit(self, work, done):
        try:
            outcome = work()
        except Exception as error:
            outcome = error
        done(outcome)


class ByHand:
    """A worker that works when it is told to."""

    def __init__(self):
        self.jobs = []

    def submit(self, work, done):
        self.jobs.append((work, done))

    def work(self):
        work, done = self.jobs.pop(0)
        done(work())


class Content:
    """A content in memory; `lies`: it claims to be that much longer."""

    def __init__(self, octets=CONTENT, lies=0):
        self.left = octets
        self.octets = len(octets) + lies
        self.reads = 0

    def read(self, octets):
        self.reads += 1
        piece, self.left = self.left[:octets], self.left[octets:]
        return piece

    def close(self):
        raise AssertionError("whoever opened it closes it")


class House:
    """A root folder, a store over it, and what came of the deliveries."""

    def __init__(self, root, *, worker=None, knows=lambda _: True):
        self.root = root
        self.clock = Watch()
        self.worker = worker or Inline()
        self.knows = knows
        self.ids = IdFactory(1, 0)
        self.answers = []
        self.restart()

    def restart(self):
        self.store = MaildirStore(self.root, self.worker, self.clock, self.knows, "mx.here.example")

    def unique(self):
        return f"{id_text(self.ids.make(self.clock.now()))}-0"

    def deliver(self, unique=None, address=INFO, content=None):
        """Deliver, and return what `done` said; "nothing yet" when it was not called."""
        before = len(self.answers)
        content = content or Content()
        self.store.deliver(address, unique or self.unique(), TRACE, content, self.answers.append)
        assert len(self.answers) <= before + 1
        return self.answers[-1] if len(self.answers) > before else "nothing yet"

    def files(self, folder, mailbox="here.example/info"):
        return sorted(path.name for path in (self.root / mailbox / folder).glob("*"))

    def stored(self):
        return [path.read_bytes() for path in self.root.glob("*/*/[nc][eu][wr]/*")]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def grow_old(path, age):
    """Let a file or folder be that much older, by the file system's clock."""
    written_at = path.stat().st_mtime - age / SECOND
    os.utime(path, (written_at, written_at))


def read_in_mail_program(house, name, flags="2,S"):
    """What a mail program does when somebody looks into the mailbox."""
    mailbox = house.root / "here.example" / "info"
    (mailbox / "new" / name).rename(mailbox / "cur" / f"{name}:{flags}")


# --- What is stored -----------------------------------------------------------------------------------


def test_a_delivery_is_one_file_in_new_with_unix_line_ends(house):
    unique = house.unique()
    assert house.deliver(unique) is None
    assert house.stored() == [STORED]
    assert house.files("new") == [f"{START // SECOND}.{unique}.mx.here.example"]
    assert house.files("tmp") == house.files("cur") == []


def test_large_contents_are_read_in_pieces(house):
    octets = b"0123456789abc\r\n" * 100_000
    content = Content(octets)
    assert house.deliver(content=content) is None
    assert house.stored() == [(TRACE + octets).replace(b"\r\n", b"\n")]
    assert content.reads > 5


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_nobody_else_may_read_whatever_the_umask(house, umask):
    before = os.umask(umask)
    try:
        assert house.deliver() is None
    finally:
        os.umask(before)
    for path in house.root.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_every_delivery_has_its_own_name(house):
    for _ in range(100):
        assert house.deliver() is None
    house.restart()
    for _ in range(100):
        assert house.deliver() is None
    assert len(house.files("new")) == 200


def test_recipients_of_one_message_have_their_own_names(house):
    message = house.unique()[:-2]
    for ordinal in range(12):
        assert house.deliver(f"{message}-{ordinal}") is None
    assert len(house.files("new")) == 12


def test_the_name_needs_no_clock_and_no_counter():
    name, accepted_at = file_name("01V3E9EX10000-7", "mx")
    assert name == f"{accepted_at // SECOND}.01V3E9EX10000-7.mx"


@pytest.mark.parametrize(
    "unique", ["", "1", "../x-1", "01V3E9EX10000", "01V3E9EX10000-", "01V3E9EX10000-1/", "a-1"]
)
def test_a_delivery_without_a_proper_name_is_our_bug(unique):
    with pytest.raises(AssertionError, match="not the name of a delivery"):
        file_name(unique, "mx")


def test_the_hosts_name_is_written_as_maildir_wants_it():
    assert host_name("a/b:c") == "a\\057b\\072c"
    assert len(host_name("x" * 500)) < 200
    for wrong in "", "a b", "a\0", "a\n", "\u00e4":
        with pytest.raises(AssertionError, match="not the name of a host"):
            host_name(wrong)


# --- Replay -------------------------------------------------------------------------------------------


def test_a_replay_writes_once(house):
    unique = house.unique()
    assert house.deliver(unique) is None
    house.restart()
    again = Content()
    assert house.deliver(unique, content=again) is None
    assert again.reads == 0
    assert house.stored() == [STORED]


@pytest.mark.parametrize("flags", ["2,", "2,S", "2,RSab", "1,x", "2,FRS,S=10"])
def test_a_replay_finds_what_was_read_meanwhile(house, flags):
    unique = house.unique()
    assert house.deliver(unique) is None
    read_in_mail_program(house, house.files("new")[0], flags)
    house.clock.instant += MINUTE
    house.restart()
    assert house.deliver(unique) is None
    assert house.stored() == [STORED]


def test_a_replay_without_a_restart_finds_what_was_read_meanwhile(house):
    house.clock.instant += 1
    unique = house.unique()
    assert house.deliver(unique) is None
    read_in_mail_program(house, house.files("new")[0])
    house.clock.instant += MINUTE
    assert house.deliver(unique) is None
    assert house.stored() == [STORED]


def test_a_replay_after_a_quick_restart_finds_what_was_read_meanwhile(house):
    house.clock.instant += 1
    unique = house.unique()
    assert house.deliver(unique) is None
    read_in_mail_program(house, house.files("new")[0])
    house.clock.instant += SECOND
    house.restart()
    assert house.deliver(unique) is None
    assert house.stored() == [STORED]


def test_fresh_mail_does_not_walk_through_cur(house, monkeypatch):
    assert house.deliver() is None
    house.clock.instant += 1
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("walked"))
    assert house.deliver() is None


def test_a_replay_does_not_walk_through_a_cur_where_nothing_came(house, monkeypatch):
    assert house.deliver() is None
    grow_old(house.root / "here.example/info/cur", HOUR)
    house.clock.instant += MINUTE
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("walked"))
    assert house.deliver(f"{id_text(IdFactory(2, 0).make(START))}-0") is None


def test_the_same_delivery_is_never_under_way_twice(tmp_path):
    house = House(tmp_path, worker=ByHand())
    unique = house.unique()
    assert house.deliver(unique) == "nothing yet"
    answer = house.deliver(unique)
    assert isinstance(answer, StoreFault)
    assert "not ended yet" in answer.why
    house.worker.work()
    assert house.answers[-1] is None
    assert house.deliver(unique) == "nothing yet"
    house.worker.work()
    assert house.answers[-1] is None
    assert house.stored() == [STORED]


# --- Crash --------------------------------------------------------------------------------------------

CALLS = ("open", "mkdir", "write", "fsync", "fchmod", "close", "rename", "unlink")


def test_death_between_any_two_calls_leaves_one_whole_message_after_the_replay(tmp_path, monkeypatch):
    house = House(tmp_path / "live" / "root")
    house.root.mkdir(parents=True)
    unique = house.unique()
    copies = []

    def before(call):
        def counted(*args, **kwargs):
            copy = tmp_path / f"copy{len(copies)}"
            copies.append(copy)
            with monkeypatch.context() as inner:
                for name, real in reals.items():
                    inner.setattr(os, name, real)
                shutil.copytree(house.root, copy)
            return reals[call](*args, **kwargs)

        return counted

    reals = {call: getattr(os, call) for call in CALLS}
    with monkeypatch.context() as patch:
        for call in CALLS:
            patch.setattr(os, call, before(call))
        assert house.deliver(unique, content=Content(CONTENT * 10)) is None
    assert len(copies) > 20
    for copy in copies:
        after = House(copy)
        # Whatever is seen under its name is whole, also before the replay.
        assert after.stored() in ([], house.stored())
        assert after.deliver(unique, content=Content(CONTENT * 10)) is None
        assert after.stored() == house.stored()
        assert after.files("tmp") == []


@pytest.fixture
def order(house, monkeypatch):
    """What was synced, renamed and made, in which order, by path below the root."""
    calls = []
    fsync, rename, mkdir = os.fsync, os.rename, os.mkdir

    def path_of(descriptor):
        return os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), house.root)

    def logged_fsync(descriptor):
        calls.append(("fsync", path_of(descriptor)))
        fsync(descriptor)

    def logged_rename(*args, **kwargs):
        calls.append(("rename", ""))
        rename(*args, **kwargs)

    def logged_mkdir(name, mode, *, dir_fd):
        calls.append(("mkdir", path_of(dir_fd)))
        mkdir(name, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(os, "rename", logged_rename)
    monkeypatch.setattr(os, "mkdir", logged_mkdir)
    return calls


PARENTS = [("fsync", "."), ("fsync", "here.example"), ("fsync", "here.example/info")]


def test_everything_is_synced_before_it_is_promised(house, order):
    assert house.deliver() is None
    kept = f"here.example/info/tmp/{house.files('new')[0]}"
    renamed = order.index(("rename", ""))
    assert ("fsync", kept) in order[:renamed]
    assert order[renamed + 1 :] == [("fsync", "here.example/info/new")]


def test_a_new_folder_is_synced_into_its_parent(house, order):
    assert house.deliver() is None
    order.clear()
    shutil.rmtree(house.root / "here.example")
    assert house.deliver() is None
    made = [at for at, (call, _) in enumerate(order) if call == "mkdir"]
    assert len(made) == 5
    for at in made:
        assert ("fsync", order[at][1]) in order[at:]


def test_a_new_process_syncs_the_folders_that_another_one_may_have_made_but_once(house, order):
    assert house.deliver() is None
    order.clear()
    house.restart()
    assert house.deliver() is None
    assert order[:3] == PARENTS
    order.clear()
    assert house.deliver() is None
    assert [call for call, _ in order] == ["fsync", "rename", "fsync"]


def test_after_a_fault_the_folders_are_synced_again(house, order, monkeypatch):
    assert house.deliver() is None
    shutil.rmtree(house.root / "here.example/info")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails(os.fsync, 1))
        assert isinstance(house.deliver(), StoreFault)
    order.clear()
    assert house.deliver() is None
    assert PARENTS[1] in order


def test_a_replay_that_finds_its_file_still_syncs_the_folders(house, order):
    unique = house.unique()
    assert house.deliver(unique) is None
    order.clear()
    assert house.deliver(unique) is None
    assert order == [("fsync", "here.example/info/new"), ("fsync", "here.example/info/cur")]


def test_a_stale_file_of_the_same_name_is_replaced(house):
    assert house.deliver() is None
    unique = house.unique()
    name, _ = file_name(unique, "mx.here.example")
    elsewhere = house.root / "elsewhere"
    elsewhere.write_bytes(b"not to be touched")
    (house.root / "here.example/info/tmp" / name).symlink_to(elsewhere)
    assert house.deliver(unique) is None
    assert elsewhere.read_bytes() == b"not to be touched"
    assert (house.root / "here.example/info/new" / name).read_bytes() == STORED


# --- Leftovers ----------------------------------------------------------------------------------------


def leave(house, name, age):
    path = house.root / "here.example/info/tmp" / name
    path.write_bytes(b"half")
    grow_old(path, age)


def test_old_leftovers_go_at_most_once_an_hour(house):
    assert house.deliver() is None
    leave(house, "old", 37 * HOUR)
    assert house.deliver() is None
    assert house.files("tmp") == ["old"]
    house.clock.instant += HOUR
    leave(house, "young", 35 * HOUR)
    (house.root / "here.example/info/tmp/folder").mkdir()
    os.utime(house.root / "here.example/info/tmp/folder", (0, 0))
    assert house.deliver() is None
    assert house.files("tmp") == ["folder", "young"]
    house.clock.instant += HOUR
    grow_old(house.root / "here.example/info/tmp/young", 2 * HOUR)
    assert house.deliver() is None
    assert house.files("tmp") == ["folder"]


def test_old_leftovers_go_after_a_restart(house):
    assert house.deliver() is None
    leave(house, "old", 37 * HOUR)
    house.restart()
    assert house.deliver() is None
    assert house.files("tmp") == []


def test_the_table_of_upkeep_is_bounded(house, monkeypatch):
    monkeypatch.setattr("byreturn.store.maildir._UPKEEP_LIMIT", 3)
    for n in range(10):
        assert house.deliver(address=Mailbox(f"box{n}", "here.example")) is None
    assert len(house.store._upkeep_at) == 3


# --- Faults of the disk -------------------------------------------------------------------------------


def fails(real, nth, number=errno.ENOSPC):
    """Make a call fail the n-th time it is made, after doing nothing (close: after closing)."""
    count = 0

    def call(*args, **kwargs):
        nonlocal count
        count += 1
        if count == nth:
            if real is os_close:
                real(*args)
            call.failed = True
            raise OSError(number, os.strerror(number))
        return real(*args, **kwargs)

    call.failed = False
    return call


os_close = os.close


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "open", "mkdir", "fchmod", "stat", "scandir"])
def test_a_full_disk_shows_nothing_and_the_next_try_succeeds(tmp_path, monkeypatch, call, is_first):
    for nth in range(1, 100):
        house = House(tmp_path / str(nth))
        house.root.mkdir()
        if not is_first:
            assert house.deliver() is None
        before = len(house.stored())
        unique = house.unique()
        with monkeypatch.context() as patch:
            failing = fails(getattr(os, call), nth)
            patch.setattr(os, call, failing)
            content = Content(CONTENT * 20_000)
            answer = house.deliver(unique, content=content)
        if not failing.failed:
            assert answer is None
            break
        assert isinstance(answer, StoreFault)
        assert answer.why.endswith("here.example/info: the disk is full (ENOSPC)")
        assert len(house.stored()) == before
        assert not list(house.root.glob("*/*/tmp/*"))
        assert house.deliver(unique) is None
        assert len(house.stored()) == before + 1
    else:
        pytest.fail("it never ends")


def test_a_file_that_cannot_be_closed_is_not_delivered(house, monkeypatch):
    # NFS tells of a used-up quota no earlier than that.
    assert house.deliver() is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "close", fails(os.close, 1, errno.EDQUOT))
        answer = house.deliver()
    assert answer == StoreFault("mailbox here.example/info: the disk quota is used up (EDQUOT)")
    assert len(house.stored()) == 1
    assert house.files("tmp") == []


def test_a_write_may_be_short(house, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, octets: write(file, octets[:3]))
    assert house.deliver() is None
    assert house.stored() == [STORED]


@pytest.mark.parametrize(
    "number", [errno.EIO, errno.EACCES, errno.EROFS, errno.EXDEV, errno.EMFILE, errno.ESTALE, 9999]
)
def test_every_error_is_a_fault_in_a_sentence(house, monkeypatch, number):
    monkeypatch.setattr(os, "rename", fails(os.rename, 1, number))
    answer = house.deliver()
    assert isinstance(answer, StoreFault)
    assert answer.why.startswith("mailbox here.example/info: ")


def test_no_descriptor_leaks(house, monkeypatch):
    def count():
        return len(os.listdir("/proc/self/fd"))

    assert house.deliver() is None
    before = count()
    assert house.deliver() is None
    for call in "write", "fsync", "rename", "open":
        for nth in range(1, 8):
            with monkeypatch.context() as patch:
                patch.setattr(os, call, fails(getattr(os, call), nth))
                house.deliver()
    assert count() == before


def test_a_missing_root_is_not_created(tmp_path):
    house = House(tmp_path / "not-mounted")
    answer = house.deliver()
    assert isinstance(answer, StoreFault)
    assert "perhaps its disk is not mounted" in answer.why
    assert not house.root.exists()


def test_a_mailbox_removed_meanwhile_is_made_again(house):
    assert house.deliver() is None
    shutil.rmtree(house.root / "here.example")
    assert house.deliver() is None
    assert house.stored() == [STORED]


def test_half_a_content_is_not_delivered(house):
    answer = house.deliver(content=Content(lies=7))
    assert answer == StoreFault(
        "the content of the message could not be read: 7 octets are missing at its end"
    )
    assert house.stored() == []
    assert house.files("tmp") == []


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), ValueError("read of closed file")])
def test_a_content_that_cannot_be_read_is_a_fault(house, error):
    class Broken(Content):
        def read(self, octets):
            raise error

    answer = house.deliver(content=Broken())
    assert isinstance(answer, StoreFault)
    assert str(error.args[-1]) in answer.why
    assert house.stored() == []
    assert house.files("tmp") == []


# --- Symbolic links -----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["here.example", "here.example/info", "here.example/info/new",
                                    "here.example/info/tmp", "here.example/info/cur"])  # fmt: skip
@pytest.mark.parametrize("leads_to", ["folder", "nothing", "file"])
def test_a_folder_that_is_a_symbolic_link_is_refused(tmp_path, folder, leads_to):
    house = House(tmp_path / "root")
    house.root.mkdir()
    assert house.deliver() is None
    trap = tmp_path / "trap"
    if leads_to == "folder":
        (house.root / folder).rename(trap)
    else:
        shutil.rmtree(house.root / folder)
    if leads_to == "file":
        trap.write_bytes(b"")
    (house.root / folder).symlink_to(trap)
    before = sorted(trap.rglob("*"))
    answer = house.deliver()
    assert isinstance(answer, StoreFault)
    assert "symbolic link" in answer.why
    assert sorted(trap.rglob("*")) == before


def test_the_root_itself_may_be_a_symbolic_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert House(tmp_path / "root").deliver() is None


# --- Whose mailbox ------------------------------------------------------------------------------------


def test_an_unknown_mailbox_is_refused(tmp_path):
    directory = LocalDirectory([LocalDomain("here.example", frozenset({"info"}), {"sales": ("info",)})])
    house = House(tmp_path, knows=directory.has_mailbox)
    assert house.deliver() is None
    assert house.deliver(address=Mailbox("postmaster", "here.example")) is None
    assert house.files("new", "here.example/postmaster") != []
    for local in "nobody", "sales", "p":
        assert house.deliver(address=Mailbox(local, "here.example")) == StoreRefused("no such mailbox")
    assert house.deliver(address=Mailbox("info", "else.example")) == StoreRefused("no such mailbox")
    assert len(house.stored()) == 2


@pytest.mark.parametrize(("local", "where"), [("a\0b", "here.example"), ("a\nb", "here.example"), ("", "x"),
                                              ('""', "x"), ("a", ""), ("a", "x\0y"), ("a", ".")])  # fmt: skip
def test_what_is_no_name_is_refused_even_if_it_is_known(house, local, where):
    assert house.deliver(address=Mailbox(local, where)) == StoreRefused("no such mailbox")
    assert list(house.root.rglob("*")) == []


def test_every_spelling_goes_into_the_same_folder(house):
    for local, where in ("info", "here.example"), ("INFO", "Here.Example."), ('"in\\fo"', "HERE.example"):
        assert house.deliver(address=Mailbox(local, where)) is None
    assert len(house.files("new")) == 3


@pytest.mark.parametrize(
    "local",
    ["../../x", "/etc/passwd", ".", "..", "...", "-flag", "a/b", "a|sh", "%2F", "%00", "x" * 300, "\udcff",
     "a b", "\u00fc" * 64, "tmp", "new", "cur", "~", "*", "a\\b", ".ssh", "info.", "a:b"],
)  # fmt: skip
def test_no_address_leads_out_of_the_root(tmp_path, local):
    house = House(tmp_path / "deep" / "root")
    house.root.mkdir(parents=True)
    address = Mailbox(local, local)
    expected = None if local.isprintable() and local != "." else StoreRefused("no such mailbox")
    assert house.deliver(address=address) == expected
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == (expected is None)
    for path in files:
        assert path.resolve() == path
        assert len(path.relative_to(house.root).parts) == 4


# --- Bounds and threads -------------------------------------------------------------------------------


def test_the_line_has_an_end(tmp_path, monkeypatch):
    assert WAITING_LIMIT == 10_000
    monkeypatch.setattr("byreturn.store.maildir.WAITING_LIMIT", 5)
    house = House(tmp_path, worker=ByHand())
    for _ in range(AT_ONCE + 5):
        assert house.deliver() == "nothing yet"
    assert len(house.worker.jobs) == AT_ONCE
    answer = house.deliver()
    assert isinstance(answer, StoreFault)
    assert "wait for the disk" in answer.why
    while house.worker.jobs:
        house.worker.work()
        assert len(house.worker.jobs) <= AT_ONCE
    assert house.answers[1:] == [None] * (AT_ONCE + 5)
    assert len(house.files("new")) == AT_ONCE + 5
    assert house.store._under_way == set()


def test_deliveries_run_in_threads_and_are_answered_on_the_loop(tmp_path):
    at_once = most = 0
    lock = threading.Lock()
    threads = set()

    class Counting(Content):
        def read(self, octets):
            nonlocal at_once, most
            threads.add(threading.get_ident())
            with lock:
                at_once += 1
                most = max(most, at_once)
            piece = super().read(octets)
            with lock:
                at_once -= 1
            return piece

    async def scene():
        loop = asyncio.get_running_loop()
        worker = ThreadWorker(loop, AT_ONCE, "store")
        house = House(tmp_path, worker=worker)
        answers = [loop.create_future() for _ in range(200)]

        def done(number, answer):
            assert threading.get_ident() == here
            answers[number].set_result(answer)

        here = threading.get_ident()
        for number in range(200):
            house.store.deliver(
                Mailbox(f"box{number % 7}", "here.example"), house.unique(), TRACE, Counting(),
                lambda answer, number=number: done(number, answer),
            )  # fmt: skip
        assert await asyncio.gather(*answers) == [None] * 200
        assert here not in threads
        assert most <= AT_ONCE
        assert house.stored() == [STORED] * 200
        worker.close()
        # Afterwards it is a fault like any other.
        last = loop.create_future()
        house.store.deliver(INFO, house.unique(), TRACE, Content(), last.set_result)
        assert isinstance(await last, StoreFault)

    asyncio.run(scene())
