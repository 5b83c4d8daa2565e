"""YAML as people write it: what it says, where it says it, and what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from routing.document import MAX_CHARACTERS, MAX_DEPTH, Content, DocumentError, Path, read

RULES = """\
# the rules
rules:
  - name: one
    when: "level:error"
  - name: two
    when:
      - a
"""


def problems(text: str) -> list[str]:
    """All that is wrong with a text, whether it can be read or not."""
    try:
        return [str(problem) for problem in read(text).problems]
    except DocumentError as error:
        return [str(problem) for problem in error.problems]


WORDS: Mapping[str, tuple[str, Content]] = {
    "a country is no boolean": ("project: NO", {"project": "NO"}),
    "a switch is a word": ("name: on", {"name": "on"}),
    "a number keeps its zeros": ("key: 007", {"key": "007"}),
    "a telephone number keeps its sign": ("to: +15551234567", {"to": "+15551234567"}),
    "a time is no number to the base of 60": ("cooldown: 1:30", {"cooldown": "1:30"}),
    "a date is a word": ("release: 2026-13-45", {"release": "2026-13-45"}),
    "a long number is a word": ("key: " + "9" * 5000, {"key": "9" * 5000}),
    "a key is a word": ("404: yes", {"404": "yes"}),
    "nothing is nothing": ("a:\nb: ~\nc: null\nd: ''", {"a": None, "b": None, "c": None, "d": ""}),
    "quotes are taken off": ("""a: "#x"\nb: '!y'""", {"a": "#x", "b": "!y"}),
    "a folded text is one line": ("when: >\n  a\n  b\n", {"when": "a b\n"}),
    "a variable needs no quotes": ("a: {key: ${KEY}}", {"a": {"key": "${KEY}"}}),
    "a variable may be part of a value": ("a: [x/${A}/${B}, '${C}']", {"a": ["x/${A}/${B}", "${C}"]}),
    "a variable may stand in a comment": ("a: b # ${KEY}", {"a": "b"}),
    "a comment may follow a value": ("a: b #comment", {"a": "b"}),
    "a comment may follow a key": ("a: # of many things\n  b: c", {"a": {"b": "c"}}),
    "a byte order mark is no text": ("\ufeffa: b", {"a": "b"}),
    "any language is text": ("a: оплата 💳", {"a": "оплата 💳"}),
    "an empty file is nothing": ("", None),
    "comments alone are nothing": ("# a\n\n# b\n", None),
}


@pytest.mark.parametrize(("text", "content"), WORDS.values(), ids=WORDS)
def test_a_value_is_the_word_that_was_written(text: str, content: Content) -> None:
    document = read(text)

    assert document.content == content
    assert document.problems == ()


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (2, 1)),
        (("rules", 0), (3, 5)),
        (("rules", 0, "when"), (4, 11)),
        (("rules", 1, "when"), (6, 5)),
        (("rules", 1, "when", 0), (7, 9)),
        (("rules", 1, "when", 7, "x"), (6, 5)),
        (("rules", 9), (2, 1)),
        (("elsewhere",), (2, 1)),
    ],
)
def test_a_value_knows_its_line_or_that_of_what_is_around_it(path: Path, position: tuple[int, int]) -> None:
    document = read(RULES)

    assert document.position(path) == position


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("rules", 0, "when"), "4:11: rules.one.when: wrong"),
        (("rules", 1, "when", 0), "7:9: rules.two.when.0: wrong"),
        (("rules", 5, "name"), "2:1: rules.5.name: wrong"),
        ((), "2:1: wrong"),
    ],
)
def test_a_problem_calls_the_items_of_a_list_by_their_names(path: Path, said: str) -> None:
    problem = read(RULES).problem(path, "wrong")

    assert str(problem) == said


def test_a_problem_of_a_key_stands_at_the_key() -> None:
    problem = read("receivers:\n  team:   {kind: slack}\n").problem_of_key(("receivers", "team"), "wrong")

    assert (problem.line, problem.column) == (2, 3)


def test_a_name_with_control_characters_is_shown_without_them() -> None:
    document = read('rules: [{name: "a\\e[31m\\nb", when: x}]')

    assert document.problem(("rules", 0, "when"), "wrong").place == "rules.a [31m b.when"


READABLE: Mapping[str, tuple[str, str]] = {
    "a key twice": ("a: 1\nb: 2\na: 3", "3:1: a: written twice; keep one of them"),
    "a key twice, deep down": ("a: {b: {c: 1, c: 2}}", "1:15: a.b.c: written twice; keep one of them"),
    "a condition that YAML takes for a tag": (
        "when: !has:release level:error",
        "1:1: when: a value that begins with ! is a tag to YAML; put the value in quotes: '!has:release level:error'",
    ),
    "a tag that would build something": (
        "a: !!python/object:os.system x",
        "1:1: a: a value that begins with ! is a tag to YAML; put the value in quotes: '!!python/object:os.system x'",
    ),
    "a channel that YAML takes for a comment": (
        "channel: #errors",
        '1:1: channel: empty, for `#` begins a comment; put the value in quotes: "#errors"',
    ),
    "a channel of a list that YAML takes for a comment": (
        "channels:\n  - #errors\n  - x",
        '2:4: channels.0: empty, for `#` begins a comment; put the value in quotes: "#errors"',
    ),
    "an anchor": (
        "a: &high level:error",
        "1:1: a: anchors and aliases (& and *) are not taken; write the value out, or in quotes if it is text: '&high level:error'",
    ),
    "a merge": (
        "a: {<<: *other}",
        "1:5: a.<<: anchors and aliases (& and *) are not taken; write the value out, or in quotes if it is text: '*other'",
    ),
    "half a surrogate pair": ('a: "\\uD800"', "1:1: a: holds a character that cannot be stored; take its escape out"),
    "a null character": ('a: "\\0"', "1:1: a: holds a character that cannot be stored; take its escape out"),
}


@pytest.mark.parametrize(("text", "said"), READABLE.values(), ids=READABLE)
def test_what_yaml_would_swallow_is_said(text: str, said: str) -> None:
    assert problems(text) == [said]


UNREADABLE: Mapping[str, tuple[str, str]] = {
    "a tab before a key": ("a:\n\tb: c", "2:1: a tab; indent with blanks"),
    "a tab behind a key": ("a:\tb", "1:3: a tab; indent with blanks"),
    "a percent sign": ("a: %x", "1:4: no value begins with this character; put the value in quotes"),
    "an at sign": ("a: @team", "1:4: no value begins with this character; put the value in quotes"),
    "a backtick": ("a: `x`", "1:4: no value begins with this character; put the value in quotes"),
    "a bracket too many": ("a: }", "1:4: no value begins with this character; put the value in quotes"),
    "a wildcard at the start": ("a: *payment*", "1:12: a value that begins with * or & is an alias to YAML; put the value in quotes"),
    "a negated tag": ("a: !x!y z", "1:4: a value that begins with ! is a tag to YAML; put the value in quotes"),
    "an escaped star in double quotes": (
        r'a: "\*x"',
        "1:6: a backslash within double quotes has a meaning of its own; use single quotes",
    ),
    "a text beside its bar": ("a: | x", "1:6: `|` and `>` begin a text on the next line; put the value in quotes"),
    "a list beside its key": ("a: - b", "1:4: a list begins on a line of its own below its key, or is written in brackets: [a, b]"),
    "a list below a text": ("a: b\n- c", "2:1: a list begins on a line of its own below its key, or is written in brackets: [a, b]"),
    "text behind a closed quote": (
        'a: "x" y',
        "1:8: this stands behind a value that has ended; put the whole value in one pair of quotes",
    ),
    "a line that is indented too little": ("a:\n  - b: c\n   d: e", "3:4: this line is not aligned with those it belongs to"),
    "a line that is indented too far": (
        "a:\n  - b: c\n     d: e",
        "3:7: this line is not aligned with the one above, or a blank is missing behind that one's colon",
    ),
    "no blank behind a colon": (
        "a:1\nb: 2",
        "2:2: this line is not aligned with the one above, or a blank is missing behind that one's colon",
    ),
    "two colons": ("when: message: x", "1:14: a second colon with a blank; put the value in quotes"),
    "no colon": ("a: 1\nb\nc: 2", "2:1: this is no `key: value`; after the key belong a colon and a blank"),
    "an open quote": ('a: 1\nb: "c\nd: e', "2:4: this quote is opened and never closed"),
    "an open bracket": ("a: [b\nc: d", "1:4: `[` is opened here and never closed"),
    "an open brace": ("a: {b: c\n", "1:4: `{` is opened here and never closed"),
    "no comma": ("a: {b: c d: e}", "1:11: a comma is missing before this, or put the value in quotes"),
    "a comment within braces": (
        "a: {kind: slack, channel: #errors}\nb: {c: d}",
        '1:27: `#` begins a comment, and the rest of the line is lost; put the value in quotes: "#errors"',
    ),
    "a comment within braces, at the end": (
        "a: {kind: slack, channel: #errors}",
        '1:27: `#` begins a comment, and the rest of the line is lost; put the value in quotes: "#errors"',
    ),
    "a comment within brackets": (
        "a: [#one, #two]\nb: c",
        '1:5: `#` begins a comment, and the rest of the line is lost; put the value in quotes: "#one"',
    ),
    "a list for a key": ("? [a, b]\n: c", "1:3: a key must be one word"),
    "a second document": ("a: b\n---\nc: d", "3:1: a second document begins here; a file holds one"),
    "a control character": ("a: \x07b", "1:4: the character U+0007 cannot be in YAML; remove it"),
    "half a pair of surrogates": ("a: b\nc: \ud800", "2:4: the character U+D800 cannot be in YAML; remove it"),
    "an escape of no character": ('a: "\\UFFFFFFFF"', "1:1: not readable as YAML: an escape or a number in it is out of range"),
    "too deep": ("[" * 5000, f"1:{MAX_DEPTH + 2}: nested more than {MAX_DEPTH} deep"),
    "too long": ("a: b\n" * 60_000, "1:1: longer than 262,144 characters; is this the right file?"),
}


@pytest.mark.parametrize(("text", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_breaks_yamls_rules_is_said_in_words_of_the_trade(text: str, said: str) -> None:
    assert problems(text) == [said]


def test_what_was_wrong_before_the_break_is_said_too() -> None:
    said = problems("a: 1\na: 2\nb: [c\n")

    assert said == ["2:1: a: written twice; keep one of them", "3:4: `[` is opened here and never closed"]


def test_aliases_that_would_grow_without_bounds_cost_nothing() -> None:
    laughs = "".join(f"b{number}: &b{number} [{', '.join([f'*b{number - 1}'] * 9)}]\n" for number in range(1, 12))

    began = time.monotonic()
    said = problems("b0: &b0 [x]\n" + laughs)

    assert len(said) == 1 + 11 + 9 * 11
    assert time.monotonic() - began < 5


def test_the_longest_text_is_read() -> None:
    text = "a: " + "x" * (MAX_CHARACTERS - 3)

    assert read(text).content == {"a": "x" * (MAX_CHARACTERS - 3)}


YAML_LIKE = st.text(st.sampled_from(list("ab01:-?[]{},#&*!|>'\"%@` \n\t\\$x~=<")), max_size=60)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
CONTENT = st.recursive(TEXT, lambda part: st.lists(part, min_size=1) | st.dictionaries(TEXT, part, min_size=1), max_leaves=8)


@given(YAML_LIKE | st.text())
def test_a_text_is_read_or_refused_with_a_line_of_its_own(text: str) -> None:
    lines = text.count("\n") + text.count("\r") + sum(map(text.count, "\x85\u2028\u2029")) + 1

    try:
        found = read(text).problems
    except DocumentError as error:
        found = error.problems
        assert found

    assert all(1 <= problem.line <= lines for problem in found)


@given(CONTENT)
def test_what_is_written_as_yaml_comes_back(content: Content) -> None:
    text = yaml.safe_dump(content)

    assert read(text).content == content
