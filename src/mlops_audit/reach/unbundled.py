"""Files of a Databricks bundle that the bundle does not include: what they declare is never deployed."""

from __future__ import annotations

from posixpath import normpath

from mlops_audit.facts import Kind, matcher, values
from mlops_audit.reach.stated import Stated

DECLARED = (Kind.RESOURCE, Kind.PIPELINE, Kind.STEP)


def left_out(stated: Stated) -> frozenset[str]:
    """The YAML files with resources of Databricks below the folder of a bundle that names them nowhere in `include`."""
    bundles: dict[str, tuple[str, ...]] = {}
    for fact in stated.of(Kind.RESOURCE):
        if fact.name == "bundle" and fact.traits.get("system") == "databricks":
            bundles[fact.site.path] = values(fact.traits.get("include"))
    if not bundles:
        return frozenset()
    declaring = {
        fact.site.path
        for fact in stated.of(*DECLARED)
        if fact.traits.get("system") == "databricks" and fact.site.path not in bundles
    }
    return frozenset(
        path for path in declaring if path.endswith((".yml", ".yaml")) and _is_left_out(path, bundles)
    )


def _is_left_out(path: str, bundles: dict[str, tuple[str, ...]]) -> bool:
    above = [bundle for bundle in bundles if path.startswith(_folder(bundle))]
    if not above:
        return False
    nearest = max(map(_folder, above), key=len)
    patterns = tuple(
        normpath(f"{nearest}{pattern}")
        for bundle in above
        if _folder(bundle) == nearest
        for pattern in bundles[bundle]
    )
    return not matcher(patterns)(path)


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]
