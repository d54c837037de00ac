"""CI systems: their commands, jobs, actions and images, with what starts them and where they are dead."""

from __future__ import annotations

import time
from textwrap import dedent

import pytest

from mlops_audit.extract import extract
from mlops_audit.facts import Fact, Kind, values
from mlops_audit.tree import Tree


def facts(path: str, text: str) -> list[Fact]:
    found, problems = extract(Tree.of({path: dedent(text).lstrip("\n")}).files)
    assert not problems, problems
    wanted = (Kind.COMMAND, Kind.ACTION, Kind.JOB, Kind.IMAGE)
    return [fact for fact in found if fact.kind in wanted]


def rows(path: str, text: str, kind: Kind = Kind.COMMAND) -> list[tuple[int, str]]:
    return [(fact.site.line, fact.name) for fact in facts(path, text) if fact.kind is kind]


def command(found: list[Fact], name: str) -> Fact:
    chosen = [fact for fact in found if fact.kind is Kind.COMMAND and fact.name == name]
    assert len(chosen) == 1, [fact.name for fact in found]
    return chosen[0]


def job(found: list[Fact], name: str) -> Fact:
    chosen = [fact for fact in found if fact.kind is Kind.JOB and fact.name == name]
    assert len(chosen) == 1, [(fact.kind, fact.name) for fact in found]
    return chosen[0]


def triggers(fact: Fact) -> set[str]:
    return set(values(fact.traits.get("triggers")))


# ---------------------------------------------------------------------------------------------------- GitHub

CI = ".github/workflows/ci.yml"
WORKFLOW = """
    on: {on}
    jobs:
      test:
        runs-on: ubuntu-latest
        steps:
          - run: pytest
"""


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("push", {"push"}),
        ("[push, pull_request]", {"push", "pull_request"}),
        ("{push: {branches: [main]}}", {"push"}),
        ("{push: {tags: ['v*']}}", {"tag"}),
        ("{push: {tags: ['v*'], branches: [main]}}", {"tag", "push"}),
        ("{schedule: [{cron: '0 3 * * *'}]}", {"schedule"}),
        ("{schedule: }", set()),
        ("{workflow_dispatch: }", {"manual"}),
        ("workflow_call", set()),
        ("{workflow_run: {workflows: [CI]}}", {"workflow_run"}),
        ("repository_dispatch", {"event"}),
        ("{release: {types: [published]}}", {"release"}),
        ("pull_request_target", {"pull_request"}),
        ("issue_comment", {"event"}),
    ],
)
def test_a_github_workflow_starts_by_its_events(on: str, expected: set[str]) -> None:
    found = facts(CI, WORKFLOW.format(on=on))
    assert triggers(job(found, "test")) == expected
    assert triggers(command(found, "pytest")) == expected


@pytest.mark.parametrize(
    ("path", "dead"),
    [
        (CI, False),
        (".github/workflows/ci.yaml", False),
        (".gitea/workflows/ci.yml", False),
        ("project/.github/workflows/ci.yml", True),
        (".github/workflow-templates/ci.yml", True),
        (".github/workflows/old/ci.yml", True),
        (".github/workflows/ci.yml.bak", True),
        ("retrain.yml", True),
        ("ci/actions/main.yml", True),
        ("seedcode/.github/workflows/ci.yml", False),
        ("template/.github/workflows/ci.yml", False),
        ("services/scorer/.github/workflows/ci.yml", True),
    ],
)
def test_a_github_workflow_outside_of_its_place_is_dead(path: str, dead: bool) -> None:
    found = facts(path, WORKFLOW.format(on="push"))
    assert ("dead" in command(found, "pytest").traits) is dead
    assert ("dead" in job(found, "test").traits) is dead


