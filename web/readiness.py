"""Whether this service can do its work, and what of it fails: within a second, whatever hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from storage import rules_edits, rules_versions, workers
from storage.database import OutOfReachError, SchemaError, check_schema
from storage.queue import answers
from web.desk import Desk

WITHIN_SECONDS = 0.8
Status = Literal["ok", "degraded", "unready"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """All of it."""

    status: Status
    """`degraded`: alerts are taken, but late, or nobody is told; `unready`: they are not."""
    checks: Mapping[str, str]
    """What each part says: `ok`, or what is wrong, what that means and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    name: str
    ask: Callable[[Desk], str]
    """What is wrong; empty if nothing is."""
    means: str
    """What it means, and the way out, if it cannot be asked."""
    is_needed: bool = False


class _Answer:
    """What a check says, once it does. Its thread holds up nothing that ends, and one that hangs is not begun a second time."""

    def __init__(self, ask: Callable[[Desk], str], at: Desk) -> None:
        self._ask, self._at = ask, at
        self._is_there = threading.Event()
        self._said: str | Exception = ""
        threading.Thread(target=self._run, name="readiness", daemon=True).start()

    @property
    def is_there(self) -> bool:
        """Whether it has come."""
        return self._is_there.is_set()

    def within(self, seconds: float, means: str) -> str:
        """What is wrong, in words; empty if nothing is."""
        if not self._is_there.wait(seconds):
            return f"no answer within {WITHIN_SECONDS} s: {means}"
        if isinstance(self._said, Exception):
            return f"it cannot be asked ({type(self._said).__name__}): {means}"
        return self._said

    def _run(self) -> None:
        try:
            self._said = self._ask(self._at)
        except Exception as error:  # noqa: BLE001 - whatever fails here is what is asked for
            self._said = error
        self._is_there.set()


class Checks:
    """Of one process; one asks at a time."""

    def __init__(self) -> None:
        self._answers: dict[str, _Answer] = {}

    def readiness(self, at: Desk) -> Readiness:
        """As it is now."""
        needed = at.settings.spool_dir is None
        checks = (
            _Check(name="database", ask=_database, means=_WITHOUT_DATABASE[needed], is_needed=needed),
            _Check(name="redis", ask=_redis, means=_WITHOUT_REDIS),
            _Check(name="workers", ask=_workers, means=_NOT_KNOWN),
            _Check(name="rules", ask=_rules, means=_NOT_KNOWN),
        )
        asked = [(one, self._begin(one, at)) for one in checks]
        until = time.monotonic() + WITHIN_SECONDS
        said = {one.name: answer.within(max(until - time.monotonic(), 0), one.means) for one, answer in asked}
        is_unready = any(said[one.name] for one in checks if one.is_needed)
        status: Status = "unready" if is_unready else "degraded" if any(said.values()) else "ok"
        return Readiness(status=status, checks={name: words or "ok" for name, words in said.items()})

    def _begin(self, check: _Check, at: Desk) -> _Answer:
        before = self._answers.get(check.name)
        if before is None or before.is_there:
            self._answers[check.name] = _Answer(check.ask, at)
        return self._answers[check.name]


def _database(at: Desk) -> str:
    try:
        check_schema(at.engine)
    except OutOfReachError as error:
        return f"{error}: {_WITHOUT_DATABASE[at.settings.spool_dir is None]}"
    except SchemaError as error:
        return str(error)
    return ""


def _redis(at: Desk) -> str:
    wrong = answers(at.settings.redis_url)
    return wrong and f"{wrong}: {_WITHOUT_REDIS}"


def _workers(at: Desk) -> str:
    return "" if workers.living(at.engine) else "none lives: alerts are kept, and nobody is told; start `python worker.py`"


def _rules(at: Desk) -> str:
    if refused := rules_edits.last_refused(at.engine):
        return f"the last edit of {refused.file} was refused, the rules before it are in force: `flask rules check`"
    return "" if rules_versions.latest(at.engine) else "none are in force yet: start a worker"


_WITHOUT_REDIS = "alerts are taken, and workers find them a second later; see to REDIS_URL"
_WITHOUT_DATABASE = {
    True: "webhooks are refused, and Sentry sends each once; see to DATABASE_URL, and set SPOOL_DIR",
    False: "webhooks are kept in SPOOL_DIR, and nobody is told before it is back; see to DATABASE_URL",
}
"""By whether there is no spool."""
_NOT_KNOWN = "the database knows; see to that"
