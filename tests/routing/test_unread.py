"""What is read only when somebody asks for it is the same as if it had been read at once."""

from __future__ import annotations

from routing import sentry
from routing.alert import Frame, Json
from routing.payload import Object
from routing.unread import UnreadFrames, UnreadObject
from tests.factories import NOW, event_alert_webhook

CONTENT: Object = {"message": "boom", "level": None, "request": {"url": "/cart"}, "empty": {}, "breadcrumbs": [1, 2]}


def test_an_unread_object_is_like_the_object() -> None:
    unread = UnreadObject(CONTENT, lambda: dict(CONTENT))

    assert unread == CONTENT
    assert (len(unread), "request" in unread, "absent" in unread, unread.get("absent")) == (5, True, False, None)


def test_it_is_read_once_and_only_for_what_holds_more() -> None:
    reads: list[Object] = []

    def read_again() -> Object:
        reads.append(CONTENT)
        return CONTENT

    unread = UnreadObject(CONTENT, read_again)

    assert (unread["message"], unread["level"], [*unread]) == ("boom", None, [*CONTENT])
    assert reads == []
    assert (unread["request"], unread["empty"], unread["breadcrumbs"]) == ({"url": "/cart"}, {}, [1, 2])
    assert reads == [CONTENT]


def test_unread_frames_are_like_a_tuple_of_them() -> None:
    frames = (Frame(function="a"), Frame(function="b"))
    unread = UnreadFrames(lambda: frames)

    assert unread == frames
    assert frames == unread
    assert (len(unread), unread[-1], unread[:1], hash(unread)) == (2, frames[1], frames[:1], hash(frames))
    assert [*reversed(unread)] == [*reversed(frames)]


def test_an_alert_holds_nothing_of_its_body_but_bytes_until_it_is_asked() -> None:
    values: Json = [{"type": "KeyError", "stacktrace": {"frames": [{"function": "charge"}]}}]
    webhook = event_alert_webhook(exception={"values": values})

    alert = sentry.parse(webhook.resource, webhook.body, NOW)

    assert alert.exceptions[0].frames == (Frame(function="charge"),)
    assert alert.payload["exception"] == {"values": values}
