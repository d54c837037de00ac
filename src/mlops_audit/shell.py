"""Shell text as simple commands, each with its line, working directory and whether its failure is swallowed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MAX_DEPTH = 40  # nesting of groups, conditions and substitutions; what lies deeper is plain text
MAX_VALUE = 2_000  # characters of a variable's value
MAX_TEXT = 1_000  # characters of a command's text
ROOT = "\x01"  # stands for the root of the repository inside the value of a variable


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command.

    `text` has its white space folded, known variables put in and prefixes such as `sudo` left out; `words` are the
    same, without quotes. `directory` is relative to the root ("" the root itself), "?" stands for a part that is not
    known, an absolute path for a place outside. `masked`: its failure is swallowed. `unchecked`: the script goes on
    when it fails, because nothing stops at errors there. `guards` are the texts of the shell conditions it stands
    under, innermost first. `launcher` is what was left out in front when it was an environment's `run` command.
    `document` is the here-document that it reads, which begins at `document_line`.
    """

    text: str
    line: int
    directory: str = ""
    masked: bool = False
    background: bool = False
    unchecked: bool = False
    guards: tuple[str, ...] = ()
    launcher: str = ""
    words: tuple[str, ...] = ()
    document: str = ""
    document_line: int = 0


def commands(
    script: str,
    line: int = 1,
    directory: str = "",
    variables: Mapping[str, str] | None = None,
    path: str = "",
) -> list[Command]:
    """The simple commands of a POSIX shell text in their order, those inside of `$(...)` and `sh -c` too.

    `line` is the line of the text's first line, `directory` where it starts, `variables` are values known from
    outside, `path` is the script's own path, so that `cd "$(dirname "$0")"` is understood. Pure assignments, `cd`,
    `set` and the like give no command. Never fails, whatever the text.
    """
    known = dict(variables or {})
    if path:
        known.setdefault("0", f"{ROOT}/{path}")
        known.setdefault("BASH_SOURCE", f"{ROOT}/{path}")
    reader = _Reader(known, directory, bool(_SHEBANG_STOPS.match(script)), 0)
    records = reader.read(script, line)
    if records:
        records[-1].unchecked = False
    return [record.command() for record in records if record.shown]


def stops_on_error(script: str) -> bool:
    """Whether a script stops at the first command that fails: `set -e` or a shebang with `-e`."""
    return bool(_SHEBANG_STOPS.match(script) or _SET_STOPS.search(script))


def words(text: str) -> tuple[str, ...]:
    """The words of one command without their quotes."""
    tokens = _tokens(text, 1)
    reader = _Reader({}, "", False, 0)
    return tuple(reader.expand(token.text)[1] for token in tokens if token.kind == "word")


_SHEBANG_STOPS = re.compile(r"#!.*\s-[a-z]*e[a-z]*\b")
_SET_STOPS = re.compile(
    r"^[^#\n]*\bset\s+(?:-[a-z]+\s+)*(?:-[a-df-z]*e[a-z]*\b|-[a-z]*o\s+errexit)", re.MULTILINE
)

# ------------------------------------------------------------------------------------------------- tokens


@dataclass(slots=True)
class _Token:
    """`kind` is "word", "operator", "redirect" or "newline"; a here-document's body belongs to its redirect."""

    kind: str
    text: str
    line: int
    document: str = ""
    document_line: int = 0


_OPERATOR = re.compile(r"&&|\|\||;;&|;;|;&|\|&|;|\||&(?!>)|\(|\)")
_REDIRECT = re.compile(r"\d*(?:<<<|<<-?|<>|>>|>\||>&|<&|<|>)|&>>?")
_WORD_END = frozenset(" \t\n;&|()<>")
_BLANK = frozenset(" \t")


