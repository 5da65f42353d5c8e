"""A master that waits for its workers' users to leave, before it ends them and writes its report.

Locust's master gives workers half a second between the end of a test without web page and the final report. Ours need
longer: what is on its way when the test ends is missing only after `--within`.
"""

import logging
import time
from typing import Any

from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

FINISH = "hub:finish"
FINISHED = "hub:finished"
SPARE_S = 10.0
"""For looks back and disconnecting, beside what deliveries may take."""

log = logging.getLogger(__name__)


def let_workers_finish(environment: Environment) -> None:
    """Register the two messages, and the master's wait. Does nothing without workers."""
    runner = environment.runner
    if isinstance(runner, WorkerRunner):

        def finish(**_: Any) -> None:
            runner.stop()
            runner.send_message(FINISHED)

        runner.register_message(FINISH, finish, concurrent=True)
    elif isinstance(runner, MasterRunner):
        finished: set[str] = set()
        runner.register_message(FINISHED, lambda msg, **_: finished.add(msg.node_id))

        @events.test_stop.add_listener
        def wait(**_: Any) -> None:
            finished.clear()
            runner.send_message(FINISH)
            workers = {client.id for client in runner.clients.all}
            options = environment.parsed_options
            end_s = time.monotonic() + SPARE_S + (options.within if options is not None else 0)
            while not finished >= workers and time.monotonic() < end_s:
                time.sleep(0.05)
            if missing := workers - finished:
                log.error("%d workers did not finish in time; what they saw last is not in the report", len(missing))
