"""Results of rule tests in the XML that build servers read: https://github.com/testmoapp/junitxml describes what they take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

if TYPE_CHECKING:
    from routing.rule_tests_running import Failure, Result

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (https://www.w3.org/TR/xml/#charsets)."""


def junit(file: str, results: Sequence[Result]) -> str:
    """A suite for the file, a case for each of its tests."""
    failures = sum(not result.is_passed for result in results)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0", "skipped": "0"}
    suites = Element("testsuites", counts)
    suite = SubElement(suites, "testsuite", {"name": _fit(file), **counts})
    for result in results:
        named = {"name": _fit(result.test.name), "classname": _fit(file), "file": _fit(file), "line": str(result.test.line)}
        case = SubElement(suite, "testcase", named)
        if result.failures:
            message = f"{len(result.failures)} of {len(result.test.steps)} steps did not come out as expected"
            failure = SubElement(case, "failure", {"message": message, "type": "RuleTestFailure"})
            failure.text = _fit("\n".join(line for one in result.failures for line in lines(one)))
    indent(suites)
    return tostring(suites, encoding="unicode")


def lines(failure: Failure) -> tuple[str, ...]:
    """A failure for people."""
    return (f"step {failure.number} at {failure.at:%Y-%m-%d %H:%M:%S} UTC (line {failure.line})", *(f"  {line}" for line in failure.lines))


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)
