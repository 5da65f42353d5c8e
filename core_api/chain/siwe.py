"""Sign-In with Ethereum messages (EIP-4361): the text that a wallet shows and signs. No I/O.

The parser takes exactly what the EIP's grammar derives, and for each text there is one message and the other way
round. So nothing hides in a text that is not in a field.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

GREETING: Final = " wants you to sign in with your Ethereum account:"

# RFC 3986, by the names of its rules.
_PCT = r"%[0-9A-Fa-f]{2}"
_PCHAR = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|{_PCT})"
_SCHEME = r"[A-Za-z][A-Za-z0-9+\-.]*"
_USERINFO = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|{_PCT})*"
_REG_NAME = rf"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|{_PCT})+"
_IP_LITERAL = r"\[[0-9A-Fa-fvV:.]+\]"
_AUTHORITY = rf"(?:{_USERINFO}@)?(?:{_IP_LITERAL}|{_REG_NAME})(?::[0-9]*)?"
_QUERY = rf"(?:{_PCHAR}|[/?])*"
_URI = rf"{_SCHEME}:(?://{_AUTHORITY}(?:/{_PCHAR}*)*|(?:{_PCHAR}|/(?!/))*)(?:\?{_QUERY})?(?:\#{_QUERY})?"
# RFC 3339, upper case as the EIP's examples have it.
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+\-][0-9]{2}:[0-9]{2})"
# EIP-4361: `statement = 1*( reserved / unreserved / " " )`.
_STATEMENT = r"[A-Za-z0-9\-._~:/?\#\[\]@!$&'()*+,;= ]+"

_MESSAGE: Final = re.compile(
    rf"""
    (?:(?P<scheme>{_SCHEME})://)?(?P<domain>{_AUTHORITY}){re.escape(GREETING)}\n
    (?P<address>0x[0-9A-Fa-f]{{40}})\n
    \n
    (?:(?P<statement>{_STATEMENT})\n)?
    \n
    URI:[ ](?P<uri>{_URI})\n
    Version:[ ]1\n
    Chain[ ]ID:[ ](?P<chain_id>[1-9][0-9]{{0,77}})\n
    Nonce:[ ](?P<nonce>[A-Za-z0-9]{{8,}})\n
    Issued[ ]At:[ ](?P<issued_at>{_TIME})
    (?:\nExpiration[ ]Time:[ ](?P<expiration_time>{_TIME}))?
    (?:\nNot[ ]Before:[ ](?P<not_before>{_TIME}))?
    (?:\nRequest[ ]ID:[ ](?P<request_id>{_PCHAR}*))?
    (?P<resources>\nResources:(?:\n-[ ]{_URI})*)?
    """,
    re.VERBOSE,
)


class SiweError(ValueError):
    """The text is no EIP-4361 message, or the fields make none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiweMessage:
    """The fields of a message. Times stay text: who signed ``Z`` did not sign ``+00:00``.

    Whether the address has a right checksum, and whether the times have come or gone, is for the caller to say.
    """

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: str
    scheme: str | None = None
    """Of the domain. Wallets take it for ``https`` if it is left out."""
    statement: str | None = None
    expiration_time: str | None = None
    not_before: str | None = None
    request_id: str | None = None
    resources: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """The text to sign. Raises SiweError if a field does not fit the grammar, or would be read as several."""
        text = _write(self)
        try:
            same = parse(text) == self
        except SiweError:
            same = False
        if not same:
            raise SiweError("a field holds what a message cannot say there")
        return text


def parse(text: str) -> SiweMessage:
    """The message that ``text`` is. Raises SiweError. Linear in the length of the text."""
    if (match := _MESSAGE.fullmatch(text)) is None:
        raise SiweError("not an EIP-4361 message")
    found: dict[str, Any] = match.groupdict()
    for name in ("issued_at", "expiration_time", "not_before"):
        _check_time(found[name])
    lines = found.pop("resources")
    resources = None if lines is None else tuple(line.removeprefix("- ") for line in lines.split("\n")[2:])
    return SiweMessage(**{**found, "chain_id": int(found["chain_id"]), "resources": resources})


def differences(one: SiweMessage, other: SiweMessage) -> list[str]:
    """Names of the fields in which two messages differ."""
    names = (field.name for field in fields(SiweMessage))
    return [name for name in names if getattr(one, name) != getattr(other, name)]


def timestamp(moment: datetime) -> str:
    """A time as messages have it: RFC 3339 in UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(message: SiweMessage) -> str:
    origin = message.domain if message.scheme is None else f"{message.scheme}://{message.domain}"
    lines = [origin + GREETING, message.address, ""]
    if message.statement is not None:
        lines.append(message.statement)
    lines += ["", f"URI: {message.uri}", "Version: 1", f"Chain ID: {message.chain_id}", f"Nonce: {message.nonce}"]
    optional: Mapping[str, str | None] = {
        "Issued At": message.issued_at,
        "Expiration Time": message.expiration_time,
        "Not Before": message.not_before,
        "Request ID": message.request_id,
    }
    lines += [f"{name}: {value}" for name, value in optional.items() if value is not None]
    if message.resources is not None:
        lines += ["Resources:", *(f"- {resource}" for resource in message.resources)]
    return "\n".join(lines)


def _check_time(text: str | None) -> None:
    """Raises SiweError for a time with the right form that no calendar has, like the 30th of February."""
    if text is None:
        return
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise SiweError(f"{text} is no time: {error}") from None
