"""Whatever happens, in whatever order, and whatever was pruned meanwhile: what was announced is closed, and no counter falls."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from storage import tallies
from storage.retention import Retention, prune
from tests.storage.test_life_machine import EXAMPLES, Life, issues


class PrunedLife(Life):
    """A life of which only the last minutes are kept."""

    @rule(later=st.sampled_from([0, 12, 25]))
    def what_is_old_goes(self, later: int) -> None:
        self.now += timedelta(minutes=later)
        before = tallies.read(self.engine)
        keep = Retention(bodies=timedelta(minutes=6), events=timedelta(minutes=10), records=timedelta(minutes=10))

        prune(self.engine, keep, lambda: self.now, rest=lambda _: None)

        after = tallies.read(self.engine)
        assert all(after[one] >= count for one, count in before.items())

    @rule(issue=issues, action=st.sampled_from(["resolved", "archived", "unresolved"]), later=st.sampled_from([12, 25]))
    def it_changes_long_after(self, issue: int, action: str, later: int) -> None:
        self.alert(issue=issue, level="error", age=0, then="sent")
        self.what_is_old_goes(later=later)
        self.change(issue=issue, action=action, age=0, then="sent")


TestPrunedLife = PrunedLife.TestCase
TestPrunedLife.settings = settings(
    max_examples=EXAMPLES if EXAMPLES != 60 else 20,
    stateful_step_count=25,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES == 60,
)
