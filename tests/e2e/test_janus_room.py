"""The page's client of Janus's video room, against Debian's Janus: three people in one page, without a hub."""

from pathlib import Path

from hub.kernel.clock import SystemClock
from signaling.media.engine import Leg
from signaling.media.janus import Janus
from tests.e2e.conftest import run_script
from tests.support.janus import TOKEN_SECRET, running_janus

ROOM = "01JANUSROOM000000000000000"
PEOPLE = ("ada", "bob", "eve")


async def test_everybody_gets_what_all_others_send_as_they_show_a_screen_come_back_and_leave(
    browser: str, tmp_path: Path
) -> None:
    with running_janus(tmp_path) as janus:
        engine = Janus(
            url=janus.url,
            client_url=janus.websocket_url,
            token_secret=TOKEN_SECRET,
            clock=SystemClock(),
            video_bits_per_s=1_000_000,
        )
        await engine.ensure_room(ROOM)
        ways = {who: await engine.admit(ROOM, Leg(who, who)) for who in PEOPLE}
        way = {who: {"engine": "janus", "url": one.url, "token": one.token} for who, one in ways.items()}
        report = await run_script("janus_room", browser=browser, way=way, room=ROOM)
        await engine.aclose()

    everybody = {who: [f"{other}/{mid}" for other in PEOPLE if other != who for mid in "01"] for who in PEOPLE}
    assert report["three"] == report["without"] == report["again"] == everybody
    shown = f"bob/{report['section']}"
    assert shown in report["screen"]["ada"]
    assert shown in report["screen"]["eve"]
    assert report["two"] == {"ada": ["eve/0", "eve/1"], "eve": ["ada/0", "ada/1"]}
