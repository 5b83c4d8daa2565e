"""Twilio's Messages API: takes forms, keeps messages, lists the newest first, and refuses with Twilio's own codes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from routing.alert import Json
from tests.notifiers import specs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SID = "AC" + "0" * 32
TOKEN = "twilio-token-9f3c2a"
NUMBER = "+15550006789"
SERVICE = "MG" + "a" * 32
REFUSALS: Mapping[int, tuple[int, str]] = {
    20003: (401, "Authenticate"),
    21211: (400, "Invalid 'To' Phone Number"),
    21603: (400, "A 'From' phone number is required."),
    21606: (400, "The 'From' phone number provided is not a valid, message-capable Twilio phone number."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21658: (400, "The concatenated message body exceeds the 1600 character limit"),
}
"""Code, status and text: https://www.twilio.com/docs/api/errors."""


@dataclass(slots=True, kw_only=True)
class Twilio:
    """One account with one number and one Messaging Service."""

    now: datetime
    messages: list[dict[str, Json]] = field(default_factory=list)
    opted_out: set[str] = field(default_factory=set)
    queue_is_full: bool = False
    is_trial: bool = False
    status: str = "active"
    """Of the account."""
    sends_sms: bool = True
    is_too_much: bool = False
    loses_answers: bool = False
    """Takes the message, but what comes back is a gateway's error."""
    forgets_sids: bool = False
    page_size: int = 50

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.get_data(cache=True, parse_form_data=False)
        return self._answer(request)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode():
            return _refusal(20003)
        if self.is_too_much:
            return _json(429, {"code": 20429, "message": "Too Many Requests", "status": 429})
        if (told := self._told(request)) is not None:
            return _json(200, told)
        if request.path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            return _json(404, {"code": 20404, "message": "The requested resource was not found", "status": 404})
        return self._list(request) if request.method == "GET" else self._create(request)

    def _told(self, request: Request) -> Json:
        """Of the account and its senders; no published specification of these is at hand: https://www.twilio.com/docs/iam/api/account."""
        match request.method, request.path.removeprefix(f"/2010-04-01/Accounts/{SID}"):
            case "GET", ".json":
                return {"sid": SID, "status": self.status, "type": "Trial" if self.is_trial else "Full"}
            case "GET", "/IncomingPhoneNumbers.json":
                numbers = [NUMBER] if request.args.get("PhoneNumber", NUMBER) == NUMBER else []
                return {"incoming_phone_numbers": [{"phone_number": one, "capabilities": {"sms": self.sends_sms}} for one in numbers]}
        return {"sid": SERVICE} if (request.method, request.path) == ("GET", f"/v1/Services/{SERVICE}") else None

    def _create(self, request: Request) -> Response:
        form = request.form.to_dict()
        if code := self._objection(form):
            return _refusal(code)
        if fault := _fault(request, form):
            return _json(400, {"code": 21600, "message": fault, "status": 400})
        self.messages.append(self._message(form))
        if self.loses_answers:
            return Response("<html><body>502 Bad Gateway</body></html>", status=502, content_type="text/html")
        return _json(201, {**self.messages[-1], **({"sid": None} if self.forgets_sids else {})})

    def _objection(self, form: Mapping[str, str]) -> int | None:
        checks = {
            21211: not re.fullmatch(r"\+[1-9][0-9]{6,14}", form.get("To", "")),
            21603: not form.get("From") and not form.get("MessagingServiceSid"),
            21606: form.get("From", NUMBER) != NUMBER or form.get("MessagingServiceSid", SERVICE) != SERVICE,
            21610: form.get("To") in self.opted_out,
            21611: self.queue_is_full,
            21658: len(form.get("Body", "")) > 1600,
        }
        return next((code for code, applies in checks.items() if applies), None)

    def _message(self, form: Mapping[str, str]) -> dict[str, Json]:
        prefix = "Sent from your Twilio trial account - " if self.is_trial else ""
        return {
            "sid": f"SM{len(self.messages):032x}",
            "status": "queued",
            "to": form["To"],
            "from": form.get("From"),
            "body": prefix + form["Body"],
            "date_created": format_datetime(self.now + timedelta(seconds=len(self.messages)), usegmt=True),
            "date_sent": None,
        }

    def _list(self, request: Request) -> Response:
        found = [message for message in reversed(self.messages) if message["to"] == request.args.get("To")]
        size, page = min(self.page_size, int(request.args.get("PageSize", 50))), int(request.args.get("Page", 0))
        more = len(found) > (page + 1) * size
        following = f"{request.path}?To={request.args['To'].replace('+', '%2B')}&PageSize={size}&Page={page + 1}"
        return _json(200, {"messages": found[page * size : (page + 1) * size], "next_page_uri": following if more else None})


def _fault(request: Request, form: Mapping[str, str]) -> str | None:
    if not specs.present():
        return None
    return specs.schema_fault(form, "twilio/message-form.strict.schema.json") or specs.openapi_fault(
        "twilio/twilio-messages.openapi.json",
        host="https://api.twilio.com",
        path=request.path,
        body=request.get_data(),
        content_type=request.mimetype,
        headers=dict(request.headers),
    )


def _refusal(code: int) -> Response:
    status, message = REFUSALS[code]
    more = f"https://www.twilio.com/docs/errors/{code}"
    return _json(status, {"code": code, "message": message, "more_info": more, "status": status})


def _json(status: int, content: Json) -> Response:
    return Response(json.dumps(content), status=status, content_type="application/json")
