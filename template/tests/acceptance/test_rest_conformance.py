"""The REST API keeps to its contract, whatever is sent: schemathesis tries, over a real socket."""

import asyncio

import pytest
from schemathesis import openapi
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineEvent
from schemathesis.engine.events import FatalError
from schemathesis.engine.events import NonFatalError
from schemathesis.engine.events import ScenarioFinished

from acme_orders.entrypoints import rest
from acme_orders.entrypoints.rest import orders
from acme_orders.platform.rest.app import RestSettings
from acme_orders.platform.rest.app import create_app

from dev.contracts import contract
from dev.serving import serving
from tests.acceptance.conftest import Running

EXAMPLES = 10


@pytest.mark.anyio
async def test_no_request_makes_the_api_break_its_contract(running: Running) -> None:
    token = running.issuer.token(scope="orders:read orders:write", roles=["orders-manager"])
    app = create_app("Under test", running.service.tokens, RestSettings(), rest, running.service)

    async with serving(app) as url:
        events = await asyncio.to_thread(_try_everything, contract(orders), url, token)

    tried = [event for event in events if isinstance(event, ScenarioFinished)]
    found = [text for event in tried for text in _failures(event)]
    assert found == [], "\n".join(found)
    assert [event for event in events if isinstance(event, FatalError | NonFatalError)] == []
    assert len({event.label for event in tried}) > 6
    assert sum(len(event.recorder.cases) for event in tried) > 200


def _try_everything(document: dict[str, object], url: str, token: str) -> list[EngineEvent]:
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "base-url": url,
            "headers": {"Authorization": f"Bearer {token}"},
            # A version in If-Match is valid, and may have passed; the default list knows no 412.
            "checks": {
                "positive_data_acceptance": {
                    "expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "412"],
                },
            },
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
            },
        },
    )
    schema = openapi.from_dict(document, config=config)
    return list(from_schema(schema).execute())


def _failures(event: ScenarioFinished) -> list[str]:
    """Return what failed, each with the request that did it."""
    explained = []
    for id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info:
                case = event.recorder.cases[id].value
                explained.append(
                    f"{check.name}: {check.failure_info.failure}\n{case.as_curl_command()}"
                )
    return explained
