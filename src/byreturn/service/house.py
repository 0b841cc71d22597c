"""The desks of one server, introduced to each other.

Everything in here runs on ports alone: the same house stands on sockets and disks, and in the simulation on
a virtual clock, network and spool.
"""

from __future__ import annotations

from msgspec import Struct

from byreturn.mail import IdFactory
from byreturn.policy import BrakeRules, RetrySchedule, RouteTable, TermsTable
from byreturn.ports import Opened, Stream, World
from byreturn.service.admission import DispatchSettings
from byreturn.service.brake import Brake
from byreturn.service.copies import Copies
from byreturn.service.dispatch import Dispatcher
from byreturn.service.drafting import ReportSettings
from byreturn.service.hearing import Hearing, HearingSettings
from byreturn.service.inbound import Inbound, ListenerSettings
from byreturn.service.local import Local
from byreturn.service.operator import Operator
from byreturn.service.reception import Reception, ReceptionSettings
from byreturn.service.relay import Relay, RelaySettings
from byreturn.service.reporting import Reporting
from byreturn.service.routes import Routes, RouteSettings
from byreturn.service.settlement import DelayRule, Settlement
from byreturn.service.upkeep import Upkeep
from byreturn.service.watch import Wheel


class HouseSettings(Struct, frozen=True):
    """The settings of all desks."""

    reception: ReceptionSettings
    routes: RouteSettings
    relay: RelaySettings
    report: ReportSettings
    dispatch: DispatchSettings = DispatchSettings()
    delay: DelayRule = DelayRule()
    copies: Copies = Copies()
    hearing: HearingSettings = HearingSettings()
    schedule: RetrySchedule = RetrySchedule()
    terms: TermsTable = TermsTable()
    brake: BrakeRules = BrakeRules()
    table: RouteTable = RouteTable(())
    node: int = 0


class House:
    """One server's desks: start, take connections, drain, stop."""

    def __init__(self, settings: HouseSettings, world: World, opened: Opened) -> None:
        schedule = settings.schedule
        self._world = world
        self._sessions: set[Inbound] = set()
        ids = IdFactory(settings.node, opened.floor)
        self._wheel = Wheel(world.clock)
        self._opened = opened
        routes = Routes(settings.routes, settings.table, settings.terms, world)
        self.brake = Brake(settings.brake, world, routes)
        self.settlement = Settlement(settings.terms, settings.delay, settings.copies, world, self.brake)
        self.settlement.remember(opened.failing)
        self.relay = Relay(settings.relay, world, self._wheel, routes, self.settlement, self.brake)
        self.relay.remember(opened.lessons)
        local = Local(schedule, world, self.settlement)
        self.dispatcher = Dispatcher(
            settings.dispatch, world, self.settlement, routes, self.relay, local, self.brake
        )
        self.hearing = Hearing(settings.hearing, world)
        self.reception = Reception(settings.reception, schedule, world, self.dispatcher, self.hearing, ids)
        self.reporting = Reporting(settings.report, schedule, world, self.dispatcher, routes, self.brake, ids)
        self.upkeep = Upkeep(world, self.dispatcher, self.reporting, self.brake)
        self.operator = Operator(world, self.brake, self.settlement, self.relay, self.dispatcher)

    def start(self) -> None:
        """Take up what is due, owed and over."""
        self.brake.follow(self.settlement.try_again)
        self.brake.start(self._opened.brake, self._opened.known, self._opened.failing)
        self.reporting.start(self.settlement)
        self.upkeep.start(self.settlement)
        self.dispatcher.start()

    def welcome(self, stream: Stream, listener: ListenerSettings) -> None:
        """Take an accepted connection."""
        session = Inbound(stream, self.reception, listener, self._wheel, self._sessions.discard)
        if session.is_open:
            self._sessions.add(session)

    def drain(self) -> None:
        """Let nobody in any more, say goodbye to idle clients; what is in flight goes on."""
        self.reception.drain()
        for session in tuple(self._sessions):
            session.stop()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is in flight, being settled or being reported."""
        return (
            not self._sessions
            and not self.dispatcher.active
            and not self.settlement.unsettled
            and self.reporting.is_idle
            and self.hearing.is_idle
        )

    def stop(self) -> None:
        """Begin nothing more and hang up; what is in flight is taken up at the next start."""
        self.brake.stop()
        self.upkeep.stop()
        self.reporting.stop()
        self.hearing.stop()
        self.dispatcher.stop()