def _tokens(text: str, line: int) -> list[_Token]:
    found: list[_Token] = []
    pending: list[_Token] = []  # redirects whose here-documents begin after this line
    unclosed: set[str] = set()
    i, size = 0, len(text)
    while i < size:
        char = text[i]
        if char in _BLANK:
            i += 1
        elif text.startswith("\\\n", i):
            i, line = i + 2, line + 1
        elif char == "\n":
            found.append(_Token("newline", "\n", line))
            i, line = i + 1, line + 1
            for redirect in pending:
                i, line = _here_document(text, i, line, redirect)
            pending = []
        elif char == "#":
            end = text.find("\n", i)
            i = size if end < 0 else end
        elif redirect_here := _REDIRECT.match(text, i):
            sign = redirect_here[0]
            start = i = redirect_here.end()
            while i < size and text[i] in _BLANK:
                i += 1
            end = _end_of_word(text, i, unclosed)
            token = _Token("redirect", sign + (" " if i > start else "") + text[i:end], line)
            found.append(token)
            line += text.count("\n", i, end)
            if sign.lstrip("0123456789") in ("<<", "<<-") and end > i:
                pending.append(token)
            i = end
        elif operator := _OPERATOR.match(text, i):
            found.append(_Token("operator", operator[0], line))
            i = operator.end()
        else:
            end = max(_end_of_word(text, i, unclosed), i + 1)
            found.append(_Token("word", text[i:end], line))
            line += text.count("\n", i, end)
            i = end
    return found


def _here_document(text: str, i: int, line: int, redirect: _Token) -> tuple[int, int]:
    """Read the body of a here-document that begins at `i`; gives the place and line after it."""
    sign = re.match(r"\d*<<-?", redirect.text)
    end_mark = re.sub(r"[\\'\"]", "", redirect.text[sign.end() if sign else 0 :].strip())
    redirect.document_line = line
    start = i
    while i < len(text):
        end = text.find("\n", i)
        end = len(text) if end < 0 else end
        if text[i:end].strip() == end_mark:
            redirect.document = text[start:i]
            return min(end + 1, len(text)), line + 1
        i, line = end + 1, line + 1
    redirect.document = text[start:]
    return len(text), line


def _end_of_word(text: str, i: int, unclosed: set[str]) -> int:
    """The end of the word that begins at `i`, quotes and substitutions included."""
    size = len(text)
    while i < size:
        char = text[i]
        if char in _WORD_END:
            return i
        i = _past(text, i, unclosed)
    return size


def _past(text: str, i: int, unclosed: set[str]) -> int:
    """The place after the character, escape, quoted text or substitution at `i`."""
    char = text[i]
    if char == "\\":
        return min(i + 2, len(text))
    if text.startswith(("${{", "{{"), i):
        end = text.find("}}", i, i + 500)
        return end + 2 if end >= 0 and "\n" not in text[i:end] else i + 1
    opening = "$(" if text.startswith("$(", i) else "${" if text.startswith("${", i) else char
    if opening not in ("'", '"', "`", "$(", "${") or opening in unclosed:
        return i + 1
    end = _closing(text, i + len(opening), _CLOSING[opening])
    if end < 0:
        unclosed.add(opening)
        return i + len(opening)
    return end


_CLOSING = {"'": "'", '"': '"', "`": "`", "$(": ")", "${": "}"}


def _closing(text: str, i: int, closer: str) -> int:
    """The place after the closer of what was opened before `i`, -1 where it is never closed."""
    stack = [closer]
    size = len(text)
    while i < size:
        char, top = text[i], stack[-1]
        if char == "\\" and top != "'":
            i += 2
            continue
        if char == top:
            stack.pop()
            i += 1
            if not stack:
                return i
            continue
        if top == "'" or (top == "`" and char not in "'\""):
            i += 1
        elif text.startswith("$(", i):
            stack.append(")")
            i += 2
        elif text.startswith("${", i):
            stack.append("}")
            i += 2
        elif char in '"`' or (char == "'" and top not in '"}'):
            stack.append(char)
            i += 1
        elif char == "(" and top == ")":
            stack.append(")")
            i += 1
        elif char == "#" and top == ")" and text[i - 1] in " \t\n":
            end = text.find("\n", i)
            i = size if end < 0 else end
        else:
            i += 1
    return -1


# ------------------------------------------------------------------------------------------------ commands


@dataclass(slots=True)
class _Record:
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

    def command(self) -> Command:
        return Command(
            self.text, self.line, self.directory, self.masked, self.background, self.unchecked, self.guards,
            self.launcher, self.words, self.document, self.document_line,
        )  # fmt: skip


