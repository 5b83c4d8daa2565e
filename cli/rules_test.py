"""`flask rules test`: the tests of the rules, and what of the rules they have met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from cli.rules_in import rules_in
from settings import Settings

if TYPE_CHECKING:
    from routing.document import Document
    from routing.rule_tests import RuleTest
    from routing.rule_tests_running import Result
    from routing.rules import RuleSet

_FILE = click.Path(dir_okay=False, path_type=Path)


def add_test_command(group: AppGroup, settings: Settings) -> None:
    """Add `test` to a group."""

    @group.command("test")
    @click.argument("path", metavar="[FILE]", type=_FILE, default=_beside(settings.rules_file))
    @click.option("--rules", type=_FILE, help="The rules to test; else those that FILE names, else those of RULES_FILE.")
    @click.option("--junit", "report", type=_FILE, metavar="PATH", help="Write the results there, as build servers read them.")
    @click.option("-k", "part", default="", metavar="PART", help="Only tests with this in their name.")
    def test(path: Path, rules: Path | None, report: Path | None, part: str) -> None:
        """Run the tests of the rules, and say which rules they have not met.

        FILE is the file rules.test.yaml beside RULES_FILE if left out. The status is 1 if a test fails or the file is faulty.
        """
        tests, rule_set = _read(path, rules, settings)
        chosen = [one for one in tests if part.casefold() in one.name.casefold()]
        if not chosen:
            raise click.ClickException(f'{path}: no test has "{part}" in its name')
        results = _results(chosen, rule_set)
        for line in _lines(path, results, rule_set):
            click.echo(line)
        if report:
            _write(report, path, results)
        if not all(result.is_passed for result in results):
            raise click.exceptions.Exit(1)


def _beside(rules: Path) -> Path:
    return rules.with_name(f"{rules.stem}.test{rules.suffix}")


def _read(path: Path, rules: Path | None, settings: Settings) -> tuple[Sequence[RuleTest], RuleSet]:
    # Not at the top: the web process loads the commands, and would pay for all that reads rules.
    from routing.rule_tests_reading import RuleTestsError, load_tests  # noqa: PLC0415

    try:
        source, rules_path = _document(path, rules, settings)
        rule_set = rules_in(rules_path, settings)
        return load_tests(source, rule_set, lambda name: (path.parent / name).read_bytes()), rule_set
    except RuleTestsError as error:
        raise click.ClickException("\n".join(f"{path}:{problem}" for problem in error.problems)) from None


def _document(path: Path, rules: Path | None, settings: Settings) -> tuple[Document, Path]:
    """The file as it is written, and where the rules are that it tests."""
    from routing.rule_tests_reading import read, rules_file  # noqa: PLC0415 - as above

    try:
        source = read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}; docs/rules-tests.md says how to write tests") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{path}: this is no UTF-8; save the file as UTF-8") from None
    named = rules_file(source)
    return source, rules or (path.parent / named if named else settings.rules_file)


def _results(tests: Sequence[RuleTest], rules: RuleSet) -> list[Result]:
    from routing.rule_tests_running import run  # noqa: PLC0415 - as above

    return [run(test, rules) for test in tests]


def _lines(path: Path, results: Sequence[Result], rules: RuleSet) -> Iterator[str]:
    from cli.junit import lines  # noqa: PLC0415 - as above
    from routing.rule_tests_coverage import coverage  # noqa: PLC0415 - as above

    for result in results:
        yield f"{'ok    ' if result.is_passed else 'FAILED'} {result.test.name}" + (
            "" if result.is_passed else f" ({path}:{result.test.line})"
        )
        for failure in result.failures:
            yield from (f"    {line}" for line in lines(failure))
    failed = sum(not result.is_passed for result in results)
    yield ""
    yield f"{len(results)} tests, {failed} failed" if failed else f"{len(results)} tests, all passed"
    yield from (f"{line}" for line in coverage(rules, results))


def _write(report: Path, path: Path, results: Sequence[Result]) -> None:
    from cli.junit import junit  # noqa: PLC0415 - as above

    try:
        report.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{junit(str(path), results)}\n', encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{report}: {error.strerror}") from None
