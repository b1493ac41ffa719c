"""Works out the golden files of the reference pipelines from their sample data and the vendors' rules.

It shares nothing with outflow: Python's csv, json, hashlib and zipfile, and the rules written out a second time.
Run it from the root of the repository; it writes `tests/golden/<name>/expected`.
"""

import base64
import csv
import hashlib
import json
import re
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2019, 1, 3, 13, 5, 32, tzinfo=timezone.utc)


def rows(name):
    path = ROOT / "pipelines" / name
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(case, path, data):
    target = ROOT / "tests/golden" / case / "expected" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))


def table(header, lines, end="\n"):
    """RFC 4180; null is the empty cell and empty text a pair of quotes."""

    def cell(value):
        if value is None:
            return ""
        return '"' + value.replace('"', '""') + '"' if value == "" or re.search('[",\r\n]', value) else value

    return "".join(",".join(map(cell, line)) + end for line in [header, *lines])


def digest(text, algorithm="sha256"):
    return text and hashlib.new(algorithm, text.encode("utf-8")).hexdigest()


def identity(text):
    return text and text.strip().lower()


def phone(text, country=None, plus=True):
    """E.164: international after `+` or `00`, else national without its trunk zero."""
    if not text:
        return text
    digits = re.sub("[^0-9]", "", text)
    if not text.strip().startswith("+"):
        if digits.startswith("00"):
            digits = digits[2:]
        elif country:
            digits = country + (digits if country == "1" else re.sub("^0", "", digits))
    return ("+" if plus else "") + digits


