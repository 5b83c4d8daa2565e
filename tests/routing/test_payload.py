"""Reading JSON that may hold anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.alert import Json
from routing.payload import UnreadableJsonError, decode, flag, label, mapping, moment, number, sequence, text, whole


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'"plain"', "plain", id="plain"),
        pytest.param(b'"\\ud83d\\udc40"', "👀", id="a surrogate pair, as Sentry writes emoji"),
        pytest.param(b'"a\\ud83d"', "a\ufffd", id="half a surrogate pair"),
        pytest.param(b'"\\udc40\\ud83d"', "\ufffd\ufffd", id="a pair the wrong way round"),
        pytest.param(b'{"a\\u0000b": "c\\u0000"}', {"a\ufffdb": "c\ufffd"}, id="escaped NUL characters"),
        pytest.param(b'["a\x00b"]', ["a\ufffdb"], id="raw NUL characters"),
        pytest.param(b'"a\nb\tc"', "a\nb\tc", id="raw control characters"),
        pytest.param(b'"\\\\u0000"', "\\u0000", id="a backslash that escapes nothing"),
        pytest.param(b'"\xff\xc3\xa9"', "\ufffdé", id="broken UTF-8"),
        pytest.param(b"\xef\xbb\xbf[1]", [1], id="a byte-order mark"),
        pytest.param(b"[NaN, Infinity, -Infinity, 1e999]", [None, None, None, None], id="numbers that are none"),
        pytest.param(b"[1" + b"0" * 5000 + b"]", [None], id="a whole number beyond all"),
        pytest.param(b"[18446744073709551617]", [18446744073709551617], id="a whole number of more than 64 bits"),
        pytest.param(b'{"a": 1, "a": 2}', {"a": 2}, id="a key given twice"),
    ],
)
def test_what_senders_emit_is_mended(body: bytes, value: Json) -> None:
    assert decode(body) == value


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"{'a': 1}", b"\x00", b"[1,]"], ids=repr)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableJsonError, match=r"^not JSON$"):
        decode(body)


@pytest.mark.parametrize(
    "body", [b"[" + b"0," * 2**20 + b"0]", b'{"a": [' + b"[]," * 2**20 + b"[]]}", b"[" * 2**21], ids=lambda body: repr(body[:12])
)
def test_more_values_than_an_event_of_sentry_can_hold_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableJsonError, match=r"^too many values$"):
        decode(body)


def test_a_long_text_may_hold_any_number_of_commas_up_to_the_size_of_sentrys_events() -> None:
    written = "," * (2**20 - 2)

    assert decode(json.dumps([written, 1]).encode()) == [written, 1]


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_what_is_json_comes_out_as_it_is(value: Json) -> None:
    body = json.dumps(value).replace("\\u0000", "\ufffd").encode()

    assert decode(body) == json.loads(body)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("a", "a"), (" a\n", " a\n"), (12, "12"), ("", None), (" \t", None), (None, None), (True, None), (1.5, None), ([], None)],
    ids=str,
)
def test_a_text_says_something(value: Json, wanted: str | None) -> None:
    assert text(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("", ""), ("a", "a"), (True, "true"), (False, "false"), (3, "3"), (1.5, "1.5"), (None, None), ([], None), ({}, None)],
    ids=str,
)
def test_a_label_is_any_scalar(value: Json, wanted: str | None) -> None:
    assert label(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(1, 1.0), ("2.5", 2.5), ("1e3", 1000.0), (True, None), ("nan", None), ("", None), (10**400, None), (None, None), ([1], None)],
    ids=lambda value: str(value)[:20],
)
def test_a_number_is_finite(value: Json, wanted: float | None) -> None:
    assert number(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [(7, 7), ("1834", 1834), (3.9, 3), (-1, None), ("-1", None), (True, None), ("many", None), (None, None)], ids=str
)
def test_a_whole_number_counts(value: Json, wanted: int | None) -> None:
    assert whole(value) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("2026-03-04T10:15:30.250000Z", datetime(2026, 3, 4, 10, 15, 30, 250000, tzinfo=UTC)),
        ("2026-03-04T10:15:30+05:30", datetime(2026, 3, 4, 4, 45, 30, tzinfo=UTC)),
        (" 2026-03-04 10:15:30 ", datetime(2026, 3, 4, 10, 15, 30, tzinfo=UTC)),
        (1772619330.25, datetime(2026, 3, 4, 10, 15, 30, 250000, tzinfo=UTC)),
        ("1772619330", datetime(2026, 3, 4, 10, 15, 30, tzinfo=UTC)),
        (1772619330250, datetime(2026, 3, 4, 10, 15, 30, 250000, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59-14:00", None),
        (10**400, None),
        (True, None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_moment_is_in_utc_and_within_reach(value: Json, wanted: datetime | None) -> None:
    assert moment(value) == wanted


@pytest.mark.parametrize(("value", "wanted"), [(True, True), (False, False), (1, None), ("true", None), (None, None)], ids=str)
def test_a_flag_is_a_boolean(value: Json, wanted: Json) -> None:
    assert flag(value) is wanted


def test_what_has_another_shape_reads_as_empty() -> None:
    assert (mapping([]), mapping(None), mapping("{}")) == ({}, {}, {})
    assert (sequence({}), sequence(None), sequence("abc")) == ((), (), ())
