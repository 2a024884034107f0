"""What a process writes: one JSON object a line, whoever wrote it."""

import json
import os
import subprocess
import sys
from datetime import datetime
from datetime import timedelta
from typing import Any

from tests.platform.toy import ROOT

PREPARE = """
import logging, structlog, warnings
from acme_orders.platform.domain import tenant_id
from acme_orders.platform.telemetry import logs
from acme_orders.platform.telemetry.context import bind_tenant, incoming

logs.configure({level!r}, for_people={for_people})
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""


def written(script: str, level: str = "info", *, for_people: bool = False) -> str:
    """Run the script in a process of its own: logging belongs to the whole process."""
    return subprocess.run(
        [sys.executable, "-c", PREPARE.format(level=level, for_people=for_people) + script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}/src"},
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
    ).stdout


def lines(script: str, level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(script, level).splitlines()]


def test_a_line_names_the_event_the_logger_the_call_and_the_time() -> None:
    [line] = lines("""
with incoming({"traceparent": TRACE, "x-correlation-id": "c-1"}):
    bind_tenant(tenant_id("acme"))
    structlog.get_logger("shop").info("thing.sold", thing=7)
""")

    time = datetime.fromisoformat(line.pop("timestamp"))
    assert time.utcoffset() == timedelta(0)
    assert line == {
        "event": "thing.sold",
        "level": "info",
        "logger": "shop",
        "thing": 7,
        "tenant": "acme",
        "correlation_id": "c-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_the_standard_library_s_loggers_write_the_same() -> None:
    first, second = lines("""
with incoming({"x-correlation-id": "c-1"}):
    logging.getLogger("asyncpg").warning("lost %s\\nconnection", 1)
warnings.warn("old thing")
""")

    assert first["event"] == "lost 1\nconnection"
    assert first["logger"] == "asyncpg"
    assert first["level"] == "warning"
    assert first["correlation_id"] == "c-1"
    assert "old thing" in second["event"]


def test_an_exception_is_structured_and_shows_no_local_variables() -> None:
    ours, theirs = lines("""
def fail(password):
    raise KeyError("nobody")
for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
    try:
        fail("hunter" + str(1 + 1))
    except KeyError:
        log.exception("thing.failed")
""")

    for line in (ours, theirs):
        assert line["event"] == "thing.failed"
        assert line["exception"][0]["exc_type"] == "KeyError"
        assert line["exception"][0]["frames"][-1]["name"] == "fail"
        assert "hunter2" not in json.dumps(line)


def test_nothing_below_the_level_is_written() -> None:
    script = """
for log in (structlog.get_logger("a"), logging.getLogger("b")):
    log.info("quiet")
    log.warning("loud")
"""

    assert [line["event"] for line in lines(script, "warning")] == ["loud", "loud"]


def test_a_client_library_does_not_write_down_each_request() -> None:
    assert lines("logging.getLogger('httpx').info('GET https://provider/secret')") == []


def test_in_development_people_read_it() -> None:
    text = written("structlog.get_logger().info('thing.sold', thing=7)", for_people=True)

    assert "thing.sold" in text
    assert not text.startswith("{")
