#!/bin/bash
# cli_tables.sh - cairn-cli table: files into tables, questions in words, rows for eyes, and back
# into files.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

server_start
table() { cli -q table "$@"; }

cat >"$scratch/trips.csv" <<'END'
id,city,price,day,at,ok
1,Oslo,9.5,2024-05-01,2024-05-01 10:00:00,true
2,Rome,12,2024-05-02,2024-05-01 11:00:00.5,false
3,,,2024-06-02,2024-05-01 11:00:00,true
4,"Ålesund, 東京",11.25,2024-06-03,1969-12-31 23:59:59,true
END

# --- create
ok "a file becomes a table" status 0 cli table create trips "$scratch/trips.csv"
ok "its rows and bytes are told" says "created a table of 4 rows: $(wc -c <"$scratch/trips.csv") B of file"
ok "and its columns with their types" says "price   f64"
is "types are inferred" "$(cli table.schema trips)" \
    "$(printf '%s' '[["id", "i64", {"null": false, "sorted": false}], ["city", "str", {"null": true, ' \
        '"sorted": false}], ["price", "f64", {"null": true, "sorted": false}], ["day", "date", ' \
        '{"null": false, "sorted": false}], ["at", "ts", {"null": false, "sorted": false}], ' \
        '["ok", "bool", {"null": false, "sorted": false}]]')"
ok "what is there is not replaced" status 2 table create trips "$scratch/trips.csv"
ok "and that is said" says "there is something at trips already"
ok "a table of a schema" status 0 table create typed "$scratch/trips.csv" \
    --schema '[["id","u8"],["city","sym",{"null":true}],["price","f32",{"null":true}],["day","date"],["at","ts"],["ok","bool"]]'
is "has its types" "$(cli --json table.schema typed | jq -c 'map(.[1])')" '["u8","sym","f32","date","ts","bool"]'
ok "a pipe" table create piped - --format=csv <"$scratch/trips.csv"
ok "a real pipe, without a format" eval "cat '$scratch/trips.csv' | table create piped2 -"
is "both have all rows" "$(cli len piped && cli len piped2)" "4
4"
printf 'a;b\n1;x\n2;NA\n' >"$scratch/odd.txt"
ok "CSV of another kind" table create odd "$scratch/odd.txt" --format csv '--delimiter=;' --null NA
is "is read" "$(table query odd --json)" '{"a": 1, "b": "x"}
{"a": 2, "b": null}'
printf '1\t2\n3\t4\n' >"$scratch/bare.tsv"
ok "tabulators, no header" table create bare "$scratch/bare.tsv" --no-header
is "are read" "$(cli len bare)" "2"
printf '{"a": 1, "b": "x"}\n{"a": 2.5}\n' >"$scratch/lines.jsonl"
printf '[{"a": 1,\n "b": "x"},\n {"a": 2.5}]\n' >"$scratch/array.json"
ok "JSON lines" table create lines "$scratch/lines.jsonl"
ok "an array of records" table create array "$scratch/array.json"
is "are the same" "$(table query array --json)" "$(table query lines --json)"
is "and right" "$(table query array --json)" '{"a": 1.0, "b": "x"}
{"a": 2.5, "b": null}'

# The type of a column that shows late: the first pass sees it.
{ echo x; seq 400000; echo 0.5; } >"$scratch/late.csv"
ok "a file whose last row tells the type" table create late "$scratch/late.csv"
is "has that type" "$(cli --json table.schema late | jq -c '.[0][1]') $(cli len late)" '"f64" 400001'

printf 'a;b\n1;x\n2;y\n' >"$scratch/semicolons.csv"
ok "cells between semicolons, taken for one" status 0 cli table create semicolons "$scratch/semicolons.csv"
ok "are told of" says "is --delimiter ';' missing?"
printf 'a;b\n1,5;x\n' >"$scratch/decimal.csv"
ok "with a comma in a cell" status 4 table create decimal "$scratch/decimal.csv"
ok "the file's format is told" says "2 cells, where the first line has 1"
ok "or with a hint" status 4 cli table create decimal "$scratch/decimal.csv"
ok "at the delimiter" says "is --delimiter ';' missing?"
printf 'a\tb\n1\tx\n' >"$scratch/tabs.txt"
ok "tabulators" status 0 cli table create tabs "$scratch/tabs.txt"
ok "are told of, too" says "is --delimiter tab missing?"
gzip -c "$scratch/trips.csv" >"$scratch/trips.csv.gz"
ok "a compressed file" status 4 table create none "$scratch/trips.csv.gz"
ok "is no CSV" says "is gzip; gunzip -c"
printf '{"width": 3,\n "values": [1, 2]}' >"$scratch/object.json"
ok "an object instead of records" status 4 table create none "$scratch/object.json"
ok "is answered with what is wanted" says "a table is made of flat records"

