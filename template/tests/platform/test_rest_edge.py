"""What every request to a REST API passes, whatever the routes: shown with a toy's routes."""

import json
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Annotated
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic import ByteSize

from acme_orders.platform.auth.keys import IssuerKeys
from acme_orders.platform.auth.tokens import TokenSettings
from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import Failure
from acme_orders.platform.domain import InvalidField
from acme_orders.platform.domain import Kind
from acme_orders.platform.rest.access import caller_with
from acme_orders.platform.rest.app import RestApp
from acme_orders.platform.rest.app import RestSettings
from acme_orders.platform.rest.app import create_app
from acme_orders.platform.rest.edge import SAFE_HEADERS
from acme_orders.platform.rest.edge import Edge
from acme_orders.platform.telemetry.metrics import REQUESTS

from dev.issuer import Issuer

pytestmark = pytest.mark.anyio

MAX_BODY = 100


class ToyBroken(Failure):
    """The toy is broken for now."""

    kind = Kind.UNAVAILABLE


class Toy(BaseModel):
    name: str


def register(app: FastAPI) -> None:
    @app.get("/toys/{name}")
    async def get_toy(name: str, caller: Annotated[Caller, caller_with("toys:read")]) -> Any:
        match name:
            case "broken":
                raise ToyBroken("the toy is broken")
            case "odd":
                raise InvalidField("name", "is odd")
            case "bug":
                raise RuntimeError("the password is hunter2")
        return {"name": name, "tenant": caller.tenant}

    @app.put("/toys/{name}")
    async def put_toy(name: str, toy: Toy) -> Any:
        return {"name": toy.name}


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def client(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    settings = TokenSettings(oidc_issuer=issuer.url, oidc_audience=issuer.audience)
    app = RestApp("Toys")
    register(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(issuer.app)) as to_issuer:
        keys = IssuerKeys(to_issuer, issuer.url, None, settings.oidc_algorithms)
        edge = Edge(app, TokenVerifier(settings, keys), MAX_BODY)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(edge),
            base_url="http://toys",
            headers={"Authorization": f"Bearer {issuer.token(scope='toys:read')}"},
        ) as client:
            yield client
        await keys.close()


def _problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["detail"]
    return response.status_code, problem["type"]


@pytest.mark.parametrize("path", ["/toys/bear", "/openapi.json", "/nowhere", "/docs"])
async def test_without_a_token_every_path_answers_the_same(
    client: httpx.AsyncClient,
    path: str,
) -> None:
    del client.headers["Authorization"]

    response = await client.get(path)

    assert _problem(response) == (401, "/problems/token-refused")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_told_from_a_missing_one(
    client: httpx.AsyncClient,
    issuer: Issuer,
) -> None:
    expired = issuer.token(expires_in=-3600)

    response = await client.get("/toys/bear", headers={"Authorization": f"Bearer {expired}"})

    assert _problem(response) == (401, "/problems/token-refused")
    assert response.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="the access token has expired"'
    )


async def test_two_tokens_are_none(client: httpx.AsyncClient, issuer: Issuer) -> None:
    token = f"Bearer {issuer.token(scope='toys:read')}"
    del client.headers["Authorization"]

    response = await client.get(
        "/toys/bear",
        headers=[("Authorization", token), ("Authorization", token)],
    )

    assert response.status_code == 401


async def test_a_missing_scope_is_named(client: httpx.AsyncClient, issuer: Issuer) -> None:
    token = issuer.token(scope="toys:write")

    response = await client.get("/toys/bear", headers={"Authorization": f"Bearer {token}"})

    assert _problem(response) == (403, "/problems/scope-missing")
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    assert 'scope="toys:read"' in response.headers["www-authenticate"]


async def test_the_routes_scope_is_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    assert document["paths"]["/toys/{name}"]["get"]["security"] == [{"access_token": ["toys:read"]}]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "route-not-found"),
        ("GET", "/toys/bear/", 404, "route-not-found"),
        ("DELETE", "/toys/bear", 405, "method-not-allowed"),
        ("GET", "/toys/broken", 503, "toy-broken"),
        ("GET", "/toys/odd", 422, "invalid-request"),
        ("GET", "/toys/bug", 500, "internal-error"),
        ("PUT", "/toys/bear", 422, "invalid-request"),
    ],
)
async def test_every_failure_is_a_problem(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    status: int,
    code: str,
) -> None:
    response = await client.request(method, path)

    assert _problem(response) == (status, f"/problems/{code}")


async def test_a_refused_method_is_answered_with_all_that_the_path_takes(
    client: httpx.AsyncClient,
) -> None:
    refused = await client.delete("/toys/bear")
    options = await client.options("/toys/bear")

    assert refused.headers["allow"] == options.headers["allow"] == "GET, HEAD, PUT"


