"""The audit, whole: from a repository and what is asked of it to the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mlops_audit import catalogue
from mlops_audit.asked import sieve_of
from mlops_audit.budget import RUN_SECONDS, Budget
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.changes.baseline import Baseline, hold
from mlops_audit.changes.identity import CLAIM, Sketch, line_findings, sketch
from mlops_audit.examination import ALONE, Reading, examine
from mlops_audit.facts import Fact, Facts, Kind, Problem, Site, Zone
from mlops_audit.formats.location import locate
from mlops_audit.formats.snippets import snippets
from mlops_audit.ignores import Ignores, ignores_in
from mlops_audit.judge import Evidence, Finding, judge_projects, kinds_of, unsupported_claims
from mlops_audit.memory import Memory, Shelf
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.projects import Projects, chosen, part, split
from mlops_audit.report import Report, report_of, shown_sites
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack
from mlops_audit.score import Thresholds, disable, outcomes, severity, weigh
from mlops_audit.tree import PROSE_SUFFIXES, Tree
from mlops_audit.unread import doubted, other_languages, undecided, unread_in
from mlops_audit.waivers import Waiving, kept, waive

MACHINE_LEARNING = frozenset({"trains", "serves", "llm"})
PROFILES: Mapping[str, str] = {"uk-gov": "uk-gov"}  # profile -> the kind that it adds
MOST_ALIKE = 100  # problems of one reason that are named
PROSE_NAMES = frozenset(
    {"license", "licence", "notice", "authors", "codeowners", "readme", "changelog", ".gitignore"}
)


class NothingToAudit(ValueError):
    """There is no machine learning here, and why that is thought, in one line.

    `unread` are the files that nobody looked at and that could have told otherwise.
    """

    def __init__(self, reason: str, unread: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.unread = tuple(unread)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an audit is asked beside the tree and the rules.

    `disabled` maps aspects to the reason why they are not asked; `weights` aspects to the weight that a profile gives
    them; without `waiving` nothing is waived, comments of the code included.
    """

    disabled: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    thresholds: Thresholds = Thresholds()  # noqa: RUF009 (frozen)
    weights: Mapping[str, int] = field(default_factory=dict)
    waiving: Waiving | None = None
    baseline: Baseline | None = None
    baseline_file: str = ""
    with_snippets: bool = True
    project: str | None = None  # the folder of the one project that is asked, "" for the root's own


def audit(
    root: Path | str,
    rev: str | None = None,
    *,
    exclude: Iterable[str] = (),
    disabled: Mapping[str, str] | None = None,
    profile: str = "",
    thresholds: Thresholds | None = None,
    packs: Sequence[Path] = (),
    weights: Mapping[str, int] | None = None,
    waiving: Waiving | None = None,
    baseline: Baseline | None = None,
    baseline_file: str = "",
    sources: Sequence[str] = (),
    time_limit: float | None = RUN_SECONDS,
    with_snippets: bool = True,
    project: str | None = None,
    cache: Cache = NOTHING_KEPT,
    reading: Reading | None = None,
) -> Report:
    """Audit a repository: the tracked files of the work tree at `root`, or those of the commit `rev`.

    `exclude` are globs of paths to leave out, `disabled` maps aspects to the reason why they are not asked, `packs` are
    folders of further rules. `weights` are those that a profile gives to aspects; `waiving` are waivers with the day on
    which they are read (without it nothing is waived, comments of the code included); a `baseline` holds back what it
    records; `sources` name the configurations that all this comes from. What is not read within `time_limit` seconds
    (None: without end) is skipped. `project` is the folder of the one project of a monorepo that is audited alone (NoProject
    when none lies there). `cache` keeps compiled rules and the facts of files from one run to the next. Raises RepositoryError, RuleError or NothingToAudit, each in clear lines.
    """
    pack, exclude = rule_pack(packs, cache), tuple(exclude)
    budget = Budget(time_limit)
    asked = Asked(
        disabled or {},
        profile,
        thresholds or Thresholds(),
        weights or {},
        waiving,
        baseline,
        baseline_file,
        with_snippets,
        project,
    )
    with ExitStack() as opened:
        tree = opened.enter_context(Tree.open(Path(root), rev, exclude))
        memory = None
        if cache.folder:
            sieve = sieve_of(pack, len(tree.files))
            shelf = Shelf(cache, str(Path(root).resolve()), sieve.digest)
            memory = Memory(opened.enter_context(closing(shelf)), sieve)
        report = audit_tree(tree, pack, asked, budget, memory, reading or Reading())
    report = replace(report, excluded=exclude, sources=tuple(sources))
    if memory is None or memory.listening is None:
        return report
    return replace(report, consulted=tuple(sorted(memory.consulted)), listening=memory.listening())


