"""Writes the inputs of the workloads with DuckDB. All that varies in a row comes from MD5 of its number, so the rows depend on
neither machine nor version, and those of a small input are the first ones of a larger.

Run by the suite as `python -m suite.generate FOLDER KIND ROWS NAME`, where the kind is `events`, `calls` or a shape."""

import os
import sys

import duckdb
from suite import shapes, words

# Keys a generated row draws from: `a`, `b` and `c` are random, `cid` is the customer, `sec` the moment, `em` the address.
# Shifts pick independent bits; two columns that share a shift are meant to go together.
START = "TIMESTAMP '2026-09-01 00:00:00' + to_seconds(sec)"


def pick(values, number):
    """SQL that picks one of the words."""
    quoted = ",".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"([{quoted}])[(1+({number})%{len(values)})::BIGINT]"


def rows(count):
    """SQL of the random keys of every row, as the common table `keys`."""
    address = (f"{pick(words.FIRST_NAMES, 'cid')}||'.'||{pick(words.LAST_NAMES, 'cid//40')}||(cid%9973)::VARCHAR"
               f"||'@'||{pick(words.DOMAINS, 'cid//1600')}")
    return f"""
        WITH hashes AS (
            SELECT i, md5_number_lower(i::VARCHAR) a, md5_number_upper(i::VARCHAR) b, md5_number_lower('x'||i::VARCHAR) c
            FROM range({count}) numbers(i)
        ), people AS (
            SELECT *, (a%2500000)::BIGINT cid, ((a>>21)%2592000)::BIGINT sec, ((b>>7)%20)::BIGINT client, (c%1000)::BIGINT kind
            FROM hashes
        ), keys AS (SELECT *, {address} AS em FROM people)"""


PRODUCT = "((c>>13)%90000)::VARCHAR"
IP = "'10.'||((a>>3)%256)::VARCHAR||'.'||((a>>11)%256)::VARCHAR||'.'||((a>>19)%256)::VARCHAR"
PRICE = "((c>>31)%50000)/100.0"


def events(count):
    """SQL of the events, typed, with the day that W5 splits by."""
    properties = (
        f"""'{{"url":"https://shop.example.com/p/'||{PRODUCT}||'?utm_source=crm","ip":"'||{IP}||'","ua":"'"""
        f"""||{pick(words.USER_AGENTS, 'c>>51')}||'","tags":["t'||((c>>5)%40)::VARCHAR||'","t'||((c>>6)%40)::VARCHAR"""
        f"""||'"],"utm":{{"source":"crm","medium":"email","campaign":"c'||((c>>10)%5000)::VARCHAR"""
        f"""||'"}},"qty":'||((c>>17)%5)::VARCHAR||'}}'""")
    # One address in five has a blank or a capital that normalising takes away.
    spelled = """CASE WHEN b%10=0 THEN upper(em[1])||em[2:] WHEN b%10=1 THEN em||' '
                 WHEN b%10=2 THEN ' '||upper(em[1])||em[2:] ELSE em END"""
    return f"""{rows(count)} SELECT
        {spelled} AS email,
        {START} AS timestamp,
        {pick(words.SEGMENTS, 'b>>11')} AS segment_name,
        {pick(words.FLOWS, 'b>>19')} AS flow_name,
        {pick(words.ACTIONS, 'b>>27')} AS action,
        CASE WHEN (b>>33)%2=0 THEN NULL ELSE {pick(words.VARIANTS, 'b>>35')} END AS variant,
        CASE WHEN (b>>39)%8=0 THEN 'remove' ELSE 'add' END AS operation,
        lpad(client::VARCHAR,4,'0') AS client_id,
        100000+((c>>10)%5000)::BIGINT AS campaign_id,
        upper(substr(md5((c%30000)::VARCHAR),1,10)) AS offer_code,
        {pick(words.COUNTRIES, 'c>>23')} AS country,
        CASE WHEN (c>>27)%10<6 THEN 0 ELSE {PRICE} END::DECIMAL(10,2) AS revenue,
        {pick(words.SUBJECTS, 'c>>43')} AS subject,
        {properties} AS properties,
        strftime({START}, '%Y%m%d') AS dt
        FROM keys"""


