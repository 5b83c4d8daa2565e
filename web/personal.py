"""What of alerts is somebody's own: users, messages, requests. Shown to those whom the settings name."""

from __future__ import annotations

from storage.users import Role
from web.access import person
from web.desk import desk

MASK = "•••"


def may_see_personal() -> bool:
    """Whether who asks may."""
    who = person()
    return who is not None and who.may(Role(desk().settings.personal_data_for))


def masked(value: object) -> object:
    """The value, for those who may see it; for others that there is one."""
    return value if may_see_personal() or not value else MASK
