"""The rules: whether they can be put in force and are, what makes no sense in them, who only previews."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifiers.waking import wakes
from routing.lint import lint
from routing.rules import RulesError
from storage import rules_edits, rules_versions
from storage.rules_file import RulesFile
from watch.doctor.finding import Finding, Says
from watch.doctor.patient import Patient

SAYS = Says(group="rules")
MOST = 5
"""So many of a kind are named."""


def look(patient: Patient) -> Iterator[Finding]:
    """Load, lint, credentials, and whether what is in force is what is in the file."""
    if patient.rules is None:
        yield from _unreadable(patient.rules_fault)
    else:
        found = patient.rules.rules
        yield SAYS.ok("load", f"{patient.settings.rules_file}: {len(found.rules)} rules, {len(found.receivers)} receivers")
        yield from _linted(patient, patient.rules)
        yield _previews(patient)
    if patient.engine is not None:
        try:
            yield from _in_force(patient.engine, patient.rules)
        except SQLAlchemyError:
            yield SAYS.unchecked("in force", "the database does not say", "mend the database first")


def _unreadable(fault: RulesError | None) -> Iterator[Finding]:
    problems = fault.problems if fault else ()
    for problem in problems[:MOST]:
        yield SAYS.fault("load", str(problem), "mend it; `flask rules check` looks again")
    if len(problems) > MOST:
        yield SAYS.fault("load", f"and {len(problems) - MOST} more", "`flask rules check` lists them all")


def _linted(patient: Patient, file: RulesFile) -> Iterator[Finding]:
    found = lint(file.texts, file.rules, wakes=wakes, now=patient.clock())
    if not found:
        yield SAYS.ok("lint", "nothing found")
    for one in found[:MOST]:
        yield SAYS.warning("lint", str(one), "mend it; `flask rules lint` looks again")
    if len(found) > MOST:
        yield SAYS.warning("lint", f"and {len(found) - MOST} more", "`flask rules lint` lists them all")


def _previews(patient: Patient) -> Finding:
    if not patient.missing:
        return SAYS.ok("credentials", "every receiver has what it needs")
    named = ", ".join(f"{name} ({missing})" for name, missing in list(patient.missing.items())[:MOST])
    more = f" and {len(patient.missing) - MOST} more" if len(patient.missing) > MOST else ""
    if patient.is_production:
        return SAYS.fault("credentials", f"not set, so that the rules are refused: {named}{more}", "set them, or take the receivers out")
    return SAYS.warning("credentials", f"not set, so that these only preview: {named}{more}", "set them")


def _in_force(engine: Engine, file: RulesFile | None) -> Iterator[Finding]:
    version = rules_versions.latest(engine)
    if refused := rules_edits.last_refused(engine):
        seen = f"the last edit of {refused.file} was refused, the rules before it are in force"
        yield SAYS.fault("in force", seen, "`flask rules check` says what is wrong with it")
    elif version is None:
        yield SAYS.fault("in force", "none are yet", "start a worker: it puts them in force")
    elif file is not None and file.rules.version != version:
        seen = f"{version} is in force, and the file is {file.rules.version}"
        way_out = "if the file is the newer one, see whether workers live and read this very file (RULES_FILE, a mount)"
        yield SAYS.warning("in force", seen, way_out)
    else:
        yield SAYS.ok("in force", version)
