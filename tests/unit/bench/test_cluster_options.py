"""The options of ``bench cluster``, and what is said when it cannot be run."""

from pathlib import Path

import pytest

from hub import cli
from load_tests.bench.cluster.command import main, parser
from load_tests.bench.cluster.schedule import NAMES


def test_by_default_thirty_faults_of_every_kind_hit_three_nodes() -> None:
    given = parser().parse_args([])
    assert (given.faults, given.seed, given.kinds, given.nodes) == (30, 1, NAMES, 3)


def test_kinds_are_named_in_any_order() -> None:
    assert parser().parse_args(["--kinds", "kill node, cut"]).kinds == ("cut", "kill node")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--kinds", "cut,earthquake"], "earthquake: not among cut"),
        (["--nodes", "1"], "at least 2"),
        (["--faults", "-1"], "at least 0"),
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
    (tmp_path / "clients.jsonl").touch()
    assert main(["--history", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_the_command_knows_the_bench(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "cluster", "--help"])
    assert ended.value.code == 0
    assert "sparkle-hub bench cluster" in capsys.readouterr().out
