"""Giving targets their inputs, the same ones for the same seed, and saying which one breaks a promise."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from load_tests.fuzz.mutation import mutate
from load_tests.fuzz.targets import Target


class Finding(Exception):
    """An input that breaks a promise, and which one it was."""

    def __init__(self, target: Target, seed: int, number: int, data: bytes, error: BaseException) -> None:
        super().__init__(f"{target.name}, seed {seed}, input {number}: {type(error).__name__}: {error}\n{data!r}")


@dataclass(frozen=True)
class Report:
    """What became of the inputs of a target."""

    outcomes: Counter[str]
    seconds: float

    def __str__(self) -> str:
        total = self.outcomes.total()
        shares = ", ".join(f"{outcome} {count}" for outcome, count in self.outcomes.most_common())
        return f"{total} inputs, {total / self.seconds:,.0f}/s: {shares}"


def fuzz(target: Target, inputs: int, seed: int) -> Report:
    """Give a target so many inputs. Raises Finding."""
    random, outcomes = Random(f"{target.name} {seed}"), Counter[str]()
    start = time.perf_counter()
    for number in range(inputs):
        data = mutate(random, target.seeds, target.tokens)
        try:
            outcomes[target.check(data, random)] += 1
        except Exception as error:
            raise Finding(target, seed, number, data, error) from error
    return Report(outcomes, time.perf_counter() - start)


def fuzz_all(program: str, what: str, targets: Sequence[Target], argv: Sequence[str] | None) -> int:
    """Fuzz every target, or those that are named in the options, and print what became of the inputs.

    Returns the exit code: 1 if one breaks a promise.
    """
    parser = argparse.ArgumentParser(prog=program, description=what)
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target (default: 100000)")
    parser.add_argument("--seed", type=int, default=0)
    names = [target.name for target in targets]
    parser.add_argument("--target", action="append", choices=names, help="may be repeated (default: all)")
    given = parser.parse_args(argv)
    findings = 0
    for target in targets:
        if given.target is None or target.name in given.target:
            try:
                print(f"{target.name}: {fuzz(target, given.inputs, given.seed)}", flush=True)
            except Finding as finding:
                findings += 1
                print(finding, file=sys.stderr, flush=True)
    return 1 if findings else 0
