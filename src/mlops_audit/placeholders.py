"""Whether text says something or only holds the place for it: TODO, [insert ...], guidance of a template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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


def is_filled(blocks: Sequence[Block], title: str) -> bool:
    """Whether anything that is no placeholder stands in the blocks below a heading."""
    if any(block.form == "code" and _is_said(block.text) for block in blocks):
        return True
    if any(block.form == "image" for block in blocks):
        return True
    sentences = list(_sentences(blocks))
    slots = sum(len(_slots(sentence)) for sentence in sentences)
    said = [sentence for sentence in sentences if not _slots(sentence) and _is_said(sentence)]
    if not LACKS.search(title) and all(NOT_DONE.match(plain(sentence)) for sentence in said):
        return False
    if all(_is_guidance(sentence) for sentence in said):
        return False
    return sum(len(plain(sentence).split()) for sentence in said) > slots * WORDS_BESIDE_A_SLOT


def _slots(text: str) -> list[str]:
    """The open slots of a template in a text; code and formulas have none."""
    return SLOT.findall(re.sub(r"`[^`]*`|\$[^$\n]*\$", " ", text))


def _is_guidance(sentence: str) -> bool:
    """Whether a sentence asks the writer for text; what names code tells the reader something."""
    return "`" not in sentence and bool(GUIDANCE.fullmatch(plain(sentence)) or ITALIC.fullmatch(sentence))


def _is_said(text: str) -> bool:
    shown = plain(text).strip(" .:!-–—")
    return bool(re.search(r"\w", shown)) and not PROMISE.search(shown) and not NOTHING.fullmatch(shown)


def _sentences(blocks: Iterable[Block]) -> Iterable[str]:
    """The sentences of the text of blocks; unticked boxes, labels without a value and lead-ins are none."""
    for block in blocks:
        if block.form not in ("text", "item", "cell"):
            continue
        text = re.sub(r"<!--.*?(?:-->|\Z)", " ", block.text, flags=re.DOTALL).strip()
        if UNTICKED.match(text) or text.rstrip("*_ ").endswith(":"):
            continue
        if block.form == "item" and (label := LABEL.match(text)):
            text = text[label.end() :]
        if ITALIC.fullmatch(text) and not text.startswith(("**", "__")):
            yield text
            continue
        for sentence in re.split(
            r"(?<=[.!?])\s+|\n(?=\s*[-*|\w])" if block.form != "text" else r"(?<=[.!?])\s+", text
        ):
            if sentence.strip() and not sentence.rstrip().endswith(":"):
                yield sentence.strip()
