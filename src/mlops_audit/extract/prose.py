"""Documents: their headings, and whether anything stands below them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from mlops_audit import parse
from mlops_audit.documents import Block, asciidoc, folded, markdown, plain, restructured
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import NotRead, decode
from mlops_audit.placeholders import Told

MAX_BYTES = 1_000_000
MAX_HEADINGS = 2_000
MAX_TEXT = 2_000  # characters of the trait `text`
READ_WORDS = 20_000  # words below one heading that are looked at

TEMPLATES = (".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".template")
SUFFIXES = frozenset({"", ".md", ".markdown", ".mdx", ".qmd", ".rmd", ".rst", ".adoc", ".txt"})

MAX_SENTENCES = 2_000
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
# Of text in lower case, see `folded`: patterns that ignore case take three times as long.
PLAN = re.compile(
    r"\b(?:to-?do|roadmap|future|planned|plans?|next steps?|in progress|not (?:yet )?(?:done|implemented|included|in scope)|"
    r"out of scope|limitations?|ideas?|improvements?|wish ?list|possible|further work|backlog|non-goals?|references?|"
    r"resources|links|further reading|acknowledgements?|table of contents|contents|changelog|prerequisites)\b"
)
DENIAL = re.compile(
    r"\b(?:not|no|never|without|cannot|can't|don't|doesn't|didn't|isn't|aren't|won't|haven't|hasn't|lacks?|missing|todo|tbd|wip|"
    r"will|would|could|should|might|may|plan(?:s|ned|ning)?|future|upcoming|soon|later|consider|ideally|optional(?:ly)?|"
    r"if you|you can|in progress|coming|instead of|rather than|e\.g\.)\b"
)

# A decimal number or per cent that measures something: no version, section or licence number. What may not stand before
# it is said after its first character: so a search stops nowhere but at digits and signs.
WHOLE = r"(?:(?<=\d)\d{0,8}|(?<!\d)\d{1,9})"
NUMBER = re.compile(
    rf"[-+±\d](?:(?<![\w.,=<>~^/-].){WHOLE}(?:[.,]\d+)?\s?(?:%|per ?cent\b)"
    rf"|(?<![\w.=<>~^/-].){WHOLE}\.\d+(?![\w.]*\.\d|[\w-]))",
    re.IGNORECASE,
)
# Such a number beside a measure of quality, on one side of it or the other.
QUALITY = (
    r"(?<![a-z])(?:accuracy|acc|precision|recall|f1|f-?score|score|(?:roc|pr)[-_ ]?auc|auc|auroc|auprc|rmsl?e|mae|s?mape|wape|mse|"
    r"r2|r²|r-squared|bleu|rouge\S{0,3}|perplexity|dice|iou|map@\d+|wer|loss|sensitivity|specificity|log[- ]?loss|ndcg\S{0,4}|mrr|"
    r"utility|brier|kappa|mcc|psnr|ssim|gini|(?:error|hit|win|detection|false positive|miss) rate|(?:absolute|squared|percentage) error|"
    r"genauigkeit|trefferquote|fehlerrate|exactitude|précision|rappel|perte|precisión|exactitud|sensibilidad|pérdida|acurácia|"
    r"precisão|revocação|accuratezza|正解率|適合率|再現率|精度|准确率|準確率|召回率|精确率|损失|정확도|정밀도|재현율|손실|точность)"
    r"(?![a-z])"
)
MEASURED = r"(?<![\w.])[-+±]?(?:\d{1,9}[.,]\d{1,9}|\d{1,3}\s?%)(?![\w.]*\.\d)"
SCORE = rf"{QUALITY}[^\n.!?]{{0,40}}?{MEASURED}|{MEASURED}[^\n.!?]{{0,25}}?{QUALITY}"
ONLY_A_NUMBER = re.compile(rf"\W*{MEASURED}(?:\s*(?:±|\+/-|\(|\[).{{0,40}})?\W*")
NAMES_A_VERSION = re.compile(
    r"(?:\b(?:python|version|versions|v|ver|release|ubuntu|debian|cuda|cudnn|java|jdk|node|r|apache|license|licence|cc|by|"
    r"by-\w+(?:-\w+)?|gpl|gplv|tensorflow|keras|pytorch|torch|sklearn|scikit-learn|numpy|pandas|spark|pyspark|kubernetes|"
    r"docker|compose|airflow|mlflow|dvc|terraform|helm|conda|pip|django|fastapi|flask|step|section|figure|fig|chapter|"
    r"table|part|week|level|tls|http|openapi|swagger|ssl|covenant|php|go|golang|ruby|scala|gpt|llama|claude|gemini|qwen|"
    r"mistral|phi|requires|postgresql|postgres|mysql|redis|mongodb|windows|macos|angular|react|api)"
    r"[\s:>=~^*`(-]*|[>=~^]\s*)$",
    re.IGNORECASE,
)


def extract(path: str, data: bytes) -> Iterator[Fact]:
    """The headings of a document, and the settings of its front matter.

    A document without headings is one heading of level 0, named after the file.
    """
    name = path.lower()
    suffix = posixpath.splitext(posixpath.splitext(name)[0] if name.endswith(TEMPLATES) else name)[1]
    binary = b"\x00" in data[:4_096] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
    if suffix not in SUFFIXES or binary:
        return
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    text = decode(data).replace("\x00", " ")
    matter, body, before = _front_matter(text) if suffix not in (".rst", ".adoc") else ("", text, 0)
    if suffix == ".rst":
        blocks = list(restructured(body))
    elif suffix == ".adoc":
        blocks = list(asciidoc(body))
    else:
        blocks = list(markdown(body, before))
    shown = [plain(block.text) for block in blocks]
    yield from _headings(path, blocks, shown)
    yield from _sentences(path, blocks, shown)
    if matter:
        yield from _front_settings(path, matter)


def _front_matter(text: str) -> tuple[str, str, int]:
    """The YAML between `---` lines at the beginning, the rest, and the number of lines before the rest."""
    if not text.startswith("---\n"):
        return "", text, 0
    end = re.search(r"^(?:---|\.\.\.)[ \t]*$", text[4:], re.MULTILINE)
    if end is None:
        return "", text, 0
    matter, body = text[4 : 4 + end.start()], text[4 + end.end() :].removeprefix("\n")
    return matter, body, text[: len(text) - len(body)].count("\n")


def _front_settings(path: str, matter: str) -> Iterator[Fact]:
    for document in parse.yaml(matter.encode()):
        for name, leaf in document.leaves("front_matter"):
            traits: dict[str, TraitValue] = {"value": leaf.text[:300], "form": "config"}
            yield Fact(Kind.SETTING, name[:300], Site(path, leaf.line + 1), traits)


def _headings(path: str, blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[Fact]:
    stem = posixpath.splitext(posixpath.basename(path))[0]
    places = [number for number, block in enumerate(blocks) if block.form == "heading"][:MAX_HEADINGS]
    tops = [place for place in places if blocks[place].level < 7]
    title = shown[min(tops, key=lambda place: blocks[place].level)] if tops else stem
    told = Told()
    quality = [_quality(block, row) for block, row in zip(blocks, shown, strict=True)]
    if not places:
        if blocks:
            yield _heading(
                path, Block("heading", stem, 1, 0), plain(stem), blocks, shown, (), stem, told, quality
            )
        return
    above: list[int] = []
    for number, place in enumerate(places):
        heading = blocks[place]
        above = [other for other in above if blocks[other].level < heading.level]
        after = (later for later in places[number + 1 :] if blocks[later].level <= heading.level)
        end = next(after, len(blocks))
        yield _heading(
            path,
            heading,
            shown[place],
            blocks[place + 1 : end],
            shown[place + 1 : end],
            tuple(shown[other] for other in above),
            title,
            told,
            quality[place + 1 : end],
        )
        above.append(place)


def _heading(
    path: str,
    heading: Block,
    shown: str,
    below: Sequence[Block],
    shown_below: Sequence[str],
    parents: tuple[str, ...],
    title: str,
    told: Told,
    quality: Sequence[int],
) -> Fact:
    name = shown[:300]
    words, kept, code = 0, [], ""
    for block, row in zip(below, shown_below, strict=True):
        if block.form == "code" and len(code) < MAX_TEXT:
            code += f"{block.text[:MAX_TEXT]}\n"
        if block.form not in ("text", "item", "cell", "label"):
            continue
        if words >= READ_WORDS:
            break
        if told.is_promised(block):
            continue
        kept.append(row)
        words += len(row.split())
    text = "\n".join(part for part in kept if part)
    traits: dict[str, TraitValue] = {
        "level": str(heading.level),
        "filled": "yes" if told.is_filled(below[: len(kept) + 2_000], name) else "no",
        "words": str(words),
        "document": title[:300],
        "text": text[:MAX_TEXT],
    }
    if code:
        traits["code"] = code[:MAX_TEXT]
    if parents:
        traits["parents"] = parents
    if _has_numbers(text):
        traits["numbers"] = "yes"
    if SCORED in quality or (NAMED in quality and NUMBER_CELL in quality):
        traits["scores"] = "yes"
    cells = [block for block in below if block.form == "cell"]
    if cells and told.is_filled(cells, name):
        traits["table"] = "yes"
    return Fact(Kind.HEADING, name, Site(path, heading.line), traits)


SCORED, NAMED, NUMBER_CELL = (
    1,
    2,
    4,
)  # what a block says of quality: a score, a measure as label, a number in a cell


def _quality(block: Block, shown: str) -> int:
    if block.form == "cell" and ONLY_A_NUMBER.fullmatch(shown):
        return NUMBER_CELL
    if block.form == "label" and re.search(QUALITY, shown, re.IGNORECASE):
        return NAMED
    said = block.form in ("text", "item", "cell", "label") and any(map(str.isdigit, shown))
    scored = said and re.search(MEASURED, shown) and re.search(SCORE, shown, re.IGNORECASE)
    return SCORED if scored else 0


def _sentences(path: str, blocks: Sequence[Block], shown: Sequence[str]) -> Iterator[Fact]:
    """The sentences, list items and headings of a document, with whether they deny, plan or ask."""
    planned: list[tuple[int, bool]] = []  # headings above, and whether they announce what is not done
    announced = False
    count = 0
    for block, text in zip(blocks, shown, strict=True):
        if block.form not in ("heading", "text", "item", "cell", "label"):
            continue
        if block.form == "heading":
            planned = [(level, plan) for level, plan in planned if level < block.level]
            planned.append((block.level, PLAN.search(folded(text)) is not None))
            announced = any(plan for _, plan in planned)
        unticked = block.text.lstrip().startswith("[ ]")
        for sentence in SENTENCE_END.split(text):
            words = " ".join(sentence.split())[:300]
            if len(words) < 4:
                continue
            denied = unticked or announced or "?" in words or DENIAL.search(folded(words)) is not None
            traits: dict[str, TraitValue] = {"form": block.form, **({"negated": "yes"} if denied else {})}
            yield Fact(Kind.SENTENCE, words, Site(path, block.line), traits)
            count += 1
            if count >= MAX_SENTENCES:
                return


def _has_numbers(text: str) -> bool:
    return any(not _names_a_version(text[max(0, m.start() - 40) : m.start()]) for m in NUMBER.finditer(text))


@lru_cache(maxsize=4096)
def _names_a_version(before: str) -> bool:
    """Whether the words before a number say what it counts; they are asked again for each heading above them."""
    return NAMES_A_VERSION.search(before) is not None
