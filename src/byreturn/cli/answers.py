"""What the spool and the configuration say, put into the JSON shapes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from byreturn.cli.limits import line_of, suggestion
from byreturn.cli.shapes import (
    AttemptShape,
    CheckShape,
    DestinationShape,
    DestinationsShape,
    DiagnosisShape,
    ErrorShape,
    FailingShape,
    LaterShape,
    LifeShape,
    LimitShape,
    MessageShape,
    OriginShape,
    QueueShape,
    RecipientShape,
    ReportMadeShape,
    ReportShape,
    ReportsShape,
    RuleShape,
    SectionShape,
    SettingShape,
    TotalsShape,
    TraceShape,
)
from byreturn.cli.ways import Way
from byreturn.config import Config, ConfigError
from byreturn.config.check import toml_value
from byreturn.mail import (
    Destination,
    Diagnosis,
    Instant,
    Notify,
    PeerSaid,
    QueueId,
    StatusClass,
    id_text,
    iso_date,
)
from byreturn.policy import (
    FINAL,
    Delivered,
    Discarded,
    Expired,
    Failed,
    Returned,
    State,
    attempts_of,
)
from byreturn.ports import DestinationNews, Lesson
from byreturn.spool import AttemptSeen, DestinationView, Entry, LaterSeen, Life, QueueView, ReportSeen
from byreturn.spool.rows import STATE_NAMES, STATE_NUMBERS

# The same that our reports say: delivery time expired.
_EXPIRED_STATUS: Final = "5.4.7"
_CLASSES: Final[dict[type[State], StatusClass]] = {
    Delivered: StatusClass.POSITIVE,
    Failed: StatusClass.PERMANENT,
}
_EVENT_CLASSES: Final = {
    "stored": StatusClass.POSITIVE,
    "relayed": StatusClass.POSITIVE,
    "refused": StatusClass.PERMANENT,
}


def queue_shape(view: QueueView, now: Instant, *, server_running: bool) -> QueueShape:
    """Answer `queue`."""
    counts = view.counts
    totals = TotalsShape(
        counts.total, counts.waiting, counts.unanswered, counts.in_flight, counts.held, counts.parked
    )
    return QueueShape(
        iso_date(now), server_running, [recipient_shape(entry) for entry in view.entries], totals
    )


def trace_shape(address: str, entries: Sequence[Entry], now: Instant) -> TraceShape:
    """Answer `trace`."""
    return TraceShape(iso_date(now), address, [recipient_shape(entry) for entry in entries])


def reports_shape(entries: Sequence[Entry], now: Instant, *, undeliverable: bool) -> ReportsShape:
    """Answer `reports`."""
    made = [
        ReportMadeShape(**_recipient_fields(entry), about=id_text(QueueId(entry.message.about or 0)))
        for entry in entries
    ]
    return ReportsShape(iso_date(now), undeliverable, made)


def recipient_shape(entry: Entry) -> RecipientShape:
    """Write one recipient."""
    return RecipientShape(**_recipient_fields(entry))


def message_shape(life: Life, now: Instant) -> MessageShape:
    """Answer `show`."""
    message, origin = life.message, life.message.origin
    return MessageShape(
        at=iso_date(now),
        id=id_text(message.id),
        reverse_path=str(message.reverse_path),
        subject=message.subject,
        message_id=message.message_id,
        accepted_at=iso_date(message.accepted_at),
        expires_at=iso_date(message.expires_at),
        octets=message.octets,
        recipient_count=message.recipient_count,
        body=str(message.body),
        ret=None if message.ret is None else str(message.ret),
        envid=message.envid,
        priority=message.priority.name.lower(),
        is_bulk=message.is_bulk,
        about=None if message.about is None else id_text(QueueId(message.about)),
        origin=OriginShape(origin.address, origin.hello, origin.listener),
        recipients=[_life_shape(life, entry) for entry in life.entries],
        later=[_later_shape(seen) for seen in life.later.get(None, ())],
    )


def destinations_shape(
    views: Sequence[DestinationView],
    lessons: Sequence[Lesson],
    config: Config,
    way: Way | None,
    now: Instant,
    *,
    server_running: bool,
) -> DestinationsShape:
    """Answer `destinations`; `way` is that of the only one, where one was asked for."""
    name = None if way is None else views[0].name
    return DestinationsShape(
        at=iso_date(now),
        server_running=server_running,
        destinations=[_destination_shape(view, config, way) for view in views],
        limits=[
            LimitShape(
                lesson.hosts.split(),
                _name(lesson.kind),
                lesson.value,
                lesson.reason,
                iso_date(lesson.learned_at),
                iso_date(lesson.until),
                suggestion(config, [lesson], name, way),
            )
            for lesson in lessons
        ],
    )


def _destination_shape(view: DestinationView, config: Config, way: Way | None) -> DestinationShape:
    return DestinationShape(
        name=view.name,
        waiting=view.waiting,
        in_flight=view.in_flight,
        failures=view.failures,
        since=_iso(view.failing_since),
        last_try_at=_iso(view.found_at),
        next_try_at=_iso(view.next_probe_at),
        diagnosis=_diagnosis_shape(view.finding),
        took_mail_at=_iso(view.took_mail_at),
        denied_since=_iso(view.denied_since),
        hosts=None if way is None or way.hosts is None else list(way.hosts),
        rule=None if way is None else RuleShape(way.rule, line_of(config, way.rule)),
    )


def check_shape(
    file: str,
    checked: Config | list[ConfigError],
    languages: Iterable[str] = (),
    remarks: Iterable[ConfigError] = (),
) -> CheckShape:
    """Answer `check`."""
    if isinstance(checked, list):
        errors = list(map(_error_shape, checked))
        return CheckShape(file, ok=False, errors=errors, effective=[], languages=[], remarks=[])
    effective = [
        SectionShape(
            block.section.path,
            [
                SettingShape(
                    setting.key.name,
                    None if setting.value is None else toml_value(setting.key.kind.write(setting.value)),
                    setting.line,
                    "file" if setting.line is not None else setting.origin,
                )
                for setting in block.settings
            ],
        )
        for block in checked.blocks
    ]
    return CheckShape(
        file,
        ok=True,
        errors=[],
        effective=effective,
        languages=sorted(languages),
        remarks=list(map(_error_shape, remarks)),
    )


def _error_shape(error: ConfigError) -> ErrorShape:
    return ErrorShape(error.file, error.line, error.key, error.found, error.what, error.meaning, error.remedy)


def _name(text: str) -> str:
    return text.replace(" ", "_")


def _iso(at: Instant | None) -> str | None:
    return None if at is None else iso_date(at)


def state_name(state: State) -> str:
    """Name a state: `waiting`, `in_flight`, `delivered`."""
    return _name(STATE_NAMES[STATE_NUMBERS[type(state)]])


def _diagnosis_shape(diagnosis: Diagnosis | None) -> DiagnosisShape | None:
    """Write a diagnosis."""
    if diagnosis is None:
        return None
    if isinstance(diagnosis, PeerSaid):
        reply = diagnosis.reply
        status = None if reply.enhanced is None else str(reply.enhanced)
        return DiagnosisShape(
            "peer",
            diagnosis.host,
            diagnosis.address,
            str(diagnosis.phase),
            reply.code,
            status,
            list(reply.lines),
        )
    phase = None if diagnosis.phase is None else str(diagnosis.phase)
    return DiagnosisShape(
        "we", diagnosis.host, diagnosis.address, phase, cause=str(diagnosis.cause), detail=diagnosis.detail
    )


def _status(entry: Entry) -> str | None:
    diagnosis = entry.diagnosis
    match entry.state:
        case Expired():
            return _EXPIRED_STATUS
        case Returned() | Discarded():
            return None
        case state if diagnosis is not None:
            return str(diagnosis.status(_CLASSES.get(type(state), StatusClass.TRANSIENT)))
        case _:
            return None


def _failing_shape(health: DestinationNews | None, others: int | None = None) -> FailingShape | None:
    if health is None:
        return None
    return FailingShape(
        _iso(health.failing_since),
        health.failures,
        iso_date(health.due_at),
        _diagnosis_shape(health.finding),
        others,
    )


def _recipient_fields(entry: Entry, others: int | None = None) -> dict[str, Any]:
    message, recipient, state = entry.message, entry.recipient, entry.state
    return {
        "id": id_text(message.id),
        "reverse_path": str(message.reverse_path),
        "subject": message.subject,
        "octets": message.octets,
        "accepted_at": iso_date(message.accepted_at),
        "recipient": str(recipient.address),
        "given": str(recipient.given),
        "destination": recipient.destination,
        "state": state_name(state),
        "disposition": state_name(state) if isinstance(state, FINAL) else None,
        "changed_at": iso_date(entry.changed_at),
        "expires_at": iso_date(entry.expires_at),
        "attempts": attempts_of(state),
        "next_try_at": _iso(entry.next_try_at),
        "status": _status(entry),
        "diagnosis": _diagnosis_shape(entry.diagnosis),
        "destination_failing": None if isinstance(state, FINAL) else _failing_shape(entry.health, others),
    }


def _life_shape(life: Life, entry: Entry) -> LifeShape:
    recipient = entry.recipient
    others: dict[Destination, int] = life.others
    return LifeShape(
        **_recipient_fields(entry, others.get(recipient.destination)),
        ordinal=recipient.ordinal,
        notify=[flag.name or "" for flag in Notify if flag & recipient.notify],
        orcpt=recipient.orcpt,
        history=[_attempt_shape(seen) for seen in life.attempts.get(recipient.ordinal, ())],
        reports=[_report_shape(seen) for seen in life.reports.get(recipient.ordinal, ())],
        later=[_later_shape(seen) for seen in life.later.get(recipient.ordinal, ())],
    )


def _attempt_shape(seen: AttemptSeen) -> AttemptShape:
    klass = _EVENT_CLASSES.get(seen.event, StatusClass.TRANSIENT)
    status = None if seen.finding is None else str(seen.finding.status(klass))
    if seen.event == "expired":
        status = _EXPIRED_STATUS
    return AttemptShape(
        seen.number,
        _name(seen.event),
        iso_date(seen.began_at),
        iso_date(seen.ended_at),
        status,
        _diagnosis_shape(seen.finding),
    )


def _report_shape(seen: ReportSeen) -> ReportShape:
    return ReportShape(
        str(seen.action),
        iso_date(seen.due_at),
        iso_date(seen.owed_at),
        seen.is_silent,
        None if seen.report_id is None else id_text(seen.report_id),
        _iso(seen.sent_at),
        None if seen.report is None else state_name(seen.report.state),
        str(seen.kind),
    )


def _later_shape(seen: LaterSeen) -> LaterShape:
    return LaterShape(iso_date(seen.at), seen.action, seen.text, id_text(seen.report_id), seen.host)
