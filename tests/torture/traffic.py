"""Signed webhooks as Sentry sends them, each posted until it is accepted; issues begin, some fire again, some end."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.factories import Webhook, event_alert_webhook, issue_webhook

THREADS = 8
PATIENCE_SECONDS = 120.0
ENDS, FIRES_AGAIN, IS_FATAL, COMES_TWICE = 0.4, 0.2, 0.2, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What Sentry says of one issue, in its order."""

    issue: int
    webhooks: tuple[Webhook, ...]
    is_fatal: bool
    ends: bool


@dataclass(slots=True)
class Traffic:
    """What was posted, and what became of it."""

    stories: Sequence[Story]
    port: int
    seconds: float
    """So long it takes, if nothing holds it up."""
    accepted: int = 0
    refused: int = 0
    """Answers other than 202, and connections that broke: posted again."""
    unwanted: list[str] = field(default_factory=list)
    """What ended with neither."""
    longest_stall: float = 0.0
    """In seconds: from the first post of a webhook until it was accepted."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post_all(self) -> None:
        """Post each story when its time has come, some at a time."""
        began = time.monotonic()

        def post(number: int) -> None:
            time.sleep(max(0.0, began + self.seconds * number / len(self.stories) - time.monotonic()))
            self._post_story(self.stories[number])

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(post, range(len(self.stories))))

    @property
    def posted(self) -> float:
        """Which share has been accepted so far."""
        return self.accepted / sum(len(story.webhooks) for story in self.stories)

    def _post_story(self, story: Story) -> None:
        for webhook in story.webhooks:
            began = time.monotonic()
            while (status := self._post(webhook)) != 202:
                with self._lock:
                    self.refused += 1
                    if status not in {0, 503}:
                        self.unwanted.append(f"issue {story.issue}: HTTP {status}")
                        return
                    if time.monotonic() - began > PATIENCE_SECONDS:
                        self.unwanted.append(f"issue {story.issue}: not accepted within {PATIENCE_SECONDS:.0f} s")
                        return
                time.sleep(0.1)
            with self._lock:
                self.accepted += 1
                self.longest_stall = max(self.longest_stall, time.monotonic() - began)

    def _post(self, webhook: Webhook) -> int:
        """The status; 0 if there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/webhooks/sentry", webhook.body, dict(webhook.headers))
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def stories(count: int, chance: random.Random) -> list[Story]:
    """So many webhooks, or one or two more."""
    made: list[Story] = []
    while (left := count - sum(len(story.webhooks) for story in made)) > 0:
        made.append(_story(len(made) + 1, chance, left))
    return made


def _story(issue: int, chance: random.Random, left: int) -> Story:
    is_fatal = chance.random() < IS_FATAL
    ends = chance.random() < ENDS and left > 1
    events = 2 if chance.random() < FIRES_AGAIN else 1
    webhooks = [_alert(issue, event, is_fatal=is_fatal) for event in range(1, events + 1)]
    if chance.random() < COMES_TWICE:
        webhooks.insert(1, webhooks[0])
    if ends:
        webhooks.append(issue_webhook("resolved", id=str(issue), lastSeen="2040-01-01T00:00:00Z"))
    return Story(issue=issue, webhooks=tuple(webhooks), is_fatal=is_fatal, ends=ends)


def _alert(issue: int, event: int, *, is_fatal: bool) -> Webhook:
    return event_alert_webhook(
        issue_id=str(issue),
        event_id=f"{issue:016x}{event:016x}",
        title=f"Trouble {issue}",
        level="fatal" if is_fatal else "error",
        tags=[["level", "fatal" if is_fatal else "error"]],
        timestamp=datetime.now(UTC).timestamp(),
        datetime="",
    )
