"""What is remembered beside incidents: which ones explain others, when alerts were told, when groups were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from routing.announcement import Topic
from routing.rules import RuleSet
from routing.world import World
from storage.tables import announcements, explanations, incidents, told_alerts, told_groups


def load(connection: Connection, world: World, rules: RuleSet, since: datetime) -> None:
    """Put into a world what is stored of what these rules look at, to decide what comes since then."""
    world.members.update(_members(connection, world))
    if rules.inhibit:
        world.explained_by.update(_explained_by(connection))
    if rules.throttles:
        world.told_at.update(_told_at(connection, since - rules.longest_throttle))
    intervals = [rule.grouping.interval for rule in rules.rules if rule.grouping]
    if intervals:
        world.group_told_at.update(_group_told_at(connection, since - max(intervals)))


def save(connection: Connection, world: World, rules: RuleSet) -> None:
    """Store what has come to it since, and drop what nobody will ask for again."""
    if world.new_told:
        # As old as what is planned, not as the planner's clock: a backlog is held by what was told before it.
        oldest = min(at for _, at in world.new_told)
        connection.execute(delete(told_alerts).where(told_alerts.c.told_at <= oldest - rules.longest_throttle))
        connection.execute(insert(told_alerts), [{"likeness": key, "told_at": at} for key, at in world.new_told])
    if world.new_group_told:
        connection.execute(delete(told_groups).where(told_groups.c.group_key.in_(world.new_group_told)))
        connection.execute(insert(told_groups), [{"group_key": key, "told_at": world.group_told_at[key]} for key in world.new_group_told])


def _members(connection: Connection, world: World) -> Mapping[Topic, set[str]]:
    """Whom else those announcements tell of that tell of more than their incident."""
    groups = {topic.subject for incident in world.incidents.values() for topic in incident.announced if topic.subject != incident.key}
    if not groups:
        return {}
    found: dict[Topic, set[str]] = defaultdict(set)
    columns = (announcements.c.subject, announcements.c.place, incidents.c.key)
    members = select(*columns).join(incidents, incidents.c.id == announcements.c.incident_id).where(announcements.c.subject.in_(groups))
    for subject, place, key in connection.execute(members):
        found[Topic(subject, place)].add(key)
    return found


def _explained_by(connection: Connection) -> Mapping[str, tuple[str, ...]]:
    rows = connection.execute(
        select(explanations.c.likeness, incidents.c.key).join(incidents, incidents.c.id == explanations.c.incident_id)
    )
    found: dict[str, set[str]] = defaultdict(set)
    for likeness, key in rows:
        found[likeness].add(key)
    return {likeness: tuple(sorted(keys)) for likeness, keys in found.items()}


def _told_at(connection: Connection, since: datetime) -> Mapping[str, tuple[datetime, ...]]:
    told = told_alerts.c
    found: dict[str, list[datetime]] = defaultdict(list)
    for likeness, at in connection.execute(select(told.likeness, told.told_at).where(told.told_at > since).order_by(told.id)):
        found[likeness].append(at)
    return {likeness: tuple(moments) for likeness, moments in found.items()}


def _group_told_at(connection: Connection, since: datetime) -> Mapping[str, datetime]:
    rows = connection.execute(select(told_groups.c.group_key, told_groups.c.told_at).where(told_groups.c.told_at > since))
    return {row.group_key: row.told_at for row in rows}
