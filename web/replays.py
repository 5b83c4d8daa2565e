"""Where a session can be watched in which an alert came about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from routing.alert import Alert
from settings import Settings

_ID = re.compile(r"[0-9a-fA-F-]{32,36}")


def replay_address(alert: Alert, settings: Settings) -> str:
    """Its page in Sentry (https://docs.sentry.io/product/explore/session-replay); empty where the alert names no replay."""
    contexts = alert.payload.get("contexts")
    context = contexts.get("replay") if isinstance(contexts, Mapping) else None
    named = context.get("replay_id") if isinstance(context, Mapping) else None
    replay = named if isinstance(named, str) else alert.tag("replayId") or alert.tag("replay_id") or ""
    organization = alert.organization or settings.sentry_org
    if not organization or not _ID.fullmatch(replay):
        return ""
    return f"{settings.sentry_base_url}/organizations/{quote(organization, safe='')}/replays/{replay}/"
