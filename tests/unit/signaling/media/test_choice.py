"""Which engine carries a call."""

import pytest

from signaling.media.choice import engine_for
from signaling.media.settings import MediaSettings

SETTINGS = MediaSettings()
ALL = {"mesh", "embedded", "janus", "livekit"}


@pytest.mark.parametrize(("people", "engine"), [(1, "mesh"), (2, "mesh"), (3, "embedded"), (50, "embedded")])
def test_from_the_third_person_on_there_is_an_engine(people: int, engine: str) -> None:
    assert engine_for(people, SETTINGS, ALL) == engine


def test_without_the_engine_a_call_is_a_mesh() -> None:
    assert engine_for(3, SETTINGS, {"mesh"}) == "mesh"


def test_a_call_does_not_leave_its_engine_when_people_do_and_does_when_the_engine_is_gone() -> None:
    assert engine_for(2, SETTINGS, ALL, now="embedded") == "embedded"
    assert engine_for(2, SETTINGS, ALL, now="livekit") == "livekit"
    assert engine_for(2, SETTINGS, {"mesh"}, now="embedded") == "mesh"
    assert engine_for(3, SETTINGS, {"mesh", "embedded"}, now="livekit") == "embedded"
    assert engine_for(3, SETTINGS, ALL, now="mesh") == "embedded"


def test_an_operator_may_have_another_engine_or_none() -> None:
    assert engine_for(3, MediaSettings(engine="janus"), ALL) == "janus"
    assert engine_for(3, MediaSettings(engine="mesh"), ALL) == "mesh"
    assert engine_for(3, MediaSettings(mesh_most=4), ALL) == "mesh"


@pytest.mark.parametrize(("people", "engine"), [(2, "mesh"), (3, "embedded"), (4, "embedded"), (5, "janus")])
def test_a_call_grows_from_the_mesh_over_the_hubs_own_media_server_to_another(people: int, engine: str) -> None:
    settings = MediaSettings(engine="janus", embedded_most=4)
    assert engine_for(people, settings, ALL) == engine
    assert engine_for(people, settings, ALL, now="mesh") == engine
    assert engine_for(people, settings, ALL, now="janus") == "janus"
    assert engine_for(people, settings, ALL - {"embedded"}) == ("mesh" if people == 2 else "janus")
