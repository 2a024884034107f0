"""The loop of the worker process: jobs that run again and again until the process stops."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import Counter
from prometheus_client import Gauge

from acme_orders.platform.telemetry.context import incoming

Job = Callable[[], Awaitable[bool]]
"""Does a bounded piece of work, and returns whether more of it is waiting."""

RUNS = Counter("worker_runs_total", "Runs of the worker's jobs.", ["job", "outcome"])
LAST_SUCCESS = Gauge(
    "worker_last_success_timestamp_seconds",
    "When a job last ended well, in seconds since 1970.",
    ["job"],
)
JITTER = 0.1
"""Intervals differ by up to this part, so that the replicas do not knock all at once."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Schedule:
    name: str
    interval: timedelta
    job: Job


class Worker:
    def __init__(self) -> None:
        self._schedules: list[Schedule] = []

    def every(self, name: str, interval: timedelta, job: Job) -> None:
        """Run the job at each interval, and again at once as long as it says that more is waiting.

        A job that raises is logged, counted, and run again after its interval.
        """
        self._schedules.append(Schedule(name, interval, job))

    async def run(self, stopping: asyncio.Event) -> None:
        """Run all jobs, each beside the others, until told to stop; a run in hand is finished."""
        async with asyncio.TaskGroup() as tasks:
            for schedule in self._schedules:
                tasks.create_task(_repeat(schedule, stopping), name=schedule.name)
            # A worker without a job is a process like any other.
            await stopping.wait()


async def _repeat(schedule: Schedule, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        if not await _run_once(schedule):
            spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    stopping.wait(),
                    schedule.interval.total_seconds() * spread,
                )


async def _run_once(schedule: Schedule) -> bool:
    # Each run is a call of its own in the logs, and in the headers of what it calls.
    with incoming({}):
        try:
            more = await schedule.job()
        except Exception:
            RUNS.labels(schedule.name, "failed").inc()
            log.exception("worker.job_failed", job=schedule.name)
            return False
        RUNS.labels(schedule.name, "done").inc()
        LAST_SUCCESS.labels(schedule.name).set(time.time())
        return more
