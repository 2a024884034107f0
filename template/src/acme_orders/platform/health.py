"""Whether this process can do its work now."""

import asyncio
import time
from collections.abc import Awaitable
from collections.abc import Callable

from acme_orders.platform.domain import Failure

Probe = Callable[[], Awaitable[None]]

PROBE_DEADLINE = 1.0
FRESH = 1.0
"""Seconds that an answer is good for: who asks often must not load what we depend on."""

OK = "ok"


class Health:
    """The checks of readiness. Liveness has none: a restart does not heal what we depend on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.stopping = False
        self._clock = clock
        self._probes: dict[str, Probe] = {}
        self._answers: dict[str, str] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    def check(self, name: str, probe: Probe) -> None:
        """Be ready only while the probe returns; it raises, or takes over a second, if not."""
        self._probes[name] = probe
        self._asked_at = float("-inf")

    async def ready(self) -> dict[str, str]:
        """Return each check's name with `ok` or the reason why not.

        A process that is stopping is not ready, nor is one that has no check yet: it is starting.
        """
        if not self._phase():
            await self._ask_all()
        # Again: it may have been told to stop while the probes were out.
        phase = self._phase()
        return {"process": phase} if phase else self._answers

    def _phase(self) -> str:
        if self.stopping:
            return "stopping"
        return "" if self._probes else "starting"

    async def _ask_all(self) -> None:
        async with self._asking:
            if self._clock() - self._asked_at < FRESH:
                return
            self._asked_at = self._clock()
            answers = await asyncio.gather(*map(_ask, self._probes.values()))
            self._answers = dict(zip(self._probes, answers, strict=True))


async def _ask(probe: Probe) -> str:
    try:
        async with asyncio.timeout(PROBE_DEADLINE):
            await probe()
    except TimeoutError:
        return f"no answer within {PROBE_DEADLINE:g} s"
    except Failure as failure:
        return str(failure)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
        # Not the text: it may name hosts and users, and anyone near may ask.
        return type(error).__name__
    return OK
