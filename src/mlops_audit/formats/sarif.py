"""The report as SARIF 2.1.0, as GitHub code scanning takes it."""

from __future__ import annotations

from typing import Any

from mlops_audit.safe import prose, sarif_message, shortened, uri, web_link

Document = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "major": "warning", "minor": "note", "note": "note"}
LEVEL_OF_WEIGHT = {3: "error", 2: "warning", 1: "note"}
SEVERITY_OF_LEVEL = {"error": "error", "warning": "warning", "note": "recommendation"}
LONGEST = 1024  # characters of a description that code scanning takes
RELATED = 10  # further places that a result names


def sarif(document: Document) -> Document:
    """A SARIF log of one run: one result for each finding that is partial or missing, no passes, every place real.

    Code scanning shows passes and suppressed results as open alerts and rejects a whole upload for one result without
    a place, so there are none of either.
    """
    aspects = [aspect for pillar in document["pillars"] for aspect in pillar["aspects"]]
    titles = {pillar["id"]: pillar["title"] for pillar in document["pillars"]}
    places = {aspect["id"]: number for number, aspect in enumerate(aspects)}
    run: Document = {
        "tool": {
            "driver": {
                "name": document["tool"]["name"],
                "version": document["tool"]["version"],
                "semanticVersion": document["tool"]["version"],
                "rules": [_rule(aspect, titles[aspect["id"].partition("/")[0]]) for aspect in aspects],
            }
        },
        "automationDetails": {"id": "mlops-audit/repository/"},
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the audited repository."}}},
        "invocations": [
            {"executionSuccessful": True, "toolExecutionNotifications": _notifications(document, places)}
        ],
        "results": [_result(aspect, places[aspect["id"]]) for aspect in aspects if aspect["location"]],
        "properties": {
            "maturity": document["maturity"]["level"],
            "score": document["score"],
            "pillars": {pillar["id"]: pillar["score"] for pillar in document["pillars"]},
        },
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(aspect: Document, pillar: str) -> Document:
    level = LEVEL_OF_WEIGHT[aspect["weight"]]
    links = [link for link in map(web_link, aspect["references"]) if link]
    rule: Document = {
        "id": aspect["id"],
        "name": "".join(word.capitalize() for word in aspect["id"].replace("/", "-").split("-")),
        "shortDescription": {"text": sarif_message(aspect["title"])},
        "fullDescription": {"text": sarif_message(shortened(aspect["why"] or aspect["title"], LONGEST // 2))},
        "help": {
            "text": sarif_message(f"{aspect['why']} How to fix it: {aspect['fix']}"),
            "markdown": _help(aspect, links),
        },
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["mlops", pillar],
            "precision": "high",
            "problem.severity": SEVERITY_OF_LEVEL[level],
        },
    }
    if links:
        rule["helpUri"] = links[0]
    return rule


def _help(aspect: Document, links: list[str]) -> str:
    parts = [
        f"**Why it matters.** {prose(aspect['why'])}",
        f"**How to fix it.** {prose(aspect['fix'])}",
        f"**It passes when:** {prose(aspect['passes_when'])}",
    ]
    if links:
        parts.append("**References**\n\n" + "\n".join(f"- <{link}>" for link in links))
    return "\n\n".join(parts)


def _result(aspect: Document, index: int) -> Document:
    place = aspect["location"]
    result: Document = {
        "ruleId": aspect["id"],
        "ruleIndex": index,
        "kind": "fail",
        "level": LEVELS[aspect["severity"]],
        "message": {"text": sarif_message(_message(aspect))},
        "locations": [
            {
                "physicalLocation": _physical(place["path"], place["line"], place["end_column"]),
                "logicalLocations": [
                    {"fullyQualifiedName": aspect["project"] or "repository", "kind": "resource"}
                ],
            }
        ],
        "partialFingerprints": {
            "primaryLocationLineHash": place["line_hash"],
            "mlopsAudit/v1": place["fingerprint"],
        },
        "properties": {"severity": aspect["severity"], "verdict": aspect["verdict"]},
    }
    related = _related(aspect)
    if related:
        result["relatedLocations"] = related
    if not place["exists"]:
        result["properties"]["expectedPaths"] = [place["path"]]
    return result


def _message(aspect: Document) -> str:
    """The title and the verdict in the first sentence, which is all that lists show, then what was found and lacks."""
    words = "is only begun" if aspect["verdict"] == "partial" else "is missing"
    parts = [f"{aspect['title']} {words}."]
    found = list(dict.fromkeys(piece["signal"] for piece in aspect["evidence"]))
    if found:
        parts.append(f"Found: {', '.join(found)}.")
    if aspect["lacks"]:
        parts.append(f"Lacks: {', '.join(aspect['lacks'])}.")
    parts.append(f"Fix: {aspect['fix']}")
    if not aspect["location"]["exists"]:
        parts.append(f"Expected at, for example, {aspect['location']['path']}.")
    return " ".join(parts)


def _related(aspect: Document) -> list[Document]:
    """The evidence of a partial, each place once; the line of a notebook's cell is no line of its file."""
    places: dict[tuple[str, int], str] = {}
    for piece in aspect["evidence"]:
        line = 1 if piece["cell"] else max(piece["line"], 1)
        places.setdefault((piece["path"], line), f"{piece['signal']} ({piece['strength']})")
    return [
        {
            "id": number,
            "message": {"text": sarif_message(text)},
            "physicalLocation": _physical(path, line, 0),
        }
        for number, ((path, line), text) in enumerate(list(places.items())[:RELATED], 1)
    ]


def _files(aspect: Document) -> str:
    rest = f" and {aspect['unread_left_out']} more" if aspect["unread_left_out"] else ""
    return ", ".join(aspect["unread"]) + rest


def _physical(path: str, line: int, end_column: int) -> Document:
    region = {"startLine": line}
    if end_column:
        region |= {"startColumn": 1, "endLine": line, "endColumn": end_column}
    return {"artifactLocation": {"uri": uri(path), "uriBaseId": "%SRCROOT%"}, "region": region}


def _broken_or_unread(problem: Document) -> str:
    return f"{'Not read' if problem['reason'].startswith('skipped') else 'Broken'}: {problem['reason']}"


def _notifications(document: Document, places: dict[str, int]) -> list[Document]:
    """What was not read, and which aspects nobody can know because of it: no result, but no silence either."""
    unknown = [a for pillar in document["pillars"] for a in pillar["aspects"] if a["verdict"] == "unknown"]
    return [
        {
            "level": "warning",
            "message": {"text": sarif_message(f"Unknown: {a['title']}. Not read: {_files(a)}.")},
            "associatedRule": {"id": a["id"], "index": places[a["id"]]},
        }
        for a in unknown
    ] + [
        {
            "level": "warning",
            "message": {"text": sarif_message(_broken_or_unread(problem))},
            "locations": [{"physicalLocation": _physical(problem["path"], max(problem["line"], 1), 0)}],
        }
        for problem in document["problems"]
    ]
