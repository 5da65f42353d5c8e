"""A reader of Dockerfiles and the rules ours keeps: without a container engine, the check that is left."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KNOWN = frozenset(
    {"ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "RUN", "SHELL"}
    | {"ADD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
ROOT = frozenset({"0", "root"})
EXEC_FORM = re.compile(r"(?:--\S+\s+)*(?:CMD\s+)?(\[.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continuation lines joined."""

    name: str
    arguments: str

    @property
    def words(self) -> list[str]:
        """The arguments without the flags (``--from=…``)."""
        return [word for word in shlex.split(self.arguments) if not word.startswith("--")]


def read(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, in order."""
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for logical in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        name, _, arguments = logical.strip().partition(" ")
        yield Instruction(name.upper(), arguments.strip())


def environment(text: str) -> dict[str, str]:
    """What the ENV instructions set, over all stages."""
    pairs = [word.partition("=") for one in read(text) if one.name == "ENV" for word in one.words]
    return {name: value for name, _, value in pairs}


def faults(text: str, context: Path) -> list[str]:
    """What is wrong with a Dockerfile whose build context is the folder ``context``."""
    instructions = list(read(text))
    found = [fault for one in instructions for fault in _faults(one, context)]
    last_stage = instructions[max(i for i, one in enumerate(instructions) if one.name == "FROM") :]
    users = [one.arguments for one in last_stage if one.name == "USER"]
    if not users or users[-1].partition(":")[0] in ROOT:
        found.append("the last stage runs as root")
    return found


def _faults(one: Instruction, context: Path) -> Iterator[str]:
    if one.name not in KNOWN:
        yield f"{one.name} is no instruction"
    if one.name == "ADD":
        yield "ADD fetches and unpacks without being asked; COPY does not"
    if one.name == "FROM" and not re.search(r":[\w.-]*\d", image := one.words[0]):
        yield f"{image} is not pinned to a version"
    if one.name == "COPY" and "--from=" not in one.arguments:
        yield from (
            f"COPY {source}: not in the repository" for source in one.words[:-1] if not (context / source).exists()
        )
    if one.name in {"CMD", "ENTRYPOINT", "HEALTHCHECK", "VOLUME"} and not _is_exec_form(one.arguments):
        # Through a shell the signal that stops the container would not reach the node.
        yield f"{one.name} {one.arguments}: not a JSON list"


def _is_exec_form(arguments: str) -> bool:
    match = EXEC_FORM.fullmatch(arguments)
    try:
        return match is not None and all(isinstance(word, str) for word in json.loads(match[1]))
    except ValueError:
        return False