def calls(count):
    """SQL of the calls, one line of JSON each."""
    context = (
        f"""'{{"ip":"'||{IP}||'","userAgent":"'||{pick(words.USER_AGENTS, 'c>>51')}||'","locale":"'||{pick(words.LOCALES, 'c>>23')}"""
        f"""||'","page":{{"path":"/p/'||{PRODUCT}||'","title":"Item \\"'||{PRODUCT}"""
        f"""||'\\", new","referrer":"https://news.example.com/"}},"campaign":{{"name":"c'||((c>>10)%5000)::VARCHAR"""
        f"""||'","medium":"email"}}}}'""")
    properties = (
        f"""'{{"category":"cat'||((c>>5)%40)::VARCHAR||'","url":"https://shop.example.com/p/'||{PRODUCT}"""
        f"""||'","products":[{{"sku":"S'||{PRODUCT}||'","price":'||({PRICE})::DECIMAL(10,2)::VARCHAR"""
        f"""||',"quantity":'||(1+(c>>17)%5)::VARCHAR||'}}],"coupon":null,"first":'"""
        f"""||CASE WHEN c%2=0 THEN 'true' ELSE 'false' END||'}}'""")
    traits = (
        """'{"email":"'||em||'","first_name":"'||upper(em[1])||em[2:6]||'","plan":"'||CASE WHEN c%3=0 THEN 'pro' ELSE 'free' END"""
        """||'","createdAt":"2024-01-01T00:00:00Z","address":{"city":"Liège","zip":"4000"},"logins":'||(c%300)::VARCHAR||'}'""")
    group = """'{"name":"Group '||(c%500)::VARCHAR||'","seats":'||(c%90)::VARCHAR||'}'"""
    return f"""{rows(count)}, typed AS (
        SELECT *, CASE WHEN kind<600 THEN 'track' WHEN kind<800 THEN 'page' WHEN kind<900 THEN 'identify'
            WHEN kind<950 THEN 'screen' WHEN kind<990 THEN 'group' ELSE 'alias' END AS type FROM keys
    ) SELECT '{{"type":"'||type||'","messageId":"'||md5('m'||i::VARCHAR)||'","userId":"u'||cid::VARCHAR||'","timestamp":"'
        ||strftime({START},'%Y-%m-%dT%H:%M:%S.000Z')||'","context":'||{context}||CASE type
        WHEN 'track' THEN ',"event":"'||{pick(words.TRACKED, 'c>>41')}||'","properties":'||{properties}
        WHEN 'page' THEN ',"name":"Product","properties":'||{properties}
        WHEN 'screen' THEN ',"name":"Home","properties":'||{properties}
        WHEN 'identify' THEN ',"traits":'||{traits}
        WHEN 'group' THEN ',"groupId":"g'||(c%500)::VARCHAR||'","traits":'||{group}
        ELSE ',"previousId":"anon-'||md5('p'||i::VARCHAR)||'"' END||'}}' AS line FROM typed"""


# Writes a column of text as it is: no field can hold the separator, and nothing is quoted.
AS_LINES = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIM E'\\x01')"


def write(folder, kind, count, name):
    """Writes the files of one kind; each appears under its name once it is whole."""
    connection = duckdb.connect()
    connection.execute("SET threads=2; SET preserve_insertion_order=true; SET memory_limit='6GB'")
    connection.execute(f"SET temp_directory='{folder}/spill'")

    def copy(query, file, options):
        connection.execute(f"COPY ({query}) TO '{folder}/{file}.part' {options}")
        os.rename(f"{folder}/{file}.part", f"{folder}/{file}")

    if kind == "events":
        table = f"events_{name}.parquet"
        copy(events(count), table, "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)")
        text = f"""SELECT * EXCLUDE (dt) REPLACE (strftime(timestamp,'%Y-%m-%d %H:%M:%S') AS timestamp)
                   FROM '{folder}/{table}'"""
        copy(text, f"events_{name}.csv", "(FORMAT csv, HEADER true)")
    elif kind == "calls":
        copy(calls(count), f"calls_{name}.jsonl", AS_LINES)
    else:
        copy(shapes.query(kind, count, rows, pick), f"{kind}_{name}.csv", "(FORMAT csv, HEADER true)")


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
