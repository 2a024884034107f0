"""Readiness: what it asks, how long it waits, and how often."""

import asyncio

import pytest

from acme_orders.platform.domain import Failure
from acme_orders.platform.health import FRESH
from acme_orders.platform.health import Health

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Dependency:
    """Something that a process depends on: it counts how often it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked = 0

    async def probe(self) -> None:
        self.asked += 1
        if self.error:
            raise self.error


async def hang() -> None:
    await asyncio.Event().wait()


async def test_a_process_without_a_check_is_starting() -> None:
    assert await Health().ready() == {"process": "starting"}


async def test_each_check_has_its_answer_and_no_text_of_a_library() -> None:
    health = Health()
    health.check("good", Dependency().probe)
    health.check("down", Dependency(OSError("db.internal refused user app")).probe)
    health.check("told", Dependency(Failure("not yet")).probe)

    assert await health.ready() == {"good": "ok", "down": "OSError", "told": "not yet"}


async def test_a_probe_that_hangs_is_given_up_and_holds_nobody_up() -> None:
    health = Health()
    health.check("one", hang)
    health.check("two", hang)

    async with asyncio.timeout(1.8):
        answers = await health.ready()

    assert answers == {"one": "no answer within 1 s", "two": "no answer within 1 s"}


async def test_who_asks_often_does_not_load_the_dependency() -> None:
    clock, dependency = Clock(), Dependency()
    health = Health(clock)
    health.check("dependency", dependency.probe)

    await asyncio.gather(*(health.ready() for _ in range(10)))

    assert dependency.asked == 1


async def test_an_answer_is_asked_for_again_once_it_is_old() -> None:
    clock, dependency = Clock(), Dependency()
    health = Health(clock)
    health.check("dependency", dependency.probe)
    await health.ready()

    dependency.error = OSError()
    clock.now += FRESH

    assert await health.ready() == {"dependency": "OSError"}


async def test_while_stopping_it_is_not_ready_and_asks_nobody() -> None:
    dependency = Dependency()
    health = Health()
    health.check("dependency", dependency.probe)

    health.stopping = True

    assert await health.ready() == {"process": "stopping"}
    assert dependency.asked == 0


async def test_a_stop_while_the_probes_are_out_counts() -> None:
    health = Health()

    async def told_to_stop() -> None:
        health.stopping = True

    health.check("dependency", told_to_stop)

    assert await health.ready() == {"process": "stopping"}
