#!/bin/bash
# cli.sh - cairn-cli as its users run it: single commands, pipes, import, export, a terminal.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

server_start --unix="$scratch/socket"
# --- values and paths
is "an extension value as the manual writes it" "$(cli set e 'ext(42, b"\x01")')" "true"
is "ping" "$(cli ping)" "PONG"
is "a map is stored" "$(cli set user:1 '{"name": "Ada", "tags": [1, 2]}')" "true"
is "a field is read by its path" "$(cli get user:1.name)" "Ada"
is "an item is read by its index" "$(cli get 'user:1.tags[-1]')" "2"
is "a value is one line in a pipe" "$(cli get user:1)" '{"name": "Ada", "tags": [1, 2]}'
is "a nested write" "$(cli set user:1.born 1815 && cli get user:1.born)" "true
1815"
is "list items are the words that are left" "$(cli push user:1.tags 3 four '[5]')" "5"
is "they can be a literal list" "$(cli push user:1.tags '[6, 7]')" "7"
is "slice" "$(cli slice user:1.tags 2 -2)" '[3, "four", [5]]'
is "pop" "$(cli pop user:1.tags)" "7"
is "len" "$(cli len user:1.tags)" "6"
is "type" "$(cli type user:1)" "map"
is "exists counts" "$(cli exists user:1 nobody)" "1"
is "add" "$(cli add hits 41 && cli add hits 1)" "41
42"
is "append takes text as it stands" "$(cli append log 12 >/dev/null && cli append log 34 && cli get log)" "4
1234"
is "mset takes pairs" "$(cli mset a 1 b two && cli mget a b nobody)" 'true
[1, "two", null]'
is "an option is a word at the end" "$(cli set a 5 if=absent)" "false"
is "or a map" "$(cli set a 5 '{"if": "present"}')" "true"
is "odd keys are quoted" "$(cli set '"a.b[0]"' yes && cli get '"a.b[0]"' && cli exists a.b)" "true
yes
0"
is "scan finds keys by a pattern" "$(cli --json scan match='user:*' | jq -c '.[1]')" '["user:1"]'
is "keys of a map" "$(cli --json keys user:1 | jq -c '.[1] | sort')" '["born","name","tags"]'
is "items of a map" "$(cli --json items user:1 | jq -c '.[1] | map(.[0]) | sort')" \
    '["born","name","tags"]'
is "two paths share one object" \
    "$(cli link shared user:1 && cli same shared user:1 && cli set shared.x 1 && cli get user:1.x)" \
    "true
true
true
1"
is "a weak reference is followed" "$(cli weak w user:1 && cli get w.name)" "true
Ada"
is "a method is found by the part behind its dot" "$(cli is_enabled)" "true"
is "collect answers with a number" "$(cli gc.collect | grep -cx '[0-9]*')" "1"
is "mem.size of a value" "$(cli mem.size user:1 of=shallow | grep -cx '[0-9]*')" "1"
is "server.info tells the version" "$(cli --json server.info server | jq -r 'type')" "object"
is "del counts" "$(cli del a b nobody)" "2"

# --- numbers and texts survive
for literal in 9223372036854775807 -9223372036854775808 9007199254740993 0.1 1e+300 5e-324 -0.0 \
    1.0 inf -inf nan true null '[]' '{}' '[[[]]]' '"\u0000\n"' 'b"\x00\xff"'; do
    cli set v "$literal" >/dev/null
    is "$literal reads back" "$(cli get '["v"]' 2>&1 | cat -v)" "$(
        case $literal in
        '"\u0000\n"') printf '\0\n\n' | cat -v | sed -z 's/\n$//' ;;
        b*) printf '\0\377' | cat -v ;;
        *) printf '%s' "$literal" ;;
        esac)"
done
is "strict JSON has no infinity" "$(cli set v '[inf, b"\xff"]' && cli --json get v)" \
    'true
[{"$double": "inf"}, {"$bytes": "/w=="}]'

is "an integer above int64" "$(cli set v 18446744073709551615 && cli get v)" "true
18446744073709551615"
is "a cycle is printed as one" "$(cli set cycle '{"a": [1]}' && cli link cycle.me cycle && cli get cycle)" \
    'true
