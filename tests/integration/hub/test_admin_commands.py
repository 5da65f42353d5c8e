"""`sparkle-hub admin` on a real database: what it does, prints and answers with."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hub.cli import main
from hub.embedded.data_folder import DataFolder
from tests.support.accounts import accounts_stack


class Commands:
    """Runs commands against one database."""

    def __init__(self, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._database_url = database_url
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        with pytest.raises(SystemExit) as ended:
            main(["admin", *words])
        printed = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, (printed.out + printed.err).strip()

    def account(self) -> dict[str, Any]:
        """Ada's row."""

        async def read() -> dict[str, Any]:
            connection = await asyncpg.connect(self._database_url)
            try:
                return dict(await connection.fetchrow("SELECT * FROM account_user") or {})
            finally:
                await connection.close()

        return asyncio.run(read())


@pytest.fixture
def commands(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    async def sign_up() -> None:
        async with accounts_stack(database_url) as stack:
            await stack.sign_up("ada")

    asyncio.run(sign_up())
    monkeypatch.setenv("DATABASE_URL", database_url)
    return Commands(database_url, capsys)


def test_a_role_is_granted_by_address_and_by_id(commands: Commands) -> None:
    assert commands.run("grant", "ADA@example.org", "moderator") == (0, "ada (ada@example.org) is now moderator")
    assert commands.account()["role"] == "moderator"
    user_id = str(commands.account()["id"])
    assert commands.run("grant", user_id, "admin") == (0, "ada (ada@example.org) is now admin")
    assert commands.run("grant", user_id, "admin") == (0, "ada (ada@example.org) is already admin")
    assert commands.account()["role"] == "admin"


def test_an_account_is_suspended_with_a_reason_and_comes_back(commands: Commands) -> None:
    suspend = ("suspend", "ada@example.org", "--reason")
    assert commands.run(*suspend, "spam") == (0, "ada (ada@example.org) is now suspended")
    assert commands.run(*suspend, "other") == (0, "ada (ada@example.org) is already suspended")
    row = commands.account()
    assert (row["status"], row["suspension_reason"]) == ("suspended", "spam")
    assert commands.run("unsuspend", "ada@example.org") == (0, "ada (ada@example.org) is no longer suspended")
    assert commands.run("unsuspend", "ada@example.org") == (0, "ada (ada@example.org) is not suspended")
    assert commands.account()["status"] == "active"


@pytest.mark.parametrize("words", [("grant", "{}", "admin"), ("suspend", "{}"), ("unsuspend", "{}")])
@pytest.mark.parametrize("person", ["bob@example.org", "2d50c098-1079-412f-b561-c49a2f85b9ca"])
def test_an_unknown_person_is_named_and_the_code_is_1(commands: Commands, words: tuple[str, ...], person: str) -> None:
    filled = [word.format(person) for word in words]
    assert commands.run(*filled) == (1, f"sparkle-hub: There is no account {person}.")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("grant", "ada", "admin"), "'ada' is neither an email address nor the id of an account"),
        (("grant", "ada@example.org", "root"), "invalid choice: 'root'"),
        (("grant", "ada@example.org"), "required: role"),
        (("suspend",), "required: EMAIL|ID"),
        ((), "required: task"),
    ],
)
def test_wrong_usage_is_told_and_the_code_is_2(commands: Commands, words: tuple[str, ...], complaint: str) -> None:
    code, printed = commands.run(*words)
    assert code == 2
    assert complaint in printed


def test_a_database_that_does_not_answer_is_named_and_the_code_is_1(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@/postgres?host=/nowhere")
    code, printed = commands.run("suspend", "ada@example.org")
    assert code == 1
    assert printed.startswith("sparkle-hub: DATABASE_URL: ")


def test_a_database_without_migrations_is_told_of_the_command_that_is_missing(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    code, printed = Commands(empty_database_url, capsys).run("suspend", "ada@example.org")
    assert (code, "sparkle-hub migrate" in printed) == (1, True)


def test_without_an_address_the_database_of_the_hub_on_the_data_folder_is_taken(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    code, printed = commands.run("--data", str(tmp_path), "suspend", "ada@example.org")
    assert code == 2
    assert str(tmp_path) in printed
    with DataFolder(tmp_path) as folder:
        (folder.sockets / ".s.PGSQL.5432").touch()
        code, printed = commands.run("--data", str(tmp_path), "suspend", "ada@example.org")
    assert code == 1, "it was looked for there, and nobody answered"
    assert printed.startswith("sparkle-hub: DATABASE_URL: ")
