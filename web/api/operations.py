"""What each path of the API declares of itself: who may ask, in which form, and in which form it is answered. It is held to that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Annotated, TypeAlias, TypeVar, cast

from flask import Response, current_app, request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from routing.durations import SPAN, YEARS
from storage.tokens import Scope
from web.api import bearer
from web.api.problems import Fault, UnfitError
from web.intake import whole_body

View = Callable[..., BaseModel]
FormT = TypeVar("FormT", bound=BaseModel)

JSON = "application/json"


def _within_reach(at: datetime) -> datetime:
    if at.year not in YEARS:
        raise ValueError(f"write a time {SPAN}")
    return at


Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_within_reach)]
"""A time that is sent: from the ends of the calendar no hours lead on, so databases cannot have those in UTC."""
_OPERATION = "operation"


class Asked(BaseModel):
    """Parameters of an address; unknown ones are refused, for they would be misspelt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """What is sent. A number is a number there, and no text with one in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(BaseModel):
    """What is answered."""

    model_config = ConfigDict(from_attributes=True, frozen=True, json_schema_serialization_defaults_required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one path does by one method."""

    scope: Scope | None
    """None: whoever asks may."""
    answer: type[BaseModel] | None
    """None: JSON of any form."""
    query: type[Asked] | None = None
    body: type[Body] | None = None
    status: int = 200
    refuses: Mapping[int, str] = field(default_factory=dict)
    """By status when, beside what all may refuse."""


def operation(
    *,
    scope: Scope | None,
    answer: type[BaseModel] | None,
    query: type[Asked] | None = None,
    body: type[Body] | None = None,
    status: int = 200,
    refuses: Mapping[int, str] | None = None,
) -> Callable[[View], Callable[..., Response]]:
    """Make a function that takes `query` and `body` in their forms a view that checks the token first, and reads them then."""
    said = Operation(scope=scope, answer=answer, query=query, body=body, status=status, refuses=refuses or {})

    def mark(view: View) -> Callable[..., Response]:
        @wraps(view)
        def answered(**path: object) -> Response:
            if said.scope is not None:
                bearer.check(said.scope)
            given = dict(path)
            if said.query:
                given["query"] = _query(said.query)
            if said.body:
                given["body"] = _body(said.body)
            return _answered(view(**given), said.status)

        setattr(answered, _OPERATION, said)
        return answered

    return mark


def operation_of(view: Callable[..., object]) -> Operation | None:
    """What a view declares; None: it is none of the API's."""
    return cast("Operation | None", getattr(view, _OPERATION, None))


def _query(form: type[FormT]) -> FormT:
    try:
        return form.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise UnfitError("a parameter is not right", _faults(error.errors(), "")) from None


def _body(form: type[FormT]) -> FormT:
    raw = whole_body(current_app.config["MAX_CONTENT_LENGTH"])
    if request.mimetype != JSON:
        raise UnsupportedMediaType(f"send {JSON}, and say so in Content-Type")
    try:
        return form.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors()
    if found[0]["type"] == "json_invalid":
        raise BadRequest(f"the body is no JSON: {found[0]['msg'].removeprefix('Invalid JSON: ')}")
    raise UnfitError("the body is not right", _faults(found, "#/"))


def _faults(found: Sequence[ErrorDetails], before: str) -> list[Fault]:
    """Each without the value, which may be secret."""
    return [Fault(where=before + "/".join(map(str, one["loc"])), detail=one["msg"].removeprefix("Value error, ")) for one in found]


def _answered(answer: BaseModel, status: int) -> Response:
    response = Response(answer.model_dump_json(by_alias=True), status, mimetype=JSON)
    response.headers["Cache-Control"] = "no-store"
    if following := getattr(answer, "next", None):
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