_SILENT = frozenset({
    "cd", "pushd", "popd", "set", "shopt", "unset", "export", "local", "readonly", "declare", "typeset", "true", ":",
    "shift", "break", "continue", "wait", "trap", "return", "read", "setlocal", "endlocal",
})  # fmt: skip
_HARMLESS = frozenset({"true", ":", "echo", "printf", "continue", "break", "logger", "warn", "sleep"})
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "ash"})
_OPENERS = frozenset(
    {"if", "for", "while", "until", "case", "select", "{", "function", "[[", "!", "time", "coproc"}
)


@dataclass(slots=True)
class _Reader:
    """Walks over tokens as a shell would, keeping directory, variables and `set -e`."""

    variables: dict[str, str]
    directory: str
    stops: bool
    depth: int
    ignores: bool = False  # after `set +e`
    guards: tuple[str, ...] = ()
    stack: list[str] = field(default_factory=list)
    tokens: list[_Token] = field(default_factory=list)
    at: int = 0
    assigned: list[dict[str, set[str]]] = field(default_factory=list)

    def read(self, script: str, line: int) -> list[_Record]:
        outer = self.tokens, self.at
        self.tokens, self.at = _tokens(script, line), 0
        found: list[_Record] = []
        while self.at < len(self.tokens):
            found.extend(self.sequence(frozenset()))
            self.at += 1  # a closing word that nothing opened
        self.tokens, self.at = outer
        return found

    # ---- tokens

    def peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def skip_newlines(self) -> None:
        while (token := self.peek()) is not None and token.kind == "newline":
            self.at += 1

    def next_is(self, *texts: str) -> bool:
        token = self.peek()
        return token is not None and token.kind in ("word", "operator") and token.text in texts

    # ---- lists

    def sequence(self, stop: frozenset[str]) -> list[_Record]:
        """Commands up to one of the words of `stop` (left standing) or a word that closes nothing here."""
        found: list[_Record] = []
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

    def and_or(self, before: list[_Record]) -> list[_Record]:
        """Pipelines joined by `&&` and `||`, with what that means for their failures."""
        elements: list[list[_Record]] = []
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

    def pipeline(self) -> list[_Record]:
        found: list[_Record] = []
        while True:
            part = self.command()
            found.extend(part)
            if not self.next_is("|", "|&"):
                return found
            self.at += 1
            self.skip_newlines()

    # ---- one command, simple or compound

    def command(self) -> list[_Record]:
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

    def subshell(self) -> list[_Record]:
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

    def arithmetic(self) -> list[_Record]:
        line = self.tokens[self.at].line
        self.at += 1
        parts: list[str] = []
        inner: list[_Record] = []
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
        text = f"(( {' '.join(parts)} ))"[:MAX_TEXT]
        return [*inner, _Record(text, line, self.directory, tuple(["((", *parts]), self.guards)]

    def block(self, closer: str) -> list[_Record]:
        self.at += 1
        self.depth += 1
        found = self.sequence(frozenset({closer}))
        self.depth -= 1
        self.past(closer)
        return found

    def condition(self) -> list[_Record]:
        found: list[_Record] = []
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
            self.guards = (f"! {test}", *outer)
            self.at += 1
            found.extend(self.sequence(frozenset({"fi"})))
        self.past("fi")
        self.leave()
        self.guards = outer
        return found

    def loop(self) -> list[_Record]:
        self.at += 1
        self.enter()
        found = self.sequence(frozenset({"do"}))
        for record in found:
            record.unchecked = False
        return [*found, *self.do_block()]

    def do_block(self) -> list[_Record]:
        found: list[_Record] = []
        if self.next_is("do"):
            self.at += 1
            found = self.sequence(frozenset({"done"}))
            self.past("done")
        self.leave()
        return found

    def for_loop(self) -> list[_Record]:
        self.at += 1
        self.enter()
        found: list[_Record] = []
        if (token := self.peek()) is not None and token.kind == "word":
            self.variables.pop(token.text, None)
        while (token := self.peek()) is not None and not (token.kind == "word" and token.text in ("do", "{")):
            if token.kind == "word":
                found.extend(self.substitutions(token))
            if token.kind == "operator" and token.text not in ("(", ")", ";", "<", ">", "&&", "||"):
                break
            self.at += 1
        return [*found, *self.do_block()]

    def case(self) -> list[_Record]:
        self.at += 1
        self.enter()
        found: list[_Record] = []
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

    def function(self) -> list[_Record]:
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

    # ---- simple commands

    def simple(self) -> list[_Record]:
        raw: list[_Token] = []
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
        document: _Token | None,
    ) -> list[_Record]:
        start = 0
        while start < len(plain) and (assignment := _ASSIGNMENT.match(plain[start])):
            start += 1
        if start == len(plain) or plain[start] in ("export", "local", "readonly", "declare", "typeset"):
            for word, known in zip(plain, literal):
                self.assign(word, known)
            return [_Record("", line, self.directory, (), shown=False, asks_status=asks)]
        launcher, skipped = _peel(plain[start:])
        start += skipped
        name = posixpath.basename(plain[start]) if start < len(plain) else ""
        arguments = plain[start + 1 :]
        if name in ("cd", "pushd", "popd", "chdir"):
            self.change_directory(name, arguments)
        elif name == "set":
            self.set_options(arguments)
        elif name in ("eval",) or (name in _SHELLS and _script_argument(arguments) is not None):
            script = " ".join(arguments) if name == "eval" else _script_argument(arguments) or ""
            if self.depth < MAX_DEPTH and script.strip():
                inner = _Reader(self.variables, self.directory, False, self.depth + 10, guards=self.guards)
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
        record = _Record(
            " ".join(text.split())[:MAX_TEXT], line, self.directory, tuple(words), self.guards, launcher,
            masked=self.ignores and not asks, unchecked=not self.stops, shown=name not in _SILENT, asks_status=asks,
        )  # fmt: skip
        found = [record]
        if document is not None:
            record.document, record.document_line = document.document, document.document_line
            if name in _SHELLS and self.depth < MAX_DEPTH:
                inner = _Reader(self.variables, self.directory, False, self.depth + 10, guards=self.guards)
                found.extend(inner.read(document.document, document.document_line))
        return found

    def assign(self, word: str, known: bool) -> None:
        assignment = _ASSIGNMENT.match(word)
        if assignment is None:
            return
        name, value = assignment[1], word[assignment.end() :]
        if assignment[2] or not known or len(value) > MAX_VALUE:
            self.variables.pop(name, None)
            if self.assigned:
                self.assigned[-1].setdefault(name, set()).update(("", "\0"))
            return
        if self.assigned:
            seen = self.assigned[-1].setdefault(name, set())
            if name in self.variables:
                seen.add(self.variables[name])
            seen.add(value)
        self.variables[name] = value

    def change_directory(self, name: str, arguments: list[str]) -> None:
        targets = [a for a in arguments if not a.startswith("-") or a == "-"]
        if name == "popd" or targets == ["-"]:
            self.directory = self.stack.pop() if self.stack else "?"
            return
        self.stack.append(self.directory)
        del self.stack[:-100]
        self.directory = _inside(self.directory, targets[0] if targets else "~")

    def set_options(self, arguments: list[str]) -> None:
        for number, argument in enumerate(arguments):
            if argument == "--":
                return
            long = argument in ("-o", "+o") and arguments[number + 1 : number + 2] == ["errexit"]
            if long or re.fullmatch(r"[-+][a-zA-Z]*e[a-zA-Z]*", argument):
                self.stops = argument.startswith("-")
                self.ignores = not self.stops

    # ---- words

    def substitutions(self, token: _Token) -> list[_Record]:
        """The commands inside of `$(...)` and backquotes of a word."""
        if self.depth >= MAX_DEPTH or not ("$(" in token.text or "`" in token.text):
            return []
        found: list[_Record] = []
        for script, offset in _substituted(token.text):
            if self.value_of(script) is not None:
                continue
            inner = _Reader(
                dict(self.variables), self.directory, self.stops, self.depth + 5, self.ignores, self.guards
            )
            found.extend(inner.read(script, token.line + token.text.count("\n", 0, offset)))
        return found

    def expand(self, raw: str) -> tuple[str, str, bool]:
        """A word as shown and without quotes, with known variables put in, and whether all of it is known."""
        shown: list[str] = []
        plain: list[str] = []
        known = True
        quote = ""
        unclosed: set[str] = set()
        i, size = 0, len(raw)
        while i < size:
            char = raw[i]
            if char == "\\" and quote != "'":
                if raw[i + 1 : i + 2] != "\n":
                    shown.append(raw[i : i + 2])
                    plain.append(
                        raw[i + 1 : i + 2] if not quote or raw[i + 1 : i + 2] in '"\\$`' else raw[i : i + 2]
                    )
                i += 2
            elif char == quote:
                quote = ""
                shown.append(char)
                i += 1
            elif not quote and char in "'\"":
                quote = char
                shown.append(char)
                i += 1
            elif char in "$`" and quote != "'":
                end = _past(raw, i, unclosed)
                if end == i + 1 and (name := _NAME.match(raw, i + 1)):
                    end = name.end()
                value = self.value(raw[i:end]) if end > i + 1 else None
                known &= value is not None or end == i + 1
                text = raw[i:end] if value is None else value
                shown.append(text)
                plain.append(text)
                i = end
            else:
                shown.append(char)
                plain.append(char)
                i += 1
        text, bare = "".join(shown), "".join(plain)
        if ROOT in text:
            text, bare = (
                (_relative(t, self.directory) for t in (text, bare))
                if not _ASSIGNMENT.match(bare)
                else (text, bare)
            )
        if _SAFE.fullmatch(bare):
            text = bare
        return text, bare, known

    def value(self, reference: str) -> str | None:
        """The value of `$x`, `${x}`, `${x:-y}` or of a substitution that only names a directory."""
        if reference.startswith("$("):
            return self.value_of(reference[2:-1])
        if reference.startswith("`"):
            return self.value_of(reference[1:-1])
        if reference.startswith("${{"):
            return None
        name, default = reference[1:], None
        if reference.startswith("${"):
            parts = re.fullmatch(r"\{(\w+)(?:\[[0@*]\])?(?::?[-=](.*))?\}", reference[1:], re.DOTALL)
            if parts is None:
                return None
            name, default = parts[1], parts[2]
        if name in (
            "GITHUB_WORKSPACE",
            "CI_PROJECT_DIR",
            "BUILD_SOURCESDIRECTORY",
            "WORKSPACE",
            "CIRCLE_WORKING_DIRECTORY",
        ):
            return self.variables.get(name, ROOT)
        if name == "PWD" and not self.directory.startswith("?"):
            return self.variables.get(name, f"{ROOT}/{self.directory}".rstrip("/"))
        if name in self.variables:
            return self.variables[name]
        if default is None or len(default) > MAX_VALUE:
            return None
        inner = re.sub(r"^([\"'])(.*)\1$", r"\2", default, flags=re.DOTALL)
        return None if "$" in inner or "`" in inner else inner

    def value_of(self, script: str) -> str | None:
        """The directory that `$(pwd)`, `$(dirname x)`, `$(cd x && pwd)` and the like stand for."""
        script = " ".join(script.split())
        if len(script) > 300:
            return None
        if script == "pwd" and not self.directory.startswith("?"):
            return f"{ROOT}/{self.directory}".rstrip("/")
        if script == "git rev-parse --show-toplevel":
            return ROOT
        inner = re.fullmatch(r"(dirname|realpath|readlink -f|basename)( --)? (\S+|\"[^\"]*\")", script)
        moved = re.fullmatch(
            r"cd(?: -P)?(?: --)? (.+?)(?: >/dev/null(?: 2>&1)?| &> ?/dev/null)?(?: &&|;) pwd(?: -P)?", script
        )
        if inner is None and moved is None:
            return None
        saved, self.directory = self.directory, "?"
        _, plain, known = self.expand(inner[3] if inner else moved[1] if moved else "")
        self.directory = saved
        if not known or ROOT not in plain:
            return None
        if moved or (inner and inner[1] in ("realpath", "readlink -f")):
            return ROOT + posixpath.normpath(plain[1:] or "/").rstrip("/") if plain.startswith(ROOT) else None
        if inner and inner[1] == "dirname":
            return ROOT + posixpath.dirname(plain[1:]).rstrip("/") if plain.startswith(ROOT) else None
        return posixpath.basename(plain)


