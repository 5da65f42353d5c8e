"""The embedded servers, started for real."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from hub.embedded.data_folder import DataFolder
from hub.embedded.errors import EmbeddedError
from hub.embedded.stack import Stack
from tests.support.programs import is_alive, is_root
from tests.support.wait import until

DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")
as_root = pytest.mark.skipif(not is_root(), reason="only root has to become somebody else")


@asynccontextmanager
async def started(path: Path, **options: object) -> AsyncIterator[Stack]:
    with DataFolder(path) as folder:
        stack = Stack(folder, **options)  # type: ignore[arg-type] # options are passed through
        try:
            await stack.start()
            yield stack
        finally:
            await stack.stop()


async def sql(url: str, *statements: str) -> object:
    """Run statements; the value of the last one."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


def pid_of(stack: Stack, name: str) -> int:
    return next(server.process.pid for server in stack.servers if server.name == name and server.process)


async def test_a_first_start_makes_both_servers_and_a_second_finds_what_was_written(open_folder: Path) -> None:
    path = open_folder / "new" / "data"
    async with started(path) as stack:
        await sql(stack.database_url, "CREATE TABLE kept (value int)", "INSERT INTO kept VALUES (7) RETURNING value")
        async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
            await client.set("kept", "7")
    async with started(path) as stack:
        assert await sql(stack.database_url, "SELECT value FROM kept") == 7
        async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
            assert await client.get("kept") == b"7"


async def test_stopping_ends_the_processes_and_removes_the_sockets(data: Path) -> None:
    async with started(data) as stack:
        pids = [pid_of(stack, "postgres"), pid_of(stack, "valkey")]
        sockets = (data / "sockets").resolve()
        assert sockets.is_dir()
    assert not any(is_alive(pid) for pid in pids)
    assert not sockets.exists()
    assert not (data / "pg18" / "postmaster.pid").exists()  # removed by a clean shutdown only


async def test_sockets_are_private_and_there_is_no_tcp(data: Path) -> None:
    async with started(data, durable=False) as stack:
        assert await sql(stack.database_url, "SHOW listen_addresses") == ""
        async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
            assert (await client.config_get("port"))["port"] == "0"
        assert stat.S_IMODE((data / "sockets").resolve().stat().st_mode) == 0o700


async def test_letters_beyond_ascii_have_upper_case(data: Path) -> None:
    async with started(data, durable=False) as stack:
        assert await sql(stack.database_url, "SELECT upper('äé')") == "ÄÉ"


async def test_a_commit_is_on_disk_unless_the_stack_is_for_tests(data: Path) -> None:
    async with started(data) as stack:
        assert await sql(stack.database_url, "SELECT setting FROM pg_settings WHERE name = 'fsync'") == "on"
        assert await sql(stack.database_url, "SHOW synchronous_commit") == "on"
        async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
            assert (await client.config_get("appendonly"))["appendonly"] == "yes"
    async with started(data, durable=False) as stack:
        assert await sql(stack.database_url, "SHOW fsync") == "off"


async def test_a_server_given_by_url_is_not_started(data: Path) -> None:
    async with started(data, database_url="postgresql://elsewhere/database") as stack:
        assert [server.name for server in stack.servers] == ["valkey"]
        assert stack.database_url == "postgresql://elsewhere/database"
    async with started(data, redis_url="redis://elsewhere", durable=False) as stack:
        assert [server.name for server in stack.servers] == ["postgres"]
        assert stack.redis_url == "redis://elsewhere"


@as_root
async def test_root_starts_them_as_nobody_or_in_a_namespace_and_the_two_can_alternate(data: Path) -> None:
    async with started(data, durable=False) as stack:
        assert [server.identity.kind for server in stack.servers] == ["other user"] * 2
        assert os.stat(f"/proc/{pid_of(stack, 'postgres')}").st_uid != 0
        await sql(stack.database_url, "CREATE TABLE kept (value int)", "INSERT INTO kept VALUES (1) RETURNING value")
    data.parent.chmod(0o700)  # like /root
    async with started(data, durable=False) as stack:
        assert [server.identity.kind for server in stack.servers] == ["namespace"] * 2
        assert (
            await sql(stack.database_url, "INSERT INTO kept VALUES (2); SELECT sum(value) FROM kept", "SELECT 3") == 3
        )
    data.parent.chmod(0o755)
    async with started(data, durable=False) as stack:
        assert await sql(stack.database_url, "SELECT sum(value) FROM kept") == 3


@pytest.mark.parametrize("name", ["postgres", "valkey"])
async def test_a_killed_server_is_started_again_with_its_data_under_the_same_url(data: Path, name: str) -> None:
    said: list[str] = []
    async with started(data, announce=said.append) as stack, asyncio.TaskGroup() as group:
        watching = group.create_task(stack.watch())
        await sql(stack.database_url, "CREATE TABLE kept (value int)", "INSERT INTO kept VALUES (7) RETURNING value")
        before = pid_of(stack, name)
        os.kill(before, signal.SIGKILL)
        await until(lambda: any("runs again" in line for line in said))
        assert pid_of(stack, name) != before
        assert await sql(stack.database_url, "SELECT value FROM kept") == 7
        async with redis.asyncio.Redis.from_url(stack.redis_url) as client:
            assert await client.ping()
        assert "was killed by SIGKILL; starting it again" in said[0]
        watching.cancel()


async def test_a_pid_file_whose_pid_now_belongs_to_another_process_does_not_stop_the_start(data: Path) -> None:
    (data / "pg18" / "postmaster.pid").write_text(f"{os.getpid()}\n{data}/pg18\n0\n5432\n/tmp\n\n\nready\n")
    async with started(data, durable=False) as stack:
        assert await sql(stack.database_url, "SELECT 1") == 1


async def test_an_interrupted_initdb_is_done_again(open_folder: Path) -> None:
    unfinished = open_folder / "data" / "pg18.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    async with started(open_folder / "data", redis_url="redis://elsewhere", durable=False) as stack:
        assert await sql(stack.database_url, "SELECT 1") == 1


async def test_a_failed_start_names_the_server_the_reason_and_the_end_of_its_log(data: Path) -> None:
    with (data / "pg18" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = many\n")
    with pytest.raises(EmbeddedError) as caught:
        async with started(data):
            pass
    text = str(caught.value)
    assert text.startswith("PostgreSQL could not be started: exited with code 1\n")
    assert 'invalid value for parameter "shared_buffers"' in text
    assert str(data / "postgres.log") in text


async def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="cannot start /nowhere/redis-server: No such file or directory"):
        async with started(tmp_path, database_url="postgresql://elsewhere", valkey_bin=Path("/nowhere/redis-server")):
            pass
    with pytest.raises(EmbeddedError, match="/nowhere is not a folder of PostgreSQL programs"):
        async with started(tmp_path, postgres_bin=Path("/nowhere")):
            pass


@pytest.mark.skipif(not DEBIAN_POSTGRES.exists(), reason="Debian's PostgreSQL 15 is not installed")
async def test_the_oldest_supported_postgresql_can_be_used_instead(open_folder: Path) -> None:
    data = open_folder / "data"
    async with started(data, postgres_bin=DEBIAN_POSTGRES, redis_url="redis://elsewhere", durable=False) as stack:
        assert str(await sql(stack.database_url, "SHOW server_version")).startswith("15.")
        assert await sql(stack.database_url, "SELECT upper('ä')") == "Ä"
    assert (data / "pg15").is_dir()
