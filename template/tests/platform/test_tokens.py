"""Which access tokens are good, and what happens to keys over time."""

import base64
import json
import time
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import hmac
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import PublicFormat
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from acme_orders.platform.auth.keys import COOLDOWN
from acme_orders.platform.auth.keys import FIRST_COOLDOWN
from acme_orders.platform.auth.keys import MAX_AGE
from acme_orders.platform.auth.keys import MAX_DOCUMENT
from acme_orders.platform.auth.keys import IssuerKeys
from acme_orders.platform.auth.keys import IssuerUnavailable
from acme_orders.platform.auth.tokens import REMEMBERED
from acme_orders.platform.auth.tokens import ScopeMissing
from acme_orders.platform.auth.tokens import TokenRefused
from acme_orders.platform.auth.tokens import TokenSettings
from acme_orders.platform.auth.tokens import TokenVerifier
from acme_orders.platform.auth.tokens import bearer
from acme_orders.platform.auth.tokens import require
from acme_orders.platform.domain import Caller
from acme_orders.platform.domain import tenant_id
from acme_orders.platform.settings import InvalidSettings
from acme_orders.platform.settings import reading

from dev.issuer import Issuer
from dev.issuer import Key

pytestmark = pytest.mark.anyio

# Made once: an RSA key takes a tenth of a second.
KEYS = [Key("RS256"), Key("ES256")]


class Now:
    def __init__(self) -> None:
        self.seconds = time.time()

    def __call__(self) -> float:
        return self.seconds


