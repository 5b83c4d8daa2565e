"""Opens Redis, whatever stands behind its address: a server, the one that Sentinels name, or the node of a Cluster that has our keys."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel
from redis.utils import str_if_bytes
from rq.defaults import RQ_KEY_PREFIX

SENTINEL_PORT, CLUSTER_PORT = 26379, 6379


class AddressError(Exception):
    """The address names an option that there is not, or an impossible value of one; the text says what to write."""


class _Address(NamedTuple):
    """What an address says that names several hosts."""

    hosts: tuple[tuple[str, int], ...]
    service: str
    """What the Sentinels call the server."""
    options: Mapping[str, object]
    """For connections."""


def check_options(url: str) -> None:
    """See to what redis-py would only refuse at the first connection.

    Raises:
        AddressError: an option of the address is not right.
    """
    scheme, query = urlsplit(url).scheme, urlsplit(url).query
    known = {name for name in signature(Redis).parameters if scheme.startswith("rediss") or not name.startswith("ssl")}
    of_sentinels = {"sentinel_username", "sentinel_password"} if scheme.endswith("+sentinel") else set()
    if unknown := sorted(parse_qs(query).keys() - known - of_sentinels):
        way_out = "write one of redis-py's, those of TLS (ssl_ca_certs) after rediss"
        raise AddressError(f"REDIS_URL: {scheme}:// has no option {', '.join(unknown)}; {way_out}")
    try:
        parse_url(f"redis://localhost?{query}")  # type: ignore[no-untyped-call]  # redis-py
    except ValueError as error:
        raise AddressError(f"REDIS_URL: {error}") from None


def connect(url: str, **options: object) -> Redis:
    """A client of the server that takes our keys now. Of Sentinels it asks again by itself; after a fault of a Cluster ask for another one.

    Args:
        url: `redis://`, `rediss://` (TLS; `?ssl_ca_certs=/path`) and `unix://` as redis-py has them;
            `redis+sentinel://user:password@host:26379,host:26379/service/0` or `rediss+sentinel://`, the Sentinels' own password as
            `?sentinel_password=`; `redis+cluster://host:6379,host:6379` or `rediss+cluster://`, where RQ_KEY_PREFIX of the environment
            has to keep all keys together: `{alert-router}`.
        options: of redis-py's connections.

    Raises:
        RedisError: no node of the Cluster says which of them takes our keys.
    """
    scheme = urlsplit(url).scheme
    if scheme.endswith("+sentinel"):
        return _by_sentinels(_read(url, SENTINEL_PORT), options)
    if scheme.endswith("+cluster"):
        return _of_cluster(_read(url, CLUSTER_PORT), options)
    return Redis.from_url(url, **options)


def _read(url: str, port: int) -> _Address:
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    single = f"{parts.scheme.partition('+')[0]}://{user}@localhost/{database or 0}?{parts.query}"
    options: dict[str, object] = dict(parse_url(single))  # type: ignore[no-untyped-call]  # redis-py
    for name in ("host", "port"):
        options.pop(name, None)
    if options.pop("connection_class", None):
        options["ssl"] = True
    return _Address(tuple(_host(one, port) for one in hosts.split(",")), service, options)


def _host(given: str, port: int) -> tuple[str, int]:
    found = urlsplit(f"//{given}")
    return found.hostname or "localhost", found.port or port


def _by_sentinels(address: _Address, options: Mapping[str, object]) -> Redis:
    given = {**address.options, **options}
    own = {name: given.pop(f"sentinel_{name}") for name in ("username", "password") if f"sentinel_{name}" in given}
    of_sentinels = {name: value for name, value in given.items() if name not in {"db", "username", "password"}}
    sentinel = Sentinel(address.hosts, sentinel_kwargs={**of_sentinels, **own}, **given)  # type: ignore[no-untyped-call]  # redis-py
    client: Redis = sentinel.master_for(address.service)  # type: ignore[no-untyped-call]  # redis-py
    return client


def _of_cluster(address: _Address, options: Mapping[str, object]) -> Redis:
    """RQ works on no client of a Cluster; but all its keys are in one slot, so the node that has that one is all it needs."""
    given: dict[str, object] = {**address.options, **options, "db": 0}
    fault: Exception | None = None
    for host, port in address.hosts:
        try:
            # Once each: there are others to ask.
            with Redis(host=host, port=port, retry=Retry(NoBackoff(), 0), **given) as node:  # type: ignore[arg-type]  # options of one's choice
                return Redis(**_owner(node, host), **given)  # type: ignore[arg-type]  # as above
        except (RedisError, OSError) as error:
            fault = error
    raise RedisError(f"no node of the Cluster says who has our keys: {fault}")


def _owner(node: Redis, asked: str) -> dict[str, object]:
    """Where the node is that has the slot of our keys: https://valkey.io/commands/cluster-slots/."""
    slot = key_slot(RQ_KEY_PREFIX.encode())
    for first, last, (host, port, *_), *_ in node.cluster("SLOTS"):
        if first <= slot <= last:
            return {"host": str_if_bytes(host) or asked, "port": port}
    raise RedisError(f"nobody has slot {slot}")
