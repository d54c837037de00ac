#!/usr/bin/env bash
# The script of the action. Reads INPUT_* and what GitHub Actions sets; MLOPS_AUDIT names an installed program instead of
# installing one. Exits as the audit does.
set -euo pipefail

fault() { printf '::error title=mlops-audit::%s\n' "$1" >&2; exit 2; }

newline=$'\n'
sarif=${INPUT_SARIF:-mlops-audit.sarif}
for word in "$sarif" "${INPUT_HTML:-}" "${INPUT_PATH:-.}"; do
  case $word in *"$newline"* | -*) fault 'a path must be one line and must not begin with a hyphen' ;; esac
done
path=${INPUT_PATH:-.}
place=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/mlops-audit-XXXXXX")
token=${GH_TOKEN:-}
unset GH_TOKEN   # only the comment needs it

install() {
  local source=${GITHUB_ACTION_PATH:?} version=${INPUT_VERSION:-}
  if [ -n "$version" ]; then
    [[ $version =~ ^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?$ ]] || fault 'the input version is no version'
    source="mlops-audit==$version"
  fi
  python3 -m venv "$place/venv" >&2
  "$place/venv/bin/python" -I -m pip install --quiet --disable-pip-version-check "$source" >&2
  printf '%s\n' "$place/venv/bin/mlops-audit"
}

program=${MLOPS_AUDIT:-}
[ -n "$program" ] || program=$(install)

words=(audit "$path" --format github --output "sarif=$sarif" --output "json=$place/report.json")
[ -z "${INPUT_HTML:-}" ] || words+=(--output "html=$INPUT_HTML")
[ -z "${INPUT_FAIL_BELOW_MATURITY:-}" ] || words+=("--fail-below-maturity=$INPUT_FAIL_BELOW_MATURITY")
while read -r -a scores; do
  for score in ${scores[@]+"${scores[@]}"}; do words+=("--fail-below-score=$score"); done
done <<< "${INPUT_FAIL_BELOW_SCORE:-}"
[ -z "${INPUT_FAIL_ON:-}" ] || words+=("--fail-on=$INPUT_FAIL_ON")
[ -z "${INPUT_PROFILE:-}" ] || words+=("--profile=$INPUT_PROFILE")
[ "${INPUT_STRICT:-false}" != true ] || words+=(--strict)

# A pull request must not lower its own gate: its configuration is that of the branch it goes to.
base=
if [ -n "${GITHUB_BASE_REF:-}" ]; then
  base="origin/$GITHUB_BASE_REF"
  if git -c core.fsmonitor=false -C "$path" rev-parse --verify --quiet --end-of-options "refs/remotes/$base^{commit}" > /dev/null; then
    words+=("--config-from=$base")
  else
    printf '::warning title=mlops-audit::The base branch is not in this clone (fetch-depth: 0 brings it): the configuration of the pull request itself is used, and nothing is compared.\n'
    base=
  fi
fi

status=0
"$program" "${words[@]}" || status=$?

if [ -s "$place/report.json" ] && [ -n "${GITHUB_OUTPUT:-}" ]; then
  python3 -I - "$place/report.json" >> "$GITHUB_OUTPUT" <<'OUTPUTS'
import json, sys
report = json.load(open(sys.argv[1], encoding="utf-8"))
score = report["score"]
print(f"level={int(report['maturity']['level'])}")
print(f"score={'' if score is None else float(score)}")
print("pillars=" + json.dumps({p["id"]: p["score"] for p in report["pillars"]}))
OUTPUTS
  printf 'sarif=%s\n' "$sarif" >> "$GITHUB_OUTPUT"
fi

# One comment, known by its first line and written by a bot, is made once and then replaced.
comment() {
  local marker='<!-- mlops-audit -->' number known body=$place/comment.md compared=0
  number=$(python3 -I -c 'import json, sys; print(int(json.load(open(sys.argv[1]))["pull_request"]["number"]))' "${GITHUB_EVENT_PATH:?}") || return 1
  "$program" compare "$base" HEAD --merge-base --repository "$path" --quiet --format markdown > "$body" || compared=$?
  [ "$compared" -le 1 ] && [ -s "$body" ] || return 1
  export GH_TOKEN=$token
  known=$(gh api --paginate "repos/${GITHUB_REPOSITORY:?}/issues/$number/comments" \
    --jq ".[] | select(.user.type == \"Bot\") | select(.body | startswith(\"$marker\")) | .id" | head -n 1) || return 1
  if [[ $known =~ ^[0-9]+$ ]]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$known" --field "body=@$body"
  else
    gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/$number/comments" --field "body=@$body"
  fi
}
if [ "${INPUT_COMMENT:-false}" = true ] && [ -n "$base" ]; then
  comment || printf '::warning title=mlops-audit::The pull request could not be commented on. It needs the permission pull-requests: write, which pull requests from forks do not get.\n'
fi

exit "$status"
