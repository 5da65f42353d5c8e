"""Metrics of documents: counted as plain numbers, and made into samples when somebody reads them."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class CollabMetrics(Collector):
    """Numbers of this process."""

    def __init__(self) -> None:
        self.open = 0
        self.held_bytes = 0
        self.waiting_bytes = 0
        self.updates = 0
        self.commits = 0
        self.compactions = 0
        self.compactions_failed = 0
        self.rows_compacted = 0

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        yield GaugeMetricFamily("hub_collab_open", "Documents in memory", self.open)
        yield GaugeMetricFamily("hub_collab_held_bytes", "Bytes of their updates", self.held_bytes)
        yield GaugeMetricFamily(
            "hub_collab_waiting_bytes", "Bytes of updates that wait to be stored", self.waiting_bytes
        )
        yield CounterMetricFamily("hub_collab_updates", "Updates stored", self.updates)
        yield CounterMetricFamily("hub_collab_rows", "Rows they were stored in", self.commits)
        yield CounterMetricFamily("hub_collab_compactions", "Documents compacted", self.compactions)
        yield CounterMetricFamily(
            "hub_collab_compactions_failed", "Documents that could not be compacted", self.compactions_failed
        )
        yield CounterMetricFamily("hub_collab_rows_compacted", "Rows folded into snapshots", self.rows_compacted)


METRICS = CollabMetrics()
REGISTRY.register(METRICS)
