"""Silences: alerts of which nobody is told for a time."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint
from pydantic import Field
from werkzeug.exceptions import Conflict, NotFound

from routing.query import Query
from routing.silences import MAX_COMMENT, MAX_MATCHERS, Silence, SilenceError, SilenceState, read_matchers
from storage import silences
from storage.silences import NoSuchSilenceError
from storage.tokens import Scope
from web.access import note, somebody
from web.api.notifications import Title
from web.api.operations import Answer, Body, Moment, operation
from web.api.paging import LARGEST, AskedPage, Page, before, part
from web.api.problems import Fault, UnfitError
from web.desk import desk
from web.personal import refused_search


class AskedSilences(AskedPage):
    """Which silences."""

    state: SilenceState | None = Field(None, description="only those")


class Matchers(Body):
    """Which alerts."""

    matchers: list[str] = Field(
        min_length=1,
        max_length=MAX_MATCHERS,
        description="conditions in the language of rules.yaml, any of which will do",
        examples=[["project:shop level:warning"]],
    )


class NewSilence(Matchers):
    """Of what nobody is to be told, until when, and why; who is the token."""

    comment: str = Field(min_length=1, max_length=MAX_COMMENT, description="why")
    ends_at: Moment
    starts_at: Moment | None = Field(None, description="null: now")


class SilenceAnswer(Answer):
    """A silence."""

    id: int
    matchers: list[str]
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    state: SilenceState


class SilencePage(Page[SilenceAnswer]):
    """Silences, the newest first."""


class PreviewAnswer(Answer):
    """What a silence would have held in the last day."""

    events: int
    notifications: dict[str, int] = Field(description="by receiver")
    titles: list[Title] = Field(description="of the first ones")
    is_cut: bool = Field(description="there was more to look at than was looked at")


def add_silences(api: Blueprint) -> None:
    """Their paths."""

    @api.get("/silences")
    @operation(scope=Scope.READ, query=AskedSilences, answer=SilencePage)
    def list_silences(query: AskedSilences) -> SilencePage:
        """List silences, the newest first."""
        found = silences.listed(desk().engine, state=query.state, now=desk().clock(), limit=query.limit + 1, before=before(query))
        items, following = part(found, query.limit, lambda one: [one.id])
        return SilencePage(items=[_shown(one) for one in items], next=following)

    @api.post("/silences")
    @operation(scope=Scope.OPERATE, body=NewSilence, answer=SilenceAnswer, status=201)
    def add_silence(body: NewSilence) -> SilenceAnswer:
        """Silence what meets any of these conditions."""
        now = desk().clock()
        try:
            silence = Silence(
                id=0,
                matchers=_matchers(body),
                author=somebody().name,
                comment=body.comment,
                starts_at=body.starts_at or now,
                ends_at=body.ends_at,
                created_at=now,
            )
            added = silences.add(desk().engine, silence, now)
        except SilenceError as error:
            raise UnfitError(str(error)) from None
        note("silence.add", f"silence {added.id}", f"{' | '.join(map(str, added.matchers))} until {added.ends_at:%Y-%m-%d %H:%M} UTC")
        return _shown(added)

    @api.post("/silences/preview")
    @operation(scope=Scope.READ, body=Matchers, answer=PreviewAnswer)
    def preview_silence(body: Matchers) -> PreviewAnswer:
        """Say what a silence would have held in the last day. Nothing is silenced."""
        matchers = _matchers(body)
        found = silences.preview(desk().engine, matchers, desk().clock())
        return PreviewAnswer(events=found.events, notifications=found.notifications, titles=[*found.titles], is_cut=found.is_cut)

    @api.get(f"/silences/<int(max={LARGEST}):silence_id>")
    @operation(scope=Scope.READ, answer=SilenceAnswer)
    def show_silence(silence_id: int) -> SilenceAnswer:
        """Show a silence."""
        return _shown(_found(silence_id))

    @api.post(f"/silences/<int(max={LARGEST}):silence_id>/expire")
    @operation(scope=Scope.OPERATE, answer=SilenceAnswer, refuses={409: "it is over already"})
    def expire_silence(silence_id: int) -> SilenceAnswer:
        """End a silence now."""
        _found(silence_id)
        try:
            over = silences.expire(desk().engine, silence_id, desk().clock())
        except SilenceError as error:
            raise Conflict(str(error)) from None
        note("silence.expire", f"silence {silence_id}")
        return _shown(over)


def _found(silence_id: int) -> Silence:
    try:
        return silences.find(desk().engine, silence_id)
    except NoSuchSilenceError as error:
        raise NotFound(str(error)) from None


def _matchers(body: Matchers) -> tuple[Query, ...]:
    for index, text in enumerate(body.matchers):
        try:
            read_matchers([text])
        except SilenceError as error:
            raise UnfitError("a condition is not right", [Fault(where=f"#/matchers/{index}", detail=str(error))]) from None
    found = read_matchers(body.matchers)
    # What a silence holds tells who meets it.
    if faults := [Fault(where=f"#/matchers/{at}", detail=why) for at, one in enumerate(found) if (why := refused_search(one))]:
        raise UnfitError("a condition asks for what this token may not see", faults)
    return found


def _shown(silence: Silence) -> SilenceAnswer:
    return SilenceAnswer(
        id=silence.id,
        matchers=[str(matcher) for matcher in silence.matchers],
        author=silence.author,
        comment=silence.comment,
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        created_at=silence.created_at,
        state=silence.state(desk().clock()),
    )