# --- failures of create
ok "a missing file" status 4 table create none "$scratch/nothing.csv"
ok "is named" says "$scratch/nothing.csv: No such file or directory"
ok "a directory" status 4 table create none "$scratch"
printf 'id,n\n1,2\n2,x\n' >"$scratch/bad.csv"
ok "a bad cell" status 4 table create none "$scratch/bad.csv" --schema '[["id","i64"],["n","i64"]]'
ok "names its line" says "line 3"
ok "its column" says 'column "n"'
ok "and the value" says '"x"'
is "and leaves nothing" "$(cli exists none)" "0"
{ echo n; seq 900000; echo bad; } >"$scratch/late_bad.csv"
ok "a bad cell behind the first block" status 4 table create none "$scratch/late_bad.csv" --schema '[["n","i64"]]'
ok "names its line, too" says "line 900002"
is "so nothing is left" "$(cli exists none)" "0"
ok "CSV is no Arrow" status 4 table create none "$scratch/trips.csv" --format arrow
ok "a format that does not exist" status 2 table create none "$scratch/trips.csv" --format xml
ok "is answered with those that do" says "expected csv, json, jsonl, arrow or npy"
ok "an array that does not end" status 4 eval "printf '[{\"a\": 1}' | table create none - --format json"
ok "is said" says "] is missing"
ok "a schema that is none" status 2 table create none "$scratch/trips.csv" --schema '[['
ok "an unknown option" status 2 table create none "$scratch/trips.csv" --formt csv
ok "names the known ones" says "--format --delimiter"
ok "no file" status 2 table create none

# --- append
ok "rows are appended" status 0 cli table append trips "$scratch/trips.csv"
ok "and counted" says "appended 4 rows, now 8"
is "they are there" "$(cli len trips)" "8"
ok "a bad file appends nothing" status 4 table append trips "$scratch/bad.csv"
cli table.create ns '[["n","i64"]]' >/dev/null
ok "nor one that is bad behind the first block" status 4 cli table append ns "$scratch/late_bad.csv"
is "so all or nothing is appended" "$(cli len ns)" "0"
ok "nothing to append to" status 1 table append none "$scratch/trips.csv"
ok "is said" says "none"
is "rows are the same as before" "$(cli len trips)" "8"
cli table.delete trips '[4,5,6,7]' >/dev/null

# --- show
is "show aligns" "$(table show trips)" \
' id  city           price  day         at                     ok
i64  str              f64  date        ts                     bool
  1  Oslo             9.5  2024-05-01  2024-05-01 10:00:00    true
  2  Rome            12.0  2024-05-02  2024-05-01 11:00:00.5  false
  3  null            null  2024-06-02  2024-05-01 11:00:00    true
  4  Ålesund, 東京  11.25  2024-06-03  1969-12-31 23:59:59    true'
is "show tells what it leaves out" "$(table show trips --limit 1 --offset=1 --columns id,city)" \
' id  city
i64  str
  2  Rome
… 2 more rows'
is "also under a condition" "$(table show trips where ok order by id desc --limit 2 --columns id | tail -n 3)" \
'  4
  3
… 1 more row'
cli table.create evil '[["t","str"]]' >/dev/null
cli table.append evil '{"rows": [["a\u001b[2Jb\nc"], ["x\u202ey"]]}' >/dev/null
is "hostile bytes are escaped" "$(table show evil | tail -n 2)" 'a\x1b[2Jb\nc
x\u202ey'
ok "a table that is not there" status 1 table show trip
ok "is answered with how to find those that are" says "table list tells"
cli table.create blanks '[["s","str",{"null":true}],["東京 tower","f64",{"null":true}]]' >/dev/null
cli table.append blanks '{"rows": [["",nan],[null,inf],["null",null],["\"q\"",-0.0],[" pad",-inf]]}' >/dev/null
is "null, nothing and blanks are told apart" "$(table show blanks)" \
's       東京 tower
str            f64
""             nan
null           inf
"null"        null
""q""         -0.0
" pad"        -inf'
is "columns of odd names are shown" "$(table show blanks --columns '東京 tower, s' --limit 1 --json)" \
    '{"東京 tower": {"$double": "nan"}, "s": ""}'
is "20 rows unless more are asked for" "$(table show late | tail -n 1)" "… 399981 more rows"
ok "show of what is no table" status 1 table show nobody

# --- query
is "a query in words" "$(table query trips select id,price where 'price > 10 and city in ("Oslo","Rome")' --json)" \
    '{"id": 2, "price": 12.0}'
