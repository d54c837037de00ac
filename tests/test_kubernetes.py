"""What manifests, charts and monitoring configurations state."""

from __future__ import annotations

from contextlib import suppress
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.extract import charts, kubernetes, observability
from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.templates import mask


def manifest(text: str, path: str = "k8s/app.yaml") -> list[Fact]:
    return list(kubernetes.extract(path, dedent(text).encode()))


def of(facts: list[Fact], kind: Kind) -> list[Fact]:
    return [fact for fact in facts if fact.kind is kind]


DEPLOYMENT = """\
apiVersion: v1
kind: Service
metadata: {name: api}
---
# the service itself
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  strategy: {type: RollingUpdate}
  template:
    spec:
      initContainers:
        - name: fetch
          image: busybox
          command: ["sh", "-c", "wget model && tar xf model"]
      containers:
        - name: api
          image: team/api:1.2
          args: ["--port", "80"]
        - image: team/worker@sha256:12
          command: [python]
          args: ["-m", "worker"]
"""


def test_every_document_is_a_resource_at_the_line_of_its_kind() -> None:
    facts = manifest(DEPLOYMENT)
    assert [(f.name, f.site.line, f.traits["id"], f.traits["api"]) for f in of(facts, Kind.RESOURCE)] == [
        ("Service", 2, "api", "v1"),
        ("Deployment", 7, "api", "apps/v1"),
    ]
    deployment = of(facts, Kind.RESOURCE)[1]
    assert deployment.traits["spec.strategy.type"] == "RollingUpdate"
    assert deployment.traits["spec.template.spec.containers.image"] == (
        "team/api:1.2",
        "team/worker@sha256:12",
    )
    assert deployment.traits["triggers"] == "continuous"


def test_containers_have_images_and_commands_at_their_own_lines() -> None:
    facts = manifest(DEPLOYMENT)
    assert [(f.name, f.traits["version"], f.site.line) for f in of(facts, Kind.IMAGE)] == [
        ("busybox", "none", 16),
        ("team/api:1.2", "tag", 20),
        ("team/worker@sha256:12", "digest", 22),
    ]
    assert [(f.name, f.site.line, f.traits["unit"]) for f in of(facts, Kind.COMMAND)] == [
        ("wget model", 17, "k8s/app.yaml#Deployment/api"),
        ("tar xf model", 17, "k8s/app.yaml#Deployment/api"),
        ("python -m worker", 23, "k8s/app.yaml#Deployment/api"),
    ]


CRON = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: retrain}
spec:
  schedule: "0 3 * * 1"
  suspend: SUSPEND
  jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "a:1", command: [python, train.py]}]}}}}
"""


def test_a_cron_job_starts_on_its_schedule_unless_it_is_suspended() -> None:
    running = manifest(CRON.replace("SUSPEND", "false"))
    assert [
        (f.kind, f.traits.get("triggers"), f.traits.get("dead")) for f in running if f.kind is not Kind.IMAGE
    ] == [
        (Kind.RESOURCE, "schedule", None),
        (Kind.COMMAND, "schedule", None),
    ]
    assert running[0].traits["schedule"] == ("0 3 * * 1",)
    suspended = manifest(CRON.replace("SUSPEND", "true"))
    assert [
        (f.traits.get("triggers"), f.traits.get("dead")) for f in suspended if f.kind is not Kind.IMAGE
    ] == [
        (None, "yes"),
        (None, "yes"),
    ]
    assert suspended[0].traits["enabled"] == "no"


@pytest.mark.parametrize(
    ("kind", "api", "body", "path", "value"),
    [
        ("InferenceService", "serving.kserve.io/v1beta1", "{predictor: {canaryTrafficPercent: 10}}",
         "spec.predictor.canaryTrafficPercent", "10"),
        ("Rollout", "argoproj.io/v1alpha1", "{strategy: {canary: {steps: [{setWeight: 20}, {setWeight: 50}]}}}",
         "spec.strategy.canary.steps.setWeight", ("20", "50")),
        ("VirtualService", "networking.istio.io/v1", "{http: [{route: [{weight: 90}, {weight: 10}], mirror: {host: b}}]}",
         "spec.http.mirror.host", "b"),
        ("ScaledObject", "keda.sh/v1alpha1", "{maxReplicaCount: 5}", "spec.maxReplicaCount", "5"),
        ("Canary", "flagger.app/v1beta1", "{analysis: {stepWeight: 5}, emptyish: {}}", "spec.emptyish", ""),
    ],
)  # fmt: skip
def test_custom_resources_have_every_attribute(
    kind: str, api: str, body: str, path: str, value: object
) -> None:
    (fact,) = manifest(f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: m}}\nspec: {body}\n")
    assert (fact.name, fact.traits[path]) == (kind, value)


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n",
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: x}\n",
        "name: x\nsteps:\n  - apiVersion: v1\n    kind: Service\n",
        "# apiVersion: v1\n# kind: Service\n",
        "text: |\n    apiVersion: v1\n    kind: Service\n",
    ],
)
def test_what_only_mentions_kinds_is_no_resource(text: str) -> None:
    assert manifest(text) == []


def test_lists_and_json_documents_are_read_too() -> None:
    text = '{"apiVersion": "v1",\n "kind": "List",\n "items": [\n  {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}]}'
    (fact,) = kubernetes.extract("all.json", text.encode())
    assert (fact.name, fact.traits["id"], fact.site.line) == ("Deployment", "a", 4)


def test_one_broken_document_does_not_hide_the_others_and_alone_it_is_told_at_its_line() -> None:
    broken = "apiVersion: v1\nkind: Secret\nmetadata: {name: [}\n"
    assert [f.name for f in manifest("apiVersion: v1\nkind: Service\n---\n" + broken)] == ["Service"]
    with pytest.raises(ParseFailure) as caught:
        manifest("# first\n---\n" + broken)
    assert caught.value.line == 5


HELM = """\
{{- if .Values.autoscaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "app.fullname" . }}
  labels:
    {{- include "app.labels" . | nindent 4 }}
