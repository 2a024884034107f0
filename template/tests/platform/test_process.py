"""The real process: its start, its stop, and how it ends when something is wrong."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.platform.toy import Running
from tests.platform.toy import occupied_port


@pytest.fixture
def client() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


def test_a_request_in_flight_is_answered_before_a_graceful_end(client: ThreadPoolExecutor) -> None:
    with Running() as toy:
        toy.answers("/ready", 200)
        in_flight = client.submit(toy.ask, "/until-stop")
        toy.logged("toy.asked")

        toy.signal()

        assert in_flight.result().text == "answered"
        assert toy.ended() == (0, "")


def test_it_starts_and_stops_in_order() -> None:
    with Running() as toy:
        toy.answers("/ready", 200)

        toy.signal()

        assert toy.ended()[0] == 0
        assert toy.events == [
            "process.started",
            "toy.opened",
            "process.draining",
            "toy.closed",
            "process.stopped",
        ]


def test_while_draining_it_is_not_ready_and_still_serves() -> None:
    with Running(DRAIN_DELAY="60") as toy:
        toy.answers("/ready", 200)

        toy.signal()
        toy.logged("process.draining")

        assert toy.ask("/ready", management=True).status_code == 503
        assert toy.ask("/ready", management=True).json() == {"process": "stopping"}
        assert toy.ask("/live", management=True).status_code == 200
        assert toy.ask("/").text == "answered"


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_the_drain_short(second: signal.Signals) -> None:
    with Running(DRAIN_DELAY="60") as toy:
        toy.answers("/ready", 200)
        toy.signal()
        toy.logged("process.draining")

        toy.signal(second)

        assert toy.ended()[0] == 0


def test_work_that_outlasts_the_stop_deadline_is_cut_off(client: ThreadPoolExecutor) -> None:
    with Running(STOP_DEADLINE="0.1") as toy:
        toy.answers("/ready", 200)
        in_flight = client.submit(toy.ask, "/forever")
        toy.logged("toy.asked")

        toy.signal()

        assert toy.ended()[0] == 1
        assert "process.cut_off" in toy.events
        assert in_flight.exception() or in_flight.result().is_server_error


def test_readiness_follows_what_it_depends_on_and_liveness_does_not(tmp_path: Path) -> None:
    breaks = tmp_path / "broken"
    with Running(TOY_BREAKS=str(breaks)) as toy:
        assert toy.answers("/ready", 200).json() == {"toy": "ok"}

        breaks.touch()

        assert toy.answers("/ready", 503).json() == {"toy": "ConnectionRefusedError"}
        assert toy.ask("/live", management=True).status_code == 200

        breaks.unlink()

        assert toy.answers("/ready", 200).json() == {"toy": "ok"}


def test_metrics_are_served_beside_the_work() -> None:
    with Running() as toy:
        toy.answers("/ready", 200)

        metrics = toy.ask("/metrics", management=True)

        assert metrics.headers["content-type"].startswith("text/plain")
        assert "\nbuild_info{" in metrics.text
        assert toy.ask("/else", management=True).status_code == 404


def test_a_crash_is_one_line_and_exit_code_1() -> None:
    with Running(TOY_MODE="crash") as toy:
        code, errors = toy.ended()

        assert (code, errors) == (1, "")
        assert toy.events == ["process.started", "process.crashed"]
        assert toy.lines[-1]["level"] == "error"
        assert toy.lines[-1]["exception"][0]["exc_value"] == "the toy fell down"


def test_an_end_that_nobody_asked_for_is_a_failure() -> None:
    with Running(TOY_MODE="return") as toy:
        assert toy.ended()[0] == 1
        assert toy.events[-1] == "process.ended_unasked"


@pytest.mark.parametrize("variable", ["MANAGEMENT_PORT", "TOY_PORT"])
def test_a_port_in_use_is_one_clear_sentence(variable: str) -> None:
    with occupied_port() as port, Running(**{variable: str(port)}) as toy:
        code, errors = toy.ended()

        assert code == 2
        assert errors == (
            f"cannot listen on 127.0.0.1, port {port}: address already in use;"
            f" {variable} sets the port\n"
        )


def test_wrong_settings_are_one_list_of_everything_before_anything_is_served() -> None:
    with Running(MANAGEMENT_PORT="high", TOY_PORT="0", TOY_SECRET=" ", DRAIN_DELAY="soon") as toy:
        code, errors = toy.ended()

        assert code == 2
        assert toy.lines == []
        assert {line.split()[0] for line in errors.splitlines()[1:]} == {
            "MANAGEMENT_PORT",
            "DRAIN_DELAY",
            "TOY_PORT",
            "TOY_SECRET",
        }
