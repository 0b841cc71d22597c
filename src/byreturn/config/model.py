"""The configuration as the house uses it: one immutable tree in which every value is the effective one.

The fields are the keys of the table, with three exceptions: `retry`, `routes` and `destinations` are the
values that `policy` already has. There are no defaults here; they stand in the table of keys and nowhere
else. A test that needs a Config reads one with `load_text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from byreturn.config.check import Block, blocks_of
from byreturn.mail import Duration, Mailbox
from byreturn.policy import IpNetwork, RetrySchedule, StaticRoute, Terms, TlsLevel
from byreturn.ports import Endpoint


class ListenerConfig(Struct, frozen=True, kw_only=True):
    """Where we accept mail."""

    protocol: Literal["smtp"]
    bind: tuple[Endpoint, ...]
    name: str
    trusted_line_ends: Literal["refuse", "normalize"]
    normalize_from: tuple[IpNetwork, ...]
    max_connections: int
    max_connections_per_client: int
    language: str


class RelayConfig(Struct, frozen=True, kw_only=True):
    """Whose mail goes anywhere."""

    allow: tuple[IpNetwork, ...]
    refuse_unknown_recipients_in_session: bool


class Alias(Struct, frozen=True):
    """A name that stands for addresses; a target without a domain has got the alias's own."""

    name: str
    targets: tuple[Mailbox, ...]


class DomainConfig(Struct, frozen=True, kw_only=True):
    """A local domain. `mailboxes` "*": every name is one. An empty delimiter: no subaddresses."""

    name: str
    store: Literal["maildir"]
    mailboxes: tuple[str, ...] | Literal["*"]
    aliases: tuple[Alias, ...]
    subaddress_delimiter: str
    language: str


class DnsConfig(Struct, frozen=True, kw_only=True):
    """Whom we ask for names. No `servers`: the system's."""

    servers: tuple[Endpoint, ...]
    timeout: Duration
    tries: int
    concurrency: int
    cache_entries: int


class TimeoutsConfig(Struct, frozen=True, kw_only=True):
    """How long each step of a dialogue with another host may take."""

    connect: Duration
    greeting: Duration
    hello: Duration
    tls: Duration
    mail: Duration
    rcpt: Duration
    data: Duration
    content: Duration
    end_of_content: Duration
    transaction: Duration


class DeliveryConfig(Struct, frozen=True, kw_only=True):
    """How we speak to other hosts. No `source_address`: the system chooses. No `tls_roots`: only its own."""

    port: int
    allow_private: tuple[IpNetwork, ...]
    source_address: str | None
    hello: str
    tls: TlsLevel
    tls_roots: Path | None
    active_recipients: int
    destination_quota: int
    connections: int
    connections_per_destination: int
    connections_per_address: int
    messages_per_connection: int
    recipients_per_transaction: int
    idle: Duration
    timeouts: TimeoutsConfig


class ReportConfig(Struct, frozen=True, kw_only=True):
    """How senders hear of failures.

    No `delay_notice_after`, or 0 for another duration: never. No `catalogues` or `templates`: only what comes
    with ByReturn. `time_zone`: a name, or SENDERS_CLOCK.
    """

    gather: Duration
    delay_notice_after: tuple[Duration, ...]
    early_delay_notice_after: Duration
    return_octets: int
    postmaster: Mailbox
    contact: str
    language: str
    catalogues: Path | None
    time_zone: str
    templates: Path | None
    html: bool
    suggestions: bool
    postmaster_copies: tuple[str, ...]
    objective: Duration
    flood: int


class SenderConfig(Struct, frozen=True, kw_only=True):
    """What some senders wish. No `language`: that of their message, or of their domain."""

    match: str
    language: str | None
    time_zone: str


class BrakeConfig(Struct, frozen=True, kw_only=True):
    """When the DNS is not believed."""

    known_names: tuple[str, ...]
    denied_destinations: int
    keep_trying: Duration


class LimitsConfig(Struct, frozen=True, kw_only=True):
    """What a client may ask of us."""

    message_octets: int
    recipients: int
    command_octets: int
    content_line_octets: int
    commands_without_effect: int
    errors: int
    session: Duration
    read: Duration
    hops: int
    reserve_octets: int
    content_in_memory: int


class HistoryConfig(Struct, frozen=True, kw_only=True):
    """What we remember of mail that is done with."""

    keep: Duration
    keep_failed_content: Duration
    keep_failed_octets: int


