"""The worker: runs the jobs of the modules beside it until it is told to stop."""

import importlib
import pkgutil
from functools import partial

from acme_orders.bootstrap import Service
from acme_orders.bootstrap import Settings
from acme_orders.bootstrap import assemble
from acme_orders.entrypoints import worker as jobs
from acme_orders.platform.process import Process
from acme_orders.platform.process import ProcessSettings
from acme_orders.platform.process import entry
from acme_orders.platform.process import run
from acme_orders.platform.settings import reading
from acme_orders.platform.worker import Worker


def main() -> None:
    with reading() as read:
        process = read(ProcessSettings)
        settings = Settings(read)
    run(process, partial(serve, settings))


async def serve(settings: Settings, process: Process) -> None:
    async with assemble(settings) as service:
        process.health.check("database", service.databases.ready)
        worker = Worker()
        register_all(worker, service)
        await worker.run(process.stopping)


def register_all(worker: Worker, service: Service) -> None:
    """Let every module beside this one that has a `register` add its jobs."""
    for found in pkgutil.iter_modules(jobs.__path__, f"{jobs.__name__}."):
        module = importlib.import_module(found.name)
        if hasattr(module, "register"):
            module.register(worker, service)


if __name__ == "__main__":
    entry(main)
