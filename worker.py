"""The worker process: RQ jobs that plan events and send notifications, and a clock that finds what no bell announced."""

from __future__ import annotations

import gc
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Self

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

import signals
import telemetry
from notifiers.configuration import earlier_rules, missing_credentials, read_rules
from notifiers.dispatch import Dispatch
from notifiers.enrichment import Enrichment
from notifiers.lane import DeliveryLane, LanePorts
from notifiers.limits import limits
from routing.notification import Attempt, Lane
from routing.rules import RulesError, RuleSet
from settings import Settings, SettingsError
from storage import (
    claims,
    counting,
    events,
    fallbacks,
    notifications,
    outcomes,
    overflow,
    refreshing,
    rules_edits,
    rules_versions,
    silences,
    workers,
)
from storage.claims import Claimed, Pace
from storage.database import SchemaError, check_schema, open_database
from storage.planner import Planner
from storage.queue import PLAN, BackgroundBell, Bell, listen
from storage.redis_connection import AddressError, check_options
from storage.rules_file import RulesFile
from watch import steps
from watch.duties import Duties
from watch.roster import Post, roster

SWEEP_SECONDS = 1.0
REMIND_EVERY = timedelta(minutes=1)
"""Silences that are about to end, or old, are looked for."""
GARBAGE = (100_000, 50, 100)
"""How many new objects there are before Python looks for cycles among them; rarely among the older ones."""
CLOCK_MOVES = timedelta(seconds=5)
"""A clock that is kept on time is never moved so much at once."""
STOP_SECONDS = 4.0
"""What is under way at TERM has this long to end: the process is gone within ten seconds, and within the eight of `make run`."""

log = structlog.get_logger()

_current: ContextVar[Worker] = ContextVar("worker")
"""Set in the thread that runs RQ's jobs: a job carries no payload, so it must learn in whose process it runs."""


def plan_events() -> None:
    """RQ job: decide all events that wait."""
    _current.get().plan_events()


def send_notifications(lane: str) -> None:
    """RQ job: have everything sent that is due in a lane."""
    _current.get().send_notifications(Lane(lane))


