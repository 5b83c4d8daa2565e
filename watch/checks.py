"""What may be wrong with the service: each check looks once, and says what it has found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import msgspec
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from routing.trouble import Trouble
from storage import lateness, marks, refusals, rules_edits, workers
from storage.redis_state import RedisState, look

WORKERS, DECIDING, TELLING, DATABASE, SIGNATURES, REDIS, REDIS_FULL, RULES, CLOCK = (
    "workers",
    "deciding",
    "telling",
    "database",
    "signatures",
    "redis",
    "redis-full",
    "rules",
    "clock",
)
LATE = timedelta(minutes=1)
"""A webhook that is not decided by then, or a message that could go and has not, is stuck."""
PATIENCE_SECONDS = 30.0
"""What may pass by itself, a restart or a long write, has so long."""
NEARLY_FULL = 0.9
SKEW = timedelta(minutes=2)
CLOCKS_EVERY = timedelta(minutes=5)
REFUSED = 3
"""So many wrong signatures, and not one right: the secret is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of them."""

    name: str
    look: Callable[[], Trouble | None]
    """What is wrong; None: nothing. Where that is not known it raises NotKnownYetError, or what the database does."""
    unseen_for: timedelta = timedelta(seconds=25)
    """Longer than two looks: processes look from where they are, and what one of them still sees is not over because others do not."""


class NotKnownYetError(Exception):
    """It is wrong now, but may pass by itself: neither is it there, nor is it over."""


class Lasting:
    """Of what may pass by itself: whether it has lasted."""

    def __init__(self, seconds: float = PATIENCE_SECONDS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._since: float | None = None

    def has(self, *, is_wrong: bool) -> bool:
        """Whether it has been wrong at each look for so long.

        Raises:
            NotKnownYetError: it has been so, but not for so long.
        """
        now = self._clock()
        self._since = (now if self._since is None else self._since) if is_wrong else None
        if self._since is not None and now - self._since < self._seconds:
            raise NotKnownYetError
        return is_wrong


def no_worker(engine: Engine, lasting: Lasting) -> Check:
    """Whether any lives; a restart takes seconds."""

    def look_at_it() -> Trouble | None:
        if not lasting.has(is_wrong=workers.living(engine) == 0):
            return None
        said = "No worker of the alert router lives: alerts are kept, and nobody is told"
        return Trouble(check=WORKERS, said=said, way_out="Start `python worker.py`; its log says why it ended.")

    return Check(name=WORKERS, look=look_at_it)


def decides_late(engine: Engine, clock: Callable[[], datetime]) -> Check:
    """Whether webhooks wait to be decided."""

    def look_at_it() -> Trouble | None:
        since = lateness.undecided_since(engine)
        if since is None or clock() - since < LATE:
            return None
        said = f"The alert router decides nothing: the oldest webhook waits since {since:%H:%M:%S} UTC"
        return Trouble(check=DECIDING, said=said, way_out="See the workers' log (`sweep_failed`); start a worker anew if it hangs.")

    return Check(name=DECIDING, look=look_at_it)


def tells_late(engine: Engine, clock: Callable[[], datetime]) -> Check:
    """Whether messages wait that could go: not those that a vendor's limit or a failing vendor keeps."""

    def look_at_it() -> Trouble | None:
        now = clock()
        since = lateness.untold_since(engine, now)
        if since is None or now - since < LATE:
            return None
        said = f"The alert router tells nobody: the oldest message that could go is due since {since:%H:%M:%S} UTC"
        return Trouble(check=TELLING, said=said, way_out="See the workers' log (`lane_fault`); start a worker anew if it hangs.")

    return Check(name=TELLING, look=look_at_it)


def cannot_write(engine: Engine, clock: Callable[[], datetime], lasting: Lasting) -> Check:
    """Whether the database takes what is written, by an engine that does not wait long."""

    def look_at_it() -> Trouble | None:
        try:
            marks.write(engine, "written", "", clock())
            why = ""
        except SQLAlchemyError as error:
            why = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0][:200]
        if not lasting.has(is_wrong=bool(why)):
            return None
        said = f"The alert router's database takes nothing: {why}. Without SPOOL_DIR webhooks are refused, and Sentry sends them once"
        return Trouble(check=DATABASE, said=said, way_out="See who holds its lock, whether its disk is full, and whether it runs.")

    return Check(name=DATABASE, look=look_at_it)


