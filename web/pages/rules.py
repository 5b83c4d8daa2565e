"""The rules: what is in force and what it came to, what is wrong with it, what was before, and what others would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from flask import Blueprint, abort, render_template, request

from routing.document import Problem
from routing.example_alerts import shown
from routing.lint import Finding, lint
from routing.lint_findings import Subject
from routing.rules import RuleSet
from routing.rules_loading import read_source
from storage import inspection, rules_counts, rules_edits, rules_versions
from storage.rules_counts import Counts
from storage.rules_versions import Version
from storage.users import Role
from web.access import needs
from web.desk import Desk, desk
from web.differences import differences
from web.rules_in_force import rules_of, texts_of
from web.rules_on_disk import edited
from web.rules_trying import Tried, TryError, alert_of, tried

SPAN = timedelta(days=7)
VERSIONS = 30
NEWEST_EVENTS = 15
YEARS = 50
"""So far from now rules are tried: time comes to an end for Python, too."""
MOST_LINTED = 100
"""Rules: more take seconds to be looked through, and are when somebody asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rules in force, as the page shows them."""

    version: Version
    rules: RuleSet
    texts: Mapping[str, str]
    kept: Mapping[str, str]
    """The same as they were kept."""
    places: Mapping[str, Problem]
    """By rule where it stands."""

    def anchor(self, problem: Problem) -> str:
        """The name of its line on the page."""
        files = [*self.texts]
        return f"file-{files.index(problem.file) if problem.file in files else 0}-{problem.line}"


def add_rules(console: Blueprint) -> None:
    """What is in force, what was, and a place to try others."""

    @console.get("/rules")
    @needs(Role.VIEWER)
    def rules() -> str:
        versions = rules_versions.listed(desk().engine, limit=VERSIONS)
        found = _in_force(versions[0]) if versions else None
        at, is_linted = desk().clock(), found is not None and (len(found.rules.rules) <= MOST_LINTED or "lint" in request.args)
        disk = edited(found.kept if found else None)
        return render_template(
            "rules.html",
            in_force=found,
            version=versions[0] if versions else None,
            versions=versions,
            refused=rules_edits.last_refused(desk().engine),
            disk=disk,
            changed=differences(found.texts, disk.texts) if found and disk and disk.texts else {},
            counted=rules_counts.counted(desk().engine, at - SPAN),
            never=Counts(),
            findings=_findings(desk(), found.version.version, at.date()) if found and is_linted else None,
            file=str(desk().settings.rules_file),
            shown=shown,
        )

    @console.get("/rules/versions")
    @needs(Role.VIEWER)
    def rules_difference() -> str:
        versions = rules_versions.listed(desk().engine, limit=VERSIONS)
        before, after = request.args.get("from", ""), request.args.get("to", "")
        texts = [texts_of(version) for version in (before, after)]
        if texts[0] is None or texts[1] is None:
            abort(404, "one of these versions was not kept, or cannot be read any more")
        return render_template(
            "rules_versions.html", versions=versions, before=before, after=after, changed=differences(texts[0], texts[1])
        )

    _add_playground(console)


def _add_playground(console: Blueprint) -> None:
    @console.route("/rules/try", methods=["GET", "POST"])
    @needs(Role.VIEWER)
    def try_rules() -> str:
        texts = _texts_in_force()
        asked = request.form if request.method == "POST" else request.args
        file = asked.get("file", "")
        if file not in texts:
            file = ""
        text = request.form.get("text", texts[file]).replace("\r\n", "\n")
        found, error = _try({**texts, file: text}, texts) if request.method == "POST" else (None, "")
        return render_template(
            "rules_try.html",
            asked=asked,
            file=file,
            files=[*texts],
            text=text,
            is_changed=text != texts[file],
            changed=differences({file: texts[file]}, {file: text}) if found else {},
            tried=found,
            error=error,
            newest=inspection.newest(desk().engine, NEWEST_EVENTS),
        )


def _try(texts: Mapping[str, str], known: Mapping[str, str]) -> tuple[Tried | None, str]:
    """What it comes to, or why nothing was tried."""
    asked = request.form
    try:
        at = _moment(asked.get("at", ""))
        alert, what = alert_of(event=asked.get("event", ""), body=asked.get("body", ""), resource=asked.get("resource", ""), at=at)
        return tried(texts, known, alert, what, at), ""
    except TryError as error:
        return None, str(error)


def _moment(written: str) -> datetime:
    """The time that somebody wrote, in UTC; none is now."""
    if not written.strip():
        return desk().clock()
    try:
        found = datetime.fromisoformat(written.strip())
    except ValueError:
        found = None
    if found is None or found.tzinfo or abs(found.year - desk().clock().year) > YEARS:
        raise TryError(f"Write the time as 2026-03-04T23:30, in UTC, within {YEARS} years of now.")
    return found.replace(tzinfo=UTC)


def _texts_in_force() -> Mapping[str, str]:
    version = rules_versions.latest(desk().engine)
    return (texts_of(version) if version else None) or {"": "version: 1\nreceivers: {}\nrules: []\n"}


def _in_force(version: Version) -> InForce | None:
    rules, texts = rules_of(version.version), texts_of(version.version)
    kept = rules_versions.texts_of(desk().engine, version.version)
    if rules is None or texts is None or kept is None:
        return None
    return InForce(version=version, rules=rules, texts=texts, kept=kept, places=_places(desk(), version.version))


@lru_cache(maxsize=4)
def _places(at: Desk, version: str) -> Mapping[str, Problem]:
    """By rule where it stands: the same for ever, as the text of a version is."""
    rules = rules_of(version)
    if rules is None:
        return {}
    subject = _subject(at, version, rules, at.clock())
    return {name: subject.source.problem(path, "") for name, path in subject.paths.items()}


@lru_cache(maxsize=4)
def _findings(at: Desk, version: str, day: date) -> tuple[Finding, ...]:
    """What `flask rules lint` finds: a quarter of a second for twenty rules, so once a day for a version."""
    rules = rules_of(version)
    texts = rules_versions.texts_of(at.engine, version)
    if rules is None or texts is None:
        return ()
    return lint(texts, rules, wakes=at.wakes, now=datetime(day.year, day.month, day.day, tzinfo=UTC))


def _subject(at: Desk, version: str, rules: RuleSet, now: datetime) -> Subject:
    texts = rules_versions.texts_of(at.engine, version) or {"": ""}
    source = read_source(texts[""], {file: text for file, text in texts.items() if file})
    return Subject(rules=rules, source=source, wakes=at.wakes, now=now)
