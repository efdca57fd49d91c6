#!/bin/bash
# tables.sh - tables through cairn-cli: the examples of docs/tables.md, and what others see.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

server_start
cli() { timeout "$HANG_SECONDS" "$cairn_cli" --port "$server_port" "$@" 2>&1; }
json() { cli --json "$@" | jq -c "$filter"; }

# Each example of the page runs.
examples=$(sed -n 's/^    cairn-cli //p' "$CAIRN_SOURCE/docs/tables.md")
ok "docs/tables.md has examples" test "$(wc -l <<<"$examples")" -gt 10
printf 'id,city,price,day\n1,Oslo,9.5,2024-05-01\n2,Rome,12,2024-05-02\n' >"$scratch/rides.csv"
printf '{"id": 3, "city": "Oslo", "price": 10.5, "day": "2024-05-03"}\n' >"$scratch/more.jsonl"
cd "$scratch" || bail "no directory"
failed=
while read -r line; do
    eval "cli $line" >"$scratch/answer" || failed+="$line: $(cat "$scratch/answer")"
done <<<"$examples"
is "the examples of docs/tables.md run" "$failed" ""
cli clear >/dev/null

# --- a table is a value
is "create" "$(cli table.create trips \
    '[["id","i64",{"sorted":true}],["city","sym"],["price","f64",{"null":true}]]')" "true"
is "append" "$(cli table.append trips '{"rows":[[1,"Oslo",9.5],[2,"Rome",12],[3,"Oslo",null]]}')" \
    '{"first": 0, "n": 3}'
cli table.create places '[["n","i64"],["name","str",{"null":true}]]' >/dev/null
is "rows may be maps" "$(cli table.append places \
    '{"rows":[{"name":"Bonn","n":1},{"n":2},[3,"Rome"]]}' >/dev/null && cli get places)" \
    '[{"n": 1, "name": "Bonn"}, {"n": 2, "name": null}, {"n": 3, "name": "Rome"}]'
is "of known fields" "$(cli table.append places '{"rows":[[4,null],{"m":1}]}' 2>&1)" \
    'cairn-cli: NOT_FOUND table.append: row 1: the table has no column "m"; table.schema lists them'
cli del places >/dev/null
is "type and len" "$(cli type trips && cli len trips)" "table
3"
is "it reads as records" "$(cli get 'trips[-1]')" '{"id": 3, "city": "Oslo", "price": null}'
is "and its cells" "$(cli get 'trips[1].city')" 'Rome'
is "a cell is set" "$(cli set 'trips[2].price' 11.25 && cli get 'trips[2].price')" "true
11.25"
is "scan finds it" "$(cli --json scan type=table | jq -c '.[1]')" '["trips"]'
is "a bad cell names row, column and value" \
    "$(cli table.append trips '{"rows":[[4,"Bonn",1],[5,"Bonn","much"]]}' |
        grep -c 'row 1.*price.*much')" "1"
is "and nothing was appended" "$(cli len trips)" "3"

# --- queries
filter=.data
is "where, select, order" "$(json table.scan trips \
    '{"where":[">","price",10],"select":["id","price"],"order":[["price","desc"]]}')" \
    '[[2,12],[3,11.25]]'
is "group" "$(json table.agg trips '{"group":["city"],"agg":{"n":["count"],"sum":["sum","price"]}}')" \
    '[["Oslo",2,20.75],["Rome",1,12]]'
filter=.plan
is "explain" "$(json table.explain trips '{"where":[">","price",10]}')" '"scan"'
is "update" "$(cli table.update trips '["=","city","Rome"]' '{"price":13}')" "1"
is "delete" "$(cli table.delete trips '["<","id",2]')" "1"
is "what is left" "$(cli --json get trips | jq -c .)" \
    '[{"id":2,"city":"Rome","price":13},{"id":3,"city":"Oslo","price":11.25}]'
is "alter" "$(cli table.alter trips \
    '[["add","stars","u8",{"default":3}],["rename","price","fare"],["type","id","f64"]]')" "true"
is "its rows" "$(cli --json get 'trips[0]' | jq -c .)" \
    '{"id":2,"city":"Rome","fare":13,"stars":3}'
is "what would be lost is refused" "$(cli table.alter trips '[["type","fare","i64"]]' |
    grep -c 'row 1, column "fare": 11.25 cannot become i64')" "1"

# --- many rows, from records and back
seq 100000 | jq -c '{id: ., even: (. % 2 == 0), name: "n\(. % 100)"}' >"$scratch/rows.jsonl"
cli import --into rows "$scratch/rows.jsonl" >/dev/null
is "a list of records" "$(cli type rows && cli len rows)" "list
100000"
filter='[.rows, .bytes_after < .bytes_before / 20]'
is "becomes a table" "$(json table.from rows)" '[100000,true]'
filter=.data
is "its sum is exact" \
    "$(json table.agg rows '{"where":["=","even",true],"agg":{"s":["sum","id"]}}')" '[[2500050000]]'
filter='[.rows, .bytes_after > .bytes_before * 20]'
is "and back" "$(json table.to rows list && cli get 'list[99999].id')" '[100000,true]
100000'
is "a client that leaves its scans open takes nothing with it" \
    "$(cli --json table.scan rows '{"batch":{"rows":1}}' | jq -c .cursor && cli del rows list)" "1
2"

server_stop
is "the heap is sound" "$server_status" "0"

# --- a scan that is not read on gives its moment up, though its client stays
external() { sed -n 's/.*"external_bytes": \([0-9]*\).*/\1/p' <<<"$(cli mem.info)"; }
external_is() { [ "$(external)" = "$1" ]; }
gone() { [ "$(cli exists "$1")" = 0 ]; }
# In a client that stays: a scan is left open, and its table deleted.
scan_left_open() {
    cli table.create t '[["x", "i64"]]'
    cli table.append t "{\"rows\": [$(seq -s, 2000 | sed 's/[0-9]*/[&]/g')]}"
    mkfifo "$scratch/stays"
    cli <"$scratch/stays" >"$scratch/idle" &
    idle_client=$!
    exec 7>"$scratch/stays"
    rm "$scratch/stays"
    printf '%s\n' 'table.scan t {"batch": {"rows": 1}}' 'del t' >&7
    wait_until gone t
}
client_ends() {
    echo ping >&7
    exec 7>&-
    wait "$idle_client"
}

server_start --table-cursor-time=1h
scan_left_open >/dev/null
ok "its version is kept while it may be read" test "$(external)" -gt 10000
client_ends
ok "by a client that is still there" grep -q PONG "$scratch/idle"
server_stop
server_start --table-cursor-time=1s
scan_left_open >/dev/null
ok "and freed after table-cursor-time" wait_until external_is 0
client_ends
ok "while its client is still there" grep -q PONG "$scratch/idle"
server_stop
is "that heap is sound, too" "$server_status" "0"
tap_end
