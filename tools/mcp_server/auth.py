"""The caller of an MCP request: the OS user (stdio), or the subject of a bearer token (HTTP) with the token's scopes.

A token is a signed JWT of the configured issuer, made for this server, not expired. Anything else proves nothing.

Sources: RFC 9068 (access tokens), RFC 8725 (best practice: an allow-list of asymmetric algorithms, never the token's own word).
"""

import asyncio
import getpass
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.faces import CHANNELS
from triagebook.tools.inventory.target import LOCAL
from triagebook.tools.log import log_event
from triagebook.tools.policy.identity import Account, Actor

READ, PROPOSE, APPLY, AUDIT = "triagebook:read", "triagebook:propose", "triagebook:apply", "triagebook:audit"
SCOPES = (READ, PROPOSE, APPLY, AUDIT)
RESOURCE_SCOPES: Mapping[str, str] = {"audit": AUDIT}  # by the scheme of the address; anything else: READ
SCOPE_OF: Mapping[str, str] = {"propose_fix": PROPOSE, "apply_fix": APPLY, "search_audit": AUDIT}  # anything else: READ
ACTION_OF: Mapping[str, str] = {"propose_fix": "propose", "apply_fix": "apply"}  # a tool's name in the audit log
CHANNEL = "mcp"
NOBODY = Actor(Account(CHANNELS[CHANNEL].account.name, "loopback", "anonymous"), CHANNEL)


@dataclass(frozen=True)
class Caller:
    """One account on the MCP channel. `scopes` is None where the transport has none (stdio): then the policy alone decides."""

    actor: Actor
    scopes: frozenset[str] | None = None

    @property
    def key(self) -> str:
        """The account, by which limits are counted."""
        return str(self.actor.account)

    def has_scope(self, scope: str) -> bool:
        """Tell whether the token may be used for this at all."""
        return self.scopes is None or scope in self.scopes


GetCaller = Callable[[], Caller]


def os_caller() -> Caller:
    """The OS user who runs this process. For their own diagnoses only: the server asks the kernel itself."""
    return Caller(Actor(Account(CHANNELS["cli"].account.name, "", getpass.getuser()), CHANNEL))


def scope_of(tool: str) -> str:
    """The scope that a tool needs."""
    return SCOPE_OF.get(tool, READ)


def scope_of_resource(address: str) -> str:
    """The scope that reading an address needs: the audit log is its own, whatever the policy says of the account."""
    return RESOURCE_SCOPES.get(address.partition(":")[0].strip().lower(), READ)


ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
LEEWAY_S = 10
MAX_TOKEN = 8192
MAX_KEYS = 1024 * 1024
REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.ExpiredSignatureError, "token_expired"),
    (jwt.InvalidAudienceError, "token_audience"),
    (jwt.InvalidIssuerError, "token_issuer"),
    (jwt.InvalidAlgorithmError, "token_algorithm"),
    (jwt.InvalidSignatureError, "token_signature"),
    (jwt.PyJWKClientError, "token_key"),
    (jwt.PyJWKSetError, "token_key"),
)


@dataclass(frozen=True)
class Issuer:
    """The issuer whose tokens count. `audience` is this server's address, `jwks` a URL or file of the issuer's keys."""

    issuer: str
    audience: str
    jwks: str


class IssuerKeys(Protocol):
    """Finds the key of a token."""

    def key_of(self, token: str) -> Any: ...


class RefusalCounter:
    """Counts refused credentials by reason, and tells `refused` about them at most once a second."""

    def __init__(self, refused: Callable[[Mapping[str, int]], None]) -> None:
        self._refused = refused
        self._counts: Counter[str] = Counter()
        self._lock, self._is_telling = threading.Lock(), False

    def add(self, reason: str) -> None:
        """Count one more."""
        with self._lock:
            self._counts[reason] += 1
            if self._is_telling:
                return
            self._is_telling = True
        timer = threading.Timer(1.0, self._tell)
        timer.daemon = True
        timer.start()

    def _tell(self) -> None:
        with self._lock:
            counts, self._counts, self._is_telling = dict(self._counts), Counter(), False
        self._refused(counts)


