"""Settings: read once, at start, from the environment; the only reader of it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from collab.settings import CollabSettings
from core_api.accounts.settings import AccountsSettings
from core_api.chain.settings import ChainSettings
from core_api.companions.settings import CompanionSettings
from core_api.graphql.settings import GraphQLSettings
from hub.cluster.settings import ClusterSettings
from hub.gate.limit_settings import LimitSettings
from hub.gate.settings import GateSettings
from hub.kernel import redis_url
from hub.transport.admin_ui_settings import AdminUiSettings
from hub.transport.engineio.settings import EngineSettings
from presence.settings import PresenceSettings
from signaling.media.settings import MediaSettings
from signaling.settings import CallSettings, IceSettings

PREFIX = "SPARKLE_"
PLAIN = {f"{PREFIX}{name}": name for name in ("DATABASE_URL", "REDIS_URL", "CHAIN_RPC_URL")}
"""Settings that go by the names that everybody uses, without the prefix."""
NOT_OURS = frozenset({"SPARKLE_TEST_ALL"})
"""Read by the test script, not by the hub."""

SECRET_CHARACTERS = 32
"""Of the secret between nodes, at least: as many as 128 bits have in hexadecimal."""
CLUSTER_SHARDS = 4
"""On a Redis Cluster, if the settings do not say: one for each primary of a usual one, and one to spare."""
MOST_SHARDS = 16
"""Offsets have 11 bytes for each, in every event."""


class ConfigError(Exception):
    """A setting is wrong; the message names the variable and the reason."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything an operator can set: ``SPARKLE_<NAME>``, nested ones ``SPARKLE_<GROUP>_<NAME>``.

    The addresses of the servers go by names without it: DATABASE_URL, REDIS_URL and CHAIN_RPC_URL.
    """

    database_url: str | None = None
    """``postgresql://…``. Unset: ``run`` starts an embedded PostgreSQL."""
    redis_url: str | None = None
    """``redis://…``, ``rediss://…`` or ``unix://…``; a Redis Cluster by some of its servers:
    ``redis+cluster://user:password@one:6379,two:6379`` or ``rediss+cluster://…``. Unset: ``run`` starts an embedded
    Valkey."""
    chain_rpc_url: str | None = None
    """``http://…`` or ``https://…`` of an Ethereum node. Unset: ``run`` starts an embedded chain when one is needed;
    ``serve`` has none."""
    chain_engine: Literal["auto", "anvil", "eth-tester", "off"] = "auto"
    """The embedded chain. ``anvil`` keeps it in ``data``, ``eth-tester`` in memory; ``auto`` is anvil, if installed."""
    public_url: str | None = None
    """How browsers reach the hub: ``https://hub.example``. Wallets show it, and tokens link to it. Default: the port
    that the nodes share, on this machine."""
    host: str = "127.0.0.1"
    port: int = 8080
    """The port that all nodes share. 0 picks one."""
    own_port: int = 0
    """The loopback port of this node alone. 0 picks one."""
    peer_ports: list[int] = []
    """Own ports of the nodes beside this one, for readiness on the shared port."""
    reuse_port: bool = False
    """Whether other nodes listen on the same port (SO_REUSEPORT)."""
    data: Path = Path(".sparkle")
    """Folder of the embedded servers and of the signing key."""
    jwt_key_file: Path | None = None
    """Ed25519 private key (PEM) that signs access tokens, made if missing. Default: ``jwt-ed25519.pem`` in ``data``.
    Nodes on several machines need the same file."""
    postgres_bin: Path | None = None
    """Folder with ``postgres`` and ``initdb`` to use instead of the packaged ones."""
    valkey_bin: Path | None = None
    """A ``valkey-server`` or ``redis-server`` to use instead of the packaged one."""
    origins: list[str] = []
    """Browser origins that may connect beside the hub's own: ``https://app.example``; ``*`` allows all."""
    metrics_token: str | None = None
    """Bearer token for ``/metrics`` from other machines."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    start_wait_s: float = 0.0
    """How long a node that starts waits for servers that do not answer yet. 0: it gives up at once, with the reason."""
    node_name: str = "node"
    """What this node is called in logs."""
    postgres_pool: int = 10
    """Connections to PostgreSQL a node keeps at most, beside the one that writes documents."""
    redis_pool: int = 50
    sockets: EngineSettings = EngineSettings()
    cluster: ClusterSettings = ClusterSettings()
    gate: GateSettings = GateSettings()
    limits: LimitSettings = LimitSettings()
    accounts: AccountsSettings = AccountsSettings()
    presence: PresenceSettings = PresenceSettings()
    collab: CollabSettings = CollabSettings()
    calls: CallSettings = CallSettings()
    ice: IceSettings = IceSettings()
    media: MediaSettings = MediaSettings()
    graphql: GraphQLSettings = GraphQLSettings()
    chain: ChainSettings = ChainSettings()
    companions: CompanionSettings = CompanionSettings()
    admin_ui: AdminUiSettings = AdminUiSettings()

    @property
    def key_file(self) -> Path:
        """Where the signing key is."""
        return self.jwt_key_file or self.data / "jwt-ed25519.pem"

    @property
    def shards(self) -> int:
        """How many parts the order of events has."""
        return self.cluster.shards or (CLUSTER_SHARDS if redis_url.is_cluster(self.redis_url or "") else 1)

    @property
    def origin(self) -> str:
        """How browsers reach the hub, without a path."""
        host = "localhost" if self.host in {"0.0.0.0", "::"} else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def chain_key_file(self) -> Path:
        """Where the key of the hub's own account on the chain is."""
        return self.chain.key_file or self.data / "chain-key"