def audit_tree(
    tree: Tree,
    pack: Pack,
    asked: Asked = Asked(),
    budget: Budget | None = None,
    memory: Memory | None = None,
    reading: Reading | None = None,
) -> Report:
    """The same for a tree that is open and rules that are read."""
    facts, problems, kinds = examine(tree, pack, memory, budget, reading or ALONE)
    if asked.project is not None:
        projects = projects_of(facts, kinds)
        folder = chosen(projects, asked.project)
        facts, asked = part(facts, projects, folder), replace(asked, project=folder)
        kinds = kinds_of(facts, pack.kinds)
    if not MACHINE_LEARNING & set(kinds):
        skipped = [problem for problem in (*tree.skipped, *problems) if problem.unread]
        raise NothingToAudit(
            _why_nothing(tree), skipped if undecided(pack.kinds, kinds, unread_in(skipped, tree)) else ()
        )
    return report_on(tree, pack, facts, problems, kinds, asked)


def report_on(
    tree: Tree,
    pack: Pack,
    facts: Facts,
    problems: Sequence[Problem],
    kinds: Mapping[str, tuple[Evidence, ...]],
    asked: Asked,
) -> Report:
    """The same for a tree that is examined."""
    problems = [*tree.skipped, *problems]
    unread = unread_in(problems, tree)
    if doubtful := undecided(pack.kinds, kinds, unread):
        what = f"whether it is a project of the kind {' or '.join(doubtful)}"
        problems.append(Problem(Site("."), f"not known, because files were skipped: {what}"))
    if asked.profile in PROFILES:
        kinds = {**kinds, PROFILES[asked.profile]: ()}
    own = {fact.name for fact in facts.of(Kind.FILE)} if asked.project is not None else None
    files = [file for file in tree.files if own is None or file.path in own]
    if others := other_languages(files):
        problems.append(Problem(Site("."), f"skipped: code in languages that are not read: {others}"))
    ignores = ignores_in(files, facts, pack) if asked.waiving is not None else Ignores()
    found = doubted(findings(facts, kinds, pack, ignores.without, asked.project), unread)
    found = weigh(disable(found, asked.disabled), asked.weights)
    claims = ignores.spare(unsupported_claims(found, facts))
    places = [
        m for m in line_findings(found, facts, claims) if m.site not in ignores.places.get(m.aspect, ())
    ]
    waived = None
    if asked.waiving is not None:

        def again(aspect: str, keep: Callable[[Fact], bool]) -> Finding:
            only = Pack(tuple(rule for rule in pack.rules if rule.id == aspect), pack.kinds)
            seen_without = lambda a, seen: ignores.without(a, seen).where(keep)  # noqa: E731 (short)
            return findings(facts, kinds, only, seen_without, asked.project)[0]

        found, waived = waive(found, places, asked.waiving, ignores, again)
    unwaived = [finding for finding in found if waived is None or finding.aspect.id not in waived]
    places_left = kept(places, waived)
    sketches = _sketches(tree, {mark.site.path for mark in places_left}) if asked.baseline is not None else {}
    held = None
    if asked.baseline is not None:
        paths = [file.path for file in tree.files]
        held = hold(asked.baseline, unwaived, places_left, sketches, paths, asked.baseline_file)
    new = [finding for finding in unwaived if held is None or finding.aspect.id not in held.aspects]
    severities = [severity(finding) for finding in new]
    if held is not None:  # one more place of a known finding is as grave as the finding
        graves = {finding.aspect.id: severity(finding) for finding in unwaived}
        severities += [
            graves.get(m.aspect, "")
            for m in held.new_places
            if m.signal != CLAIM and m.aspect in held.aspects
        ]
    report = report_of(
        found,
        catalogue.load(),
        project=f"{tree.name}/{asked.project}" if asked.project else tree.name,
        commit=tree.commit,
        kinds=kinds,
        locations=locate(found, kinds, tree),
        problems=_gathered(problems),
        files=len(files),
        claims=claims,
        disabled=asked.disabled,
    )
    if asked.with_snippets:
        report = replace(report, snippets=snippets(shown_sites(report), tree))
    checked = outcomes(asked.thresholds, found, report.maturity.level.level, severities)
    return replace(
        report, thresholds=checked, line_findings=places, waived=waived, held=held, sketches=sketches
    )


