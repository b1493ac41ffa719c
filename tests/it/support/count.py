"""Counts a Simon delivery from outside: reads the sample and the delivered folder with the csv, json and hashlib
of Python, works out every file of the feed by the vendor's rules, and says what differs. It shares no code with
outflow and knows one pipeline only, `pipelines/simon/welcome-flow.yaml`.

    count.py SAMPLE DELIVERED [--url URL] [--bucket NAME] [--path PATH] [--plain]

Prints one JSON object with the counts; ends with 1 and the differences when there are some.
"""
import argparse, collections, csv, datetime, hashlib, io, json, pathlib, re, sys

COLUMNS = ["identifier", "timestamp", "segment_name", "flow_name", "action", "variant", "operation"]
CONTEXTS = ["full_name", "greeting", "member_since", "country", "customer_number", "points", "phone", "preferences"]
ACTIONS = ["data_feed", "email_welcome", "list_sync"]
NAME = re.compile(r"(\d{4})/(\d\d)/(\d\d)/acme_welcome-flow_(add|remove)_([0-9a-f]{8})_(\d{14})\.csv")


class Number(str):
    """A number as it stands in the source."""


def text(value):
    """A JSON value as the text that leaves: numbers as written, nested values as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sha256(value):
    return value and hashlib.sha256(value.encode()).hexdigest()


def contact(record, plain):
    """The columns of a contact that do not depend on the action, by name."""
    get = record.get
    signed_up = datetime.datetime.strptime(get("sign_up_date"), "%Y-%m-%d %H:%M:%S")
    identifier = get("identifier")
    phone = get("phone")
    return {
        "identifier": identifier if plain else sha256(identifier.strip().lower()),
        "variant": get("variant"),
        "operation": get("operation"),
        "full_name": f"{get('first_name') or ''} {get('last_name') or ''}",
        "greeting": get("first_name") or "friend",
        "member_since": f"{signed_up:%b} {signed_up.day}, {signed_up.year}",
        "country": get("country"),
        "customer_number": get("customer_number"),
        "points": text(get("points")),
        "phone": phone and sha256("".join(c for c in phone if c in "0123456789")),
        "preferences": text(get("preferences")),
    }


def cell(value):
    """A CSV cell: null is empty, an empty text is quoted, so is what would be misread."""
    if value is None:
        return ""
    if value == "" or any(c in value for c in ',"\n\r'):
        return '"' + value.replace('"', '""') + '"'
    return value


def expected_files(sample, plain):
    """Rows by operation, in the order of the source."""
    rows = collections.defaultdict(list)
    with open(sample, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line, parse_int=Number, parse_float=Number)
            columns = contact(record, plain)
            rows[columns["operation"]] += [{**columns, "action": action} for action in ACTIONS]
    return rows


def as_csv(rows, stamp):
    constant = {"timestamp": stamp, "segment_name": "New buyers", "flow_name": "Welcome flow"}
    lines = [",".join(COLUMNS + CONTEXTS)]
    lines += [",".join(cell({**constant, **row}[name]) for name in COLUMNS + CONTEXTS) for row in rows]
    return "\n".join(lines) + "\n"


def control(name, rows, options):
    file = {
        "bucket": options.bucket, "path": options.path, "file_type": "csv", "file": f"{options.url}/{name}",
        "rows": rows, "flow_ID": "4711", "flow_name": "Welcome flow",
    }
    return json.dumps({"delta": True, "file_count": 1, "files": [file]}, separators=(",", ":")) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sample")
    parser.add_argument("delivered", type=pathlib.Path)
    parser.add_argument("--url", default="file://out", help="URL of the target, as control files spell it")
    parser.add_argument("--bucket", default="out")
    parser.add_argument("--path", default="")
    parser.add_argument("--plain", action="store_true", help="identifiers are not hashed")
    options = parser.parse_args()

    expected = expected_files(options.sample, options.plain)
    found = {p.relative_to(options.delivered).as_posix(): p for p in options.delivered.rglob("*") if p.is_file()}
    counts, wrong = {}, []
    for operation, rows in sorted(expected.items()):
        names = [name for name in found if (m := NAME.fullmatch(name)) and m[4] == operation]
        if len(names) != 1:
            wrong.append(f"{len(names)} data files for `{operation}` instead of 1")
            continue
        name = names[0]
        match = NAME.fullmatch(name)
        if "".join(match.group(1, 2, 3)) != match[6][:8]:
            wrong.append(f"{name}: folder and time stamp are of different days")
        content = found.pop(name).read_bytes().decode("utf-8")
        stamp = datetime.datetime.strptime(match[6], "%Y%m%d%H%M%S").strftime("%Y-%m-%d %H:%M:%S")
        if content != as_csv(rows, stamp):
            pairs = zip(as_csv(rows, stamp).split("\n"), content.split("\n"))
            line = next(((n, a, b) for n, (a, b) in enumerate(pairs, 1) if a != b), "the number of lines differs")
            wrong.append(f"{name}: {line}")
        records = list(csv.DictReader(io.StringIO(content, newline="")))
        counts[operation] = {
            "rows": len(records),
            "contacts": sum(record["action"] == "data_feed" for record in records),
            "identifiers": len({record["identifier"] for record in records}),
        }
        folder, base = name.rsplit("/", 1)
        beside = f"{folder}/control_{base.removesuffix('.csv')}.json"
        if beside not in found:
            wrong.append(f"{beside} is missing")
        elif (body := found.pop(beside).read_bytes().decode()) != control(name, len(records), options):
            wrong.append(f"{beside}: {body}")
    wrong += [f"{name} should not be there" for name in found]
    print(json.dumps(counts, sort_keys=True))
    if wrong:
        sys.exit("\n".join(wrong))


main()