def segment():
    files = {}
    order = []
    for row in rows("segment/data/messages.jsonl"):
        order += [key for key in row if key not in order]
    for row in rows("segment/data/messages.jsonl"):
        at = datetime.fromisoformat(row["receivedAt"].replace("Z", "+00:00")).astimezone(timezone.utc)
        day = int(at.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
        line = {key: row[key] for key in order if row.get(key) is not None}
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        files.setdefault((row["projectId"], day), []).append(text)
    for (source, day), lines in files.items():
        write("segment", f"segment-logs/{source}/{day}/{AT:%Y%m%d%H%M%S}-0001.gz!/content", "".join(lines))


def braze():
    columns = {
        "users.messages.pushnotification.Send": ["id", "user_id", "time", "platform", "device_id", "campaign_id"],
        "users.messages.email.Click": ["id", "user_id", "time", "campaign_id", "url"],
    }
    files = {}
    for row in rows("braze/data/events.jsonl"):
        hour = datetime.fromtimestamp(row["time"], timezone.utc).strftime("%Y-%m-%d-%H")
        line = {key: row.get(key) for key in columns[row["event"]]}
        files.setdefault((row["event"], hour), []).append(json.dumps(line, separators=(",", ":")) + "\n")
    integration = "dataexport.prod-01.S3.integration.69cadaaed2d51b7c75b1a3e5"
    offsets = {}
    for (event, hour), lines in files.items():
        offset = offsets[event] = offsets.get(event, 123455) + 1
        folder = f"currents-export/{integration}/event_type={event}/date={hour}/version=6/us-01"
        write("braze", f"{folder}/{integration}+0+{offset}.jsonl", "".join(lines))


def salesforce():
    common = {"ClientID": "client_id", "SendID": "send_id", "SubscriberKey": "subscriber_key"}
    common |= {"EventDate": "event_date", "BatchID": "batch_id"}
    kinds = {
        "Opens": ("open", {"Device": "device"}),
        "Clicks": ("click", {"URL": "url"}),
        "Bounces": ("bounce", {"BounceCategory": "bounce_category"}),
        "Unsubs": ("unsub", {}),
        "Surveys": ("survey", {}),
    }
    data = rows("salesforce/data/tracking.csv")
    for row in data:
        row["event_date"] = datetime.fromisoformat(row["event_date"][:-1]).strftime("%m/%d/%Y %I:%M:%S %p")
    for name, (kind, own) in kinds.items():
        columns = common | own
        lines = [[row[column] for column in columns.values()] for row in data if row["kind"] == kind]
        text = table(list(columns), lines, "\r\n")
        write("salesforce", f"tracking{AT:%m%d}.zip!/{name}.csv", b"\xff\xfe" + text.encode("utf-16-le"))


def responsys():
    files = {}
    for row in rows("responsys/data/events.jsonl"):
        cells = [row["event_stored_dt"], "1234", row["customer_id"], row["launch_id"]]
        cells += [row["offer_name"], row["offer_url"]]
        one_line = [cell and re.sub("\r\n|\r|\n", " ", cell) for cell in cells]
        files.setdefault(row["event_type"], []).append(one_line)
    header = "EVENT_STORED_DT,ACCOUNT_ID,CUSTOMER_ID,LAUNCH_ID,OFFER_NAME,OFFER_URL".split(",")
    for event, lines in files.items():
        base = f"1234_{event}_{AT:%Y%m%d_%H%M%S}"
        write("responsys", base + ".txt", table(header, lines))
        write("responsys", base + ".count", str(len(lines)))
        write("responsys", base + ".ready", "")


def liveramp():
    header = "CUSTOMERID,EMAIL1,EMAIL2,EMAIL3,PHONE1,PHONE2,PHONE3,FIRSTNAME,LASTNAME,ADDRESS1,ADDRESS2,CITY,STATE,ZIP"
    header = header.split(",") + ["NEWBUYERS"]
    lines = []
    for row in rows("liveramp/data/buyers.csv"):
        known = {
            "CUSTOMERID": row["customer"],
            "EMAIL1": digest(identity(row["email_1"])),
            "EMAIL2": digest(identity(row["email_2"])),
            "PHONE1": digest(phone(row["phone_1"], "32", plus=False), "sha1"),
            "NEWBUYERS": "1",
        }
        lines.append([known.get(name) for name in header])
    write("liveramp", f"Acme_NewBuyers_{AT:%Y-%m-%d}.csv", table(header, lines))


def google():
    def email(text):
        text = identity(text)
        match = text and re.fullmatch("(.*)@(gmail|googlemail)[.]com", text)
        return digest(match[1].replace(".", "") + text[len(match[1]) :] if match else text)

    header = "Email,First Name,Last Name,Country,Zip,Email,Zip,Phone,Phone".split(",")
    lines = [
        [
            email(row["email_1"]), digest(identity(row["first_name"])), digest(identity(row["last_name"])),
            row["country"], row["zip_1"], email(row["email_2"]), row["zip_2"],
            digest(phone(row["phone_1"], "1")), digest(phone(row["phone_2"], "1")),
        ]
        for row in rows("google/data/customers.csv")
    ]
    write("google", f"customer_match_{AT:%Y%m%d}.csv", table(header, lines))


def meta():
    letters = lambda text, keep: text and "".join(c for c in text.strip().lower() if c.isalnum() or c in keep)
    lines = []
    for row in rows("meta/data/people.jsonl"):
        country = identity(row["country"])
        code = row["zip"] and re.sub("[ -]", "", row["zip"].lower())
        plain = [
            identity(row["email"]), phone(row["phone"], plus=False),
            letters(row["first_name"], " "), letters(row["last_name"], " "),
            row["city"] and "".join(c for c in row["city"].lower() if c.isalpha()), identity(row["state"]),
            code and (code[:5] if country == "us" else code), country,
            row["birth"] and row["birth"].replace("-", ""), row["gender"] and row["gender"][0].lower(),
        ]
        lines.append([digest(value) for value in plain] + [row["madid"]])
    header = "email,phone,fn,ln,ct,st,zip,country,dob,gen,madid".split(",")
    write("meta", f"custom_audience_{AT:%Y%m%d%H%M%S}.csv", table(header, lines))


def tiktok():
    for case, plus in [("tiktok-plus", True), ("tiktok-digits", False)]:
        lines = [
            [digest(identity(row["email"])), digest(phone(row["phone"], plus=plus)), digest(identity(row["maid"]), "md5")]
            for row in rows("tiktok/data/people.csv")
        ]
        header = ["Email_SHA256", "Phone_SHA256", "MAID_MD5"]
        write(case, f"audience_{AT:%Y%m%d%H%M%S}.csv", table(header, lines))


def uid2():
    def raw(text):
        return text and base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()

    def email(text):
        name, domain = identity(text).split("@")
        return (name.split("+")[0].replace(".", "") if domain == "gmail.com" else name) + "@" + domain

    lines = [[raw(email(row["email"])), raw(phone(row["phone"]))] for row in rows("uid2/data/people.csv")]
    write("uid2", f"identity_map_{AT:%Y%m%d%H%M%S}.csv", table(["email_hash", "phone_hash"], lines))


if __name__ == "__main__":
    for vendor in (segment, braze, salesforce, responsys, liveramp, google, meta, tiktok, uid2):
        vendor()