true
{"a": [1], "me": ref(0)}'
deep=$(printf '[%.0s' $(seq 100))$(printf ']%.0s' $(seq 100))
is "nesting beyond plain replies" "$(cli set v "$deep" && cli get v)" "true
$deep"
is "keys that are no strings" "$(cli set v '{1: "a", true: 2}' && cli get v && cli --json get v)" \
    'true
{1: "a", true: 2}
{"1": "a", "true": 2}'

# --- exit statuses, and what is said
ok "nil is no error" status 0 cli get nobody
ok "unless asked for" status 5 cli --fail-nil get nobody
ok "a server's error is 1" status 1 cli push user:1 1
ok "it has its code" says "WRONG_TYPE"
ok "an unknown method is 2" status 2 cli gett x
ok "it suggests" says "is it get?"
ok "a bad path is 2" status 2 cli get 'a['
ok "it says where" says "path a[: at byte 3"
ok "a bad value is 2" status 2 cli set a '{"x": }'
ok "it says where" says "at byte 7"
ok "too few parameters are 2" status 2 cli set a
ok "it says what is taken" says "it takes path, value"
ok "too many parameters are 2" status 2 cli get a b c
ok "an unknown option is 2" status 2 cli --colour get a
ok "an ambiguous name is 2" status 2 cli info
ok "it names both" says "mem.info, server.info"
ok "no server is 3" status 3 "$cairn_cli" --unix "$scratch/nothing" ping
ok "it asks the right question" says "is cairn-server running there?"
ok "the Unix socket serves, too" status 0 "$cairn_cli" --unix "$scratch/socket" ping
ok "CAIRN_URL says where" status 0 \
    env CAIRN_URL="unix:$scratch/socket" "$cairn_cli" ping
ok "a full disk is 4" status 4 sh -c "'$cairn_cli' -p $server_port methods >/dev/full"
ok "a family's name alone is 2" status 2 cli gc
ok "its members are named" says "gc.collect, gc.disable"
ok "help lists the methods" status 0 cli help
ok "with their parameters" says "push(path, [value...], [opts: front, create]) -> length"
ok "help explains one" status 0 cli help gc.collect
ok "in a sentence" says "cycle"
ok "import explains itself" status 0 cli import --help

# --- lines of standard input
is "commands from a pipe" "$(printf '%s\n' '# a comment' '' \
    'set p {"a b": [1, "x y"], "c": "d"}' 'get p."a b"[1]' "set q 'hello world'" 'get q' \
    'hold p' 'get @1.c' 'release 1' 'quit' 'get never' | cli)" 'true
x y
true
hello world
{"handle": 1}
d
1'
printf 'get user:1.name\nget [\npush user:1 1\nping\n' | cli >"$scratch/out" 2>"$scratch/err"
is "an error in a line does not stop the next ones" "$?:$(cat "$scratch/out")" "2:Ada
PONG"
is "its line is named" "$(grep -c 'in line [23] of standard input' "$scratch/err")" "2"

cat >"$scratch/two.jsonl" <<'END'
{"id": 1}
{"id": 2}
END
is "import and export are commands like others" "$(printf '%s\n' \
    "import --quiet --key two:{id} $scratch/two.jsonl" 'import --key {id}' 'get two:2' \
    "export --match two:2" | cli 2>/dev/null)" '{"id": 2}
{"id": 2}'

# --- import and export: odd values
cat >"$scratch/odd.jsonl" <<'END'
{"id": "a", "n": 9223372036854775807, "u": 18446744073709551615, "m": -9223372036854775808}
{"id": "b", "d": 0.1, "e": 1e+300, "z": [1.0, -0.0, 5e-324], "nul": "\u0000"}
{"id": "c", "deep": [[[[{"x": {"y": []}}]]]], "": {}}
{"id": "größe 😀", "t": true, "f": false, "n": null}
END
ok "import stores records under a field" status 0 \
    cli import --key-field id --prefix odd: "$scratch/odd.jsonl"
