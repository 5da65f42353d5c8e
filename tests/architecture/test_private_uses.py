"""Private names of the packages that the transport stands on are used in hub/transport/seams.py and nowhere else."""

import ast
import contextlib
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import uvloop

ROOT = Path(__file__).parents[2]
PACKAGES = ("hub", "presence", "collab", "signaling", "core_api", "load_tests", "tests")
FOREIGN = ("socketio", "engineio", "aiohttp", "uvloop")
SEAMS = "hub.transport.seams"
ALLOWED = {"hub/transport/seams.py", "tests/architecture/test_seams.py"}
WITHOUT_UNDERSCORE = {"not_handled"}
"""As private as the others, by their documentation."""
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}
PRIVATE = re.compile(r"\b_\w+|" + "|".join(WITHOUT_UNDERSCORE))
PACKAGE = re.compile("|".join((*FOREIGN, re.escape(SEAMS))))


def is_private(name: str) -> bool:
    return (name.startswith("_") and not name.endswith("__")) or name in WITHOUT_UNDERSCORE


def defined(tree: ast.AST) -> Iterator[str]:
    """Private names that a module defines: functions, classes, variables, and attributes of ``self``."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield from filter(is_private, [name])
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield from filter(is_private, [name])


def of(kind: type) -> set[str]:
    """Private names of a class, those of its objects too, if it is written in Python."""
    names = set(filter(is_private, vars(kind)))
    with contextlib.suppress(TypeError, OSError):  # a class in C
        names.update(defined(ast.parse(textwrap.dedent(inspect.getsource(kind)))))
    return names


def root_of(module: str) -> str:
    return module.partition(".")[0]


def sources(package: str) -> Iterable[Path]:
    spec = find_spec(package)
    assert spec is not None
    return [path for place in spec.submodule_search_locations or () for path in Path(place).rglob("*.py")]


@pytest.fixture(scope="module")
def named() -> set[str]:
    """Private names that those packages define."""
    found = {name for package in FOREIGN for path in sources(package) for name in defined(ast.parse(path.read_bytes()))}
    return found | set(filter(is_private, dir(uvloop.Loop)))


def is_concerned(text: str, named: set[str]) -> bool:
    """Whether a module has such a name, or one of the packages, anywhere. Two thirds of all have none."""
    return not named.isdisjoint(PRIVATE.findall(text)) or PACKAGE.search(text) is not None


@pytest.fixture(scope="module")
def ours(named: set[str]) -> dict[str, ast.Module]:
    """Every module of the project that could use one."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    return {path: ast.parse(text) for path, text in texts.items() if is_concerned(text, named)}


@pytest.fixture(scope="module")
def theirs(named: set[str], ours: dict[str, ast.Module]) -> set[str]:
    """Private names that those packages define and the project does not. Of a name that both have, an access does not
    say whose it is.
    """
    return named - {name for path, tree in ours.items() if path not in ALLOWED for name in defined(tree)}


class Uses(ast.NodeVisitor):
    """Finds private uses in one module."""

    def __init__(self, theirs: set[str]) -> None:
        self.found: set[str] = set()
        self._theirs = theirs
        self._modules: dict[str, tuple[str, str]] = {}
        """What is imported from a foreign package or the seams: module and name, by the name in this module."""
        self._inherited: set[str] = set()

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._import(alias.name, "", alias.asname or root_of(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._import(node.module or "", alias.name, alias.asname or alias.name)

    def _import(self, module: str, name: str, known_as: str) -> None:
        if root_of(module) in FOREIGN:
            self.found.update(filter(is_private, [*module.split("."), name]))
        if root_of(module) in FOREIGN or module == SEAMS:
            self._modules[known_as] = module, name

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self._inherited = self._inherited, {name for base in node.bases for name in self._private_of(base)}
        self.found |= self._inherited & set(defined(node))
        self.generic_visit(node)
        self._inherited = before

    def _private_of(self, base: ast.expr) -> set[str]:
        """The private names that a foreign base class has."""
        root, _, attribute = ast.unparse(base).partition(".")
        if root not in self._modules:
            return set()
        module, name = self._modules[root]
        found = importlib.import_module(module)
        for part in filter(None, [name, *attribute.split(".")]):
            found = getattr(found, part)
        assert inspect.isclass(found)
        return {private for one in inspect.getmro(found) if root_of(one.__module__) in FOREIGN for private in of(one)}

    def visit_Attribute(self, node: ast.Attribute) -> None:
        is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        self._use(node.attr, is_own=is_own)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _called(node.func) in BY_NAME:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    self._use(argument.value.rpartition(".")[2], is_own=False)
        self.generic_visit(node)

    def _use(self, name: str, *, is_own: bool) -> None:
        if name in self._inherited or (name in self._theirs and not is_own):
            self.found.add(name)


def _called(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def private_uses(tree: ast.AST, theirs: set[str]) -> set[str]:
    uses = Uses(theirs)
    uses.visit(tree)
    return uses.found


def test_private_names_are_used_in_the_seams_only(ours: dict[str, ast.Module], theirs: set[str]) -> None:
    found = {path: private_uses(tree, theirs) for path, tree in ours.items() if path not in ALLOWED}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_seams_are_what_is_looked_for(ours: dict[str, ast.Module], theirs: set[str]) -> None:
    used = private_uses(ours["hub/transport/seams.py"], theirs)
    assert {"_websocket", "_engineio_server_class", "_trigger_event", "not_handled"} <= used


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from aiohttp._websocket.mask import x", "_websocket"),
        ("from aiohttp.web import _run_app", "_run_app"),
        ("import aiohttp._websocket", "_websocket"),
        (
            "import socketio\nclass A(socketio.Client):\n    def _engineio_client_class(self): ...",
            "_engineio_client_class",
        ),
        ("from socketio import Client as C\nclass A(C):\n    def f(self): self._send_packet(1)", "_send_packet"),
        (
            f"from {SEAMS} import ApiServer\nclass A(ApiServer):\n    def f(self): self._trigger_event()",
            "_trigger_event",
        ),
        ("async def f(client): await client._send_packet(1)", "_send_packet"),
        ("getattr(client, '_send_packet')", "_send_packet"),
        ("monkeypatch.setattr('socketio.Client._send_packet', None)", "_send_packet"),
        ("server.not_handled", "not_handled"),
    ],
)
def test_a_private_use_is_found(named: set[str], theirs: set[str], code: str, name: str) -> None:
    assert is_concerned(code, named)
    assert name in private_uses(ast.parse(code), theirs)


@pytest.mark.parametrize(
    "code",
    [
        "from aiohttp import web\nweb.Request.__init__",
        "import socketio\nclass A(socketio.Client):\n    def _ours(self): self._ours()",
        "class A:\n    def f(self): self._send_packet(1)",
    ],
)
def test_what_is_public_or_ones_own_is_none(theirs: set[str], code: str) -> None:
    assert private_uses(ast.parse(code), theirs) == set()
