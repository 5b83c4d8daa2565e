"""The web process: takes webhooks, keeps them durably, answers. It decides nothing and waits for nobody but the database."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, abort, jsonify, request
from werkzeug.exceptions import HTTPException

import cli
import telemetry
from notifiers import trial
from notifiers.configuration import missing_credentials, read_rules
from notifiers.limits import limits
from notifiers.waking import wakes
from routing.rules import RuleSet
from routing.sentry import verify_signature
from settings import Settings, SettingsError, variables_here
from storage.database import OutOfReachError, SchemaError, check_schema, open_database
from storage.intake import Intake, StorageError
from storage.queue import PLAN, BackgroundBell, Bell
from storage.redis_connection import AddressError, check_options
from storage.refusals import RefusalCounter
from storage.spool import FolderError, Spool, check_folder
from watch.alarm import Alarm
from watch.roster import of_web
from watch.rounds import keep_going_round
from web.api import problems
from web.changes import add_changes
from web.console import add_console
from web.desk import Desk
from web.intake import Keeper, accepted, check_token, whole_body
from web.pages.sign_in import say_first_admin
from web.rules_in_force import rules_in_force

SIGNATURE_HEADERS = ("Sentry-Hook-Signature", "Sentry-App-Signature")
RESOURCE_HEADER = "Sentry-Hook-Resource"

WEBHOOKS = ("/webhooks/", "/slack/")

PATHS = {
    "slack": "/slack/interactions/",
    "pagerduty": "/webhooks/pagerduty/",
    "jira": "/webhooks/jira/",
    "legacy": "/webhooks/sentry/legacy/",
    "glitchtip": "/webhooks/glitchtip/",
    "sentry": "/webhooks/sentry/",
}
"""Refusals are counted by these."""

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = structlog.get_logger()


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application and the `flask` commands, wired from the environment unless settings are given.

    Opens no connection: commands that mend the database need an application, too.

    Raises:
        SystemExit: no settings are given, and the environment does not describe a service that can start.
    """
    if settings is None and cli.is_doctor_called(sys.argv):
        return cli.doctors_app(variables_here())
    settings = settings or _settings_of_the_environment()
    telemetry.configure(settings)
    app = Flask("alert-router", static_folder=None, static_url_path="/static")
    engine = open_database(settings.database)
    cli.register(app, settings, engine)
    intake = Intake(open_database(settings.database, must_answer=True))
    spool = Spool(settings.spool_dir, partial(_store, intake)) if settings.spool_dir else None
    bell = Bell(settings.redis_url)
    keep = keeper(intake, BackgroundBell(bell, PLAN), spool)
    add_console(app, _desk(settings, bell))
    receiver = make_receiver(settings, keep)
    refusals = RefusalCounter(engine, lambda: datetime.now(UTC))
    for one in (app, receiver):
        one.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
        add_refusals(one, refusals)
    _put_in_front(app, receiver)
    return app


def make_receiver(settings: Settings, keep: Keeper) -> Flask:
    """What takes webhooks: an application of their own, for what the console does before and after each request took a fifth of each."""
    receiver = Flask("receiver", static_folder=None)
    add_webhooks(receiver, settings, keep)
    add_changes(receiver, settings, keep)
    return receiver


def _put_in_front(app: Flask, receiver: Flask) -> None:
    console = app.wsgi_app

    def by_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answers = receiver.wsgi_app if environ["PATH_INFO"].startswith(WEBHOOKS) else console
        return answers(environ, start_response)

    app.wsgi_app = by_path  # type: ignore[method-assign]  # as Flask's documentation has it


def _desk(settings: Settings, bell: Bell) -> Desk:
    """What the console stands on: connections of its own, so that no page takes those of the webhooks."""
    return Desk(
        settings=settings,
        engine=open_database(settings.database),
        clock=lambda: datetime.now(UTC),
        ring=bell.ring,
        read_rules=lambda text, included: read_rules(text, settings, included),
        limits=limits(settings),
        missing=lambda rules: missing_credentials(rules, settings),
        test_message=lambda receiver, who: trial.rendered(receiver, who, datetime.now(UTC)),
        send_test=lambda receiver, who: trial.send(receiver, who, settings, lambda: datetime.now(UTC)),
        wakes=wakes,
    )


def serve() -> Flask:
    """What the web server loads: the application, once its database is known to be ready.

    Raises:
        SystemExit: with what is wrong and what to do.
    """
    try:
        settings = Settings.load()
        check_options(settings.redis_url)
        if settings.spool_dir:
            check_folder(settings.spool_dir)
        is_there = _check_database(settings)
        app = create_app(settings)
        telemetry.write_behind()
        if is_there:
            say_first_admin(app, settings)
        watch_workers(app, settings)
    except (SettingsError, SchemaError, AddressError, FolderError) as error:
        raise SystemExit(f"the web process cannot start:\n{error}") from None
    return app


