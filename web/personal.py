"""Personal data of alerts: who sees users, messages and requests."""

from __future__ import annotations

from storage.users import Role
from web.access import person
from web.desk import desk

MASK = "•••"


def may_see_personal() -> bool:
    """Whether who asks has the role that the settings name, or a higher one."""
    who = person()
    return who is not None and who.may(Role(desk().settings.personal_data_for))


def masked(value: str) -> str:
    """The value, for those who may see it."""
    return value if may_see_personal() else MASK
