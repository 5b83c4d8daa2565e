"""The console: pages for the people on call, behind sign-in, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, render_template, request, url_for
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFError, generate_csrf
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from storage.kept_secrets import kept_secret
from storage.users import Role
from web import access, security, theme
from web.access import csrf, needed_role, needs, person
from web.api.paths import add_api
from web.desk import Desk, desk, leave_place
from web.operation import add_operation
from web.pages.alert import add_alert
from web.pages.alerts import add_alerts
from web.pages.audit import add_audit
from web.pages.dashboards import add_dashboards
from web.pages.deliveries import add_deliveries
from web.pages.incident import add_incident
from web.pages.incidents import add_incidents
from web.pages.overview import add_overview
from web.pages.people import add_people
from web.pages.receivers import add_receivers
from web.pages.rules import add_rules
from web.pages.sign_in import SESSION_KEY, add_sign_in, limiter_of
from web.pages.silences import add_silences
from web.pages.tokens import add_tokens
from web.places import Places
from web.reported import add_reported_context
from web.sessions import use_sessions
from web.wording import add_wording

THEMES = ("system", "light", "dark")
PAGES = {
    "console.overview": "Overview",
    "console.alerts": "Alerts",
    "console.incidents": "Incidents",
    "console.deliveries": "Deliveries",
    "console.rules": "Rules",
    "console.silences": "Silences",
    "console.receivers": "Receivers",
    "console.dashboard": "Dashboards",
    "console.people": "People",
    "console.audit": "Audit",
}
"""As the frame of each page lists them, for those who may open them."""


WITHOUT_PLACE = frozenset({"console.static", "console.dark_by_system"})
"""They ask nobody, and a page without its style is none."""


def add_console(app: Flask, at: Desk) -> None:
    """All of it."""
    app.extensions["desk"] = at
    app.config.update(BOOTSTRAP_SERVE_LOCAL=True, RATELIMIT_HEADERS_ENABLED=False)
    use_sessions(app, lambda: kept_secret(at.engine, SESSION_KEY), at.settings)
    Bootstrap5(app)
    csrf.init_app(app)
    limiter = limiter_of(at.settings)
    limiter.init_app(app)
    add_wording(app)
    add_reported_context(app)
    console = Blueprint("console", __name__, static_folder="static", static_url_path="/static", template_folder="templates")
    places = Places()
    _keep_few(console, places)
    console.before_request(access.check)
    add_sign_in(console, limiter)
    if at.settings.oidc_issuer:
        from web.pages.oidc import add_oidc  # noqa: PLC0415 - its cryptography is 19 MB, for those who want it

        app.extensions["oidc"] = True
        add_oidc(console, at.settings, limiter)
    add_overview(console)
    add_alerts(console)
    add_alert(console)
    add_incidents(console)
    add_incident(console)
    add_silences(console)
    add_deliveries(console)
    add_receivers(console)
    add_rules(console)
    add_dashboards(console)
    add_people(console, limiter)
    add_tokens(console)
    add_audit(console)
    _add_theme(console)
    _add_refusals(console)
    console.context_processor(_known_to_templates)
    app.register_blueprint(console)
    add_api(app, limiter, lambda api: _keep_few(api, places))
    add_operation(app)

    @app.after_request
    def harden(response: Response) -> Response:
        """Every answer, of pages and of programs' paths."""
        is_https = bool(at.settings.public_url and at.settings.public_url.startswith("https:"))
        security.secure(response, is_https=is_https)
        return response


def _keep_few(blueprint: Blueprint, places: Places) -> None:
    @blueprint.before_request
    def wait() -> None:
        if request.endpoint in WITHOUT_PLACE:
            return
        if not places.take():
            abort(503, "the console has more to do than it may, so that webhooks do not wait: try again")
        g.leave_place = places.leave

    @blueprint.teardown_request
    def leave(_error: BaseException | None) -> None:
        leave_place()


def _add_theme(console: Blueprint) -> None:
    @console.get("/theme.css")
    @needs(None)
    def dark_by_system() -> Response:
        answer = Response(theme.dark_by_system(), mimetype="text/css")
        answer.headers["Cache-Control"] = "public, max-age=3600"
        return answer

    @console.post("/theme")
    @needs(None)
    def choose_theme() -> AnyResponse:
        chosen = request.form.get("theme", "system")
        back = request.form.get("back", "/")
        answer = redirect(back if access.is_safe_next(back) else "/")
        if chosen in THEMES:
            answer.set_cookie("theme", chosen, max_age=365 * 86_400, samesite="Lax", httponly=True, secure=request.is_secure)
        return answer


def _add_refusals(console: Blueprint) -> None:
    @console.errorhandler(CSRFError)
    def refuse_change(error: CSRFError) -> tuple[str, int]:
        return _refusal(400, error.description or "the page is too old: open it again")

    @console.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> tuple[str, int]:
        return _refusal(error.code or 500, error.description or "")


def _refusal(status: int, why: str) -> tuple[str, int]:
    if status in {500, 503}:
        # Who asks, and whatever else the frame shows, is in the database, which may be what failed.
        g.person = None
        return render_template("failed.html", why=why if status == 503 else ""), status
    if status == 429:
        why = f"too many tries: wait a minute ({why})"
    return render_template("refused.html", status=status, why=why), status


def _known_to_templates() -> dict[str, object]:
    """What the frame of each page shows."""
    chosen = request.cookies.get("theme", "system")
    return {
        "person": person(),
        "Role": Role,
        "theme": chosen if chosen in THEMES else "system",
        "themes": THEMES,
        "pages": [*_pages()],
        "csrf_field": _csrf_field,
        "now": desk().clock(),
    }


def _csrf_field() -> Markup:
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())


class _Page(NamedTuple):
    name: str
    address: str
    is_here: bool


def _pages() -> Iterator[_Page]:
    """Those that whoever asks may open."""
    who, views = person(), current_app.view_functions
    for endpoint, name in PAGES.items():
        role = needed_role(views[endpoint]) if endpoint in views else None
        if who and role and who.may(role):
            address = url_for(endpoint)
            yield _Page(name, address, request.path == address or (request.path.startswith(f"{address.rstrip('/')}/") and address != "/"))
