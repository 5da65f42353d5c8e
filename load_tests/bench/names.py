"""The benches by name, as ``sparkle-hub bench`` knows them."""

import sys
from collections.abc import Callable, Sequence

Bench = Callable[[Sequence[str]], int]


def main(name: str, arguments: Sequence[str]) -> int:
    """Run a bench with its own options. Returns its exit code; 2 if there is no such bench."""
    bench = BENCHES.get(name)
    if bench is None:
        print(f"sparkle-hub bench: there is no bench {name!r}, only {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    return bench(arguments)


def _transport(arguments: Sequence[str]) -> int:
    from load_tests.bench.transport.command import main  # noqa: PLC0415 each bench needs other packages

    return main(arguments)


def _cluster(arguments: Sequence[str]) -> int:
    from load_tests.bench.cluster.command import main  # noqa: PLC0415 each bench needs other packages

    return main(arguments)


def _presence(arguments: Sequence[str]) -> int:
    from load_tests.bench.presence.command import main  # noqa: PLC0415 each bench needs other packages

    return main(arguments)


def _collab(arguments: Sequence[str]) -> int:
    from load_tests.bench.collab.command import main  # noqa: PLC0415 each bench needs other packages

    return main(arguments)


def _calls(arguments: Sequence[str]) -> int:
    from load_tests.bench.calls.command import main  # noqa: PLC0415 each bench needs other packages

    return main(arguments)


def _media(arguments: Sequence[str]) -> int:
    from load_tests.bench.media.command import main  # noqa: PLC0415 each bench needs other packages

    return main(arguments)


BENCHES: dict[str, Bench] = {
    "transport": _transport,
    "cluster": _cluster,
    "presence": _presence,
    "collab": _collab,
    "calls": _calls,
    "media": _media,
}