ok "it sums up" says "imported 4 records (0 replaced)"
is "uint64 is exact" "$(cli get odd:a.u 2>&1 | head -c 100)" "18446744073709551615"
cli --quiet export --prefix odd: "$scratch/odd.out"
is "what is exported is what was imported" "$(sort "$scratch/odd.out")" "$(sort "$scratch/odd.jsonl")"
ok "import again replaces" status 0 cli import --key 'odd:{id}' "$scratch/odd.jsonl"
ok "and counts that" says "(4 replaced)"
ok "or refuses" status 4 cli import --key 'odd:{id}' --on-duplicate error "$scratch/odd.jsonl"
ok "and names the record" says 'record 1 (line 1), key odd:a: the key is there already'
printf '{"k":1,"v":"%s"}\n' first second third >"$scratch/same.jsonl"
for i in $(seq 300); do printf '{"k":%d,"v":"x"}\n' $((i + 1)); done >>"$scratch/same.jsonl"
printf '{"k":1,"v":"last"}\n' >>"$scratch/same.jsonl"
ok "keys may repeat within a file" status 0 cli import --key 'same:{k}' "$scratch/same.jsonl"
ok "they are counted" says "imported 304 records (3 replaced)"
is "the last one wins" "$(cli get same:1.v)" "last"
is "import reads a pipe" "$(cli -q import --into list <"$scratch/odd.jsonl" 2>&1)" ""
cli --quiet export --from list >"$scratch/odd.out"
is "a list keeps its order" "$(cat "$scratch/odd.out")" "$(cat "$scratch/odd.jsonl")"
seq 5000 | cli -q import --into numbers
is "a long list is whole" "$(cli -q export --from numbers | cmp - <(seq 5000) && cli len numbers)" "5000"
is "export with keys" "$(cli -q export --match 'odd:[c]' --with-keys)" \
    '{"key": "odd:c", "value": {"id": "c", "deep": [[[[{"x": {"y": []}}]]]], "": {}}}'
is "export as an array" "$(cli -q export --match 'odd:?' --format json | jq length)" "3"
is "export of nothing is an empty array" "$(cli -q export --prefix zzz --format json)" "[]"

# --- import: errors
printf '{"id":1}\n{"id":2}\n{"id":,}\n' >"$scratch/bad.jsonl"
ok "a file that is not JSON is 4" status 4 cli import --key 'bad:{id}' "$scratch/bad.jsonl"
ok "record and line are named" says "record 3, line 3"
ok "and how far it came" says "stopped after 2 records"
printf '{"id":1}\n{"id":2}\n{"id":3\n{"id":4}\n' >"$scratch/open.jsonl"
ok "a record that is not closed is 4" status 4 cli import --key 'bad:{id}' "$scratch/open.jsonl"
ok "the line it begins on is named" says "record 3, which begins on line 3: "
for i in 1 2 3; do printf '{"id":%d,"v":"new"}\n' $i; done >"$scratch/again.jsonl"
echo '{"id":,}' >>"$scratch/again.jsonl"
ok "an error behind keys that exist is 4" status 4 cli import --key 'bad:{id}' "$scratch/again.jsonl"
ok "the records in front of it are counted" says "stopped after 3 records (2 replaced)"
is "they are stored" "$(cli get bad:1.v; cli get bad:2.v; cli get bad:3.v)" "new
new
new"
ok "an error of a file for a list is 4" status 4 cli import --into bad.list "$scratch/again.jsonl"
ok "the records in front of it are stored" says "stopped after 3 records"
is "in the list" "$(cli -q export --from bad.list | wc -l)" "3"
ok "a missing field is 4" status 4 cli import --key-field name "$scratch/odd.jsonl"
ok "it is named" says "there is no field name"
ok "an integer of more than 64 bits is 4" status 4 \
    sh -c "echo '{\"k\":99999999999999999999}' | '$cairn_cli' -p $server_port import --key-field k"
