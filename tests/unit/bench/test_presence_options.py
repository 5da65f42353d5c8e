"""The options of ``bench presence``, and what is said when it cannot be run."""

from pathlib import Path

import pytest

from hub import cli
from load_tests.bench.presence.command import MEASURES, main, parser
from load_tests.bench.presence.stages import STAGES


def test_by_default_ten_thousand_people_go_through_every_stage() -> None:
    given = parser().parse_args([])
    assert (given.people, given.seed, given.nodes) == (10_000, 1, 3)
    assert given.stages == (*STAGES, *MEASURES)


def test_stages_are_named_in_any_order() -> None:
    assert parser().parse_args(["--stages", "pace, drain,kill"]).stages == ("kill", "drain", "pace")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--stages", "kill,earthquake"], "earthquake: not among kill"),
        (["--nodes", "1"], "at least 2"),
        (["--people", "5"], "at least 100"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_history_is_not_written_into_a_folder_that_has_something_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "history.jsonl").touch()
    assert main(["--history", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_the_command_knows_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "presence", "--help"])
    assert ended.value.code == 0
    assert "sparkle-hub bench presence" in capsys.readouterr().out