_CLOSERS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}", ")"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\]|\+)?=")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?!-]")
_SAFE = re.compile(r"[\w./:=@%+,~${}?*\[\]^-]+")


def _substituted(text: str) -> list[tuple[str, int]]:
    """The outermost `$(...)` and backquoted scripts of a word with their offsets."""
    found: list[tuple[str, int]] = []
    quote = ""
    unclosed: set[str] = set()
    i = 0
    while i < len(text):
        char = text[i]
        if char == "\\" and quote != "'":
            i += 2
        elif char in "'\"" and (not quote or quote == char):
            quote = "" if quote else char
            i += 1
        elif quote != "'" and (text.startswith("$(", i) or char == "`"):
            end = _past(text, i, unclosed)
            start = i + (2 if char == "$" else 1)
            if end > start and not text.startswith("$((", i):
                found.append((text[start : end - 1], start))
            elif end > start:
                found.extend((inner, start + 1 + at) for inner, at in _substituted(text[start + 1 : end - 2]))
            i = max(end, i + 1)
        else:
            i += 1
    return found


def _relative(text: str, directory: str) -> str:
    """A path that begins at the root of the repository, seen from `directory`."""
    if directory.startswith(("?", "/")):
        return text if directory.startswith("?") else text.replace(ROOT, ".")
    before, _, path = text.partition(ROOT)
    path, mark, rest = path.partition(":")
    found = posixpath.relpath("/" + path.lstrip("/").strip("\"'"), "/" + directory)
    quote = path[-1] if path.endswith(("'", '"')) else ""
    return f"{before}{found}{quote}{mark}{rest}".replace(ROOT, ".")


