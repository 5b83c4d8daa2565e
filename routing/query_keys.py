"""Which keys Sentry knows, which kind of values each takes, and how such values are written. Knows no alert and compares nothing.

A key that is not named here takes text: a field of that name, or a tag.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from routing.query_tree import AgeValue, BooleanValue, DateValue, Key, KeyKind, NowValue, Quantity, TextValue, Value, ValueType

Version: TypeAlias = tuple[tuple[int, ...], bool, tuple[tuple[int, int, str], ...]]


class Kind(StrEnum):
    """What the values of a key are; decides how the right side of a condition is read."""

    TEXT = "text"
    CONTAINED = "contained text"
    """Found anywhere in the value, as Sentry does for `message`."""
    CODE = "code"
    """Text that is a number where it is compared by `<` or `>`: an HTTP status, a part of the payload."""
    VERSION = "version"
    NUMBER = "number"
    DURATION = "duration"
    SIZE = "size"
    PERCENTAGE = "percentage"
    MEASUREMENT = "measurement"
    """Of a unit that only the alert tells; not a duration."""
    ANY_UNIT = "figure"
    UNKNOWN = "figure or date"
    """Of a function that Sentry may have, but this version does not know."""
    BOOLEAN = "boolean"
    DATE = "date"
    PRESENCE = "presence"
    """`has:`; the value is a key."""
    STATE = "state"
    """`is:`."""


TEXTUAL = frozenset({Kind.TEXT, Kind.CONTAINED, Kind.CODE, Kind.VERSION, Kind.PRESENCE, Kind.STATE})
QUANTITATIVE = frozenset({Kind.NUMBER, Kind.DURATION, Kind.SIZE, Kind.PERCENTAGE, Kind.MEASUREMENT, Kind.ANY_UNIT})

_KEYS: Mapping[Kind, str] = {
    Kind.PRESENCE: "has",
    Kind.STATE: "is",
    Kind.CONTAINED: "message",
    Kind.TEXT: """
        title level environment release dist platform project project.name project.slug transaction culprit location logger id issue url
        user user.id user.email user.username user.ip error.type error.value error.mechanism stack.filename stack.function stack.module
        http.method http.url os.name sdk.name""",
    Kind.CODE: "http.status_code http.response.status_code",
    Kind.VERSION: "release.version release.build",
    Kind.NUMBER: """
        project_id project.id issue.id timesSeen times_seen user_count userCount users stack.colno stack.lineno stack.stack_level
        measurements.cls measurements.frames_frozen measurements.frames_slow measurements.frames_total measurements.stall_count""",
    Kind.PERCENTAGE: "measurements.frames_frozen_rate measurements.frames_slow_rate measurements.stall_percentage",
    Kind.DURATION: """
        transaction.duration span.duration span.self_time
        measurements.app_start_cold measurements.app_start_warm measurements.fcp measurements.fid measurements.fp measurements.inp
        measurements.lcp measurements.stall_longest_time measurements.stall_total_time measurements.time_to_full_display
        measurements.time_to_initial_display measurements.ttfb measurements.ttfb.requesttime""",
    Kind.SIZE: "http.response_content_length http.decoded_response_content_length http.response_transfer_size",
    Kind.ANY_UNIT: "metric.value metric.threshold",
    Kind.BOOLEAN: """
        error.handled error.unhandled error.main_thread stack.in_app symbolicated_in_app app.in_foreground is_application
        team_key_transaction""",
    Kind.DATE: """
        timestamp timestamp.to_hour timestamp.to_day event.timestamp transaction.start_time transaction.end_time start end time date
        age firstSeen first_seen lastSeen last_seen""",
}
"""By docs.sentry.io/concepts/search/searchable-properties; a key of text is named only if an average over it would be nonsense."""
_KINDS = {name: kind for kind, names in _KEYS.items() for name in names.split()}
_TAG_KINDS = {"number": Kind.NUMBER, "boolean": Kind.BOOLEAN}
_FUNCTIONS: Mapping[Kind, str] = {
    Kind.NUMBER: "count count_if count_unique count_miserable count_web_vitals epm eps tpm tps failure_count apdex user_misery uniq",
    Kind.PERCENTAGE: "failure_rate crash_free_rate crash_rate percentage percent_change http_error_rate",
    Kind.DATE: "first_seen last_seen",
}
_FUNCTION_KINDS = {name: kind for kind, names in _FUNCTIONS.items() for name in names.split()}
_COLUMN_FUNCTIONS = frozenset({"avg", "min", "max", "sum", "p50", "p75", "p90", "p95", "p99", "p100", "percentile"})
_FIGURES = frozenset({Kind.NUMBER, Kind.DURATION, Kind.SIZE, Kind.PERCENTAGE, Kind.MEASUREMENT, Kind.DATE})

_NUMBER_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_DURATION_UNITS: Mapping[str, float] = {
    "ms": 1,
    "s": 1_000,
    "min": 60_000,
    "m": 60_000,
    "hr": 3_600_000,
    "h": 3_600_000,
    "day": 86_400_000,
    "d": 86_400_000,
    "wk": 604_800_000,
    "w": 604_800_000,
}
_PREFIXES = "kmgtpezy"
_SIZE_UNITS: Mapping[str, float] = {
    "bit": 1 / 8,
    "nb": 1 / 2,
    "b": 1,
    "byte": 1,
    "bytes": 1,
    **{f"{prefix}b": 1000.0**power for power, prefix in enumerate(_PREFIXES, 1)},
    **{f"{prefix}ib": 1024.0**power for power, prefix in enumerate(_PREFIXES, 1)},
}
_AMOUNT = re.compile(r"(-?[0-9]+(?:\.[0-9]*)?)([A-Za-z%]*)")
_VERSION = re.compile(r"v?([0-9]{1,18}(?:\.[0-9]{1,18}){0,3})(?:-([A-Za-z0-9.-]{1,100})|([A-Za-z][A-Za-z0-9.-]{0,99}))?(?:\+.*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
_AGE = re.compile(r"([+-])([0-9]+)([mhdw])")
_NOW = re.compile(r"now(?:([+-])([0-9]+)([smhdw]))?", re.IGNORECASE)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_PERIODS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def kind_of(key: Key) -> Kind | None:
    """What the values of a key are; None for an aggregate over a column that is no figure, like avg(title)."""
    if key.kind is KeyKind.AGGREGATE:
        return _kind_of_aggregate(key)
    if key.kind is not KeyKind.FIELD:
        return _TAG_KINDS.get(key.type or "", Kind.CODE if key.kind is KeyKind.PAYLOAD else Kind.TEXT)
    return _kind_of_field(key.name)


def is_known(name: str) -> bool:
    """Whether Sentry has a field of that name that is listed here."""
    return name in _KINDS


def is_function(name: str) -> bool:
    """Whether Sentry has an aggregate function of that name."""
    return name.lower() in _COLUMN_FUNCTIONS or name.lower() in _FUNCTION_KINDS


@lru_cache(maxsize=1024)
def normal_aggregate(text: str) -> str:
    """The spelling in which equal aggregates meet: `P95( transaction.duration )` and `p95()` are both `p95(transaction.duration)`.

    Sentry adds ` AS alias` to crash-free rates, which says nothing.
    """
    spelled = "".join(re.split(r"\sas\s", text.lower(), maxsplit=1)[0].split())
    name, parenthesis, arguments = spelled.partition("(")
    if parenthesis and arguments == ")" and name in _COLUMN_FUNCTIONS:
        return f"{name}(transaction.duration)"
    return spelled


def read_value(kind: Kind, text: str) -> Value | None:
    """What an unquoted text means as a value of a kind, None if it means nothing. Sentry's order: of several units that fit, the first."""
    for reader in _READERS[kind]:
        value = reader(text)
        if value is not None:
            return value
    return None


