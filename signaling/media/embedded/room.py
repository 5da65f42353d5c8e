"""The media of one call: who is in it, and who gets which stream. Without I/O."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from signaling.media.embedded import extensions
from signaling.media.embedded.adaptation import adapt
from signaling.media.embedded.answer import Accepted, Sent
from signaling.media.embedded.codecs import Codec, preferred
from signaling.media.embedded.inbound import Inbound
from signaling.media.embedded.offer import Section
from signaling.media.embedded.peer import Peer

MUTED = 1000
"""Users and kinds that are held back although nobody sends such a stream yet: more than a call has."""


class Stream(NamedTuple):
    """A stream of a room, as its members are told."""

    id: str
    user_id: str
    kind: str


class Room:
    """A room. With ``echo`` everybody hears and sees only themselves, which is how a connection is tried out."""

    def __init__(self, *, echo: bool = False) -> None:
        self.peers: dict[str, Peer] = {}
        """By leg."""
        self._echo = echo
        self._muted: set[tuple[str, str]] = set()
        """Users and kinds whose streams are held back from all, those to come included."""

    def join(self, peer: Peer, now_ms: float) -> None:
        """Take somebody in, in place of an earlier connection of the same leg."""
        self.leave(peer.publisher.leg, now_ms)
        self.peers[peer.publisher.leg] = peer

    def leave(self, leg: str, now_ms: float) -> bool:
        """Let somebody go. False if they are not here."""
        peer = self.peers.pop(leg, None)
        if peer is not None:
            peer.leave(now_ms)
        return peer is not None

    def negotiate(self, peer: Peer, sections: Iterable[Section], now_ms: float) -> list[Accepted]:
        """Take what these sections of a member's offer send, and fill those that receive.

        A section that has a stream keeps it as long as there is that stream; a free one gets the first stream of its
        kind that the member does not have yet and can play. One that gets none is answered as inactive, until the next
        offer.
        """
        offered = list(sections)
        chosen = peer.publish(offered, now_ms)
        for stream in peer.inbound.values():
            stream.mute((peer.publisher.user_id, stream.encoding.kind) in self._muted, now_ms)
        receiving = {one.mid for one in offered if one.receives}
        for mid in peer.slots.keys() - receiving:
            peer.close_slot(mid, now_ms)
        return [self._accept(peer, section, chosen.get(section.mid), now_ms) for section in offered]

    def mute(self, user_id: str, kind: str, muted: bool, now_ms: float) -> None:
        """Hold back somebody's sound or picture from everybody, whatever they send."""
        if muted and len(self._muted) < MUTED:
            self._muted.add((user_id, kind))
        elif not muted:
            self._muted.discard((user_id, kind))
        for peer in self.peers.values():
            for stream in peer.inbound.values():
                if (peer.publisher.user_id, stream.encoding.kind) == (user_id, kind):
                    stream.mute(muted, now_ms)

    def adapt(self, video_bits_per_s: int, now_ms: float) -> None:
        """Have publishers send what receivers can take, each picture so much at most. Once a second."""
        pictures = [one for one in self.published() if one.encoding.kind == "video"]
        adapt((peer.downlink for peer in self.peers.values()), pictures, video_bits_per_s, now_ms)

    def streams(self) -> list[Stream]:
        """All that is published, in a settled order."""
        return [Stream(one.stream_id, one.publisher.user_id, one.encoding.kind) for one in self.published()]

    def published(self) -> Iterator[Inbound]:
        """The same, for who takes packets of them."""
        for peer in self.peers.values():
            yield from peer.inbound.values()

    def _accept(self, peer: Peer, section: Section, codec: Codec | None, now_ms: float) -> Accepted:
        takes = codec is not None
        found = self._source(peer, section, codec) if section.receives else None
        if found is None:
            # Not only dropped: Chromium shows nothing that comes again under the SSRC of what was inactive meanwhile.
            peer.close_slot(section.mid, now_ms)
            return Accepted(section, codec or preferred(section.codecs), takes, None)
        source, codec = found
        slot = peer.slot(section, codec.clock_rate)
        numbers = extensions.sent(section.numbers, codec)
        if slot.take(source, codec.payload_type, codec.rtx, now_ms, numbers) and peer.reachable:
            source.want_key_frame_soon()
        label = f"{source.publisher.user_id} {source.stream_id}"
        return Accepted(section, codec, takes, Sent(label, slot.ssrc, slot.rtx_ssrc, source.publisher.cname))

    def _source(self, peer: Peer, section: Section, codec: Codec | None) -> tuple[Inbound, Codec] | None:
        """What to send in a section, and the codec for it, which for one that sends too is the one it sends."""
        slot = peer.slots.get(section.mid)
        taken = {one.source for one in peer.slots.values() if one is not slot}
        sources = [one for one in self.published() if self._may_have(peer, one) and one not in taken]
        if slot is not None and slot.source in sources:
            sources.insert(0, slot.source)
        for source in sources:
            for offered in section.codecs if codec is None else (codec,):
                if source.encoding.kind == section.kind and offered.plays(source.encoding.codec):
                    return source, offered
        return None

    def _may_have(self, peer: Peer, stream: Inbound) -> bool:
        return (stream.publisher is peer.publisher) == self._echo
