"""An alert without the personal data in it, for those who may not see that: what is there shows as a mask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from routing.sentry_details import Breadcrumb, Details, Pair, Pairs, Request, SourceFrame, Stack
from web.personal import MASK, is_personal, is_personal_tag, may_see_personal

_TECHNICAL = frozenset({"trace", "runtime", "os", "client_os", "browser", "app", "device", "gpu", "monitor", "flags", "response"})
"""Contexts that say nothing of anybody."""
_PERSONAL_CONDITION = re.compile(r"\b(user|geo|message|text|title|error\.value|url|http|request|contexts|payload)\b")
_ASKED = re.compile(r'([\w.-]+)"?(?:,\w+)?\]? (?:is|has)\b')
"""The name of a tag or field in a reason: `tags[customer_email] is "…"`."""


def visible(details: Details) -> Details:
    """What of it whoever asks may see."""
    return details if may_see_personal() else without_personal(details)


def without_personal(details: Details) -> Details:
    """With masks in the place of values; names, and how many there are, stay."""
    return replace(
        details,
        stacks=tuple(map(_stack, details.stacks)),
        breadcrumbs=tuple(map(_breadcrumb, details.breadcrumbs)),
        request=_request(details.request) if details.request else None,
        user=_pairs(details.user),
        tags=tuple(Pair(name, MASK if is_personal_tag(name) else value) for name, value in details.tags),
        contexts=tuple((name, value if name in _TECHNICAL else _pairs(value)) for name, value in details.contexts),
        extra=_pairs(details.extra),
    )


def visible_reason(why: str) -> str:
    """Why a rule was met or not, without the value if that is of somebody."""
    if may_see_personal():
        return why
    return MASK if _PERSONAL_CONDITION.search(why) or any(map(is_personal, _ASKED.findall(why))) else why


def _stack(stack: Stack) -> Stack:
    return replace(stack, value=stack.value and MASK, frames=tuple(map(_frame, stack.frames)))


def _frame(frame: SourceFrame) -> SourceFrame:
    return replace(frame, variables=_pairs(frame.variables))


def _breadcrumb(crumb: Breadcrumb) -> Breadcrumb:
    return replace(crumb, message=crumb.message and MASK, more=_pairs(crumb.more))


def _request(request: Request) -> Request:
    return Request(
        method=request.method,
        url=request.url and MASK,
        query=_pairs(request.query),
        headers=_pairs(request.headers),
        cookies=_pairs(request.cookies),
        body=_pairs(request.body),
        environment=_pairs(request.environment),
    )


def _pairs(pairs: Sequence[Pair]) -> Pairs:
    return tuple(Pair(name, MASK) for name, _ in pairs)
