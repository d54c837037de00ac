"""What a configuration extends: files of the repository for a repository, any file or preset for its user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from mlops_audit.config import presets
from mlops_audit.config.reader import Reader
from mlops_audit.config.settings import Config, ConfigError
from mlops_audit.parse.nodes import Node

SHARED_FILE = "pyproject.toml"
SECTION = ("tool", "mlops-audit")
DEEPEST = 8  # configurations that extend each other

Read = Callable[[str], bytes | None]


def extended(
    reader: Reader, data: bytes, section: tuple[str, ...], read: Read | None, trail: tuple[str, ...]
) -> Config:
    """A configuration on top of those that it extends. `read` is given where only files of a repository may be."""
    node = reader.table(data, section)
    if node is None:
        return Config()
    extends = node.get("extends")
    below = Config()
    for item in (extends.value if isinstance(extends.value, list) else [extends]) if extends else ():
        below = below_of(reader, item, read, trail).over(below)
    return reader.config(node).over(below)


def below_of(reader: Reader, item: Node, read: Read | None, trail: tuple[str, ...]) -> Config:
    """The configuration that an entry of `extends` names; an empty one, and a fault, where there is none."""
    what = item.text if isinstance(item.value, str) else ""
    if not item.quoted or not what:
        reader.fault(item.line, "'extends' is a path, or a list of paths")
    elif len(trail) > DEEPEST:
        reader.fault(item.line, f"more than {DEEPEST} configurations extend each other")
    else:
        try:
            name, data, folder = _anywhere(reader, what) if read is None else _inside(reader, what, read)
            if name in trail:
                raise ValueError(f"'extends' goes round in a circle: {' -> '.join((*trail, name))}")
        except OSError as error:
            reader.fault(item.line, f"{what!r} cannot be extended: {error.strerror}")
        except ValueError as error:
            if isinstance(error, ConfigError):
                raise
            reader.fault(item.line, str(error))
        else:
            section = SECTION if PurePosixPath(name).name == SHARED_FILE else ()
            return extended(Reader(name, reader.keys, folder), data, section, read, (*trail, name))
    return Config()


def _inside(reader: Reader, what: str, read: Read) -> tuple[str, bytes, None]:
    """What a repository extends: a file of itself, never a package nor a place outside."""
    if what.startswith(presets.PREFIX):
        raise ValueError(
            "'extends' of a repository names files of the repository only; a package is only taken from your own "
            "configuration or --extends"
        )
    parts: list[str] = []
    for part in (PurePosixPath(reader.file).parent / what).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    name = "/".join(parts)
    if what.startswith(("/", "~")) or ".." in parts or "\\" in what or ":" in what or not name:
        raise ValueError(f"'extends' names files inside the repository, not {what!r}")
    data = read(name)
    if data is None:
        raise ValueError(f"there is no file {name!r} to extend")
    return name, data, None


def _anywhere(reader: Reader, what: str) -> tuple[str, bytes, Path]:
    """What the user extends: any file, or a preset of an installed package."""
    if what.startswith(presets.PREFIX):
        folder, inside = presets.place_of(what)
        path = folder / inside
    else:
        path = (reader.folder or Path()) / Path(what).expanduser()
    return path.as_posix(), path.read_bytes(), path.parent
