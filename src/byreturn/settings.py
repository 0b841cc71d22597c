"""From a configuration to what each adapter and desk wants of it.

The configuration is written for whoever runs the server, the settings for whoever reads a desk's code; here
they meet, and nowhere else. Nothing is decided and nothing is checked: that was done when it was read.
"""

from __future__ import annotations

from byreturn.config import Config, ListenerConfig, ReportWords, manners_of
from byreturn.mail import ENGLISH, Destination, normal_domain
from byreturn.policy import BrakeRules, RouteTable, TermsTable
from byreturn.protocol import SessionLimits
from byreturn.service import (
    EXPIRED,
    UNDELIVERABLE_REPORT,
    Copies,
    DelayRule,
    DispatchSettings,
    Door,
    HouseSettings,
    ListenerSettings,
    ReceptionSettings,
    RelaySettings,
    ReportSettings,
    RouteSettings,
    Timeouts,
    claim_quota,
)
from byreturn.spool import Keeping, SpoolSettings
from byreturn.store import LocalDomain
from byreturn.transport import ResolverSettings


def spool_settings(config: Config) -> SpoolSettings:
    """What the spool wants."""
    history = config.history
    return SpoolSettings(
        gather=config.report.gather,
        keeping=Keeping(history.keep, history.keep_failed_content, history.keep_failed_octets),
        quota=claim_quota(config.delivery.destination_quota),
        reserve_octets=config.limits.reserve_octets,
        copy_expired=EXPIRED in config.report.postmaster_copies,
        copy_expired_reports=UNDELIVERABLE_REPORT in config.report.postmaster_copies,
    )


def resolver_settings(config: Config) -> ResolverSettings:
    """What the resolver wants."""
    dns = config.dns
    return ResolverSettings(
        servers=dns.servers,
        answer_limit=dns.timeout,
        rounds=dns.tries,
        lookups_limit=dns.concurrency,
        cache_limit=dns.cache_entries,
    )


def local_domains(config: Config) -> tuple[LocalDomain, ...]:
    """The local domains as the store knows them; a pure relay has its own name, for its postmaster."""
    if not config.domains:
        return (LocalDomain(normal_domain(config.hostname), frozenset(), {}),)
    return tuple(
        LocalDomain(
            normal_domain(domain.name),
            None if domain.mailboxes == "*" else frozenset(domain.mailboxes),
            {alias.name: tuple(str(target) for target in alias.targets) for alias in domain.aliases},
            domain.subaddress_delimiter,
        )
        for domain in config.domains
    )


def listener_settings(config: Config, listener: ListenerConfig, words: ReportWords) -> ListenerSettings:
    """What a listener wants; English is said without looking anything up."""
    language = words.languages.get(listener.language, ENGLISH)
    limits = config.limits
    return ListenerSettings(
        door=Door(listener.name, listener.max_connections, listener.max_connections_per_client),
        limits=SessionLimits(
            command_octets=limits.command_octets,
            content_octets=limits.message_octets,
            content_line_octets=limits.content_line_octets,
            recipients=limits.recipients,
            errors=limits.errors,
            commands_without_effect=limits.commands_without_effect,
        ),
        normalize_from=listener.normalize_from if listener.trusted_line_ends == "normalize" else (),
        read=limits.read,
        session=limits.session,
        say=None if language is ENGLISH else language.lookup,
    )


def house_settings(config: Config, words: ReportWords, resolver: str) -> HouseSettings:
    """What the desks want; `resolver`: the name servers that are asked, as people read them."""
    delivery, limits = config.delivery, config.limits
    times = delivery.timeouts
    return HouseSettings(
        reception=ReceptionSettings(
            hostname=config.hostname,
            relay_allow=config.relay.allow,
            refuse_unknown_recipients=config.relay.refuse_unknown_recipients_in_session,
            recipients=limits.recipients,
            hops=limits.hops,
        ),
        routes=RouteSettings(config.hostname, delivery.port, delivery.allow_private),
        relay=RelaySettings(
            hello=delivery.hello,
            timeouts=Timeouts(
                connect=times.connect,
                greeting=times.greeting,
                hello=times.hello,
                tls=times.tls,
                mail=times.mail,
                rcpt=times.rcpt,
                data=times.data,
                content=times.content,
                end_of_content=times.end_of_content,
                transaction=times.transaction,
            ),
            connections=delivery.connections,
            connections_per_address=delivery.connections_per_address,
            idle=delivery.idle,
        ),
        report=_report_settings(config, words, resolver),
        dispatch=DispatchSettings(
            delivery.active_recipients, delivery.destination_quota, limits.content_in_memory
        ),
        delay=DelayRule(config.report.delay_notice_after, config.report.early_delay_notice_after),
        copies=Copies(frozenset(config.report.postmaster_copies)),
        schedule=config.retry,
        terms=TermsTable(config.terms, config.destinations),
        brake=BrakeRules(
            keep=config.history.keep,
            keep_trying=config.brake.keep_trying,
            denied_destinations=config.brake.denied_destinations,
            known_names=tuple(Destination(name) for name in config.brake.known_names),
        ),
        table=RouteTable(config.routes),
        node=config.node,
    )


def _report_settings(config: Config, words: ReportWords, resolver: str) -> ReportSettings:
    report = config.report
    return ReportSettings(
        hostname=config.hostname,
        postmaster=report.postmaster,
        return_octets=report.return_octets,
        contact=report.contact,
        manners=manners_of(config, words.languages),
        overrides=words.overrides,
        is_html=report.html,
        inside=config.relay.allow,
        resolver=resolver,
        flood=report.flood,
        is_suggesting=report.suggestions,
        objective=report.objective,
    )
