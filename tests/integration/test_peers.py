"""Real programs on both sides: swaks and Postfix send to us, Postfix and smtp-sink take from us, Knot DNS
says where. They agree with us about SMTP, or one of us is wrong.
"""

from __future__ import annotations

import contextlib
import shutil
import smtplib
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from demo.peers import MoodyPeer, RefusingPort
from tests.integration.certificates import OPENSSL, Authority
from tests.integration.certificates import WHY_NOT as WHY_NOT_OPENSSL
from tests.integration.dns_server import KNOTD, WHY_NOT, KnotServer
from tests.integration.server import (
    HERE,
    HOSTNAME,
    MESSAGE,
    SENDER,
    Report,
    RunningServer,
    config_text,
    free_port_of,
    reports_in,
    route,
    stays,
    until,
)

_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
POSTFIX = shutil.which("postfix", path=_PATH)
SMTP_SOURCE = shutil.which("smtp-source", path=_PATH)
SMTP_SINK = shutil.which("smtp-sink", path=_PATH)
SWAKS = shutil.which("swaks", path=_PATH)

pytestmark = pytest.mark.peer
needs_postfix = pytest.mark.skipif(
    POSTFIX is None, reason="postfix (Debian package postfix) is not installed"
)
needs_smtp_source = pytest.mark.skipif(
    SMTP_SOURCE is None, reason="smtp-source (Debian package postfix) is not installed"
)
needs_smtp_sink = pytest.mark.skipif(
    SMTP_SINK is None, reason="smtp-sink (Debian package postfix) is not installed"
)
needs_swaks = pytest.mark.skipif(SWAKS is None, reason="swaks (Debian package swaks) is not installed")
needs_knot = pytest.mark.skipif(KNOTD is None, reason=WHY_NOT)

INFO = f"info@{HERE}"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


# --- swaks and smtp-source send to us -------------------------------------------------------------------


@needs_swaks
class TestSwaks:
    WAYS: ClassVar = {
        "plain": (),
        "pipelining": ("--pipeline",),
        "HELO": ("--protocol", "SMTP"),
        "two recipients": ("--to", f"{INFO},sales@{HERE}"),
        "null sender": ("--from", "<>"),
        "8-bit": ("--body", "Grüße und Küsse"),
        "lines with dots": ("--body", ".\\n..\\n.hidden\\n"),
    }

    def test_every_way_arrives(self, tmp_path: Path) -> None:
        assert SWAKS is not None
        with RunningServer(tmp_path, config_text()) as server:
            for number, (way, options) in enumerate(self.WAYS.items(), 1):
                done = run(
                    SWAKS, "--server", server.address, "--port", str(server.port), "--from", SENDER,
                    "--to", INFO, "--helo", "client.example", "--header", f"X-Way: {way}", *options,
                )  # fmt: skip
                assert done.returncode == 0, f"{way}\n{done.stdout}{done.stderr}"
                assert f"X-Way: {way}\n".encode() in server.wait_for_mail("info", number)[-1]
            assert until(lambda: len(server.mailbox("sales")) == 1)
            assert any("Grüße".encode() in content for content in server.mailbox("info"))
            assert any(b"\n.\n..\n.hidden\n" in content for content in server.mailbox("info"))

    def test_a_drop_before_the_end_is_no_mail(self, tmp_path: Path) -> None:
        assert SWAKS is not None
        with RunningServer(tmp_path, config_text()) as server:
            for step in ("--drop-after", "--drop-after-send"):
                for phase in ("MAIL", "RCPT", "DATA"):
                    run(
                        SWAKS, "--server", server.address, "--port", str(server.port), "--from", SENDER,
                        "--to", INFO, "--helo", "client.example", step, phase,
                    )  # fmt: skip
            assert server.rows("SELECT count(*) FROM message") == [(0,)]

    def test_a_refusal_is_a_refusal_to_swaks_too(self, tmp_path: Path) -> None:
        assert SWAKS is not None
        with RunningServer(tmp_path, config_text({"relay": {"allow": []}})) as server:
            done = run(
                SWAKS, "--server", server.address, "--port", str(server.port), "--from", "x@example.org",
                "--to", "y@example.net", "--helo", "client.example",
            )  # fmt: skip
            assert done.returncode == 24, done.stdout
            assert "550 5.7.1" in done.stdout


