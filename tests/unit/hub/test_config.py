"""hub.config: a wrong setting is named, with the reason; a right one arrives."""

from pathlib import Path

import pytest

from hub.config import ConfigError, describe, load
from hub.kernel.limits import Limit


def test_nothing_set_is_fine() -> None:
    settings = load({"PATH": "/bin", "HOME": "/root"})
    assert settings.port == 8080
    assert settings.database_url is None
    assert settings.key_file == Path(".sparkle/jwt-ed25519.pem")


def test_settings_arrive_nested_ones_and_lists_too() -> None:
    settings = load(
        {
            "DATABASE_URL": "postgresql://hub@db/hub",
            "REDIS_URL": "rediss://cache:6380/1",
            "SPARKLE_PORT": "9000",
            "SPARKLE_DATA": "/srv/hub",
            "SPARKLE_ORIGINS": "https://a.example, https://b.example",
            "SPARKLE_PRESENCE_HOLD_S": "2.5",
            "SPARKLE_ICE_STUN_URLS": "stun:one:3478,stun:two:3478",
            "CHAIN_RPC_URL": "https://node.example/v3/key",
            "SPARKLE_CHAIN_ENGINE": "eth-tester",
            "SPARKLE_CHAIN_CONFIRMATIONS": "12",
        }
    )
    assert settings.port == 9000
    assert settings.key_file == Path("/srv/hub/jwt-ed25519.pem")
    assert settings.origins == ["https://a.example", "https://b.example"]
    assert settings.presence.hold_s == 2.5
    assert settings.ice.stun_urls == ("stun:one:3478", "stun:two:3478")
    assert settings.chain_rpc_url == "https://node.example/v3/key"
    assert settings.chain_engine == "eth-tester"
    assert settings.chain.confirmations == 12


def test_limits_are_changed_by_the_name_of_an_event_or_a_route() -> None:
    changes = load({"SPARKLE_LIMITS_OVERRIDES": "room:send=1200/200, typing:start=off, POST /posts = 60/10"}).limits
    assert changes.changes() == {"room:send": Limit(1200, 200), "typing:start": None, "POST /posts": Limit(60, 10)}


def test_the_key_of_the_chain_is_beside_the_other_data_unless_told_otherwise() -> None:
    assert load({"SPARKLE_DATA": "/srv/hub"}).chain_key_file == Path("/srv/hub/chain-key")
    assert load({"SPARKLE_CHAIN_KEY_FILE": "/run/secrets/key"}).chain_key_file == Path("/run/secrets/key")


def test_the_command_line_has_the_last_word() -> None:
    assert load({"SPARKLE_PORT": "9000"}, {"port": 0}).port == 0


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load({"DATABASE_URL": "", "SPARKLE_PORT": ""}).port == 8080


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SPARKLE_PORT", "http"),
        ("SPARKLE_PORT", "70000"),
        ("SPARKLE_OWN_PORT", "-1"),
        ("SPARKLE_REUSE_PORT", "perhaps"),
        ("SPARKLE_LOG_LEVEL", "LOUD"),
        ("SPARKLE_POSTGRES_POOL", "1"),
        ("SPARKLE_PRESENCE_HOLD_S", "long"),
        ("SPARKLE_ACCOUNTS_HASH_WORKERS", "0"),
        ("SPARKLE_CLUSTER_SECRET", "too-short"),
        ("SPARKLE_CLUSTER_SECRET", "thirty-two characters, one of them ü"),
        ("SPARKLE_CLUSTER_HOST", "node-without-a-secret"),
        ("SPARKLE_CLUSTER_PORT", "65536"),
        ("SPARKLE_PROT", "8080"),
        ("SPARKLE_MEDIA_ENGINE", "mediasoup"),
        ("SPARKLE_MEDIA_PORT", "65536"),
        ("DATABASE_URL", "mysql://db"),
        ("DATABASE_URL", "postgresql://[db"),
        ("REDIS_URL", "cache:6379"),
        ("REDIS_URL", "redis://cache:port"),
        ("REDIS_URL", "redis+cluster://one:6379,two:port"),
        ("SPARKLE_CLUSTER_SHARDS", "17"),
        ("SPARKLE_CLUSTER_SHARDS", "-1"),
        ("SPARKLE_ICE_POLICY", "relayed"),
        ("SPARKLE_ICE_POLICY", "relay"),
        ("CHAIN_RPC_URL", "node.example"),
        ("CHAIN_RPC_URL", "ws://node.example"),
        ("CHAIN_RPC_URL", "https://node.example:port"),
        ("CHAIN_RPC_URL", "https://"),
        ("SPARKLE_CHAIN_RPC_URL", "https://node.example"),
        ("SPARKLE_CHAIN_ENGINE", "ganache"),
        ("SPARKLE_CHAIN_CONFIRMATIONS", "0"),
        ("SPARKLE_CHAIN_REQUEST_TIMEOUT_S", "0"),
        ("SPARKLE_LIMITS_ADDRESS_USERS", "-1"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=60"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=60/0"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=0/10"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=-1/10"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=1.5/10"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=on"),
        ("SPARKLE_LIMITS_OVERRIDES", "=60/10"),
        ("SPARKLE_LIMITS_OVERRIDES", "room:send=off,room:send=60/10"),
    ],
)
def test_a_wrong_setting_is_named_with_the_reason(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{variable}: \S+"):
        load({variable: value})


def test_relays_alone_need_a_server_and_its_secret() -> None:
    policy, urls = {"SPARKLE_ICE_POLICY": "relay"}, {"SPARKLE_ICE_TURN_URLS": "turn:a:3478"}
    with pytest.raises(ConfigError, match="SPARKLE_ICE_TURN_SECRET"):
        load({**policy, **urls})
    assert load({**policy, **urls, "SPARKLE_ICE_TURN_SECRET": "north"}).ice.policy == "relay"


def test_a_secret_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as error:
        load({"SPARKLE_CLUSTER_SECRET": "too-short"})
    assert "too-short" not in str(error.value)


def test_every_setting_that_is_listed_can_be_set_to_its_default() -> None:
    for variable, default in describe():
        if default not in ("None", "[]", "()"):
            load({variable: default})


def test_a_wrong_address_of_the_chain_is_not_repeated_because_it_has_a_key_in_it() -> None:
    with pytest.raises(ConfigError) as error:
        load({"CHAIN_RPC_URL": "wss://node.example/v3/the-key"})
    assert "the-key" not in str(error.value)


@pytest.mark.parametrize(("engine", "lacking"), [("livekit", "LIVEKIT_URL"), ("janus", "JANUS_URL")])
def test_an_engine_of_others_needs_its_address(engine: str, lacking: str) -> None:
    with pytest.raises(ConfigError, match=f"SPARKLE_MEDIA_{lacking}: must be set"):
        load({"SPARKLE_MEDIA_ENGINE": engine})
