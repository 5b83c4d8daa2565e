"""The one door to the network: one request each, with time-outs, without redirects, and errors that carry no secret.

Knows HTTP and its clients; what an answer's body means is each vendor module's business.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead, InvalidURL
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import urllib3
from pydantic import BaseModel, SecretStr, ValidationError
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from notifiers.addresses import public_address
from notifiers.connections import Connections, Peer, ask
from notifiers.errors import DeliveryError, PermanentError, RetryableError
from notifiers.wording import cut, one_line

if TYPE_CHECKING:
    import requests

AnswerT = TypeVar("AnswerT", bound=BaseModel)

LONGEST_RETRY_AFTER = timedelta(minutes=15)
MAX_BODY_BYTES = 1024 * 1024
"""No vendor answers with more, a page of a channel's history included; the rest is not read."""
MAX_EXCERPT = 300


class Timeouts(NamedTuple):
    """In the order in which requests takes them. The second one bounds the wait for each piece of the answer."""

    connect_seconds: float = 3.05
    read_seconds: float = 10.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer with a status of 2xx."""

    status: int
    headers: Mapping[str, str]
    body: str


class _Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Network:
    """Sends requests over connections that stay open. Threads may share it; a fork must not.

    Proxies of the environment are not used, redirects not followed, nothing is sent twice.
    """

    def __init__(self, timeouts: Timeouts = DEFAULT_TIMEOUTS, *, address_of: Callable[[str, int], str] = public_address) -> None:
        """`address_of` gives the number to call for a host and port of `post_to_public`, or raises a DeliveryError."""
        self.timeouts = timeouts
        self._address_of = address_of
        self._tls_lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        self._connections = Connections(**timeouts._asdict())

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr] = ()) -> Response:
        """Send one POST; return the answer if it is a yes.

        Args:
            url: no error shows it.
            body: as it goes over the wire.
            headers: all but Host and Content-Length.
            secrets: what no error may show, even if the vendor echoes it.

        Raises:
            RetryableError, PermanentError: as `error_of` and `error_without_answer` say.
        """
        with _translated_errors():
            target = _parsed(url)
            return self._exchange(self._peer(target), _Request("POST", target.request_uri, headers, body), secrets)

    def get(self, url: str, *, headers: Mapping[str, str], secrets: Sequence[SecretStr] = ()) -> Response:
        """Ask something that changes nothing; as `post`."""
        with _translated_errors():
            target = _parsed(url)
            return self._exchange(self._peer(target), _Request("GET", target.request_uri, headers), secrets)

    def post_to_public(self, url: str, *, body: bytes, headers: Mapping[str, str], secrets: Sequence[SecretStr] = ()) -> Response:
        """As `post`, but only to an address of the public internet: the one that was checked is the one that is called.

        Raises:
            PermanentError: also if the host is, or its name leads to, a private address.
            RetryableError: also if the name cannot be resolved.
        """
        with _translated_errors():
            target = _parsed(url)
            named = self._peer(target)
            address = self._address_of(named.host, named.port)
            # Without the name, TLS would check the certificate against the number.
            peer = named._replace(host=address, server_name=named.host if named.tls else None)
            request = _Request("POST", target.request_uri, {**headers, "Host": target.netloc or named.host}, body)
            return self._exchange(peer, request, secrets)

    def time_at(self, url: str) -> datetime | None:
        """What the other side takes the time to be, by the Date of its answer to a HEAD, whatever its status; None if it does not say.

        Raises:
            RetryableError, PermanentError: it cannot be asked.
        """
        with _translated_errors():
            target = _parsed(url)
            with (
                self._connections.borrowed(self._peer(target)) as connection,
                ask(connection, "HEAD", target.request_uri, {}, None) as answer,
            ):
                said = answer.getheader("Date") or ""
        try:
            return parsedate_to_datetime(said).astimezone(UTC)
        except (ValueError, TypeError):
            return None

    def reach(self, url: str) -> datetime | None:
        """Connect and say nothing; until when the other side's certificate is good, None where the address is without TLS.

        Raises:
            RetryableError, PermanentError: no connection, as `post`.
        """
        with _translated_errors():
            return self._until(self._peer(_parsed(url)))

    def reach_public(self, url: str) -> datetime | None:
        """As `reach`, but only at an address of the public internet, as `post_to_public`."""
        with _translated_errors():
            named = self._peer(_parsed(url))
            address = self._address_of(named.host, named.port)
            return self._until(named._replace(host=address, server_name=named.host if named.tls else None))

    def _until(self, peer: Peer) -> datetime | None:
        with self._connections.borrowed(peer) as connection:
            return good_until(connection.sock)

    def _peer(self, url: urllib3.util.Url) -> Peer:
        host = (url.host or "").strip("[]")
        if url.scheme == "https":
            return Peer(host, url.port or 443, self._tls_context())
        return Peer(host, url.port or 80)

    def _tls_context(self) -> ssl.SSLContext:
        """One for all connections: to load the certificates anew for each would cost 40 ms."""
        with self._tls_lock:
            self._tls = self._tls or ssl.create_default_context()
            return self._tls

    def _exchange(self, peer: Peer, request: _Request, secrets: Sequence[SecretStr]) -> Response:
        with (
            self._connections.borrowed(peer) as connection,
            ask(connection, *request) as answer,
        ):
            text = _read(answer, within_seconds=self.timeouts.read_seconds)
            if not answer.isclosed():
                connection.close()
        headers = HTTPHeaderDict(answer.getheaders())
        if error := error_of(answer.status, headers, text, secrets=secrets):
            raise error
        return Response(status=answer.status, headers=headers, body=text)


def good_until(sock: object) -> datetime | None:
    """Until when the certificate at the other end of a connection is good; None if it is not encrypted."""
    if not isinstance(sock, ssl.SSLSocket):
        return None
    ends = (sock.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None


def error_of(status: int, headers: Mapping[str, str], body: str, *, secrets: Sequence[SecretStr] = ()) -> DeliveryError | None:
    """The table by which every kind judges an HTTP answer; None for 2xx.

    A 5xx may come from something behind which the message went out, so it is ambiguous. A redirect was answered by
    something in front of the vendor (a proxy, a moved host), so nothing was done.
    """
    if 200 <= status < 300:
        return None
    text = _status_text(status, body, secrets)
    if 300 <= status < 400:
        return RetryableError(f"{text} (a redirect is not followed: check the address)", status_code=status)
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS} or status >= 500:
        return RetryableError(text, status_code=status, retry_after=retry_after(headers), ambiguous=status >= 500)
    return PermanentError(text, status_code=status, answer=redact(body, secrets))


def error_without_answer(error: Exception) -> DeliveryError:
    """What a failure of the network means: certainly nothing was sent, or perhaps it was.

    Args:
        error: of urllib3, or one that requests made of it.
    """
    error = _innermost(error)
    if isinstance(error, LocationValueError):
        return PermanentError("the address cannot be used")
    if reason := _why_unconnected(error):
        return RetryableError(f"no connection: {reason}")
    if isinstance(error, ReadTimeoutError):
        return RetryableError("no answer within the time limit", ambiguous=True)
    return _broken(error)


def read_answer(response: Response, model: type[AnswerT], *, secrets: Sequence[SecretStr] = ()) -> AnswerT:
    """The body of a yes, as its vendor documents it.

    Raises:
        RetryableError: it is not that; a proxy or a gateway may have spoken in the vendor's place, so it is ambiguous.
    """
    try:
        return model.model_validate_json(response.body)
    except ValidationError:
        text = f"HTTP {response.status}, but not the vendor's answer: {excerpt(response.body, secrets) or 'empty'}"
        raise RetryableError(text, status_code=response.status, ambiguous=True) from None


@contextmanager
def translate_requests_errors(*, secrets: Sequence[SecretStr] = ()) -> Iterator[None]:
    """Turn what requests, and the clients that sit on it, raise into our errors; their texts hold whole addresses and are dropped."""
    # Here, not above: requests and the SDKs on it cost 0.15 s and 20 MB each, and a worker without such receivers needs none.
    import requests  # noqa: PLC0415

    try:
        yield
    except requests.RequestException as error:
        raise _error_of_requests(error, secrets) from None
    except HTTPError as error:
        raise error_without_answer(error) from None


def sealed(session: requests.Session) -> None:
    """Set a session of requests as `Network` is set: no redirects, nothing from the environment (.netrc, proxies)."""
    session.trust_env = False
    session.max_redirects = 0


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The vendor's wish (RFC 9110, 10.2.3), at most 15 minutes; None if there is none that can be read.

    A date counts from the answer's own Date header, so that no clock but the vendor's is asked.
    """
    found = {name.lower(): value.strip() for name, value in headers.items() if name.lower() in {"retry-after", "date"}}
    wish = found.get("retry-after", "")
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", wish):
        return min(timedelta(seconds=float(wish)), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(wish) - parsedate_to_datetime(found.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(timedelta(), min(wait, LONGEST_RETRY_AFTER))


def redact(text: str, secrets: Sequence[SecretStr]) -> str:
    """The text without the secrets. Of an address also its long parts go: a vendor's error may quote only the path."""
    parts = {part for secret in secrets for part in _parts(secret.get_secret_value())}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return text


def excerpt(body: str, secrets: Sequence[SecretStr] = ()) -> str:
    """The beginning of an answer, fit to be stored and shown."""
    return cut(one_line(redact(body, secrets)), MAX_EXCERPT)


def _read(answer: HTTPResponse, *, within_seconds: float) -> str:
    """The beginning of the body; an endless or dripping one costs neither memory nor, beyond the limit, time."""
    deadline = time.monotonic() + within_seconds
    body = bytearray()
    while len(body) < MAX_BODY_BYTES and time.monotonic() < deadline:
        # As it comes, never unpacked: we ask for no compression, and what comes compressed all the same may be a bomb.
        piece = answer.read1(MAX_BODY_BYTES - len(body))
        if not piece:
            if answer.length:
                raise IncompleteRead(b"", answer.length)
            answer.close()
            break
        body += piece
    return body.decode("utf-8", "replace")


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        raise error_without_answer(error) from None
    except (ValueError, InvalidURL):
        # http.client quotes the offending header, which may be a token.
        raise PermanentError("the address or a header holds a character that HTTP does not allow") from None
    except TimeoutError:
        raise RetryableError("no answer within the time limit", ambiguous=True) from None
    except (HTTPException, OSError) as error:
        raise _broken(error) from None


def _parsed(url: str) -> urllib3.util.Url:
    parsed = urllib3.util.parse_url(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise LocationValueError("no address of HTTP")
    return parsed


def _error_of_requests(error: requests.RequestException, secrets: Sequence[SecretStr]) -> DeliveryError:
    import requests  # noqa: PLC0415 - as in translate_requests_errors, which has loaded it

    if isinstance(error, requests.JSONDecodeError):
        return RetryableError("the answer is not JSON: a proxy or a gateway may have spoken", ambiguous=True)
    if error.response is not None and (
        refusal := error_of(error.response.status_code, error.response.headers, error.response.text, secrets=secrets)
    ):
        return refusal
    if isinstance(error, ValueError):  # so requests marks a bad address or header
        return PermanentError("the address or a header cannot be used")
    return error_without_answer(error)


def _innermost(error: Exception) -> Exception:
    """What urllib3 itself raised: requests and MaxRetryError wrap it."""
    while True:
        inner = error.reason if isinstance(error, MaxRetryError) else error.args[0] if error.args else None
        if not isinstance(inner, HTTPError):
            return error
        error = inner


def _broken(error: Exception) -> RetryableError:
    return RetryableError(f"the connection broke before the answer was complete ({type(error).__name__})", ambiguous=True)


def _why_unconnected(error: Exception) -> str | None:
    if isinstance(error, NameResolutionError):
        return "the host name could not be resolved"
    if isinstance(error, NewConnectionError):
        cause = error.__cause__
        return (isinstance(cause, OSError) and cause.strerror) or "the host did not take it"
    if isinstance(error, ConnectTimeoutError):
        return "none within the time limit"
    if error.args and isinstance(error.args[0], ssl.SSLCertVerificationError):
        return f"the certificate was not accepted: {error.args[0].verify_message}"
    return None


def _status_text(status: int, body: str, secrets: Sequence[SecretStr]) -> str:
    try:
        name = f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = f"HTTP {status}"
    return ": ".join(filter(None, (name, excerpt(body, secrets))))


def _parts(secret: str) -> Iterator[str]:
    if secret:
        yield secret
    if "://" in secret:
        yield from (part for part in re.split(r"[/?&=#]", secret.partition("://")[2])[1:] if len(part) >= 16)
