"""The metrics of this service, as Prometheus reads them: from the database, so that they are those of all processes and of all restarts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from storage import counting
from storage.figures import Figures
from storage.tallies import Tally

OWN = "alert_router"


def exposition(figures: Figures, tallies: Mapping[Tally, float], now: datetime, *, spooled_bytes: int = 0) -> bytes:
    """All of them, in Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/."""
    registry = CollectorRegistry()
    registry.register(_Collector(figures, tallies, now, spooled_bytes))
    return generate_latest(registry)


class _Collector(Collector):
    """What is told at one scrape."""

    def __init__(self, figures: Figures, tallies: Mapping[Tally, float], now: datetime, spooled_bytes: int) -> None:
        self._figures, self._tallies, self._now, self._spooled_bytes = figures, tallies, now, spooled_bytes

    def collect(self) -> Iterable[Metric]:
        """In the order in which people read them."""
        yield from self._of_the_guide()
        yield from self._counted()
        yield self._delivery()
        yield from self._waiting()
        yield from self._state()
        yield from self._stored()

    def _of_the_guide(self) -> Iterable[Metric]:
        yield self._counter(counting.EVENTS, "sentry_events_processed", "Webhooks that were decided, by environment.", "environment")
        rate = GaugeMetricFamily("sentry_error_rate", "Alerts that came a second, by level, over five minutes.", labels=["severity"])
        for level, value in sorted(self._figures.per_second.items()):
            rate.add_metric([level], value)
        yield rate
        help_ = "How long alerts of the last hour say that an endpoint took, in seconds: the twenty endpoints with the most alerts."
        p95 = GaugeMetricFamily("sentry_performance_p95", help_, labels=["endpoint"])
        for endpoint, seconds in self._figures.p95_seconds.items():
            p95.add_metric([endpoint], seconds)
        yield p95

    def _counted(self) -> Iterable[Metric]:
        yield self._counter(counting.DISPOSITIONS, f"{OWN}_events", "Webhooks by what became of them.", "resource", "disposition")
        said = "How often a notification came into a state, by kind of receiver and reason."
        yield self._counter(counting.NOTIFICATIONS, f"{OWN}_notifications", said, "kind", "reason", "state")
        yield self._counter(counting.ATTEMPTS, f"{OWN}_attempts", "Attempts to tell a receiver, by how they ended.", "kind", "outcome")
        refused = CounterMetricFamily(
            f"{OWN}_requests_refused", "Requests that were refused, by path and status.", labels=["path", "status"]
        )
        for (path, status), count in sorted(self._figures.refused.items()):
            refused.add_metric([path, str(status)], count)
        yield refused

    def _counter(self, name: str, metric: str, said: str, *labels: str) -> Metric:
        family = CounterMetricFamily(metric, said, labels=labels)
        for one, value in sorted(self._tallies.items()):
            if one.name == name:
                known = dict(one.labels)
                family.add_metric([known.get(label, "") for label in labels], value)
        return family

    def _delivery(self) -> Metric:
        family = HistogramMetricFamily(
            f"{OWN}_delivery_seconds", "From the webhook until it was told, by kind of receiver.", labels=["kind"]
        )
        counts: dict[str, dict[str, float]] = {}
        for one, value in self._tallies.items():
            if one.name == counting.DELIVERY:
                known = dict(one.labels)
                counts.setdefault(known["kind"], {})[known["bound"]] = value
        sums = {dict(one.labels)["kind"]: value for one, value in self._tallies.items() if one.name == counting.DELIVERY_SECONDS}
        for kind, of_kind in sorted(counts.items()):
            so_far, buckets = 0.0, []
            for bound in (*map(str, counting.BOUNDS), "+Inf"):
                so_far += of_kind.get(bound, 0)
                buckets.append((bound, so_far))
            family.add_metric([kind], buckets, sums.get(kind, 0))
        return family

    def _waiting(self) -> Iterable[Metric]:
        now, found = self._now, self._figures
        yield GaugeMetricFamily(f"{OWN}_events_waiting", "Webhooks that are kept, and not decided.", found.waiting)
        yield GaugeMetricFamily(f"{OWN}_events_waiting_age_seconds", "How long the oldest of them waits.", _age(found.waiting_since, now))
        yield GaugeMetricFamily(f"{OWN}_events_failed", "Webhooks that could not be decided, until rules or code change.", found.failed)
        waiting = GaugeMetricFamily(f"{OWN}_queue_length", "Notifications that are to be sent, by lane.", labels=["lane"])
        late = GaugeMetricFamily(f"{OWN}_queue_age_seconds", "How long the oldest of them has been due.", labels=["lane"])
        for lane, queue in found.queues.items():
            waiting.add_metric([lane], queue.waiting)
            late.add_metric([lane], _age(queue.oldest, now))
        yield waiting
        yield late
        yield GaugeMetricFamily(f"{OWN}_notifications_sending", "Notifications that are under way.", found.sending)
        yield GaugeMetricFamily(f"{OWN}_notifications_lost", "Given up within a day, and told nobody else instead.", found.dead)

    def _state(self) -> Iterable[Metric]:
        found = self._figures
        closed = GaugeMetricFamily(
            f"{OWN}_receiver_closed_seconds", "For how long a receiver is told nothing yet.", labels=["receiver", "why"]
        )
        for one in found.closed:
            closed.add_metric([one.receiver, "failures" if one.is_broken else "its limit"], _age(self._now, one.until))
        yield closed
        yield GaugeMetricFamily(f"{OWN}_workers", "Workers that live.", found.workers)
        info = GaugeMetricFamily(f"{OWN}_rules_info", "The rules in force.", labels=["version"])
        if found.rules_version:
            info.add_metric([found.rules_version], 1)
        yield info
        at = found.rules_at.timestamp() if found.rules_at else 0
        yield GaugeMetricFamily(f"{OWN}_rules_loaded_timestamp_seconds", "When they were put in force.", at)
        yield GaugeMetricFamily(f"{OWN}_rules_refused", "1: the last edit was refused, those before it are in force.", found.rules_refused)
        yield from self._canaries()

    def _stored(self) -> Iterable[Metric]:
        said = "What waits in this web process's SPOOL_DIR for the database to be back."
        yield GaugeMetricFamily(f"{OWN}_spooled_bytes", said, self._spooled_bytes)
        rows = GaugeMetricFamily(f"{OWN}_stored_rows", "Rows that are kept, by kind.", labels=["kind"])
        size = GaugeMetricFamily(f"{OWN}_stored_bytes", "How much they take, with their indexes.", labels=["kind"])
        free = GaugeMetricFamily(f"{OWN}_disk_free_bytes", "Room on the disk of an SQLite database.", labels=[])
        found = self._figures.sizes
        for one in found.kinds if found else ():
            rows.add_metric([one.name], one.rows)
            if one.bytes is not None:
                size.add_metric([one.name], one.bytes)
        if found and found.free_bytes is not None:
            free.add_metric([], found.free_bytes)
        yield from (rows, size, free)

    def _canaries(self) -> Iterable[Metric]:
        fine = GaugeMetricFamily(f"{OWN}_canary_ok", "1: the last canary came to the receiver's vendor.", labels=["receiver"])
        age = GaugeMetricFamily(f"{OWN}_canary_age_seconds", "How long ago that was tried.", labels=["receiver"])
        took = GaugeMetricFamily(f"{OWN}_canary_seconds", "How long it took from the webhook on.", labels=["receiver"])
        for receiver, one in sorted(self._figures.canaries.items()):
            fine.add_metric([receiver], one.ok)
            age.add_metric([receiver], _age(one.at, self._now))
            took.add_metric([receiver], one.seconds)
        yield from (fine, age, took)


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0
