"""An issuer of OpenID Connect: its description, keys, tokens, and what it knows of people. It checks PKCE and the client's secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import RSAKey
from werkzeug.wrappers import Request, Response

from routing.alert import Json

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CLIENT, CLIENT_SECRET = "console", "client-secret"


@dataclass(slots=True)
class Issuer:
    """What it says may be made wrong before it is asked."""

    url: str = ""
    claims: dict[str, Json] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "ann"})
    """Of whoever signs in, over those that are right."""
    more: dict[str, Json] = field(default_factory=lambda: {"sub": "u-1"})
    """What only userinfo says."""
    without: tuple[str, ...] = ()
    """Claims that are left out."""
    header: dict[str, str] = field(default_factory=lambda: {"alg": "RS256"})
    described: dict[str, Json] = field(default_factory=dict)
    """What it says of itself, over what is right."""
    has_id_token: bool = True
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    signs_with: RSAKey | None = None
    """Another key than the one that it shows."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def authorize(self, address: str) -> str:
        """Somebody signs in there; the path with which they are sent back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{urlsplit(asked['redirect_uri']).path}?{urlencode({'code': code, 'state': asked['state']})}"

    def _answer(self, request: Request) -> Response:
        match request.path:
            case "/.well-known/openid-configuration":
                return _json(self._description())
            case "/keys":
                return _json({"keys": [self.key.as_dict(private=False)]})
            case "/token":
                return self._token(request)
            case "/userinfo" if request.headers.get("Authorization") == "Bearer access":
                return _json(self.more)
        return Response(status=404)

    def _description(self) -> dict[str, Json]:
        ends = {
            f"{name}_endpoint": f"{self.url}/{name.removesuffix('orization') + 'orize' if name == 'authorization' else name}"
            for name in ENDS
        }
        return {
            "issuer": self.url,
            **ends,
            "jwks_uri": f"{self.url}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            **self.described,
        }

    def _token(self, request: Request) -> Response:
        asked = self.codes.pop(request.form["code"], None)
        by = request.authorization
        challenge = base64.urlsafe_b64encode(hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if not asked or asked["code_challenge"] != challenge or asked["code_challenge_method"] != "S256":
            return _json({"error": "invalid_grant"}, 400)
        if by is None or (by.username, by.password) != (CLIENT, CLIENT_SECRET):
            return _json({"error": "invalid_client"}, 401)
        token = {"access_token": "access", "token_type": "Bearer", "expires_in": 60}
        return _json({**token, "id_token": self._signed(asked["nonce"])} if self.has_id_token else token)

    def _signed(self, nonce: str) -> str:
        now = int(time.time())
        right: dict[str, Json] = {"iss": self.url, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce}
        claims = {name: value for name, value in {**right, **self.claims}.items() if name not in self.without}
        body = json.dumps(claims).encode()
        if self.header["alg"] == "none":
            return ".".join((_part(json.dumps(self.header).encode()), _part(body), ""))
        if self.header["alg"] == "HS256":  # by what everybody knows
            said = ".".join((_part(json.dumps(self.header).encode()), _part(body)))
            return f"{said}.{_part(hmac.digest(self.key.as_pem(private=False), said.encode(), 'sha256'))}"
        return jws.serialize_compact({"kid": "k1", **self.header}, body, self.signs_with or self.key)


ENDS = ("authorization", "token", "userinfo")


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")
