"""The process that answers over gRPC, with the handlers of the modules beside this one."""

from datetime import timedelta
from functools import partial

from acme_orders.bootstrap import Settings
from acme_orders.bootstrap import assemble
from acme_orders.entrypoints import grpc as handlers
from acme_orders.platform.grpc.server import GrpcServer
from acme_orders.platform.grpc.server import serve_grpc
from acme_orders.platform.grpc.settings import GrpcSettings
from acme_orders.platform.process import Process
from acme_orders.platform.process import ProcessSettings
from acme_orders.platform.process import entry
from acme_orders.platform.process import run
from acme_orders.platform.settings import reading


def main() -> None:
    with reading() as read:
        process = read(ProcessSettings)
        api = read(GrpcSettings)
        settings = Settings(read)
    reflect = process.environment == "development"
    run(process, partial(serve, api, settings, reflect, process.stop_deadline))


async def serve(
    api: GrpcSettings,
    settings: Settings,
    reflect: bool,
    stop_deadline: timedelta,
    process: Process,
) -> None:
    async with assemble(settings) as service:
        process.health.check("database", service.databases.ready)
        process.health.check("issuer", service.tokens.ready)
        server = GrpcServer(api, service.tokens, handlers, service, reflect=reflect)
        await serve_grpc(server, process, stop_deadline)


if __name__ == "__main__":
    entry(main)