def wanted(kind: Kind) -> str:
    """What to write for a kind: `a duration such as 300ms, 5s or 2m`."""
    return _WANTED.get(kind, "text")


def read_number(text: str) -> float | None:
    """A plain decimal number, None if it is none."""
    quantity = _number(text)
    return quantity.amount if quantity and text[-1:].isdigit() else None


def read_version(text: str) -> Version | None:
    """What orders versions as semver.org does, `1.2` being `1.2.0`; None if it is no version. Build metadata does not count."""
    matched = _VERSION.fullmatch(text)
    if not matched or (matched[3] and "." not in matched[1]):  # 3f1b6c0a is a hash, 1.2rc1 is not
        return None
    numbers = tuple(int(number) for number in matched[1].split("."))
    marks = [mark for mark in re.split(r"[.-]", matched[2] or matched[3] or "") if mark]
    prerelease = tuple((0, int(mark), "") if mark.isdigit() else (1, 0, mark.lower()) for mark in marks)
    return (*numbers, 0, 0, 0)[:4], not prerelease, prerelease


def in_milliseconds_or_bytes(amount: float, unit: str) -> float:
    """A measurement in the unit in which durations and sizes are compared; other units stay as they are.

    The units' names are those of Sentry's event payload: `millisecond`, `kilobyte`, `kibibyte`.
    """
    return amount * _MEASURED_UNITS.get(unit, 1)


def _kind_of_field(name: str) -> Kind:
    kind = _KINDS.get(name)
    if kind is not None:
        return kind
    if name.startswith("contexts."):
        return Kind.CODE
    if name.startswith("spans."):
        return Kind.DURATION
    if name.startswith("measurements."):
        return Kind.DURATION if name.endswith("duration") else Kind.MEASUREMENT
    return Kind.TEXT