def _inside(directory: str, target: str) -> str:
    """The directory that `cd target` leads to from `directory`."""
    if target.startswith(ROOT):
        directory, target = "", target[1:].lstrip("/") or "."
    if target.startswith("/"):
        return posixpath.normpath(target)
    if (
        target.startswith("~")
        or "$" in target
        or "`" in target
        or "{{" in target
        or "%" in target
        or ROOT in target
    ):
        known = re.sub(r"^(?:~[^/]*|[^/]*[$`%{][^/]*)", "?", target)
        return known if "$" not in known and known.startswith("?") else "?"
    found = posixpath.normpath(posixpath.join(directory, target))
    return "" if found == "." else found if len(found) < 300 else "?"


def _script_argument(arguments: list[str]) -> str | None:
    """The script of `sh -c 'script'`, `bash -lc 'script'`."""
    for number, argument in enumerate(arguments):
        if re.fullmatch(r"-[a-z]*c", argument):
            return arguments[number + 1] if number + 1 < len(arguments) else None
        if not argument.startswith(("-", "+")) and arguments[number - 1 : number] not in (["-o"], ["+o"]):
            return None
    return None


def _is_harmless(record: _Record) -> bool:
    return (record.words[:1] and record.words[0] in _HARMLESS) or record.words in (
        ("exit", "0"),
        ("return", "0"),
        ("return",),
    )