ok "a file that is not there is 4" status 4 cli import --key-field x "$scratch/nothing"
ok "import without a key is 2" status 2 cli import "$scratch/odd.jsonl"
cli set scalar 5 >/dev/null
ok "an error of the server is 1" status 1 cli import --into scalar "$scratch/odd.jsonl"
ok "export of a path that is no list is 1" status 1 cli export --from user:1
ok "export of nothing is 4" status 4 cli export --from nothere
ok "the path is named" says "there is nothing at nothere"
is "an empty list is none" "$(cli set empty '[]'; cli -q export --from empty; echo $?)" "true
0"
ok "one record" status 0 cli export --match odd:a "$scratch/one"
ok "is not called records" says "exported 1 record in"
cli export --from user:1 "$scratch/never" 2>/dev/null
mkdir "$scratch/exports"
echo mine >"$scratch/exports/list.part"
(umask 027 && cli -q export --from numbers "$scratch/exports/list")
is "the umask holds for a new file" "$(stat -c %a "$scratch/exports/list")" "640"
ln -s list "$scratch/exports/link"
cli -q export --from odd:a "$scratch/exports/link" 2>/dev/null
is "a failed export leaves the file" "$(cmp "$scratch/exports/list" <(seq 5000) && echo same)" "same"
cli -q export --from list "$scratch/exports/link"
is "export follows a link" "$(readlink "$scratch/exports/link")" "list"
is "to its file" "$(cmp "$scratch/exports/list" "$scratch/odd.jsonl" && echo same)" "same"
ln -s new "$scratch/exports/dangling"
cli -q export --from list "$scratch/exports/dangling"
is "also to one that is not there yet" "$(cat "$scratch/exports/new")" "$(cat "$scratch/odd.jsonl")"
mkfifo "$scratch/exports/pipe"
timeout "$HANG_SECONDS" cat "$scratch/exports/pipe" >"$scratch/piped" &
reader=$!
cli -q export --from list "$scratch/exports/pipe"
wait "$reader"
is "export writes to a named pipe" "$(cat "$scratch/piped")" "$(cat "$scratch/odd.jsonl")"
ok "which stays one" test -p "$scratch/exports/pipe"
is "other files are left alone" "$(cat "$scratch/exports/list.part"; ls "$scratch/exports" | tr '\n' ' ')" \
    "mine
dangling link list list.part new pipe "
ok "a failed export leaves no file" sh -c "! ls '$scratch'/never*"

# --- signals
# A pipe that stays open: import waits for more when the signal comes. The empty lines are more than
# the pipe and one read hold, so once they are written, all in front of them has been read.
mkfifo "$scratch/endless"
"$cairn_cli" -p "$server_port" import --into stopped <"$scratch/endless" \
    2>"$scratch/said" &
