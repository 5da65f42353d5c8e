"""What the roots of a document are: Yjs does not say, so it is seen from what lies in them."""

from bisect import bisect_right
from typing import Literal

from collab.formats.structs import Id, Parts, Struct, items, read_v1
from collab.update import ANY, BINARY, DOC, EMBED, FORMAT, JSON, STRING, TYPE

Kind = Literal["text", "xml", "map", "array"]

TEXT, XML = {STRING, FORMAT, EMBED}, {3, 4, 5, 6}
"""Contents that only a text has; types that only XML has (as collab.update numbers them)."""
ORDER: tuple[Kind, ...] = ("text", "xml", "map", "array")
"""If a root has been used as two kinds, the first counts. Not a matter of taste: pycrdt never comes back from reading a
text as an array."""


def kinds(state: bytes) -> dict[str, Kind]:
    """The roots of a whole document, an update v1, that ever had something in them, with what each is."""
    parts = read_v1(state)
    places = _Places(parts)
    seen: dict[str, set[Kind]] = {}
    for item_id, struct in items(parts):
        kind = _kind(struct)
        if kind is not None and (root := places.root_of(item_id, struct)) is not None:
            seen.setdefault(root, set()).add(kind)
    return {root: next(kind for kind in ORDER if kind in found) for root, found in seen.items()}


def _kind(struct: Struct) -> Kind | None:
    """What the place of an item must be, going by the item."""
    if struct.keyed:
        return "map"
    if struct.kind in TEXT:
        return "text"
    if struct.kind == TYPE:
        return "xml" if struct.content[0] in XML else "array"
    return "array" if struct.kind in {ANY, BINARY, DOC, JSON} else None


class _Places:
    """Where items are, found along their neighbours: an item says so itself only if it has none."""

    def __init__(self, parts: Parts) -> None:
        self._structs: dict[int, tuple[list[int], list[Struct]]] = {}
        for each in parts.clients:
            clocks, clock = [], each.clock
            for struct in each.structs:
                clocks.append(clock)
                clock += struct.length
            self._structs[each.client] = clocks, each.structs
        self._known: dict[Id, str | None] = {}

    def root_of(self, item_id: Id, struct: Struct) -> str | None:
        """The root that an item lies in directly; ``None`` for one that lies in another item."""
        passed: list[Id] = []
        at: tuple[Id, Struct] | None = (item_id, struct)
        root: str | None = None
        while at is not None:
            here, struct = at
            if here in self._known:
                root = self._known[here]
                break
            passed.append(here)
            self._known[here] = None  # an update whose items go in circles ends here too
            neighbour = struct.origin or struct.right_origin
            if neighbour is None:
                root = struct.parent if isinstance(struct.parent, str) else None
                break
            at = self._find(neighbour)
        self._known.update(dict.fromkeys(passed, root))
        return root

    def _find(self, item_id: Id) -> tuple[Id, Struct] | None:
        client, clock = item_id
        clocks, structs = self._structs.get(client, ([], []))
        number = bisect_right(clocks, clock) - 1
        return None if number < 0 else ((client, clocks[number]), structs[number])
