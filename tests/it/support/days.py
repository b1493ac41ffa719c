"""Prints where the days of time zones begin, by Python's own reading of the zones: for each zone a line with its name
and, of every day that does not begin 86400 seconds after the one before, its beginning in seconds since 1970."""

import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

FIRST, LAST = date(1970, 1, 2), date(2037, 12, 31)
HOUR = 3600


def local(zone, second):
    return datetime.fromtimestamp(second, zone)


def begins(zone, day):
    """The first second whose date is not before this one."""
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp())
    early, late = midnight - 20 * HOUR, midnight + 30 * HOUR
    offsets = {int(local(zone, at).utcoffset().total_seconds()) for at in (early, late)}
    if len(offsets) == 1:
        return midnight - offsets.pop()
    at = early
    while local(zone, at).date() < day:
        at += HOUR // 4
    low = at - HOUR // 4
    while low + 1 < at:
        middle = (low + at) // 2
        if local(zone, middle).date() < day:
            low = middle
        else:
            at = middle
    return at


for name in sys.argv[1:]:
    zone, odd, before, day = ZoneInfo(name), [], None, FIRST
    while day <= LAST:
        start = begins(zone, day)
        if before is None or start not in (before, before + 86400):
            odd.append(str(start))
        before, day = start, day + timedelta(days=1)
    print(name, " ".join(odd))
