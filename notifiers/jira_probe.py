"""Whether Jira would create an issue, asked without creating one: the account, the project, the type, the fields that it wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from notifiers.errors import PermanentError
from notifiers.jira_fields import ids_of
from notifiers.notifier import Called
from notifiers.wording import cut, one_line
from routing.alert import Json

if TYPE_CHECKING:
    from notifiers.jira_client import FieldNeeds, Site

_ALWAYS = frozenset({"project", "issuetype", "summary", "description", "labels"})
"""By id what every issue has from us."""
_MAX_NAMED = 5


def probe_account(site: Site) -> Called:
    """Ask who we are."""
    return Called(is_fine=True, said=f"signed in as {site.myself()}", proves="account")


def probe_project(site: Site, *, project: str, issue_type: str, options: Mapping[str, Json], fields: Mapping[str, Json]) -> Called:
    """Ask who we are, and what the project wants of an issue of this type.

    https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/#api-rest-api-2-issue-createmeta-projectidorkey-issuetypes-get

    Args:
        site: where it is.
        project: by its key.
        issue_type: by its name.
        options: by id the other fields that rules.yaml fills: `priority`, `components`.
        fields: the receiver's option `fields`, by id or name.
    """
    who = site.myself()
    types = _types(site, project)
    if types is None:
        way_out = f"see to the project's key, and let {who} create issues there; Jira before 8.4 cannot be asked"
        return Called(is_fine=False, said=f"{who} sees no project {project} in which it may create issues", way_out=way_out)
    if issue_type not in types:
        way_out = f"write one of these as the receiver's issue_type: {_listed(types)}"
        return Called(is_fine=False, said=f'{project} has no issue type "{issue_type}" for {who}', way_out=way_out)
    needs = site.fields_of(project, types[issue_type])
    faults = [*_missing(needs, {*_ALWAYS, *options}, fields), *_unfit(needs, options)]
    if faults:
        said = "; ".join(fault for fault, _ in faults[:_MAX_NAMED])
        return Called(
            is_fine=False, said=f"{project}, {issue_type}: {said}", way_out="; ".join(way_out for _, way_out in faults[:_MAX_NAMED])
        )
    hidden = sorted({"priority", "components"} & options.keys() - {one.fieldId for one in needs})
    warning = f"issues are created without {' and '.join(hidden)}, which the project's screen does not have" if hidden else ""
    way_out = "put it on the screen in Jira, or take it out of rules.yaml" if hidden else ""
    proves = "account, project, issue type, fields"
    return Called(is_fine=True, said=f"{who} may create {issue_type} in {project}", proves=proves, warning=warning, way_out=way_out)


def _types(site: Site, project: str) -> Mapping[str, str] | None:
    """By name the ids of the issue types; None if the project is not seen."""
    try:
        return site.issue_types(project) or None
    except PermanentError as error:
        if error.status_code in {400, 403, 404}:
            return None
        raise


def _missing(needs: Sequence[FieldNeeds], filled: set[str], fields: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Each field that Jira wants and nobody fills, and each that is filled and Jira does not have, with the way out."""
    try:
        ours = filled | set(ids_of(fields, needs).values()) if fields else filled
    except PermanentError as error:
        yield cut(one_line(str(error)), 200), "mend `fields` of the receiver"
        ours = filled
    for need in needs:
        if need.required and not need.hasDefaultValue and need.fieldId not in ours:
            name = cut(one_line(need.name), 60)
            yield f"the field {name} ({need.fieldId}) is required", f"add to the receiver `fields: {{{need.fieldId}: …}}`"


def _unfit(needs: Sequence[FieldNeeds], options: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Each priority or component that the project does not have."""
    for need in needs:
        names = need.allowed_names
        wanted = options.get(need.fieldId)
        for one in wanted if isinstance(wanted, list) else [wanted]:
            name = one.get("name") if isinstance(one, Mapping) else None
            if isinstance(name, str) and names and name not in names:
                yield f'it has no {need.fieldId} "{name}"', f"write one of {_listed(names)}"


def _listed(names: object) -> str:
    found = [cut(one_line(str(name)), 40) for name in names] if isinstance(names, Mapping | list | tuple) else []
    return ", ".join(found[:10]) + (", …" if len(found) > 10 else "")
