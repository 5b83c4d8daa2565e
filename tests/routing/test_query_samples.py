"""Sentry's own samples of its search syntax are accepted, rejected and taken apart as Sentry does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.alert import Json
from routing.query import QueryError, parse
from tests.routing.search_syntax import FOLDER, Sample, read_samples, say_tokens, say_tree
from tests.routing.search_syntax_table import Outcome, draw_table, judge

_SAMPLES = [sample for sample in read_samples() if not sample.is_configured]
_NO_SAMPLES = pytest.param(None, marks=pytest.mark.skip(reason=f"Sentry's samples are not at {FOLDER}; set SHARED_DIR"))
_ACCEPTED = [pytest.param(case, id=f"{case.file}: {case.query}") for case in _SAMPLES if not case.is_rejected]
_REJECTED = [pytest.param(case, id=f"{case.file}: {case.query}") for case in _SAMPLES if case.is_rejected]


@pytest.mark.parametrize("sample", _ACCEPTED or [_NO_SAMPLES])
def test_what_sentry_accepts_is_taken_apart_as_sentry_does(sample: Sample) -> None:
    query = parse(sample.query)

    assert say_tree(query.tree) == say_tokens(sample.tokens)


@pytest.mark.parametrize("sample", _ACCEPTED or [_NO_SAMPLES])
def test_the_normal_form_of_what_sentry_accepts_means_the_same(sample: Sample) -> None:
    query = parse(sample.query)

    assert parse(str(query)) == query


@pytest.mark.parametrize("sample", _REJECTED or [_NO_SAMPLES])
def test_what_sentry_rejects_is_rejected(sample: Sample) -> None:
    with pytest.raises(QueryError) as raised:
        parse(sample.query)

    assert 0 <= raised.value.position < len(sample.query)


@pytest.mark.skipif(not _SAMPLES, reason=f"Sentry's samples are not at {FOLDER}; set SHARED_DIR")
def test_the_table_of_accepted_and_rejected_queries_is_that_of_sentry() -> None:
    outcomes = {judge(sample)[0] for sample in _SAMPLES}

    assert Outcome.DIFFERENT not in outcomes, draw_table(_SAMPLES)


def _text_token(key: Json, value: Json, **more: Json) -> Json:
    return {"type": "filter", "filter": "text", "negated": False, "key": key, "operator": "", "value": value, **more}


_KEY: Json = {"type": "keySimple", "value": "a", "quoted": False}
_B: Json = _text_token(_KEY, {"type": "valueText", "value": "b", "quoted": False})
_SPACES: Json = {"type": "spaces", "value": " "}


@pytest.mark.parametrize(
    ("query", "tokens"),
    [
        pytest.param("a:b or (a:b text)", [_B, {"type": "logicBoolean", "value": "or"}, {"type": "logicGroup", "inner": [
            _B, _SPACES, {"type": "freeText", "value": "text ", "quoted": False}]}], id="words and a group"),
        pytest.param("(a:b OR a:b) a:b", [{"type": "L_PAREN"}, _B, {"type": "logicBoolean", "value": "OR"}, _B, {"type": "R_PAREN"}, _B],
            id="parentheses that are left in the list"),
        pytest.param("()", [{"type": "logicGroup", "inner": [_SPACES]}], id="an empty group"),
        pytest.param("tags[a,number]:1k", [_text_token({"type": "keyExplicitNumberTag", "prefix": "tags", "key": _KEY},
            {"type": "valueNumber", "value": "1", "unit": "k", "parsed": {"value": 1000}})], id="a tag with a type"),
        pytest.param("flags[a]:b", [_text_token({"type": "keyExplicitFlag", "prefix": "flags", "key": _KEY},
            {"type": "valueText", "value": "b"})], id="a flag"),
        pytest.param("http.response_content_length:1.5kib", [_text_token({"type": "keySimple", "value": "http.response_content_length"},
            {"type": "valueSize", "value": "1.5", "unit": "kib", "parsed": {"value": 1536}})], id="a size"),
        pytest.param("failure_rate():>7%", [_text_token({"type": "keyAggregate", "name": {"value": "failure_rate"}, "args": None},
            {"type": "valuePercentage", "value": "7", "parsed": {"value": 0.07}}, operator=">")], id="a percentage without arguments"),
        pytest.param("p95():2m", [_text_token({"type": "keyAggregate", "name": {"value": "p95"}, "args": {"args": []}},
            {"type": "valueDuration", "value": "2", "unit": "m"})], id="a value that nobody parsed"),
        pytest.param("timestamp:2018-01-01T01:02:03.123456+02:00", [_text_token({"type": "keySimple", "value": "timestamp"},
            {"type": "valueIso8601Date", "value": "", "parsed": {"value": "2017-12-31T23:02:03.123Z"}})], id="a date to the millisecond"),
    ],
)  # fmt: skip
def test_each_kind_of_token_that_sentry_has_can_be_compared(query: str, tokens: list[Json]) -> None:
    said = say_tree(parse(query).tree)

    assert said == say_tokens(tokens)


def test_a_sample_of_an_unseen_shape_is_shown_as_a_difference(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(
        '[{"query": "a", "result": [{"type": "novelty"}]}, {"query": "a:", "raisesError": true}, {"query": "b"}, 7,'
        ' {"query": "a*", "additionalConfig": {"disallowWildcard": true}, "result": [{"type": "filter", "invalid": {"type": "no"}}]}]',
        encoding="utf-8",
    )

    samples = read_samples(tmp_path)

    assert [judge(sample)[0] for sample in samples] == ["different", "rejected", "different", "accepted", "configured"]
    assert 'an unseen token novelty: {"type": "novelty"}' in draw_table(samples)