@pytest.mark.parametrize(
    ("condition", "dead"),
    [
        ("false", True),
        ("${{ false }}", True),
        ("${{ false && github.ref == 'x' }}", True),
        ("github.ref == 'refs/heads/main'", False),
        ("${{ false || github.ref == 'x' }}", False),
        ("always()", False),
        ("steps.x.outputs.go != 'false'", False),
    ],
)
def test_a_github_job_that_can_never_run_is_dead_and_so_is_what_needs_it(condition: str, dead: bool) -> None:
    text = f"""
        on: push
        jobs:
          train:
            if: {condition}
            runs-on: x
            steps:
              - run: python train.py
          deploy:
            needs: train
            runs-on: x
            steps:
              - run: ./deploy.sh
          report:
            needs: [train]
            if: always()
            runs-on: x
            steps:
              - run: ./report.sh
    """
    found = facts(CI, text)
    assert ("dead" in command(found, "python train.py").traits) is dead
    assert ("dead" in command(found, "./deploy.sh").traits) is dead
    assert "dead" not in command(found, "./report.sh").traits


def test_a_workflow_of_a_seed_runs_in_the_folder_of_the_project_that_it_sets_up() -> None:
    text = """
        on: push
        jobs:
          test:
            runs-on: ubuntu-latest
            steps:
              - run: pytest
              - run: python train.py
                working-directory: jobs
    """
    found = facts("project/seedcode/.github/workflows/ci.yml", text)
    assert command(found, "pytest").traits["directory"] == "project/seedcode"
    assert command(found, "python train.py").traits["directory"] == "project/seedcode/jobs"


def test_a_github_step_that_can_never_run_is_dead() -> None:
    found = facts(
        CI,
        """
        on: push
        jobs:
          a:
            runs-on: x
            steps:
              - if: false
                run: python train.py
              - run: pytest
        """,
    )
    assert command(found, "python train.py").traits["dead"] == "yes"
    assert "dead" not in command(found, "pytest").traits


def test_lines_of_github_steps_are_those_of_the_file() -> None:
    text = """
        on: push
        jobs:
          a:
            runs-on: x
            steps:
              - uses: actions/checkout@v4
              - name: Steps
                run: |
                  # comment
                  first

                  second && \\
                    third
              - run: >
                  folded
                  --on two

                  next
              - run: single && other
              - run: >-
                  final
    """
    assert rows(CI, text) == [
        (10, "first"), (12, "second"), (13, "third"), (15, "folded --on two"), (18, "next"), (19, "single"), (19, "other"),
        (21, "final"),
    ]  # fmt: skip
    assert rows(CI, text, Kind.ACTION) == [(6, "actions/checkout@v4")]
    assert rows(CI, text, Kind.JOB) == [(3, "a")]


def test_github_steps_know_where_and_under_what_they_run() -> None:
    text = """
        name: Train
        on:
          schedule: [{cron: "0 3 * * 1"}]
          push: {branches: [main], paths: ["data/**"]}
        permissions:
          contents: read
        env:
          SCRIPT: train.py
        defaults:
          run: {working-directory: ./ml}
        jobs:
          train:
            runs-on: x
            environment: {name: production, url: x}
            needs: [lint]
            container: python:3.11
            services:
              db: {image: postgres}
            steps:
              - name: Fit
                run: python $SCRIPT
                continue-on-error: true
                env: {TOKEN: "${{ secrets.API_TOKEN }}"}
              - run: python ${{ env.SCRIPT }} --again
                working-directory: other
              - run: pytest || true
          lint:
            runs-on: x
            steps: [{run: ruff check .}]
    """
    found = facts(CI, text)
    train = job(found, "train").traits
    assert train["workflow"] == "Train"
    assert train["environment"] == "production"
    assert train["needs"] == ("lint",)
    assert train["schedule"] == ("0 3 * * 1",)
    assert train["branches"] == ("main",)
    assert train["paths"] == ("data/**",)
    assert train["permissions"] == ("contents: read",)
    assert train["secrets"] == ("API_TOKEN",)
    fit = command(found, "python train.py").traits
    assert (fit["unit"], fit["system"], fit["step"], fit["directory"], fit["masked"], fit["secrets"]) == (
        f"{CI}#train", "github", "Fit", "ml", "yes", ("API_TOKEN",),
    )  # fmt: skip
    assert command(found, "python train.py --again").traits["directory"] == "other"
    assert command(found, "pytest").traits["masked"] == "yes"
    assert "masked" not in command(found, "ruff check .").traits
    images = {fact.name: fact.traits["role"] for fact in found if fact.kind is Kind.IMAGE}
    assert images == {"python:3.11": "job", "postgres": "service"}


