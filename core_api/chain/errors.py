"""Errors of the chain, for the catalogue of the wire."""

from hub.kernel.errors import HubError


class ChainUnavailable(HubError):
    """The chain's node does not answer, or there is none. What was asked may or may not have happened: repeat it."""

    code = "chain_unavailable"
    http_status = 503
    default_message = "The chain does not answer just now. Try again."


class WrongChain(HubError):
    """The hub does not work with this chain, or the message was made for another one. Switch the wallet's network."""

    code = "wrong_chain"
    http_status = 409
    temporary = False
    default_message = "This is not the chain that the hub works with."


class SignatureInvalid(HubError):
    """The signature is not one of this message by this address. Ask the wallet to sign the message as it was issued."""

    code = "signature_invalid"
    http_status = 422
    temporary = False
    default_message = "This address did not sign this message."


class NonceUsed(HubError):
    """The message was used, has run out, or was not issued to this account. Ask for a new one and sign that."""

    code = "nonce_used"
    http_status = 409
    temporary = False
    default_message = "The message was used already, or has run out. Ask for a new one."


class WalletRequired(HubError):
    """A token needs an owner: connect a wallet on this chain first."""

    code = "wallet_required"
    http_status = 409
    temporary = False
    default_message = "Connect a wallet first: the token will be its."


class NotDeployed(HubError):
    """The hub's contracts are not on this chain yet. On its own test chain they are after a few seconds."""

    code = "not_deployed"
    http_status = 503
    default_message = "The hub's contracts are being put on this chain. Try again in a moment."