importer=$!
exec 7>"$scratch/endless"
{ seq 300; head -c 200000 /dev/zero | tr '\0' '\n'; } >&7
kill -TERM $importer
wait $importer
is "an import ends by the signal" "$?" "143"
exec 7>&-
ok "it says how far it came" says "stopped after 300 records"
is "what was read is stored" "$(cli len stopped)" "300"
mkdir "$scratch/partial"
rm "$scratch/endless"
# It may come to its end before the signal arrives, on a machine that has other things to do: then
# once more, with twice as much.
export_stopped() { # lines
    local exporter files
    yes '"0123456789012345678901234567890123456789"' | head "-$1" | cli -q import --into lots
    rm -f "$scratch/partial"/*
    "$cairn_cli" -p "$server_port" export --from lots "$scratch/partial/lots" 2>"$scratch/said" &
    exporter=$!
    until files=("$scratch/partial"/*) && [ -e "${files[0]}" ]; do :; done
    kill -TERM $exporter
    wait $exporter
}
for lines in 200000 200000 400000 800000; do
    export_stopped $lines
    stopped=$?
    [ $stopped = 0 ] || break
done
is "an export ends by the signal" "$stopped" "143"
ok "it says so" says "stopped after"
is "and leaves no file" "$(ls "$scratch/partial")" ""
cli del lots >/dev/null

# --- options in the wrong place
ok "an option behind the method is 2" status 2 cli get a --json
ok "it is told where options stand" says "--json: options of cairn-cli stand in front of the method"
ok "also help" status 2 cli get --help
ok "with its value" status 2 cli get a --port=1
is "a quoted key may be named so" "$(cli set '"--json"' 1; cli get '"--json"')" "true
1"
is "a negative number is no option" "$(cli set a -1; cli get a)" "true
-1"

# --- import: real data
iso=/usr/share/iso-codes/json
if [ -r $iso/iso_3166-1.json ] && command -v jq >/dev/null; then
    while read -r file member key; do
        cli --quiet import --key "$member:{$key}" $iso/$file.json
        cli --quiet export --prefix "$member:" --format json "$scratch/iso.json"
        is "$file comes back as it was" \
            "$(jq -cS "sort_by(.$key)" "$scratch/iso.json" | cksum)" \
            "$(jq -cS ".\"$member\" | sort_by(.$key)" $iso/$file.json | cksum)"
    done <<'END'
iso_3166-1 3166-1 alpha_2
iso_3166-2 3166-2 code
iso_4217 4217 alpha_3
iso_639-3 639-3 alpha_3
iso_15924 15924 alpha_4
END
    is "a country is read by its path" "$(cli get 3166-1:NO.name)" "Norway"
    cli -q import --into countries --at 3166-1 $iso/iso_3166-1.json
    is "a list of countries, in their order" \
        "$(cli -q export --from countries | jq -cS . | cksum)" \
        "$(jq -cS '."3166-1"[]' $iso/iso_3166-1.json | cksum)"
else
    skip "iso-codes come back as they were" "iso-codes or jq is not installed"
fi

# --- memory, for eyes
ok "census is a table" status 0 cli census
ok "with a total" says "total"
is "its bytes add up" "$(cli census | awk '{ bytes = substr($0, 37, 16) + 0 }
    $1 != "total" { sum += bytes }
    $1 == "total" { print (sum == bytes && sum > 0) }')" "1"
is "census as JSON" "$(cli --json census | jq -r type)" "array"
ok "heapmap draws the heap" status 0 cli heapmap
ok "with a legend" says "a..z"
ok "heapmap of some pages" status 0 cli heapmap 0 10
ok "says which" says "pages 0 to"
ok "heapmap behind the last page is 2" status 2 cli heapmap 999999
ok "says so" says "the heap has no page 999999"
ok "heapmap of nonsense is 2" status 2 cli heapmap x

# --- a terminal
if command -v script >/dev/null; then
    # What is typed goes through a pipe, when the program has asked for it.
    terminal_open() {
        rm -f "$scratch/keys"
        mkfifo "$scratch/keys"
        timeout "$HANG_SECONDS" script -qefc "'$cairn_cli' -p $server_port" /dev/null \
            <"$scratch/keys" >"$scratch/said" 2>&1 &
        terminal=$!
        exec 7>"$scratch/keys"
        wait_until prompts 1
    }
    terminal_close() { printf 'quit\n' >&7; wait "$terminal"; exec 7>&-; }
    prompts() { [ "$(grep -o ":$server_port> " "$scratch/said" | wc -l)" -ge "$1" ]; }
    typed() { terminal_open; printf '%b' "$1" >&7; terminal_close; }
    typed 'get user:1.name\nset t "a b"\nget t ?\nget t\n'
    ok "a command on a terminal" says '"Ada"'
    ok "? explains a method" says 'get(path, [opts: depth, default])'
    ok "texts are quoted on a terminal" says '"a b"'
    typed 'exi\tuser:1\n'
    ok "Tab completes a method" grep -q 'exists.*user:1' "$scratch/.cairn_history"
    terminal_open
    printf 'set t dropped' >&7
    wait_until says dropped
    printf '\003' >&7
    wait_until prompts 2
    printf 'ping\nset t sent\n' >&7
    terminal_close
    ok "Ctrl-C does not end the program" says 'PONG'
    is "but drops the line" "$(cli get t)" "sent"
    terminal_open
    printf 'get kept\n' >&7
    ok "the history is kept from each line on" wait_until grep -q kept "$scratch/.cairn_history"
    terminal_close
    typed 'set \t\n'
    ok "Tab behind a method shows its parameters" \
        says 'set(path, value, [opts: if, match, create, ttl, keep_ttl])'
    typed 'mem.\t\n'
    ok "Tab lists what is possible" says 'mem.census'
    typed 'table que\tt where x = 1\n'
    ok "Tab completes a command of table" grep -q 'table.*query.*where' "$scratch/.cairn_history"
    typed 'table \t\n'
    ok "Tab lists them" says 'describe'
    typed 'table group \t\n'
    ok "and shows what one takes" says 'table group NAME [by ...] count, sum(x)'
    ok "the history is kept from one time to the next" grep -q 'user:1.name' "$scratch/.cairn_history"
else
    skip "the terminal" "script is not installed"
fi

server_stop
is "the heap is sound at the end" "$server_status" 0
tap_end