is "order and limit" "$(table query trips select id where price is not null order by price desc limit 2 --csv)" \
    "$(printf 'id\r\n2\r\n4\r')"
is "dates" "$(table query trips select id where "day between '2024-05-02' and 2024-06-02" --json | jq -c .id)" "2
3"
is "times" "$(table query trips select id where "at < '1970-01-01'" --json)" '{"id": 4}'
is "computed columns" "$(table query trips select 'price * 2 as p' where 'p + id > 25' --json)" '{"p": 24.0}
{"p": 22.5}'
is "dates in JSON are texts, as table.export writes them" "$(table query trips select day,at limit 1 --json)" \
    '{"day": "2024-05-01", "at": "2024-05-01T10:00:00Z"}'
is "CSV has quotes where it needs them" "$(table query trips select id,city where id '>' 2 --csv)" \
    "$(printf 'id,city\r\n3,\r\n4,"Ålesund, 東京"\r')"
is "the words of what begins" "$(table query trips select id where "city starts with 'O' or city contains '東'" --json)" \
    '{"id": 1}
{"id": 4}'
ok "an error of the query" status 2 table query trips where 'price > 10 and town = 5'
ok "shows the place" says "  where price > 10 and town = 5
                       ^ there is no column town; there are id, city, price"
is "many rows come in batches" "$(table query late where 'x > 100' --csv | wc -l)" "399901"
is "integers beyond int64 arrive" "$(cli table.create big '[["n","u64"]]' && \
    cli table.append big '{"rows": [[18446744073709551615]]}' >/dev/null && table query big --json)" \
    'true
{"n": 18446744073709551615}'
cli set maps '{"a b": {}}' >/dev/null
cli table.create 'maps["a b"].t' '[["the name","i64"]]' >/dev/null
cli table.append 'maps["a b"].t' '{"rows": [[1], [2]]}' >/dev/null
is "odd names, a table within maps" "$(table query 'maps["a b"].t' where '`the name` > 1' --json)" '{"the name": 2}'

# --- interactive words: quotes are kept where a query has them
is "quotes in commands from standard input" "$(cli <<'END'
table query trips select id where city = 'Oslo' --json
table query trips select id where 'city = "Rome"' --json
table query trips select id where day = 2024-06-02 --json
END
)" '{"id": 1}
{"id": 2}
{"id": 3}'

# --- group
is "groups" "$(table group trips by ok count, 'sum(price)', 'avg(price)' as mean order by count desc)" \
'ok     count  sum(price)    mean
bool     i64         f64     f64
true       3       20.75  10.375
false      1        12.0    12.0'
is "having" "$(table group trips by city 'max(day)' as d where 'price > 1' having "d >= '2024-05-02'" --json)" \
    '{"city": "Rome", "d": "2024-05-02"}
{"city": "Ålesund, 東京", "d": "2024-06-03"}'
is "buckets" "$(table group late by 'bucket(x, 100000) as b' count having 'b < 200000' order by b --json)" \
    '{"b": 0.0, "count": 100000}
{"b": 100000.0, "count": 100000}'
is "all in one" "$(table group trips count --json)" '{"count": 4}'
ok "an aggregate that does not exist" status 2 table group trips by city 'total(price)'

# --- describe
is "describe" "$(table describe late | awk 'NR == 2 {print $1, $2, $3, $5, $6, $8}')" \
    "x f64 0 0.5 400000.0 ████████████████████"
is "of each column" "$(table describe trips | awk '{print $1, $2, $3, $4}')" \
'column type nulls distinct
id i64 0 4
city str 1 3
price f64 1 3
day date 0 4
at ts 0 4
ok bool 0 2
4 rows, '"$(table describe trips | tail -n 1 | awk '{print $3, $4}')"
cli table.create wild '[["f","f64",{"null":true}],["n","i64",{"null":true}]]' >/dev/null
cli table.append wild '{"rows": [[inf,null],[nan,null],[null,null],[1,null],[3,null]]}' >/dev/null
is "what is not finite stays out of the range" "$(table describe wild | awk 'NR == 2 {print $3, $5, $6, $7}')" "1 1.0 3.0 2"
cli table.create floats '[["f","f32"]]' >/dev/null
cli table.append floats '{"rows": [[inf],[nan],[-inf],[1],[3]]}' >/dev/null
is "also of f32" "$(table describe floats | awk 'NR == 2 {print $3, $5, $6, $7}')" "0 1.0 3.0 2"
printf 'n,d,c\n1,2024-05-01,7\n2,2024-05-02,7\n2,2024-05-03,7\n4,2024-05-04,7\n' >"$scratch/bars.csv"
table create bars "$scratch/bars.csv"
is "a bar for each integer, date and constant" \
    "$(table describe bars | grep -oE '▄█ ▄|████|█')" '▄█ ▄