def environment() -> dict[str, str]:
    """A copy of this process's environment."""
    return dict(os.environ)  # noqa: TID251 the one place


def load(environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from an environment, with ``overrides`` (of the command line) on top.

    Raises ConfigError that names the variable and the reason. A ``SPARKLE_`` variable that means nothing is an error
    too: it is a typing mistake, and would otherwise be found in production.
    """
    known = dict(_variables(Settings, PREFIX))
    for prefixed, plain in PLAIN.items():
        known[plain] = known.pop(prefixed)
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if variable in known and text != "":
            path, shape = known[variable]
            _put(values, path, _convert(variable, text, shape))
        elif variable.startswith(PREFIX) and variable not in known and variable not in NOT_OURS:
            raise ConfigError(f"{variable}: there is no such setting (see: sparkle-hub check-config --list)")
    settings = msgspec.convert(values | dict(overrides or {}), Settings, dec_hook=_decode_path)
    _check(settings)
    return settings


def describe() -> Iterator[tuple[str, str]]:
    """Every variable with its default, for ``check-config --list``."""
    for variable, (path, _) in _variables(Settings, PREFIX):
        value: Any = Settings()
        for name in path:
            value = getattr(value, name)
        yield PLAIN.get(variable, variable), str(value)


def _variables(shape: type[msgspec.Struct], prefix: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(shape):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _variables(field.type, f"{prefix}{field.name.upper()}_", (*path, field.name))
        else:
            yield f"{prefix}{field.name.upper()}", ((*path, field.name), field.type)


def _convert(variable: str, text: str, shape: Any) -> Any:
    listed = getattr(shape, "__origin__", None) in (list, tuple)
    value: Any = [part.strip() for part in text.split(",") if part.strip()] if listed else text
    try:
        return msgspec.convert(value, shape, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{variable}: {error} (given: {text!r})") from None


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value


def _decode_path(shape: type[Any], value: Any) -> Any:
    if shape is Path:
        return Path(value)
    raise NotImplementedError(shape)


def _check(settings: Settings) -> None:
    schemes = {
        "DATABASE_URL": (settings.database_url, ("postgresql://", "postgres://")),
        "REDIS_URL": (settings.redis_url, redis_url.SCHEMES),
        "CHAIN_RPC_URL": (settings.chain_rpc_url, ("http://", "https://")),
        "SPARKLE_PUBLIC_URL": (settings.public_url, ("http://", "https://")),
    }
    for variable, (url, allowed) in schemes.items():
        if url is not None:
            _check_scheme(variable, url, allowed)
            for one in redis_url.servers(url):
                _check_address(variable, one)
    try:
        settings.limits.changes()
    except ValueError as error:
        raise ConfigError(f"SPARKLE_LIMITS_OVERRIDES: {error}") from None
    for variable, port in (
        ("SPARKLE_PORT", settings.port),
        ("SPARKLE_OWN_PORT", settings.own_port),
        ("SPARKLE_CLUSTER_PORT", settings.cluster.port),
        ("SPARKLE_MEDIA_PORT", settings.media.port),
        ("SPARKLE_MEDIA_HTTP_PORT", settings.media.http_port),
    ):
        if not 0 <= port <= 65_535:
            raise ConfigError(f"{variable}: {port} is no port number (0 to 65535)")
    for variable, size in (
        ("SPARKLE_POSTGRES_POOL", settings.postgres_pool),
        ("SPARKLE_REDIS_POOL", settings.redis_pool),
    ):
        if size < 2:
            raise ConfigError(f"{variable}: {size} is too few; at least 2")
    _check_cluster(settings.cluster)
    _check_media(settings.media)
    if settings.ice.policy == "relay" and not settings.ice.has_turn:
        raise ConfigError("SPARKLE_ICE_POLICY: relay needs SPARKLE_ICE_TURN_URLS and SPARKLE_ICE_TURN_SECRET")


def _check_media(media: MediaSettings) -> None:
    needed = {
        "livekit": ("livekit_url", "livekit_client_url", "livekit_api_key", "livekit_api_secret"),
        "janus": ("janus_url", "janus_client_url", "janus_token_secret"),
    }
    if media.mesh_limit < 2:
        raise ConfigError(f"SPARKLE_MEDIA_MESH_LIMIT: {media.mesh_limit} is no call; at least 2")
    for name in needed.get(media.engine, ()):
        if not getattr(media, name):
            raise ConfigError(f"SPARKLE_MEDIA_{name.upper()}: must be set for SPARKLE_MEDIA_ENGINE={media.engine}")


def _check_cluster(cluster: ClusterSettings) -> None:
    if not 0 <= cluster.shards <= MOST_SHARDS:
        raise ConfigError(f"SPARKLE_CLUSTER_SHARDS: {cluster.shards} is not between 0 and {MOST_SHARDS}")
    if cluster.secret is None:
        if cluster.host:
            raise ConfigError("SPARKLE_CLUSTER_HOST: needs SPARKLE_CLUSTER_SECRET, which other nodes have to show")
    elif len(cluster.secret) < SECRET_CHARACTERS or not (cluster.secret.isascii() and cluster.secret.isprintable()):
        raise ConfigError(f"SPARKLE_CLUSTER_SECRET: needs at least {SECRET_CHARACTERS} characters, all of ASCII")


def _check_scheme(variable: str, url: str, schemes: tuple[str, ...]) -> None:
    if not url.startswith(schemes):
        raise ConfigError(f"{variable}: must begin with {' or '.join(schemes)}")


def _check_address(variable: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"{variable}: {error}") from None
    if parts.scheme in ("http", "https") and not parts.hostname:
        raise ConfigError(f"{variable}: names no host")
