"""Hostile repositories, built when tests run: pipes, links and tricks with `.git` cannot be committed.

Each case is a function that fills an empty folder; `CASES` names them all. What a case would run or leak carries MARKER
or SECRET, and a pipe that anybody opened would never be closed.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import monsters

SECRET = "hostile-canary-7c1f"  # stands in files outside of the repository: no report may show it
TOKENS = (
    "AKIAIOSFODNN7EXAMPLE", "hf_abcdefghijklmnopqrstuvwxyzABCD", "0123456789abcdef0123456789abcdef01234567",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "tr0ub4dor-and-3", "dapi0123456789abcdef0123456789abcdef",
)  # fmt: skip
CONTROL = "\x1b[31m\x07\x9b\u202e\U000e0041\u2028"

TRAIN = """\
import mlflow
from sklearn.linear_model import LogisticRegression

model = LogisticRegression()
model.fit(x, y)
mlflow.sklearn.log_model(model, "model")
"""


@dataclass(frozen=True)
class Case:
    """A hostile repository: how it is built, arguments beside the path, and what the outcome must be.

    `skipped` is a text that the reason of some problem must hold; `refused` one of the single line with which the whole
    repository is refused (exit 2); `nothing` says that exit 3 is right. `strict` runs it again with --strict: exit 4.
    """

    name: str
    build: Callable[[Path], None]
    arguments: Sequence[str] = ()
    skipped: str = ""
    refused: str = ""
    strict: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def write(root: Path, path: str, text: str | bytes) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))


def git(folder: Path, *words: str, given: bytes | None = None) -> str:
    settings = [
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.invalid",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "core.fsmonitor=false",
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    run = subprocess.run(
        ["git", *settings, *words], cwd=folder, check=True, capture_output=True, env=clean, input=given
    )
    return run.stdout.decode().strip()


def project(root: Path, **files: str) -> None:
    """A small project that trains, in a plain folder."""
    write(root, "src/train.py", TRAIN)
    write(root, "requirements.txt", "mlflow==2.14.1\nscikit-learn==1.5.0\n")
    for path, text in files.items():
        write(root, path, text)


def committed(root: Path) -> None:
    """The same as a git repository with one commit."""
    if not (root / "src").exists():
        project(root)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")


def evil(root: Path) -> Path:
    """A program that leaves a marker beside the repository when anybody runs it."""
    program = root.parent / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch '{root.parent}/MARKER'\ncat\n")
    program.chmod(0o755)
    return program


def outside(root: Path) -> Path:
    """A file outside of the repository that nobody may read."""
    place = root.parent / "secret.py"
    place.write_text(f"import mlflow\nmlflow.log_param('{SECRET}', 1)\n")
    return place


# -------------------------------------------------------------------------------------------------- git


def configured(text: str, attributes: str = "") -> Callable[[Path], None]:
    def build(root: Path) -> None:
        committed(root)
        if attributes:
            write(root, ".gitattributes", attributes)
            git(root, "add", "-A")
            git(root, "commit", "-qm", "attributes")
        with (root / ".git/config").open("a") as config:
            config.write(text.replace("EVIL", str(evil(root))))

    return build


def hooks(root: Path) -> None:
    committed(root)
    for name in (
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "fsmonitor-watchman",
        "reference-transaction",
    ):
        write(root, f".git/hooks/{name}", f"#!/bin/sh\ntouch '{root.parent}/MARKER'\n")
        (root / f".git/hooks/{name}").chmod(0o755)


def gitfile_elsewhere(root: Path) -> None:
    other = root.parent / "other"
    other.mkdir()
    write(other, "secret.py", f"import mlflow\nmlflow.log_param('{SECRET}', 1)\n")
    committed(other)
    project(root)
    write(root, ".git", f"gitdir: {other}/.git\n")


def linked_git_folder(root: Path) -> None:
    gitfile_elsewhere(root)
    (root / ".git").unlink()
    (root / ".git").symlink_to(root.parent / "other/.git")


def worktree_elsewhere(root: Path) -> None:
    committed(root)
    git(root, "config", "core.worktree", "/etc")


def fifo_in_git(name: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        committed(root)
        place = root / ".git" / name
        if place.exists():
            place.unlink()
        place.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(place)

    return build


def fifo_object(root: Path) -> None:
    committed(root)
    sha = git(root, "rev-parse", "HEAD:src/train.py")
    place = root / f".git/objects/{sha[:2]}/{sha[2:]}"
    place.unlink()
    os.mkfifo(place)


def borrowed_objects(root: Path) -> None:
    other = root.parent / "other"
    other.mkdir()
    write(other, "train.py", TRAIN + f"mlflow.log_param('{SECRET}', 1)\n")
    committed(other)
    committed(root)
    write(root, ".git/objects/info/alternates", f"{other}/.git/objects\n")
    write(root, ".git/refs/heads/main", git(other, "rev-parse", "HEAD") + "\n")


def absent_object(root: Path) -> None:
    project(root)
    write(root, "src/serve.py", "from fastapi import FastAPI\napp = FastAPI()\n")
    committed(root)
    sha = git(root, "rev-parse", "HEAD:src/serve.py")
    (root / f".git/objects/{sha[:2]}/{sha[2:]}").unlink()
    with (root / ".git/config").open("a") as config:
        config.write(
            f'[extensions]\n\tpartialClone = evil\n[remote "evil"]\n\turl = ext::{evil(root)} %S\n\tpromisor = true\n'
        )


def shallow(root: Path) -> None:
    source = root.parent / "source"
    source.mkdir()
    committed(source)
    write(source, "more.py", "import torch\n")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "second")
    root.rmdir()
    git(root.parent, "clone", "-q", "--depth", "1", f"file://{source}", root.name)


def sha256(root: Path) -> None:
    project(root)
    git(root, "init", "-q", "--object-format=sha256")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")


def split_index(root: Path) -> None:
    committed(root)
    git(root, "update-index", "--split-index")
    write(root, "serve.py", "from fastapi import FastAPI\napp = FastAPI()\n")
    git(root, "add", "-A")


def sparse_index(root: Path) -> None:
    for name in ("a/x.py", "b/y.py", "b/c/z.py"):
        write(root, name, "import torch\n")
    committed(root)
    git(root, "sparse-checkout", "init", "--cone", "--sparse-index")
    git(root, "sparse-checkout", "set", "src", "a")


def submodule(root: Path) -> None:
    inner = root.parent / "inner"
    inner.mkdir()
    committed(inner)
    committed(root)
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", f"file://{inner}", "vendored")
    git(root, "commit", "-qm", "submodule")


def linked_worktree(root: Path) -> None:
    source = root.parent / "source"
    source.mkdir()
    committed(source)
    root.rmdir()
    git(source, "worktree", "add", "-q", str(root), "-b", "branch")


def loose(root: Path, kind: str, data: bytes) -> str:
    """The id of an object written by hand: git would refuse to make it."""
    whole = f"{kind} {len(data)}".encode() + b"\0" + data
    sha = hashlib.sha1(whole).hexdigest()
    write(root, f".git/objects/{sha[:2]}/{sha[2:]}", zlib.compress(whole))
    return sha


def commit_of(root: Path, tree: str) -> None:
    sha = loose(
        root, "commit", f"tree {tree}\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nx\n".encode()
    )
    write(root, ".git/refs/heads/main", f"{sha}\n")


def tree_of(root: Path, rows: Sequence[tuple[str, str, str]]) -> str:
    return loose(
        root,
        "tree",
        b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha) for mode, name, sha in rows),
    )


def git_bomb(root: Path) -> None:
    committed(root)
    below = loose(root, "blob", TRAIN.encode())
    mode = "100644"
    for level in range(10):
        suffix = "" if level else ".py"
        below = tree_of(root, [(mode, f"d{n}{suffix}", below) for n in range(10)])
        mode = "40000"
    commit_of(root, below)


def deep_trees(root: Path) -> None:
    committed(root)
    below, mode = loose(root, "blob", TRAIN.encode()), "100644"
    for _ in range(3_000):
        below = tree_of(root, [(mode, "d" * 200, below)])
        mode = "40000"
    commit_of(
        root,
        tree_of(root, [("100644", "train.py", loose(root, "blob", TRAIN.encode())), ("40000", "z", below)]),
    )


def bad_names_in_a_tree(root: Path) -> None:
    committed(root)
    code = loose(root, "blob", TRAIN.encode())
    rows = [
        ("100644", name, code) for name in ("..", ".", ".git", "a/../../b.py", "train.py", f"x{CONTROL}.py")
    ]
    commit_of(root, tree_of(root, rows))


def damaged_objects(root: Path) -> None:
    committed(root)
    commit_of(root, loose(root, "tree", b"100644 a.py\0short"))


def inflating_blob(root: Path) -> None:
    committed(root)
    blob = loose(root, "blob", b"x = 1\n" * 20_000_000)
    commit_of(
        root,
        tree_of(
            root, [("100644", "big.py", blob), ("100644", "train.py", loose(root, "blob", TRAIN.encode()))]
        ),
    )


def index_of(paths: Sequence[bytes], mode: int = 0o100644) -> bytes:
    data = b"DIRC" + struct.pack(">II", 2, len(paths))
    for path in paths:
        entry = (
            struct.pack(">10I", 0, 0, 0, 0, 0, 0, mode, 0, 0, 0)
            + bytes(20)
            + struct.pack(">H", min(len(path), 0xFFF))
            + path
        )
        data += entry + bytes(8 - len(entry) % 8)
    return data + hashlib.sha1(data).digest()


def index_with_ways_out(root: Path) -> None:
    committed(root)
    outside(root)
    write(
        root,
        ".git/index",
        index_of(
            [b"../secret.py", b"/etc/passwd", b"src/../../secret.py", b"", b".git/config", b"src/train.py"]
        ),
    )


def damaged_index(root: Path) -> None:
    committed(root)
    write(root, ".git/index", b"DIRC\0\0\0\2\0\0\xff\xffshort")


def packed_refs_loop(root: Path) -> None:
    committed(root)
    write(root, ".git/refs/heads/main", "ref: refs/heads/main\n")


def strange_refs(root: Path) -> None:
    committed(root)
    head = git(root, "rev-parse", "HEAD")
    write(
        root,
        ".git/packed-refs",
        "".join(f"{head} refs/heads/{n}\n" for n in ("--upload-pack=x", "../../x", f"a{CONTROL}", "-x")),
    )


# -------------------------------------------------------------------------------------------------- files


def special(make: Callable[[Path], None], track: bool = True) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        project(root)
        if track:
            write(root, "src/pipe.py", "x")
            committed(root)
            (root / "src/pipe.py").unlink()
        make(root / "src/pipe.py")

    return build


def a_socket(place: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(here)


def link_out(root: Path) -> None:
    project(root)
    outside(root)
    (root / "passwd.py").symlink_to("/etc/passwd")
    (root / "README.md").symlink_to("../secret.py")
    (root / "zero.py").symlink_to("/dev/zero")
    (root / "nothing.py").symlink_to("nowhere")
    committed(root)


def linked_folder(root: Path) -> None:
    write(root, "lib/secret.py", "x = 1\n")
    committed(root)
    outside(root)
    (root / "lib/secret.py").unlink()
    (root / "lib").rmdir()
    (root / "lib").symlink_to("..")


def swapped_for_a_link(root: Path) -> None:
    committed(root)
    (root / "src/train.py").unlink()
    (root / "src/train.py").symlink_to(outside(root))
    write(root, "train.py", TRAIN)
    git(root, "add", "train.py")


def link_loops(root: Path) -> None:
    project(root)
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    (root / "src/here").symlink_to(".")


def sparse_giant(root: Path) -> None:
    project(root)
    with (root / "src/model.py").open("wb") as stream:
        stream.truncate(200_000_000_000)


def nested_folders(root: Path) -> None:
    project(root)
    here = os.getcwd()
    os.chdir(root)
    try:
        for _ in range(3_000):
            os.mkdir("d")
            os.chdir("d")
        Path("train.py").write_text("x = 1\n")
    finally:
        os.chdir(here)


def odd_names(root: Path) -> None:
    project(root)
    for name in (
        b"bad\xff\xfe.py", b"new\nline.py", b"::error::x.py", b"esc\x1b[31m.py", "c1\x9b\u202e\U000e0041.py".encode(), b"-rf.py",
        b"{{7*7}}.py", b"{0}[x](http:||e).py", b"a|b<img src=x onerror=alert(1)>.py", b"`x`.md", b"%41%.py", b"$(touch MARKER).py",
        "caf\u00e9.py".encode(), "cafe\u0301.py".encode(), b"con", b" lead.py", b"trail.py ", b"a" * 250 + b".py", b"=cmd|' calc'!A0.csv",
        b"\xef\xbb\xbf.py", b"requirements\x07.txt",
    ):  # fmt: skip
        with open(os.fsencode(root) + b"/src/" + name, "wb") as stream:
            stream.write(TRAIN.encode())


def odd_names_committed(root: Path) -> None:
    odd_names(root)
    committed(root)


def folder_for_a_file(root: Path) -> None:
    write(root, "src/model.py", "x = 1\n")
    committed(root)
    (root / "src/model.py").unlink()
    (root / "src/model.py").mkdir()


def fifo_gitignore(root: Path) -> None:
    project(root)
    os.mkfifo(root / ".gitignore")
    os.mkfifo(root / "src/.gitattributes")


def unreadable(root: Path) -> None:
    project(root)
    write(root, "src/locked.py", TRAIN)
    (root / "src/locked.py").chmod(0)


def many_files(root: Path) -> None:
    project(root)
    for folder in range(5):
        (root / f"d{folder}").mkdir()
        for number in range(1_000):
            (root / f"d{folder}/f{number}.cfg").touch()


def glob_bomb(root: Path) -> None:
    project(root)
    write(root, ".gitignore", "*a*a*a*a*a*a*a*a*a*a*a*a*b\n" + "**/a/**/a/**/a/**/b\n" * 20)
    write(root, "a" * 200, "x")


def project_in_a_bare_repository(root: Path) -> None:
    source = root.parent / "source"
    source.mkdir()
    committed(source)
    root.rmdir()
    git(root.parent, "clone", "-q", "--bare", f"file://{source}", root.name)
    with (root / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {evil(root)}\n")


# -------------------------------------------------------------------------------------------------- texts


def texts(
    group: dict[str, Callable[[], bytes]], paths: Sequence[str], names: Sequence[str] = ()
) -> Callable[[Path], None]:
    """A project with every text of a group (or some of them), each in a folder of its own."""

    def build(root: Path) -> None:
        project(root)
        for number, (name, made) in enumerate(group.items()):
            if not names or name in names:
                data = made()
                for path in paths:
                    write(root, f"z{number}/{path}", data)

    return build


def one_text(path: str, data: Callable[[], bytes]) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        project(root)
        write(root, path, data())

    return build


def notebooks(root: Path) -> None:
    odd_notebooks(root)
    for number, (name, made) in enumerate(monsters.PYTHON.items()):
        if not name.startswith(("dense", "nested", "many", "rebound", "long", "one")):
            write(root, f"n/{number}.ipynb", monsters.notebook([monsters.cell(made().decode("latin-1"))]))
    write(root, "n/big.ipynb", b" " * 11_000_000)


def odd_notebooks(root: Path) -> None:
    project(root)
    for name in (
        "control characters",
        "lone surrogate",
        "Python 2",
        "merge marks",
        "NUL bytes",
        "minus signs",
    ):
        text = monsters.PYTHON[name]()[:5_000].decode("latin-1")
        write(root, f"n/{name}.ipynb", monsters.notebook([monsters.cell(text)]))
    odd = [monsters.cell(s) for s in (None, 1, [], [1, None, "x"], {}, [["a"]], True)]
    write(root, "n/odd.ipynb", monsters.notebook(odd))
    write(root, "n/dict.ipynb", b'{"cells": {"a": 1}, "metadata": []}')
    write(root, "n/deep.ipynb", b'{"cells": [' * 5_000)


def binaries(root: Path) -> None:
    project(root)
    write(root, "model.pkl", b"cos\nsystem\n(S'touch MARKER'\ntR.")
    write(root, "model.pt", b"PK\x03\x04" + bytes(1_000))
    write(root, "model.safetensors", struct.pack("<Q", 2**62) + b"{}")
    write(
        root,
        "weights.py",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 1\n",
    )
    for name in (
        "a.py",
        "b.yaml",
        "c.json",
        "d.toml",
        "Dockerfile",
        "Makefile",
        "run.sh",
        "e.tf",
        "f.md",
        "g.ipynb",
        "h.r",
        "requirements.txt",
    ):
        write(root, f"binary/{name}", bytes(range(256)) * 40)


def pumps(paths: Sequence[str]) -> Callable[[Path], None]:
    """Every pump at some paths, ten kilobytes each."""

    def build(root: Path) -> None:
        project(root)
        for number, pump in enumerate(monsters.PUMPS):
            for path in paths:
                write(root, f"z{number}/{path}", monsters.filled(pump, 3_000) + b"\x01)}]!")

    return build


# -------------------------------------------------------------------------------------------------- reports


def text_that_attacks_readers(root: Path) -> None:
    attack = f"a|b`c`<img src=x>{CONTROL}@team #12 [x](http://e.org) </details>\n::error::{{0}}"
    project(root)
    write(
        root,
        "src/metrics.py",
        f"import mlflow\nmlflow.log_metric({attack!r}, 1)\nmlflow.log_param('<script>alert(1)</script>', {attack!r})\n",
    )
    write(
        root,
        "Makefile",
        f"train: # {CONTROL}\n\tpython src/train.py '{CONTROL}' && echo '::error::x' | tee <b>x</b>\n",
    )
    write(
        root,
        ".github/workflows/ci.yml",
        f"on: push\njobs:\n  t:\n    steps:\n      - run: 'python src/train.py \u202e::set-output name=x::y </details>'\n      - name: \"{CONTROL.encode('unicode_escape').decode()}\"\n        run: make train\n",
    )
    write(root, "README.md", f"# {attack}\n\nWe monitor drift {CONTROL} and alert <script>x</script>.\n")
    write(
        root,
        ".mlops-audit.toml",
        "exclude = ['<b>x</b>', '|`x`\\u202e']\n[disable]\n'data/versioning' = 'no <img src=x> need | `x` ::error::'\n",
    )


def secrets(root: Path) -> None:
    cloud, hub, wandb, token, password, databricks = TOKENS
    project(root)
    write(root, "src/log.py", (
        f"import mlflow, wandb, os\nwandb.login(key='{wandb}'); os.environ['WANDB_API_KEY'] = '{wandb}'\n"
        f"mlflow.set_tracking_uri('https://me:{password}@mlflow.example')\nmlflow.log_param('token', '{token}')\n"
        f"from huggingface_hub import login\nlogin(token='{hub}')\nmodel.push_to_hub('x', token='{hub}')\n"
        f"mlflow.log_metric('{databricks}', 1); aws_access_key_id = '{cloud}'\n"
    ))  # fmt: skip
    write(root, "run.sh", (
        f"wandb login {wandb}\nhuggingface-cli login --token {hub}\nexport AWS_ACCESS_KEY_ID={cloud} && python src/train.py --password {password}\n"
        f"curl -H 'Authorization: Bearer {token}' https://me:{password}@x.example\nmlflow run . -P token={databricks}\n"
    ))  # fmt: skip
    write(
        root,
        ".github/workflows/ci.yml",
        f"on: push\njobs:\n  t:\n    env:\n      DATABRICKS_TOKEN: {databricks}\n    steps:\n      - run: AWS={cloud} python src/train.py --token {hub}\n      - run: bash run.sh\n",
    )
    write(
        root,
        "params.yaml",
        f"password: {password}\nmlflow:\n  tracking_uri: https://me:{password}@mlflow.example\nwandb_key: {wandb}\n",
    )
    write(root, ".env", f"MLFLOW_TRACKING_PASSWORD={password}\nHF_TOKEN={hub}\n")


def modules_that_shadow(root: Path) -> None:
    project(root)
    code = f"open(r'{root.parent}/MARKER', 'w').close()\n"
    for name in (
        "tomli",
        "click",
        "yaml",
        "git",
        "rich",
        "jinja2",
        "sitecustomize",
        "usercustomize",
        "typing",
        "json",
        "tree_sitter",
    ):
        write(root, f"{name}.py", code)
    write(root, "ruamel/__init__.py", code)
    write(root, "ruamel/yaml/__init__.py", code)
    write(root, "setup.py", f"import mlflow\n{code}")
    write(root, "conftest.py", code)


def configuration(text: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        project(root)
        write(root, ".mlops-audit.toml", text)

    return build


def fifo_configuration(root: Path) -> None:
    project(root)
    os.mkfifo(root / ".mlops-audit.toml")


def rules_in_the_repository(root: Path) -> None:
    project(root)
    write(root, "rules/data/versioning.yaml", "why: x\n")
    write(root, "reports/report.md.j2", "{{ cycler.__init__.__globals__.os.popen('touch MARKER') }}")
    write(root, "pyproject.toml", "[tool.mlops-audit]\nrules = ['rules']\n")


def lowered_gate(root: Path) -> None:
    project(root)
    write(root, ".mlops-audit.toml", "fail-below-maturity = 4\n")
    committed(root)
    write(root, ".mlops-audit.toml", "fail-below-maturity = 0\n")
    git(root, "commit", "-qam", "lowered")


def too_large_to_read(root: Path) -> None:
    project(root)
    write(root, "src/serve.py", b"x = 1\n" * 400_000)


FSMONITOR = "[core]\n\tfsmonitor = EVIL\n\thooksPath = /tmp\n\tpager = EVIL\n\tsshCommand = EVIL\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = EVIL\n"
FILTERS = '[filter "x"]\n\tclean = EVIL\n\tsmudge = EVIL\n\tprocess = EVIL\n\trequired = true\n[diff "x"]\n\ttextconv = EVIL\n\tcommand = EVIL\n[diff]\n\texternal = EVIL\n'
INCLUDED = "[include]\n\tpath = /etc/passwd\n[core]\n\talternateRefsCommand = EVIL\n\taskPass = EVIL\n[credential]\n\thelper = EVIL\n[alias]\n\trev-parse = !EVIL\n"
AT_HEAD = ("--rev", "HEAD")
PYTHON_SLOW = tuple(
    name for name in monsters.PYTHON if name.startswith(("dense", "nested", "many", "rebound", "long", "one"))
)

CASES: tuple[Case, ...] = (
    Case("a file system monitor and a pager that are programs of the repository", configured(FSMONITOR)),
    Case("the same, at a revision", configured(FSMONITOR), AT_HEAD),
    Case("filters and external diffs", configured(FILTERS, "* filter=x diff=x\n")),
    Case("the same filters, at a revision", configured(FILTERS, "* filter=x diff=x\n"), AT_HEAD),
    Case("included configuration, aliases, credential helpers", configured(INCLUDED), AT_HEAD),
    Case("hooks", hooks),
    Case("hooks, at a revision", hooks, AT_HEAD),
    Case("a .git file that points to another repository", gitfile_elsewhere, refused="does not know this folder"),
    Case("a .git folder that is a link", linked_git_folder, refused="neither a folder nor a file"),
    Case("core.worktree that points elsewhere", worktree_elsewhere, refused="core.worktree"),
    Case("a pipe as HEAD", fifo_in_git("HEAD"), refused=".git/HEAD is no regular file"),
    Case("a pipe as index", fifo_in_git("index"), refused=".git/index is no regular file"),
    Case("a pipe as config", fifo_in_git("config"), refused=".git/config is no regular file"),
    Case("a pipe as packed-refs", fifo_in_git("packed-refs"), refused="no regular file"),
    Case("a pipe among the refs", fifo_in_git("refs/heads/other"), AT_HEAD),
    Case("a pipe as object", fifo_object),
    Case("a pipe as object, at a revision", fifo_object, AT_HEAD, refused="no regular file"),
    Case("objects borrowed from another repository", borrowed_objects, AT_HEAD, refused="borrowed"),
    Case("an absent object and a promisor remote that is a program", absent_object, AT_HEAD, skipped="absent from this clone", strict=True),
    Case("a shallow clone", shallow),
    Case("a shallow clone, beyond its history", shallow, ("--rev", "HEAD~1"), refused="shallow"),
    Case("object ids of SHA-256", sha256),
    Case("object ids of SHA-256, at a revision", sha256, AT_HEAD, refused="SHA-256"),
    Case("a split index", split_index),
    Case("a sparse index", sparse_index, skipped="sparse checkout", strict=True),
    Case("a submodule", submodule, skipped="submodule"),
    Case("a linked worktree", linked_worktree),
    Case("a linked worktree, at a revision", linked_worktree, AT_HEAD),
    Case("a bare repository", project_in_a_bare_repository),
    Case("a git bomb", git_bomb, AT_HEAD, skipped="what lies beyond"),
    Case("trees 3,000 deep", deep_trees, AT_HEAD, skipped="what lies beyond", strict=True),
    Case("names in a tree that lead out", bad_names_in_a_tree, AT_HEAD),
    Case("a damaged tree", damaged_objects, AT_HEAD, refused="damaged"),
    Case("a blob that inflates", inflating_blob, AT_HEAD, skipped="larger than"),
    Case("an index whose paths lead out", index_with_ways_out, skipped="leads outside"),
    Case("a damaged index", damaged_index, refused="damaged"),
    Case("a ref that names itself", packed_refs_loop, AT_HEAD, refused="no such revision"),
    Case("refs with hostile names", strange_refs, AT_HEAD),
    Case("variables of a calling hook", committed, AT_HEAD, environment={"GIT_DIR": "/nonexistent", "GIT_INDEX_FILE": "/etc/passwd", "GIT_EXTERNAL_DIFF": "/bin/false"}),
    Case("a pipe in the place of a file", special(os.mkfifo), skipped="not a regular file", strict=True),
    Case("a pipe in a plain folder", special(os.mkfifo, track=False), skipped="not a regular file", strict=True),
    Case("a socket in the place of a file", special(a_socket), skipped="skipped"),
    Case("links out of the repository", link_out, skipped="leads outside"),
    Case("a folder swapped for a link", linked_folder, skipped="symbolic link"),
    Case("a file swapped for a link", swapped_for_a_link, skipped="symbolic link"),
    Case("links in circles", link_loops),
    Case("a sparse giant", sparse_giant, skipped="larger than", strict=True),
    Case("3,000 nested folders", nested_folders, skipped="what lies beyond"),
    Case("names of every odd kind", odd_names),
    Case("names of every odd kind, committed", odd_names_committed, AT_HEAD),
    Case("a folder in the place of a file", folder_for_a_file, skipped="skipped"),
    Case("a pipe as .gitignore", fifo_gitignore),
    Case("a file that may not be read", unreadable),
    Case("5,000 files", many_files),
    Case("patterns of .gitignore that explode", glob_bomb),
    Case("Python that breaks parsers", texts(monsters.PYTHON, ("a.py",), tuple(n for n in monsters.PYTHON if n not in PYTHON_SLOW))),
    # The heavy ones stand one after the other: dealt out, each repository holds half of the ten seconds with room to spare.
    Case("Python that swells", texts(monsters.PYTHON, ("a.py",), PYTHON_SLOW[0::3]), skipped="words of code"),
    Case("Python that swells in other ways", texts(monsters.PYTHON, ("a.py",), PYTHON_SLOW[1::3]), skipped="words of code"),
    Case("Python that swells in the last ways", texts(monsters.PYTHON, ("a.py",), PYTHON_SLOW[2::3]), skipped="words of code"),
    Case("the merge bomb of YAML", one_text("params.yaml", monsters.YAML["merge bomb"]), skipped="nodes"),
    Case("a billion laughs", one_text("dvc.yaml", monsters.YAML["billion laughs"]), skipped="nodes"),
    Case("YAML 100,000 deep", texts(monsters.YAML, ("a.yaml", ".gitlab-ci.yml"), ("deep flow", "deep maps", "deep block", "deep indents")), skipped="too deeply"),
    Case("odd YAML", texts(monsters.YAML, ("params.yaml", ".github/workflows/a.yml"), ("self reference", "self merge", "odd scalars", "unknown tags", "escapes", "NUL", "UTF-16", "Helm", "open Helm"))),
    # More than any time limit allows: the files that come last are not read.
    Case("YAML that takes long", texts(monsters.YAML, ("a.yaml", "b.yaml", "c.yaml"), ("many documents", "many workloads", "flat list", "workflow of many jobs")), ("--time-limit", "3"), skipped="skipped", strict=True),
    Case("YAML that takes a while", texts(monsters.YAML, ("a.yaml",), ("flat list", "workflow of many jobs", "long block scalar"))),
    Case("JSON that is deep", texts(monsters.JSON, ("a.json", "package.json"), ("deep", "deep and closed", "deep objects", "5000 digits", "lone surrogate", "a byte order mark", "infinity")), skipped="too deeply"),
    Case("JSON that is broken all over", texts(monsters.JSON, ("a.json", "package.json"), ("broken", "commas"))),
    Case("JSON that takes long", texts(monsters.JSON, ("a.json",), ("flat object", "many lines", "templates")), ("--time-limit", "4"), skipped="skipped"),
    Case("JSON of one long dashboard", texts(monsters.JSON, ("a.json",), ("dashboard",)), skipped="nodes"),
    Case("TOML that breaks parsers", texts(monsters.TOML, ("pyproject.toml", "uv.lock"), ("dotted key", "deep array", "deep tables", "5000 digits", "dates", "escapes", "inline tables", "markers")), ("--time-limit", "4")),
    Case("TOML that takes long", texts(monsters.TOML, ("pyproject.toml",), ("many tables", "arrays of tables", "dependencies", "flat")), ("--time-limit", "3"), skipped="skipped"),
    Case("hostile notebooks", notebooks, skipped="larger than"),
    Case("binaries and models", binaries),
    Case("pumps for scripts", pumps(("run.sh", "Makefile"))),
    Case("pumps for other scripts", pumps(("Dockerfile", "run.ps1"))),
    Case("pumps for documents", pumps(("README.md", "a.rst", "a.adoc"))),
    Case("pumps for infrastructure", pumps(("main.tf",))),
    Case("pumps for other infrastructure", pumps(("a.bicep",))),
    Case("pumps for a server of builds and one of models", pumps(("Jenkinsfile", "config.pbtxt"))),
    Case("text that attacks whoever reads the report", text_that_attacks_readers),
    Case("secrets in the evidence", secrets),
    Case("modules that shadow those of the program", modules_that_shadow),
    Case("rules and templates in the repository", rules_in_the_repository, refused="'rules' is not taken"),
    Case("rules and templates, isolated", rules_in_the_repository, ("--isolated",)),
    Case("a pipe as configuration", fifo_configuration, refused="cannot be read"),
    Case("a pipe as configuration, isolated", fifo_configuration, ("--isolated",)),
    Case("configuration that is a bomb", configuration("a" + ".a" * 20_000 + " = 1\n"), refused=".mlops-audit.toml"),
    Case("a gate that the last commit lowered", lowered_gate, ("--config-from", "HEAD~1")),
    Case("code too large to read", too_large_to_read, skipped="larger than", strict=True),
)  # fmt: skip


def run(case: Case, root: Path, *arguments: str, seconds: int = 20) -> tuple[int, bytes, bytes]:
    """The program on a case in a process of its own, with a gigabyte of memory and so many seconds of computing (the
    slowest case takes 9 on a slow machine), started inside the hostile folder as `python -m mlops_audit`. How long it
    waits for a busy machine is no matter; five minutes are for what would wait for ever."""
    command = [sys.executable, "-m", "mlops_audit", "audit", ".", *case.arguments, *arguments]
    environment = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "LANG", "TMPDIR")}
    environment |= {
        "HOME": str(root.parent),
        "XDG_CONFIG_HOME": str(root.parent / "none"),
        **case.environment,
    }
    limits = f"import resource, os, sys; resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30)); resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds})); os.execv(sys.argv[1], sys.argv[1:])"
    started = [sys.executable, "-I", "-c", limits, *command]
    ended = subprocess.run(started, cwd=root, env=environment, capture_output=True, timeout=300, check=False)
    return ended.returncode, ended.stdout, ended.stderr