def wrong_signatures(engine: Engine, clock: Callable[[], datetime]) -> Check:
    """Whether Sentry's webhooks are refused, and none is taken: its secret was rotated, or ours is wrong."""

    def look_at_it() -> Trouble | None:
        refused, taken = refusals.number(engine, "sentry", HTTPStatus.UNAUTHORIZED), lateness.last_event(engine)
        # On record, for processes come and go, and all of them are to say the same.
        before = msgspec.json.decode(marks.read(engine, SIGNATURES) or "{}", type=dict[str, int])
        if taken != before.get("taken") or refused < before["refused"]:
            before = {"refused": refused, "taken": taken}
            marks.write(engine, SIGNATURES, msgspec.json.encode(before).decode(), clock())
        if refused - before["refused"] < REFUSED:
            return None
        said = f"{refused - before['refused']} webhooks of Sentry's were refused for their signature, and none was taken meanwhile"
        way_out = "The integration's Client Secret was rotated: put it into SENTRY_CLIENT_SECRETS, beside the old one, and restart web."
        return Trouble(check=SIGNATURES, said=said, way_out=way_out)

    return Check(name=SIGNATURES, look=look_at_it)


def redis_away(url: str, lasting: Lasting) -> Check:
    """Whether Redis answers."""

    def look_at_it() -> Trouble | None:
        found = _state(url)
        if not lasting.has(is_wrong=isinstance(found, str)):
            return None
        said = f"The alert router's Redis does not answer ({found}): workers find alerts by polling, a second later"
        return Trouble(check=REDIS, said=said, way_out="Start it, or see to REDIS_URL. Sign-in limits are each process's own meanwhile.")

    return Check(name=REDIS, look=look_at_it)


def redis_full(url: str) -> Check:
    """Whether Redis has room, keeps what it has, and takes what is written."""

    def look_at_it() -> Trouble | None:
        found = _state(url)
        if isinstance(found, str):
            raise NotKnownYetError
        if found.used_share > NEARLY_FULL:
            said = f"The alert router's Redis has {found.used_share:.0%} of its memory in use: bells are not heard when it is full"
            return Trouble(check=REDIS_FULL, said=said, way_out="Raise `maxmemory`, or see what else is kept there.")
        if found.refuses:
            said = f"The alert router's Redis takes nothing ({found.refuses}): workers find alerts by polling, a second later"
            return Trouble(check=REDIS_FULL, said=said, way_out="Give it memory, disk or rights; see `redis-cli INFO` and its log.")
        if found.evicts:
            said = f"The alert router's Redis throws keys away when it is full (maxmemory-policy {found.policy})"
            return Trouble(check=REDIS_FULL, said=said, way_out="Set `maxmemory-policy noeviction`.")
        return None

    return Check(name=REDIS_FULL, look=look_at_it)


def rules_refused(engine: Engine) -> Check:
    """Whether the last edit of the rules is in force."""

    def look_at_it() -> Trouble | None:
        refused = rules_edits.last_refused(engine)
        if refused is None:
            return None
        said = (
            f"The last edit of {refused.file} was refused, and the rules before it are in force: {refused.problems.splitlines()[0][:200]}"
        )
        return Trouble(check=RULES, said=said, way_out="`flask rules check` lists all that is wrong with it.")

    return Check(name=RULES, look=look_at_it)


def clock_skewed(clock: Callable[[], datetime], others: Callable[[], datetime | None], *, machine: str) -> Check:
    """Whether this machine's clock is that of others: of the database's machine, or of Sentry's."""

    def look_at_it() -> Trouble | None:
        theirs = others()
        skew = clock() - theirs if theirs else timedelta()
        if abs(skew) < SKEW:
            return None
        off = f"{abs(skew).total_seconds():.0f} s {'ahead' if skew > timedelta() else 'behind'}"
        said = f"The alert router's clock is {off}, on {machine}"
        way_out = "See to NTP (`timedatectl`): silences, windows and cooldowns go by it, and Slack refuses what is signed long ago."
        return Trouble(check=CLOCK, said=said, way_out=way_out)

    return Check(name=CLOCK, look=look_at_it, unseen_for=CLOCKS_EVERY * 2)


def _state(url: str) -> RedisState | str:
    try:
        return look(url)
    except (RedisError, OSError) as error:
        return type(error).__name__