def test_a_github_condition_on_the_event_narrows_the_triggers() -> None:
    text = """
        on: {push: , schedule: [{cron: "0 3 * * *"}], workflow_dispatch: }
        jobs:
          deploy:
            if: github.event_name == 'workflow_dispatch'
            runs-on: x
            steps: [{run: ./deploy.sh}]
          train:
            if: github.event_name != 'push'
            runs-on: x
            steps:
              - run: python train.py
              - if: github.event_name == 'schedule' || github.event_name == 'push'
                run: ./notify.sh
    """
    found = facts(CI, text)
    assert triggers(command(found, "./deploy.sh")) == {"manual"}
    assert triggers(command(found, "python train.py")) == {"schedule", "manual"}
    assert triggers(command(found, "./notify.sh")) == {"schedule"}


def test_literal_values_of_a_github_matrix_are_put_in() -> None:
    text = """
        on: push
        jobs:
          a:
            runs-on: x
            strategy:
              matrix:
                model: [tree, net]
                python: ["3.10", "3.11"]
                include: [{model: net, extra: big}]
            steps:
              - run: python train.py ${{ matrix.model }}
              - run: python ${{ matrix.unknown }}
    """
    assert [name for _, name in rows(CI, text)] == [
        "python train.py tree",
        "python train.py net",
        "python ${{ matrix.unknown }}",
    ]


def test_github_jobs_run_reusable_workflows_composite_actions_and_dockerfiles() -> None:
    text = """
        on: push
        jobs:
          call:
            uses: ./.github/workflows/train.yml
            secrets: inherit
          build:
            runs-on: x
            steps:
              - uses: ./.github/actions/setup
                with: {command: make prepare}
              - uses: docker/build-push-action@v5
                with: {context: ., file: docker/Dockerfile}
              - uses: ./never
                if: false
              - uses: azure/cli@v2
                with:
                  inlineScript: |
                    az ml job create -f job.yml
    """
    found = facts(CI, text)
    assert job(found, "call").traits["runs"] == ("./.github/workflows/train.yml",)
    assert job(found, "build").traits["runs"] == ("./.github/actions/setup", "docker/Dockerfile")
    assert command(found, "make prepare").traits["unit"] == f"{CI}#build"
    assert command(found, "az ml job create -f job.yml").site.line == 18


def test_a_composite_action_belongs_to_its_own_file() -> None:
    text = """
        inputs: {target: {default: all}}
        runs:
          using: composite
          steps:
            - run: make ${{ inputs.target }}
              shell: bash
    """
    fact = command(facts(".github/actions/setup/action.yml", text), "make all")
    assert fact.traits["unit"] == ".github/actions/setup/action.yml"
    assert not triggers(fact)


def test_other_languages_in_a_github_step_are_no_shell() -> None:
    text = """
        on: push
        jobs:
          a:
            runs-on: x
            steps:
              - shell: python
                run: |
                  import os; os.system("ls")
              - shell: bash -l {0}
                run: |
                  pytest
                  echo done
    """
    found = facts(CI, text)
    assert [fact.name for fact in found if fact.kind is Kind.COMMAND] == ["python", "pytest", "echo done"]
    assert command(found, "pytest").traits["unchecked"] == "yes"


@pytest.mark.parametrize(
    ("reference", "pin"),
    [
        ("actions/checkout@v4", "tag"), ("a/b@1.2.3", "tag"), ("a/b@main", "branch"), ("./local", "none"),
        ("a/b@8f4b7f84864484a7bf31766abe9204da3cbe65b3", "hash"), ("a/b@my-branch", "branch"),
    ],
)  # fmt: skip
def test_an_action_is_pinned_by_its_reference(reference: str, pin: str) -> None:
    text = f"on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: {reference}\n        with: {{path: x}}\n"
    (action,) = [fact for fact in facts(CI, text) if fact.kind is Kind.ACTION]
    assert (action.traits["pin"], action.traits["path="]) == (pin, "x")


def test_yaml_of_other_kinds_gives_no_github_facts() -> None:
    assert not facts("config.yaml", "on: true\njobs: [a]\nruns-on: x\n")
    assert not facts("job.yml", "type: pipeline\njobs:\n  train:\n    uses: x\n")


