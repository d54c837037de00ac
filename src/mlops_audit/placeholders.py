"""Whether text says something or only holds the place for it: TODO, [insert ...], guidance of a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlops_audit.documents import Block, plain

WORDS_BESIDE_A_SLOT = 25  # of own text, for each slot that a template left open beside it

# Slots of templates: what somebody was to replace. Ordinary words in brackets are none, so capitals count.
TOLD = (
    r"(?i:insert|add|your|enter|fill|describe|todo|tbd|tbc|wip|placeholder|provide|specify|replace|name of|list|link|"
    r"detail|more information needed|to be)\b"
)
SLOT = re.compile(
    r"\{\{[^{}]*\}\}"
    r"|(?<![\\$_^\w}])\{\s*(?:[A-Z][A-Z0-9]+\b[^{}\n]{0,300}|[A-Za-z]+(?: [\w,'’/-]+){1,20})\}"
    rf"|[\[{{<]\s*{TOLD}[^\[\]{{}}<>]{{0,300}}[\]}}>](?!\()"
    r"|\[(?:\.\.\.|…)\](?!\()"
    r"|\[[A-Z][A-Z0-9]+(?:[ _/-][A-Z0-9]+)+\](?![(\[:])"
    r"|<[A-Z][A-Z0-9]+(?:[ _-][A-Z0-9]+)+>"
    r"|\b[Mm]ore [Ii]nformation (?:is )?[Nn]eeded\b"
    r"|\b(?i:lorem ipsum)\b"
    r"|_{5,}|\.{6,}"
)

# Words that promise text instead of giving it.
PROMISE = re.compile(
    r"\b(?:TODO|TBD|TBC|TBA|WIP|FIXME|XXX+)\b"
    r"|\b[Tt]o be (?:added|done|determined|decided|confirmed|completed|written|filled|defined|announced|"
    r"documented|provided|updated)\b"
    r"|\b(?:[Cc]oming soon|[Ww]ork in progress|[Uu]nder construction|[Ff]ill (?:this |me )?in\b|[Pp]laceholder text)",
)
# Text that begins so is all still to be written, whatever it asks for.
BEGINS = re.compile(r"\W*(?:TODO|TBD|TBC|TBA|FIXME)\b")
# Whole sentences that say that there is nothing.
NOTHING = re.compile(
    r"(?:n/?a|none yet|nil|tbd|todo|wip|unknown|pending|planned|soon|in progress|\W*"
    r"|(?:this |it )?(?:is )?(?:currently |still )?(?:not applicable|in progress|planned|pending|unknown|missing)"
    r"(?: yet| for now)?"
    r"|(?:this |it )?(?:is |has )?(?:currently )?(?:not(?: yet)?|never) (?:been )?"
    r"(?:implemented|available|done|started|documented|assessed|evaluated|defined|specified|decided|performed|tested)"
    r"(?: yet)?)",
    re.IGNORECASE,
)
NOT_DONE = re.compile(
    r"(?:we|i|this project|the project|the team|this repository) (?:currently |still )?"
    r"(?:(?:did|do|does|have|has|had|could|was|were)(?: not|n['’]t)|plan to|will|intend to)\b",
    re.IGNORECASE,
)
# What a template asks of its writer.
GUIDANCE = re.compile(
    r"(?:please )?(?:briefly |clearly )?(?:describe|explain|list|provide|insert|summari[sz]e|outline|specify|detail|"
    r"state|fill|enter|include|write|document|discuss|give|indicate|add)\b[^`]*|[^`]{3,300}\?|(?:e\.g\.|for example)\b.*",
    re.IGNORECASE | re.DOTALL,
)
ITALIC = re.compile(r"(\*|_)(?!\1)[^*_].*\1", re.DOTALL)
UNTICKED = re.compile(r"\[ ?\](?=\s|$)|[☐□]")
LABEL = re.compile(r"[*_]{0,2}[A-Z][^.:!?\n]{0,60}:[*_]{0,2}\s*")
LACKS = re.compile(r"limit|risk|caveat|scope|weakness|shortcoming|threat|known|issue|bias", re.IGNORECASE)


class _Told(NamedTuple):
    """What one block tells: its open slots, and of what it says the words and whether that is nothing but excuses."""

    filled: bool  # by code or an image
    slots: int = 0
    words: int = 0
    nothing_done: bool = True
    guidance: bool = True
    promised: bool = False  # all of it is still to be written


class Told:
    """What the blocks of one document tell; each is looked at once, however many headings it stands below."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Block, _Told]] = {}

    def is_filled(self, blocks: Sequence[Block], title: str) -> bool:
        """Whether anything that is no placeholder stands in the blocks below a heading."""
        if any(block.form in ("image", "code") and self._of(block).filled for block in blocks):
            return True
        if not LACKS.search(title) and all(self._of(block).nothing_done for block in blocks):
            return False
        if all(self._of(block).guidance for block in blocks):
            return False
        if not any(_may_have_slots(block.text) or self._of(block).slots for block in blocks):
            return any(self._of(block).words for block in blocks)
        told = [self._of(block) for block in blocks]
        return sum(each.words for each in told) > sum(each.slots for each in told) * WORDS_BESIDE_A_SLOT

    def is_promised(self, block: Block) -> bool:
        """Whether all that a block says is still to be written."""
        return "T" in block.text and self._of(block).promised

    def _of(self, block: Block) -> _Told:
        known = self._known.get(id(block))
        if known is None:
            known = self._known[id(block)] = (block, _told(block))
        return known[1]