async def test_head_is_get_without_the_body(client: httpx.AsyncClient) -> None:
    got = await client.get("/toys/bear")
    head = await client.head("/toys/bear")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_what_is_unavailable_says_when_to_come_back(client: httpx.AsyncClient) -> None:
    assert (await client.get("/toys/broken")).headers["retry-after"] == "1"


async def test_an_unforeseen_error_shows_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    assert "hunter2" not in (await client.get("/toys/bug")).text


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed-body"),
        (b"\xff", "application/json", 400, "malformed-body"),
        (b"[" * 99, "application/json", 400, "malformed-body"),
        (b"[]", "application/json", 422, "invalid-request"),
        (b'{"name": 1}', "application/json; charset=utf-8", 422, "invalid-request"),
        (b"{}", "text/plain", 415, "unsupported-media-type"),
        (b"{}", "", 415, "unsupported-media-type"),
        (b"x" * (MAX_BODY + 1), "application/json", 413, "body-too-large"),
    ],
)
async def test_a_body_that_cannot_be_used_is_refused(
    client: httpx.AsyncClient,
    body: bytes,
    content_type: str,
    status: int,
    code: str,
) -> None:
    response = await client.put("/toys/x", content=body, headers={"Content-Type": content_type})

    assert _problem(response) == (status, f"/problems/{code}")


async def test_a_body_of_unannounced_length_is_cut_off_at_the_limit(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def long() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += MAX_BODY // 2
            yield b" " * (MAX_BODY // 2)

    response = await client.put("/toys/x", content=long())

    assert _problem(response) == (413, "/problems/body-too-large")
    assert sent <= 2 * MAX_BODY


async def test_a_body_up_to_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    body = json.dumps({"name": "bear"}).ljust(MAX_BODY).encode()

    response = await client.put(
        "/toys/x",
        content=body,
        headers={"Content-Type": "application/json"},
    )

    assert response.json() == {"name": "bear"}


async def test_wrong_fields_are_named_and_not_repeated(client: httpx.AsyncClient) -> None:
    response = await client.put("/toys/x", json={"name": {"secret": "hunter2"}})

    assert [error["field"] for error in response.json()["errors"]] == ["name"]
    assert "hunter2" not in response.text


@pytest.mark.parametrize("path", ["/toys/bear", "/nowhere", "/toys/bug", "/toys/broken"])
async def test_every_answer_has_the_safe_headers(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    given = set(response.headers.raw)
    assert {name for name, _ in SAFE_HEADERS} <= {name for name, _ in given}
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_the_correlation_id_comes_back(client: httpx.AsyncClient) -> None:
    own = await client.get("/toys/bear", headers={"X-Correlation-Id": "abc-1"})
    hostile = await client.get("/toys/bear", headers={"X-Correlation-Id": 'a"b <script>'})

    assert own.headers["x-correlation-id"] == "abc-1"
    assert hostile.headers["x-correlation-id"] not in ("", 'a"b <script>')


async def test_requests_are_counted_by_the_routes_template(client: httpx.AsyncClient) -> None:
    def count(method: str, route: str, status: str) -> float:
        return float(REQUESTS.labels("rest", method, route, status)._value.get())

    before = count("GET", "/toys/{name}", "200")
    await client.get("/toys/bear")
    await client.get("/toys/ball")
    await client.request("BREW", "/tea-1")

    assert count("GET", "/toys/{name}", "200") == before + 2
    assert count("other", "unrouted", "404") >= 1


async def test_a_client_that_goes_away_is_no_error(
    issuer: Issuer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = TokenSettings(oidc_issuer=issuer.url, oidc_audience=issuer.audience)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(issuer.app)) as to_issuer:
        keys = IssuerKeys(to_issuer, issuer.url, None, settings.oidc_algorithms)
        edge = Edge(RestApp("Toys"), TokenVerifier(settings, keys), MAX_BODY)
        token = f"Bearer {issuer.token()}".encode()
        scope = {
            "type": "http",
            "method": "PUT",
            "path": "/toys/x",
            "headers": [(b"authorization", token)],
        }
        await edge(scope, receive, send)
        await keys.close()

    assert "request.failed" not in capsys.readouterr().out


async def test_a_package_without_handlers_makes_an_api_without_routes(issuer: Issuer) -> None:
    empty = ModuleType("empty")
    empty.__path__ = []
    settings = TokenSettings(oidc_issuer=issuer.url, oidc_audience=issuer.audience)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(issuer.app)) as to_issuer:
        keys = IssuerKeys(to_issuer, issuer.url, None, settings.oidc_algorithms)
        verifier = TokenVerifier(settings, keys)
        app = create_app("Empty", verifier, RestSettings(rest_max_body=ByteSize(1)), empty, None)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://empty") as client:
            stranger = await client.get("/")
            token = {"Authorization": f"Bearer {issuer.token()}"}
            caller = await client.get("/", headers=token)
        await keys.close()

    assert (stranger.status_code, caller.status_code) == (401, 404)
