"""The end of a run: everything that users still find out while they leave is in the report, and in the exit code.

What is on its way when a test ends is missing only after `--within`. But Locust's master gives its workers half a
second, the exit code of an interrupted run is decided before its users have left, and the CSV files are those of the
last full second.
"""

import logging
import time
from typing import Any

from locust import events, stats
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

FINISH = "hub:finish"
FINISHED = "hub:finished"
SPARE_S = 10.0
"""For looks back and disconnecting, beside what deliveries may take."""

log = logging.getLogger(__name__)


def let_everybody_finish(environment: Environment) -> None:
    """Make Locust wait for all of it."""

    @events.quitting.add_listener
    def stop(**_: Any) -> None:
        if environment.runner is not None:
            environment.runner.stop()

    @events.quit.add_listener
    def complete_csv(**_: Any) -> None:
        if environment.parsed_options is not None and environment.parsed_options.csv_prefix:
            time.sleep(1.5 * stats.CSV_STATS_INTERVAL_SEC)  # the writer goes on until the process ends

    _let_workers_finish(environment)


def _let_workers_finish(environment: Environment) -> None:
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
