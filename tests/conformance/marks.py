"""Marks of the conformance suites: at which pace a module runs, and what the reference implementation leaves out."""

import functools

import pytest

from tests.support.bare_server import ANOTHER_NODE, NORMAL_PING, SHORT_PING

at_normal_ping = pytest.mark.parametrize("server", [NORMAL_PING], indirect=True, ids=str)
"""For RFC 6455, which knows nothing of heartbeats: nothing can end by a timeout then."""

at_short_ping = pytest.mark.parametrize("server", [SHORT_PING], indirect=True, ids=str)
"""For what waits for a heartbeat or a timeout."""

also_on_another_node = pytest.mark.parametrize(
    "server", [SHORT_PING, NORMAL_PING, ANOTHER_NODE], indirect=True, ids=str
)
"""For long-polling and upgrades, of which each request may reach a node that does not have the session."""

stricter_than_node = pytest.mark.stricter_than_node
"""The protocol wants it, and the reference implementation does not do it; the docstring says why we do."""

strict = functools.partial(pytest.param, marks=stricter_than_node)
"""One value of a parameter that is `stricter_than_node`."""
