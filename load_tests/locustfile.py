"""What Locust loads: the user classes, our command line options, and the world of each test. See README.md here."""

import argparse
import logging
import sys
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest

from load_tests.ending import let_everybody_finish
from load_tests.measures.report import Report
from load_tests.users.caller import CallerUser
from load_tests.users.chatty import ChattyUser
from load_tests.users.editor import EditorUser
from load_tests.users.hub_user import DEFAULT_HOST, HubUser
from load_tests.users.idle import IdleUser
from load_tests.users.presence import PresenceUser
from load_tests.world import Settings, World

__all__ = ["CallerUser", "ChattyUser", "EditorUser", "IdleUser", "PresenceUser"]

NOT_HERE = "%s is not this machine: see --beyond-loopback"
WRONG_USE = 2
"""Exit code for what the command line should not have asked for; 1 is Locust's for failures."""

log = logging.getLogger(__name__)


def positive(text: str) -> float:
    """A number above 0. Raises ArgumentTypeError."""
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def at_least_two(text: str) -> int:
    """A number of people who meet. Raises ArgumentTypeError."""
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{text} is too few to meet; at least 2")
    return number


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Add the options of `Settings`, and the one that lets the load out of this machine."""
    usual = Settings()
    parser.add_argument("--tempo", type=positive, default=usual.tempo, help="How often users act, times the usual")
    parser.add_argument(
        "--group-size", type=at_least_two, default=usual.group_size, help="People in a room, and who watch each other"
    )
    parser.add_argument(
        "--document-size", type=at_least_two, default=usual.document_size, help="Editors of one document"
    )
    parser.add_argument(
        "--within",
        type=positive,
        default=usual.within_s,
        help="Seconds that a connect, an acknowledgement or a delivery may take; after that it is a failure",
    )
    parser.add_argument(
        "--patience",
        type=positive,
        default=usual.patience_s,
        help="Seconds for which a user keeps trying to sign up or to connect when the hub says: later",
    )
    parser.add_argument(
        "--media", action="store_true", help="Let those who call each other connect by WebRTC (aiortc), and echo"
    )
    parser.add_argument("--draw-seed", type=int, default=int(usual.seed), help="Of what users draw: times and choices")
    parser.add_argument(
        "--beyond-loopback",
        action="store_true",
        include_in_web_ui=False,
        help="Allow a --host that is not this machine. Use it for machines of your own only",
    )


@events.init.add_listener
def check_command(environment: Environment, **_: Any) -> None:
    """Refuse a ``--host`` that is not this machine, and let every run come to its end."""
    if environment.host and not _may_load(environment, environment.host):
        log.error(NOT_HERE, environment.host)
        sys.exit(WRONG_USE)
    let_everybody_finish(environment)


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Make the world of this test. Raises StopTest for a host of the web page's form that is not this machine."""
    host = environment.host or DEFAULT_HOST
    if not _may_load(environment, host):
        raise StopTest(NOT_HERE % host)
    options = environment.parsed_options or argparse.Namespace()
    settings = Settings(
        tempo=options.tempo,
        group_size=options.group_size,
        document_size=options.document_size,
        within_s=options.within,
        patience_s=options.patience,
        media=options.media,
        only_loopback=is_loopback(host),
        seed=f"{options.draw_seed}.{getattr(environment.runner, 'worker_index', 0)}",
    )
    HubUser.world = World(settings, Report(environment.events.request.fire))
    HubUser.world.start()


@events.test_stop.add_listener
def end(**_: Any) -> None:
    """End what `begin` has begun; all users have left."""
    if hasattr(HubUser, "world"):
        HubUser.world.stop()


def _may_load(environment: Environment, host: str) -> bool:
    options = environment.parsed_options
    return is_loopback(host) or (options is not None and bool(options.beyond_loopback))


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine."""
    name = urlsplit(url).hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
