# Builds the document of an APSIS request from long rows, as the vendor describes it. Owes nothing to the program under
# test, nor to profiles.py. Called with --argjson request and --slurpfile rows.

def kinds: map(if type == "string" then {key: ., value: "text"} else {key: .id, value: .type} end) | from_entries;

# The value as the document has it; nothing when it is not of its kind.
def valued($kind):
  if . == null or $kind == "json" or type == $kind then .
  elif $kind == "text" then (if type == "string" then . else tojson end)
  else empty end;

def event:
  select((.created_at | type) == "number")
  | select((.source_event_time | type) | . == "null" or . == "number")
  | select((.data | type) | . == "null" or . == "object")
  | {correlationId: .correlation_id, sourceEventTime: (.source_event_time // 0), typeId: .id, createdAt: .created_at,
     data: (.data // {})};

def listed($ids): . as $id | $ids | any(. == $id);

# What a row brings to its section, and where; nothing when the row is wrong, no place when nobody asked for it.
def change($section; $from; $to):
  def at($asked; $place): {at: (if $asked then $place else null end), value: .};
  .id as $id
  | if .kind == "attribute" then
      [.value | valued($section.kinds[$id] // "json")][]
      | {value: .} | at($section.kinds | has($id); ["attributes", $id])
    elif .kind == "tag" then {value: null} | at($id | listed($section.tags); ["attributes", $id])
    elif .kind == "topic" then {value} | at($id | listed($section.topics); ["topics", $id])
    elif .kind == "event" then
      event | at(($id | listed($section.events)) and $from <= .createdAt and .createdAt < $to; ["events"])
    else empty end;

($request.sections | map({key: .section, value: {
  kinds: (.attributes // [] | kinds), tags: (.tags // []), topics: (.topics // []), events: (.events // [])
}}) | from_entries) as $wanted
| $request.window as [$from, $to]
| reduce ($rows[] | select(.profile and .section and .id and $wanted[.section])) as $row ({};
    $wanted[$row.section] as $section
    | reduce ($row | change($section; $from; $to)) as $change (.;
        .[$row.profile].sections[$row.section] |= (
          . // ({attributes: {}}
            + if $section.events == [] then {} else {events: []} end
            + if $section.topics == [] then {} else {topics: {}} end)
          | if $change.at == null then .
            elif $change.at == ["events"] then .events += [$change.value]
            else setpath($change.at; $change.value) end)))
| {profiles: .}
