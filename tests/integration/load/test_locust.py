"""Locust with every class of users: against a hub, and against one that breaks its promises."""

import asyncio
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

from hub.config import describe
from tests.support.faulty_link import FaultyLink
from tests.support.hub_process import HubProcess, running_hub_process
from tests.support.locust import Counts, run_locust
from tests.support.programs import PROJECT
from tests.support.servers import Servers

METRICS = {
    ("POST", "/api/v1/auth/signup"),
    ("POST", "/api/v1/auth/refresh"),
    ("connect", "first"),
    ("connect", "again"),
    *(
        ("ack", event)
        for event in (
            *("room:join", "room:send", "room:send (volatile)", "typing:start", "typing:stop"),
            *("presence:watch", "presence:update", "presence:get"),
            *("collab:join", "collab:change", "collab:awareness"),
            *("call:initiate", "call:ringing", "call:accept", "call:signal", "call:hangup", "call:reject"),
        )
    ),
    *(
        ("delivery", event)
        for event in (
            *("room:message", "room:message (volatile)", "typing:update", "presence:diff"),
            *("collab:update", "collab:awareness"),
            *("call:incoming", "call:state", "call:accepted", "call:ended", "call:cancelled"),
            *("call:signal offer", "call:signal answer", "call:signal candidate", "call:signal end-of-candidates"),
        )
    ),
}
CHECK = ("check", "acknowledged edits")
"""Made by every editor before leaving."""
FAILURES = {
    ("POST", "/api/v1/auth/signup", "Refused('rate_limited')"),
    ("connect", "first", "Refused('rate_limited')"),
    ("connection", "ended by the hub", "ConnectionLost('transport error')"),
    ("ack", "room:send", "Unacknowledged('no acknowledgement within 2 s')"),
    ("delivery", "room:message", "Undelivered('not delivered within 2 s')"),
    ("delivery", "room:message", "Repeated('delivered before')"),
    ("delivery", "room:message", "Disordered('after a later one of the same sender')"),
    ("delivery", "presence:diff", "Undelivered('not delivered within 2 s')"),
    ("delivery", "collab:update", "Undelivered('not delivered within 2 s')"),
    ("delivery", "call:incoming", "Undelivered('not delivered within 2 s')"),
    (*CHECK, "EditsMissing('an acknowledged edit is not in the document')"),
}
"""What `FaultyLink` does, as users see it."""


def test_every_class_of_users_is_served_without_failure_and_measured(hub: HubProcess, tmp_path: Path) -> None:
    users = {"IdleUser": 2, "ChattyUser": 3, "PresenceUser": 3, "EditorUser": 3, "CallerUser": 4}
    run = run_locust(
        hub.url, tmp_path, users, "--tempo", "15", "--within", "30", until=lambda counts: counts.keys() >= METRICS
    )
    assert run.failures == set(), run.output
    assert run.exit_code == 0, run.output
    assert run.counts["check", "acknowledged edits"].all == users["EditorUser"]
    assert not re.search(r"Traceback|ERROR", run.output), run.output


def test_callers_connect_by_webrtc_and_hear_each_other(hub: HubProcess, tmp_path: Path) -> None:
    echo = ("media", "echo")
    run = run_locust(
        hub.url,
        tmp_path,
        {"CallerUser": 4},
        *("--media", "--tempo", "15", "--within", "30"),
        until=lambda counts: echo in counts and counts[echo].all >= 3,
    )
    assert run.failures == set(), run.output
    assert run.exit_code == 0, run.output


def test_users_outlive_their_tokens_on_the_connection_that_they_have(servers: Servers, tmp_path: Path) -> None:
    lives, users = 3, {"ChattyUser": 2, "EditorUser": 2}
    refresh = ("ack", "auth:refresh")
    with running_hub_process(servers, tmp_path / "hub", SPARKLE_ACCOUNTS_ACCESS_TOKEN_S="4") as hub:
        run = run_locust(
            hub.url,
            tmp_path,
            users,
            *("--tempo", "5", "--within", "30"),
            # Told halfway through each life: who is told for the fourth time has outlived the first token.
            until=lambda counts: refresh in counts and counts[refresh].all > lives * sum(users.values()),
        )
    assert run.failures == set(), run.output
    assert run.counts["connect", "first"].all == 4
    assert run.counts.keys().isdisjoint({("connect", "again"), ("connection", "ended by the hub")})


async def test_what_a_hub_must_not_do_is_reported_as_failures(hub: HubProcess, tmp_path: Path) -> None:
    users = {"ChattyUser": 6, "PresenceUser": 2, "EditorUser": 3, "CallerUser": 3}
    link = FaultyLink(hub.url)
    # Of a row with several kinds of failures as many as there are kinds: the first of them does not stand for all.
    seen_while_running = Counter((kind, name) for kind, name, _ in FAILURES if (kind, name) != CHECK)

    def is_enough(counts: Counts) -> bool:
        failed = Counter({row: count.failed for row, count in counts.items()})
        return not link.left and failed >= seen_while_running

    options = ("--tempo", "10", "--within", "2", "--processes", "1")  # a master and a worker
    async with link.open() as url:
        run = await asyncio.to_thread(run_locust, url, tmp_path, users, *options, until=is_enough)
    assert FAILURES - run.failures == set(), run.output
    assert run.exit_code == 1, run.output


def test_another_machine_is_not_loaded_without_being_told_so(tmp_path: Path) -> None:
    run = run_locust("http://hub.example", tmp_path, {"IdleUser": 1})
    assert run.exit_code == 2
    assert "http://hub.example is not this machine: see --beyond-loopback" in run.output


def test_the_readme_gives_commands_that_locust_takes_and_settings_that_exist() -> None:
    readme = (PROJECT / "load_tests" / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^\.venv/bin/locust -f \S+(.*)", readme, re.MULTILINE)
    table = re.findall(r"`(--[a-z-]+ \S+)`", readme)
    # All at once, but for those that exclude others, and only parsed: it lists the classes and ends.
    together = [text for text in (*commands, *table) if "--processes" not in text and "--worker" not in text]
    words = [word for text in together for word in shlex.split(text, comments=True)]
    options = ["-f", str(PROJECT / "load_tests" / "locustfile.py"), *words, "--beyond-loopback", "--list"]
    listing = subprocess.run(
        [sys.executable, "-m", "locust", *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert len(commands) > 5
    assert listing.returncode == 0, listing.stderr
    assert set(re.findall(r"\b\w+User\b", readme)) - {"HubUser"} <= set(listing.stdout.split())
    assert set(re.findall(r"SPARKLE_[A-Z0-9_]+", readme)) <= {setting for setting, _ in describe()}
