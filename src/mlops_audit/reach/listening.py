"""What the inferences listen for in the sums of files (told.py): a word for which none of them listens changes nothing.

Every inference that looks something up in what all files tell together says which words that could be. Of two states of a
file that differ in other words alone all that is inferred is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from mlops_audit.facts import Kind, TraitValue, values
from mlops_audit.reach.bodies import Bodies
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.told import every
from mlops_audit.reach.uncalled import names_of_uncalled, room_for_more
from mlops_audit.reach.unloaded import FORMATS, names_of_settings
from mlops_audit.reach.unmade import names_of_data
from mlops_audit.reach.unprovided import ELSEWHERE, looks_for_places
from mlops_audit.reach.unset import names_of_switchable
from mlops_audit.reach.unused import names_of_modules, names_of_routers

OFTEN = 5  # files; a word that so many say is still said when fewer than so many change


class Listening(NamedTuple):
    """The words that some inference looks up, each group as one text of lines: kept and searched sooner than a set."""

    modules: str  # by which a module may be named, but for those that OFTEN files say
    called: str  # under which a definition may be called, likewise
    defined: str  # the last names of functions
    opened: str  # those of functions whose inside was looked into, behind their files
    sought: str  # those of definitions whose calls were looked for, and of functions with switches
    parts: str  # what may stand within a word of a text
    folders: str  # that a text may name by themselves
    places: bool  # whether it matters where tasks run their code
    said: str  # every word under which anything may be called in any file
    unbound: str  # names that are imported from where they are not
    asked_from: str  # files in which it was looked up what a name means
    room: int  # definitions more that leave it as it is whether those that nothing calls are told

    def hears(
        self,
        path: str,
        before: Mapping[str, TraitValue],
        after: Mapping[str, TraitValue],
        added: Collection[str] = (),
    ) -> bool:
        """Whether anything is inferred from a difference between two sums of the file at a path, to which definitions
        of some names were added."""
        for trait in before.keys() | after.keys():
            was, now = values(before.get(trait)), values(after.get(trait))
            if was == now:
                continue
            words = _words(trait, was) ^ _words(trait, now)
            if trait == "inside":  # nothing else is reached by what leads to an added definition alone
                words = {pair for pair in words if pair.rpartition("\n")[2] not in added}
            if words and self._hears(path, trait, words):
                return True
        return False

    def beside(self, bodies: Bodies) -> Listening:
        """The same with what was looked up in the bodies of functions until now."""
        return self._replace(
            defined=_lines(bodies.defined),
            opened=_lines(f"{path} {name}" for path, name in bodies.opened),
            sought=_lines({*self.sought.split("\n"), *bodies.sought} - {""}),
            asked_from=_lines(bodies.asked_from),
        )

    def looks_into(self, path: str, name: str) -> bool:
        """Whether anything was found out by what a function of a file calls inside."""
        return _is_of(f"{path} {_last(name)}", self.opened)

    def opens(self, calls: Iterable[str]) -> bool:
        """Whether any of some calls may be one of the project's own functions."""
        return any(_is_of(_last(call), self.defined) for call in calls)

    def knows(self, name: str) -> bool:
        """Whether anybody says the last name of a definition, or defines another of that name."""
        return any(
            _is_of(_last(name), words) for words in (self.said, self.defined, self.unbound, self.sought)
        )

    def knows_import(self, path: str, name: str) -> bool:
        """Whether it may matter that a file imports a name from a module that is not the project's."""
        return _is_of(path, self.asked_from) or any(
            _is_of(_last(name), words) for words in (self.unbound, self.sought)
        )

    def _hears(self, path: str, trait: str, words: Collection[str]) -> bool:
        heard = {
            "names": self._is_module,
            "called": self._is_called,
            "lines": self._is_of_texts,
            "words": self._is_of_texts,
            "sites": self._is_sought,
            "handed": self._is_sought,
            "gives": self._is_sought,
        }.get(trait)
        if heard is None:
            return trait != "left" and (trait != "states" or path.endswith(FORMATS))
        return any(map(heard, words))

    def _is_module(self, word: str) -> bool:
        return _is_of(word, self.modules)

    def _is_called(self, word: str) -> bool:
        return _is_of(word, self.called)

    def _is_sought(self, word: str) -> bool:
        return _is_of(_last(word), self.sought) or (self.places and ELSEWHERE.search(word) is not None)

    def _is_of_texts(self, word: str) -> bool:
        slashed = word.replace(".", "/")
        return _is_of(word.strip("./"), self.folders) or any(
            part in word or part in slashed for part in self.parts.split()
        )


def listened_for(stated: Stated, paths: Collection[str], unbound: Iterable[str] = ()) -> Listening:
    """What inferences listen for over all that a repository states, where some imported names were found unbound."""
    files = [
        (values(file.traits.get("names")), values(file.traits.get("called"))) for file in stated.of(Kind.FILE)
    ]
    stems, folders = names_of_settings(stated)
    said = every(stated.of(Kind.FILE), "called")
    return Listening(
        modules=_lines(_rare(names_of_modules(stated), (names for names, _ in files))),
        called=_lines(_rare(names_of_uncalled(stated), (called for _, called in files))),
        defined="",
        opened="",
        sought=_lines(names_of_switchable(stated)),
        parts=_lines(stems | names_of_routers(stated) | names_of_data(stated, paths)),
        folders=_lines(folders),
        places=looks_for_places(stated),
        said=_lines(said),
        unbound=_lines(_last(name) for name in unbound),
        asked_from="",
        room=room_for_more(stated, said),
    )


def _rare(words: set[str], told: Iterable[tuple[str, ...]]) -> set[str]:
    """The words that fewer than OFTEN files tell."""
    left, counts = set(words), Counter[str]()
    for texts in told:
        found = left.intersection("".join(texts).split("\n"))
        counts.update(found)
        left.difference_update([word for word in found if counts[word] == OFTEN])
    return left


def _words(trait: str, told: tuple[str, ...]) -> set[str]:
    """What a sum tells, piece by piece."""
    pieces: Callable[[str], Iterable[str]] = _PIECES.get(trait, lambda text: text.split("\n"))
    return {piece for text in told for piece in pieces(text)}


def _handed(text: str) -> Iterable[str]:
    around, _, words = text.partition("\n")
    return [f"{around}\n.{word}" for word in words.split(" ")]


def _given(text: str) -> Iterable[str]:
    name, _, switches = text.partition("\n")
    return [f"{switches}\n.{name}"]


_PIECES: Mapping[str, Callable[[str], Iterable[str]]] = {
    "sites": lambda text: [text],
    "handed": _handed,
    "gives": _given,
    "inside": lambda text: [text],
}


def _last(name: str) -> str:
    return name.rpartition("\n")[2].rpartition(".")[2]


def _lines(words: Iterable[str]) -> str:
    return "\n".join(("", *sorted(words), ""))


def _is_of(word: str, lines: str) -> bool:
    return f"\n{word}\n" in lines
