"""The issuer's public keys: fetched, kept, and fetched again when old or when one is missing."""

import asyncio
import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import httpx
import structlog
from jwt import PyJWK
from jwt import PyJWTError

from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import Kind

log = structlog.get_logger(__name__)

MAX_AGE = 600.0
"""Seconds after which keys are fetched again, behind the requests: a withdrawn key ends here."""
COOLDOWN = 10.0
"""Seconds between fetches, so that strangers with invented key ids cannot flood the issuer."""
FIRST_COOLDOWN = 1.0
"""The same while no key is known, since until then nobody can be served."""
FETCH_DEADLINE = 5.0
MAX_DOCUMENT = 256 * 1024

KEY_TYPES = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that may be allowed, and the key type and curve of each (RFC 7518, 8037)."""


class IssuerUnavailable(Failure):
    """The key of the access token is not known yet, and the token issuer does not answer."""

    kind = Kind.UNAVAILABLE


class UnknownKey(Exception):
    """The issuer has no such key."""


class UnusableDocument(Exception):
    """The issuer answered something else than what was asked for."""


class IssuerKeys:
    """The keys of one issuer, by key id and algorithm.

    A request waits for the issuer only if it names a key that is not known.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        issuer: str,
        jwks_url: str | None,
        algorithms: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._algorithms = algorithms
        self._clock = clock
        self._keys: dict[tuple[str, str], PyJWK] = {}
        self._failed = False
        self._fetched_at = 0.0
        self._ended_at = float("-inf")
        self._fetch: asyncio.Task[None] | None = None
        self.generation = 0
        """Changes when the keys do."""

    async def get(self, kid: str, algorithm: str) -> PyJWK:
        """Return the key.

        Raises:
            UnknownKey: the issuer does not publish it.
            IssuerUnavailable: it is not known, and the issuer does not answer.
        """
        key = self._keys.get((kid, algorithm))
        if key is None:
            await self._refetch()
            key = self._keys.get((kid, algorithm))
        else:
            self.refresh()
        if key is not None:
            return key
        if self._failed:
            raise IssuerUnavailable("the token issuer cannot be reached; try again later")
        raise UnknownKey

    def refresh(self) -> None:
        """Start a fetch behind the requests, if the keys are old."""
        if self._clock() - self._fetched_at > MAX_AGE:
            self._start()

    async def ready(self) -> None:
        """Return once keys have been known; they stay good when the issuer goes away.

        Raises:
            IssuerUnavailable: the issuer has not answered yet.
        """
        if not self._keys:
            await self._refetch()
        if not self._keys:
            raise IssuerUnavailable("the token issuer has not answered yet")

    async def close(self) -> None:
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.gather(self._fetch, return_exceptions=True)

    async def _refetch(self) -> None:
        fetch = self._start()
        if fetch is not None:
            # Shielded: callers share it, and one that goes away must not take it from the others.
            await asyncio.shield(fetch)

    def _start(self) -> asyncio.Task[None] | None:
        """Return the fetch that is under way, or a new one; None while it is too early."""
        if self._fetch is not None and not self._fetch.done():
            return self._fetch
        cooldown = COOLDOWN if self._keys else FIRST_COOLDOWN
        if self._clock() - self._ended_at < cooldown:
            return None
        self._fetch = asyncio.create_task(self._fetch_keys(), name="issuer-keys")
        return self._fetch

    async def _fetch_keys(self) -> None:
        try:
            async with asyncio.timeout(FETCH_DEADLINE):
                document = await self._document(self._jwks_url or await self._discover())
            keys = self._usable(document)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnusableDocument) as error:
            self._failed = True
            log.warning("auth.keys_unavailable", issuer=self._issuer, error=repr(error))
        else:
            self._failed = False
            self._fetched_at = self._clock()
            self._replace(keys)
        finally:
            self._ended_at = self._clock()

    def _replace(self, keys: dict[tuple[str, str], PyJWK]) -> None:
        if _materials(keys) != _materials(self._keys):
            self.generation += 1
            kids = sorted({kid for kid, _ in keys})
            log.info("auth.keys_changed", issuer=self._issuer, key_ids=kids)
        self._keys = keys

    async def _discover(self) -> str:
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self._document(url)
        # OpenID Connect Discovery 1.0, 4.3: otherwise one issuer could speak for another.
        if document.get("issuer") != self._issuer:
            raise UnusableDocument("the discovery document is another issuer's")
        jwks_uri = document.get("jwks_uri")
        schemes = ("https://",) if self._issuer.startswith("https://") else ("https://", "http://")
        if not isinstance(jwks_uri, str) or not jwks_uri.startswith(schemes):
            raise UnusableDocument("the discovery document has no jwks_uri that can be trusted")
        return jwks_uri

    async def _document(self, url: str) -> dict[str, Any]:
        body = bytearray()
        async with self._client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise UnusableDocument(f"{url} answered {answer.status_code}")
            async for part in answer.aiter_bytes(16 * 1024):
                body += part
                if len(body) > MAX_DOCUMENT:
                    raise UnusableDocument(f"{url} answered more than {MAX_DOCUMENT} bytes")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise UnusableDocument(f"{url} answered no JSON") from error
        if not isinstance(document, dict):
            raise UnusableDocument(f"{url} answered no JSON object")
        return document

    def _usable(self, document: dict[str, Any]) -> dict[tuple[str, str], PyJWK]:
        """Return the keys that may verify a token, once for each algorithm of theirs."""
        jwks = document.get("keys")
        keys = dict(self._verifying(jwks if isinstance(jwks, list) else []))
        if not keys:
            raise UnusableDocument("the issuer publishes no key that can be used")
        return keys

    def _verifying(self, jwks: list[Any]) -> Iterator[tuple[tuple[str, str], PyJWK]]:
        for jwk in jwks:
            if not isinstance(jwk, dict) or not isinstance(kid := jwk.get("kid"), str):
                continue
            if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
                continue
            for algorithm in self._algorithms:
                if jwk.get("alg", algorithm) != algorithm or not _fits(jwk, algorithm):
                    continue
                try:
                    yield (kid, algorithm), PyJWK(jwk, algorithm)
                except (PyJWTError, ValueError, TypeError) as error:
                    log.warning("auth.key_unusable", key_id=kid, error=repr(error))


def _fits(jwk: dict[str, Any], algorithm: str) -> bool:
    kty, curve = KEY_TYPES[algorithm]
    return jwk.get("kty") == kty and curve in (None, jwk.get("crv"))


def _materials(keys: dict[tuple[str, str], PyJWK]) -> dict[tuple[str, str], Any]:
    return {name: key.Algorithm.to_jwk(key.key) for name, key in keys.items()}