def _kind_of_aggregate(key: Key) -> Kind | None:
    function = key.name.lower()
    if function not in _COLUMN_FUNCTIONS:
        return _FUNCTION_KINDS.get(function, Kind.UNKNOWN)
    column = key.arguments[0] if key.arguments else "transaction.duration"
    kind = _kind_of_field(column)
    if kind in _FIGURES:
        return kind
    return Kind.UNKNOWN if column not in _KINDS else None


def _number(text: str) -> Quantity | None:
    return _quantity(ValueType.NUMBER, text, text.lower(), _NUMBER_UNITS)


def _duration(text: str) -> Quantity | None:
    return _quantity(ValueType.DURATION, text, text, _DURATION_UNITS)


def _size(text: str) -> Quantity | None:
    return _quantity(ValueType.SIZE, text, text.lower(), _SIZE_UNITS)


def _percentage(text: str) -> Quantity | None:
    quantity = _quantity(ValueType.PERCENTAGE, text, text, {"%": 1})
    # Divided, because 7 * 0.01 is more than 0.07.
    return replace(quantity, amount=quantity.amount / 100) if quantity else None


def _quantity(value_type: ValueType, text: str, spelled: str, units: Mapping[str, float]) -> Quantity | None:
    matched = _AMOUNT.fullmatch(spelled)
    if not matched or matched[2] not in units:
        return None
    amount = float(matched[1]) * units[matched[2]]
    return Quantity(type=value_type, amount=amount, text=text) if math.isfinite(amount) else None


def _boolean(text: str) -> BooleanValue | None:
    truth = _BOOLEANS.get(text.lower())
    return None if truth is None else BooleanValue(truth=truth, text=text)


def _date(text: str) -> DateValue | None:
    matched = _DATE.fullmatch(text)
    if not matched:
        return None
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return DateValue(moment=aware.astimezone(UTC), is_day=matched[1] is None, text=text)
    except (ValueError, OverflowError):
        return None


def _age(text: str) -> AgeValue | None:
    matched = _AGE.fullmatch(text)
    period = _period(matched[2], matched[3]) if matched else None
    if not matched or period is None:
        return None
    return AgeValue(age=period, is_older=matched[1] == "+", text=text)


def _now(text: str) -> NowValue | None:
    matched = _NOW.fullmatch(text)
    if not matched:
        return None
    period = _period(matched[2] or "0", (matched[3] or "s").lower())
    if period is None:
        return None
    return NowValue(offset=-period if matched[1] == "-" else period, text=text)


def _period(number: str, unit: str) -> timedelta | None:
    """At most ten thousand years, so that it can be taken from any date or is refused."""
    return timedelta(**{_PERIODS[unit]: int(number)}) if len(number) <= 6 else None


def _text(text: str) -> TextValue:
    return TextValue(text=text)


_READERS: Mapping[Kind, tuple[Callable[[str], Value | None], ...]] = {
    **dict.fromkeys(TEXTUAL, (_text,)),
    Kind.NUMBER: (_number,),
    Kind.DURATION: (_duration, _number),
    Kind.SIZE: (_size, _number),
    Kind.PERCENTAGE: (_percentage, _number),
    Kind.MEASUREMENT: (_number, _size),
    Kind.ANY_UNIT: (_number, _percentage, _duration, _size),
    Kind.UNKNOWN: (_number, _age, _date, _percentage, _duration, _size),
    Kind.BOOLEAN: (_boolean,),
    Kind.DATE: (_date, _age, _now),
}
_WANTED = {
    Kind.NUMBER: "a number such as 500 or 1.5k",
    Kind.DURATION: "a duration such as 300ms, 5s or 2m",
    Kind.SIZE: "a size such as 500kb or 2mib",
    Kind.PERCENTAGE: "a percentage such as 5% or a fraction such as 0.05",
    Kind.MEASUREMENT: "a number such as 500 or 1.5k or a size such as 2mb",
    **dict.fromkeys((Kind.ANY_UNIT, Kind.UNKNOWN), "a figure such as 100, 5%, 2s or 3mb"),
    Kind.BOOLEAN: "true, false, 1 or 0",
    Kind.DATE: "a date such as 2026-10-17 or 2026-10-17T02:41:00Z or an age such as -24h",
    Kind.VERSION: "a version such as 1.2.3",
}
_TIME_UNITS = {"nanosecond": 1e-6, "microsecond": 1e-3, "millisecond": 1.0, "second": 1e3, "minute": 6e4, "hour": 3.6e6, "day": 8.64e7}
_DECIMAL = ("kilo", "mega", "giga", "tera", "peta", "exa")
_BINARY = ("kibi", "mebi", "gibi", "tebi", "pebi", "exbi")
_MEASURED_UNITS: Mapping[str, float] = {
    **_TIME_UNITS,
    "bit": 1 / 8,
    **{f"{prefix}byte": 1000.0**power for power, prefix in enumerate(_DECIMAL, 1)},
    **{f"{prefix}byte": 1024.0**power for power, prefix in enumerate(_BINARY, 1)},
}
