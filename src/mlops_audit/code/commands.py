"""The commands that Python source starts: what is given to `subprocess` and its kin, as the text of a shell."""

from __future__ import annotations

import ast
import re
import shlex

from mlops_audit.code.literal_values import Literals
from mlops_audit.code.names import Names
from mlops_audit.code.scopes import Scope
from mlops_audit.code.syntax import dotted_text

MAX_COMMAND = 2000

# Calls that start a command: the text of a shell line or a list of words comes first.
STARTERS = frozenset({
    "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen",
    "subprocess.getoutput", "subprocess.getstatusoutput", "os.system", "os.popen", "pty.spawn",
    "asyncio.create_subprocess_shell", "asyncio.create_subprocess_exec",
})  # fmt: skip
_PLAIN_WORD = re.compile(r"[\w@%+=:,./{}$*-]+")


class Commands:
    """Tells the commands of one file."""

    __slots__ = ("_literals", "_names")

    def __init__(self, names: Names, literals: Literals) -> None:
        self._names = names
        self._literals = literals

    def started(self, name: str, node: ast.Call, scope: Scope) -> tuple[str, str] | None:
        """The text and the working directory of the command that a call of one of the starters starts, if it tells any.

        `{}` stands for words that are not known, `?` for such a directory.
        """
        arguments = [a for a in node.args if not isinstance(a, ast.Starred)]
        if not arguments:
            arguments = [k.value for k in node.keywords if k.arg in ("args", "cmd", "command")]
        if not arguments:
            return None
        text = self._words(arguments, scope) if name.endswith("_exec") else self._text(arguments[0], scope)
        if not text or text.startswith("{}"):
            return None
        directory = next((self._literals.scalar(k.value, scope) for k in node.keywords if k.arg == "cwd"), "")
        return text, "?" if directory is None else directory

    def _text(self, node: ast.expr, scope: Scope) -> str:
        """The text of a command given as a string, a list of words, or a name for one of these; "" for others."""
        for _ in range(4):
            if isinstance(node, ast.Name):
                bound = self._only_value(node.id, scope)
                if bound is None:
                    return ""
                node = bound
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                method, on = node.func.attr, node.func.value
                if node.args and (method in ("join", "dedent") or dotted_text(on) == "shlex"):
                    node = node.args[0]
                elif method in ("split", "format", "strip"):
                    node = on
                else:
                    return ""
            else:
                break
        if isinstance(node, (ast.List, ast.Tuple)):
            return self._words(node.elts, scope)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value[:MAX_COMMAND]
        if isinstance(node, ast.JoinedStr):
            return self._literals.joined(node, scope, MAX_COMMAND)
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            left = self._text(node.left, scope)
            right = self._literals.scalar(node.right, scope) if isinstance(node.op, ast.Add) else ""
            return left + ("{}" if right is None else right) if left else ""
        return ""

    def _only_value(self, name: str, scope: Scope | None) -> ast.expr | None:
        """The value of a name that is bound once."""
        while scope is not None:
            bindings = scope.bindings.get(name)
            if bindings is not None:
                return bindings[0].node if len(bindings) == 1 else None
            scope = scope.parent
        return None

    def _words(self, nodes: list[ast.expr], scope: Scope) -> str:
        words = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                inner = self._text(node.value, scope)
                words.append(inner or "{}")
                continue
            word = self._literals.scalar(node, scope)
            if word is None:
                word = "python" if self._names.reference(node, scope) == "sys.executable" else "{}"
            words.append(word if _PLAIN_WORD.fullmatch(word) else shlex.quote(word))
        return " ".join(words)[:MAX_COMMAND]
