"""Every key there is, written down once.

The checker, the defaults, the errors, `byreturn check` and the reference page are all read off this table;
a key that is not here does not exist. Defaults and examples are TOML, as they would stand in a file, and go
through the same kinds as the file does.

    Section   one `[table]`, or a `[[table]]` that may be repeated
    Key       name, kind, default, example, meaning; in a preset its default may be another one

A key without a default is either *required* or takes its value from elsewhere (`otherwise` says where).
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from byreturn.config.hosts import At, Hop, IpAddressKind, Network
from byreturn.config.manners import Classes, LanguageTag, LineOfText, Notices, SenderMatch, TimeZone
from byreturn.config.names import (
    Address,
    Aliases,
    Delimiter,
    DestinationMatch,
    DomainName,
    Folder,
    Label,
    LocalPart,
    Pattern,
    PemFile,
)
from byreturn.config.rates import MessageRate, OctetRate
from byreturn.config.values import AllOr, Choice, Flag, Kind, ListOf, Octets, Span, Whole
from byreturn.mail import DAY, HOUR, MINUTE, SECOND
from byreturn.policy import TlsLevel
from byreturn.report import Reason


class Key(Struct, frozen=True):
    """One key of a section. `imc` is its default where `retry.preset` is "imc".

    `formerly` is the name that an earlier release had for it.
    """

    name: str
    kind: Kind[Any]
    default: str | None
    example: str
    doc: str
    otherwise: str = ""
    imc: str = ""
    formerly: str = ""

    @property
    def is_required(self) -> bool:
        """Whether the file must have it."""
        return self.default is None and not self.otherwise


class Section(Struct, frozen=True):
    """A table of the file; the empty path is the top of the file, before the first table.

    A repeated one stands up to `most` times.
    """

    path: str
    doc: str
    keys: tuple[Key, ...]
    is_repeated: bool = False
    most: int = 10_000
    is_required: bool = False

    @property
    def heading(self) -> str:
        """The section's line in a file; empty for the top of the file."""
        if not self.path:
            return ""
        return f"[[{self.path}]]" if self.is_repeated else f"[{self.path}]"


KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
TIB: Final = 1 << 40

# Not zero, or a wait would be no wait; far below a second, because demonstrations run years in minutes.
_WAIT: Final = Span(10, 30 * DAY)
_TIMEOUT: Final = Span(10, 1 * DAY)
_LIFETIME: Final = Span(10, 365 * DAY)
_KEEP: Final = Span(0, 3_650 * DAY)
_COUNT: Final = Whole(1, 100_000)
_NETWORKS: Final = ListOf(Network())
_CONNECTIONS: Final = Whole(1, 10_000)
_TRANSACTION_RECIPIENTS: Final = Whole(1, 10_000)
# What the postmaster may have copies of: failures by their reason, and three things besides.
COPY_CLASSES: Final = (*map(str, Reason), "expired", "returned", "undeliverable-report")
_FIRST_WAITS: Final = ListOf(_WAIT, most=50)
_WAITS: Final = ListOf(_WAIT, most=50, may_be_empty=False)

