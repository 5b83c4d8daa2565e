"""Signing in at an issuer of OpenID Connect: by its code, with PKCE; state, nonce and everything that the token says are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog
from authlib.integrations.base_client.errors import MismatchingStateError, OAuthError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from flask import Blueprint, flash, redirect, request, session, url_for
from flask_limiter import Limiter
from joserfc.errors import JoseError
from werkzeug.wrappers import Response

from settings import Settings
from storage import users
from storage.users import Role, User, UserError
from web.access import begin_session, is_safe_next, needs, note
from web.addresses import client_address
from web.desk import desk, leave_place

TIMEOUT_SECONDS = 5
TRIES = "30 per minute"
"""Of one address."""
AT_ONCE = 3
"""So many sign-ins that one browser has begun are kept, in its cookie."""
SIGNED_BY = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"})
"""With keys of which we know the public half alone: `none` is no signature, and by HS256 a public key would be the secret."""
NAMES = ("preferred_username", "email", "name", "sub")
"""Claims that say how somebody is called, the best first. By whom they are known is `sub`: the others change hands."""
LONGEST_SUBJECT = 255
"""OpenID Connect Core, 2."""
STATE = "_state_oidc_"
"""How Authlib's keys in the session begin."""
AFTER = "oidc_after"

Claims = Mapping[str, object]
log = structlog.get_logger()


class OidcError(Exception):
    """Nobody is signed in; the text says why and may be shown."""


def add_oidc(console: Blueprint, settings: Settings, limiter: Limiter) -> None:
    """The way there and back."""

    @console.get("/sign-in/oidc")
    @needs(None)
    @limiter.limit(TRIES)
    def oidc_begin() -> Response:
        following = request.args.get("next", "")
        leave_place()
        try:
            with _in_words():
                answer = _to_issuer(settings)
        except OidcError as error:
            return _refused(error)
        session[AFTER] = following if is_safe_next(following) else ""
        return answer

    @console.get("/sign-in/oidc/back")
    @needs(None)
    @limiter.limit(TRIES)
    def oidc_back() -> Response:
        after = session.get(AFTER) or url_for("console.overview")
        leave_place()
        try:
            with _in_words():
                user, changes = _from_issuer(settings)
        except OidcError as error:
            return _refused(error)
        begin_session(user)
        for action, detail in changes:
            note(action, f"user {user.name}", detail)
        log.info("signed_in", user_id=user.id, origin=user.origin)
        return redirect(after)


def role_of(claims: Claims, settings: Settings) -> Role:
    """What the issuer's word makes of somebody."""
    given = _values(claims, settings.oidc_role_claim)
    if given & set(settings.oidc_admins):
        return Role.ADMIN
    return Role.OPERATOR if given & set(settings.oidc_operators) else Role.VIEWER


def _to_issuer(settings: Settings) -> Response:
    client = _client(settings)
    begun = sorted((key for key in session if key.startswith(STATE)), key=lambda key: float(session[key]["exp"]))
    for old in begun[: 1 - AT_ONCE]:
        session.pop(old)
    answer: Response = client.authorize_redirect(f"{settings.public_url}/sign-in/oidc/back")
    return answer


def _from_issuer(settings: Settings) -> tuple[User, Sequence[tuple[str, str]]]:
    """Who has come back, and what that changes here."""
    client = _client(settings)
    issuer = client.server_metadata["issuer"]
    wanted = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": settings.oidc_client_id}}
    token = client.authorize_access_token(claims_options=wanted)
    claims: Claims | None = token.get("userinfo")
    if not claims:
        raise OidcError("The issuer did not say who you are: ask an admin whether the scope openid is allowed there.")
    if not _values(claims, settings.oidc_role_claim) and client.server_metadata.get("userinfo_endpoint"):
        more = client.userinfo(token=token)
        # OpenID Connect Core, 5.3.2: it may be about somebody else.
        claims = {**more, **claims} if more.get("sub") == claims["sub"] else claims
    return _user(str(issuer), claims, settings)


def _user(issuer: str, claims: Claims, settings: Settings) -> tuple[User, Sequence[tuple[str, str]]]:
    engine, subject, role = desk().engine, str(claims["sub"]), role_of(claims, settings)
    name = next(value for claim in NAMES if (value := str(claims.get(claim) or "").strip()))
    if len(subject) > LONGEST_SUBJECT:
        raise OidcError("The issuer knows you by more than OpenID Connect allows: ask an admin.")
    before = users.of_subject(engine, issuer, subject)
    if before and not before.is_active:
        raise OidcError("You have been switched off here: ask an admin of this console.")
    try:
        user = users.vouched_for(engine, issuer, subject, name=name[: users.LONGEST_NAME], role=role, now=desk().clock())
    except UserError as error:
        raise OidcError(f"You cannot be signed in: {error}.") from None
    if before is None:
        return user, [("user.add", f"{role}, sent by {issuer}")]
    return user, [] if before.role is role else [("user.role", f"{before.role} to {role}, by {issuer}")]


def _client(settings: Settings) -> FlaskOAuth2App:
    """A new one for each step: what the issuer says of itself, and its keys, are those of today."""
    client = FlaskOAuth2App(
        FlaskIntegration("oidc"),
        name="oidc",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None,
        server_metadata_url=f"{settings.oidc_issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "default_timeout": TIMEOUT_SECONDS, "leeway": 0},
    )
    known = client.load_server_metadata()
    if str(known.get("issuer", "")).rstrip("/") != settings.oidc_issuer:
        raise OidcError("The issuer calls itself otherwise than OIDC_ISSUER does: an admin has to set it as the issuer spells it.")
    known["id_token_signing_alg_values_supported"] = sorted(SIGNED_BY.intersection(known.get("id_token_signing_alg_values_supported", ())))
    return client


def _values(claims: Claims, name: str) -> set[str]:
    """What a claim says, one thing or several; `realm_access.roles` is one within another."""
    value: object = claims
    for part in [name] if name in claims else name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return set(map(str, value)) if isinstance(value, list) else {str(value)} if value else set()


@contextmanager
def _in_words() -> Iterator[None]:
    """What the libraries raise, as one thing. Of what the address of the way back says nothing is shown: anybody can write it."""
    try:
        yield
    except OidcError as error:
        log.warning("sign_in_refused", why=str(error))
        raise
    except MismatchingStateError as error:
        raise _said(error, "This sign-in was begun in another browser, or has been used already: begin again.") from None
    except OAuthError as error:
        turned_down = error.error == "access_denied"
        words = "You turned it down, or were not let in there." if turned_down else "The issuer could not sign you in: begin again."
        raise _said(error, words) from None
    except OSError as error:
        raise _said(error, "The issuer does not answer: try again in a minute, or sign in by a password.") from None
    except JoseError as error:
        raise _said(error, "What the issuer says of you cannot be trusted: begin again, or ask an admin, whose log says more.") from None
    except (ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise _said(error, "The issuer answers as no issuer should: ask an admin, whose log says more.") from None


def _said(error: Exception, words: str) -> OidcError:
    log.warning("sign_in_refused", error=type(error).__name__, detail=str(error)[:200], address=client_address())
    return OidcError(words)


def _refused(error: OidcError) -> Response:
    """To a page whose address says nothing of what came back."""
    flash(str(error), "danger")
    return redirect(url_for("console.sign_in"))