def is_filled(blocks: Sequence[Block], title: str) -> bool:
    """Whether anything that is no placeholder stands in the blocks below a heading."""
    return Told().is_filled(blocks, title)


def _told(block: Block) -> _Told:
    if block.form == "image" or (block.form == "code" and _is_said(block.text)):
        return _Told(True)
    if block.form in ("text", "item", "cell") and BEGINS.match(_unlabelled(block, block.text.strip())):
        return _Told(False, int(block.form == "item"), promised=True)
    slots = words = 0
    nothing_done = guidance = True
    for sentence in _sentences(block):
        if found := len(_slots(sentence)):
            slots += found
        elif _is_said(sentence):
            shown = plain(sentence)
            words += len(shown.split())
            nothing_done = nothing_done and NOT_DONE.match(shown) is not None
            guidance = guidance and _is_guidance(sentence)
    return _Told(False, slots, words, nothing_done, guidance)


_CODE = re.compile(r"`[^`]*`|\$[^$\n]*\$")


def _slots(text: str) -> list[str]:
    """The open slots of a template in a text; code and formulas have none."""
    if "`" in text or "$" in text:
        text = _CODE.sub(" ", text)
    return SLOT.findall(text) if _may_have_slots(text) else []


def _may_have_slots(text: str) -> bool:
    """Whether anything stands in a text by which a slot could be told."""
    if "[" in text or "{" in text or "<" in text or "_____" in text or "......" in text:
        return True
    return "eeded" in text or "ipsum" in text.lower()


def _is_guidance(sentence: str) -> bool:
    """Whether a sentence asks the writer for text; what names code tells the reader something."""
    return "`" not in sentence and bool(GUIDANCE.fullmatch(plain(sentence)) or ITALIC.fullmatch(sentence))


def _is_said(text: str) -> bool:
    shown = plain(text).strip(" .:!-–—")
    return bool(re.search(r"\w", shown)) and not PROMISE.search(shown) and not NOTHING.fullmatch(shown)


def _unlabelled(block: Block, text: str) -> str:
    """The text of a block without the label of an item."""
    label = LABEL.match(text) if block.form == "item" else None
    return text[label.end() :] if label else text


def _sentences(block: Block) -> Iterator[str]:
    """The sentences of the text of a block; unticked boxes, labels without a value and lead-ins are none."""
    if block.form not in ("text", "item", "cell"):
        return
    text = re.sub(r"<!--.*?(?:-->|\Z)", " ", block.text, flags=re.DOTALL).strip()
    if UNTICKED.match(text) or text.rstrip("*_ ").endswith(":"):
        return
    text = _unlabelled(block, text)
    if ITALIC.fullmatch(text) and not text.startswith(("**", "__")):
        yield text
        return
    for sentence in re.split(
        r"(?<=[.!?])\s+|\n(?=\s*[-*|\w])" if block.form != "text" else r"(?<=[.!?])\s+", text
    ):
        if sentence.strip() and not sentence.rstrip().endswith(":"):
            yield sentence.strip()
