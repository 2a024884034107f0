"""The REST API: serves the routes of the modules beside it until it is told to stop."""

from functools import partial

from acme_orders.bootstrap import Settings
from acme_orders.bootstrap import assemble
from acme_orders.entrypoints import rest
from acme_orders.platform.process import Process
from acme_orders.platform.process import ProcessSettings
from acme_orders.platform.process import entry
from acme_orders.platform.process import run
from acme_orders.platform.rest.app import RestSettings
from acme_orders.platform.rest.app import create_app
from acme_orders.platform.server import serve_http
from acme_orders.platform.settings import reading

TITLE = "Acme Orders"


def main() -> None:
    with reading() as read:
        process = read(ProcessSettings)
        api = read(RestSettings)
        settings = Settings(read)
    run(process, partial(serve, api, settings))


async def serve(api: RestSettings, settings: Settings, process: Process) -> None:
    async with assemble(settings) as service:
        process.health.check("database", service.databases.ready)
        process.health.check("tokens", service.tokens.ready)
        app = create_app(TITLE, service.tokens, api, rest, service)
        await serve_http(app, api.rest_host, api.rest_port, process.stopping)


if __name__ == "__main__":
    entry(main)