def main() -> None:
    """Work until TERM or INT; HUP reads the rules again.

    Raises:
        SystemExit: with everything that is wrong with the configuration.
    """
    try:
        worker = Worker.from_settings(Settings.load())
    except (SettingsError, SchemaError, AddressError, RulesError) as error:
        raise SystemExit(f"the worker cannot start:\n{error}") from None
    signals.listen(
        {
            signal.SIGTERM: lambda _: worker.stopping.set(),
            signal.SIGINT: lambda _: worker.stopping.set(),
            signal.SIGHUP: lambda _: worker.reload_asked.set(),
        }
    )
    telemetry.write_behind()
    status = 1
    try:
        worker.run()
        status = 0
    except Exception:  # the top of the process: whoever started it starts it again, and the log says why
        log.exception("worker_failed")
    finally:
        # A thread that still waits for a vendor would hold the interpreter; what it had claimed has been given back.
        telemetry.write_all()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Worker:
    """One process's planner, sending lanes and clock."""

    def __init__(self, settings: Settings, engine: Engine, rules_file: RulesFile, clock: Callable[[], datetime]) -> None:
        self.id = f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.stopping = threading.Event()
        self.reload_asked = threading.Event()
        """By HUP: the rules are read again although no file seems to have changed."""
        self._settings, self._engine, self._rules_file, self._clock = settings, engine, rules_file, clock
        self._reminded_at: datetime | None = None
        self._ahead = clock() - workers.steady()
        """How far the wall clock is ahead of the one that nobody sets."""
        self._pace = Pace(limits=limits(settings), threads=settings.worker_threads)
        self._bell = Bell(settings.redis_url)
        # A Redis that hangs holds who rings for seconds: that must not be who plans.
        self._bells = {lane: BackgroundBell(self._bell, lane) for lane in Lane}
        enrichment = Enrichment(settings, clock)
        self._dispatch = Dispatch(settings, lambda: rules_file.rules, clock, earlier=self._earlier_rules, details=enrichment.details)
        self._planner = Planner(engine, lambda: rules_file.rules, clock, self._announce, enrichment.find_out, onlooker=steps.of_planning())
        self._lanes = {lane: DeliveryLane(lane, self._ports(lane), threads=settings.worker_threads) for lane in Lane}
        planner_bell = BackgroundBell(self._bell, PLAN)
        post = Post(worker=self.id, settings=settings, engine=engine, clock=clock, rules=lambda: rules_file.rules, ring=planner_bell.ring)
        self._duties = Duties(engine, roster(post), clock)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Wire a worker.

        Raises:
            SchemaError: the database is not at this code's revision.
            AddressError: Redis has no such options.
            RulesError: rules.yaml cannot be put in force.
        """
        telemetry.configure(settings)
        check_options(settings.redis_url)
        engine = open_database(settings.database, pool_size=10)
        check_schema(engine)
        rules_file = RulesFile(settings.rules_file, lambda text, included: read_rules(text, settings, included))
        return cls(settings, engine, rules_file, lambda: datetime.now(UTC))

    def run(self) -> None:
        """Serve the bells in a thread and the clock in this one, until told to stop."""
        self._begin()
        # A batch is half a million values that all go with it: looked through for cycles every few hundred, it took a fifth longer.
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        alive = (self._engine, self.id, workers.steady, self.stopping)
        threading.Thread(target=workers.keep_alive, args=alive, name="alive", daemon=True).start()
        self._duties.run(self.stopping)
        while not self.stopping.is_set():
            self.sweep()
            self.stopping.wait(SWEEP_SECONDS)
        self.stop()

    def _begin(self) -> None:
        """Make itself known; a database that is busy or away just now is waited for."""
        while not self.stopping.is_set():
            try:
                workers.say_alive(self._engine, self.id, workers.steady())
                events.retry_failed(self._engine)
                log.info("worker_started", worker=self.id)
                self._say_what_is_in_force()
            except SQLAlchemyError as error:
                log.error("not_started", error=_cause(error), effect="tried again in a second")
                self.stopping.wait(SWEEP_SECONDS)
            else:
                return

    def stop(self) -> None:
        """Let what is under way end, give the rest back."""
        self.stopping.set()
        deadline = time.monotonic() + STOP_SECONDS
        for lane in self._lanes.values():
            lane.claim_no_more()
        for lane in self._lanes.values():
            lane.stop(deadline - time.monotonic())
        workers.say_gone(self._engine, self.id, workers.steady())
        log.info("worker_stopped", worker=self.id)

    def plan_events(self) -> None:
        """Decide everything that waits, a batch at a time, and have what follows sent."""
        self._bell.heard(PLAN)
        self._planner.plan_all(self.stopping)

    def send_notifications(self, lane: Lane) -> None:
        """Wake a lane: its own thread claims until nothing is left, so that no lane ever waits for the other."""
        self._bell.heard(lane)
        self._lanes[lane].ring()

    def sweep(self) -> None:
        """Find what no bell announced: what is due by time, what a dead worker had claimed, what came while Redis was away."""
        try:
            self._reload_rules()
            self._look_at_the_clock()
            if taken := outcomes.take_from_dead(self._engine, self._clock(), by=self.id, alive_at=workers.steady()):
                log.warning("claims_taken_over", count=taken)
            self._remind()
            self._planner.plan_for(SWEEP_SECONDS)
            for lane in overflow.sum_up(self._engine, self._rules_file.rules, self._pace.limits, self._clock):
                self._announce(lane)
            self._fall_back()
            for lane in claims.due_lanes(self._engine, self._clock()):
                self._lanes[lane].ring()
        except SQLAlchemyError as error:
            log.error("sweep_failed", error=_cause(error), effect="tried again in a second")
        except Exception:  # the top of the clock: a fault of ours must not stop it
            log.exception("sweep_failed", effect="tried again in a second")

    def _look_at_the_clock(self) -> None:
        """If the wall clock was put back, bring forward what was put off by the old time."""
        ahead = self._clock() - workers.steady()
        put_back = self._ahead - ahead
        self._ahead = ahead
        if put_back >= CLOCK_MOVES:
            count = notifications.bring_forward(self._engine, put_back, self._clock())
            log.warning("clock_put_back", seconds=round(put_back.total_seconds()), brought_forward=count)

    def _fall_back(self) -> None:
        for one in fallbacks.fall_back(self._engine, self._rules_file.rules, self._clock):
            log.error(
                "not_told",
                event_id=one.event_id,
                incident_id=one.incident_id,
                notification_id=one.id,
                receiver=one.receiver,
                said=one.said,
                told_instead=one.to or "nobody",
            )

    def _remind(self) -> None:
        now = self._clock()
        if self._reminded_at is None or now - self._reminded_at >= REMIND_EVERY:
            self._reminded_at = now
            silences.remind(self._engine, now)

    def _reload_rules(self) -> None:
        try:
            if self._rules_file.reload(always=self.reload_asked.is_set()):
                self.reload_asked.clear()
                self._say_what_is_in_force()
                events.retry_failed(self._engine)
        except RulesError as error:
            self.reload_asked.clear()
            log.error("rules_refused", problems=str(error).splitlines(), effect="the old rules stay in force")
            file = str(self._rules_file.path)
            rules_edits.refuse(self._engine, file=file, problems=str(error), by=self.id, now=self._clock())

    def _earlier_rules(self, version: str) -> RuleSet:
        return earlier_rules(rules_versions.texts_of(self._engine, version), self._settings, version)

    def _say_what_is_in_force(self) -> None:
        rules = self._rules_file.rules
        rules_versions.remember(self._engine, rules.version, self._rules_file.texts, self._clock())
        file = str(self._rules_file.path)
        rules_edits.take(self._engine, file=file, version=rules.version, by=self.id, now=self._clock())
        log.info("rules_in_force", version=rules.version, rules=len(rules.rules), receivers=len(rules.receivers))
        if not rules.rules:
            log.warning("no_rules_in_force", effect="alerts are kept, nobody is told of any")
        for receiver, missing in missing_credentials(rules, self._settings).items():
            log.warning("receiver_only_previews", receiver=receiver, missing=missing, effect="payloads are recorded, nothing is sent")

    def _listen(self) -> None:
        """Run RQ's jobs in this thread; RQ leaves its loop at a fault of Redis, and comes back to it when Redis does."""
        _current.set(self)
        while not self.stopping.is_set():
            try:
                listen(self._settings.redis_url)
            except Exception:  # the top of RQ's loop: without it the clock still finds all work, a second later
                log.exception("listener_failed", effect="begun again in a second")
            self.stopping.wait(SWEEP_SECONDS)

    def _ports(self, lane: Lane) -> LanePorts[Claimed]:
        return LanePorts(
            claim=lambda limit, under_way: claims.claim(
                self._engine,
                lane,
                worker=self.id,
                now=self._clock(),
                limit=limit,
                rules_version=self._rules_file.rules.version,
                pace=self._pace,
                under_way=under_way,
            ),
            deliver=steps.watched(self._dispatch.deliver),
            record=self._record,
            give_back=lambda ids: outcomes.give_back(self._engine, ids, worker=self.id, now=self._clock()),
            give_back_others=lambda ids: outcomes.give_back_others(self._engine, lane, ids, worker=self.id, now=self._clock()),
            report_fault=lambda error: log.error("lane_fault", lane=lane, error=_cause(error), effect="tried again in a second"),
        )

    def _record(self, finished: Sequence[tuple[Claimed, Attempt]]) -> None:
        counts = counting.of_attempts([(claimed, done, outcomes.state_after(done)) for claimed, done in finished])
        closed = outcomes.record(self._engine, [(claimed.id, done) for claimed, done in finished], pace=self._pace, counts=counts)
        if made := [claimed.id for claimed, done in finished if "url" in done.reference and not claimed.told]:
            refreshing.show_links(self._engine, made, self._clock())
        # Here, in one thread: those that deliver would wait for each other at every line.
        for claimed, done in finished:
            steps.say_attempt(claimed, done)
        for one in closed:
            until = f"{one.until:%H:%M:%S} UTC"
            log.error(
                "destination_closed", receiver=one.receiver, said=one.why, until=until, effect="what is for it waits; then one is tried"
            )

    def _announce(self, lane: Lane) -> None:
        self._lanes[lane].ring()
        # For the other workers, should there be more than this one can take.
        self._bells[lane].ring()


def _cause(error: Exception) -> str:
    """What the database said, in place of the statement that met it, which holds what people wrote."""
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or ''}".strip(": ")


if __name__ == "__main__":
    # RQ imports the jobs as `worker.…`; run as that same module, this process and its jobs share one `_current`.
    from worker import main as work

    work()
