"""Inputs that stress other parts of a reader than the events do: long values with line ends, many columns, hardly any values,
letters beyond ASCII, and rows so short that the work a row costs is all there is.

Every shape starts with `email`, `kind` and `variant`, which the job works on; all other columns pass through."""

from suite import words

# How many rows there are for each row of the events, so that all inputs have bytes of the same order.
SCALE = {"long": 0.2, "wide": 0.25, "sparse": 1, "world": 1, "tiny": 4}

TITLES = {
    "long": "long quoted values with line ends",
    "wide": "200 columns",
    "sparse": "40 columns, 19 of 20 values missing",
    "world": "text beyond ASCII",
    "tiny": "rows of 20 bytes",
}

VARIANT = "CASE WHEN (b>>33)%2=0 THEN NULL ELSE {} END AS variant"
WIDE = 200
SPARSE = 40


def rows_of(shape, events):
    """How many rows a shape has where there are this many events."""
    return int(events * SCALE[shape])


def query(shape, count, rows, pick):
    """SQL of a shape's rows; `rows` and `pick` are the generator's."""
    columns = globals()[f"_{shape}"](pick)
    return f"{rows(count)} SELECT {', '.join(columns)} FROM keys"


def _head(pick):
    return ["em AS email", f"{pick(words.ACTIONS, 'b>>27')} AS kind", VARIANT.format(pick(words.VARIANTS, "b>>35"))]


def _long(pick):
    """Ten to fifty sentences a body; lists are made from numbers that the row's hash is spread over."""
    sentences = pick(words.SENTENCES, "(b>>(n%40))+n")
    body = f"array_to_string(list_transform(range((10+(c%40))::BIGINT), lambda n: {sentences}), chr(10))"
    return _head(pick) + [f"{pick(words.SUBJECTS, 'c>>43')} AS subject", f"{body} AS body", "cid AS customer_id"]


def _wide(pick):
    extra = (f"((a>>{column % 37})%{10 ** (1 + column % 6)})::BIGINT AS c{column:03}" for column in range(3, WIDE))
    return _head(pick) + list(extra)


def _sparse(pick):
    def value(column):
        # A multiple of the number that is odd and differs by column, so that each column has its own holes.
        return (f"CASE WHEN ((a%1000003)*{2 * column + 1}+(b%1009))%20=0 THEN 'value '||(c%{100 + column})::VARCHAR END "
                f"AS s{column:02}")

    return _head(pick) + [value(column) for column in range(3, SPARSE)]


def _world(pick):
    address = f"{pick(words.WORLD_NAMES, 'cid')}||'.'||(cid%99991)::VARCHAR||'@example.org'"
    name = f"CASE WHEN b%4=0 THEN upper({address}) ELSE {address} END AS email"
    text = [f"{pick(words.WORLD, f'(a>>{shift})')}||' '||{pick(words.WORLD, f'(c>>{shift})')} AS t{shift:02}"
            for shift in range(5, 45, 5)]
    return [name] + _head(pick)[1:] + text


def _tiny(pick):
    return ["'u'||(a%100000)::VARCHAR||'@x.io' AS email", f"{pick(['in', 'out'], 'b>>27')} AS kind",
            VARIANT.format(pick(["A", "B"], "b>>35"))]