class LogConfig(Struct, frozen=True, kw_only=True):
    """What we write to standard error."""

    format: Literal["human", "json"]


class Config(Struct, frozen=True, kw_only=True):
    """Everything that was configured. `blocks` say the same once more, with the origin of each value."""

    file: Path
    hostname: str
    data: Path
    node: int
    listeners: tuple[ListenerConfig, ...]
    relay: RelayConfig
    domains: tuple[DomainConfig, ...]
    dns: DnsConfig
    delivery: DeliveryConfig
    routes: tuple[StaticRoute, ...]
    destinations: tuple[Terms, ...]
    retry: RetrySchedule
    report: ReportConfig
    senders: tuple[SenderConfig, ...]
    brake: BrakeConfig
    limits: LimitsConfig
    history: HistoryConfig
    log: LogConfig
    blocks: tuple[Block, ...]

    @property
    def terms(self) -> Terms:
        """The terms for everybody; `destinations` are the rules beside them."""
        delivery = self.delivery
        return Terms(
            connections=delivery.connections_per_destination,
            messages_per_connection=delivery.messages_per_connection,
            recipients=delivery.recipients_per_transaction,
            source_address=delivery.source_address or "",
            hello=delivery.hello,
            tls=delivery.tls,
            schedule=self.retry,
        )


def build(blocks: Sequence[Block], file: Path) -> Config:
    """Make the tree from blocks that were checked and derived."""

    def only(section: str) -> dict[str, Any]:
        return _fields(blocks_of(blocks, section)[0])

    def every(section: str) -> list[dict[str, Any]]:
        return [_fields(block) for block in blocks_of(blocks, section)]

    top, retry = only(""), only("retry")
    # A preset has done its work when the defaults were chosen.
    del retry["preset"]
    schedule = RetrySchedule(**retry, **only("retry.lifetime"))
    return Config(
        file=file,
        listeners=tuple(ListenerConfig(**fields) for fields in every("listener")),
        relay=RelayConfig(**only("relay")),
        domains=tuple(_domain(fields) for fields in every("domain")),
        dns=DnsConfig(**only("dns")),
        delivery=_delivery(only("delivery"), TimeoutsConfig(**only("delivery.timeouts"))),
        routes=tuple(StaticRoute(fields["domain"], fields["hosts"]) for fields in every("route")),
        destinations=tuple(_rule(fields, schedule) for fields in every("destination")),
        retry=schedule,
        report=ReportConfig(**only("report")),
        senders=tuple(SenderConfig(**fields) for fields in every("sender")),
        brake=BrakeConfig(**only("brake")),
        limits=LimitsConfig(**only("limits")),
        history=HistoryConfig(**only("history")),
        log=LogConfig(**only("log")),
        blocks=tuple(blocks),
        **top,
    )


def _fields(block: Block) -> dict[str, Any]:
    return {setting.key.name.replace("-", "_"): setting.value for setting in block.settings}


def _rule(fields: dict[str, Any], schedule: RetrySchedule) -> Terms:
    """Make a rule's terms; one lifetime is that of every priority."""
    lifetime: Duration | None = fields.pop("lifetime")
    if lifetime is not None:
        schedule = replace(schedule, urgent=lifetime, normal=lifetime, non_urgent=lifetime)
    waits = {name: fields.pop(name) for name in ("after_4yz", "intervals", "probe_limit")}
    return Terms(
        recipients=fields.pop("recipients_per_transaction"),
        source_address=fields.pop("source_address") or "",
        schedule=replace(schedule, **waits),
        tls=TlsLevel(fields.pop("tls")),
        **fields,
    )


def _delivery(fields: dict[str, Any], timeouts: TimeoutsConfig) -> DeliveryConfig:
    level = TlsLevel(fields.pop("tls"))
    return DeliveryConfig(**fields, tls=level, timeouts=timeouts)


def _domain(fields: dict[str, Any]) -> DomainConfig:
    name: str = fields["name"]
    aliases = tuple(
        Alias(alias, tuple(_target(target, name) for target in targets))
        for alias, targets in fields.pop("aliases")
    )
    return DomainConfig(**fields, aliases=aliases)


def _target(text: str, domain: str) -> Mailbox:
    local, at, other = text.rpartition("@")
    return Mailbox(local, other) if at else Mailbox(text, domain)
