"""Console script sparkle-hub: one word a task."""

import argparse
import asyncio
import re
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, get_args

from msgspec import structs

from core_api.accounts.model import StaffRole
from hub import config
from hub.config import ConfigError, Settings
from hub.kernel.imports import importing
from hub.kernel.stack import deepen_stack
from hub.kernel.wire import UUID_PATTERN
from hub.version import __version__

DEFAULT_NODES = 2


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code: 0 done, 1 failed, 2 wrong usage or wrong settings."""
    arguments = _parser().parse_args(argv)
    try:
        sys.exit(arguments.command(arguments))
    except ConfigError as error:
        print(f"sparkle-hub: {error}", file=sys.stderr)
        sys.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sparkle-hub", description="Real-time presence and collaboration hub.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", help="start the whole hub: the servers that are missing, and the nodes")
    run.add_argument("--nodes", type=int, default=DEFAULT_NODES, help="nodes on the one port (default: 2)")
    _listen_flags(run)
    run.set_defaults(command=_run)

    serve = commands.add_parser("serve", help="start one node; needs DATABASE_URL and REDIS_URL")
    _listen_flags(serve)
    serve.add_argument("--own-port", type=int, help="loopback port of this node alone (default: picks one)")
    serve.add_argument("--peer-ports", type=_ports, help="own ports of the nodes on the same port, comma-separated")
    serve.add_argument("--reuse-port", action="store_true", default=None, help="share the port with other nodes")
    serve.add_argument(
        "--start-wait-s", type=float, help="wait so long for servers that do not answer yet (default: 0)"
    )
    serve.add_argument("--node-name", help="what the node is called in logs")
    serve.set_defaults(command=_serve)

    media = commands.add_parser("media", help="start one media server, for calls of several people; needs REDIS_URL")
    media.add_argument("--http-port", type=int, help="port of its commands, for nodes alone (default: picks one)")
    media.add_argument("--start-wait-s", type=float, help="wait so long for Redis (default: 0)")
    media.add_argument("--node-name", help="what the server is called in logs")
    media.add_argument("--data", type=Path, help="folder of recordings, if there are any (default: .sparkle)")
    media.set_defaults(command=_media)

    migrate = commands.add_parser("migrate", help="bring the database of DATABASE_URL up to date")
    migrate.set_defaults(command=_migrate)

    check = commands.add_parser("check-config", help="read the settings and say what is wrong with them")
    check.add_argument("--list", action="store_true", help="list every setting with its default")
    check.set_defaults(command=_check_config)

    schema = commands.add_parser("schema", help="write docs/wire.json, docs/openapi.json and docs/schema.graphql")
    schema.add_argument("--check", action="store_true", help="write nothing; exit 1 if the files are not up to date")
    schema.add_argument("--folder", type=Path, default=Path("docs"))
    schema.set_defaults(command=_schema)

    _admin_parser(commands)

    demo = commands.add_parser("demo", help="two people meet in a running hub: a timeline of what each sees")
    demo.add_argument("--url", help="a running hub; default: start one, on a port that is free")
    demo.add_argument("--second-url", help="another address of the same hub, for the second person")
    demo.add_argument("--edits", type=int, default=20, help="edits of each person in the document (default: 20)")
    demo.add_argument("--pace-ms", type=int, default=0, help="pause of each after an edit, in ms (default: 0)")
    demo.set_defaults(command=_demo)

    bench = commands.add_parser("bench", help="measure a part of the hub beside its peers; in a checkout only")
    bench.add_argument("name", help="which part: transport or cluster")
    bench.add_argument("arguments", nargs=argparse.REMAINDER, help="its own options; --help lists them")
    bench.set_defaults(command=_bench)
    return parser


def _admin_parser(commands: Any) -> None:
    admin = commands.add_parser("admin", help="roles and suspensions of accounts, while the hub runs or not")
    admin.add_argument("--data", type=Path, help="folder of the running hub, unless DATABASE_URL is set")
    tasks = admin.add_subparsers(required=True, metavar="task")
    grant = tasks.add_parser("grant", help="give an account a role in the place of the one it has")
    suspend = tasks.add_parser("suspend", help="let nobody use an account: ends its sessions and connections")
    unsuspend = tasks.add_parser("unsuspend", help="lift a suspension; the sessions do not come back")
    for task in (grant, suspend, unsuspend):
        task.add_argument("person", metavar="EMAIL|ID", type=_person, help="whose account")
    grant.add_argument("role", choices=get_args(StaffRole))
    suspend.add_argument("--reason", default="", help="why; kept with the account, for the staff alone")
    grant.set_defaults(command=_grant)
    suspend.set_defaults(command=_suspend)
    unsuspend.set_defaults(command=_unsuspend)


def _person(text: str) -> str:
    if "@" not in text and not re.fullmatch(UUID_PATTERN, text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither an email address nor the id of an account")
    return text


def _listen_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 picks one (default: 8080)")
    parser.add_argument("--data", type=Path, help="folder of the embedded servers and keys (default: .sparkle)")


def _ports(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _settings(arguments: argparse.Namespace) -> Settings:
    given = {field for field in Settings.__struct_fields__ if getattr(arguments, field, None) is not None}
    overrides: dict[str, Any] = {field: getattr(arguments, field) for field in given}
    return config.load(config.environment(), overrides)


def _run(arguments: argparse.Namespace) -> int:
    from hub.supervisor.run import run  # noqa: PLC0415 starts faster without what the other commands need

    settings = _settings(arguments)
    if arguments.nodes < 1:
        raise ConfigError(f"--nodes: {arguments.nodes} is too few; at least 1")
    return asyncio.run(run(settings, nodes=arguments.nodes, environment=config.environment()))


def _serve(arguments: argparse.Namespace) -> int:
    with importing():
        from hub.node import serve  # noqa: PLC0415
        from hub.transport.eager import HubLoop  # noqa: PLC0415

    deepen_stack()
    with asyncio.Runner(loop_factory=HubLoop) as runner:
        return runner.run(serve(_settings(arguments)))


def _media(arguments: argparse.Namespace) -> int:
    with importing():
        from hub.media import serve  # noqa: PLC0415
        from hub.transport.eager import HubLoop  # noqa: PLC0415

    settings = _settings(arguments)
    if arguments.http_port is not None:
        settings = structs.replace(settings, media=structs.replace(settings.media, http_port=arguments.http_port))
    with asyncio.Runner(loop_factory=HubLoop) as runner:
        return runner.run(serve(settings))


def _migrate(arguments: argparse.Namespace) -> int:
    from hub.storage.migrate import CANNOT_MIGRATE, migrate  # noqa: PLC0415

    settings = _settings(arguments)
    if settings.database_url is None:
        raise ConfigError("DATABASE_URL: must be set for `migrate`")
    try:
        applied = asyncio.run(migrate(settings.database_url))
    except CANNOT_MIGRATE as error:
        print(f"sparkle-hub: DATABASE_URL: {error}", file=sys.stderr)
        return 1
    print(f"{applied} migrations applied" if applied else "up to date")
    return 0


def _check_config(arguments: argparse.Namespace) -> int:
    if arguments.list:
        for variable, default in config.describe():
            print(f"{variable}={default}")
        return 0
    _settings(arguments)
    print("the settings are fine")
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from hub.app import describe  # noqa: PLC0415
    from hub.schema import write  # noqa: PLC0415

    return write(describe(), arguments.folder, check=arguments.check)


def _grant(arguments: argparse.Namespace) -> int:
    from hub import admin  # noqa: PLC0415

    return _admin(admin.grant(admin.database_of(_settings(arguments)), arguments.person, arguments.role))


def _suspend(arguments: argparse.Namespace) -> int:
    from hub import admin  # noqa: PLC0415

    return _admin(admin.suspend(admin.database_of(_settings(arguments)), arguments.person, arguments.reason))


def _unsuspend(arguments: argparse.Namespace) -> int:
    from hub import admin  # noqa: PLC0415

    return _admin(admin.unsuspend(admin.database_of(_settings(arguments)), arguments.person))


def _admin(task: Coroutine[Any, Any, str]) -> int:
    from hub.admin import CommandFailed  # noqa: PLC0415

    try:
        print(asyncio.run(task))
    except CommandFailed as error:
        print(f"sparkle-hub: {error}", file=sys.stderr)
        return 1
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from hub.demo.document import MOST_EDITS, Pace  # noqa: PLC0415
    from hub.demo.run import run  # noqa: PLC0415

    if not 1 <= arguments.edits <= MOST_EDITS:
        raise ConfigError(f"--edits: {arguments.edits} is not between 1 and {MOST_EDITS}")
    if arguments.pace_ms < 0:
        raise ConfigError(f"--pace-ms: {arguments.pace_ms} is negative")
    pace = Pace(arguments.edits, arguments.pace_ms)
    try:
        return asyncio.run(run(arguments.url, arguments.second_url, pace=pace, environment=config.environment()))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130  # interrupted, in the numbers of shells


def _bench(arguments: argparse.Namespace) -> int:
    try:
        from load_tests.bench.names import main  # noqa: PLC0415 not a part of the package
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "load_tests":
            raise
        where = "benches are not installed with the package: run `./sparkle bench` in a checkout"
        print(f"sparkle-hub: {where}", file=sys.stderr)
        return 2
    return main(arguments.name, arguments.arguments)


if __name__ == "__main__":
    main()
