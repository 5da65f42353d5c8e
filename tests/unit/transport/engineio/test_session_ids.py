"""hub.transport.engineio.session_ids: a secret that is as good as it was, and a node that can be read from it."""

import string

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from hub.kernel.ids import NodeId, NodeTag, new_ulid, tag_of
from hub.transport.engineio.session_ids import new_id, new_session_id, node_of

BASE64URL = set(string.ascii_letters + string.digits + "-_")
ULIDS = st.binary(min_size=16, max_size=16).map(lambda raw: NodeId(str(ULID(raw))))


@given(ULIDS)
def test_an_id_names_the_node_that_made_it(node_id: NodeId) -> None:
    assert node_of(new_session_id(tag_of(node_id))) == tag_of(node_id)


@given(ULIDS)
def test_the_secret_is_whole_and_the_tag_comes_after_it(node_id: NodeId) -> None:
    ids = [new_session_id(tag_of(node_id)) for _ in range(20)]
    secrets = {one.removesuffix(tag_of(node_id)) for one in ids}
    assert len(secrets) == 20
    assert all(len(secret) == 20 and set(secret) <= BASE64URL for secret in secrets), "20 characters of 6 bits"
    assert all(len(one) == 28 for one in ids)


def test_every_character_of_the_secret_is_random() -> None:
    ids = [new_session_id(tag_of(NodeId(new_ulid()))) for _ in range(1000)]
    for position in range(20):
        assert len({one[position] for one in ids}) > 50, "of 64; fewer once in 10^6 runs"


def test_an_id_without_a_cluster_names_no_node() -> None:
    assert node_of(new_session_id(None)) is None
    assert len(new_session_id(None)) == len(new_id()) == 20


def test_nodes_that_start_in_one_moment_have_different_tags() -> None:
    assert len({tag_of(NodeId(new_ulid())) for _ in range(1000)}) == 1000


@given(st.text(max_size=40))
def test_any_text_is_no_id_or_one_of_the_right_form(text: str) -> None:
    node = node_of(text)
    if node is not None:
        assert len(text) == 28
        assert text.endswith(node)
        assert set(text[:20]) <= BASE64URL


@given(ULIDS, st.text(min_size=1, max_size=3))
def test_an_id_with_something_before_or_behind_is_none(node_id: NodeId, more: str) -> None:
    session_id = new_session_id(tag_of(node_id))
    assert node_of(session_id + more) is None
    assert node_of(more + session_id) is None
    assert node_of(session_id + "\n") is None


def test_letters_that_no_ulid_has_name_no_node() -> None:
    for letter in "ILOUilou-_/.:@ ":
        assert node_of(new_id() + NodeTag("0000000" + letter)) is None
