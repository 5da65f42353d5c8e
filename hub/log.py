"""Logging: records of every library through structlog, as JSON lines or for a console, with request and connection
ids.
"""

import logging
import sys
from typing import Literal

import structlog

from hub.kernel.scope import SCOPE

LogFormat = Literal["json", "console"]


def configure(*, level: str, style: LogFormat, node: str) -> None:
    """Send every log record of the process to standard error. ``node`` stands on each line."""

    def add_node(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["node"] = node
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_scope,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_node,
    ]
    # Without local variables, which both renderers show by default: they hold tokens, passwords and what people write.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    last: list[structlog.typing.Processor] = (
        [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Every packet and every request on INFO would cost more than handling it.
    for chatty in ("engineio", "socketio", "aiohttp.access", "aioice", "aiortc"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    pool = logging.getLogger("asyncpg.pool")
    pool.filters[:] = [_without_traceback]


def _without_traceback(record: logging.LogRecord) -> bool:
    """Have the error in the line. While PostgreSQL is away, asyncpg's pool would show its own stack twice a second."""
    if record.exc_info:
        record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]!r}", ()
        record.exc_info = None
    return True


def _add_scope(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    scope = SCOPE.get()
    if scope is not None:
        event.update(scope())
    return event
