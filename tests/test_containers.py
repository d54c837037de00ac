"""What Dockerfiles, compose files and serving configurations state."""

from __future__ import annotations

from contextlib import suppress
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.extract import compose, containers, serving
from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import ParseFailure


def dockerfile(text: str, path: str = "Dockerfile") -> list[Fact]:
    return list(containers.extract(path, dedent(text).encode()))


def of(facts: list[Fact], kind: Kind) -> list[Fact]:
    return [fact for fact in facts if fact.kind is kind]


def commands(facts: list[Fact], entry: bool = False) -> list[tuple[int, str, object]]:
    return [
        (fact.site.line, fact.name, fact.traits["directory"])
        for fact in of(facts, Kind.COMMAND)
        if ("entry" in fact.traits) == entry
    ]


@pytest.mark.parametrize(
    ("line", "name", "version", "tag"),
    [
        ("FROM python:3.11-slim", "python:3.11-slim", "tag", "3.11-slim"),
        ("FROM python", "python", "none", None),
        ("FROM python:latest", "python:latest", "latest", "latest"),
        ("FROM registry:5000/team/app", "registry:5000/team/app", "none", None),
        ("FROM python:3.11@sha256:ab12", "python:3.11@sha256:ab12", "digest", "3.11"),
        ("FROM ${BASE}", "${BASE}", "unknown", None),
        ("FROM python:${V}", "python:${V}", "unknown", "${V}"),
        (
            "ARG V=3.12\nFROM --platform=linux/amd64 python:${V}-slim AS x",
            "python:3.12-slim",
            "tag",
            "3.12-slim",
        ),
        ("ARG V\nFROM python:${V:-3.10}", "python:3.10", "tag", "3.10"),
        ("FROM scratch", "scratch", "scratch", None),
    ],
)
def test_a_base_image_says_how_its_version_is_given(
    line: str, name: str, version: str, tag: str | None
) -> None:
    (image,) = of(dockerfile(line), Kind.IMAGE)
    assert (image.name, image.traits["version"], image.traits.get("tag")) == (name, version, tag)


def test_only_the_ancestors_of_the_final_stage_are_bases() -> None:
    facts = dockerfile(
        """\
        FROM node:20 AS web
        COPY web .
        FROM python:3.11 AS base
        FROM base
        COPY --from=web /dist /srv
        """
    )
    images = {f.name: (f.site.line, f.traits["role"], f.traits.get("own")) for f in of(facts, Kind.IMAGE)}
    assert images == {"node:20": (1, "build", "yes"), "python:3.11": (3, "base", "yes")}


@pytest.mark.parametrize(
    ("copy", "own"),
    [
        ("COPY . .", True),
        ("ADD src /app", True),
        ('COPY ["main.py", "./"]', True),
        ("COPY requirements.txt .", False),
        ("COPY pyproject.toml poetry.lock ./", False),
        ("COPY nginx.conf /etc/nginx/", False),
        ("ADD https://example.org/model.bin /models/", False),
        ("COPY --from=ghcr.io/astral-sh/uv:0.4 /uv /bin/", False),
        ("COPY <<EOF /app/x.py\nprint(1)\nEOF", False),
        ("RUN pip install mlflow", False),
    ],
)
def test_an_image_is_own_when_code_of_the_project_is_copied_into_it(copy: str, own: bool) -> None:
    (image,) = of(dockerfile(f"FROM python:3.11\n{copy}\n"), Kind.IMAGE)
    assert ("own" in image.traits) is own


def test_commands_of_continued_lines_and_heredocs_stand_at_their_own_lines() -> None:
    facts = dockerfile(
        """\
        FROM python:3.11
        ENV VERSION=1.8
        RUN apt-get update && \\
            # a comment in the middle
            pip install "poetry==${VERSION}" \\
              --quiet
        RUN <<EOF
        set -e
        python prepare.py
        EOF
        RUN ["python", "-m", "train"]
        """
    )
    assert commands(facts) == [
        (3, "apt-get update", ""),
        (5, "pip install poetry==1.8 --quiet", ""),
        (9, "python prepare.py", ""),
        (11, "python -m train", ""),
    ]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ('CMD ["python", "app.py"]', [(3, "python app.py")]),
        ("CMD python app.py --port $PORT", [(3, "python app.py --port $PORT")]),
        ('ENTRYPOINT ["python"]\nCMD ["app.py"]', [(3, "python app.py")]),
        ('ENTRYPOINT ["python", "app.py"]\nCMD ["--port", "80"]', [(3, "python app.py --port 80")]),
        ("ENTRYPOINT python app.py\nCMD ignored", [(3, "python app.py")]),
        ('ENTRYPOINT ["./start.sh"]\nCMD ["python", "app.py"]', [(3, "./start.sh"), (4, "python app.py")]),
        ('CMD ["sh", "-c", "cd src && python app.py"]', [(3, "python app.py")]),
        ("CMD first\nCMD second", [(4, "second")]),
    ],
)
def test_entry_point_and_command_are_put_together_as_docker_does(
    start: str, expected: list[tuple[int, str]]
) -> None:
    facts = dockerfile(f"FROM python:3.11\nCOPY . .\n{start}\n")
    assert [(line, name) for line, name, _ in commands(facts, entry=True)] == expected


