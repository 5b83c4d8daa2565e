"""Every kind of term that Sentry's language has, taken apart as its documentation says.

By docs.sentry.io/concepts/search, beside the samples of Sentry's own, of which only a part is at hand.
"""

from __future__ import annotations

import pytest

from routing.query import parse
from tests.routing.search_syntax import say_tree


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("transaction:*foo", "transaction = ['text *foo']"),
        ("transaction:foo*bar*", "transaction = ['text foo*bar*']"),
        ('transaction:"*a b*"', "transaction = ['text *a b*']"),
        ("transaction:a\\*b", "transaction = ['text a\\\\*b']"),
        ('message:"a \\"b\\" c"', "message = ['text a \"b\" c']"),
        ('!message:""', "not message = ['text ']"),
        ('"a b":c', '("a b" and ":c")'),
        ("hello:http://x/y?z=1", "hello = ['text http://x/y?z=1']"),
        (":value", '":value"'),
        ("a*b", '"a*b"'),
        ("()", '"()"'),
        ("(a:b OR c:d) AND e:f", "((a = ['text b'] or c = ['text d']) and e = ['text f'])"),
        ("((a:b) OR (c:d AND (e:f OR g:h)))", "(a = ['text b'] or (c = ['text d'] and (e = ['text f'] or g = ['text h'])))"),
        ("a:b c:d OR e:f", "((a = ['text b'] and c = ['text d']) or e = ['text f'])"),
        ("a:b Or c:d AND e:f", "(a = ['text b'] or (c = ['text d'] and e = ['text f']))"),
        ("a:b OR(c:d)", "(a = ['text b'] or c = ['text d'])"),
        ("(a:b)(c:d)", "(a = ['text b'] and c = ['text d'])"),
        ("a:bOR c:d", "(a = ['text bOR'] and c = ['text d'])"),
        ("a:b ORc:d", "(a = ['text b'] and ORc = ['text d'])"),
        ("order and_so", '"order and_so"'),
        ("!has:tags[foo,number]", "not has = ['text tags[foo,number]']"),
        ("has:user.email", "has = ['text user.email']"),
        ("!is:unresolved", "not is = ['text unresolved']"),
        ("!count():>5", "not count() > ['number 5']"),
        ("p75(measurements.lcp):!=5s", "p75(measurements.lcp) != ['duration 5000']"),
        ("percentage(a, b):>5%", "percentage(a|b) > ['percentage 0.05']"),
        ("last_seen():>-2w", "last_seen() > ['relative date -2w']"),
        ("max(timestamp):>2018-01-01", "max(timestamp) > ['date 2018-01-01T00:00:00.000+00:00']"),
        ('fn("a b", c):>1', "fn(a b|c) > ['number 1']"),
        ("apdex(300):>=0.5", "apdex(300) >= ['number 0.5']"),
        ('tags[foo,string]:[a, "b c"]', "tags[foo,string] = ['text a', 'text b c']"),
        ('tags["foo:bar"]:x', "tags[foo:bar] = ['text x']"),
        ("!flags[foo]:true", "not flags[foo] = ['text true']"),
        ("timestamp:>=2018-01-01T00:00:00.123456-05:00", "timestamp >= ['date 2018-01-01T05:00:00.123+00:00']"),
        ("!timestamp:2018-01-01", "not timestamp = ['date 2018-01-01T00:00:00.000+00:00']"),
        ("firstSeen:+7h", "firstSeen = ['relative date +7h']"),
        ("transaction.duration:>=1.5min", "transaction.duration >= ['duration 90000']"),
        ("transaction.duration:[5s, 600]", "transaction.duration = ['duration 5000', 'number 600']"),
        ("measurements.foo:3kib", "measurements.foo = ['size 3072']"),
        ("measurements.frames_slow_rate:>5%", "measurements.frames_slow_rate > ['percentage 0.05']"),
        ("http.response_content_length:<=5nb", "http.response_content_length <= ['size 2.5']"),
        ("stack.in_app:!=1", "stack.in_app != ['boolean True']"),
        ("issue.id:[1k, -2, 3.5]", "issue.id = ['number 1000', 'number -2', 'number 3.5']"),
        ("!issue.id:<5", "not issue.id < ['number 5']"),
        ("foo:[a,b]c", "foo = ['text [a,b]c']"),
        ("foo:[,a]", "foo = ['text [,a]']"),
        ("foo:[a,,b]", "foo = ['text [a,,b]']"),
        ('foo:["a,b",c]', "foo = ['text a,b', 'text c']"),
        ('foo:["", a]', "foo = ['text ', 'text a']"),
        ("release.version:[1.2.3, 1.2.4]", "release.version = ['text 1.2.3', 'text 1.2.4']"),
        ("!release.version:>1.2", "not release.version > ['text 1.2']"),
        ("release.build:>=123", "release.build >= ['text 123']"),
        ("release.package:>com.foo", "release.package = ['text >com.foo']"),
        ("assigned_or_suggested:[me, #team]", "assigned_or_suggested = ['text me', 'text #team']"),
        ("event.type:>error", "event.type = ['text >error']"),
        ('url:"te"st', "(url = ['text te'] and \"st\")"),
        ('url:\\"test', "url = ['text \"test']"),
        ('"hello', '""hello"'),
        ('hello "world" foo', '"hello "world" foo"'),
        ('"a" "b"', '("a" and "b")'),
        ("hello (world) a:b", "(\"hello (world)\" and a = ['text b'])"),
        ("f(a:b)", "(\"f\" and a = ['text b'])"),
        ("message:日本語 ünï", "(message = ['text 日本語'] and \"ünï\")"),
        ("foo:bar\tbaz:x", "(foo = ['text bar'] and baz = ['text x'])"),
        ('foo:"bar\tbaz"', "foo = ['text bar\\tbaz']"),
        ("-a:b", "-a = ['text b']"),
        ("foo@bar:1", '"foo@bar:1"'),
        ("a:b,c:d", "a = ['text b,c:d']"),
    ],
)
def test_a_query_is_taken_apart_into_keys_operators_types_and_values(query: str, said: str) -> None:
    assert say_tree(parse(query).tree) == said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a:b OR c:d e:f", "a:b OR (c:d e:f)"),
        ("level:error", 'level:"error"'),
        ("level:=error", "level:error"),
        ("timesSeen:>1k", "timesSeen:>1000"),
        ("transaction.duration:>2m", "transaction.duration:>120s"),
        ("stack.in_app:TRUE", "stack.in_app:1"),
        ("timestamp:2018-01-01T00:00:00Z", "timestamp:2018-01-01T01:00:00+01:00"),
        ("foo:[a,b]", "foo:[a,   b]"),
        ("count( ):>5", "count():>5"),
    ],
)
def test_spellings_of_one_condition_are_equal(one: str, other: str) -> None:
    assert parse(one) == parse(other)
