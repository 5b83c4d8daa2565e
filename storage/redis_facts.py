"""What Redis says of itself when it is looked at closely: for the doctor, not for every minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError
from rq.defaults import RQ_KEY_PREFIX

from storage.redis_connection import connect
from storage.redis_state import EVICTS_NOTHING

WITHIN_SECONDS = 3.0
_OF_THE_SERVER = {"OutOfMemoryError", "ReadOnlyError", "NoPermissionError", "ResponseError", "BusyLoadingError"}
"""What the server says itself."""


class NoRedisError(Exception):
    """It does not answer; the text says how, without its address, which may hold a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """All that matters."""

    version: str
    """Empty where its user may not ask (INFO)."""
    role: str
    used: int
    limit: int
    """Bytes; 0: all there are."""
    policy: str
    persists: tuple[str, ...]
    """By what: `append-only file`, `snapshots`."""
    fault_of_disk: str
    """What of the last write to the disk failed; empty: nothing."""
    evicted: int
    """Keys since its start."""
    why_unwritable: str
    """What is said to whoever writes; empty if it is taken."""

    @property
    def evicts(self) -> bool:
        """Whether it may throw away what is kept there."""
        return bool(self.limit) and self.policy != EVICTS_NOTHING


def facts(url: str) -> RedisFacts:
    """Ask it, and write a key that goes away within a second.

    Raises:
        NoRedisError: it does not answer.
    """
    try:
        with connect(url, socket_connect_timeout=WITHIN_SECONDS, socket_timeout=WITHIN_SECONDS) as redis:
            redis.ping()
            return _read(_info(redis), _snapshots(redis), _why_unwritable(redis))
    except (RedisError, OSError) as error:
        raise NoRedisError(_words(error)) from None


def _read(info: Mapping[str, object], snapshots: str, why_unwritable: str) -> RedisFacts:
    appends = str(info.get("aof_enabled", "0")) == "1"
    faults = {
        "the append-only file": appends and info.get("aof_last_write_status", "ok") != "ok",
        "the last snapshot": bool(snapshots) and info.get("rdb_last_bgsave_status", "ok") != "ok",
    }
    return RedisFacts(
        version=str(info.get("valkey_version") or info.get("redis_version") or ""),
        role=str(info.get("role") or ""),
        used=int(str(info.get("used_memory") or 0)),
        limit=int(str(info.get("maxmemory") or 0)),
        policy=str(info.get("maxmemory_policy") or EVICTS_NOTHING),
        persists=(*(["append-only file"] if appends else []), *(["snapshots"] if snapshots else [])),
        fault_of_disk=" and ".join(name for name, failed in faults.items() if failed),
        evicted=int(str(info.get("evicted_keys") or 0)),
        why_unwritable=why_unwritable,
    )


def _info(redis: Redis) -> Mapping[str, object]:
    try:
        return dict(redis.info())
    except RedisError:
        return {}  # a user of limited rights may not ask


def _snapshots(redis: Redis) -> str:
    """After how many changes it writes one; empty: never, or it does not say."""
    try:
        return str(redis.config_get("save").get("save") or "")
    except RedisError:
        return ""


def _why_unwritable(redis: Redis) -> str:
    try:
        redis.set(f"{RQ_KEY_PREFIX}:alert-router:doctor:{uuid4().hex}", b"1", px=1000)
    except RedisError as error:
        return _words(error)
    return ""


def _words(error: Exception) -> str:
    """What the server said; what redis-py says of a connection names the host, and that is left out."""
    kind = type(error).__name__
    said = str(error).partition("\n")[0]
    if kind in {"AuthenticationError", "AuthorizationError", "InvalidPassword"}:
        return f"{kind}: it does not let this user in with this password"
    return f"{kind}: {said[:200]}" if kind in _OF_THE_SERVER else kind
