"""Metrics of presence: counted as plain numbers, and made into samples when somebody reads them."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class PresenceMetrics(Collector):
    """Numbers of this process, and of all nodes together as they were when it looked last: some seconds ago."""

    def __init__(self) -> None:
        self.connections = 0
        self.users = 0
        self.online = 0
        self.held = 0
        self.buried = 0
        self.relayed = 0

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        yield GaugeMetricFamily("hub_presence_connections", "Connections of this node in presence", self.connections)
        yield GaugeMetricFamily("hub_presence_users", "People they belong to", self.users)
        yield GaugeMetricFamily("hub_presence_online", "People who are there, on any node", self.online)
        yield GaugeMetricFamily("hub_presence_held", "Lost connections that still count, of any node", self.held)
        yield CounterMetricFamily("hub_presence_buried", "Dead nodes that this one buried, with others", self.buried)
        yield CounterMetricFamily(
            "hub_presence_relayed", "Transitions that this node looked at because nobody had told of them", self.relayed
        )


METRICS = PresenceMetrics()
REGISTRY.register(METRICS)