# ------------------------------------------------------------------------------------------------ prefixes

# What stands in front of a command and leaves it what it is -> its options that take a value.
_PREFIXES: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "time": frozenset({"-f", "-o"}),
    "nohup": frozenset(), "exec": frozenset({"-a"}), "command": frozenset(), "builtin": frozenset(), "setsid": frozenset(),
    "nice": frozenset({"-n"}), "ionice": frozenset({"-c", "-n"}), "stdbuf": frozenset({"-i", "-o", "-e"}),
    "timeout": frozenset({"-k", "-s", "--signal", "--kill-after"}),
    "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-a", "-E", "-s", "--max-args", "--max-procs", "--replace"}),
    "retry": frozenset({"-t", "-d", "-n", "-s", "--times", "--delay", "--tries", "--attempts", "--sleep", "--max-attempts"}),
    "chronic": frozenset(), "unbuffer": frozenset(), "xvfb-run": frozenset({"-n", "-s", "--server-args", "--server-num"}),
    "gosu": frozenset(), "su-exec": frozenset(), "tini": frozenset({"-e", "-p"}), "dumb-init": frozenset(),
    "catchsegv": frozenset(), "call": frozenset(), "start": frozenset(), "&": frozenset(), "travis_retry": frozenset(),
    "travis_wait": frozenset(), "caffeinate": frozenset(), "winpty": frozenset(),
}  # fmt: skip
_OPERANDS = {"timeout": 1, "gosu": 1, "su-exec": 1}  # words of their own before the command
# `poetry run x`: x is the command; the launcher is told apart. Those of the second tuple also run named tasks, so
# they are left out only before a program.
_LAUNCHERS = {
    ("poetry", "run"): frozenset({"-C", "--directory", "-P", "--project"}),
    ("uv", "run"): frozenset({"--with", "--with-requirements", "--with-editable", "--extra", "--group", "--only-group",
                              "--no-group", "--python", "-p", "--env-file", "--package", "--project", "--directory",
                              "--index", "--index-url", "--default-index", "--no-extra", "--python-platform", "-w"}),
    ("pipenv", "run"): frozenset(),
    ("rye", "run"): frozenset(), ("pdm", "run"): frozenset({"-p", "--project", "--venv"}),
    ("hatch", "run"): frozenset(), ("pixi", "run"): frozenset({"-e", "--environment", "--manifest-path"}),
    ("conda", "run"): frozenset({"-n", "--name", "-p", "--prefix", "--cwd"}),
    ("mamba", "run"): frozenset({"-n", "--name", "-p", "--prefix", "--cwd"}),
    ("micromamba", "run"): frozenset({"-n", "--name", "-p", "--prefix", "--cwd"}),
    ("dotenv", "run"): frozenset(), ("doppler", "run"): frozenset({"-p", "--project", "-c", "--config"}),
    ("infisical", "run"): frozenset({"--env", "--path", "--projectId"}), ("op", "run"): frozenset({"--env-file"}),
    ("mise", "exec"): frozenset(), ("asdf", "exec"): frozenset(), ("pyenv", "exec"): frozenset(),
}  # fmt: skip
_RUN_TASKS = frozenset({"pdm", "hatch", "pixi", "rye", "pipenv"})
_PROGRAM = re.compile(
    r"python[\d.]*|pytest|py\.test|tox|nox|mypy|ruff|black|isort|flake8|pylint|coverage|pip|bash|sh|make|just|dvc|mlflow|"
    r"uvicorn|gunicorn|streamlit|jupyter|papermill|prefect|dagster|airflow|kedro|zenml|alembic|sphinx-build|mkdocs|"
    r"pre-commit|bandit|safety|pip-audit|nbqa|dbt|feast|great_expectations|accelerate|torchrun|ray|locust|.*\.(?:py|sh)"
)


