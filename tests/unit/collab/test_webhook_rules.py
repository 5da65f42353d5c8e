"""Rules of webhooks: signatures, addresses, and when it is tried again."""

from datetime import timedelta

import pytest

from collab.webhooks.model import PAUSES, Outcome, is_public, next_attempt, secret_of, signature
from hub.kernel.clock import from_ms

NOW = from_ms(1_800_000_000_000)


def test_a_signature_is_that_of_standard_webhooks() -> None:
    # The example of its specification.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_webhook_has_a_secret_of_its_own_that_follows_from_the_key() -> None:
    one, other = secret_of(b"key", "a"), secret_of(b"key", "b")
    assert len({one, other, secret_of(b"other", "a")}) == 3
    assert one == secret_of(b"key", "a")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ],
)
def test_addresses_of_inner_networks_are_not_public_however_they_are_written(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_attempts_come_further_apart_and_end() -> None:
    times = [next_attempt(number, NOW) for number in range(1, len(PAUSES) + 2)]
    assert times[-1] is None
    assert [one - NOW for one in times if one is not None] == sorted(PAUSES)
    assert sum(PAUSES, timedelta()) < timedelta(days=1)


def test_only_a_2xx_counts_as_delivered() -> None:
    statuses = (None, 199, 200, 204, 299, 302, 410, 500)
    assert [status for status in statuses if Outcome(status).delivered] == [200, 204, 299]
