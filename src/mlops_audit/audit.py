"""The audit, whole: the only module that knows extractors and rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mlops_audit import catalogue, rules, workers
from mlops_audit import extract as extractors
from mlops_audit.asked import EVERYTHING, sieve_of
from mlops_audit.budget import RUN_SECONDS, Budget
from mlops_audit.cache import NOTHING_KEPT, Cache
from mlops_audit.changes.baseline import Baseline, hold
from mlops_audit.changes.identity import CLAIM, Sketch, line_findings, sketch
from mlops_audit.facts import Fact, Facts, Kind, Problem, Site, Zone, values
from mlops_audit.formats.location import locate
from mlops_audit.formats.snippets import snippets
from mlops_audit.ignores import Ignores, ignores_in
from mlops_audit.judge import Evidence, Finding, judge_projects, kinds_of, unsupported_claims
from mlops_audit.memory import Memory, Shelf
from mlops_audit.names import Names
from mlops_audit.parse.nodes import ParseFailure, decode
from mlops_audit.projects import Projects, chosen, part, split
from mlops_audit.reach import Reach
from mlops_audit.reach.bodies import Bodies
from mlops_audit.reach.uninstalled import ASKED_FOR
from mlops_audit.report import Report, report_of, shown_sites
from mlops_audit.rules import Pack, RuleError, nearest
from mlops_audit.score import Thresholds, disable, outcomes, severity, weigh
from mlops_audit.shipped import exemplified, shipped
from mlops_audit.tree import PROSE_SUFFIXES, Tree, zone_of
from mlops_audit.unread import ANYTHING, Unread, doubted, undecided
from mlops_audit.waivers import Waiving, kept, waive

MACHINE_LEARNING = frozenset({"trains", "serves", "llm"})
PROFILES: Mapping[str, str] = {"uk-gov": "uk-gov"}  # profile -> the kind that it adds
MOST_ALIKE = 100  # problems of one reason that are named
MOST_UNREAD = 500  # files that are looked at one by one for what they could have stated
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
    consulted = tuple(sorted(memory.consulted)) if memory is not None else ()
    return replace(report, excluded=exclude, sources=tuple(sources), consulted=consulted)


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


def unread_in(problems: Iterable[Problem], tree: Tree) -> list[Unread]:
    """The files that were not read, each with what it could have stated; a folder or list cut short could state anything."""
    zones = {file.path: file.zone for file in tree.files}
    found: dict[str, Unread] = {}
    for problem in problems:
        path = problem.site.path
        if problem.unread and len(found) >= MOST_UNREAD:
            return [*found.values(), Unread(ANYTHING, Zone.SOURCE, extractors.ANY)]
        if problem.unread and path not in found:
            kinds = extractors.ANY if path == ANYTHING or path not in zones else extractors.kinds_of(path)
            found[path] = Unread(path, zones.get(path) or zone_of(path), kinds)
    return list(found.values())


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


class Reading(NamedTuple):
    """By how many processes files are read (0: as many as pay), and who is told how far that is."""

    jobs: int = 0
    progress: workers.Progress | None = None


ALONE = Reading(jobs=1)


def examine(
    tree: Tree,
    pack: Pack,
    memory: Memory | None = None,
    budget: Budget | None = None,
    reading: Reading = ALONE,
    whole: bool = False,
) -> tuple[Facts, list[Problem], dict[str, tuple[Evidence, ...]]]:
    """What a tree states, what could not be read, and the kinds of project it is with the evidence of each.

    Which files train and which serve also tells reach which modules both sides share. `memory` is what audits of other
    commits of the same repository have read already; without a budget only single files are under an alarm. Facts that no
    rule asks for are left out unless the `whole` is wanted.
    """
    jobs, limit = reading.jobs if tree.apart else 1, budget or Budget(math.inf)
    if memory is not None:
        extracted, problems = memory.extract(tree.files, limit, jobs, reading.progress)
    else:
        sieve = EVERYTHING if whole else sieve_of(pack, len(tree.files))
        extracted, problems = workers.extract(tree.files, limit, jobs, reading.progress, sieve)
    known = memory.names if memory else Names()
    reach = Reach(extracted, _texts(tree, memory.consulted if memory is not None else set()))
    home = {file.placed: file.path for file in tree.files if file.placed}
    lent = relocated(reach.lend(extracted), home)
    facts = Facts(lent, known=known)
    kinds = kinds_of(facts, pack.kinds)
    places = {file.path: file.placed or file.path for file in tree.files}
    training, serving = (
        {places[e.fact.site.path] for e in kinds.get(side, ())} for side in ("trains", "serves")
    )
    sides = {home.get(path, path): side for path, side in reach.sides(training, serving).items()}
    uses = {home.get(path, path): used for path, used in reach.uses().items()}
    own = ({home.get(path, path) for path in paths} for paths in (training, serving))
    problems += [_absent_module(fact) for fact in relocated(reach.failures.imports, home)]
    problems += [_absent_name(fact) for fact in relocated(reach.failures.unbound, home)]
    return facts.told(sides, uses, Bodies(lent, *own)), problems, kinds


def relocated(facts: Iterable[Fact], home: Mapping[str, str]) -> list[Fact]:
    """The facts of a template's files back at the paths where those files stand in the repository."""
    if not home:
        return list(facts)

    def back(site: Site) -> Site:
        return replace(site, path=home.get(site.path, site.path))

    return [
        replace(
            fact,
            site=back(fact.site),
            reached=fact.reached._replace(
                chain=tuple(link._replace(site=back(link.site)) for link in fact.reached.chain)
            ),
        )
        for fact in facts
    ]