def _gathered(problems: Sequence[Problem]) -> list[Problem]:
    """The problems, of those with the same reason no more than a hundred by name."""
    kept: list[Problem] = []
    counts: Counter[str] = Counter()
    for problem in problems:
        counts[problem.reason] += 1
        if counts[problem.reason] <= MOST_ALIKE:
            kept.append(problem)
    for reason, count in counts.items():
        if count > MOST_ALIKE:
            kept.append(
                Problem(
                    Site("."),
                    f"and {count - MOST_ALIKE} more like these: {reason}",
                    reason.startswith("skipped"),
                )
            )
    return kept


def _sketches(tree: Tree, paths: Collection[str]) -> dict[str, Sketch]:
    """What tells each of some files among others, to know it by when it is renamed."""
    found = {}
    for file in tree.files:
        if file.path in paths:
            try:
                found[file.path] = sketch(decode(file.read()))
            except ParseFailure:
                continue
    return found


def findings(
    facts: Facts,
    kinds: Mapping[str, tuple[Evidence, ...]],
    pack: Pack,
    seen: Callable[[str, Facts], Facts] = lambda aspect, facts: facts,
    project: str | None = None,
) -> list[Finding]:
    """The finding for every aspect that has a rule, in the order of the catalogue: the best of any project's.

    `seen` gives those of the facts that an aspect is judged by; with `project` they are those of that project alone.
    """
    known = {rule.id: rule for rule in pack.rules}
    told = frozenset(kinds)
    projects = projects_of(facts, kinds) if project is None else Projects((project,))
    return [
        judge_projects(
            aspect, known[aspect.id], seen(aspect.id, facts), told, projects.folders, projects.home
        )
        for aspect in catalogue.load().aspects
        if aspect.id in known
    ]


def projects_of(facts: Facts, kinds: Mapping[str, tuple[Evidence, ...]]) -> Projects:
    """The projects of a repository, told by their manifests and by the files that train."""
    return split(facts, (evidence.fact.site.path for evidence in kinds.get("trains", ())))


def _why_nothing(tree: Tree) -> str:
    """Why there is nothing to audit, in one line."""
    if not tree.files:
        return "nothing to audit: there are no files"
    own = [file.path.lower() for file in tree.files if file.zone is not Zone.FOREIGN]
    if not own:
        return (
            f"nothing to audit: all {len(tree.files)} files are examples, documentation or third-party code"
        )
    if all(
        PurePosixPath(path).suffix in PROSE_SUFFIXES or PurePosixPath(path).name in PROSE_NAMES
        for path in own
    ):
        return f"nothing to audit: only documents, no code ({len(tree.files)} files)"
    others = other_languages(tree.files)
    return (
        "nothing to audit: no sign of machine learning; nothing here trains a model, serves predictions or uses a "
        f"language model ({len(tree.files)} files{f'; not read: {others}' if others else ''})"
    )
