"""The options of ``bench transport``, and what is said when it cannot be run."""

import os
import sys
from pathlib import Path

import pytest

from hub import cli
from load_tests.bench import cache
from load_tests.bench.transport.command import main, parser
from load_tests.bench.transport.workloads import ROWS


def test_by_default_all_rows_are_measured_three_times() -> None:
    given = parser().parse_args([])
    assert (given.rows, given.runs, given.peers, given.forms) == (ROWS, 3, None, ("hub", "transport"))


def test_rows_and_peers_are_lists_in_the_order_of_the_table() -> None:
    given = parser().parse_args(["--rows", "echo,room-4", "--peers", " stock , node", "--forms", ""])
    assert (given.rows, given.peers, given.forms) == (("room-4", "echo"), ("node", "stock"), ())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rows", "room-5"], "room-5: not among room-1"),
        (["--peers", "deno"], "deno: not among node"),
        (["--runs", "0"], "at least 1"),
        (["--url", "http://example.org:80"], "must be http://127.0.0.1:PORT"),
        (["--url", "http://127.0.0.1"], "must be http://127.0.0.1:PORT"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_without_a_compiler_it_says_so_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cache, "COMPILERS", ("no-such-compiler",))
    assert main(["--short", "--cache", str(tmp_path)]) == 2
    assert "no C compiler" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "environment", "needed"),
    [
        ([], {}, "--pid"),
        (["--pid", str(os.getpid())], {"DATABASE_URL": ""}, "DATABASE_URL"),
        (["--pid", str(os.getpid())], {"DATABASE_URL": "postgresql:///x"}, "SPARKLE_JWT_KEY_FILE"),
    ],
)
def test_a_running_hub_needs_its_process_database_and_key(
    arguments: list[str],
    environment: dict[str, str],
    needed: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SPARKLE_DATA", str(tmp_path))
    assert main(["--url", "http://127.0.0.1:8080", *arguments]) == 2
    assert needed in capsys.readouterr().err


def test_a_running_hub_is_one_node_so_the_row_of_two_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKLE_DATA", str(tmp_path))
    assert main(["--url", "http://127.0.0.1:8080", "--rows", "across,echo"]) == 2
    assert "--url is one node: without the row `across`" in capsys.readouterr().err


def test_the_command_hands_a_bench_its_own_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "transport", "--help"])
    assert ended.value.code == 0
    assert "--gate" in capsys.readouterr().out


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "nothing"])
    assert ended.value.code == 2
    assert "no bench 'nothing', only transport" in capsys.readouterr().err


def test_outside_a_checkout_the_command_says_that_there_are_no_benches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "load_tests.bench.names", None)
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", "transport"])
    assert ended.value.code == 2
    assert "in a checkout" in capsys.readouterr().err
