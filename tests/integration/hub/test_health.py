"""Health, metrics and descriptions of a node."""

import socket

import pytest

from tests.support.hub import RunningHub, running_hub, settings


async def test_a_started_node_is_live_and_ready_and_says_what_it_checked(node: RunningHub) -> None:
    async with node.http.get(f"{node.url}/health/live") as response:
        assert response.status == 200
    async with node.http.get(f"{node.url}/health/ready") as response:
        assert response.status == 200
        report = await response.json()
    assert report["status"] == "ready"
    assert report["nodes"][0]["checks"] == {"postgres": "ok", "redis": "ok", "bus": "ok"}


async def test_a_node_without_its_database_is_not_ready_and_says_which(node: RunningHub) -> None:
    await node.hub.health._probes[0]._pool.close()  # type: ignore[attr-defined]

    async with node.http.get(f"{node.url}/health/ready") as response:
        assert response.status == 503
        checks = (await response.json())["nodes"][0]["checks"]
    assert checks["postgres"] != "ok"
    assert checks["redis"] == "ok"


async def test_a_peer_that_does_not_answer_makes_the_shared_port_not_ready(database_url: str, redis_url: str) -> None:
    chosen = settings(database_url, redis_url, {"SPARKLE_PEER_PORTS": "1"})
    async with running_hub(chosen) as node, node.http.get(f"{node.url}/health/ready") as response:
        assert response.status == 503
        assert (await response.json())["nodes"][1]["checks"] == {"node": "does not answer"}


async def test_metrics_count_connections_and_events(node: RunningHub) -> None:
    async with node.http.get(f"{node.url}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    for name in ("hub_connections", "hub_events_total", "hub_deliveries_total", "hub_http_request_seconds"):
        assert name in text


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_this_machine_is_known_by_its_ipv4_address_on_a_socket_of_both_families(
    database_url: str, redis_url: str
) -> None:
    chosen = settings(database_url, redis_url)
    async with running_hub(chosen, dual_stack=True) as node, node.http.get(f"{node.url}/metrics") as response:
        assert response.status == 200


async def test_the_wire_is_described_by_every_node(node: RunningHub) -> None:
    async with node.http.get(f"{node.url}/openapi.json") as response:
        assert (await response.json())["openapi"] == "3.1.0"
    async with node.http.get(f"{node.url}/wire.json") as response:
        assert "presence:update" in (await response.json())["clientEvents"]
    async with node.http.get(f"{node.url}/docs") as response:
        assert response.content_type == "text/html"
        assert "presence:update" in await response.text()
