"""What a rule sees: one parsed module, and the findings it makes."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "src/tollway/"
_DOCUMENTS = frozenset({"description", "epilog", "examples", "help", "summary"})
"""Arguments whose text is documentation, in pydantic, FastAPI and typer."""


@dataclass(frozen=True)
class Finding:
    """A rule that one line breaks; `what` does not depend on the line, so that an exemption can name it."""

    rule: str
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.what}"


@dataclass(frozen=True)
class Import:
    """One imported name: ``from a.b import c`` has module ``a.b`` and name ``c``; ``import a.b`` has no name."""

    module: str
    name: str
    line: int
    in_function: bool

    def is_of(self, packages: frozenset[str]) -> str | None:
        """The package (dotted, of any depth) among `packages` that this import reaches, if one is."""
        full = f"{self.module}.{self.name}" if self.name else self.module
        return next((package for package in sorted(packages) if f"{full}.".startswith(f"{package}.")), None)


class Module:
    """One Python file.

    Attributes:
        path: relative to the repository, with forward slashes.
        text: the source.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @classmethod
    def read(cls, root: Path, path: Path) -> "Module":
        """The file as it lies on disk."""
        return cls(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))

    @cached_property
    def lines(self) -> list[str]:
        """The source, split at line ends."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def place(self) -> str:
        """The path within the package (``api/admin/keys.py``); empty for a file outside it."""
        return self.path.removeprefix(PACKAGE) if self.path.startswith(PACKAGE) else ""

    def is_in(self, *places: str) -> bool:
        """Whether the module is one of these files or lies in one of these folders (which end with a slash)."""
        return any(self.place == place or (place.endswith("/") and self.place.startswith(place)) for place in places)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node, outermost first."""
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method."""
        return [node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def imports(self) -> list[Import]:
        """Every import of another package, wherever it stands."""
        inside = {id(node) for function in self.functions for node in ast.walk(function)}
        return [
            Import(module, name, node.lineno, id(node) in inside)
            for node in self.nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module, name in _imported(node)
        ]

    @cached_property
    def docstrings(self) -> set[int]:
        """The ids of the nodes that document: docstrings, strings below a name, descriptions and examples of fields."""
        standing = {id(node.value) for node in self.nodes if isinstance(node, ast.Expr)}
        documents = (node.value for node in self.nodes if isinstance(node, ast.keyword) and node.arg in _DOCUMENTS)
        return standing | {id(part) for value in documents for part in ast.walk(value)}

    @cached_property
    def strings(self) -> list[tuple[int, str]]:
        """Line and value of every string that is not documentation, the fixed parts of f-strings included."""
        return [
            (node.lineno, node.value)
            for node in self.nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in self.docstrings
        ]

    @cached_property
    def calls(self) -> list[tuple[ast.Call, str]]:
        """Every call with the dotted text of what is called (``session.begin``, ``select``)."""
        return [(node, ast.unparse(node.func)) for node in self.nodes if isinstance(node, ast.Call)]


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    else:
        yield from ((node.module or "", alias.name) for alias in node.names)


Rule = Callable[[Module], Iterator[Finding]]
"""A rule reads one module and yields what breaks it; its name, with hyphens, is how findings and exemptions call it."""


def finding(rule: Rule, module: Module, line: int, what: str) -> Finding:
    """A finding of `rule` in `module`."""
    return Finding(rule.__name__.replace("_", "-"), module.path, line, what)