# ---------------------------------------------------------------------------------------------------- GitLab


def test_gitlab_jobs_have_templates_defaults_and_references_put_in() -> None:
    text = """
        default:
          image: python:3.11
          before_script: [pip install -r requirements.txt]
        variables: {MODEL: tree}
        .base:
          script:
            - echo base
        .rules: &rules
          allow_failure: true
        train:
          extends: .base
          <<: *rules
          stage: train
          needs: [lint]
          environment: {name: production}
          script:
            - !reference [.base, script]
            - cd ml
            - python train.py $MODEL
            - |
              first
              second
          after_script: [./clean.sh]
        lint:
          image: {name: "ruff:latest"}
          before_script: []
          script: ruff check .
    """
    path = ".gitlab-ci.yml"
    found = facts(path, text)
    assert rows(path, text) == [
        (3, "pip install -r requirements.txt"), (7, "echo base"), (19, "python train.py tree"), (21, "first"), (22, "second"),
        (23, "./clean.sh"), (27, "ruff check ."),
    ]  # fmt: skip
    train = command(found, "python train.py tree").traits
    assert (train["directory"], train["masked"], train["environment"]) == ("ml", "yes", "production")
    assert command(found, "first").traits["directory"] == "ml"
    assert job(found, "train").traits["needs"] == ("lint",)
    assert job(found, "train").site.line == 10
    assert [(f.name, f.traits["version"]) for f in found if f.kind is Kind.IMAGE] == [
        ("python:3.11", "tag"), ("ruff:latest", "latest"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", {"push"}),
        ("rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"'}]", {"schedule"}),
        ("rules: [{if: '$CI_PIPELINE_SOURCE == \"merge_request_event\"'}]", {"pull_request"}),
        ("rules: [{if: $CI_COMMIT_TAG}]", {"tag"}),
        ("rules: [{if: '$CI_COMMIT_BRANCH == \"main\"'}]", {"push"}),
        ("rules: [{if: '$CI_COMMIT_BRANCH == \"main\"', when: manual}]", {"manual"}),
        ("rules: [{if: '$CI_PIPELINE_SOURCE == \"schedule\"', when: never}, {when: on_success}]", {"push"}),
        ("only: [schedules]", {"schedule"}),
        ("only: [main, tags]", {"push", "tag"}),
        ("only: {refs: [merge_requests]}", {"pull_request"}),
        ("except: [branches]", {"tag"}),
        ("when: manual", {"manual"}),
    ],
)
def test_a_gitlab_job_starts_by_its_rules(body: str, expected: set[str]) -> None:
    found = facts(".gitlab-ci.yml", f"train:\n  script: python train.py\n  {body}\n")
    assert triggers(command(found, "python train.py")) == expected
    assert ("manual" in job(found, "train").traits) is (expected == {"manual"})


@pytest.mark.parametrize("body", ["when: never", "rules: [{when: never}]"])
def test_a_gitlab_job_that_never_runs_is_dead(body: str) -> None:
    found = facts(".gitlab-ci.yml", f"train:\n  script: python train.py\n  {body}\n")
    assert command(found, "python train.py").traits["dead"] == "yes"


def test_a_gitlab_pipeline_whose_workflow_never_starts_is_dead() -> None:
    text = "workflow:\n  rules:\n    - when: never\ntrain:\n  script: python train.py\n"
    assert {fact.traits.get("dead") for fact in facts(".gitlab-ci.yml", text)} == {"yes"}


@pytest.mark.parametrize(
    ("path", "dead"),
    [(".gitlab-ci.yml", False), (".gitlab/ci/train.yml", False), ("sub/.gitlab-ci.yml", True)],
)
def test_a_gitlab_file_in_a_folder_is_dead_unless_it_is_an_include(path: str, dead: bool) -> None:
    found = facts(path, "train:\n  script: python train.py\n")
    assert ("dead" in command(found, "python train.py").traits) is dead


def test_gitlab_includes_are_actions() -> None:
    text = """
        include:
          - local: /ci/train.yml
          - template: Security/SAST.gitlab-ci.yml
          - project: group/x
            ref: v1.0.0
            file: a.yml
          - component: gitlab.com/c/x@1.0
    """
    found = [fact for fact in facts(".gitlab-ci.yml", text) if fact.kind is Kind.ACTION]
    assert [(f.site.line, f.name, f.traits["pin"]) for f in found] == [
        (2, "/ci/train.yml", "none"), (3, "Security/SAST.gitlab-ci.yml", "none"), (4, "group/x/a.yml@v1.0.0", "tag"),
        (7, "gitlab.com/c/x@1.0", "tag"),
    ]  # fmt: skip


# ----------------------------------------------------------------------------------------------------- Azure


def test_azure_stages_and_deployments() -> None:
    text = """
        trigger:
          branches: {include: [main]}
        pr: none
        schedules:
          - cron: "0 3 * * *"
            branches: {include: [main]}
        pool: {vmImage: ubuntu-latest}
        variables:
          - name: MODEL
            value: tree
          - group: secrets
        stages:
          - stage: Train
            jobs:
              - job: Fit
                steps:
                  - script: |
                      python train.py $(MODEL) $(Unknown.Name)
                      echo $(pwd)
                    displayName: Fit
                    workingDirectory: $(Build.SourcesDirectory)/ml
                  - bash: pytest
                    continueOnError: true
                  - task: AzureCLI@2
                    inputs:
                      scriptType: bash
                      inlineScript: |
                        az ml job create
                  - task: PythonScript@0
                    inputs: {scriptPath: register.py, arguments: --all}
                  - template: templates/report.yml
          - stage: Approve
            jobs:
              - job: wait
                pool: server
                steps: [{task: ManualValidation@0}]
          - stage: Deploy
            condition: succeeded()
            jobs:
              - deployment: Release
                environment: production.web
                strategy:
                  canary:
                    deploy:
                      steps:
                        - script: ./deploy.sh
          - stage: Off
            condition: false
            jobs:
              - job: off
                steps: [{script: ./off.sh}]
    """
    path = "azure-pipelines.yml"
    found = facts(path, text)
    assert rows(path, text) == [
        (18, "python train.py tree ${Unknown.Name}"), (19, "echo ."), (22, "pytest"), (28, "az ml job create"),
        (30, "python register.py --all"), (46, "./deploy.sh"), (51, "./off.sh"),
    ]  # fmt: skip
    train = command(found, "python train.py tree ${Unknown.Name}").traits
    assert (train["unit"], train["directory"], train["step"]) == (f"{path}#Fit", "ml", "Fit")
    assert triggers(job(found, "Fit")) == {"push", "schedule"}
    assert job(found, "Fit").traits["runs"] == ("templates/report.yml",)
    assert "manual" not in job(found, "Fit").traits
    assert command(found, "pytest").traits["masked"] == "yes"
    release = job(found, "Release").traits
    assert (release["environment"], release["strategy"], release["manual"]) == ("production", "canary", "yes")
    assert command(found, "./off.sh").traits["dead"] == "yes"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("trigger: [main]", {"push"}),
        ("trigger: none", {"manual"}),
        ("pool: x", {"push"}),
        ("trigger: none\npr: [main]", {"pull_request"}),
        ("trigger: {tags: {include: ['v*']}}", {"tag"}),
        ("trigger: none\nresources: {pipelines: [{pipeline: a, trigger: true}]}", {"workflow_run"}),
        ("trigger: none\nresources: {pipelines: [{pipeline: a, trigger: none}]}", {"manual"}),
        (
            "trigger: none\nresources: {containers: [{container: a, image: x, trigger: {tags: [a]}}]}",
            {"event"},
        ),
    ],
)
def test_an_azure_pipeline_starts_by_its_triggers(head: str, expected: set[str]) -> None:
    found = facts("deploy/train.yml", f"{head}\nsteps:\n  - script: python train.py\n")
    assert triggers(command(found, "python train.py")) == expected