def _peel(words: list[str]) -> tuple[str, int]:
    """How many words stand before the command itself, and the last launcher among them."""
    launcher = ""
    at = 0
    while at < len(words):
        first = posixpath.basename(words[at])
        pair = (first, words[at + 1] if at + 1 < len(words) else "")
        if pair in _LAUNCHERS:
            after = _past_options(words, at + 2, _LAUNCHERS[pair], 0)
            if after >= len(words) or (
                first in _RUN_TASKS and not _PROGRAM.fullmatch(posixpath.basename(words[after]))
            ):
                break
            if "-m" in words[at + 2 : after] or "--module" in words[at + 2 : after]:
                break
            launcher, at = " ".join(pair), after
        elif first in _PREFIXES:
            after = _past_options(words, at + 1, _PREFIXES[first], _OPERANDS.get(first, 0))
            if after >= len(words) or (first == "command" and words[at + 1 : at + 2] in (["-v"], ["-V"])):
                break
            at = after
        elif _ASSIGNMENT.match(words[at]):
            at += 1
        else:
            break
    return launcher, min(at, len(words))


def _past_options(words: list[str], at: int, valued: frozenset[str], operands: int) -> int:
    while at < len(words):
        word = words[at]
        if word == "--":
            return at + 1
        if word in valued:
            at += 2
        elif (word.startswith("-") and len(word) > 1) or _ASSIGNMENT.match(word):
            at += 1
        elif operands:
            operands -= 1
            at += 1
        else:
            break
    return at
