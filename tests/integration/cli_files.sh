#!/bin/bash
# cli_files.sh - cairn-cli table with files as people have them, and what it says of those that are
# none: every format by its name, types that show late, other encodings, pictures, words of queries
# as names of columns.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

server_start
table() { cli -q table "$@"; }
cd "$scratch" || bail "no scratch directory"

# --- a dot in a name leads into a map
printf 'a\n1\n' >rides.csv
ok "a table of a file's name" status 0 table create rides.csv rides.csv
is "is in a map" "$(cli type rides) $(cli type rides.csv)" "map table"
ok "so no key holds one" status 0 cli table list
ok "which is said" says "no key holds a table (those within maps and lists are not listed)"
ok "in quotes it is a key" status 0 table create '"rides.csv"' rides.csv
is "and is listed" "$(table list | awk 'NR > 1 {print $1}')" "rides.csv"
cli del rides '"rides.csv"' >/dev/null

# --- nil in the place of a path
cli set people '[{"n":1},{"n":2}]' >/dev/null
ok "table.from with nil in the place of the second path" status 0 cli table.from people nil '[["n","i32"]]'
is "makes a table in the list's place, and no key nil" "$(cli exists nil) $(cli --json table.schema people | jq -c '.[0][1]')" '0 "i32"'
ok "a key of that name can still be named" status 0 cli table.to people '"nil"'
is "so it is there" "$(cli exists nil)" "1"
cli del nil >/dev/null

# --- JSON, as an array or as lines
printf 'id,s\n1,"a, ""b"""\n2,\n3,"x\ny"\n' >t.csv
table create t t.csv
for name in json jsonl ndjson JSON; do
    ok "export to .$name" table export t "out.$name"
    table create back "out.$name"
    is ".$name comes back" "$(table query back --json)" "$(table query t --json)"
    table drop back