def test_an_azure_template_has_no_triggers_and_belongs_to_its_file() -> None:
    text = "parameters:\n  - {name: script, default: train.py}\nsteps:\n  - bash: python ${{ parameters.script }}\n"
    fact = command(facts(".pipelines/steps-template.yml", text), "python train.py")
    assert fact.traits["unit"] == ".pipelines/steps-template.yml"
    assert not triggers(fact)


def test_steps_under_azure_expressions_are_read() -> None:
    text = """
        pool: x
        steps:
          - ${{ if eq(variables['x'], 'y') }}:
            - script: python train.py
          - ${{ if false }}:
            - script: ./never.sh
    """
    found = facts("azure-pipelines.yml", text)
    assert command(found, "python train.py").traits["condition"] == ("eq(variables['x'], 'y')",)
    assert command(found, "./never.sh").traits["dead"] == "yes"


@pytest.mark.parametrize(
    "text",
    [
        "jobs:\n  train:\n    type: command\n    command: python train.py\n",
        "steps:\n  - name: x\n    script: y\n",
        "stages:\n  train:\n    cmd: python train.py\n",
    ],
)
def test_yaml_of_other_kinds_gives_no_azure_facts(text: str) -> None:
    assert not [fact for fact in facts("pipeline.yml", text) if fact.traits.get("system") == "azure"]