████
█'
is "values are counted, not estimated, where they are few" "$(table describe late | awk 'NR == 2 {print substr($4, 1, 1)}') $(table describe bars | awk 'NR == 2 {print $4}')" "~ 3"
is "an estimate is not above the number of values" "$(table describe late | awk 'NR == 2 {print (substr($4, 2) <= 400001)}')" "1"
is "a column without a value" "$(table describe wild | awk 'NR == 3 {print $1, $3, $4, $6}')" "n 5 0 plain"

# --- export
for format in csv jsonl arrow; do
    ok "export as $format" table export trips "$scratch/out.$format"
    ok "which create reads" table create "back_$format" "$scratch/out.$format"
    is "as the same rows" "$(table query "back_$format" --json)" "$(table query trips --json)"
done
ok "export of a query" table export trips "$scratch/some.csv" select id, city where 'id > 1' order by id desc limit 2
is "has what it found" "$(tr -d '\r' <"$scratch/some.csv")" 'id,city
4,"Ålesund, 東京"
3,'
ok "export of one column of numbers as npy" table export trips "$scratch/id.npy" select id
is "is one" "$(head -c 6 "$scratch/id.npy" | od -An -c | tr -d ' ')" '223NUMPY'
is "export to standard output" "$(table export trips - --format jsonl select id limit 2 | jq -c .id)" "1
2"
is "CSV as it is wanted" "$(table export trips - --format csv --no-header --delimiter=';' --null=NA select id,city where id = 3)" \
    "$(printf '3;NA\r')"
ok "an export of many rows" status 0 cli table export late "$scratch/late.out" --format csv
ok "tells how many" says "exported 400001 rows"
is "and has them" "$(wc -l <"$scratch/late.out")" "400002"
ok "a format that cannot be known" status 2 table export trips "$scratch/out.xyz"
ok "is asked for" says "say --format csv, json, jsonl, arrow or npy"
echo old >"$scratch/kept.csv"
ok "an export that fails" status 1 table export nobody "$scratch/kept.csv"
is "leaves the file alone" "$(cat "$scratch/kept.csv")" "old"
ok "and so does a query that is wrong" status 2 table export trips "$scratch/kept.csv" where x = 1
is "the file is as it was, alone" "$(cat "$scratch/kept.csv") $(ls "$scratch" | grep -c 'kept.csv')" "old 1"
ok "a place that cannot be written to" status 4 table export trips "$scratch/no/such/out.csv"
ok "a full device" status 4 eval "table export late - --format csv >/dev/full"

# --- help, and what is mistyped
is "tables are listed" "$(table list 'tri*')" 'table  rows  columns   bytes
trips     4        6  '"$(table list trips | awk 'NR == 2 {print $4, $5}')"
is "all of them" "$(table list | wc -l)" "$(($(cli --json scan type=table count=1000 | jq '.[1] | length') + 1))"
ok "a table is dropped" status 0 cli table drop semicolons
ok "and that is said" says "dropped semicolons"
ok "what is no table is not" status 1 table drop maps
is "so it is there" "$(cli exists maps semicolons)" "1"
ok "no table that matches" status 0 cli table list 'nobody*'
ok "is said" says "no key that matches nobody* holds a table"
is "tables are in the order of their names" "$(table list --json | jq -r .table | LC_ALL=C sort -c && echo sorted)" "sorted"
is "with their figures, also as JSON" "$(table list trips --json | jq -c '[.table, .rows, .columns, .bytes > 0]')" '["trips",4,6,true]'
is "as --json in front says, too" "$(cli --json table list trips | jq -c .rows)" "4"
for command in ls:list rm:drop delete:drop load:create select:query head:show schema:describe; do
    ok "table ${command%:*}" status 2 table "${command%:*}" trips
    ok "is table ${command#*:}" says "it is table ${command#*:}"
done

for command in create append show describe query group export; do
    ok "table $command --help" status 0 cli table "$command" --help
    ok "says how it is called" says "usage: cairn-cli table $command NAME"
done
ok "table --help" status 0 cli table --help
ok "lists them" says "describe"
ok "table alone" status 2 cli table
ok "an unknown command" status 2 cli table foo
ok "is told of the known ones" says "list, create, append, show, describe, query, group, export and drop"
ok "help table" status 0 cli help table
ok "a mistyped option is no path" status 2 cli intersect sa sb in=x
ok "and the options are told" says "in=x is no option: is it into=; the options are into"
ok "an option without its value is no item" status 2 cli push nl create=true
ok "and that is told" says "parameters are missing in front of it"
is "nothing was made of these" "$(cli exists nl)" "0"

server_stop
is "the heap is sound" "$server_status" "0"
tap_end
