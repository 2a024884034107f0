"""Logs: one JSON object a line on stdout, whoever wrote it."""

import logging
import sys
from typing import Any

import structlog
from structlog.processors import ExceptionRenderer
from structlog.processors import JSONRenderer
from structlog.processors import TimeStamper
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

CHATTY = ("httpx", "httpcore", "asyncio")
"""Libraries that write a line for each thing they do, URLs included."""


def configure(level: str, *, for_people: bool = False) -> None:
    """Send everything from `level` up to stdout; `for_people` with colours instead of JSON."""
    # Never with local variables: they hold tokens, passwords and personal data.
    exceptions = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    described: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if for_people
        else [exceptions, JSONRenderer(default=str)]
    )
    structlog.configure(
        processors=[*described, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_NamedLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=described,
            processors=[ProcessorFormatter.remove_processors_meta, *rendered],
        ),
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _NamedLogger(structlog.WriteLogger):
    """Writes to stdout itself: the way through the standard library takes several times as long."""

    def __init__(self, name: str = "", *_: Any) -> None:
        super().__init__(sys.stdout)
        self.name = name
