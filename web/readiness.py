"""Whether this service can do its work, and what of it fails: within a second, whatever hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLateError
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


_pool = ThreadPoolExecutor(8, thread_name_prefix="readiness")
"""One for the process: a check that hangs keeps its thread until it ends, and another probe finds the others."""


def readiness(at: Desk) -> Readiness:
    """As it is now."""
    needed = at.settings.spool_dir is None
    checks = [
        _Check(name="database", ask=_database, means=_WITHOUT_DATABASE[needed], is_needed=needed),
        _Check(name="redis", ask=_redis, means=_WITHOUT_REDIS),
        _Check(name="workers", ask=_workers, means=_NOT_KNOWN),
        _Check(name="rules", ask=_rules, means=_NOT_KNOWN),
    ]
    asked = [(one, _pool.submit(one.ask, at)) for one in checks]
    until, said = time.monotonic() + WITHIN_SECONDS, {}
    for one, answer in asked:
        try:
            said[one.name] = answer.result(max(until - time.monotonic(), 0))
        except TooLateError:
            said[one.name] = f"no answer within {WITHIN_SECONDS} s: {one.means}"
        except Exception as error:  # noqa: BLE001 - whatever fails here is what is asked for
            said[one.name] = f"it cannot be asked ({type(error).__name__}): {one.means}"
    is_unready = any(said[one.name] for one in checks if one.is_needed)
    status: Status = "unready" if is_unready else "degraded" if any(said.values()) else "ok"
    return Readiness(status=status, checks={name: words or "ok" for name, words in said.items()})


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
