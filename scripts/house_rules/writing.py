"""Rules on how code is written: lengths, imports, excepts, money, names."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import TypeGuard

from house_rules.source import Finding, Module, finding

FILE_MAX_LINES = 700
FUNCTION_MAX_LINES = 70
_REASON_MIN_CHARS = 10
_POLL_MAX_S = 0.05
_BROAD = frozenset({"Exception", "BaseException"})
_UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
_CODES = r"[A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*"
_LINTER_MARK = re.compile(rf"noqa(: ?{_CODES})?|type: ignore(\[[^\]]*\])?|pragma: [a-z ]+")


def file_length(module: Module) -> Iterator[Finding]:
    """A file has at most 700 lines."""
    if len(module.lines) > FILE_MAX_LINES:
        yield finding(file_length, module, 1, f"has {len(module.lines)} lines, the limit is {FILE_MAX_LINES}")


def function_length(module: Module) -> Iterator[Finding]:
    """A function has at most 70 lines, its docstring included."""
    for function in module.functions:
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_MAX_LINES:
            what = f"{function.name}() has {length} lines, the limit is {FUNCTION_MAX_LINES}"
            yield finding(function_length, module, function.lineno, what)


def import_at_top(module: Module) -> Iterator[Finding]:
    """Imports stand at the top: what a module needs is seen there, and fails at the start instead of in use."""
    if not module.place:
        return
    for item in module.imports:
        if item.in_function:
            yield finding(import_at_top, module, item.line, f"imports {item.module} in a function")
    for node, called in module.calls:
        if called in {"importlib.import_module", "import_module", "__import__"}:
            yield finding(import_at_top, module, node.lineno, f"calls {called}()")


def broad_except_reason(module: Module) -> Iterator[Finding]:
    """An except that catches everything, and does not end in ``raise``, says on its line why that is right there."""
    comments = _comments(module)
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler):
            if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
                continue
            caught = node.type
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"suppress", "contextlib.suppress"}:
            caught = ast.Tuple(node.args, ast.Load())
        else:
            continue
        if _is_broad(caught) and len(_reason(comments.get(node.lineno, ""))) < _REASON_MIN_CHARS:
            yield finding(broad_except_reason, module, node.lineno, "catches everything without a reason on the line")


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(name, ast.Name) and name.id in _BROAD for name in names)


def _comments(module: Module) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def _reason(comment: str) -> str:
    """The comment without marks for linters."""
    return _LINTER_MARK.sub("", comment).strip(" #-:")


def integer_money(module: Module) -> Iterator[Finding]:
    """Nothing in `ledger` computes with floats. Times may be floats; ``float("inf")`` is the end of time."""
    if not module.is_in("ledger/"):
        return
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield finding(integer_money, module, node.lineno, f"holds the float {node.value}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield finding(integer_money, module, node.lineno, "divides with /, which makes floats of integers")
        elif _makes_float(node):
            yield finding(integer_money, module, node.lineno, "makes a float")


def _makes_float(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "float":
        return False
    return ast.unparse(node) not in {"float('inf')", "float('-inf')"}


def finished(module: Module) -> Iterator[Finding]:
    """Nothing is left for later: no marks of unfinished work."""
    for line, comment in _comments(module).items():
        if match := _UNFINISHED.search(comment):
            yield finding(finished, module, line, f"is marked {match.group()}")
    for node in module.nodes:
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplemented" in ast.unparse(node.exc):
            yield finding(finished, module, node.lineno, "raises NotImplementedError")


def waiting_in_tests(module: Module) -> Iterator[Finding]:
    """Tests wait for a condition (`support.waiting`), not for a time: a sleep is too long here and too short there."""
    if not module.path.startswith("tests/"):
        return
    for node, called in module.calls:
        if called.split(".")[-1] == "sleep" and node.args and _seconds(node.args[0]) > _POLL_MAX_S:
            yield finding(waiting_in_tests, module, node.lineno, f"sleeps {ast.unparse(node.args[0])} s")


def _seconds(value: ast.expr) -> float:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, int | float) else 0


RULES = (
    file_length,
    function_length,
    import_at_top,
    broad_except_reason,
    integer_money,
    finished,
    waiting_in_tests,
)