# --------------------------------------------------------------------------------------------------- Jenkins


def test_a_jenkinsfile() -> None:
    text = r"""
        // sh 'not this'
        pipeline {
          agent { docker { image 'python:3.11' } }
          triggers { cron('H 3 * * *') }
          environment { MODEL = 'tree' }
          stages {
            stage('Test') {
              steps {
                sh 'pytest || true'
                dir('ml') {
                  sh '''
                    python train.py $MODEL
                    echo "{"
                  '''
                }
                sh(script: "lint", returnStatus: true)
              }
            }
            stage('Off') {
              when { expression { return false } }
              steps { sh 'off' }
            }
            stage('Deploy') {
              when { branch 'main' }
              steps {
                input message: 'Go?'
                sh "./deploy.sh ${VERSION}"
              }
            }
          }
        }
    """
    found = facts("Jenkinsfile", text)
    assert [(f.site.line, f.name) for f in found if f.kind is Kind.COMMAND] == [
        (9, "pytest"), (12, "python train.py tree"), (13, "echo {"), (16, "lint"), (21, "off"), (27, "./deploy.sh ${VERSION}"),
    ]  # fmt: skip
    assert command(found, "pytest").traits["masked"] == "yes"
    assert command(found, "python train.py tree").traits["directory"] == "ml"
    assert command(found, "lint").traits["masked"] == "yes"
    assert command(found, "off").traits["dead"] == "yes"
    assert triggers(job(found, "Test")) == {"push", "schedule"}
    assert job(found, "Deploy").traits["manual"] == "yes"
    assert "manual" not in job(found, "Test").traits
    assert [f.name for f in found if f.kind is Kind.IMAGE] == ["python:3.11"]


# -------------------------------------------------------------------------------------------------- CircleCI


@pytest.mark.parametrize(
    ("condition", "dead"),
    [("when: false", "yes"), ("unless: true", "yes"), ("when: << pipeline.parameters.x >>", None)],
)
def test_circleci_jobs_of_workflows_that_never_start_are_dead(condition: str, dead: str | None) -> None:
    text = dedent(f"""\
        version: 2.1
        jobs:
          train:
            docker: [{{image: "cimg/python:3.12"}}]
            steps:
              - run: python train.py
        workflows:
          all:
            {condition}
            jobs: [train, aws-ecr/build_and_push_image]
        """)
    found = facts(".circleci/config.yml", text)
    assert {
        fact.traits.get("dead") for fact in found if fact.kind in (Kind.JOB, Kind.COMMAND, Kind.ACTION)
    } == {dead}


