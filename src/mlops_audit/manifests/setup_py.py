"""setup.py, the manifest of setuptools in Python; nothing of it is run."""

from __future__ import annotations

import ast

from mlops_audit.code.text import tree_of
from mlops_audit.packages import Manifest, Package, minor_version, requirement, unique
from mlops_audit.parse.nodes import MAX_BYTES, NotRead, ParseFailure, decode


def manifest(path: str, data: bytes) -> Manifest | None:
    """What setup() is given as literals. The Python extractor reports a syntax error."""
    if len(data) > MAX_BYTES // 4:
        raise NotRead(f"larger than {MAX_BYTES // 4} bytes")
    try:
        module = tree_of(decode(data))
    except ParseFailure:
        return None
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name == "setup":
                return _setup_call(path, node, constants)
    return None


def _setup_call(path: str, call: ast.Call, constants: dict[str, ast.expr]) -> Manifest:
    given = {word.arg: _resolved(word.value, constants) for word in call.keywords if word.arg}
    packages = _literals(given.get("install_requires"), "main", constants)
    extras = given.get("extras_require")
    if isinstance(extras, ast.Dict):
        for key, value in zip(extras.keys, extras.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                packages += _literals(_resolved(value, constants), key.value, constants)
    wanted = given.get("python_requires")
    runtime = minor_version(str(wanted.value)) if isinstance(wanted, ast.Constant) else ""
    line = wanted.lineno if wanted is not None else 0
    return Manifest(path, "setup", "setuptools", unique(packages), runtime, line)


def _resolved(value: ast.expr, constants: dict[str, ast.expr]) -> ast.expr:
    return constants.get(value.id, value) if isinstance(value, ast.Name) else value


def _literals(value: ast.expr | None, group: str, constants: dict[str, ast.expr]) -> list[Package | None]:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        sides = (_resolved(value.left, constants), _resolved(value.right, constants))
        return [
            p for side in sides if not isinstance(side, ast.BinOp) for p in _literals(side, group, constants)
        ]
    if not isinstance(value, ast.List | ast.Tuple | ast.Set):
        return []
    texts = [item for item in value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return [requirement(str(item.value), item.lineno, group) for item in texts]
