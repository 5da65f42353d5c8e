"""Values of the options that benches share."""

import argparse
from collections.abc import Callable, Sequence


def at_least(least: int) -> Callable[[str], int]:
    """A whole number that is no less than this."""

    def parse(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"at least {least}")
        return number

    return parse


def some_of(names: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Some of these names, separated by commas, in the order of ``names``."""

    def parse(text: str) -> tuple[str, ...]:
        given = [name.strip() for name in text.split(",") if name.strip()]
        if unknown := sorted(set(given) - set(names)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not among {', '.join(names)}")
        return tuple(name for name in names if name in given)

    return parse