@needs_smtp_source
class TestSmtpSource:
    def test_a_hundred_messages_in_ten_sessions_all_arrive(self, tmp_path: Path) -> None:
        assert SMTP_SOURCE is not None
        with RunningServer(tmp_path, config_text()) as server:
            done = run(
                SMTP_SOURCE, "-s", "10", "-m", "100", "-l", "4000", "-f", SENDER, "-t", INFO,
                "-M", "client.example", f"inet:{server.address}:{server.port}",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert len(server.wait_for_mail("info", 100, 30)) == 100
            assert stays(lambda: len(server.mailbox("info")) == 100, 0.2)

    @needs_smtp_sink
    def test_through_us_to_smtp_sink(self, tmp_path: Path) -> None:
        assert SMTP_SOURCE is not None
        assert SMTP_SINK is not None
        port = free_port_of("127.0.0.1")
        dumps = tmp_path / "sink"
        dumps.mkdir()
        sink = subprocess.Popen(
            [SMTP_SINK, "-d", "%M.", "-u", "root", f"127.0.0.1:{port}", "100"],
            cwd=dumps, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert until(lambda: is_listening(port))
            config = config_text({"route": [route("sink.example", ("127.0.0.1", port))]})
            with RunningServer(tmp_path, config) as server:
                # -N: recipients are numbered, so that each message has one of its own.
                done = run(
                    SMTP_SOURCE, "-N", "-s", "10", "-m", "100", "-l", "20000", "-f", SENDER,
                    "-t", "rcpt@sink.example", "-M", "client.example",
                    f"inet:{server.address}:{server.port}",
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                assert until(lambda: len(server.facts("relayed")) == 100, 30)
                assert server.facts("put off", "uncertain", "failed") == []
                files = [file.read_bytes() for file in dumps.iterdir() if file.stat().st_size]
                assert len(files) == 100
        finally:
            sink.terminate()
            sink.wait(10)


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), smtplib.SMTP("127.0.0.1", port, "probe.example", 5):
        return True
    return False


# --- Postfix, as a client and as a next hop -------------------------------------------------------------


class Postfix:
    """A private Postfix: it takes mail for postfix.example, and sends all other mail to a relay host.

    Its folders are not below tmp_path, because its processes are other users, who may not pass through there.
    """

    MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
"""
    MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/maillog
maillog_file_prefixes = {folder}/log
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{relay_port}
smtp_tls_security_level = none
virtual_mailbox_domains = postfix.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
"""
    TLS = """\
smtpd_tls_security_level = {level}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_received_header = yes
"""

    def __init__(self, relay_port: int, more: str = "") -> None:
        self.relay_port = relay_port
        self._more = more
        self.port = free_port_of("127.0.0.1")
        self.endpoint = ("127.0.0.1", self.port)

    def __enter__(self) -> Postfix:
        self.folder = Path(tempfile.mkdtemp(prefix="byreturn-postfix-"))
        try:
            self.folder.chmod(0o755)
            for name in ("etc", "queue", "data", "log", "mail"):
                (self.folder / name).mkdir()
            user = 65534
            for name in ("data", "mail"):
                shutil.chown(self.folder / name, "postfix" if name == "data" else user)
            main = self.MAIN.format(folder=self.folder, relay_port=self.relay_port, uid=user)
            (self.folder / "etc" / "main.cf").write_text(main + self._more)
            (self.folder / "etc" / "master.cf").write_text(self.MASTER.format(port=self.port))
            (self.folder / "etc" / "mailboxes").write_text("info@postfix.example info/\n")
            self._control("start")
            assert until(lambda: is_listening(self.port), 20), self.log()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self._control("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, what: str) -> None:
        assert POSTFIX is not None
        # No pipes: the daemons that it starts would keep them open, and we should wait for them.
        subprocess.run(
            [POSTFIX, "-c", str(self.folder / "etc"), what],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=60,
        )  # fmt: skip

    def log(self) -> str:
        file = self.folder / "log" / "maillog"
        return file.read_text(errors="replace") if file.exists() else ""

    def mailbox(self) -> list[bytes]:
        folder = self.folder / "mail" / "info" / "new"
        return [file.read_bytes() for file in folder.iterdir()] if folder.exists() else []


@pytest.fixture(scope="class")
def postfix() -> Iterator[Postfix]:
    with Postfix(free_port_of("127.0.0.1")) as running:
        yield running


@pytest.fixture
def beside_postfix(postfix: Postfix, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that Postfix relays to, and that routes postfix.example to Postfix."""
    changes = {
        "listener": [{"bind": [f"127.0.0.1:{postfix.relay_port}"]}],
        "route": [route("postfix.example", postfix.endpoint)],
    }
    with RunningServer(tmp_path, config_text(changes)) as server:
        yield server


@needs_postfix
class TestPostfix:
    def test_as_a_client_it_gets_everything_to_us(
        self, postfix: Postfix, beside_postfix: RunningServer
    ) -> None:
        messages = 30
        with smtplib.SMTP(*postfix.endpoint, local_hostname="client.example", timeout=20) as client:
            for number in range(messages):
                content = MESSAGE + f"Größe {number}\r\n".encode()
                client.sendmail(SENDER, [INFO, f"sales@{HERE}"], content, ["BODY=8BITMIME"])
        assert len(beside_postfix.wait_for_mail("info", messages, 30)) == messages
        assert len(beside_postfix.wait_for_mail("sales", messages, 30)) == messages
        for number in range(messages):
            line = f"Größe {number}\n".encode()
            assert sum(content.endswith(line) for content in beside_postfix.mailbox("info")) == 1
        assert "status=deferred" not in postfix.log()

    def test_a_bounce_of_ours_is_a_bounce_to_it(self, postfix: Postfix, tmp_path: Path) -> None:
        """Refused in the session: then the report is Postfix's, and comes to us like all its mail."""
        changes = {
            "listener": [{"bind": [f"127.0.0.1:{postfix.relay_port}"]}],
            "relay": {"allow": [], "refuse_unknown_recipients_in_session": True},
        }
        with RunningServer(tmp_path, config_text(changes)) as server:
            with smtplib.SMTP(*postfix.endpoint, local_hostname="client.example", timeout=20) as client:
                client.sendmail(SENDER, [f"inof@{HERE}"], MESSAGE)
            report = Report(server.wait_for_mail("sender", 1, 20)[0])
            assert report.actions() == {f"inof@{HERE}": "failed"}
            assert HOSTNAME in report.field(f"inof@{HERE}", "Remote-MTA") or "127.0.0.1" in report.field(
                f"inof@{HERE}", "Remote-MTA"
            )

    def test_as_a_next_hop_it_gets_everything_from_us(
        self, postfix: Postfix, beside_postfix: RunningServer
    ) -> None:
        before = len(postfix.mailbox())
        content = MESSAGE + "Größe\r\n".encode() + b"x" * 990 + b"\r\n"
        for _ in range(20):
            beside_postfix.send(SENDER, ["info@postfix.example"], content)
        assert until(lambda: len(postfix.mailbox()) == before + 20, 30), postfix.log()
        assert until(lambda: len(beside_postfix.facts("relayed")) == 20)
        assert all(one.endswith(content.replace(b"\r\n", b"\n")) for one in postfix.mailbox()[-20:])

    def test_its_550_is_our_report_and_the_others_get_their_mail(
        self, postfix: Postfix, beside_postfix: RunningServer
    ) -> None:
        before = len(postfix.mailbox())
        beside_postfix.send(SENDER, ["info@postfix.example", "nobody@postfix.example"])
        report = Report(beside_postfix.wait_for_mail("sender")[0])
        assert report.actions() == {"nobody@postfix.example": "failed"}
        said = report.field("nobody@postfix.example", "Diagnostic-Code")
        assert "550 5.1.1" in said
        assert "User unknown in virtual mailbox table" in said
        assert until(lambda: len(postfix.mailbox()) == before + 1), postfix.log()

    def test_a_dsn_request_goes_through_us_and_is_answered_by_it(
        self, postfix: Postfix, beside_postfix: RunningServer
    ) -> None:
        with beside_postfix.client() as client:
            client.ehlo()
            client.mail(SENDER, ["RET=HDRS", "ENVID=QQ314159"])
            client.rcpt("info@postfix.example", ["NOTIFY=SUCCESS", "ORCPT=rfc822;chief@old.example"])
            assert client.data(MESSAGE)[0] == 250
        (content,) = beside_postfix.wait_for_mail("sender", 1, 20)
        report = Report(content)
        assert report.actions() == {"info@postfix.example": "delivered"}
        assert report.blocks[0]["Original-Envelope-Id"] == "QQ314159"
        assert report.field("info@postfix.example", "Original-Recipient") == "rfc822;chief@old.example"
        assert "postfix.example" in report.blocks[0]["Reporting-MTA"]
        # The report is the peer's; we passed the request on and say nothing ourselves.
        assert stays(lambda: len(beside_postfix.mailbox("sender")) == 1, 0.3)


@needs_postfix
@pytest.mark.skipif(OPENSSL is None, reason=WHY_NOT_OPENSSL)
class TestPostfixInTls:
    @pytest.mark.parametrize("level", ["opportunistic", "required", "verified"])
    def test_it_gets_everything_from_us_encrypted(self, tmp_path: Path, level: str) -> None:
        authority = Authority(tmp_path)
        certificate, key = authority.files_for("127.0.0.1")
        # "encrypt": it takes nothing in clear text.
        tls = Postfix.TLS.format(level="encrypt", certificate=certificate, key=key)
        with Postfix(free_port_of("127.0.0.1"), tls) as postfix:
            changes = {
                "route": [route("postfix.example", postfix.endpoint)],
                "delivery": {"tls": level, "tls_roots": str(authority.certificate)},
            }
            with RunningServer(tmp_path, config_text(changes)) as server:
                content = MESSAGE + b"0123456789" * 90 + b"\r\n" * 20_000
                for _ in range(5):
                    server.send(SENDER, ["info@postfix.example"], content)
                assert until(lambda: len(server.facts("relayed")) == 5, 30), postfix.log()
                assert until(lambda: len(postfix.mailbox()) == 5), postfix.log()
                for one in postfix.mailbox():
                    assert one.endswith(content.replace(b"\r\n", b"\n"))
                    assert b"using TLSv1.3 with cipher" in one
                assert server.facts("TLS failed", "put off") == []

    def test_a_certificate_that_nobody_knows_is_no_last_word(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        certificate, key = authority.files_for("127.0.0.1")
        tls = Postfix.TLS.format(level="encrypt", certificate=certificate, key=key)
        with Postfix(free_port_of("127.0.0.1"), tls) as postfix:
            changes = {
                "route": [route("postfix.example", postfix.endpoint)],
                "delivery": {"tls": "verified"},
            }
            with RunningServer(tmp_path, config_text(changes)) as server:
                server.send(SENDER, ["info@postfix.example"])
                assert until(lambda: server.facts("put off")), postfix.log()
                assert "the certificate is not good" in server.facts("put off")[0]["why"]
                assert server.state_of("info@postfix.example") == "waiting"


# --- Names: real DNS ------------------------------------------------------------------------------------

ONE = "127.0.0.21"
TWO = "127.0.0.22"
DEAD = "127.0.0.23"
GUARDED = "127.0.0.24"
ZONE = {
    "example": (
        f"mx1 A {ONE}\nmx2 A {TWO}\ndeadhost A {DEAD}\nguarded A {GUARDED}\n"
        "mxalias CNAME mx1\n"
        "plain MX 10 mx1\n"
        "deadfirst MX 10 deadhost\ndeadfirst MX 20 mx1\n"
        "preferred MX 20 mx1\npreferred MX 10 mx2\n"
        f"fallback A {ONE}\n"
        "nullmx MX 0 .\n"
        "aliased CNAME plain\n"
        "viaalias MX 10 mxalias\n"
        "equal MX 10 mx1\nequal MX 10 mx2\n"
        "allgone MX 10 gone1\nallgone MX 20 gone2\n"
        "halfgone MX 10 gone1\nhalfgone MX 20 mx1\n"
        'nomail TXT "no mail here"\n'
        "loop MX 10 us\nus A 127.0.0.1\n"
        f"iptext MX 10 {ONE}.\n"
        "private MX 10 guarded\n"
    )
}


@pytest.fixture(scope="class")
def knot() -> Iterator[KnotServer]:
    with KnotServer(ZONE) as running:
        yield running


@needs_knot
class TestNames:
    @contextlib.contextmanager
    def house(
        self,
        tmp_path: Path,
        knot: KnotServer,
        *,
        allow_private: tuple[str, ...] = ("127.0.0.0/8",),
        **more: Any,
    ) -> Iterator[tuple[RunningServer, MoodyPeer, MoodyPeer]]:
        port = free_port_of(ONE, TWO, DEAD, GUARDED)
        changes = {
            "": {"hostname": "us.example", "data": "data"},
            "dns": {"servers": [f"{knot.address}:{knot.port}"]},
            "delivery": {"port": port, "allow_private": list(allow_private), **more},
            "report": {"gather": "100ms"},
        }
        with (
            MoodyPeer(ONE, port) as one,
            MoodyPeer(TWO, port) as two,
            RefusingPort(DEAD, port),
            RunningServer(tmp_path, config_text(changes)) as server,
        ):
            yield server, one, two

    def test_ways_that_lead_to_a_host(self, tmp_path: Path, knot: KnotServer) -> None:
        to_one = ("plain", "deadfirst", "fallback", "aliased", "viaalias", "halfgone", "iptext")
        with self.house(tmp_path, knot) as (server, one, two):
            for name in to_one:
                server.send(SENDER, [f"info@{name}.example"])
            server.send(SENDER, [f"info@[{ONE}]"])
            server.send(SENDER, ["info@preferred.example"])
            assert until(lambda: len(one.received) + len(two.received) == len(to_one) + 2), server.journal()
            assert {r for message in one.received for r in message.recipients} == {
                *(f"info@{name}.example" for name in to_one), f"info@[{ONE}]",
            }  # fmt: skip
            assert [message.recipients for message in two.received] == [("info@preferred.example",)]
            assert until(lambda: len(server.facts("relayed")) == len(to_one) + 2)
            assert server.facts("put off", "failed") == []

    def test_ways_that_lead_nowhere_for_good(self, tmp_path: Path, knot: KnotServer) -> None:
        nowhere = {
            "nullmx": "5.1.10",
            "allgone": "5.",
            "nomail": "5.",
            "nxdomain": "5.1.2",
            "loop": "5.4.6",
        }
        with self.house(tmp_path, knot) as (server, one, two):
            addresses = {f"info@{name}.example": status for name, status in nowhere.items()}
            server.send(SENDER, [*addresses, "info@plain.example"])
            (content,) = server.wait_for_mail("sender")
            report = Report(content)
            assert report.actions() == dict.fromkeys(addresses, "failed")
            for address, status in addresses.items():
                assert report.field(address, "Status").startswith(status), report.status.as_string()
                # What we found ourselves is named as ours.
                assert report.field(address, "Diagnostic-Code").startswith("x-byreturn;")
            assert stays(lambda: len(server.mailbox("sender")) == 1, 0.3)
            assert until(lambda: len(one.received) == 1)
            assert two.connections == 0

    def test_equal_hosts_share_the_mail(self, tmp_path: Path, knot: KnotServer) -> None:
        # Without resting connections each message draws its host anew: one in 2^39 draws is one-sided.
        with self.house(tmp_path, knot, idle="0s") as (server, one, two):
            for number in range(40):
                server.send(SENDER, [f"info{number}@equal.example"])
                # One after the other: mail that waits is taken by the connection that is open.
                assert until(lambda: len(server.facts("relayed")) > number)  # noqa: B023 - called here
            assert one.received
            assert two.received
            taken = Counter(r for peer in (one, two) for message in peer.received for r in message.recipients)
            assert set(taken.values()) == {1}

    def test_a_private_address_from_the_dns_is_never_dialled(self, tmp_path: Path, knot: KnotServer) -> None:
        with self.house(tmp_path, knot, allow_private=()) as (server, one, two):
            port = one.endpoint[1]
            with MoodyPeer(GUARDED, port) as guarded:
                names = ("private.example", "plain.example", f"[{GUARDED}]", "iptext.example")
                targets = [f"info@{name}" for name in names]
                server.send(SENDER, targets)
                assert until(lambda: len(server.facts("put off")) == 4), server.journal()
                assert all("not a public address" in entry["why"] for entry in server.facts("put off"))
                assert [server.state_of(target) for target in targets] == ["waiting"] * 4
                # Not even a connection.
                assert (guarded.connections, one.connections, two.connections) == (0, 0, 0)
                assert reports_in(server.mailbox("sender")) == []