def watch_workers(app: Flask, settings: Settings) -> None:
    """Look from this process after what no worker can tell: that none lives, or gets on, and that the database takes nothing."""
    at: Desk = app.extensions["desk"]

    def rules() -> RuleSet | None:
        with app.app_context():
            return rules_in_force()

    looked_at, alarm = of_web(settings, at.engine, rules, at.clock), Alarm(settings, at.engine, rules, at.clock)
    Thread(target=keep_going_round, args=(looked_at, alarm, Event()), name="watch", daemon=True).start()


def _check_database(settings: Settings) -> bool:
    """It must be ready; or away, if there is a spool for what comes meanwhile. Whether it is there."""
    try:
        check_schema(open_database(settings.database))
    except OutOfReachError as error:
        if settings.spool_dir is None:
            raise
        log.warning("database_away", error=str(error), effect="events are spooled until it is back")
        return False
    return True


def _settings_of_the_environment() -> Settings:
    """For the `flask` commands, whose user is to see what is missing and no trace."""
    try:
        settings = Settings.load()
        check_options(settings.redis_url)
        open_database(settings.database)
    except (SettingsError, SchemaError, AddressError) as error:
        raise SystemExit(f"the command cannot run:\n{error}") from None
    return settings


def _store(intake: Intake, resource: str, body: bytes, received_at: datetime) -> None:
    intake.store(resource=resource, body=body, received_at=received_at)


def keeper(intake: Intake, bell: BackgroundBell, spool: Spool | None = None) -> Keeper:
    """What keeps an event durably, rings, and gives its number; where the database is away, and there is a spool, it has none yet."""

    def keep(resource: str, body: bytes) -> int | None:
        now = datetime.now(UTC)
        if spool is None or spool.is_empty:
            try:
                return stored(resource, body, now)
            except StorageError:
                if spool is None:
                    raise
        spool.append(resource, body, now)
        log.info("event_spooled", resource=resource)
        return None

    def stored(resource: str, body: bytes, now: datetime) -> int:
        event_id, is_new = intake.store(resource=resource, body=body, received_at=now)
        bell.ring()
        log.info("event_accepted", event_id=event_id, resource=resource, is_new=is_new)
        return event_id

    return keep


def add_webhooks(app: Flask, settings: Settings, keep: Keeper) -> None:
    """The paths that Sentry and its likes post to."""
    secrets = settings.client_secrets

    def accept(resource: str) -> tuple[Response, int]:
        """Keep the body, and say so."""
        return accepted(keep(resource, whole_body(settings.max_body_bytes)))

    @app.post("/webhooks/sentry")
    def take_sentry() -> tuple[Response, int]:
        """An integration's webhook: the signature is checked over the bytes as they came, before anything reads them."""
        signatures = [request.headers[header] for header in SIGNATURE_HEADERS if header in request.headers]
        if secrets and not verify_signature(whole_body(settings.max_body_bytes), signatures, secrets):
            abort(401, "the signature does not fit the body: check SENTRY_CLIENT_SECRETS against the integration's Client Secret")
        # The signature does not cover the header: without a colon it cannot name an event of our own (routing/own_events.py).
        return accept(request.headers.get(RESOURCE_HEADER, "").replace(":", "")[:64])

    @app.post("/webhooks/sentry/legacy/<token>")
    def take_legacy(token: str) -> tuple[Response, int]:
        """A webhook of the legacy WebHooks plugin, which signs nothing (sentry-webhooks, part 1)."""
        check_token(token, settings.legacy_webhook_token)
        return accept("legacy")

    @app.post("/webhooks/glitchtip/<token>")
    def take_glitchtip(token: str) -> tuple[Response, int]:
        """A webhook of a GlitchTip server, which signs nothing either."""
        check_token(token, settings.legacy_webhook_token)
        return accept("glitchtip")

    @app.errorhandler(StorageError)
    def answer_unavailable(error: StorageError) -> tuple[Response, int]:
        """Nothing is stored, so nothing may be promised."""
        log.error("event_not_stored", error=str(error))
        return jsonify(status=503, detail="the event could not be stored; send it again"), 503


def add_refusals(app: Flask, refusals: RefusalCounter) -> None:
    """What is answered where something is wrong with a request; of the request only the count is kept."""

    @app.errorhandler(HTTPException)
    def answer_refused(error: HTTPException) -> Response | tuple[Response, int]:
        """What is wrong, for the program that asked."""
        if request.path.startswith(problems.PATH):
            return problems.answer(error)
        status = error.code or 500
        path = f"{request.path.rstrip('/')}/"
        refusals.count(next((name for name, start in PATHS.items() if path.startswith(start)), "other"), status)
        return jsonify(status=status, detail=error.description), status
