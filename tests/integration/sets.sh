#!/bin/bash
# sets.sh - sets and sorted sets through cairn-cli: words, literals, options, JSON, many members.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

server_start
cli() { timeout "$HANG_SECONDS" "$cairn_cli" --port "$server_port" "$@" 2>&1; }
sorted_words() { tr -d '[]"' | tr ',' '\n' | tr -d ' ' | sort | paste -sd' '; }

# --- sets
is "members are the words that are left" "$(cli include langs c lua 7 create=true)" "3"
is "a member is there once" "$(cli include langs c rust)" "1"
is "contains" "$(cli contains langs lua && cli contains langs perl)" "true
false"
is "type and len" "$(cli type langs && cli len langs)" "set
4"
is "a set reads as a list" "$(cli get langs)" '["c", "lua", 7, "rust"]'
is "and is one in JSON" "$(cli --json get langs | jq -c .)" '["c","lua",7,"rust"]'
is "exclude" "$(cli exclude langs 7 perl)" "1"
is "keys pages through members" "$(cli --json keys langs | jq -c '.[1] | sort')" \
    '["c","lua","rust"]'
is "a set can be written as a value" "$(cli set mixed 'set(1, "two", 2.5)' && cli type mixed)" "true
set"
is "also inside of another" \
    "$(cli set user '{"tags": set("a", "b"), "n": 1}' && cli include user.tags b c)" "true
1"
is "a result that needs extension types shows it" \
    "$(cli set deep '[set(1), 18446744073709551615]' && cli get deep)" "true
[set(1), 18446744073709551615]"
is "union" "$(cli union langs mixed | sorted_words)" "1 2.5 c lua rust two"
is "the option into is a path" "$(cli set place '{}' >/dev/null
    cli union langs into=place.all >/dev/null && cli len place.all)" "$(cli len langs)"
is "intersect into a path" "$(cli include more lua rust zig create=true >/dev/null
    cli intersect langs more into=both && cli get both | sorted_words)" "2
lua rust"
is "difference" "$(cli difference more langs)" '["zig"]'
is "scan finds sets" "$(cli --json scan type=set | jq -c '.[1] | sort')" \
    '["both","langs","mixed","more"]'
is "include without a set" "$(cli include nothing 1)" \
    'cairn-cli: NOT_FOUND include: there is no set at "nothing"; the option create makes it'
is "a list is no set" "$(cli push list 1 create=true && cli include list 1)" \
    '1
cairn-cli: WRONG_TYPE include: "list" is a list; include needs a set'

# --- sorted sets
is "pairs are words" "$(cli sorted.add game ada 10 bob 7.5 cy 10 create=true)" "3"
is "type" "$(cli type game)" "sorted set"
is "get shows order and scores" "$(cli get game)" '[["bob", 7.5], ["ada", 10], ["cy", 10]]'
is "a member may look like a number" "$(cli sorted.add game 42 1 && cli sorted.score game 42)" "1
1"
is "increment" "$(cli sorted.increment game bob 5)" "12.5"
is "rank, also from the top" "$(cli sorted.rank game bob && cli sorted.rank game bob reverse=true)" \
    "3
0"
is "range" "$(cli sorted.range game 0 2 reverse=true scores=true)" '[["bob", 12.5], ["cy", 10]]'
is "range by score" "$(cli sorted.range game 10 null by=score)" '["ada", "cy", "bob"]'
is "count" "$(cli sorted.count game 1 10)" "3"
is "only if greater" "$(cli sorted.add game ada 3 if=greater && cli sorted.score game ada)" "0
10"
is "pop" "$(cli sorted.pop game && cli sorted.pop game 2 greatest=true)" '["42", 1]
[["bob", 12.5], ["cy", 10]]'
is "remove" "$(cli sorted.remove game ada nobody && cli len game)" "1
0"

# --- lists and keys
is "insert" "$(cli push seq 1 2 3 create=true >/dev/null; cli insert seq 1 a b && cli get seq)" '5
[1, "a", "b", 2, 3]'
is "splice" "$(cli splice seq -2 1 x && cli get seq)" '[2]
[1, "a", "b", "x", 3]'
is "swap and take" "$(cli swap seq 5 && cli take seq && cli exists seq)" '[1, "a", "b", "x", 3]
5
0'
is "rename" "$(cli rename more fewer && cli exists more fewer)" "true
1"

# --- many: combining takes steps, and somebody else is served meanwhile
for from in 0 9000 18000 27000; do
    echo "include many [$(seq -s, $from $((from + 8999)))] {\"create\": true}"
    echo "include odd [$(seq -s, $((from + 1)) 2 $((from + 8999)))] {\"create\": true}"
done | cli >"$scratch/included"
is "thousands of members" "$(sort -u "$scratch/included" | paste -sd' ')" "4500 9000"
is "their difference" "$(cli difference many odd into=even)" "18000"
is "its members are even" "$(cli contains even 17998 && cli contains even 17999)" "true
false"

server_stop
is "the heap is sound" "$server_status" "0"
tap_end
