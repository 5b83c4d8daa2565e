"""The states in which an issue can be while it fires, as far as the words of `is:` ask for them. Knows no queries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import NamedTuple

from routing.alert import Alert, Category, Json, Level, Status
from routing.query_states import WORDS

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class World(NamedTuple):
    """What the words of `is:` depend on."""

    alert: Alert
    is_new: bool | None
    was: Status | None


@cache
def worlds() -> tuple[World, ...]:
    """All that the words of `is:` can depend on while an issue fires."""
    payloads: list[Mapping[str, Json]] = [{}, {"annotations": ()}, {"annotations": ("x",)}]
    payloads += [{"assignedTo": who, "annotations": links} for who in (None, "x") for links in ((), ("x",))]
    known = ((None, None), (True, None), (False, None), (False, Status.FIRING), (False, Status.RESOLVED), (False, Status.ARCHIVED))
    later = product((None, "new", *sorted(WORDS - {"new"})), (False,), known)
    created = product((None, "new"), (True,), known[:2])
    return tuple(
        World(_firing(substatus, payload, is_created=is_created), is_new, was)
        for (substatus, is_created, (is_new, was)), payload in product((*created, *later), payloads)
    )


def _firing(substatus: str | None, payload: Mapping[str, Json], *, is_created: bool) -> Alert:
    return Alert(
        resource="issue",
        action="created" if is_created else "unresolved",
        status=Status.FIRING,
        category=Category.ERROR,
        level=Level.ERROR,
        title="Error",
        received_at=_EPOCH,
        occurred_at=_EPOCH,
        substatus=substatus,
        payload=payload,
    )