def test_circleci_jobs_are_started_by_their_workflows() -> None:
    text = """
        version: 2.1
        orbs: {aws: circleci/aws-cli@4.0}
        commands:
          fit:
            parameters: {model: {default: tree}}
            steps:
              - run: python train.py << parameters.model >>
        jobs:
          test:
            docker: [{image: "cimg/python:3.11"}, {image: postgres}]
            working_directory: ~/project/ml
            steps:
              - checkout
              - run:
                  name: Tests
                  command: |
                    pytest
          train:
            machine: true
            steps: [fit]
          deploy:
            machine: true
            steps: [{run: ./deploy.sh}]
          unused:
            machine: true
            steps: [{run: ./unused.sh}]
        workflows:
          main:
            jobs:
              - test
              - hold: {type: approval, requires: [test]}
              - deploy: {requires: [hold]}
          nightly:
            triggers: [{schedule: {cron: "0 3 * * *"}}]
            jobs: [train]
          release:
            jobs:
              - deploy: {filters: {tags: {only: "/v.*/"}, branches: {ignore: "/.*/"}}}
    """
    path = ".circleci/config.yml"
    found = facts(path, text)
    assert rows(path, text) == [
        (17, "pytest"),
        (7, "python train.py tree"),
        (23, "./deploy.sh"),
        (26, "./unused.sh"),
    ]
    assert command(found, "pytest").traits["directory"] == "ml"
    assert triggers(job(found, "train")) == {"schedule"}
    assert triggers(job(found, "deploy")) == {"push", "tag"}
    assert job(found, "deploy").traits["manual"] == "yes"
    assert "manual" not in job(found, "test").traits
    assert command(found, "./unused.sh").traits["dead"] == "yes"
    assert command(facts(f"sub/{path}", text), "pytest").traits["dead"] == "yes"


# -------------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("path", "text", "system", "expected", "starts"),
    [
        ("bitbucket-pipelines.yml", """
            pipelines:
              branches:
                main:
                  - step:
                      name: Test
                      deployment: production
                      script:
                        - pip install .
                        - pytest
         """, "bitbucket", [(8, "pip install ."), (9, "pytest")], {"push"}),
        ("bitbucket-pipelines.yml", """
            pipelines:
              custom:
                retrain:
                  - step:
                      script: [python train.py]
         """, "bitbucket", [(5, "python train.py")], {"manual"}),
        ("cloudbuild/train.yaml", """
            steps:
              - name: python:3.11
                entrypoint: bash
                args:
                  - -c
                  - |
                    pip install .
                    python train.py $$X
              - name: gcr.io/cloud-builders/gcloud
                args: [run, deploy, $_SERVICE]
            substitutions: {_SERVICE: api}
         """, "cloudbuild", [(7, "pip install ."), (8, "python train.py $X"), (10, "gcloud run deploy api")], {"push"}),
        ("cloudbuild.json", '{"steps": [\n{"name": "gcr.io/cloud-builders/docker",\n"args": ["build", "-t", "x", "."]}]}',
         "cloudbuild", [(3, "docker build -t x .")], {"push"}),
        ("model/buildspec.yml", """
            version: 0.2
            phases:
              build:
                commands:
                  - cd $CODEBUILD_SRC_DIR/ml
                  - python train.py
         """, "codebuild", [(6, "python train.py")], {"push"}),
        (".buildkite/pipeline.yml", """
            steps:
              - label: Test
                command: pytest
              - group: More
                steps:
                  - command:
                      - make train
         """, "buildkite", [(3, "pytest"), (7, "make train")], {"push"}),
        (".woodpecker/ci.yml", """
            when: {event: [push, cron]}
            steps:
              test:
                image: python:3.11
                commands: [pytest]
         """, "woodpecker", [(5, "pytest")], {"push", "schedule"}),
        (".drone.yml", """
            kind: pipeline
            trigger: {event: [tag]}
            steps:
              - name: test
                image: python:3.11
                commands:
                  - pytest
         """, "drone", [(7, "pytest")], {"tag"}),
        (".travis.yml", """
            install: pip install .
            script:
              - pytest
         """, "travis", [(1, "pip install ."), (3, "pytest")], {"push", "pull_request"}),
        ("appveyor.yml", "test_script:\n  - cmd: x\n  - pytest\n", "appveyor", [(3, "pytest")], {"push", "pull_request"}),
        (".taskcluster.yml", """
            version: 1
            tasks:
              - $if: 'tasks_for == "github-push"'
                then:
                  metadata: {name: test}
                  payload:
                    image: python:3.11
                    command:
                      - /bin/bash
                      - --login
                      - -c
                      - pytest && make docs
         """, "taskcluster", [(12, "pytest"), (12, "make docs")], {"push"}),
        ("hooks/train.json", '{"hookGroupId": "x",\n"schedule": ["0 0 3 * * *"],\n"task": {"payload": {"command": [\n"python", "train.py"]}}}',
         "taskcluster", [(4, "python train.py")], {"schedule"}),
    ],
)  # fmt: skip
def test_commands_of_other_systems(
    path: str, text: str, system: str, expected: list[tuple[int, str]], starts: set[str]
) -> None:
    found = [
        fact
        for fact in facts(path, text)
        if fact.kind is Kind.COMMAND and fact.traits.get("system") == system
    ]
    assert [(fact.site.line, fact.name) for fact in found] == expected
    assert all(triggers(fact) == starts for fact in found)