spec:
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-api
spec:
  template:
    spec:
      containers:
        - name: api
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
"""


def test_a_helm_template_is_read_through_its_actions_and_keeps_its_condition() -> None:
    facts = manifest(HELM, "chart/templates/app.yaml")
    scaler, deployment = of(facts, Kind.RESOURCE)
    assert (scaler.name, scaler.site.line, scaler.traits["system"]) == ("HorizontalPodAutoscaler", 3, "helm")
    assert scaler.traits["condition"] == ".Values.autoscaling.enabled"
    assert scaler.traits["spec.maxReplicas"] == "<.Values.autoscaling.maxReplicas>"
    assert (deployment.site.line, "condition" in deployment.traits) == (13, False)
    (image,) = of(facts, Kind.IMAGE)
    assert (image.site.line, image.traits["version"]) == (21, "unknown")


def test_a_template_that_is_no_yaml_without_its_actions_is_known_weakly_by_its_text() -> None:
    facts = manifest(
        """\
        apiVersion: apps/v1
        kind: StatefulSet
        metadata:
          name: store
        spec: {{ .Values.spec }}: [
          image: redis:7
        """,
        "chart/templates/store.yaml",
    )
    assert [(f.name, f.site.line, f.traits["weak"]) for f in facts] == [
        ("StatefulSet", 2, "yes"),
        ("redis:7", 6, "yes"),
    ]


def test_else_branches_are_the_opposite_condition() -> None:
    masked = mask("{{ if .a }}\nx\n{{ else }}\ny\n{{ end }}\nz\n")
    assert [masked.condition(line) for line in (2, 4, 6)] == [".a", "not (.a)", ""]


def test_argo_parameters_are_no_template_actions() -> None:
    facts = manifest(
        """\
        apiVersion: argoproj.io/v1alpha1
        kind: CronWorkflow
        metadata: {name: train}
        spec:
          schedule: "@daily"
          workflowSpec:
            templates:
              - container: {image: "a:1", command: [python, train.py, "{{inputs.parameters.x}}"]}
              - script:
                  image: b:1
                  command: [bash]
                  source: |
                    set -e
                    python score.py
        """
    )
    assert facts[0].traits["system"] == "kubernetes"
    assert [(f.name, f.site.line) for f in of(facts, Kind.COMMAND)][-1] == ("python score.py", 14)
    assert [f.traits["triggers"] for f in of(facts, Kind.COMMAND)] == ["schedule"] * 2


def test_a_chart_and_a_kustomization_name_what_they_put_together() -> None:
    chart = list(
        charts.extract(
            "c/Chart.yaml",
            b"apiVersion: v2\nname: app\ndependencies:\n  - {name: redis, version: 1.x, repository: r}\n",
        )
    )
    assert [(f.traits["id"], f.site.line, f.traits.get("form")) for f in chart] == [
        ("app", 2, None),
        ("redis", 4, "dependency"),
    ]
    text = b"resources: [../../base, api.yaml]\nimages:\n  - {name: api, newTag: '1.2'}\n"
    (overlay,) = charts.extract("deploy/overlays/prod/kustomization.yaml", text)
    assert overlay.traits["runs"] == ("deploy/base", "deploy/overlays/prod/api.yaml")
    assert (overlay.traits["id"], overlay.traits["images.newTag"]) == ("prod", "1.2")


@pytest.mark.parametrize("wrap", [False, True])
def test_alerts_of_rule_files_and_prometheus_rules_are_resources(wrap: bool) -> None:
    rules = "groups:\n- name: g\n  rules:\n  - alert: Drift\n    expr: drift > 0.2\n    for: 5m\n  - record: r\n    expr: sum(x)\n"
    if wrap:
        inside = "".join(f"  {line}\n" for line in rules.splitlines())
        rules = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nspec:\n" + inside
    facts = list(observability.extract("rules.yml", rules.encode()))
    assert [(f.name, f.traits["id"], f.site.line - 3 * wrap) for f in facts] == [
        ("alert", "Drift", 4),
        ("recording", "r", 7),
    ]
    assert facts[0].traits["expr"] == "drift > 0.2"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("prometheus.yml", "scrape_configs:\n  - job_name: api\n    static_configs: [{targets: ['api:80']}]\n",
         [("scrape", "prometheus", "api", None)]),
        ("alertmanager.yml", "route: {receiver: team}\nreceivers:\n  - name: team\n    slack_configs: [{channel: x}]\n  - name: none\n",
         [("receiver", "alertmanager", "team", None), ("receiver", "alertmanager", "none", "no")]),
        ("otel.yaml", "receivers: {otlp: {}}\nexporters: {debug: {}}\nservice: {pipelines: {traces: {exporters: [debug]}}}\n",
         [("collector", "opentelemetry", "opentelemetry", None)]),
        ("board.json", '{"title": "t", "schemaVersion": 3, "panels": [{"targets": [{"expr": "rate(x)"}]}]}',
         [("dashboard", "grafana", "t", None)]),
        ("fluent-bit.conf", "[INPUT]\n  Name tail\n[OUTPUT]\n  Name es\n", [("collector", "fluent-bit", "fluent-bit", None)]),
        ("a.yaml", "groups: [a, b]\nreceivers: none\n", []),
        ("train.json", '{"panels": 3, "schemaVersion": 1}', []),
    ],
)  # fmt: skip
def test_monitoring_configurations_are_told_by_their_shape(
    path: str, text: str, expected: list[object]
) -> None:
    facts = observability.extract(path, text.encode())
    assert [(f.name, f.traits["system"], f.traits["id"], f.traits.get("enabled")) for f in facts] == expected


@pytest.mark.parametrize(("targets", "enabled"), [("['alerts:9093']", None), ("[]", "no")])
def test_a_prometheus_hands_its_alerts_to_the_targets_that_it_names(
    targets: str, enabled: str | None
) -> None:
    text = (
        f"alerting:\n  alertmanagers:\n    - static_configs: [{{targets: {targets}}}]\nscrape_configs: []\n"
    )
    (alerting,) = observability.extract("prometheus.yml", text.encode())
    assert (alerting.name, alerting.site.line, alerting.traits.get("enabled")) == ("alerting", 1, enabled)


def test_the_files_that_a_config_map_holds_are_read_at_their_lines() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n"
        "  rules.yml: |\n    groups:\n    - name: g\n      rules:\n      - alert: Drift\n        expr: drift > 0.2\n"
        '  board.json: |\n    {"schemaVersion": 3,\n     "panels": [{"targets": [{"expr": "rate(x)"}]}]}\n'
        "  broken.yml: |\n    groups: [\n    {\n"
        "  nested.yml: |\n    apiVersion: v1\n    kind: ConfigMap\n    data: {groups: [{rules: [{alert: x}]}]}\n"
    )
    facts = observability.extract("maps.yaml", text.encode())
    assert [(f.name, f.site.line) for f in facts] == [("alert", 8), ("dashboard", 12)]
    quoted = (
        text.partition("  rules")[0]
        + '  rules.yml: "groups:\\n- name: g\\n  rules:\\n  - alert: Drift\\n    expr: drift > 0.2\\n"\n'
    )
    assert [(f.name, f.site.line) for f in observability.extract("maps.yaml", quoted.encode())] == [
        ("alert", 4)
    ]


def test_a_dashboard_has_its_queries() -> None:
    text = b'{"title": "t", "panels": [{"targets": [{"expr": "rate(x)"}, {"rawSql": "select 1"}]}], "schemaVersion": 3}'
    (board,) = observability.extract("b.json", text)
    assert board.traits["expr"] == ("rate(x)", "select 1")


def test_attributes_of_shared_aliases_are_cut_short() -> None:
    rows = ["a0: &a0 [x]"] + [
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 8)
    ]
    assert len(manifest("apiVersion: v1\nkind: ConfigMap\n" + "\n".join(rows))) == 1


def test_many_documents_and_unclosed_actions_take_linear_time() -> None:
    assert len(manifest("apiVersion: v1\nkind: Service\n---\n" * 3_000)) == 3_000
    mask("{{ if " * 50_000)
    mask("{{ x }}" * 50_000)


PIECES = st.sampled_from(["apiVersion: v1", "kind: Pod", "{{ if x }}", "{{- end }}", "---", "spec: {containers: [{image: a}]}", "- {",
                          "  - script: a && b", "{{ x", "groups: [{rules: [{alert: a}]}]", "receivers: []", "\x00", "{% if %}"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [
            "a.yaml",
            "templates/a.yaml",
            "a.json",
            "Chart.yaml",
            "kustomization.yaml",
            "helmfile.yaml",
            "a.conf",
        ]
    ),
    st.one_of(
        st.binary(max_size=200), st.lists(PIECES, max_size=12).map(lambda rows: "\n".join(rows).encode())
    ),
)
def test_any_bytes_give_facts_or_one_clear_failure(path: str, data: bytes) -> None:
    for extractor in (kubernetes, charts, observability):
        with suppress(ParseFailure):
            assert all(fact.site.path == path for fact in extractor.extract(path, data))
