"""The workloads of ``bench transport``: what is done, in which unit it is counted, and what it should cost.

The targets are ratios to peers that are measured in the same run. A cost is CPU time of the server's threads.
"""

from dataclasses import dataclass

from load_tests.bench.rows import Target


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. Times in seconds."""

    connections: int
    """In rooms of ``ROOM_SIZE``; what connecting, broadcasting and disconnecting is measured with."""
    connections_across: int
    """The same, over two nodes."""
    idle_connections: int
    """What memory is measured with."""
    warm_s: float
    """Load before the measurement: Node's compiler has to see it for a while."""
    measure_s: float
    latency_s: float
    """Longer, because a second has no more than some 80 broadcasts, and the slowest of them makes the p99."""
    settle_s: float
    """Between connecting and looking at the memory."""
    attempts: int
    """Measurements of one thing at most, while the server waits for its core."""
    limit_s: float | None = None
    """How long all runs may take. Beyond it nothing is measured again, and no run is begun but the first."""
    all_values: bool = True
    """Whether a server is also measured for rows in which it has no target."""


LONG = Plan(
    connections=5000,
    connections_across=5000,
    idle_connections=15_000,
    warm_s=1.0,
    measure_s=3.0,
    latency_s=5.0,
    settle_s=3.0,
    attempts=3,
)
SHORT = Plan(
    connections=2000,
    connections_across=1000,
    idle_connections=2000,
    warm_s=0.3,
    measure_s=0.7,
    latency_s=1.5,
    settle_s=0.5,
    attempts=3,
    limit_s=112.0,
    all_values=False,
)
"""120 s with one peer and all that surrounds the runs. The number of connections is in the names of the rows."""

ROOM_SIZE = 10
ROOMS_OUTSTANDING = 100
"""Broadcasts on their way in all small rooms together."""
LARGE_ROOM = 1000
LARGE_ROOM_PEOPLE = 100
"""With ten devices each. A hub tells a room of each person who comes and goes: of 1000 people to one another, that is
half a million deliveries before anything is measured.
"""
ECHO_CONNECTIONS = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """A target: the value of one of our two forms, divided by a peer's or the other way round, whichever is the
    better the larger unless the target says ``at_most``.
    """

    ours: str
    peer: str
    target: Target


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing that is measured on every server."""

    key: str
    title: str
    unit: str
    comparisons: tuple[Comparison, ...] = ()
    most: Target | None = None
    """A target for the hub's own value."""
    not_for: frozenset[str] = frozenset()
    """Peers that it is not measured on, since nothing is compared with them, or they cannot do it at all."""
    is_clustered: bool = False
    """Whether it is of several nodes, or of what they keep: only for those that it is compared with."""

    def is_for(self, server: str) -> bool:
        """Whether it is measured on a server."""
        if self.is_clustered:
            return self.compares(server)
        return server not in self.not_for | CLUSTERED

    def compares(self, server: str) -> bool:
        """Whether one of its targets is of this server."""
        return any(server in (comparison.ours, comparison.peer) for comparison in self.comparisons)


def at_least(ours: str, **peers: float) -> tuple[Comparison, ...]:
    """Targets of at least so many times a peer's performance."""
    return tuple(Comparison(ours, peer.replace("_", "-"), Target(value)) for peer, value in peers.items())


def at_most(ours: str, **peers: float) -> tuple[Comparison, ...]:
    """Targets of at most this part of a peer's value."""
    return tuple(Comparison(ours, peer.replace("_", "-"), Target(value, at_most=True)) for peer, value in peers.items())


COALESCING = "floor-coalescing"
REDIS = "node-redis"
CLUSTERED = frozenset({"node-streams", "stock-redis"})
"""Peers for the rows of several nodes alone."""


def workloads(plan: Plan) -> tuple[Workload, ...]:
    """In the order of the table."""
    room = f"one room of {LARGE_ROOM}"
    small, across = (
        f"{count} connections in {count // ROOM_SIZE} rooms of {ROOM_SIZE}"
        for count in (plan.connections, plan.connections_across)
    )
    return (
        Workload(
            "room-1",
            f"{room}, 1 outstanding",
            "µs/delivery",
            at_least("hub", node=1.35, stock=7, floor=0.85),
            not_for=frozenset({COALESCING}),
        ),
        Workload(
            "room-4",
            f"{room}, 4 outstanding",
            "µs/delivery",
            at_least("hub", node=5, stock=25, floor_coalescing=0.9),
        ),
        Workload(
            "room-16",
            f"{room}, 16 outstanding",
            "µs/delivery",
            at_least("hub", node=15, floor_coalescing=0.9),
            not_for=frozenset({"stock"}),
        ),
        Workload(
            "rooms",
            small,
            "µs/delivery",
            at_least("hub", node=1.7, stock=12, floor=0.7),
            not_for=frozenset({COALESCING}),
        ),
        Workload(
            "across",
            f"{across}, across Redis on two nodes",
            "µs/delivery",
            at_least("hub", node_redis=1.9, stock_redis=25),
            is_clustered=True,
        ),
        Workload(
            "kept",
            f"kept events in {room}, 1 outstanding",
            "µs/delivery",
            at_least("hub", node_streams=1),
            is_clustered=True,
        ),
        Workload(
            "echo",
            f"echo with ack, {ECHO_CONNECTIONS} connections (hub: presence:get of nobody)",
            "µs/echo",
            at_least("hub", node=1.3, stock=4.5, floor=0.5),
            not_for=frozenset({COALESCING, REDIS}),
        ),
        Workload(
            "memory",
            f"memory of {plan.idle_connections} idle connections",
            "KB/connection",
            at_most("hub", node=1 / 4, stock=1 / 8),
            most=Target(4, at_most=True),
            not_for=frozenset({COALESCING, REDIS}),
        ),
        # What the hub does beside the transport when somebody comes or goes (token, session, presence) has no
        # counterpart in the peers: the transport alone is compared, and the hub is shown.
        Workload(
            "connect",
            f"connect + CONNECT, {plan.connections} connections",
            "µs/connection",
            at_least("transport", node=4.5, stock=9, floor=0.4),
            not_for=frozenset({COALESCING, REDIS}),
        ),
        Workload(
            "disconnect",
            f"mass disconnect of {plan.connections}",
            "µs/connection",
            at_least("transport", node=2.5, stock=25, floor=0.4),
            not_for=frozenset({COALESCING, REDIS}),
        ),
        Workload(
            "p99",
            f"p99 in {room} at half of Node's maximum",
            "ms",
            at_most("hub", node=0.8, floor=1.4),
            not_for=frozenset({"stock", COALESCING, REDIS}),
        ),
    )


ROWS = tuple(workload.key for workload in workloads(LONG))
