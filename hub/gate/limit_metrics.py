"""Metrics of rate limits: counted as plain numbers, and made into samples when somebody reads them."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class LimitMetrics(Collector):
    """Numbers of this process."""

    def __init__(self) -> None:
        self.refused: Counter[tuple[str, str]] = Counter()
        """By event or route, and by what was over its limit: ``user`` or ``address``."""
        self.reported = 0
        self.allowances = 0
        self.uncounted = 0

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        refused = CounterMetricFamily(
            "hub_rate_limited", "Events and requests over their limit, by whose it was", labels=["name", "of"]
        )
        for labels, count in self.refused.items():
            refused.add_metric(labels, count)
        yield refused
        yield GaugeMetricFamily("hub_allowances", "Allowances that this node keeps in memory", self.allowances)
        yield CounterMetricFamily("hub_allowances_reported", "Reports of allowances to Redis", self.reported)
        yield CounterMetricFamily(
            "hub_allowances_uncounted", "Events and requests let through since too many are kept", self.uncounted
        )


METRICS = LimitMetrics()
REGISTRY.register(METRICS)
