"""The `sparkle` script, in a copy of the project that needs no package and whose hub only says how it was called."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.programs import PROJECT, running
from tests.support.wait import until_sync

USUAL_PATH = os.environ["PATH"]  # noqa: TID251 - the script's own input
FAKE_CLI = "import os, sys; print('called', sys.argv[1:], os.getcwd())\n"
# With uv, making an environment takes 0.2 s; with pip, 4 s. One test uses pip.
FAKE_UV = """#!/bin/sh
for last; do :; done
! grep -q no-such-package "$last"
"""


def path_for(project: Path) -> str:
    """A PATH in which a uv that installs nothing comes first."""
    return f"{project}/bin:{USUAL_PATH}"


def call(script: Path, *arguments: str, cwd: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script to its end; `path` is a PATH, `path_for` its project where there is none."""
    environment = {**os.environ, "PATH": path or path_for(script.resolve().parent)}  # noqa: TID251
    return subprocess.run([script, *arguments], cwd=cwd, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Its path has spaces."""
    folder = tmp_path / "my project"
    for name, text in {
        "requirements/run.txt": "# nothing\n",
        "requirements/dev.txt": "# nothing at all\n",
        "hub/__init__.py": "",
        "hub/cli.py": FAKE_CLI,
        "bin/uv": FAKE_UV,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "bin" / "uv").chmod(0o755)
    shutil.copy(PROJECT / "sparkle", folder)
    return folder


@pytest.mark.parametrize("shell", ["sh", "dash"])
@pytest.mark.parametrize("script", ["sparkle", ".ci/run"])
def test_it_is_valid_posix_shell(shell: str, script: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    assert subprocess.run([shell, "-n", PROJECT / script], check=False).returncode == 0


def test_help_lists_the_commands_and_installs_nothing(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "sparkle", tmp_path)
    for arguments in ((), ("help",), ("--help",)):
        done = call(tmp_path / "sparkle", *arguments, cwd=Path("/"))
        assert done.returncode == 0
        for command in ("run", "test", "demo", "migrate", "check-config", "schema", "help"):
            assert f"\n  {command} " in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_two_first_starts_at_once_install_once_and_both_run(project: Path, tmp_path: Path) -> None:
    (project / "hold").touch()
    with (
        running([project / "sparkle", "demo", "1"], PATH=path_for(project), PYTHONPATH="") as first,
        running([project / "sparkle", "demo", "2"], PATH=path_for(project), PYTHONPATH="") as second,
    ):
        until_sync(lambda: "another start is installing" in first.output + second.output)
        (project / "hold").unlink()
        assert [first.end(), second.end()] == [0, 0], first.output + second.output
        assert "called ['demo', '1']" in first.output
        assert "called ['demo', '2']" in second.output
        assert (first.output + second.output).count("installing the packages of requirements/run.txt") == 1


def test_the_second_start_installs_nothing_and_adds_a_few_milliseconds(project: Path, tmp_path: Path) -> None:
    call(project / "sparkle", "run", cwd=tmp_path)
    (project / "hub" / "cli.py").write_text("")
    started = time.perf_counter()
    done = call(project / "sparkle", "run", cwd=tmp_path)
    took_s = time.perf_counter() - started
    (project / "hub" / "cli.py").write_text(FAKE_CLI)
    assert done.returncode == 0
    assert done.stderr == ""
    assert took_s < 0.5  # measured: 0.03 s, of which Python itself 0.02 s


def test_run_keeps_its_data_in_the_project_unless_told_otherwise(project: Path, tmp_path: Path) -> None:
    link = tmp_path / "linked sparkle"
    link.symlink_to(os.path.relpath(project / "sparkle", tmp_path))
    done = call(link, "run", "--data", "other place", cwd=tmp_path)
    assert f"called {['run', '--data', f'{project}/.sparkle', '--data', 'other place']} {tmp_path}" in done.stdout


def test_a_changed_lock_file_or_an_interrupted_installation_is_installed_again(project: Path, tmp_path: Path) -> None:
    call(project / "sparkle", "run", cwd=tmp_path)
    with (project / "requirements" / "run.txt").open("a") as file:
        file.write("# changed\n")
    assert "installing the packages" in call(project / "sparkle", "run", cwd=tmp_path).stderr
    assert "installing the packages" not in call(project / "sparkle", "run", cwd=tmp_path).stderr
    (project / "requirements" / "run.txt").write_text("no-such-package==1.0 --hash=sha256:00\n")
    assert call(project / "sparkle", "run", cwd=tmp_path).returncode != 0
    (project / "requirements" / "run.txt").write_text("# nothing\n")
    assert "installing the packages" in call(project / "sparkle", "run", cwd=tmp_path).stderr


def test_an_environment_that_came_with_a_moved_project_is_made_anew(project: Path, tmp_path: Path) -> None:
    call(project / "sparkle", "run", cwd=tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(project, moved, symlinks=True)
    done = call(moved / "sparkle", "run", cwd=tmp_path)
    assert "making the Python environment" in done.stderr
    assert f"{moved}/.sparkle" in done.stdout


def test_a_machine_without_a_new_python_gets_a_sentence(project: Path, tmp_path: Path) -> None:
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("readlink", "cmp", "cat", "mkdir", "sh"):
        (old / name).symlink_to(shutil.which(name) or "/nowhere")
    fresh = tmp_path / "fresh"
    shutil.copytree(project, fresh, ignore=shutil.ignore_patterns(".venv"))
    done = call(fresh / "sparkle", "run", cwd=tmp_path, path=str(old))
    assert done.returncode == 1
    assert done.stderr.startswith("sparkle: Python 3.11 or later is needed")
    (old / "python3").write_text("#!/bin/sh\nexit 1\n")  # says no to the version check
    (old / "python3").chmod(0o755)
    assert call(fresh / "sparkle", "run", cwd=tmp_path, path=str(old)).returncode == 1
    # says yes to the version check, but cannot import ensurepip
    (old / "python3").write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n')
    done = call(fresh / "sparkle", "run", cwd=tmp_path, path=str(old))
    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr
