"""Writes locales.json beside this file: what templates need of the Unicode CLDR, through Babel.

    pip install babel==2.18.0 && python generate.py

A locale holds only what differs from its parent: `fr-CA` from `fr`, `fr` from `en`. Special spaces and
direction marks are left out, for the files go to systems that know the ordinary space.

The data is copyright Unicode, Inc. and under the Unicode License v3 (https://www.unicode.org/license.txt).
"""

import json
import pathlib
import re

from babel import Locale, dates, localedata
from babel.core import get_global

LANGUAGES = """af ar az be bg bn bs ca cs cy da de el en es et eu fa fi fil fr ga gl gu he hi hr hu hy id is it ja ka kk
km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn no pa pl pt ro ru si sk sl sq sr sv sw ta te th tr uk ur uz vi zh
zu""".split()
CURRENCIES = """USD EUR GBP JPY CHF CAD AUD NZD CNY INR BRL MXN SEK NOK DKK PLN CZK HUF RON BGN RUB UAH TRY ZAR KRW ILS
HKD SGD TWD PHP THB IDR MYR VND""".split()
LENGTHS = ["full", "long", "medium", "short"]


def plain(text):
    text = re.sub("[\u00a0\u202f\u2009]", " ", text)
    return re.sub("[\u200e\u200f\u061c]", "", text)


def names(table, first, last):
    return [plain(table[index]) for index in range(first, last + 1)]


def pattern(text):
    # Parts of the day other than a.m. and p.m. need rules of their own.
    return plain(re.sub("B+|b+", "a", text))


def record(locale):
    number = locale.decimal_formats[None].pattern
    symbols = locale.number_symbols.get("latn") or locale.number_symbols
    periods = locale.day_periods["format"]
    periods = periods.get("abbreviated") or periods["wide"]
    zones = locale.time_zones.get("Etc/UTC", {})
    return {
        "date": [pattern(locale.date_formats[length].pattern) for length in LENGTHS],
        "time": [pattern(locale.time_formats[length].pattern) for length in LENGTHS],
        "both": [plain(str(locale.datetime_formats[length])) for length in LENGTHS],
        "months": names(locale.months["format"]["wide"], 1, 12),
        "months_short": names(locale.months["format"]["abbreviated"], 1, 12),
        "days": names(locale.days["format"]["wide"], 0, 6),
        "days_short": names(locale.days["format"]["abbreviated"], 0, 6),
        "halves": [plain(periods["am"]), plain(periods["pm"])],
        "era": [plain(locale.eras["abbreviated"][1]), plain(locale.eras["wide"][1])],
        "utc": [plain(zones.get("long", {}).get("standard") or "UTC"), plain(locale.zone_formats["gmt"].replace("%s", "{0}"))],
        "number": [plain(symbols["decimal"]), plain(symbols["group"]), plain(symbols["minusSign"]), plain(number)],
        "amount": plain(locale.currency_formats["standard"].pattern),
        "signs": {code: plain(locale.currency_symbols.get(code, code)) for code in CURRENCIES},
    }


def difference(own, parent):
    result = {}
    for key, value in own.items():
        if key == "signs":
            value = {code: sign for code, sign in value.items() if sign != parent[key][code]}
            if value:
                result[key] = value
        elif value != parent[key]:
            result[key] = value
    return result


def main():
    root = record(Locale.parse("en"))
    locales = {}
    for name in sorted(localedata.locale_identifiers()):
        parts = name.split("_")
        if parts[0] not in LANGUAGES or len(parts) > 2 and parts[:2] != ["zh", "Hant"]:
            continue
        locale = Locale.parse(name)
        if len(parts) == 1:
            parent = root
        else:
            parent = record(Locale.parse("_".join(parts[:-1])))
        own = record(locale) if name != "en" else root
        own = own if name == "en" else difference(own, parent)
        if own or len(parts) == 1:
            locales[name.replace("_", "-")] = own
    decimals = {code: digits[0] for code, digits in get_global("currency_fractions").items() if len(code) == 3}
    decimals = {code: digits for code, digits in sorted(decimals.items()) if digits != 2}
    lines = [f"    {json.dumps(name)}: {json.dumps(locales[name], ensure_ascii=False)}" for name in sorted(locales)]
    text = '{\n  "decimals": ' + json.dumps(decimals) + ',\n  "locales": {\n' + ",\n".join(lines) + "\n  }\n}\n"
    pathlib.Path(__file__).with_name("locales.json").write_text(text, encoding="utf-8")


main()
