"""The bell rings wherever Redis is: behind Sentinels of which the first server dies, in a Cluster, behind TLS."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from storage.queue import PLAN, QUEUE, Bell
from storage.redis_connection import AddressError, check_options, connect
from tests.redis_servers import redis_servers, until
from tests.service import free_port
from tests.stand_ins.smtp import KEY_AND_CERTIFICATE

ROOT = Path(__file__).parents[2]


def rings_at(bell: Bell, redis: Redis) -> bool:
    bell.ring(PLAN)
    return jobs(redis) > 0


def jobs(redis: Redis) -> int:
    return len(Queue(QUEUE, connection=redis, serializer=JSONSerializer).get_job_ids())


def test_where_sentinels_name_the_server_the_bell_rings_at_the_next_one_when_it_dies(tmp_path: Path) -> None:
    first, second, sentinel = (str(free_port()) for _ in range(3))
    watch = {"--sentinel": "", "port": sentinel, "sentinel": f"monitor main 127.0.0.1 {first} 1"}
    url = f"redis+sentinel://127.0.0.1:{sentinel},127.0.0.1:1/main/0"
    with redis_servers(tmp_path / "redis", {"port": first}, {"port": second, "replicaof": f"127.0.0.1 {first}"}, watch) as running:
        with Redis(port=int(sentinel)) as of_sentinel:
            of_sentinel.sentinel_set("main", "down-after-milliseconds", 300)
            until(lambda: of_sentinel.sentinel_master("main")["num-slaves"])
        bell = Bell(url)
        bell.ring(PLAN)
        before = jobs(connect(url))
        running[0].kill()

        with Redis(port=int(second)) as successor:
            until(lambda: successor.info("replication")["role"] == "master")
            successor.flushall()
            until(lambda: rings_at(bell, successor))

    assert before == 1


IN_A_CLUSTER = """
import sys
from rq import Queue
from rq.serializers import JSONSerializer
from storage.queue import PLAN, QUEUE, Bell, Listener
from storage.redis_connection import connect

bell = Bell(sys.argv[1])
bell.heard(PLAN)
bell.ring(PLAN)
redis = connect(sys.argv[1])
queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
print(queue.get_jobs()[0].func_name)
queue.empty()
queue.enqueue("time.sleep", 0, result_ttl=0, job_timeout=-1)
Listener([queue], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="CRITICAL")
print(queue.count, len(queue.failed_job_registry))
"""


def test_in_a_cluster_the_bell_rings_at_the_node_that_has_its_keys(tmp_path: Path) -> None:
    ports, buses = ([free_port() for _ in range(2)] for _ in range(2))
    pairs = zip(ports, buses, strict=True)
    with redis_servers(
        tmp_path / "redis", *({"port": str(port), "cluster-enabled": "yes", "cluster-port": str(bus)} for port, bus in pairs)
    ):
        nodes = [Redis(port=port) for port in ports]
        for node, (start, end) in zip(nodes, [(0, 8191), (8192, 16383)], strict=True):
            node.cluster("ADDSLOTSRANGE", start, end)
        nodes[0].cluster("MEET", "127.0.0.1", ports[1], buses[1])
        until(lambda: all(node.cluster("INFO")["cluster_state"] == "ok" and len(node.cluster("SLOTS")) == 2 for node in nodes))
        said = [in_cluster(f"redis+cluster://127.0.0.1:{port}") for port in ports]

    assert said == ["worker.plan_events\n0 0\n"] * 2


def in_cluster(url: str) -> str:
    """RQ reads its prefix when it is imported, so by a process of its own."""
    variables = {**os.environ, "RQ_KEY_PREFIX": "{alert-router}", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", IN_A_CLUSTER, url]
    return subprocess.run(  # noqa: S603 - this file's own
        command, env=variables, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis+sentinel://h/main?sentinel_pasword=x", r"REDIS_URL: redis\+sentinel:// has no option sentinel_pasword; write one of"),
        ("redis://h?sentinel_password=x", "REDIS_URL: redis:// has no option sentinel_password; write one of"),
        (
            "redis://h?ssl_ca_certs=/ca.pem",
            r"REDIS_URL: redis:// has no option ssl_ca_certs; .* those of TLS \(ssl_ca_certs\) after rediss",
        ),
        ("redis://h?socket_timeout=soon", "REDIS_URL: Invalid value for 'socket_timeout'"),
    ],
)
def test_an_option_that_there_is_not_is_refused_before_the_first_connection(url: str, problem: str) -> None:
    with pytest.raises(AddressError, match=problem):
        check_options(url)


@pytest.mark.parametrize(
    "url", ["redis+sentinel://h/main?sentinel_password=x&socket_timeout=2", "rediss+cluster://h?ssl_ca_certs=/ca.pem", "unix:///run/r?db=2"]
)
def test_any_option_of_redis_py_may_be_set(url: str) -> None:
    check_options(url)


def test_of_a_cluster_that_is_away_the_bell_says_so_and_raises_nothing() -> None:
    with pytest.raises(RedisError, match="no node of the Cluster"):
        connect("redis+cluster://127.0.0.1:1,127.0.0.1:2", socket_connect_timeout=1)

    Bell("redis+cluster://127.0.0.1:1").ring(PLAN)


def test_behind_tls_the_certificate_is_checked(redis_url: str) -> None:
    with tls_before(int(redis_url.rpartition(":")[2].partition("/")[0])) as port:
        Bell(f"rediss://localhost:{port}/0?ssl_ca_certs={KEY_AND_CERTIFICATE}").ring(PLAN)
        with Redis.from_url(redis_url) as redis:
            by_one_that_trusts_it = jobs(redis)
            redis.flushdb()
            Bell(f"rediss://localhost:{port}/0").ring(PLAN)
            by_one_that_does_not = jobs(redis)

    assert (by_one_that_trusts_it, by_one_that_does_not) == (1, 0)


@contextmanager
def tls_before(port: int) -> Iterator[int]:
    """The port of one that speaks TLS, and passes on to another port what it hears."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(KEY_AND_CERTIFICATE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: _take(listener, context, port), daemon=True).start()
        yield listener.getsockname()[1]


def _take(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            plain = listener.accept()[0]
        except OSError:
            return
        with suppress(OSError):
            caller, redis = context.wrap_socket(plain, server_side=True), socket.create_connection(("127.0.0.1", port))
            for source, target in ((caller, redis), (redis, caller)):
                threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while heard := source.recv(65536):
            target.sendall(heard)
