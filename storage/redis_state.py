"""How Redis does, as it says itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from storage.queue import flag
from storage.redis_connection import connect

WITHIN_SECONDS = 1.0
EVICTS_NOTHING = "noeviction"
PROBE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisState:
    """What matters of it."""

    used_share: float
    """Of the memory that it may use; 0: of all there is."""
    policy: str
    """What it does when that is full."""
    evicts: bool
    """Whether it throws away what is kept there; only where its memory is limited."""
    refuses: str
    """Why it takes nothing that is written: full, a replica, a disk that takes no snapshot; empty: it does."""


def look(url: str) -> RedisState:
    """Ask it.

    Raises:
        RedisError, OSError: it does not answer.
    """
    with connect(url, socket_connect_timeout=WITHIN_SECONDS, socket_timeout=WITHIN_SECONDS) as redis:
        redis.ping()
        refuses = _refusal(redis)
        memory: dict[str, object] = {}
        with suppress(RedisError):  # a user of limited rights may not ask
            memory = redis.info("memory")
    limit, used = int(str(memory.get("maxmemory") or 0)), int(str(memory.get("used_memory") or 0))
    policy = str(memory.get("maxmemory_policy") or EVICTS_NOTHING)
    evicts = bool(limit) and policy != EVICTS_NOTHING
    return RedisState(used_share=used / limit if limit else 0.0, policy=policy, evicts=evicts, refuses=refuses)


def _refusal(redis: Redis) -> str:
    try:
        redis.set(flag("probe"), b"1", ex=PROBE_SECONDS)
    except ResponseError as error:
        return str(error)[:200]
    return ""
