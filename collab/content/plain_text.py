"""Content as plain text: what a person would read aloud."""

from collab.content.model import Content, Node

FIRST = ("text", "prosemirror")
"""Roots that come before the others, which come by name: those that the hub's own documents have."""


def in_order(content: Content) -> list[tuple[str, Node]]:
    """The roots in the order in which they are shown."""
    names = [name for name in FIRST if name in content] + sorted(content.keys() - set(FIRST))
    return [(name, content[name]) for name in names]


def to_text(content: Content) -> str:
    """All texts and XML fragments, with an empty line between two roots. Maps and lists are data, and left out."""
    parts = [text_of(node) for _, node in in_order(content) if node["kind"] in ("text", "xml")]
    return "\n\n".join(part for part in parts if part)


def text_of(node: Node) -> str:
    """The text of one root."""
    if node["kind"] == "text":
        return "".join(run["insert"] for run in node["delta"] if isinstance(run["insert"], str))
    return "\n".join(_lines(node["children"]))


def _lines(children: list[Node]) -> list[str]:
    """A line for each element that has text itself, whatever it is inside of."""
    lines: list[str] = []
    inline = ""
    for child in children:
        if child["kind"] == "text":
            inline += text_of(child)
        elif child["kind"] == "element" and not child["children"]:
            if inline:  # a break, a picture
                inline += "\n" if "break" in child["tag"].lower() else ""
            else:
                lines.append("")
        elif child["kind"] == "element":
            if inline:
                lines.append(inline)
                inline = ""
            lines += _lines(child["children"])
    return [*lines, inline] if inline else lines