done
is ".json is an array" "$(cat out.json)" '[
{"id":1,"s":"a, \"b\""},
{"id":2,"s":null},
{"id":3,"s":"x\u000ay"}
]'
is ".ndjson and .jsonl are a record a line" "$(cmp out.ndjson out.jsonl && wc -l <out.jsonl)" "3"
is "an array of nothing" "$(table export t - --format json where 'id > 3')" "[]"
{ echo n,s; for ((i = 0; i < 20000; i++)); do echo "$i,a text that makes the answer long"; done; } >many.csv
table create many many.csv
ok "a file that cannot be written" status 4 table export t /nonexistent/x.csv
ok "has its own name in the error" says "/nonexistent/x.csv: cannot write: No such file"
table export many many.json
is "an array in many pieces" "$(jq -c '[length, .[19999].n, (map(.n) | add)]' many.json)" '[20000,19999,199990000]'
ok "tabulators by the name" table export t out.tsv select id limit 2
is "are tabulators" "$(table export t - --format tsv where 'id = 1' | tr '\t' '|')" \
    "$(printf 'id|s\r\n1|"a, ""b"""\r')"
printf '{"a": 1,\n "b": "x"}\n{"a": 2,\n "b": "}"}\n' >pretty.json
ok "records over several lines, as jq prints them" table create pretty pretty.json
is "are read" "$(table query pretty --json)" '{"a": 1, "b": "x"}
{"a": 2, "b": "}"}'
printf '\xef\xbb\xbf[{"a": 1}]' >bom.json
ok "JSON with a byte order mark" table create bom bom.json
printf '{"a": 1}\n\n{"a": {"b": 2}\n{"a": 3}\n' >open.json
ok "a record that does not end" status 4 table create none open.json
ok "is told by where it begins" says "line 3, record 2: the record that begins here does not end"

# --- CSV of table query is that of table export
cli table.create bins '[["b","bin",{"null":true}],["s","str",{"null":true}],["f","f32"],["d","f64",{"null":true}],["at","ts"],["u","u64"]]' >/dev/null
cli table.append bins '{"rows": [[b"\x00\xff\"\n,", "", 0.1, nan, -1, 18446744073709551615],
    [b"", "\u001b[2J \"q\"", 16777216, -inf, 0, 0], [null, null, 1e-40, null, 1714557600500000, 1],
    [b"abcd", " x ", -0.0, 2.5e-308, 1, 2], [b"a", "null", 3, 0.1, 2, 3], [b"ab", "a\r\nb", 1e10, 1e300, 3, 4]]}' >/dev/null
table query bins --csv >query.csv
table export bins export.csv
is "query --csv writes what export writes" "$(cat -A query.csv)" "$(cat -A export.csv)"
schema=$(cli --json table.schema bins)
table create bins2 query.csv --schema "$schema"
is "and it can be read back" "$(table query bins2 --json)" "$(table query bins --json)"
is "so it is of groups" "$(table group bins by b count --csv where 'u = 18446744073709551615')" "$(printf 'b,count\r\nAP8iCiw=,1\r')"

# --- lists and descriptions as JSON
ok "a pattern that matches nothing" status 0 cli table list 'zz*'
ok "is told as that" says "no key that matches zz* holds a table"
is "tables in the order of their names" "$(table list | awk 'NR > 1 {print $1}' | tr '\n' ' ')" "bins bins2 bom many people pretty t "
is "as JSON" "$(table list 't*' --json | jq -c '[.table, .rows, .columns]')" '["t",3,2]'
is "describe as JSON" "$(table describe t --json | jq -c '[.column, .type, .rows, .nulls, .distinct, .distinct_exact, .min, .max, .avg, .histogram]')" \
    '["id","i64",3,0,3,true,1,3,2,{"width":1,"counts":[1,1,1]}]
["s","str",3,1,2,true,null,null,null,null]'
is "what is not finite is null" "$(table describe bins --json | jq -c 'select(.column == "d") | [.min, .max, .nulls]')" "[2.5e-308,1e+300,1]"
is "times are texts" "$(table describe bins --json | jq -c 'select(.column == "at") | [.min, .max]')" \
    '["1969-12-31T23:59:59.999999Z","2024-05-01T10:00:00.500000Z"]'

# --- words of queries as names of columns
printf 'id,order,Limit\n1,5,7\n2,6,8\n' >words.csv
table create words words.csv
ok "a column that is called like a word" status 2 table query words where 'order > 5'
ok "is written in backticks, which is said" says 'the column is written `order`, in backticks'
ok "by as well" status 2 table group words by limit count
ok "in whatever capitals" says 'the column is written `Limit`'
is "so it is found" "$(table query words select id where '`order` > 5' --json)" '{"id": 2}'
printf 'a, b \n1, 2\n' >blanks.csv
table create blanks blanks.csv
ok "a name with blanks" status 2 table query blanks where 'b = 2'
ok "is told with its backticks" says '` b ` (in backticks)'
ok "a number that no double holds" status 2 table query words where 'id < 1e999'
ok "is not taken for an integer" says "too large for a double"

# --- lines that are short or long
printf 'a,b,c\n1,2,3\n4,5\n' >short.csv
ok "a short line" status 4 table create none short.csv
ok "names the column that it lacks" says 'CSV line 3, column "c", record 2: cell 3: it is missing: the line has 2 cells, and the first line 3'
printf 'a,b\n1,2\n4,5,6\n' >long.csv
ok "a long line" status 4 table create none long.csv
ok "is told about quotes" says "3 cells, where the first line has 2; a cell with a comma in it stands in quotes"

# --- lines and records count from 1, rows from 0
cli table.create ints '[["a","i64"]]' >/dev/null
ok "a bad cell of a file" status 4 eval "printf 'a\n1\nx\n' | table append ints -"
ok "has its line and record" says 'line 3, column "a", record 2'
ok "a bad cell of rows" status 1 cli table.append ints '{"rows": [[1], ["x"]]}'
ok "has its row" says 'row 1, column "a"'

# --- files with nothing in them
: >nothing.csv
ok "an empty file" status 4 table create none nothing.csv
ok "is empty" says "nothing.csv: is empty"
ok "also as a pipe" status 4 table create none /dev/null
echo '[]' >none.json
ok "no records" status 4 table create none none.json
ok "tell no columns" says "has no record that tells columns; --schema says them"
ok "which a schema does" table create empty none.json --schema '[["a","i64"]]'
is "an empty table" "$(cli len empty)" "0"
printf 'a,b\n' >header.csv
ok "a header alone" table create header header.csv
is "makes one, too" "$(table query header --csv)" "$(printf 'a,b\r')"

# --- names of columns that are missing, or come twice
printf ',a,\n0,1,\n1,3,\n' >frame.csv
ok "a header without names, as of a data frame" table create frame frame.csv
is "has them by place" "$(table query frame --json limit 1)" '{"column1": 0, "a": 1, "column3": null}'
ok "and takes more of it" table append frame frame.csv
printf 'a,a\n1,2\n' >twice.csv
ok "a name that comes twice" status 4 table create none twice.csv
ok "is named with its place" says 'line 1, column "a": cell 2: a second column "a"'
is "all columns and another one" "$(table query frame select '*, a * 2 as b' --json limit 1)" \
    '{"column1": 0, "a": 1, "column3": null, "b": 2}'

# --- columns that the table has not
printf 'A\n1\n' >other.csv
ok "a file of other columns" status 4 table append ints other.csv
ok "is told how columns go together" says "columns of a file go by their names"
ok "and that names may be missing" says "--no-header: the first line is data"
echo '[{"A": 1}]' >other.json
ok "JSON of other columns" status 4 table append ints other.json
ok "has no column of that name" says 'the table has no column'
is "and no header either" "$(grep -c no-header "$scratch/said")" "0"

# --- files that are no text
printf '\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR' >picture.csv
ok "a picture" status 4 table create none picture.csv
ok "is one" says "is a picture (PNG)"
ok "also if it is said to be CSV" status 4 table create none picture.csv --format csv
ok "which is said" says "is a picture (PNG)"
printf 'a,b\x01\x02\n\x00\x05\x03\r\x00\n\x01\x01' >program.csv
ok "other bytes" status 4 table create none program.csv
ok "are no text" says "program.csv: is no text, as CSV and JSON are"
printf 'PAR1,PAR2\n1,2\n' >par.csv
ok "a header that begins as Parquet does" table create par par.csv
printf 'a,b\ncaf\xe9,1\n' >latin.csv
ok "Latin-1" status 4 table create none latin.csv
ok "is told of iconv" says "iconv -f LATIN1 -t UTF-8"

# --- jq is named where it helps
printf '{"data": [{"a": 1}]}' >wrapped.json
ok "records within an object" status 4 table create none wrapped.json
ok "are told of jq" says "jq .data FILE | cairn-cli table create NAME -"
printf '[{"a": }]' >wrong.json
ok "JSON that is wrong" status 4 table create none wrong.json
is "is not" "$(grep -c jq "$scratch/said")" "0"

# --- a type that shows late in a pipe
late() { echo n,m; seq 900000 | sed 's/$/,1/'; echo 0.5,; }
ok "a type that shows late in a pipe" status 4 eval "late | table create piped -"
ok "is told of --types" says "--types n=TYPE (str holds all)"
is "and leaves nothing" "$(cli exists piped)" "0"
ok "which says it" eval "late | table create piped - --types n=f64,m=u8"
is "as it was said" "$(table query piped where 'n < 1' --json) $(cli --json table.schema piped | jq -c 'map(.[1])')" '{"n": 0.5, "m": null} ["f64","u8"]'
late >late.csv
ok "a file needs no option" table create filed late.csv
ok "but takes it" table create filed2 late.csv --types '{"m": "f32"}'
is "and the others are found" "$(cli --json table.schema filed2 | jq -c 'map(.[1])')" '["f64","f32"]'
ok "types and a schema" status 2 table create none late.csv --types m=f32 --schema '[["n","f64"],["m","f64"]]'
ok "a column that is not there" status 4 table create none late.csv --types x=f32
ok "is named" says 'the file has no column "x"'
ok "a word that is no type" status 2 table create none late.csv --types m
ok "is answered with the form" says "expected NAME=TYPE"
ok "types of what has its own" status 2 eval "table export t t.arrow && table create none t.arrow --types id=f64"
ok "a field of JSON that comes late" eval "{ for ((i = 0; i < 300000; i++)); do echo '{\"n\":1234567}'; done; echo '{\"n\":1,\"late\":\"x\"}'; } | table create jsonl - --format jsonl --types late=str"
is "is there" "$(table query jsonl where 'late is not null' --json)" '{"n": 1, "late": "x"}'

server_stop
is "the heap is sound" "$server_status" "0"
tap_end
