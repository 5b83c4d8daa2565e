"""What of the faults that are caught is none: each with the reason why nobody is told of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_CLIENT_LEFT = "the client went away before it was answered, and asks again"
_ENDED = "somebody has ended the process"
_REDIS_AWAY = "workers poll the database until Redis is back, and the log says so once"
_LOCKED = "the database was busy; whoever met that tries again in a second"

NOISE: Mapping[str, str] = {
    "werkzeug.exceptions.ClientDisconnected": _CLIENT_LEFT,
    "builtins.BrokenPipeError": _CLIENT_LEFT,
    "builtins.ConnectionResetError": _CLIENT_LEFT,
    "builtins.KeyboardInterrupt": _ENDED,
    "builtins.SystemExit": _ENDED,
    "builtins.GeneratorExit": "a reader has had enough",
    "notifiers.errors.RetryableError": "the vendor is tried again; what fails for good is reported when it is dead",
    "redis.exceptions.ConnectionError": _REDIS_AWAY,
    "redis.exceptions.TimeoutError": _REDIS_AWAY,
}
"""By the exception, or one that it is a kind of."""
_BUSY = re.compile(r"database (?:table )?is locked|deadlock detected|could not serialize access|lock timeout")


class Noise:
    """Tells what is noise."""

    def __init__(self, ignored: Sequence[str] = ()) -> None:
        """`ignored`: names of exceptions, or regular expressions for what they say."""
        self._ignored = [(one, re.compile(one)) for one in ignored]

    def reason(self, fault: BaseException | None, said: str = "") -> str | None:
        """Why nobody is to be told of a fault, or of a message; None: somebody is."""
        names = _names(fault)
        if reason := next((NOISE[name] for name in names if name in NOISE), None):
            return reason
        text = f"{said}\n{fault}" if fault else said
        if fault and "OperationalError" in names and _BUSY.search(text):
            return _LOCKED
        ignored = (one for one, pattern in self._ignored if one in names or pattern.search(text))
        return next((f"SENTRY_IGNORE_ERRORS: {one}" for one in ignored), None)


def _names(fault: BaseException | None) -> list[str]:
    """Those of its class and of all classes that it is a kind of, with and without their modules."""
    kinds = type(fault).__mro__ if fault else ()
    return [name for kind in kinds for name in (f"{kind.__module__}.{kind.__qualname__}", kind.__qualname__)]
