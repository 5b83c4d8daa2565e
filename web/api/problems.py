"""What is wrong with a request to the API, as RFC 9457 has it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from flask import Response
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException, UnprocessableEntity

MIMETYPE = "application/problem+json"
PATH = "/api/"
"""Whatever is wrong below it is answered so."""
LIMITED_SECONDS = 60
"""What is counted is counted by the minute."""


class Fault(BaseModel):
    """One thing that is wrong."""

    where: str = Field(description="a JSON pointer into the body, `#/comment`, or the name of a parameter")
    detail: str = Field(description="what is wrong there, and what to write instead")


class Problem(BaseModel):
    """What is wrong with a request (RFC 9457)."""

    type: str = Field("about:blank", description="no more is to be said than the status says")
    title: str = Field(description="what the status means")
    status: int
    detail: str = Field(description="what is wrong here, and what to do")
    errors: list[Fault] | None = Field(None, description="each thing that is wrong, where there may be several")


class UnfitError(UnprocessableEntity):
    """It can be read, and makes no sense."""

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


def answer(error: HTTPException) -> Response:
    """The answer that says so."""
    status = HTTPStatus(error.code or 500)
    faults = [*error.faults] if isinstance(error, UnfitError) else []
    said = Problem(title=status.phrase, status=status, detail=error.description or status.description, errors=faults or None)
    response = Response(said.model_dump_json(exclude_none=True), status, mimetype=MIMETYPE)
    for name, value in error.get_headers():
        if name.casefold() != "content-type":
            response.headers.add(name, value)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers.setdefault("Retry-After", str(LIMITED_SECONDS))
    response.headers["Cache-Control"] = "no-store"
    return response
