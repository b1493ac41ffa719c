"""Builds the APSIS document of a request from long rows, as the vendor describes it, and compares: file, request, rows.

Owes nothing to the program under test. Prints nothing when all is well.
"""

import gzip
import json
import sys

TYPES = {"text": str, "number": (int, float), "boolean": bool, "json": (dict, list)}


def built(request, rows):
    wanted = {section["section"]: section for section in request["sections"]}
    start, end = request["window"]
    profiles = {}
    for row in rows:
        section = wanted.get(row["section"])
        if section is None or row["kind"] not in ("attribute", "tag", "event"):
            continue
        kinds = {a if isinstance(a, str) else a["id"]: "text" if isinstance(a, str) else a["type"]
                 for a in section.get("attributes", [])}
        value = row.get("value")
        if row["kind"] == "attribute" and value is not None and not isinstance(value, TYPES[kinds.get(row["id"], "text")]):
            continue
        if row["kind"] == "event" and not isinstance(row["created_at"], int):
            continue
        sections = profiles.setdefault(row["profile"], {"sections": {}})["sections"]
        place = sections.setdefault(row["section"], {"attributes": {}})
        if section.get("events"):
            place.setdefault("events", [])
        if row["kind"] == "attribute" and row["id"] in kinds:
            place["attributes"][row["id"]] = {"value": value}
        elif row["kind"] == "tag" and row["id"] in section.get("tags", []):
            place["attributes"][row["id"]] = {"value": None}
        elif row["kind"] == "event" and row["id"] in section.get("events", []) and start <= row["created_at"] < end:
            place["events"].append({
                "correlationId": row["correlation_id"],
                "sourceEventTime": row.get("source_event_time") or 0,
                "typeId": row["id"],
                "createdAt": row["created_at"],
                "data": row["data"],
            })
    return {"profiles": profiles}


def main(path, request, rows):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        found = json.loads(file.read().decode("utf-8"))
    with open(rows, encoding="utf-8") as file:
        expected = built(json.loads(request), [json.loads(line) for line in file])
    assert list(found) == ["profiles"], list(found)
    assert list(found["profiles"]) == sorted(expected["profiles"]), "the keys are not in order"
    assert len(expected["profiles"]) > 50, "too few profiles to tell anything"
    for key, profile in expected["profiles"].items():
        sections = found["profiles"][key]["sections"]
        assert list(sections) == sorted(profile["sections"]), "the sections are not in order"
        for name, section in profile["sections"].items():
            one, other = json.dumps(sections[name]), json.dumps(section)
            assert one == other, (key, name, one, other)
    assert found == expected


main(*sys.argv[1:])
