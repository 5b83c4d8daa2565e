"""Headers by which browsers keep to what the console is: no script, style or frame but its own."""

from __future__ import annotations

from werkzeug.wrappers import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""As the OWASP HTTP Headers Cheat Sheet has them."""


def secure(response: Response, *, is_https: bool) -> Response:
    """With the headers; pages are kept by nobody."""
    response.headers.extend(HEADERS)
    if is_https:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response