# fmt: off
SECTIONS: Final = (
    Section("", "Who we are, and where the mail is kept.", (
        Key("hostname", DomainName(), None, '"mail.example.org"',
            "The name under which this machine introduces itself and signs reports; it should be in the DNS.",
            otherwise="the machine's own full name"),
        Key("data", Folder(), '"byreturn-data"', '"/var/lib/byreturn"',
            "The folder of the queue and the mailboxes, relative to the folder of the configuration file."),
        Key("node", Whole(0, 63), "0", "1",
            "A number that no other machine with the same hostname has; it is part of every message's id."),
    )),
    Section("listener", "Where we accept mail; at least one is needed.", (
        Key("protocol", Choice(("smtp",)), '"smtp"', '"smtp"',
            "What is spoken there."),
        Key("bind", ListOf(At(least_port=0), most=64, may_be_empty=False), None,
            '["0.0.0.0:25", "[::]:25"]',
            "The addresses to listen on; `0.0.0.0` and `[::]` are all there are, port 0 takes a free one."),
        Key("name", Label(), '"smtp"', '"inside"',
            "The listener's name in the log."),
        Key("trusted_line_ends", Choice(("refuse", "normalize")), '"refuse"', '"normalize"',
            "What to do with a line that ends in a bare LF: refuse the message, or make it CRLF if the "
            "client is in `normalize_from`. Bare LF from anybody else is refused: it can smuggle mail."),
        Key("normalize_from", _NETWORKS, "[]", '["192.0.2.128/25"]',
            "The clients whose bare LF is made CRLF; only with `trusted_line_ends = \"normalize\"`."),
        Key("max_connections", _COUNT, "1000", "500",
            "Sessions at once on this listener; beyond it clients hear 421 and come back later."),
        Key("max_connections_per_client", _COUNT, "50", "20",
            "Sessions at once from one client address."),
        Key("language", LanguageTag(), None, '"de"',
            "The language of the replies to clients; they are in ASCII whatever it is.",
            otherwise="as in [report]"),
    ), is_repeated=True, most=100, is_required=True),
    Section("relay", "Whose mail we pass on to the rest of the world. Nobody's, unless it says so here.", (
        Key("allow", _NETWORKS, "[]", '["127.0.0.0/8", "::1", "192.0.2.0/24"]',
            "Our own networks: their mail is accepted for every destination."),
        Key("refuse_unknown_recipients_in_session", Flag(), "false", "true",
            "Answer our own networks 550 for a local address that does not exist. Otherwise they get 250 and "
            "a non-delivery report, so that one misspelt address does not stop the whole message."),
    )),
    Section("domain", "A domain whose mailboxes are here.", (
        Key("name", DomainName(), None, '"example.org"',
            "The domain."),
        Key("store", Choice(("maildir",)), '"maildir"', '"maildir"',
            "How its mailboxes are kept."),
        Key("mailboxes", AllOr(ListOf(LocalPart(), most=100_000, is_set=True)), None,
            '["info", "sales"]',
            "The mailboxes there are; with `\"*\"` every name is one."),
        Key("aliases", Aliases(), "{}", '{ office = ["info", "sales"] }',
            "Names that stand for mailboxes of this domain, or for addresses elsewhere."),
        Key("subaddress_delimiter", Delimiter(), '"+"', '"-"',
            "With `+`, mail to info+anything goes to info; `\"\"` turns this off."),
        Key("language", LanguageTag(), None, '"de"',
            "The language of reports to its people, unless they have chosen one or written in another.",
            otherwise="as in [report]"),
    ), is_repeated=True),
    Section("dns", "Whom we ask for names, and how patiently.", (
        Key("servers", ListOf(At(53), most=16, is_set=True), "[]",
            '["127.0.0.1:53", "[::1]:53"]',
            "The name servers to ask; if empty, the system's."),
        Key("timeout", Span(10, 1 * MINUTE), '"2s"', '"5s"',
            "How long to wait for one answer."),
        Key("tries", Whole(1, 20), "3", "5",
            "How often to ask before a look-up fails for now."),
        Key("concurrency", Whole(1, 10_000), "100", "50",
            "Look-ups begun at once. Those that take long are not counted, so dead names hold up no others. "
            "With more, a busy name server may lose questions."),
        Key("cache_entries", Whole(1, 10_000_000), "50000", "10000",
            "Answers remembered, each for no longer than it says."),
    )),
    Section("delivery", "How we speak to the hosts we deliver to.", (
        Key("port", Whole(1, 65_535), "25", "2525",
            "The port of other mail hosts."),
        Key("allow_private", _NETWORKS, "[]", '["10.0.0.0/8"]',
            "Private networks that mail may be delivered into although only the DNS says so."),
        Key("source_address", IpAddressKind(), None, '"192.0.2.25"',
            "The address to connect from.", otherwise="the system's choice"),
        Key("hello", DomainName(), None, '"out.example.org"',
            "The name given in EHLO.", otherwise="the hostname"),
        Key("tls", Choice(tuple(TlsLevel)), '"opportunistic"', '"required"',
            "How mail is encrypted: not at all; where the host offers it; never in clear text; or with a "
            "certificate besides that is valid and the host's own. What cannot be sent so waits."),
        Key("tls_roots", PemFile(), None, '"roots.pem"',
            "A file of certificates in PEM that are believed besides the system's; for `verified`.",
            otherwise="the system's alone"),
        Key("active_recipients", Whole(100, 1_000_000), "10000", "50000",
            "Recipients in memory for delivery at once; the rest of the queue stays on the disk."),
        Key("destination_quota", Whole(1, 1_000_000), "1000", "5000",
            "Recipients of one destination among the active ones, so that a dead one cannot fill them."),
        Key("connections", _COUNT, "2000", "500",
            "Connections to other hosts at once."),
        Key("connections_per_destination", _CONNECTIONS, "20", "10",
            "Connections at once to the hosts that take a destination's mail.",
            formerly="connections_per_lane"),
        Key("connections_per_address", _CONNECTIONS, "50", "20",
            "Connections at once to one address, whichever destinations it serves."),
        Key("messages_per_connection", _COUNT, "100", "50",
            "Messages sent over one connection before it is closed."),
        # RFC 5321 section 4.5.3.1.8: 100 are the least that every host has to take.
        Key("recipients_per_transaction", _TRANSACTION_RECIPIENTS, "100", "50",
            "Recipients of a message sent in one transaction, the rest of them in others; every host has to "
            "take 100."),
        Key("idle", Span(0, 5 * MINUTE), '"2s"', '"10s"',
            "How long a connection without work is kept; `0s` closes it at once."),
    )),
    Section("delivery.timeouts", "How long we wait for another host, step by step.", (
        Key("connect", _TIMEOUT, '"30s"', '"1m"', "For the connection."),
        Key("greeting", _TIMEOUT, '"5m"', '"1m"', "For the first reply."),
        Key("hello", _TIMEOUT, '"5m"', '"1m"', "For the reply to EHLO."),
        Key("tls", _TIMEOUT, '"1m"', '"30s"', "For the reply to STARTTLS, and again for the handshake."),
        Key("mail", _TIMEOUT, '"5m"', '"1m"', "For the reply to MAIL FROM."),
        Key("rcpt", _TIMEOUT, '"5m"', '"1m"', "For the reply to RCPT TO."),
        Key("data", _TIMEOUT, '"2m"', '"1m"', "For the reply to DATA."),
        Key("content", _TIMEOUT, '"3m"', '"1m"', "For the host to take a part of the content."),
        Key("end_of_content", _TIMEOUT, '"10m"', '"5m"',
            "For the reply to the end of the content; if we do not wait, the host may have the message and "
            "get it twice."),
        Key("transaction", _TIMEOUT, '"1h"', '"30m"', "For one message as a whole."),
    )),
    Section("route", "Mail for some domains goes to hosts named here instead of those in the DNS.", (
        Key("domain", Pattern(), None, '"*.partner.example"',
            "The domain; `*.name` is everything below a name, not the name itself, `*` is all mail. The "
            "closest match counts."),
        Key("hosts", ListOf(Hop(), most=20, may_be_empty=False, is_set=True), None,
            '["mx1.partner.example", "192.0.2.50:2525"]',
            "The hosts, tried in this order; `delivery.port` if no port is given."),
    ), is_repeated=True),
    Section("destination", "Rules for some destinations. The closest one counts, and it alone: one that "
            "names the domain before one that names its hosts, `*` last. What it leaves out is as for "
            "everybody.", (
        Key("match", DestinationMatch(), None, '"*.partner.example"',
            "Whose mail: a domain's, that of every domain below one (`*.name`), that of every domain all of "
            "whose hosts are such (`mx:mx1.big.example`, `mx:*.big.example`), or all other mail (`*`)."),
        Key("connections", _CONNECTIONS, None, "2",
            "Connections at once to the hosts that take its mail.", otherwise="as in [delivery]"),
        Key("messages_per_connection", _COUNT, None, "10",
            "Messages sent over one connection before it is closed.", otherwise="as in [delivery]"),
        Key("recipients_per_transaction", _TRANSACTION_RECIPIENTS, None, "20",
            "Recipients of a message sent in one transaction, the rest of them in others.",
            otherwise="as in [delivery]"),
        Key("message_rate", MessageRate(), None, '"100/min"',
            "Messages in a time, over all connections to its hosts.",
            otherwise="no limit"),
        Key("octet_rate", OctetRate(), None, '"10MiB/min"',
            "Octets in a time; a larger message goes too, and those behind it wait until it is made up for.",
            otherwise="no limit"),
        Key("after_4yz", _FIRST_WAITS, None, '["10m"]',
            "The first waits after a host has answered \"not now\" (4yz); then `intervals`.",
            otherwise="as in [retry]"),
        Key("intervals", _WAITS, None, '["30m", "2h"]',
            "The waits after nobody has answered; the last one repeats.", otherwise="as in [retry]"),
        Key("probe_limit", _WAIT, None, '"1h"',
            "The longest wait before it is tried again for all its mail when it does not answer.",
            otherwise="as in [retry]"),
        Key("lifetime", _LIFETIME, None, '"2d"',
            "How long we try, whatever the priority of the message.", otherwise="as in [retry.lifetime]"),
        Key("source_address", IpAddressKind(), None, '"192.0.2.26"',
            "The address to connect from.", otherwise="as in [delivery]"),
        Key("hello", DomainName(), None, '"bulk.example.org"',
            "The name given in EHLO.", otherwise="as in [delivery]"),
        Key("tls", Choice(tuple(TlsLevel)), None, '"verified"',
            "How its mail is encrypted.", otherwise="as in [delivery]"),
    ), is_repeated=True),
    Section("retry", "When we try again.", (
        Key("preset", Choice(("default", "imc")), '"default"', '"imc"',
            "A set of defaults: `imc` tries after 15 min, 30 min, 1 h, then every 4 h, and gives up after "
            "24, 48 or 72 h. Keys that are written out win."),
        Key("after_4yz", _FIRST_WAITS, '["1m", "5m", "15m"]', '["5m", "20m"]',
            "The first waits after a host has answered \"not now\" (4yz); then `intervals`."),
        Key("intervals", _WAITS,
            '["15m", "30m", "1h", "2h"]', '["10m", "1h"]',
            "The waits after nobody has answered; the last one repeats.",
            imc='["15m", "30m", "1h", "4h"]'),
        Key("probe_limit", _WAIT, '"30m"', '"10m"',
            "The longest wait before a destination that does not answer is tried again for all its mail."),
    )),
    Section("retry.lifetime", "How long we try, by the priority of the message, before it goes back.", (
        Key("urgent", _LIFETIME, '"1d"', '"12h"', "Of urgent messages.", imc='"1d"'),
        Key("normal", _LIFETIME, '"5d"', '"4d"', "Of all others, and of reports.", imc='"2d"'),
        Key("non-urgent", _LIFETIME, '"7d"', '"14d"', "Of messages that may wait.", imc='"3d"'),
    )),
    Section("report", "How senders hear of mail that did not arrive.", (
        Key("gather", Span(0, 10 * MINUTE), '"1s"', '"5s"',
            "How long the first report of a message may wait for other recipients of it that fail too."),
        Key("delay_notice_after", Notices(Span(0, 365 * DAY)), '"4h"', '["4h", "1d"]',
            "When to tell a sender that a message still waits; of a list, after each. `0s` is never."),
        Key("early_delay_notice_after", Span(0, 365 * DAY), '"20m"', '"0s"',
            "When to tell it already if we know by then that it will not arrive soon; `0s` is never."),
        Key("return_octets", Octets(0, 100 * MIB), '"50KiB"', '"10KiB"',
            "A message up to this size is returned whole in a report, of a larger one only the headers."),
        Key("postmaster", Address(), None, '"postmaster@example.org"',
            "Who answers for this machine: named in reports.",
            otherwise="postmaster at the first domain, or at the hostname"),
        Key("contact", LineOfText(), '""', '"help desk, telephone 4711"',
            "How else to reach a person who can help; stands in reports beside the postmaster's address."),
        Key("language", LanguageTag(), '"en"', '"de"',
            "The language of reports for whom no other is chosen: by a [[sender]], by the message itself, by "
            "the sender's [[domain]]."),
        Key("catalogues", Folder(), None, '"catalogues"',
            "A folder of translations besides ours: `xx.po` adds a language, or says some of its sentences "
            "differently.",
            otherwise="those that come with ByReturn"),
        Key("time_zone", TimeZone(), '"sender"', '"Europe/Berlin"',
            "Whose time is told: `sender` is that of the message's Date field."),
        Key("templates", Folder(), None, '"templates"',
            "A folder of templates that take the place of those that come with ByReturn.",
            otherwise="those that come with ByReturn"),
        Key("html", Flag(), "true", "false",
            "Give reports a second form in HTML, which says the same."),
        Key("suggestions", Flag(), "true", "false",
            "Ask \"did you mean\" where an address is close to one that takes mail."),
        Key("postmaster_copies", Classes(COPY_CLASSES),
            '["loop", "our-fault", "undeliverable-report", "store-failed"]', '"all"',
            "Of which failures the postmaster has a copy, by their one class."),
        Key("objective", Span(0, 1 * DAY), '"1m"', '"10s"',
            "A report that is in the sender's mailbox later than this, from when the failure was known, is "
            "told as an event; `0s` is never."),
        Key("flood", Whole(1, 1_000_000), "600", "60",
            "So many reports a minute to one address are whole; further ones return headers only, and take "
            "their turns."),
    )),
    Section("sender", "What some senders wish. The closest one counts, and it alone: an address before its "
            "domain, that before a pattern.", (
        Key("match", SenderMatch(), None, '"ann@example.org"',
            "Whose wishes: of one address, of a domain's (`@example.org`), of those below it "
            "(`@*.example.org`), of everybody's (`@*`)."),
        Key("language", LanguageTag(), None, '"de"',
            "The language of reports to them.", otherwise="that of the message, or of the domain"),
        Key("time_zone", TimeZone(), None, '"Europe/Berlin"',
            "Whose time they are told.", otherwise="as in [report]"),
    ), is_repeated=True),
    Section("brake", "When we would rather believe that the DNS is wrong than that so many destinations have "
            "gone.", (
        Key("known_names", ListOf(DomainName(), most=100, is_set=True), "[]", '["example.com"]',
            "Domains that certainly exist; when a name server denies one of them, it is not believed about "
            "any other."),
        Key("denied_destinations", _COUNT, "20", "50",
            "So many destinations that the DNS denies within ten minutes, and more of them than those it "
            "finds, hold all such reports back until somebody has looked."),
        Key("keep_trying", Span(0, 30 * DAY), '"4h"', '"1d"',
            "How long a destination that took mail lately is tried on although the DNS denies it."),
    )),
    Section("limits", "What a client may ask of us.", (
        # RFC 5321 section 4.5.3.1.7: 64 KiB of content is the least that everybody has to take.
        Key("message_octets", Octets(64 * KIB, 2 * GIB), '"50MiB"', '"25MiB"',
            "The largest message accepted; told to clients as SIZE."),
        # RFC 5321 section 4.5.3.1.8: 100 recipients are the least.
        Key("recipients", Whole(100, 100_000), "1000", "500",
            "Recipients of one message; the client hears 452 for the rest and sends them again."),
        # RFC 3461 section 5.4: NOTIFY and ORCPT make a command line as long as 1036 octets.
        Key("command_octets", Whole(1_036, 65_536), "2048", "4096",
            "The longest command line."),
        # RFC 5321 section 4.5.3.1.6: 1000 octets with the CRLF.
        Key("content_line_octets", Whole(998, MIB), "998", "2000",
            "The longest line of a message, without its CRLF; a message with a longer one is refused."),
        Key("commands_without_effect", Whole(1, 100_000), "100", "50",
            "Commands of a session that lead nowhere (NOOP, RSET and the like) before it is ended."),
        Key("errors", Whole(1, 10_000), "20", "10",
            "Commands of a session that we refuse before it is ended."),
        Key("session", Span(1 * SECOND, 7 * DAY), '"2h"', '"1h"',
            "How long a session may last."),
        Key("read", Span(10, 1 * HOUR), '"5m"', '"2m"',
            "How long a client may be silent."),
        Key("hops", Whole(10, 1_000), "100", "50",
            "Received lines in a message that is still taken for mail and not for a loop."),
        Key("reserve_octets", Octets(0, TIB), '"100MiB"', '"1GiB"',
            "Free disk space that is left alone; below it new mail is put off with 452, nothing is lost."),
        Key("content_in_memory", Octets(0, 64 * GIB), '"64MiB"', '"256MiB"',
            "Memory for messages on their way; beyond it they are read from the disk again."),
    )),
    Section("history", "What we remember of mail that is done with.", (
        Key("keep", _KEEP, '"30d"', '"90d"',
            "How long to remember what became of a message."),
        Key("keep_failed_content", _KEEP, '"3d"', '"7d"',
            "How long to keep a message that failed, so that it can be sent again."),
        Key("keep_failed_octets", Octets(0, 64 * TIB), '"1GiB"', '"5GiB"',
            "Disk space for such messages; the oldest go first."),
    )),
    Section("log", "What we write to standard error.", (
        Key("format", Choice(("human", "json")), '"human"', '"json"',
            "Lines for people, or one JSON object a line."),
    )),
)
# fmt: on