def _texts(tree: Tree, consulted: set[str]) -> Callable[[str], str | None]:
    """The text of a file by the path at which its facts stand; None for what cannot be read.

    The paths that are asked for are added to those consulted.
    """
    files = {file.placed or file.path: file for file in tree.files}

    def text_of(path: str) -> str | None:
        consulted.add(path)
        try:
            return decode(files[path].read())
        except (KeyError, ParseFailure):
            return None

    return text_of


def _absent_name(fact: Fact) -> Problem:
    module, _, name = fact.name.rpartition(".")
    return Problem(
        fact.site, f"imports {name} from {module}, which holds none: code that fails is partial at best"
    )


def _absent_module(fact: Fact) -> Problem:
    module = next(iter(values(fact.traits.get("module"))), fact.name)
    lacks = (
        "nothing installs where it runs" if module.partition(".")[0] in ASKED_FOR else "the repository lacks"
    )
    return Problem(fact.site, f"imports {module}, which {lacks}: code that fails is partial at best")


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


def rule_pack(folders: Sequence[Path] = (), cache: Cache = NOTHING_KEPT, *, examples: bool = False) -> Pack:
    """The rules that ship with the program, with those of the folders in the place of any of the same aspect.

    Those of the program are without their `examples` unless these are asked for. Raises RuleError with all faults of all folders.
    """
    pack = exemplified() if examples else shipped(cache)
    if not folders:
        return pack
    folder_of_all = catalogue.data_folder("rules")
    aspects = {aspect.id for aspect in catalogue.load().aspects}
    faults: list[str] = []
    for folder in folders:
        try:
            further = rules.load(folder, shared=folder_of_all)
        except RuleError as error:
            faults.extend(error.faults)
            continue
        if not further.rules and not further.kinds:
            faults.append(f"{folder}: no rules: a pack has files <pillar>/<aspect>.yaml")
        for rule in further.rules:
            if rule.id not in aspects:
                near = nearest(rule.id, sorted(aspects))
                hint = f"; did you mean {near[0]!r}?" if near else ""
                faults.append(f"{rule.path}:1: the catalogue has no aspect {rule.id!r}{hint}")
        pack = _merged(pack, further)
    if faults:
        raise RuleError(faults)
    return pack


def _merged(pack: Pack, further: Pack) -> Pack:
    by_rule = {rule.id: rule for rule in (*pack.rules, *further.rules)}
    by_kind = {kind.id: kind for kind in (*pack.kinds, *further.kinds)}
    return Pack(tuple(by_rule[aspect] for aspect in sorted(by_rule)), tuple(by_kind.values()))


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
    return (
        "nothing to audit: no sign of machine learning; nothing here trains a model, serves predictions or uses a "
        f"language model ({len(tree.files)} files)"
    )