class JwtVerifier:
    """Checks tokens. The refused ones are counted by reason."""

    def __init__(self, issuer: Issuer, refused: Callable[[Mapping[str, int]], None]) -> None:
        self._issuer, self._keys, self._refusals = issuer, _keys(issuer.jwks), RefusalCounter(refused)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what the token proves, or None."""
        try:
            return await asyncio.to_thread(self.check, token)
        except (jwt.PyJWTError, ValueError, OSError) as error:
            reason = _reason(error)
            log_event("mcp.token_refused", reason=reason)
            self._refusals.add(reason)
            return None

    def check(self, token: str) -> AccessToken:
        """Verify a token. Raises PyJWTError, ValueError or OSError."""
        if len(token) > MAX_TOKEN:
            raise jwt.DecodeError("too long")
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError("not an algorithm of the allow-list")
        if str(header.get("typ", "jwt")).lower() not in TYPES or "crit" in header:
            raise jwt.DecodeError("not an access token")
        claims = jwt.decode(
            token,
            self._keys.key_of(token),
            algorithms=ALGORITHMS,
            audience=self._issuer.audience,
            issuer=self._issuer.issuer,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud", "sub"], "strict_aud": False},
        )
        subject, scope = str(claims["sub"]), claims.get("scope", claims.get("scp", ""))
        scopes = scope.split() if isinstance(scope, str) else [item for item in scope if isinstance(item, str)]
        return AccessToken(
            token=token,
            client_id=str(claims.get("client_id") or claims.get("azp") or subject),
            scopes=scopes,
            expires_at=int(claims["exp"]),
            resource=self._issuer.audience,
            subject=subject,
            claims={"iss": self._issuer.issuer},
        )


def token_caller() -> Caller:
    """The subject of the request's token. Only called after `JwtVerifier` has accepted it."""
    token = get_access_token()
    if token is None or not token.subject or not token.claims:
        raise UsageError("no verified token in this request", reason="unauthenticated")
    account = Account(CHANNELS[CHANNEL].account.name, str(token.claims["iss"]), token.subject)
    return Caller(Actor(account, CHANNEL), frozenset(token.scopes))


def _reason(error: Exception) -> str:
    return next((reason for kind, reason in REASONS if isinstance(error, kind)), "token_malformed")


@dataclass(frozen=True)
class _FileKeys:
    keys: jwt.PyJWKSet

    def key_of(self, token: str) -> Any:
        """Find it by the key's id; without an id only where there is a single key."""
        wanted = jwt.get_unverified_header(token).get("kid")
        found = [key for key in self.keys.keys if wanted is None or key.key_id == wanted]
        if len(found) != 1:
            raise jwt.PyJWKSetError("no such key")
        return found[0]


@dataclass(frozen=True)
class _FetchedKeys:
    client: jwt.PyJWKClient

    def key_of(self, token: str) -> Any:
        """Fetch it. Keys are kept for five minutes; an unknown id fetches anew at most twice a minute."""
        return self.client.get_signing_key_from_jwt(token)


def _keys(where: str) -> IssuerKeys:
    parts = urlsplit(where)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL):
        return _FetchedKeys(jwt.PyJWKClient(where, timeout=5))
    if parts.scheme:
        raise UsageError(f"{where[:200]}: the issuer's keys are fetched by https, or read from a file", reason="mcp")
    try:
        text = Path(where).read_bytes()[:MAX_KEYS]
        return _FileKeys(jwt.PyJWKSet.from_dict(json.loads(text)))
    except (OSError, ValueError, jwt.PyJWTError) as error:
        raise UsageError(f"{where}: not a JWK set: {error}", reason="mcp") from None
