"""What proves that somebody has a wallet's key: the message as it was issued, and a signature of it."""

from collections.abc import AsyncIterator, Callable

import pytest

from core_api.chain.errors import NonceUsed, SignatureInvalid, WrongChain
from core_api.chain.signatures import ORDER, digest
from hub.kernel.errors import HubError, InvalidPayload
from tests.support.wallets import CHAIN, CHECKSUMMED, MISTYPED, OTHER_KEY, World, sign, wallet_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with wallet_world(database_url) as world:
        yield world


async def test_the_message_says_who_asks_for_what_and_until_when(world: World) -> None:
    message = await world.message(address=CHECKSUMMED.lower())
    nonce = await world.pool.fetchval("SELECT nonce FROM wallet_message")
    assert len(nonce) == 32
    assert (
        message
        == f"""http://127.0.0.1:8080 wants you to sign in with your Ethereum account:
{CHECKSUMMED}

Connect this wallet to the Sparkle Hub account {world.ada.user_id}.

URI: http://127.0.0.1:8080
Version: 1
Chain ID: 31337
Nonce: {nonce}
Issued At: 2027-01-15T08:00:00.000Z
Expiration Time: 2027-01-15T08:10:00.000Z"""
    )


async def test_behind_https_the_message_names_the_domain_alone(world: World) -> None:
    other_node = World(world.pool, origin="https://hub.example")
    message = await other_node.message(world.ada)
    assert message.startswith("hub.example wants you to sign in")
    await world.connect(message)  # one node takes what another has issued, whatever its own address


async def test_a_message_that_the_hub_did_not_issue_is_refused(world: World) -> None:
    message = await world.message()
    nonce = await world.pool.fetchval("SELECT nonce FROM wallet_message")
    await world.refuses(NonceUsed, world.connect(message.replace(nonce, "0" * 32)))
    await world.refuses(InvalidPayload, world.connect("I am Ada."))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("http://127.0.0.1:8080 wants", "https://evil.example wants", InvalidPayload),
        ("http://127.0.0.1:8080 wants", "127.0.0.1:8080 wants", InvalidPayload),
        ("URI: http://127.0.0.1:8080", "URI: http://127.0.0.1:8080/", InvalidPayload),
        ("Connect this wallet", "Connect that wallet", InvalidPayload),
        ("T08:10:00.000Z", "T18:10:00.000Z", InvalidPayload),
        ("T08:10:00.000Z", "T08:10:00.000+00:00", InvalidPayload),
        ("\nExpiration Time: 2027-01-15T08:10:00.000Z", "", InvalidPayload),
        ("T08:10:00.000Z", "T08:10:00.000Z\nResources:", InvalidPayload),
        (CHECKSUMMED, OTHER_KEY.address, InvalidPayload),
        (CHECKSUMMED, CHECKSUMMED.lower(), InvalidPayload),
        ("Chain ID: 31337", "Chain ID: 10", WrongChain),
        ("Version: 1", "Version: 2", InvalidPayload),
        ("Nonce", "Nonce ", InvalidPayload),
    ],
)
async def test_an_altered_message_is_refused_though_it_is_signed(
    world: World, old: str, new: str, error: type[HubError]
) -> None:
    message = await world.message()
    assert message.count(old) == 1
    await world.refuses(error, world.connect(message.replace(old, new)))
    await world.connect(message)  # and the issued one still counts


async def test_an_invalid_message_says_where_and_what(world: World) -> None:
    altered = (await world.message()).replace("Connect this", "Connect that")
    refusal = await world.refuses(InvalidPayload, world.connect(altered))
    detail = "Not the message as it was issued: another statement"
    assert refusal.details["errors"] == [{"pointer": "/message", "detail": detail}]


async def test_the_address_must_be_that_of_the_message(world: World) -> None:
    message = await world.message()
    signature = sign(message, OTHER_KEY)
    refusal = await world.refuses(InvalidPayload, world.connect(message, signature, address=OTHER_KEY.address))
    assert refusal.details["errors"][0]["pointer"] == "/address"
    await world.refuses(InvalidPayload, world.connect(message, address=MISTYPED))


FORMS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("cut off", lambda signature: signature[:-1]),
    ("without v", lambda signature: signature[:64]),
    ("too long", lambda signature: signature + b"\0"),
    ("empty", lambda signature: b""),
    ("v of a transaction", lambda signature: signature[:64] + bytes([signature[64] + 10])),
    ("wrong v", lambda signature: signature[:64] + bytes([55 - signature[64]])),
    ("one bit changed", lambda signature: bytes([signature[0] ^ 1]) + signature[1:]),
    ("zeros", lambda signature: bytes(65)),
    (
        "high s",
        lambda signature: (
            signature[:32]
            + (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
            + bytes([55 - signature[64]])
        ),
    ),
]


@pytest.mark.parametrize("change", [change for _, change in FORMS], ids=[name for name, _ in FORMS])
async def test_a_spoilt_signature_is_refused(world: World, change: Callable[[bytes], bytes]) -> None:
    message = await world.message()
    spoilt = "0x" + change(bytes.fromhex(sign(message)[2:])).hex()
    await world.refuses(SignatureInvalid, world.connect(message, spoilt))
    await world.connect(message)


async def test_a_signature_of_another_key_or_text_is_refused(world: World) -> None:
    message, other = await world.message(), await world.message()
    await world.refuses(SignatureInvalid, world.connect(message, sign(message, OTHER_KEY)))
    await world.refuses(SignatureInvalid, world.connect(message, sign(other)))
    await world.refuses(SignatureInvalid, world.connect(message, sign(message)[:-1]))


async def test_v_counts_from_0_or_from_27(world: World) -> None:
    message = await world.message()
    signature = bytes.fromhex(sign(message)[2:])
    await world.connect(message, "0x" + (signature[:64] + bytes([signature[64] - 27])).hex().upper())


async def test_what_no_key_signed_a_contract_wallet_may_have_signed(world: World) -> None:
    asked: list[tuple[int, bytes, bytes, bytes]] = []

    class Contracts:
        """Implements core_api.chain.wallets.ContractWallets: takes a signature of one byte."""

        async def is_valid_signature(self, chain_id: int, address: bytes, digest: bytes, signature: bytes) -> bool:
            asked.append((chain_id, address, digest, signature))
            return signature == b"\1"

    world = World(world.pool, contracts=Contracts())
    message = await world.message()
    await world.refuses(SignatureInvalid, world.connect(message, "0x02"))
    assert (await world.connect(message, "0x01")).address == CHECKSUMMED
    question = (CHAIN, bytes.fromhex(CHECKSUMMED[2:]), digest(message))
    assert asked == [(*question, b"\2"), (*question, b"\1")]
    await world.connect(await world.message())
    assert len(asked) == 2  # a key needs nobody's word
