#!/bin/bash
# realdata.sh - the main job: Debian's iso-codes and the machine's whole package list go in
# through cairn-cli import, are read back by path and by export, and equal the input. At the
# end the server checks its whole heap.
#
# Comparisons do not depend on the order of keys or records (jq -S, sort). The stress build
# steps the collector at every request, so it takes a part of the package list only.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

ISO=/usr/share/iso-codes/json
STRESS_PACKAGES=2000

normal() { jq -S -c . | sort; } # JSON values, one a line, in one order

for needed in jq perl apt-cache; do
    command -v "$needed" >/dev/null || { skip "real data" "$needed is not installed"; tap_end; exit; }
done
[ -d "$ISO" ] || { skip "real data" "iso-codes is not installed"; tap_end; exit; }

server_start --max-memory=2g
keys=0

# --- iso-codes: all of every record
while read -r standard field; do
    file=$ISO/iso_$standard.json
    jq -c '.[][]' "$file" >"$scratch/records"
    count=$(wc -l <"$scratch/records")
    keys=$((keys + count))
    ok "iso $standard: is imported" cli import --prefix "iso$standard:" --key-field "$field" "$file"
    is "iso $standard: every record has a key" "$(cli count)" "$keys"
    normal <"$scratch/records" >"$scratch/expected"
    cli --quiet export --prefix "iso$standard:" "$scratch/exported"
    normal <"$scratch/exported" >"$scratch/got"
    ok "iso $standard: $count records equal the input" cmp "$scratch/expected" "$scratch/got"
    # Each name by its path, in the order of the file.
    jq -r --arg p "iso$standard:" --arg f "$field" '"get " + ($p + .[$f] | @json) + ".name"' \
        "$scratch/records" | cli --json >"$scratch/got"
    jq -c .name "$scratch/records" >"$scratch/expected"
    jq -c . "$scratch/got" >"$scratch/normal"
    ok "iso $standard: each name is read by its path" cmp "$scratch/expected" "$scratch/normal"
done <<'END'
3166-1 alpha_2
3166-2 code
3166-3 alpha_4
639-2 alpha_3
639-3 alpha_3
639-5 alpha_3
4217 alpha_3
15924 alpha_4
END
ok "there were thousands of records" test "$keys" -gt 10000

# --- the same as a list: order counts
ok "a list is imported" cli import --into languages "$ISO/iso_639-3.json"
keys=$((keys + 1))
cli --quiet export --from languages "$scratch/exported"
jq -S -c . "$scratch/exported" >"$scratch/got"
jq -S -c '.[][]' "$ISO/iso_639-3.json" >"$scratch/expected"
ok "the list equals the input, in its order" cmp "$scratch/expected" "$scratch/got"
is "an item is read by its index from the end" "$(cli --json get 'languages[-1]' | jq -S -c .)" \
    "$(tail -n 1 "$scratch/expected")"

# --- the package list
apt-cache dumpavail 2>/dev/null | perl "$CAIRN_SOURCE/contrib/dumpavail2jsonl" >"$scratch/records"
if grep -q '^#define CAIRN_GC_STRESS' "$CAIRN_BUILD/config.h"; then
    head -n "$STRESS_PACKAGES" "$scratch/records" >"$scratch/part"
    mv "$scratch/part" "$scratch/records"
fi
count=$(wc -l <"$scratch/records")
if [ "$count" = 0 ]; then
    skip "the package list" "apt has none; apt-get update fetches it"
else
    keys=$((keys + count))
    ok "the package list is imported" \
        cli import --on-duplicate error --key 'package:{Package}:{Architecture}' "$scratch/records"
    is "every package has a key" "$(cli count)" "$keys"
    normal <"$scratch/records" >"$scratch/expected"
    cli --quiet export --prefix package: "$scratch/exported"
    normal <"$scratch/exported" >"$scratch/got"
    ok "$count packages equal the input" cmp "$scratch/expected" "$scratch/got"
    jq -r '"get " + ("package:" + .Package + ":" + .Architecture | @json) + ".Description"' \
        "$scratch/records" | cli --json | jq -c . >"$scratch/got"
    jq -c .Description "$scratch/records" >"$scratch/expected"
    ok "each description is read by its path" cmp "$scratch/expected" "$scratch/got"
    # Importing once more replaces everything, and leaves no garbage behind.
    used=$(cli gc.collect >/dev/null && cli gc.mem_alloc)
    ok "the package list is imported again" \
        cli import --key 'package:{Package}:{Architecture}' "$scratch/records"
    is "there are as many keys as before" "$(cli count)" "$keys"
    again=$(cli gc.collect >/dev/null && cli gc.mem_alloc)
    # Strings that were new to the first import are interned in the second.
    ok "the heap is as large as before" test "$again" -ge $((used * 95 / 100)) -a "$again" -le \
        $((used * 102 / 100))
    diag "$count packages and $((keys - count)) other keys take $used bytes, then $again"
fi

ok "clear deletes all" cli clear
is "nothing is left" "$(cli count)" 0
cli gc.collect >/dev/null
ok "the memory is free again" test "$(cli gc.mem_alloc)" -lt 1000000
server_stop
is "the server ends well, with a sound heap" "$server_status" 0
tap_end
