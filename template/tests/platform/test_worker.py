"""The worker's loop: jobs beside each other, until it is told to stop."""

import asyncio
from datetime import timedelta

from acme_orders.platform.telemetry.context import correlation_id
from acme_orders.platform.worker import RUNS
from acme_orders.platform.worker import Worker

AT_ONCE = timedelta(milliseconds=1)
NEVER = timedelta(hours=1)


def runs(job: str, outcome: str) -> float:
    return float(RUNS.labels(job, outcome)._value.get())


async def test_a_job_runs_again_at_each_interval() -> None:
    stopping = asyncio.Event()
    done = []

    async def job() -> bool:
        done.append(correlation_id())
        if len(done) == 3:
            stopping.set()
        return False

    worker = Worker()
    worker.every("toy.again", AT_ONCE, job)
    await worker.run(stopping)

    assert len(set(done)) == 3


async def test_a_job_with_more_to_do_does_not_wait_for_its_interval() -> None:
    stopping = asyncio.Event()
    waiting = [1, 2, 3]

    async def job() -> bool:
        waiting.pop()
        if not waiting:
            stopping.set()
        return bool(waiting)

    worker = Worker()
    worker.every("toy.more", NEVER, job)
    async with asyncio.timeout(5):
        await worker.run(stopping)

    assert not waiting


async def test_a_job_that_fails_is_counted_and_stops_neither_itself_nor_others() -> None:
    stopping = asyncio.Event()
    others = []

    async def broken() -> bool:
        raise ValueError("broken")

    async def sound() -> bool:
        others.append(1)
        if runs("toy.broken", "failed") >= 2 and len(others) >= 2:
            stopping.set()
        return False

    worker = Worker()
    worker.every("toy.broken", AT_ONCE, broken)
    worker.every("toy.sound", AT_ONCE, sound)
    async with asyncio.timeout(5):
        await worker.run(stopping)

    assert runs("toy.broken", "done") == 0


async def test_the_run_in_hand_is_finished_when_it_is_told_to_stop() -> None:
    stopping, started, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    finished = []

    async def job() -> bool:
        started.set()
        await go_on.wait()
        finished.append(1)
        return True

    worker = Worker()
    worker.every("toy.slow", AT_ONCE, job)
    running = asyncio.create_task(worker.run(stopping))
    await started.wait()
    stopping.set()
    go_on.set()
    await running

    assert finished == [1]


async def test_a_worker_without_a_job_waits_to_be_stopped() -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(Worker().run(stopping))
    await asyncio.sleep(0)

    assert not running.done()

    stopping.set()
    await running
