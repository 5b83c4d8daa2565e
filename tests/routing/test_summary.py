"""Where more waits than may be told, it is told together, and nothing is left out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.gate import Limit
from routing.notification import Lane, Mention, Severity
from routing.summary import MOST_CRITICAL, Queue, Rate, Waiting, overflowing, summaries
from tests.factories import NOW

MINUTE = timedelta(minutes=1)
CRITICAL, NORMAL = Lane.CRITICAL, Lane.NORMAL


def rate(per_minute: int | None = None, *, max_per_minute: int | None = None) -> Rate:
    return Rate(vendor=Limit.per_minute(per_minute) if per_minute else None, max_per_minute=max_per_minute, max_delay=MINUTE)


def waiting(number: int, *, rule: str = "all", receiver: str = "chat", severity: Severity = Severity.WARNING, incident: int = 0) -> Waiting:
    mention = Mention(title=f"alert {number}", incident=f"issue:{incident or number}")
    lane = CRITICAL if severity is Severity.CRITICAL else NORMAL
    return Waiting(
        id=number, receiver=receiver, place=receiver, lane=lane, rule=rule, severity=severity, at=NOW, changes=None, mentions=(mention,)
    )


class TestOverflowing:
    @pytest.mark.parametrize(("count", "overflows"), [(55, False), (65, True)])
    def test_is_what_would_wait_for_longer_than_it_may(self, count: int, overflows: bool) -> None:  # noqa: FBT001 - a table
        found = overflowing([Queue("chat", "c1", NORMAL, count)], {"chat": rate(60)})

        assert bool(found) is overflows

    def test_receivers_of_one_destination_wait_for_each_other(self) -> None:
        queues = [Queue("chat", "c1", NORMAL, 40), Queue("talk", "c1", NORMAL, 40), Queue("other", "c2", NORMAL, 40)]

        assert overflowing(queues, dict.fromkeys(("chat", "talk", "other"), rate(60))) == {("chat", NORMAL), ("talk", NORMAL)}

    def test_critical_ones_wait_only_for_each_other(self) -> None:
        queues = [Queue("chat", "c1", NORMAL, 70), Queue("chat", "c1", CRITICAL, 10)]

        assert overflowing(queues, {"chat": rate(60)}) == {("chat", NORMAL)}

    def test_what_people_want_to_read_counts_too_but_holds_nothing_critical(self) -> None:
        queues = [Queue("chat", "c1", lane, 10) for lane in Lane]

        assert overflowing(queues, {"chat": rate(max_per_minute=2)}) == {("chat", NORMAL)}

    def test_without_a_limit_nothing_waits(self) -> None:
        assert overflowing([Queue("chat", "c1", NORMAL, 10_000)], {"chat": rate()}) == frozenset()


class TestSummaries:
    def test_there_is_one_for_each_rule_and_destination(self) -> None:
        found = list(summaries([waiting(1), waiting(2), waiting(3, rule="new"), waiting(4, rule="new"), waiting(5, receiver="talk")]))

        assert [[one.id for one in summary.all] for summary in found] == [[2, 1], [4, 3]]

    def test_the_worst_heads_it_and_of_those_the_newest(self) -> None:
        (found,) = summaries([waiting(1), waiting(2), waiting(3, severity=Severity.INFO)])

        assert found.head.id == 2
        assert [other.title for other in found.others] == ["alert 1", "alert 3"]

    def test_an_incident_is_named_once(self) -> None:
        (found,) = summaries([waiting(1, incident=7), waiting(2, incident=7), waiting(3, incident=8)])

        assert (found.head.id, [other.incident for other in found.others]) == (3, ["issue:7"])

    def test_of_critical_ones_so_many_are_told_together_as_are_named(self) -> None:
        found = list(summaries([waiting(number, severity=Severity.CRITICAL) for number in range(1, 21)]))

        assert [len(summary.others) + 1 for summary in found] == [MOST_CRITICAL, MOST_CRITICAL, 4]

    @given(
        st.lists(
            st.builds(
                waiting,
                st.integers(1, 10_000),
                rule=st.sampled_from(["all", "new"]),
                receiver=st.sampled_from(["chat", "talk"]),
                severity=st.sampled_from(Severity),
                incident=st.integers(0, 5),
            ),
            unique_by=lambda one: one.id,
            max_size=60,
        )
    )
    def test_every_message_is_in_one_of_them_or_stays_itself(self, messages: list[Waiting]) -> None:
        found = list(summaries(messages))

        summed_up = [one.id for summary in found for one in summary.all]
        told = {mention.incident for summary in found for mention in (summary.head.mentions[0], *summary.others)}
        left = {one.mentions[0].incident for one in messages if one.id not in summed_up}
        assert len(summed_up) == len(set(summed_up))
        assert told | left == {one.mentions[0].incident for one in messages}