@pytest.mark.parametrize(
    ("path", "copy", "command", "expected"),
    [
        ("Dockerfile", "WORKDIR /app\nCOPY . .", "python src/train.py", ("python src/train.py", "")),
        ("Dockerfile", "WORKDIR /app\nCOPY src/ /app/", "python train.py", ("python train.py", "src")),
        ("Dockerfile", "COPY . /app\nWORKDIR /app/src", "python train.py", ("python train.py", "src")),
        ("Dockerfile", "COPY . /app", "python /app/src/train.py", ("python src/train.py", "")),
        ("Dockerfile", "COPY run/start.sh /start.sh", "/start.sh", ("run/start.sh", "")),
        ("serving/Dockerfile", "WORKDIR /app\nCOPY . .", "uvicorn main:app", ("uvicorn main:app", "serving")),
        (
            "serving/Dockerfile",
            "WORKDIR /app\nCOPY . .",
            "uvicorn serving.main:app",
            ("uvicorn serving.main:app", ""),
        ),
        (
            "serving/Dockerfile",
            "WORKDIR /app\nCOPY serving/ .",
            "uvicorn main:app",
            ("uvicorn main:app", "serving"),
        ),
        ("docker/Dockerfile", "WORKDIR /app\nCOPY . .", "uvicorn main:app", ("uvicorn main:app", "")),
    ],
)
def test_places_of_the_image_are_told_as_places_of_the_repository(
    path: str, copy: str, command: str, expected: tuple[str, str]
) -> None:
    facts = dockerfile(f"FROM python:3.11\n{copy}\nCMD {command}\n", path)
    assert [(name, directory) for _, name, directory in commands(facts, entry=True)] == [expected]


def test_instructions_have_their_text_flags_variables_and_copied_paths() -> None:
    facts = dockerfile(
        """\
        FROM python:3.11
        ENV A=1 B="two words"
        COPY --chown=app ./src requirements.txt /app/
        HEALTHCHECK --interval=5s CMD curl -f localhost
        USER app
        """
    )
    found = {f.name: f for f in of(facts, Kind.INSTRUCTION)}
    assert [(f.name, f.site.line) for f in found.values()] == [
        ("ENV", 2),
        ("COPY", 3),
        ("HEALTHCHECK", 4),
        ("USER", 5),
    ]
    assert (found["ENV"].traits["A="], found["ENV"].traits["B="]) == ("1", "two words")
    assert found["COPY"].traits["copies"] == ("src", "requirements.txt")
    assert found["COPY"].traits["chown="] == "app"
    assert found["HEALTHCHECK"].traits["value"] == "CMD curl -f localhost"


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("Dockerfile", True), ("docker/train.Dockerfile", True), ("Dockerfile.gpu", True), ("Containerfile", True),
        ("app.dockerfile", True), ("Dockerfile-dev", True), ("build_dockerfile.py", False), ("Dockerfile.dockerignore", False),
        ("Dockerfile.md", False),
    ],
)  # fmt: skip
def test_dockerfiles_are_known_by_their_names(path: str, read: bool) -> None:
    assert bool(dockerfile("FROM python:3.11\n", path)) is read


def test_a_dockerfile_without_a_base_is_told() -> None:
    with pytest.raises(ParseFailure, match="without FROM"):
        dockerfile("RUN echo\n")


def test_a_development_container_is_no_base() -> None:
    (image,) = containers.extract(
        ".devcontainer/devcontainer.json", b'{\n  // comment\n  "image": "python:3.11",\n}'
    )
    assert (image.name, image.traits["role"], image.site.line) == ("python:3.11", "development", 3)
    (base,) = of(dockerfile("FROM python:3.11\nCOPY . .", ".devcontainer/Dockerfile"), Kind.IMAGE)
    assert base.traits["role"] == "development"


COMPOSE = """\
services:
  api:
    build:
      context: ../serving
      dockerfile: Dockerfile.gpu
    restart: always
    command: ["uvicorn", "app:app"]
  store:
    image: redis:${REDIS_VERSION:-7.2}
    command: --save 60 1
  job:
    build: .
    working_dir: /srv/jobs
    volumes: ["../src:/srv"]
    entrypoint: sh -c "python clean.py && python score.py"
    deploy: {replicas: 0}
"""