def test_steps_behind_a_buildkite_block_are_manual() -> None:
    text = "steps:\n  - {key: a, command: x}\n  - block: Release\n  - {key: b, command: y}\n"
    found = facts(".buildkite/pipeline.yml", text)
    assert "manual" not in job(found, "a").traits
    assert job(found, "b").traits["manual"] == "yes"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sub/bitbucket-pipelines.yml", "pipelines: {default: [{step: {script: [pytest]}}]}"),
        ("sub/.travis.yml", "script: pytest"),
        ("sub/.drone.yml", "kind: pipeline\nsteps: [{name: a, commands: [pytest]}]"),
    ],
)
def test_ci_files_below_the_root_are_dead(path: str, text: str) -> None:
    assert command(facts(path, text), "pytest").traits["dead"] == "yes"


def test_pre_commit_hooks_are_actions_and_local_ones_commands() -> None:
    text = """
        repos:
          - repo: https://github.com/astral-sh/ruff-pre-commit
            rev: v0.5.0
            hooks:
              - id: ruff
                args: [--fix]
          - repo: local
            hooks:
              - id: tests
                entry: pytest
                args: [-q]
                language: system
    """
    path = ".pre-commit-config.yaml"
    found = facts(path, text)
    hooks = [(f.site.line, f.name, f.traits["hook"], f.traits["pin"]) for f in found if f.kind is Kind.ACTION]
    assert hooks == [
        (5, "https://github.com/astral-sh/ruff-pre-commit", "ruff", "tag"),
        (9, "local", "tests", "none"),
    ]
    assert command(found, "pytest -q").site.line == 10


@pytest.mark.parametrize(
    "path",
    [CI, ".gitlab-ci.yml", "azure-pipelines.yml", ".circleci/config.yml", "Jenkinsfile", "cloudbuild.yaml"],
)
@pytest.mark.parametrize(
    "text",
    ["", "a", "[]", "jobs: {a: }", "on: push\njobs: {a: {steps: [1, {run: }]}}", "steps: [a]", "&a [*a]"],
)
def test_strange_texts_are_survived(path: str, text: str) -> None:
    extract(Tree.of({path: text}).files)


def test_a_bomb_of_aliases_takes_no_time() -> None:
    layers = "".join(
        f".l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}], k{n}: [*l{n - 1}, *l{n - 1}]}}\n" for n in range(1, 40)
    )
    text = f".l0: &l0 {{script: [pytest]}}\n{layers}train: {{<<: *l39, script: [pytest]}}\n"
    start = time.process_time()
    extract(Tree.of({".gitlab-ci.yml": text, CI: text}).files)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("Jenkinsfile", "/*x"),
        ("Jenkinsfile", "x(/*"),
        ("models/a/config.pbtxt", '"\\'),
        ("models/a/config.pbtxt", "'\\"),
    ],
)
def test_what_is_opened_again_and_again_and_never_closed_takes_no_longer_than_other_text(
    path: str, unit: str
) -> None:
    from mlops_audit.budget import Budget
    from mlops_audit.extract import extract_file
    from mlops_audit.tree import Tree

    (file,) = Tree.of({path: unit * (600_000 // len(unit))}).files
    assert not any(problem.unread for problem in extract_file(file, Budget(600))[1])


def test_a_shared_workflow_is_asked_for_what_its_inputs_do_not_switch_off() -> None:
    text = "on: push\njobs:\n  ci:\n    uses: company/ci/.github/workflows/python.yml@v1\n    with: {tests_folder: tests, lint: false, image: None, skip_docs: true}\n"
    found = [fact for fact in facts(".github/workflows/ci.yml", text) if fact.kind is Kind.ACTION]
    assert [fact.traits["asks"] for fact in found] == [("tests_folder",)]
