"""Figures over many alerts: how aggregates are read, what an alert leaves behind, and what figures come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.aggregates import Value
from routing.alert import Alert, ExceptionValue
from routing.figures import Asked, FigureError, Polled, asked, figure, figures_of, measure, to_load
from routing.query import Context, Facts, Query, parse
from routing.samples import Sample, Scope, sample, scopes
from routing.timeline import Samples, Timeline
from tests.factories import NOW, make_alert

WINDOW = timedelta(minutes=5)
MINUTE = timedelta(minutes=1)
KEY = "issue:5300000123"
INCIDENT = Scope("incident", KEY)


@dataclass(frozen=True, kw_only=True)
class FakeRule:
    name: str
    when: Query
    window: timedelta | None = WINDOW
    over: str = "incident"


@dataclass(frozen=True)
class PolledSentry:
    """What a poller last heard from Sentry, by project and name."""

    heard: Mapping[tuple[str, str], Polled]

    def latest(self, project: str, name: str, window: timedelta) -> Polled | None:
        assert window == WINDOW
        return self.heard.get((project, name))


def rules(*conditions: str, window: timedelta | None = WINDOW, over: str = "incident") -> Asked:
    return asked(FakeRule(name=condition, when=parse(condition), window=window, over=over) for condition in conditions)


def samples(*values: Value | None, column: str = "transaction.duration", every: timedelta = timedelta(seconds=1)) -> list[Sample]:
    """The last of them now, those before each so much earlier; None says nothing."""
    said = [{} if value is None else {column: value} for value in values]
    return [Sample(at=NOW - every * place, values=one) for place, one in enumerate(reversed(said))]


def measured(text: str, taken: Sequence[Sample], *, window: timedelta = WINDOW, now: datetime = NOW) -> float | None:
    found = figure(text, window)
    assert found is not None
    return measure(found, taken, now)


def left_by(alert: Alert, *columns: str) -> Mapping[str, Value]:
    return sample(Facts(alert), columns, NOW).values


def transaction(status: str | None) -> Alert:
    trace = {} if status is None else {"status": status}
    return make_alert(event_type="transaction", payload={"contexts": {"trace": trace}})


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        pytest.param("count()", (1.0, None, 3.0), 3, id="count counts alerts that say nothing too"),
        pytest.param("count_unique(transaction.duration)", (1.0, None, 1.0, 2.0), 2, id="count_unique"),
        pytest.param("avg(transaction.duration)", (1.0, 2.0, None, 6.0), 3, id="avg"),
        pytest.param("sum(transaction.duration)", (1.0, 2.0, 6.0), 9, id="sum"),
        pytest.param("min(transaction.duration)", (4.0, 2.0, 6.0), 2, id="min"),
        pytest.param("max(transaction.duration)", (4.0, 6.0, 2.0), 6, id="max"),
        pytest.param("p50()", (1.0, 2.0, 3.0, 10.0), 2.5, id="p50 between two values"),
        pytest.param("p75(transaction.duration)", (0.0, 1.0, 2.0, 3.0), 2.25, id="p75"),
        pytest.param("p95(transaction.duration)", tuple(map(float, range(101))), 95, id="p95"),
        pytest.param("p99(transaction.duration)", (7.0,), 7, id="p99 of one"),
        pytest.param("p100(transaction.duration)", (1.0, 7.0), 7, id="p100"),
        pytest.param("percentile(transaction.duration, 0.25)", (0.0, 1.0, 2.0), 0.5, id="percentile"),
        pytest.param("P95( transaction.duration )", (7.0,), 7, id="whatever the spelling"),
        pytest.param("epm()", (None,) * 10, 2, id="epm over five minutes"),
        pytest.param("eps()", (None,) * 3, 0.01, id="eps"),
        pytest.param("count_if(transaction.duration,greater,5s)", (5000.0, 5001.0, None), 1, id="count_if with a unit"),
        pytest.param("count_if(transaction.duration, lessOrEquals, 300)", (300.0, 301.0), 1, id="count_if lessOrEquals"),
        pytest.param("count_if(transaction.duration,less,300)", (300.0, 299.0), 1, id="count_if less"),
        pytest.param("count_if(transaction.duration,greaterOrEquals,300)", (300.0, 299.0), 1, id="count_if greaterOrEquals"),
        pytest.param("count_if(transaction.duration,notEquals,300)", (300.0, 299.0, None), 1, id="count_if notEquals wants a value"),
    ],
)
def test_an_aggregate_comes_to(text: str, values: tuple[float | None, ...], expected: float) -> None:
    assert measured(text, samples(*values)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "column", "values", "expected"),
    [
        pytest.param("count_if(level,equals,error)", "level", ("error", "Error", "fatal"), 2, id="text whatever the case"),
        pytest.param('count_if(level,notEquals,"error")', "level", ("error", "fatal", None), 1, id="another text"),
        pytest.param("count_if(error.handled,equals,0)", "error.handled", ("true", "false"), 1, id="yes or no"),
        pytest.param("count_if(http.status_code,greater,499)", "http.status_code", ("500", 503.0, "404", "no"), 2, id="a code as number"),
        pytest.param("count_if(http.status_code,equals,404)", "http.status_code", ("500", 404.0, "404"), 2, id="a code as text"),
        pytest.param("count_if(tags.Load,greater,0.5)", "tags.Load", ("0.7", "0.2", "high"), 1, id="a tag that is a number"),
        pytest.param("avg(tags.Load)", "tags.Load", ("2", "4", "high"), 3, id="the mean of a tag"),
        pytest.param('count_if(tags.shop,equals,"a, b (c)")', "tags.shop", ("a, b (c)", "a"), 1, id="commas in quotes"),
        pytest.param("count_unique(user)", "user", ("id:1", "id:2", "id:1", None), 2, id="users"),
        pytest.param("count_unique(tags.customerId)", "tags.customerId", ("1", "2"), 2, id="tags have cases"),
        pytest.param("failure_rate()", "transaction.status", ("ok", "cancelled", "unknown", "internal_error"), 0.25, id="failure_rate"),
        pytest.param("failure_count()", "transaction.status", ("ok", "aborted", "not_found"), 2, id="failure_count"),
    ],
)
def test_an_aggregate_of_what_alerts_say_comes_to(text: str, column: str, values: tuple[Value | None, ...], expected: float) -> None:
    assert measured(text, samples(*values, column=column)) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["avg()", "sum()", "min()", "max()", "p95()", "failure_rate()", "failure_count()"])
def test_where_nothing_was_measured_there_is_no_figure(text: str) -> None:
    assert measured(text, samples(None, "slow")) is None


@pytest.mark.parametrize("text", ["count()", "count_unique(user)", "count_if(level,equals,error)", "epm()"])
def test_where_nothing_came_a_count_is_zero(text: str) -> None:
    assert measured(text, []) == 0


def test_a_window_begins_after_its_first_moment_and_ends_with_now() -> None:
    taken = [Sample(at=NOW - WINDOW), Sample(at=NOW - WINDOW + timedelta.resolution), Sample(at=NOW), Sample(at=NOW + timedelta.resolution)]

    assert measured("count()", taken) == 2


def test_an_event_of_sentry_counts_once_however_many_alerts_tell_of_it() -> None:
    taken = [Sample(at=NOW, event="a"), Sample(at=NOW, event="a"), Sample(at=NOW, event="b"), Sample(at=NOW), Sample(at=NOW)]

    assert measured("count()", taken) == 4


@pytest.mark.parametrize(
    ("text", "now", "before", "expected"),
    [
        pytest.param('percent_change("count()", 1h)', 4, 2, 1.0, id="doubled is 100%"),
        pytest.param("percent_change(count(),1h)", 1, 2, -0.5, id="halved is -50%"),
        pytest.param("percent_change(count(), 1h)", 3, 3, 0.0, id="the same is 0%"),
        pytest.param("percent_change(count(), 1h)", 3, 0, None, id="from nothing nobody knows"),
        pytest.param("percent_change(avg(transaction.duration), 1h)", 3, 0, None, id="nothing was measured"),
        pytest.param("percent_change(epm(), 1h)", 3, 2, 0.5, id="of a rate"),
        pytest.param("percent_change(count_if(transaction.duration,equals,1),60m)", 3, 2, 0.5, id="of a figure with arguments"),
        pytest.param('percent_change(count_if(tags.a,equals,"b, (c)"),1h)', 3, 0, None, id="of one with commas in quotes"),
    ],
)
def test_percent_change_compares_with_the_same_length_of_time_earlier(text: str, now: int, before: int, expected: float | None) -> None:
    earlier = [Sample(at=one.at - timedelta(hours=1), values=one.values) for one in samples(*[1.0] * before)]

    assert measured(text, [*samples(*[1.0] * now), *earlier]) == expected


@pytest.mark.parametrize(
    "text", ["apdex(300)", "user_misery(300)", "crash_free_rate(session)", "p95000()", "max(timestamp)", "new_function()"]
)
def test_what_only_sentry_can_answer_is_no_figure_and_no_error(text: str) -> None:
    assert figure(text, WINDOW) is None


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        pytest.param("count(user)", "write count()", id="count of something"),
        pytest.param("failure_rate(user)", "write failure_rate()", id="failure_rate of something"),
        pytest.param("count_unique()", "write count_unique(user)", id="unique what"),
        pytest.param("p95(a, b)", "write p95(a)", id="two columns"),
        pytest.param("percentile(transaction.duration)", "from 0 to 1", id="which percentile"),
        pytest.param("percentile(transaction.duration,95)", "from 0 to 1", id="a percentile above 1"),
        pytest.param("count_if(level)", "count_if(level,equals,error)", id="count_if of nothing"),
        pytest.param("count_if(level,is,error)", "greaterOrEquals", id="no operator"),
        pytest.param("count_if(level,greater,error)", "is no number", id="greater than a word"),
        pytest.param("count_if(transaction.duration,equals,long)", "is no number", id="no duration"),
        pytest.param('count_if("level:")', "character 6", id="no condition"),
        pytest.param('count_if("count():>1")', "count() is a figure itself", id="a figure in a figure"),
        pytest.param("percent_change(count())", "write percent_change(count(),1d)", id="compared with when"),
        pytest.param("percent_change(count(),soon)", "like 30m", id="no time"),
        pytest.param("percent_change(count(),0s)", "what it was before", id="compared with now"),
        pytest.param("percent_change(user,1d)", "what it was before", id="a key is no figure"),
        pytest.param("percent_change(count(user),1d)", "write count()", id="a wrong figure within"),
        pytest.param("percent_change(count(),13w)", "at most 90d", id="too long ago"),
    ],
)
def test_an_aggregate_that_is_written_wrong_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(FigureError) as refused:
        figure(text, WINDOW)

    assert advice in str(refused.value)


def test_a_condition_without_a_window_asks_for_nothing() -> None:
    assert figures_of(parse("failure_rate():>0.05 count_if(level):>1"), None) == ()


def test_a_figure_has_the_name_by_which_its_condition_asks_for_it() -> None:
    query = parse('P95( transaction.duration ):>5s count_if("level:error environment:production"):>2 avg():<1')

    assert {one.name for one in figures_of(query, WINDOW)} == query.aggregates


def test_two_figures_that_would_get_the_same_name_are_refused() -> None:
    with pytest.raises(FigureError, match="too much alike"):
        figures_of(parse("count_unique(tags.A):>1 count_unique(tags.a):>1"), WINDOW)


def test_all_that_rules_ask_for_is_gathered_once() -> None:
    gathered = asked(
        [
            FakeRule(name="plain", when=parse("level:error")),
            FakeRule(name="metric alerts only", when=parse("failure_rate():>0.05"), window=None),
            FakeRule(name="users", when=parse("count_unique(user):>3")),
            FakeRule(name="growth", when=parse('percent_change("count()", 1d):>100%')),
            FakeRule(name="slow", when=parse("p95():>5s"), over="project"),
        ]
    )

    assert set(gathered.figures) == {"users", "growth", "slow"}
    assert gathered.columns == ("transaction.duration", "user")
    assert gathered.look_back == {"incident": WINDOW + timedelta(days=1), "project": WINDOW}


def test_what_is_loaded_goes_back_as_far_as_any_alert_needs() -> None:
    gathered = rules("count():>1", over="project")
    scope = Scope("project", "shop-api")

    assert to_load(gathered, [(NOW, [scope]), (NOW - MINUTE, [scope])]) == {scope: NOW - MINUTE - WINDOW}


def test_an_alert_leaves_behind_only_what_is_asked_of_it_and_what_it_says() -> None:
    alert = make_alert(duration_ms=8400.0, tags=(("team", "shop"), ("Team", "other")))

    left = left_by(alert, "level", "user", "transaction.duration", "tags.team", "error.handled", "transaction")

    assert left == {"level": "error", "user": "id:8812", "transaction.duration": 8400.0, "tags.team": "shop", "error.handled": "false"}


def test_of_a_chain_of_exceptions_the_one_that_was_raised_is_left() -> None:
    alert = make_alert(exceptions=(ExceptionValue(type="KeyError"), ExceptionValue(type="PaymentError")))

    assert left_by(alert, "error.type") == {"error.type": "PaymentError"}


def test_of_a_condition_it_is_left_that_it_was_met() -> None:
    met, unmet = figure('count_if("level:error KeyError")', WINDOW), figure('count_if("level:fatal")', WINDOW)
    assert met is not None
    assert unmet is not None

    taken = sample(Facts(make_alert()), (*met.columns, *unmet.columns), NOW)

    assert measure(met, [taken], NOW) == 1
    assert measure(unmet, [taken], NOW) == 0


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        pytest.param(transaction("internal_error"), {"transaction.status": "internal_error"}, id="told"),
        pytest.param(transaction(None), {"transaction.status": "unknown"}, id="not told"),
        pytest.param(make_alert(payload={"contexts": {"trace": {"status": "internal_error"}}}), {}, id="of an error"),
    ],
)
def test_only_transactions_leave_a_status_behind(alert: Alert, expected: Mapping[str, Value]) -> None:
    assert left_by(alert, "transaction.status") == expected


def test_long_texts_are_cut_and_stay_apart() -> None:
    left = [left_by(make_alert(tags=(("a", "x" * 5000 + end),)), "tags.a")["tags.a"] for end in "123"]

    assert len(set(left)) == 3
    assert all(isinstance(value, str) and len(value) == 200 for value in left)


def test_no_number_is_left_that_would_make_a_sum_infinite() -> None:
    alert = make_alert(duration_ms=1e301, payload={"measurements": {"lcp": {"value": 10**400}}})

    assert left_by(alert, "transaction.duration", "measurements.lcp") == {}


def test_an_alert_counts_where_it_belongs() -> None:
    alert = make_alert(tags=(("team", "a\0b"),))

    incident, project, everything, team = scopes(["incident", "project", "everything", "tags.team"], Facts(alert), KEY)

    assert (incident, project, everything) == (INCIDENT, Scope("project", "shop-api"), Scope("everything", ""))
    assert team.over == "tags.team"
    assert len(team.value) == 64
    assert team.key.isascii()


def test_an_alert_counts_nowhere_where_it_says_nothing() -> None:
    assert scopes(["project", "tags.team"], Facts(make_alert(project=None)), KEY) == ()


def test_a_rule_is_given_the_figures_of_its_window_and_scope_the_alert_included() -> None:
    gathered = asked(
        [
            FakeRule(name="storm", when=parse("count():>2")),
            FakeRule(name="users", when=parse("count_unique(user):>1 count():>1"), window=timedelta(hours=1), over="project"),
        ]
    )
    project = Scope("project", "shop-api")
    known = Samples({INCIDENT: samples(None, None), project: samples(*["id:1"] * 9, column="user", every=MINUTE)})
    new = sample(Facts(make_alert()), gathered.columns, NOW)

    known.add(new, [INCIDENT, project])

    assert known.figures(gathered, [INCIDENT, project], NOW) == {"storm": {"count()": 3}, "users": {"count_unique(user)": 2, "count()": 10}}


def test_without_figures_in_the_rules_nothing_is_computed() -> None:
    assert Samples().figures(rules("level:error"), [INCIDENT], NOW) == {}


def test_figures_meet_the_condition_that_asks_for_them() -> None:
    condition = "count():>2 count_unique(user):>=1"
    known = Samples({INCIDENT: samples("id:1", "id:1", None, column="user")})
    figures = known.figures(rules(condition), [INCIDENT], NOW)

    verdict = parse(condition).evaluate(make_alert(), Context(aggregates=figures[condition]))

    assert verdict.matched


@pytest.mark.parametrize(
    ("over", "age", "expected"),
    [
        pytest.param("project", MINUTE, {"failure_rate()": 0.07}, id="fresh"),
        pytest.param("project", WINDOW, {"failure_rate()": 0.07}, id="just fresh enough"),
        pytest.param("project", 2 * WINDOW, {}, id="too old"),
        pytest.param("project", -MINUTE, {}, id="of the future"),
        pytest.param("incident", MINUTE, {}, id="asked for something else than a project"),
    ],
)
def test_a_polled_figure_answers_for_its_project_while_it_is_fresh(over: str, age: timedelta, expected: Mapping[str, float]) -> None:
    condition = "failure_rate():>0.05"
    polled = PolledSentry({("shop-api", "failure_rate()"): Polled(value=0.07, at=NOW - age)})

    figures = Samples(polled=polled).figures(rules(condition, over=over), [INCIDENT, Scope("project", "shop-api")], NOW)

    assert figures[condition] == expected


def test_what_alerts_say_goes_before_what_was_polled() -> None:
    scope = Scope("project", "shop-api")
    polled = PolledSentry({("shop-api", "failure_rate()"): Polled(value=0.07, at=NOW)})
    known = Samples({scope: samples("ok", "aborted", column="transaction.status")}, polled)

    figures = known.figures(rules("failure_rate():>0.05", over="project"), [scope], NOW)

    assert figures == {"failure_rate():>0.05": {"failure_rate()": 0.5}}


_FIGURES = st.sampled_from(
    (
        *("count()", "count_unique(transaction.duration)", "avg()", "sum()", "min()", "max()", "p50()", "p95()", "epm()"),
        *("count_if(transaction.duration,greater,3)", "failure_rate()", "percent_change(count(),10s)", "percent_change(p75(),1m)"),
    )
)
_STATUSES = st.sampled_from(("ok", "aborted"))
_SAMPLES = st.builds(
    lambda second, duration, status, event: Sample(
        at=NOW - timedelta(seconds=second),
        values={name: value for name, value in (("transaction.duration", duration), ("transaction.status", status)) if value is not None},
        event=event,
    ),
    st.integers(0, 120),
    st.none() | st.integers(-5, 5).map(float),
    st.none() | _STATUSES,
    st.none() | st.sampled_from("abc"),
)


@given(text=_FIGURES, taken=st.lists(_SAMPLES, max_size=80), window=st.integers(1, 90))
def test_alert_after_alert_gives_what_the_definition_gives(text: str, taken: list[Sample], window: int) -> None:
    wanted = figure(text, timedelta(seconds=window))
    assert wanted is not None
    in_order = sorted(taken, key=lambda one: one.at)
    timeline = Timeline()

    for place, one in enumerate(in_order):
        timeline.add(one)

        assert timeline.measure(wanted, one.at) == measure(wanted, in_order[: place + 1], one.at)


@given(text=_FIGURES, taken=st.lists(_SAMPLES.map(lambda one: Sample(at=one.at, values=one.values)), max_size=80))
def test_in_whatever_order_alerts_come_the_figure_is_the_same(text: str, taken: list[Sample]) -> None:
    wanted = figure(text, timedelta(seconds=30))
    assert wanted is not None
    timeline = Timeline()

    for one in taken:
        timeline.add(one)
        timeline.measure(wanted, NOW)

    assert timeline.measure(wanted, NOW) == measure(wanted, taken, NOW)


@given(text=_FIGURES.filter(lambda text: "change" not in text), taken=st.lists(_SAMPLES), other=_SAMPLES, window=st.integers(1, 90))
def test_an_alert_outside_of_the_window_changes_nothing(text: str, taken: list[Sample], other: Sample, window: int) -> None:
    outside = Sample(at=other.at - timedelta(seconds=window), values=other.values)
    alone = [Sample(at=one.at, values=one.values) for one in taken]
    length = timedelta(seconds=window)

    assert measured(text, [*alone, outside], window=length) == measured(text, alone, window=length)


@given(taken=st.lists(_SAMPLES), shorter=st.integers(1, 60), more=st.integers(0, 60))
def test_a_longer_window_never_counts_less(taken: list[Sample], shorter: int, more: int) -> None:
    short, long = (measured("count()", taken, window=timedelta(seconds=seconds)) for seconds in (shorter, shorter + more))

    assert short is not None
    assert long is not None
    assert short <= long


@given(st.text(max_size=60))
def test_reading_an_aggregate_raises_nothing_but_its_own_error(text: str) -> None:
    try:
        found = figure(text, WINDOW)
    except FigureError:
        return

    assert found is None or found.window == WINDOW


@given(
    name=st.sampled_from(("count", "count_if", "count_unique", "percent_change", "percentile", "p95")),
    arguments=st.text(alphabet='abc.:,"()\\ 01d[]', max_size=40),
)
def test_hostile_arguments_raise_nothing_but_that_error(name: str, arguments: str) -> None:
    try:
        found = figure(f"{name}({arguments})", WINDOW)
    except FigureError:
        return

    assert found is None or found.window == WINDOW
