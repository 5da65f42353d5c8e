"""The page in real Chromium, one page on each of two nodes: what two people see of each other.

No page may complain: neither of its content security policy, nor by an error in its console.
"""

import asyncio

from tests.e2e.conftest import Script
from tests.support.hub_process import HubProcess
from tests.support.rest import Rest

KEPT = "typed faster than commits come " * 3


async def test_two_people_on_two_nodes_see_each_other_and_write_one_text(flow: Script) -> None:
    report = await flow("browser_together")

    assert report["presence"] == ["online", "busy", "offline", "busy", "offline"]
    assert report["posts"]["arrived"] == ["First <b>words</b>.", "Then more."]
    assert report["posts"]["typed"] == f"{report['ada']} is writing…"
    one, other = report["document"]["texts"]
    assert one == other
    assert sorted(one) == sorted("From Ada, all of it at once. And from Bob, meanwhile! 😀 ")
    assert report["document"]["caret"] != "rgb(0, 0, 0)"


async def test_a_page_keeps_its_session_and_its_text_through_reloads_and_lost_connections(flow: Script) -> None:
    report = await flow("browser_session", text=KEPT)

    assert report["nameAfterReload"] == report["ada"]
    assert report["textAfterReload"] == KEPT
    assert report["offline"].startswith("offline")
    assert report["textAfterReconnect"] == f"{KEPT} and typed alone"
    assert report["kept"] == 0


async def test_a_page_whose_connection_the_staff_closes_says_so_and_is_back_when_it_is_loaded_again(
    flow: Script, hub: HubProcess, rest: Rest
) -> None:
    admin = await rest.sign_up("root")
    await asyncio.to_thread(hub.admin, "grant", admin.id, "admin")
    report = await flow("browser_closed", admin=admin.token)
    assert report["closed"] == 1
    assert report["told"] == "closed by the staff (we move house); load the page again"


async def test_a_companion_answers_in_the_page_and_says_what_it_remembered(flow: Script) -> None:
    report = await flow("browser_companion")

    assert report["first"]["text"]
    assert report["first"]["source"] == "by scripted"
    assert any("Lisbon" in memory for memory in report["second"]["memories"])
    said = ["My sister Mara lives in Lisbon and paints boats.", "Where does my sister Mara live?"]
    assert report["kept"] == [said[0], report["first"]["text"], said[1], report["second"]["text"]]


async def test_a_post_is_minted_with_a_wallet_of_the_browser(flow: Script) -> None:
    report = await flow("browser_wallet")

    assert report["shown"].startswith(report["address"][:6])
    order = ["queued", "submitted", "mined", "confirmed"]
    assert report["states"][-1] == "confirmed"
    assert report["states"] == [state for state in order if state in report["states"]]
    assert report["minted"].startswith("Worth keeping: confirmed, token ")
    assert report["again"] == [report["minted"]]


async def test_a_bad_network_and_a_second_press_make_nothing_twice(flow: Script) -> None:
    report = await flow("browser_trouble")

    assert report["published"] == ["Of rivers", "Of bridges"]
    assert report["changed"] == ["They ran."]
    assert report["conversation"] == ["One.", "Two."]
    assert report["session"] == {"asked": 3, "name": report["bob"]}


async def test_unsaved_text_is_never_dropped_unasked_and_nobody_elses_cursor_does_harm(flow: Script) -> None:
    report = await flow("browser_unsaved")

    assert report["hostile"] == 1  # the friend's page alone
    assert report["left"] == {
        "questions": ["Not everything that you typed is saved. Leave this document without it?"],
        "stayed": {"chosen": "Ours", "text": "Kept."},
        "chosen": "Hers",
    }
    assert report["pasted"] == ["✓ saved", "not saved: More than 900 KB at once."]
    assert report["connection"] == "connected"
