"""Something that is wrong with the service itself, and who can be told of it although it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from routing.gate import ACCOUNTS
from routing.rules import Receiver, RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a check has found."""

    check: str
    """Which check: `workers`, `redis`, `canary`."""
    subject: str = ""
    """Of what, where there are several: a receiver's name."""
    said: str
    """What is wrong, and what that means."""
    way_out: str
    concerns: frozenset[str] = field(default=frozenset())
    """Receivers that it keeps from being told."""

    @property
    def key(self) -> str:
        """The same for the same trouble, at whatever process it is found."""
        return f"{self.check}:{self.subject}" if self.subject else self.check


def who_can_be_told(trouble: Trouble, rules: RuleSet) -> Iterator[Receiver]:
    """Of `watch.notify` those whom it does not concern, in their order, each destination once.

    Concerned are also the other names of a destination, and all that are reached by the account of one that is: a mail server that
    refuses one mail takes no other either. Last come those, for a vendor may refuse one destination only.
    """
    concerned = {rules.twins.get(name, name) for name in trouble.concerns}
    accounts = {rules.receivers[name].kind for name in concerned if name in rules.receivers} & ACCOUNTS
    known = [rules.receivers[rules.twins[name]] for name in dict.fromkeys(rules.watch.notify) if name in rules.receivers]
    free = [one for one in dict.fromkeys(one.name for one in known) if one not in concerned]
    receivers = [rules.receivers[name] for name in free if not rules.receivers[name].destination]
    yield from (one for one in receivers if one.kind not in accounts)
    yield from (one for one in receivers if one.kind in accounts)
