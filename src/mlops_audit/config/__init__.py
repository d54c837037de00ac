"""Configuration: of the repository, of the user, of presets and profiles; every fault with file and line, all at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlops_audit import catalogue, parse
from mlops_audit.config import presets
from mlops_audit.config.extending import SECTION, SHARED_FILE, Read, below_of, extended
from mlops_audit.config.reader import PROFILES, Reader
from mlops_audit.config.settings import Config, ConfigError
from mlops_audit.config.words import near, score_of
from mlops_audit.facts import Site
from mlops_audit.parse.nodes import Node

__all__ = [
    "KEYS", "OWN_FILE", "PROFILES", "SHARED_FILE", "USER_KEYS", "Config", "ConfigError", "near", "of_preset",
    "of_profile", "of_repository", "of_user", "score_of",
]  # fmt: skip

OWN_FILE = ".mlops-audit.toml"
USER_FILE = "the user's own configuration"  # in reports, instead of a path with the user's name
KEYS = (
    "extends", "fail-below-maturity", "fail-below-score", "fail-on", "exclude", "disable", "profile", "weights",
    "baseline", "waivers", "waived", "waivers-need-approval",
)  # fmt: skip
USER_KEYS = (*KEYS, "rules")  # code of others is only taken from where the user alone can write
PROFILE_KEYS = ("title", "meaning", "fail-below-maturity", "fail-below-score", "fail-on", "disable", "weights",
                "waivers-need-approval")  # fmt: skip


def of_repository(read: Read) -> Config:
    """The configuration in the root of the audited repository: .mlops-audit.toml, else [tool.mlops-audit].

    `read` gives the bytes of a file inside the repository, None for one that is not there. What it extends are files
    of the repository too. Raises ConfigError.
    """
    data = read(OWN_FILE)
    if data is not None:
        return extended(Reader(OWN_FILE, KEYS), data, (), read, (OWN_FILE,))
    data = read(SHARED_FILE)
    if data is None or b"mlops-audit" not in data:
        return Config()
    return extended(Reader(SHARED_FILE, KEYS), data, SECTION, read, (SHARED_FILE,))


def of_user(path: Path) -> Config:
    """The user's own configuration; a file that is not there says nothing. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    reader = Reader(path.as_posix(), USER_KEYS, path.parent)
    return _named(extended(reader, data, (), None, (path.as_posix(),)), USER_FILE)


def of_preset(reference: str) -> Config:
    """What the user extends: a file, or `package:NAME/FILE.toml` of an installed package. Raises ConfigError."""
    reader = Reader("--extends", USER_KEYS, Path())
    below = below_of(reader, Node(reference, 1, quoted=True), None, ())
    if reader.faults:
        raise ConfigError(reader.faults)
    return _named(below, reference if reference.startswith(presets.PREFIX) else Path(reference).name)


def of_profile(name: str) -> Config:
    """The weights and thresholds of a profile that ships with the program; empty for one that has none."""
    path = catalogue.data_folder("rules") / "profiles" / f"{name}.yaml"
    if name not in PROFILES or not path.is_file():
        return Config()
    (node,) = parse.yaml(path.read_bytes())
    return replace(Reader(f"profile {name}", PROFILE_KEYS).config(node), source="")


def _named(config: Config, source: str) -> Config:
    """A configuration of the user's under a name that tells nobody where it lies on their disk."""
    waivers = tuple(waiver._replace(site=Site(source, waiver.site.line)) for waiver in config.waivers)
    return replace(config, source=source, waivers=waivers)
