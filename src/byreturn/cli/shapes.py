"""The JSON answers: stable, versioned, in the field's own terms. docs/reference/json.md describes them.

A field may be added to a version; one that changes its meaning or goes away makes a new version. Instants
are ISO 8601 in UTC with milliseconds, ids the 13 letters of people, a null path is the empty text. Texts of
strangers come as they are: JSON escapes what must be.
"""

from __future__ import annotations

from msgspec import Struct


class DiagnosisShape(Struct):
    """Who said or found what. Of a peer: `code`, `status` and `lines`; of ours: `cause` and `detail`."""

    who: str
    host: str
    address: str
    phase: str | None
    code: int | None = None
    status: str | None = None
    lines: list[str] | None = None
    cause: str | None = None
    detail: str | None = None


class FailingShape(Struct):
    """A destination that does not answer."""

    since: str | None
    failures: int
    next_try_at: str
    diagnosis: DiagnosisShape | None
    others_waiting: int | None = None


class RecipientShape(Struct, kw_only=True):
    """One recipient of a message, as it stands."""

    id: str
    reverse_path: str
    subject: str
    octets: int
    accepted_at: str
    recipient: str
    given: str
    destination: str
    state: str
    disposition: str | None
    changed_at: str
    expires_at: str
    attempts: int
    next_try_at: str | None
    status: str | None
    diagnosis: DiagnosisShape | None
    destination_failing: FailingShape | None


class TotalsShape(Struct):
    """How many recipients the selection has in all, shown or not."""

    recipients: int
    waiting: int
    waiting_for_destination: int
    in_flight: int
    held: int
    parked: int


class QueueShape(Struct):
    """The answer of `queue`."""

    at: str
    server_running: bool
    recipients: list[RecipientShape]
    totals: TotalsShape


class TraceShape(Struct):
    """The answer of `trace`."""

    at: str
    address: str
    recipients: list[RecipientShape]


class AttemptShape(Struct):
    """What an attempt found."""

    number: int
    event: str
    began_at: str
    ended_at: str
    status: str | None
    diagnosis: DiagnosisShape | None


class ReportShape(Struct):
    """A report on a recipient; `report_id` null: still owed, or nobody was to be told (`is_silent`)."""

    action: str
    due_at: str
    owed_at: str
    is_silent: bool
    report_id: str | None
    sent_at: str | None
    report_state: str | None
    kind: str


class LaterShape(Struct):
    """What somebody else's report said later; `host` empty: from where is forgotten."""

    at: str
    action: str
    text: str
    report_id: str
    host: str


class LifeShape(RecipientShape, kw_only=True):
    """One recipient with all that happened to it."""

    ordinal: int
    notify: list[str]
    orcpt: str | None
    history: list[AttemptShape]
    reports: list[ReportShape]
    later: list[LaterShape]


class OriginShape(Struct):
    """Where a message came from."""

    address: str
    hello: str
    listener: str


class MessageShape(Struct, kw_only=True):
    """The answer of `show`."""

    at: str
    id: str
    reverse_path: str
    subject: str
    message_id: str
    accepted_at: str
    expires_at: str
    octets: int
    recipient_count: int
    body: str
    ret: str | None
    envid: str | None
    priority: str
    is_bulk: bool
    about: str | None
    origin: OriginShape
    recipients: list[LifeShape]
    later: list[LaterShape]


class ReportMadeShape(RecipientShape, kw_only=True):
    """A report that was made, as any recipient, and the message that it is about."""

    about: str


class ReportsShape(Struct):
    """The answer of `reports`."""

    at: str
    undeliverable: bool
    reports: list[ReportMadeShape]


class SendTestShape(Struct, kw_only=True):
    """The answer of `send-test`. `outcome`: delivered, failed, waiting, refused, put_off or unknown."""

    outcome: str
    server: str
    reverse_path: str
    recipient: str
    reply: str
    id: str | None
    message: MessageShape | None


class SettingShape(Struct):
    """A key in effect; `line` null: not from the file, `origin` says from where."""

    key: str
    value: object
    line: int | None
    origin: str


class SectionShape(Struct):
    """A section of the configuration; the empty name is the top of the file."""

    section: str
    settings: list[SettingShape]


class ErrorShape(Struct):
    """One error of a configuration."""

    file: str
    line: int | None
    key: str
    found: str
    what: str
    meaning: str
    remedy: str


class CheckShape(Struct):
    """The answer of `check`. `remarks`: what is wrong in translations, which stops nothing."""

    file: str
    ok: bool
    errors: list[ErrorShape]
    effective: list[SectionShape]
    languages: list[str]
    remarks: list[ErrorShape]


class ServerShape(Struct):
    """A server that runs. `connections_unproven`: those on which no word has been heard yet."""

    connections: int
    connections_unproven: int
    connections_limit: int
    recipients_in_flight: int
    destinations_failing: int


class BrakeShape(Struct):
    """The answer of `brake`; without a running server `destinations_held` and `server` are null."""

    at: str
    server_running: bool
    on: bool
    since: str | None
    why: str | None
    cause: str | None
    destinations_held: int | None
    server: ServerShape | None


class ActShape(Struct):
    """The answer to an act: `release_brake`, `engage_brake` or `retry`."""

    at: str
    act: str
    done: bool
    destinations: int
    note: str | None


class RuleShape(Struct):
    """The rule of the configuration for a destination; `match` empty: it is dealt with like everybody."""

    match: str
    line: int | None


class LimitShape(Struct):
    """A limit that hosts taught us by a reply; `suggestion`: the lines of configuration that keep it."""

    hosts: list[str]
    kind: str
    value: int
    reason: str
    learned_at: str
    ends_at: str
    suggestion: str | None


class DestinationShape(Struct, kw_only=True):
    """A destination; `hosts` and `rule` null: not asked for, or not known now."""

    name: str
    waiting: int
    in_flight: int
    failures: int
    since: str | None
    last_try_at: str | None
    next_try_at: str | None
    diagnosis: DiagnosisShape | None
    took_mail_at: str | None
    denied_since: str | None
    hosts: list[str] | None
    rule: RuleShape | None


class DestinationsShape(Struct):
    """The answer of `destinations`."""

    at: str
    server_running: bool
    destinations: list[DestinationShape]
    limits: list[LimitShape]