class Line(httpx.ASGITransport):
    """The way to the issuer: it counts what is asked, and may be cut, or never answer."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(issuer.app)
        self.asked: list[str] = []
        self.cut = False
        self.answer: Callable[[httpx.Request], Awaitable[httpx.Response]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.cut:
            raise httpx.ConnectError("no route to host")
        if self.answer:
            return await self.answer(request)
        return await super().handle_async_request(request)


class Scene:
    """A verifier, its issuer, the line between them and the clock."""

    def __init__(self, **given: Any) -> None:
        self.issuer = Issuer(keys=KEYS)
        self.line = Line(self.issuer)
        self.client = httpx.AsyncClient(transport=self.line)
        self.now = Now()
        self.settings = TokenSettings(
            oidc_issuer=self.issuer.url,
            oidc_audience=self.issuer.audience,
            **given,
        )
        self.keys = IssuerKeys(
            self.client,
            self.settings.oidc_issuer,
            self.settings.oidc_jwks_url,
            self.settings.oidc_algorithms,
            self.now,
        )
        self.verifier = TokenVerifier(self.settings, self.keys, self.now)

    async def verify(self, token: str) -> Caller:
        return await self.verifier.verify(token)

    async def refusal(self, token: str) -> str:
        """Return the reason why the token is refused."""
        with pytest.raises(TokenRefused) as refused:
            await self.verifier.verify(token)
        return refused.value.reason

    async def fetched(self) -> None:
        """Wait for the fetch behind the requests."""
        if self.keys._fetch is not None:
            await self.keys._fetch


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.keys.close()
    await scene.client.aclose()


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_good_token_names_the_caller(scene: Scene, algorithm: str) -> None:
    token = scene.issuer.token(
        algorithm,
        sub="user-1",
        tenant="acme",
        scope="things:read things:write",
        roles=["manager"],
    )

    caller = await scene.verify(token)

    assert caller == Caller(
        subject="user-1",
        tenant=tenant_id("acme"),
        scopes=frozenset({"things:read", "things:write"}),
        roles=frozenset({"manager"}),
    )


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"expires_in": -11}, "expired"),
        ({"exp": None}, "claims"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"nbf": time.time() + 60}, "not_yet_valid"),
        ({"iat": time.time() + 60}, "not_yet_valid"),
        ({"iat": "yesterday"}, "claims"),
        ({"aud": "others"}, "audience"),
        ({"aud": None}, "claims"),
        ({"iss": "http://other.invalid"}, "issuer"),
        ({"iss": None}, "claims"),
        ({"sub": None}, "claims"),
        ({"sub": ""}, "claims"),
        ({"roles": "manager"}, "claims"),
        ({"roles": [1]}, "claims"),
        ({"scope": 7}, "claims"),
        ({"headers": {"kid": "invented"}}, "unknown_key"),
        ({"headers": {"kid": ""}}, "unknown_key"),
        ({"headers": {"crit": ["b64"], "b64": True}}, "malformed"),
        ({"headers": {"crit": ["exp"]}}, "malformed"),
    ],
)
async def test_a_token_that_is_not_good_is_refused(
    scene: Scene,
    claims: dict[str, Any],
    reason: str,
) -> None:
    assert await scene.refusal(scene.issuer.token(**claims)) == reason


@pytest.mark.parametrize("claims", [{"expires_in": -5}, {"nbf": time.time() + 5}])
async def test_clocks_may_be_a_little_apart(scene: Scene, claims: dict[str, Any]) -> None:
    await scene.verify(scene.issuer.token(**claims))


@pytest.mark.parametrize(
    "tenant",
    [None, "", "Acme", "a'; DROP TABLE x; --", 'a"b', "ärger", "a\n", "a" * 64, ["acme"], 7, True],
)
async def test_a_hostile_tenant_is_refused(scene: Scene, tenant: object) -> None:
    assert await scene.refusal(scene.issuer.token(tenant=tenant)) == "tenant"


async def test_a_tenant_of_63_characters_is_good(scene: Scene) -> None:
    assert (await scene.verify(scene.issuer.token(tenant="a" * 63))).tenant == "a" * 63


@pytest.mark.parametrize("claim", ["scope", "scp"])
@pytest.mark.parametrize("value", ["a:read b:read", ["a:read", "b:read"]])
async def test_scopes_come_in_each_of_the_usual_forms(
    scene: Scene,
    claim: str,
    value: Any,
) -> None:
    caller = await scene.verify(scene.issuer.token(**{claim: value}))

    assert caller.scopes == {"a:read", "b:read"}


async def test_a_missing_scope_is_another_failure_than_a_bad_token(scene: Scene) -> None:
    caller = await scene.verify(scene.issuer.token(scope="a:read"))

    require(caller, "a:read")
    with pytest.raises(ScopeMissing) as missing:
        require(caller, "a:write")

    assert (missing.value.scope, missing.value.error) == ("a:write", "insufficient_scope")


async def test_an_unsigned_token_is_refused(scene: Scene) -> None:
    _, claims, _ = scene.issuer.token().split(".")
    header = part({"alg": "none", "kid": scene.issuer.key().id})

    assert await scene.refusal(f"{header}.{claims}.") == "algorithm"


async def test_a_public_key_is_no_shared_secret(scene: Scene) -> None:
    _, claims, _ = scene.issuer.token().split(".")
    header = part({"alg": "HS256", "kid": scene.issuer.key().id})
    public = scene.issuer.key().private.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signer = hmac.HMAC(secret, hashes.SHA256())
    signer.update(f"{header}.{claims}".encode())
    signature = base64.urlsafe_b64encode(signer.finalize()).decode().rstrip("=")

    assert await scene.refusal(f"{header}.{claims}.{signature}") == "algorithm"


async def test_another_s_signature_under_a_known_key_id_is_refused(scene: Scene) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(scene.issuer.token(), options={"verify_signature": False})
    token = jwt.encode(claims, stranger, "RS256", headers={"kid": scene.issuer.key().id})

    assert await scene.refusal(token) == "signature"


async def test_changed_claims_are_refused_also_after_the_token_was_good(scene: Scene) -> None:
    token = scene.issuer.token(tenant="acme")
    await scene.verify(token)
    header, _, signature = token.split(".")
    changed = jwt.decode(token, options={"verify_signature": False}) | {"tenant": "other"}

    assert await scene.refusal(f"{header}.{part(changed)}.{signature}") == "signature"


async def test_a_key_is_good_for_its_own_algorithm_only(scene: Scene) -> None:
    token = scene.issuer.token("RS256", headers={"kid": scene.issuer.key("ES256").id})

    assert await scene.refusal(token) == "unknown_key"


@pytest.mark.parametrize("change", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "RS512"}])
async def test_a_key_for_something_else_verifies_nothing(
    scene: Scene,
    change: dict[str, Any],
) -> None:
    good, other = scene.issuer.key("ES256").jwk, scene.issuer.key("RS256").jwk

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/jwks":
            return await httpx.ASGITransport(scene.issuer.app).handle_async_request(request)
        return httpx.Response(200, json={"keys": [{**other, **change}, good]})

    scene.line.answer = answer

    assert await scene.refusal(scene.issuer.token("RS256")) == "unknown_key"
    await scene.verify(scene.issuer.token("ES256"))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "missing"),
        ("x" * (8 * 1024 + 1), "too_large"),
        ("garbage", "malformed"),
        ("a.b.c", "malformed"),
        ("....", "malformed"),
        ("\udcff.ü.ü", "malformed"),
        (part([1]) + ".e30.x", "malformed"),
        (base64.urlsafe_b64encode(b"[" * 5900).decode().rstrip("=") + ".e30.x", "malformed"),
    ],
)
async def test_what_is_no_token_is_refused(scene: Scene, token: str, reason: str) -> None:
    assert await scene.refusal(token) == reason


async def test_claims_that_no_parser_can_take_are_refused(scene: Scene) -> None:
    key = scene.issuer.key()
    deep = b'{"sub":' + b"[" * 4000
    token = jwt.api_jws.encode(deep, key.private, "RS256", headers={"kid": key.id})

    assert await scene.refusal(token) == "malformed"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSONS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
NAMES = ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "tenant", "scope", "scp", "roles"]
HEADERS = st.dictionaries(st.sampled_from(["kid", "crit", "b64", "typ", "jwk"]), JSONS)


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(max_size=60) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"),
    header=HEADERS | st.just({"alg": "RS256"}),
    claims=st.dictionaries(st.sampled_from(NAMES), JSONS),
)
async def test_whatever_comes_it_is_a_caller_or_refused(
    text: str,
    header: dict[str, Any],
    claims: dict[str, Any],
) -> None:
    signed = SHARED.issuer.key()
    body = {"iss": SHARED.issuer.url, "aud": SHARED.issuer.audience, "exp": time.time() + 60}
    named = {"alg": "RS256", "kid": signed.id}
    tokens = [text, f"{part({**named, **header})}.{part(claims)}.c2ln"]
    # With a good signature, so that the claims are reached.
    payload = json.dumps({**body, "sub": "s", "tenant": "acme", **claims}).encode()
    tokens.append(jwt.api_jws.encode(payload, signed.private, "RS256", headers={"kid": signed.id}))

    for token in tokens:
        try:
            caller = await SHARED.verify(token)
        except TokenRefused:
            continue
        assert tenant_id(caller.tenant)


SHARED = Scene()


async def test_a_rotated_key_is_found_without_a_restart(scene: Scene) -> None:
    before = scene.issuer.token()
    await scene.verify(before)

    scene.issuer.rotate()
    scene.now.seconds += COOLDOWN

    await scene.verify(scene.issuer.token(sub="after"))
    await scene.verify(before)


async def test_a_withdrawn_key_ends_with_the_next_refresh_behind_a_request(scene: Scene) -> None:
    token = scene.issuer.token(expires_in=2 * MAX_AGE)
    await scene.verify(token)

    scene.issuer.rotate(keep_old=False)
    scene.now.seconds += MAX_AGE + 1

    await scene.verify(token)
    await scene.fetched()
    assert await scene.refusal(token) == "unknown_key"


async def test_a_token_is_remembered_until_it_expires(scene: Scene) -> None:
    token = scene.issuer.token(expires_in=60)
    await scene.verify(scene.issuer.token(sub="first"))
    await scene.verify(token)
    # Without its key nothing but the memory can know the token.
    scene.keys._keys.clear()
    scene.line.cut = True

    await scene.verify(token)
    scene.now.seconds += 60 + scene.settings.oidc_leeway.total_seconds()

    with pytest.raises(IssuerUnavailable):
        await scene.verify(token)


async def test_the_memory_is_bounded(scene: Scene) -> None:
    for number in range(REMEMBERED + 1):
        scene.verifier._remember(f"token-{number}", Caller("s", tenant_id("acme")), 0)

    assert len(scene.verifier._remembered) == REMEMBERED
    assert "token-0" not in scene.verifier._remembered


async def test_strangers_cannot_make_us_flood_the_issuer(scene: Scene) -> None:
    await scene.verify(scene.issuer.token())
    scene.now.seconds += COOLDOWN
    scene.line.asked.clear()

    for number in range(20):
        await scene.refusal(scene.issuer.token(headers={"kid": f"invented-{number}"}))

    assert scene.line.asked.count("/jwks") == 1


async def test_callers_at_the_same_time_share_one_fetch(scene: Scene) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(scene.verify, scene.issuer.token(sub=f"user-{number}"))

    assert scene.line.asked == ["/.well-known/openid-configuration", "/jwks"]


async def test_an_issuer_that_is_down_does_not_stop_known_keys(scene: Scene) -> None:
    await scene.verify(scene.issuer.token())

    scene.line.cut = True
    scene.now.seconds += MAX_AGE + 1

    await scene.verify(scene.issuer.token(sub="another"))
    await scene.fetched()
    await scene.verify(scene.issuer.token(sub="a-third"))
    await scene.verifier.ready()


async def test_an_issuer_that_hangs_does_not_hold_up_known_keys(scene: Scene) -> None:
    await scene.verify(scene.issuer.token())

    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    scene.line.answer = hang
    scene.now.seconds += MAX_AGE + 1

    with anyio.fail_after(1):
        await scene.verify(scene.issuer.token(sub="another"))
        await scene.verify(scene.issuer.token(sub="a-third"))


async def test_with_an_unknown_key_and_no_issuer_it_is_unavailable(scene: Scene) -> None:
    scene.line.cut = True

    with pytest.raises(IssuerUnavailable):
        await scene.verify(scene.issuer.token())
    with pytest.raises(IssuerUnavailable):
        await scene.verifier.ready()

    scene.line.cut = False
    scene.now.seconds += FIRST_COOLDOWN

    await scene.verify(scene.issuer.token())
    await scene.verifier.ready()


async def test_another_issuer_s_discovery_document_is_not_trusted(scene: Scene) -> None:
    scene.issuer.url = "http://other.invalid"

    with pytest.raises(IssuerUnavailable):
        await scene.verify(scene.issuer.token(iss=scene.settings.oidc_issuer))
    assert "/jwks" not in scene.line.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"keys": []}',
        b'{"keys": 7}',
        b'{"keys": [7, {}]}',
        json.dumps({"keys": [Key("ES256").jwk]}).encode() + b" " * MAX_DOCUMENT,
    ],
)
async def test_a_key_set_that_is_none_leaves_the_known_keys(scene: Scene, body: bytes) -> None:
    await scene.verify(scene.issuer.token())

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/jwks":
            return await httpx.ASGITransport(scene.issuer.app).handle_async_request(request)
        return httpx.Response(200, content=body)

    scene.line.answer = answer
    scene.now.seconds += MAX_AGE + 1
    await scene.verify(scene.issuer.token(sub="another"))
    await scene.fetched()

    await scene.verify(scene.issuer.token(sub="a-third"))


async def test_without_discovery_the_key_set_s_url_is_asked() -> None:
    scene = Scene(oidc_jwks_url="http://issuer.invalid/jwks")

    await scene.verify(scene.issuer.token())

    assert scene.line.asked == ["/jwks"]


async def test_a_refusal_is_counted_by_its_reason(scene: Scene) -> None:
    labels = {"reason": "audience"}
    before = REGISTRY.get_sample_value("tokens_refused_total", labels) or 0

    await scene.refusal(scene.issuer.token(aud="others"))

    assert REGISTRY.get_sample_value("tokens_refused_total", labels) == before + 1


async def test_who_sends_no_token_is_told_no_error() -> None:
    assert TokenRefused("missing").error is None
    assert TokenRefused("expired").error == "invalid_token"


@pytest.mark.parametrize(
    ("header", "token"),
    [(None, ""), ("", ""), ("Basic abc", ""), ("Bearer", ""), ("bearer a.b.c", "a.b.c")],
)
async def test_a_token_is_taken_from_a_bearer_header_alone(header: str | None, token: str) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize("algorithms", ["none", "HS256", "RS256,HS512", "", "rs256"])
async def test_no_setting_allows_an_algorithm_without_a_public_key(
    monkeypatch: pytest.MonkeyPatch,
    algorithms: str,
) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.invalid")
    monkeypatch.setenv("OIDC_AUDIENCE", "acme")
    monkeypatch.setenv("OIDC_ALGORITHMS", algorithms)

    with pytest.raises(InvalidSettings, match="OIDC_ALGORITHMS"), reading() as read:
        read(TokenSettings)


async def test_the_development_issuer_serves_what_the_verifier_asks() -> None:
    issuer = Issuer(keys=KEYS)
    async with issuer.serve() as url, httpx.AsyncClient(base_url=url) as client:
        asked = {"sub": "user-1", "tenant": "acme", "scope": "a:read", "roles": "x y"}
        known = TokenSettings(
            oidc_issuer=url,
            oidc_audience=issuer.audience,
            oidc_leeway=timedelta(seconds=1),
        )
        async with TokenVerifier.open(known) as verifier:
            for answer in (
                await client.post("/token", data=asked),
                await client.post("/token", json={**asked, "roles": ["x", "y"]}),
            ):
                caller = await verifier.verify(answer.json()["access_token"])
                assert caller.subject == "user-1"
                assert caller.roles == {"x", "y"}
        rotated = await client.post("/rotate", params={"keep_old": "false"})

    assert len(rotated.json()["keys"]) == 2