def test_compose_services_have_images_builds_and_commands() -> None:
    facts = list(compose.extract("deploy/docker-compose.yml", COMPOSE.encode()))
    services = {f.traits["id"]: f for f in of(facts, Kind.RESOURCE)}
    assert [(f.traits["id"], f.site.line) for f in services.values()] == [
        ("api", 2),
        ("store", 8),
        ("job", 11),
    ]
    assert services["api"].traits["runs"] == ("serving/Dockerfile.gpu",)
    assert services["api"].traits["triggers"] == "continuous"
    assert services["job"].traits["runs"] == ("deploy/Dockerfile",)
    assert services["job"].traits["enabled"] == "no"
    assert "runs" not in services["store"].traits
    assert [(f.name, f.traits["version"], f.traits["role"], f.site.line) for f in of(facts, Kind.IMAGE)] == [
        ("redis:7.2", "tag", "service", 9)
    ]
    assert [
        (f.name, f.traits["directory"], f.traits["unit"], f.site.line) for f in of(facts, Kind.COMMAND)
    ] == [
        ("uvicorn app:app", "serving", "deploy/docker-compose.yml#api", 7),
        ("python clean.py", "src/jobs", "deploy/docker-compose.yml#job", 15),
        ("python score.py", "src/jobs", "deploy/docker-compose.yml#job", 15),
    ]


@pytest.mark.parametrize(
    ("path", "text", "system", "runs"),
    [
        ("bentofile.yaml", "service: 'src.service:svc'\ninclude: ['*.py']\n", "bentoml", ("src/service.py", "src.service:svc")),
        ("m/cog.yaml", "build:\n  gpu: true\npredict: predict.py:Predictor\n", "cog", ("m/predict.py", "predict.py:Predictor")),
        ("README.md", "---\ntitle: x\nsdk: gradio\n---\n# Hi\n", "huggingface", ("app.py",)),
        ("space/README.md", "---\nsdk: docker\n---\n", "huggingface", ("space/Dockerfile",)),
        ("space/README_HUB.md", "---\nsdk: static\n---\n", "huggingface", None),
        ("repo/m/config.pbtxt", 'platform: "onnxruntime_onnx"\ninput [\n{ name: "x" dims: [ 1, 2 ] }\n]\n', "triton", None),
        ("model-settings.json", '{"name": "m", "implementation": "serve.Model"}', "mlserver", ("serve.py", "serve")),
        ("ts/config.properties", "inference_address=http://0.0.0.0\nload_models=all\n", "torchserve", None),
        ("README.md", "---\ntitle: a post\n---\nsdk: gradio\n", None, None),
        ("config.properties", "colour=blue\n", None, None),
    ],
)  # fmt: skip
def test_serving_configurations_name_what_they_run(
    path: str, text: str, system: str | None, runs: tuple[str, ...] | None
) -> None:
    found = of(list(serving.extract(path, text.encode())), Kind.RESOURCE)
    assert [(f.traits["system"], f.traits.get("runs")) for f in found] == ([(system, runs)] if system else [])


def test_a_triton_model_has_its_scaling_settings() -> None:
    text = (
        'name: "m"\nmax_batch_size: 8\ninstance_group [ { count: 2 kind: KIND_GPU } ]\ndynamic_batching { }\n'
    )
    (service,) = serving.extract("config.pbtxt", text.encode())
    assert (service.traits["id"], service.traits["instance_group.count"]) == ("m", "2")
    assert service.traits["max_batch_size"] == "8"


def test_packagers_build_own_images_on_the_version_they_name() -> None:
    facts = list(serving.extract("cog.yaml", b'predict: "p.py:P"\nbuild:\n  python_version: "3.11"\n'))
    (image,) = of(facts, Kind.IMAGE)
    assert (image.name, image.traits["own"], image.traits["version"], image.site.line) == (
        "python:3.11",
        "yes",
        "tag",
        3,
    )


PATHS = st.sampled_from(
    ["Dockerfile", "docker-compose.yml", "config.pbtxt", "README.md", "bentofile.yaml", "project.toml"]
)
LINES = st.sampled_from(["FROM a AS b", "FROM b", "COPY . /x", "COPY --from=b /x /y", "RUN <<E", "E", "CMD [\"a\"]", "\\", "WORKDIR x",
                         "services:", "  a: {build: ., image: x}", "---", "sdk: docker", "a { b: 1", "}", "\x00", "ARG A=$A"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    PATHS,
    st.one_of(
        st.binary(max_size=200), st.lists(LINES, max_size=12).map(lambda rows: "\n".join(rows).encode())
    ),
)
def test_any_bytes_give_facts_or_one_clear_failure(path: str, data: bytes) -> None:
    for extractor in (containers, compose, serving):
        with suppress(ParseFailure):
            assert all(fact.site.path == path for fact in extractor.extract(path, data))
