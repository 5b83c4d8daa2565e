"""Redis: whether it answers, takes what is written, and keeps what it has."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from storage.redis_connection import AddressError, check_options
from storage.redis_facts import NoRedisError, RedisFacts, facts
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="redis")
NEARLY_FULL = 0.9
OLDEST = 5
"""RQ's streams and our scripts need no newer one."""
_HERE = {"", "localhost", "127.0.0.1", "::1"}
_MEBIBYTE = 1024**2


def look(patient: Patient) -> Iterator[Finding]:
    """Reachable, version, write, memory, eviction, persistence, encryption."""
    url = patient.settings.redis_url
    try:
        check_options(url)
        found = facts(url)
    except AddressError as error:
        yield SAYS.fault("reachable", str(error), "mend REDIS_URL")
        return
    except NoRedisError as error:
        seen = f"it does not answer ({error}): workers find alerts by polling, a second later"
        yield SAYS.fault("reachable", seen, "start it, or see to host, port, user and password in REDIS_URL")
        return
    yield SAYS.ok("reachable", _where(url))
    yield _written(found)
    yield _encrypted(url)
    if not found.version:
        yield SAYS.unchecked("state", "its user may not ask (INFO)", "let the ACL user do +info, and +config|get for persistence")
        return
    yield _version(found)
    yield _memory(found)
    yield _eviction(found)
    yield _persistence(found)


def _where(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}, {parts.netloc.rpartition('@')[2] or parts.path}"


def _written(found: RedisFacts) -> Finding:
    if not found.why_unwritable:
        return SAYS.ok("write", "a key was written that goes away by itself")
    if found.role == "slave":
        return SAYS.fault("write", "it is a replica, and takes nothing", "let REDIS_URL lead to the primary, or to its Sentinels")
    way_out = "make room (maxmemory, its disk), or let its user write keys of RQ_KEY_PREFIX"
    return SAYS.fault("write", f"it takes nothing: {found.why_unwritable}", way_out)


def _encrypted(url: str) -> Finding:
    parts = urlsplit(url)
    hosts = [urlsplit(f"//{host}").hostname or "" for host in parts.netloc.rpartition("@")[2].split(",")]
    if parts.scheme.startswith(("rediss", "unix")) or set(hosts) <= _HERE:
        return SAYS.ok("encryption", "TLS" if parts.scheme.startswith("rediss") else "none needed on this machine")
    password = "; its password is sent so, too" if parts.password else ", and without a password"
    way_out = "write rediss:// where the network between is not yours alone, and give its user a password"
    return SAYS.warning("encryption", f"what is said goes through the network as it is{password}", way_out)


def _version(found: RedisFacts) -> Finding:
    major = int(found.version.partition(".")[0] or 0)
    if major < OLDEST:
        return SAYS.warning("version", found.version, f"take {OLDEST}.0 or newer: RQ asks for it")
    return SAYS.ok("version", found.version)


def _memory(found: RedisFacts) -> Finding:
    used = f"{found.used / _MEBIBYTE:.1f} MiB"
    if not found.limit:
        return SAYS.ok("memory", f"{used} in use, no limit")
    share = found.used / found.limit
    seen = f"{used} of {found.limit / _MEBIBYTE:.1f} MiB in use ({share:.0%})"
    if share <= NEARLY_FULL:
        return SAYS.ok("memory", seen)
    return SAYS.warning("memory", f"{seen}: bells are not heard when it is full", "raise maxmemory, or see what else is kept there")


def _eviction(found: RedisFacts) -> Finding:
    if not found.evicts:
        return SAYS.ok("eviction", found.policy + ("" if found.limit else ", and no limit at which it would"))
    thrown = f"; {found.evicted} keys so far" if found.evicted else ""
    seen = f"maxmemory-policy is {found.policy}: when it is full it throws away RQ's keys{thrown}"
    return SAYS.warning("eviction", seen, "set maxmemory-policy noeviction (CONFIG SET, and in redis.conf)")


def _persistence(found: RedisFacts) -> Finding:
    if found.fault_of_disk:
        seen = f"{found.fault_of_disk} could not be written"
        return SAYS.warning("persistence", seen, "see to Redis' disk and its log; with stop-writes-on-bgsave-error it takes nothing")
    if found.persists:
        return SAYS.ok("persistence", " and ".join(found.persists))
    return SAYS.ok("persistence", "none, and none is needed: all that must not be lost is in the database")
