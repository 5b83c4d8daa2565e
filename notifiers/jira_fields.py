"""The further fields that a project wants of an issue: how rules.yaml writes them, which ids they have, what to do if Jira refuses some.

Knows neither the layout of an issue nor the way to Jira.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from pydantic import BaseModel, JsonValue, RootModel, ValidationError

from notifiers.errors import PermanentError
from notifiers.wording import cut, one_line
from routing.alert import Json

MAX_FIELDS = 50
MAX_JSON = 16_000

_OPTION_OF: Mapping[str, str | None] = {
    "project": "project",
    "issuetype": "issue_type",
    "priority": "priority",
    "labels": "labels",
    "components": "components",
    "summary": None,
    "description": None,
}
"""By id the fields that every issue has from us, with the option of rules.yaml that decides them."""

# What else can be set when an issue is created: developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues
_SYSTEM_IDS = frozenset(
    {"assignee", "duedate", "environment", "fixVersions", "issuelinks", "parent", "reporter", "security", "timetracking", "versions"}
)
_CUSTOM_ID = re.compile(r"customfield_[0-9]+")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
_MAX_REASON = 150


class Named(Protocol):
    """Whatever has an id and a name."""

    @property
    def id(self) -> str:
        """As Jira's answers have it."""

    @property
    def name(self) -> str:
        """As people see it."""


class KnownField(BaseModel):
    """A field of Jira's."""

    id: str
    name: str


class KnownFields(RootModel[tuple[KnownField, ...]]):
    """All that Jira has, in all projects."""


class Refusal(BaseModel):
    """Why Jira creates no issue."""

    errorMessages: tuple[str, ...] = ()  # noqa: N815 - the name is Jira's
    errors: dict[str, str]
    """By the field's id."""


def checked(fields: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The option `fields` as it goes to Jira.

    rules.yaml holds words only. A number that stands alone is one, and a text where it is in quotes within quotes; in lists and
    objects words stay words, because Jira's ids are texts.

    Raises:
        ValueError: with what to write instead.
    """
    for key, value in fields.items():
        if (ours := re.sub(r"[^a-z]", "", key.lower())) in _OPTION_OF:
            option = _OPTION_OF[ours]
            raise ValueError(f'"{key}" is written by the router; ' + (f"use the option {option}" if option else "take it out"))
        if not key.strip() or value in (None, ""):
            raise ValueError(f'"{key}" is empty; write a value, or take it out')
    if len({key.casefold() for key in fields}) < len(fields):
        raise ValueError("a field is written twice")
    if len(fields) > MAX_FIELDS or len(json.dumps(fields)) > MAX_JSON:
        raise ValueError(f"at most {MAX_FIELDS} fields of {MAX_JSON:,} characters together; this is more")
    return {key: _meant(value) if isinstance(value, str) else value for key, value in fields.items()}


def need_no_names(fields: Iterable[str]) -> bool:
    """Whether all are written as ids, so that Jira need not be asked what it calls them."""
    return all(key in _SYSTEM_IDS or _CUSTOM_ID.fullmatch(key) for key in fields)


def ids_of(fields: Iterable[str], known: Iterable[Named]) -> Mapping[str, str]:
    """For each field as it is written its id.

    Raises:
        PermanentError: Jira has no such field, or several; or it is one that the router writes.
    """
    found: dict[str, str] = {}
    known = tuple(known)
    for key in fields:
        ids = [field.id for field in known if field.id == key] or [field.id for field in known if field.name.casefold() == key.casefold()]
        if not ids:
            raise PermanentError(f'Jira has no field "{key}"; write its id or its name as Jira shows it under `fields` in rules.yaml')
        if len(ids) > 1:
            raise PermanentError(f'Jira has several fields "{key}"; write under `fields` in rules.yaml one of {", ".join(sorted(ids)[:5])}')
        if ids[0] in _OPTION_OF or ids[0] in found.values():
            raise PermanentError(f'"{key}" is the field {ids[0]}, which is written already; take it out of `fields` in rules.yaml')
        found[key] = ids[0]
    return found


def refusal_of(error: PermanentError) -> Refusal | None:
    """What Jira has against the fields of an issue, None if it was refused otherwise."""
    try:
        refusal = Refusal.model_validate_json(error.answer)
    except ValidationError:
        return None
    return refusal if error.status_code == 400 and refusal.errors else None


def explained(error: PermanentError, *, sent: Mapping[str, Json], written: Mapping[str, str]) -> PermanentError:
    """The same in words for whoever edits rules.yaml; itself where it is not about fields.

    Args:
        error: Jira's refusal of an issue.
        sent: the fields of the issue.
        written: of those that come from the option `fields`, by id, how they are written there.
    """
    refusal = refusal_of(error)
    if not refusal:
        return error
    reasons = [cut(one_line(text), _MAX_REASON) for text in refusal.errorMessages[:3]]
    reasons += _ways_out(refusal.errors, sent, written)
    return PermanentError(f"HTTP 400 Bad Request: {'; '.join(reasons)}", status_code=error.status_code, answer=error.answer)


def _ways_out(errors: Mapping[str, str], sent: Mapping[str, Json], written: Mapping[str, str]) -> Iterator[str]:
    for id_, text in list(errors.items())[:5]:
        said = f"{cut(one_line(id_), 60)}: {cut(one_line(text), _MAX_REASON)}"
        if id_ in written:
            yield f"{said} (in rules.yaml, mend `{written[id_]}` under the receiver's `fields` or take it out)"
        elif option := _OPTION_OF.get(id_):
            yield f"{said} (in rules.yaml, {'mend' if id_ in sent else 'add'} the receiver's option `{option}`)"
        elif id_ in sent:
            yield said
        else:
            yield f"{said} (in rules.yaml, add to the receiver `fields: {{{cut(one_line(id_), 60)}: …}}`)"


def _meant(word: str) -> JsonValue:
    if _NUMBER.fullmatch(word):
        return float(word) if "." in word else int(word)
    if len(word) > 1 and word[0] == word[-1] == '"' and _NUMBER.fullmatch(word[1:-1]):
        return word[1:-1]
    return word
