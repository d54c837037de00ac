"""Simple commands of a shell text, found by walking over its lists, blocks and conditions."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace

from mlops_audit.shell.prefixes import peel
from mlops_audit.shell.tokens import Token, substituted, tokens
from mlops_audit.shell.words import ASSIGNMENT, Words

MAX_DEPTH = 40  # nesting of groups, conditions and substitutions; what lies deeper is plain text
MAX_TEXT = 1_000  # characters of a command's text

_SILENT = frozenset({
    "cd", "pushd", "popd", "set", "shopt", "unset", "export", "local", "readonly", "declare", "typeset", "true", ":",
    "shift", "break", "continue", "wait", "trap", "return", "read", "setlocal", "endlocal",
})  # fmt: skip
_HARMLESS = frozenset({"true", ":", "echo", "printf", "continue", "break", "logger", "warn", "sleep"})
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "ash"})
_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}", ")"})


@dataclass(slots=True)
class Record:
    text: str
    line: int
    directory: str
    words: tuple[str, ...]
    guards: tuple[str, ...] = ()
    launcher: str = ""
    masked: bool = False
    background: bool = False
    unchecked: bool = False
    shown: bool = True
    asks_status: bool = False
    document: str = ""
    document_line: int = 0


@dataclass(slots=True)
class Reader(Words):
    """Walks over tokens as a shell would, keeping directory, variables and `set -e`."""

    stops: bool = False  # at the first error
    depth: int = 0
    ignores: bool = False  # after `set +e`
    guards: tuple[str, ...] = ()
    tokens: list[Token] = field(default_factory=list)
    at: int = 0

    def read(self, script: str, line: int) -> list[Record]:
        outer = self.tokens, self.at
        self.tokens, self.at = tokens(script, line), 0
        found: list[Record] = []
        while self.at < len(self.tokens):
            found.extend(self.sequence(frozenset()))
            self.at += 1  # a closing word that nothing opened
        self.tokens, self.at = outer
        return found

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def skip_newlines(self) -> None:
        while (token := self.peek()) is not None and token.kind == "newline":
            self.at += 1

    def next_is(self, *texts: str) -> bool:
        token = self.peek()
        return token is not None and token.kind in ("word", "operator") and token.text in texts

    def sequence(self, stop: frozenset[str]) -> list[Record]:
        """Commands up to one of the words of `stop` (left standing) or a word that closes nothing here."""
        found: list[Record] = []
        while (token := self.peek()) is not None:
            if token.kind == "newline" or (
                token.kind == "operator" and token.text in (";", "&", ";&", ";;&", ";;")
            ):
                if token.text in stop:
                    return found
                self.at += 1
                continue
            if token.kind in ("word", "operator") and token.text in stop:
                return found
            if token.kind in ("word", "operator") and token.text in _CLOSERS:
                return found
            if token.kind == "operator" and token.text != "(":
                self.at += 1
                continue
            found.extend(self.and_or(found))
        return found

    def and_or(self, before: list[Record]) -> list[Record]:
        """Pipelines joined by `&&` and `||`, with what that means for their failures."""
        elements: list[list[Record]] = []
        joined: list[str] = []
        while True:
            elements.append(self.pipeline())
            if not self.next_is("&&", "||"):
                break
            joined.append(self.tokens[self.at].text)
            self.at += 1
            self.skip_newlines()
        found = [record for element in elements for record in element]
        swallowed = 0  # how many elements stand before the last `|| true`
        for number, sign in enumerate(joined):
            right = elements[number + 1]
            if sign == "||" and right and all(_is_harmless(record) for record in right):
                swallowed = number + 1
        for number, element in enumerate(elements[:-1]):
            for record in element:
                record.unchecked = False
                record.masked |= number < swallowed
        if self.next_is("&"):
            for record in found:
                record.background = True
                record.unchecked = False
        if before and found and found[0].asks_status:
            before[-1].unchecked = before[-1].masked = False
        if found and found[0].words[:1] in (("true",), (":",)) and len(found) == 1 and before:
            previous = self.tokens[self.at - 2] if self.at >= 2 else None
            if previous is not None and previous.text == ";":
                before[-1].masked = True
        return found

    def pipeline(self) -> list[Record]:
        found: list[Record] = []
        while True:
            part = self.command()
            found.extend(part)
            if not self.next_is("|", "|&"):
                return found
            self.at += 1
            self.skip_newlines()

    def command(self) -> list[Record]:
        token = self.peek()
        while token is not None and token.kind == "word" and token.text in ("!", "time", "coproc"):
            self.at += 1
            token = self.peek()
        if token is None:
            return []
        deep = self.depth >= MAX_DEPTH
        if token.kind == "operator" and token.text == "(" and not deep:
            return self.subshell()
        if token.kind == "word" and not deep:
            if token.text == "{":
                return self.block("}")
            if token.text == "if":
                return self.condition()
            if token.text in ("while", "until"):
                return self.loop()
            if token.text in ("for", "select"):
                return self.for_loop()
            if token.text == "case":
                return self.case()
            if token.text == "function" or self.defines_function():
                return self.function()
        return self.simple()

    def defines_function(self) -> bool:
        after = self.tokens[self.at + 1 : self.at + 3]
        return [t.text for t in after] == ["(", ")"] and self.tokens[self.at].text.isidentifier()

    def enter(self) -> None:
        self.depth += 1
        self.assigned.append({})

    def leave(self) -> None:
        """Forget variables that have one value in one branch and another elsewhere."""
        self.depth -= 1
        values = self.assigned.pop()
        for name, seen in values.items():
            if len(seen) > 1:
                self.variables.pop(name, None)
            if self.assigned:
                self.assigned[-1].setdefault(name, set()).update(seen)

    def past(self, *texts: str) -> None:
        if self.next_is(*texts):
            self.at += 1
        while (token := self.peek()) is not None and token.kind == "redirect":
            self.at += 1

    def subshell(self) -> list[Record]:
        self.at += 1
        if self.next_is("("):  # arithmetic
            return self.arithmetic()
        saved = self.directory, dict(self.variables), self.stops, self.ignores
        self.depth += 1
        found = self.sequence(frozenset({")"}))
        self.depth -= 1
        self.directory, self.variables, self.stops, self.ignores = saved
        self.past(")")
        return found

    def arithmetic(self) -> list[Record]:
        line = self.tokens[self.at].line
        self.at += 1
        parts: list[str] = []
        inner: list[Record] = []
        depth = 2
        while (token := self.peek()) is not None and depth:
            self.at += 1
            if token.kind == "operator" and token.text in "()":
                depth += 1 if token.text == "(" else -1
                if depth < 2:
                    continue
            if token.kind == "newline":
                break
            inner.extend(self.substitutions(token))
            parts.append(self.expand(token.text)[0])
        text = " ".join(["((", *" ".join(parts).split(), "))"])[:MAX_TEXT]
        return [*inner, Record(text, line, self.directory, ("((", *parts), self.guards)]

    def block(self, closer: str) -> list[Record]:
        self.at += 1
        self.depth += 1
        found = self.sequence(frozenset({closer}))
        self.depth -= 1
        self.past(closer)
        return found

    def condition(self) -> list[Record]:
        found: list[Record] = []
        outer, test = self.guards, ""
        self.enter()
        while self.next_is("if", "elif"):
            self.at += 1
            start = self.at
            tests = self.sequence(frozenset({"then"}))
            for record in tests:
                record.unchecked = False
            found.extend(tests)
            asked = " ".join(self.expand(t.text)[0] for t in self.tokens[start : min(self.at, start + 100)])
            asked = " ".join(asked.split())
            test = asked.removesuffix(" ;")[:MAX_TEXT]
            self.guards = (test, *outer)
            self.past("then")
            found.extend(self.sequence(frozenset({"elif", "else", "fi"})))
        if self.next_is("else"):
            self.guards = (f"not ({test})", *outer)
            self.at += 1
            found.extend(self.sequence(frozenset({"fi"})))
        self.past("fi")
        self.leave()
        self.guards = outer
        return found

    def loop(self) -> list[Record]:
        self.at += 1
        self.enter()
        found = self.sequence(frozenset({"do"}))
        for record in found:
            record.unchecked = False
        return [*found, *self.do_block()]

    def do_block(self) -> list[Record]:
        found: list[Record] = []
        if self.next_is("do"):
            self.at += 1
            found = self.sequence(frozenset({"done"}))
            self.past("done")
        self.leave()
        return found

    def for_loop(self) -> list[Record]:
        self.at += 1
        self.enter()
        found: list[Record] = []
        if (token := self.peek()) is not None and token.kind == "word":
            self.variables.pop(token.text, None)
        while (token := self.peek()) is not None and not (token.kind == "word" and token.text in ("do", "{")):
            if token.kind == "word":
                found.extend(self.substitutions(token))
            if token.kind == "operator" and token.text not in ("(", ")", ";", "<", ">", "&&", "||"):
                break
            self.at += 1
        return [*found, *self.do_block()]

    def case(self) -> list[Record]:
        self.at += 1
        self.enter()
        found: list[Record] = []
        while (token := self.peek()) is not None and token.text != "in":
            found.extend(self.substitutions(token))
            self.at += 1
        self.past("in")
        while (token := self.peek()) is not None and not self.next_is("esac"):
            while (token := self.peek()) is not None and not self.next_is(")", "esac"):
                self.at += 1
            if self.next_is(")"):
                self.at += 1
                found.extend(self.sequence(frozenset({";;", ";&", ";;&", "esac"})))
                if not self.next_is("esac") and self.peek() is not None:
                    self.at += 1
        self.past("esac")
        self.leave()
        return found

    def function(self) -> list[Record]:
        if self.next_is("function"):
            self.at += 1
        self.at += 1
        while self.next_is("(", ")"):
            self.at += 1
        self.skip_newlines()
        saved, known = self.directory, dict(self.variables)
        found = self.command() if self.next_is("{", "(") else []
        self.directory, self.variables = saved, known
        return found

    def simple(self) -> list[Record]:
        raw: list[Token] = []
        test = self.next_is("[[")
        while (token := self.peek()) is not None:
            if test and token.kind in ("operator", "redirect"):
                token = replace(token, kind="word")
            if token.kind == "newline" or token.kind == "operator":
                break
            raw.append(token)
            self.at += 1
            if test and token.text == "]]":
                test = False
        if not raw:
            self.at += 1
            return []
        inner = [record for token in raw for record in self.substitutions(token)]
        shown: list[str] = []
        plain: list[str] = []
        literal: list[bool] = []
        redirects: list[str] = []
        document = next((t for t in raw if t.document_line), None)
        for token in raw:
            first, second, known = self.expand(token.text)
            if token.kind == "redirect":
                redirects.append(first)
            else:
                shown.append(first)
                plain.append(second)
                literal.append(known)
        asks = any("$?" in t.text or "PIPESTATUS" in t.text for t in raw)
        return [*inner, *self.simple_command(raw[0].line, shown, plain, literal, redirects, asks, document)]

    def simple_command(
        self,
        line: int,
        shown: list[str],
        plain: list[str],
        literal: list[bool],
        redirects: list[str],
        asks: bool,
        document: Token | None,
    ) -> list[Record]:
        start = 0
        while start < len(plain) and ASSIGNMENT.match(plain[start]):
            start += 1
        if start == len(plain) or plain[start] in ("export", "local", "readonly", "declare", "typeset"):
            for word, known in zip(plain, literal, strict=True):
                self.assign(word, known)
            return [Record("", line, self.directory, (), shown=False, asks_status=asks)]
        launcher, skipped = peel(plain[start:])
        start += skipped
        name = posixpath.basename(plain[start]) if start < len(plain) else ""
        arguments = plain[start + 1 :]
        if name in ("cd", "pushd", "popd", "chdir"):
            self.change_directory(name, arguments)
        elif name == "set":
            self.set_options(arguments)
        elif (name == "eval" and not any(mark in word for word in arguments for mark in ("$(", "`"))) or (
            name in _SHELLS and _script_argument(arguments) is not None
        ):
            script = " ".join(arguments) if name == "eval" else _script_argument(arguments) or ""
            if self.depth < MAX_DEPTH and script.strip():
                inner = Reader(self.variables, self.directory, depth=self.depth + 10, guards=self.guards)
                records = inner.read(script, line)
                for record in records:
                    record.line = line if "\n" not in script else record.line
                if records:
                    records[-1].unchecked = not self.stops
                    return records
        words = plain[start:]
        text = " ".join([*shown[start:], *redirects])
        if launcher.endswith("uv run") and words and words[0].endswith(".py"):
            words, text = ["python", *words], f"python {text}"
        record = Record(
            " ".join(text.split())[:MAX_TEXT], line, self.directory, tuple(words), self.guards, launcher,
            masked=(self.ignores and not asks) or "--exit-zero" in words, unchecked=not self.stops, shown=name not in _SILENT, asks_status=asks,
        )  # fmt: skip
        found = [record]
        if document is not None:
            record.document, record.document_line = document.document, document.document_line
            if name in _SHELLS and self.depth < MAX_DEPTH:
                inner = Reader(self.variables, self.directory, depth=self.depth + 10, guards=self.guards)
                found.extend(inner.read(document.document, document.document_line))
        return found

    def set_options(self, arguments: list[str]) -> None:
        for number, argument in enumerate(arguments):
            if argument == "--":
                return
            long = argument in ("-o", "+o") and arguments[number + 1 : number + 2] == ["errexit"]
            if long or re.fullmatch(r"[-+][a-zA-Z]*e[a-zA-Z]*", argument):
                self.stops = argument.startswith("-")
                self.ignores = not self.stops

    def substitutions(self, token: Token) -> list[Record]:
        """The commands inside of `$(...)` and backquotes of a word."""
        if self.depth >= MAX_DEPTH or not ("$(" in token.text or "`" in token.text):
            return []
        found: list[Record] = []
        for script, offset in substituted(token.text):
            if self.value_of(script) is not None:
                continue
            inner = Reader(
                dict(self.variables), self.directory, stops=self.stops, depth=self.depth + 5,
                ignores=self.ignores, guards=self.guards,
            )  # fmt: skip
            found.extend(inner.read(script, token.line + token.text.count("\n", 0, offset)))
        return found


def _script_argument(arguments: list[str]) -> str | None:
    """The script of `sh -c 'script'`, `bash -lc 'script'`."""
    for number, argument in enumerate(arguments):
        if re.fullmatch(r"-[a-z]*c", argument):
            return arguments[number + 1] if number + 1 < len(arguments) else None
        if not argument.startswith(("-", "+")) and arguments[number - 1 : number] not in (["-o"], ["+o"]):
            return None
    return None


def _is_harmless(record: Record) -> bool:
    return (record.words[:1] and record.words[0] in _HARMLESS) or record.words in (
        ("exit", "0"),
        ("return", "0"),
        ("return",),
    )
