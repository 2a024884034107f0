"""A token issuer for development and tests: real keys, real JWKS, and a token for whoever asks."""

import argparse
import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from collections.abc import Sequence
from contextlib import asynccontextmanager
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import ECAlgorithm
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response
from starlette.routing import Route

from acme_orders.platform.server import serve_http

PREFERRED_PORT = 8901
LIFETIME = 3600


def provides(url: str) -> dict[str, str]:
    """Return what processes read to find it."""
    return {"OIDC_ISSUER": url}


class Key:
    """A private key, its algorithm and its id."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.id = f"{algorithm.lower()}-{uuid4().hex[:8]}"
        self.private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, Any]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            fields = RSAAlgorithm.to_jwk(public, as_dict=True)
        else:
            fields = ECAlgorithm.to_jwk(public, as_dict=True)
        fields.pop("key_ops", None)
        return {**fields, "kid": self.id, "use": "sig", "alg": self.algorithm}


class Issuer:
    """Signs tokens, and publishes the keys that verify them.

    The newest key of an algorithm signs; older ones stay published until a rotation drops them.
    """

    audience = "acme-orders"

    def __init__(self, url: str = "http://issuer.invalid", keys: Sequence[Key] = ()) -> None:
        self.url = url
        self.keys = [*keys] or [Key("RS256"), Key("ES256")]
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/jwks", self._jwks),
                Route("/token", self._token, methods=["POST"]),
                Route("/rotate", self._rotate, methods=["POST"]),
            ],
        )

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.jwk for key in self.keys]}

    def key(self, algorithm: str = "RS256") -> Key:
        """Return the key that signs."""
        return next(key for key in reversed(self.keys) if key.algorithm == algorithm)

    def token(
        self,
        algorithm: str = "RS256",
        expires_in: float = LIFETIME,
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a token of tenant `acme`, without scopes; a claim of None is left out."""
        key = self.key(algorithm)
        now = int(time.time())
        merged = {
            "iss": self.url,
            "aud": self.audience,
            "sub": "developer",
            "tenant": "acme",
            "iat": now,
            "exp": int(now + expires_in),
            "jti": uuid4().hex,
            **claims,
        }
        return jwt.encode(
            {name: value for name, value in merged.items() if value is not None},
            key.private,
            algorithm,
            headers={"kid": key.id, "typ": "at+jwt", **(headers or {})},
        )

    def rotate(self, *, keep_old: bool = True) -> None:
        """Sign with new keys from now on; the old ones stay published, or not."""
        self.keys = [*(self.keys if keep_old else []), Key("RS256"), Key("ES256")]

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on a free port of this machine, or on `port`; the URL becomes the issuer's name."""
        port = port or _free_port()
        self.url = f"http://127.0.0.1:{port}"
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_http(self.app, "127.0.0.1", port, stop, variable="--port"))
            await _accepting(port)
            try:
                yield self.url
            finally:
                stop.set()

    async def _discovery(self, _: Request) -> Response:
        ends = {"jwks_uri": f"{self.url}/jwks", "token_endpoint": f"{self.url}/token"}
        return JSONResponse({"issuer": self.url, **ends})

    async def _jwks(self, _: Request) -> Response:
        return JSONResponse(self.jwks)

    async def _token(self, request: Request) -> Response:
        """Give a token to whoever asks (form or JSON): sub, tenant, scope, roles, expires_in."""
        try:
            asked = await _fields(request)
            expires_in = float(asked.get("expires_in", LIFETIME))
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)
        roles = asked.get("roles", [])
        names = ("sub", "tenant", "scope", "aud")
        claims: dict[str, Any] = {name: asked[name] for name in names if name in asked}
        claims["roles"] = roles.split() if isinstance(roles, str) else roles
        token = self.token(expires_in=expires_in, **claims)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": int(expires_in)}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def _rotate(self, request: Request) -> Response:
        self.rotate(keep_old=request.query_params.get("keep_old", "true") != "false")
        return JSONResponse(self.jwks)


async def _fields(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        fields = json.loads(body)
        if not isinstance(fields, dict):
            raise TypeError("a JSON object is needed")
        return fields
    return dict(parse_qsl(body.decode()))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _accepting(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return


async def _main(port: int) -> None:
    async with Issuer().serve(port) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args().port))
