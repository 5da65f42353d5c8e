"""What ``bench collab`` prints."""

from collections.abc import Iterator

from load_tests.bench.collab.trial import Trial
from load_tests.bench.rows import Row, Target

SHOWN = 10


def kill_rows(trial: Trial, *, control: bool) -> list[Row]:
    """The rows of a run with kills."""
    return list(_kill_rows(trial, control))


def _kill_rows(trial: Trial, control: bool) -> Iterator[Row]:
    for what, count in sorted(trial.kills.items()):
        yield Row(f"killed: {what}", "processes", count)
    verdict, none = trial.verdict, None if control else Target(0, at_most=True)
    for kind, count in sorted(trial.kinds.items()):
        yield Row(f"acknowledged: {kind}", "changes", count)
    yield Row("acknowledged and missing", "", len(verdict.missing), none)
    yield Row("copies unlike what is stored", "", len(verdict.unlike), none)
    yield Row("tracebacks in the nodes' logs", "", len(trial.tracebacks))
    yield Row("time", "s", trial.seconds)


def show(trial: Trial) -> str:
    """The findings, as many as fit on a screen."""
    verdict = trial.verdict
    lines = [f"missing: {what}" for what in verdict.missing[:SHOWN]]
    lines += [f"unlike: {what}" for what in verdict.unlike[:SHOWN]]
    lines += [] if trial.settled else ["not everybody had an acknowledgement for everything at the end"]
    return "\n".join(["", *lines, *trial.tracebacks[:SHOWN]])
