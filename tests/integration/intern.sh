#!/bin/bash
# intern.sh - strings that repeat inside of containers are stored once, and overwriting them keeps
# the collector asleep.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

RECORDS=5000
figure() { cli --json mem.info | tr ',{}' '\n' | sed -n "s/^ *\"$1\": *//p"; }

for ((i = 0; i < RECORDS; i++)); do
    echo "{\"id\": \"r$i\", \"maintainer\": \"A name of thirty letters, or so $((i % 7))\"}"
done >"$scratch/records"
import() { cli --quiet import --key 'r:{id}' "$scratch/records"; }

for length in 0 128; do
    server_start --intern-strings=$length
    ok "$length: records are imported" import
    used[length]=$(figure used_bytes)
    cycles=$(cli --json gc.stats | tr ',{}' '\n' | sed -n 's/^ *"cycles": *//p')
    ok "$length: and again" import
    ok "$length: and again" import
    if ! grep -q '^#define CAIRN_GC_STRESS' "$CAIRN_BUILD/config.h"; then
        is "$length: no cycle runs" \
            "$(cli --json gc.stats | tr ',{}' '\n' | sed -n 's/^ *"cycles": *//p')" "$cycles"
        is "$length: the table has seven names and the field's" "$(figure interned)" $((length ? 8 : 0))
    fi
    is "$length: a record is read" "$(cli --json get 'r:r8.maintainer')" \
        '"A name of thirty letters, or so 1"'
    server_stop
    is "$length: the heap is sound" "$server_status" 0
done
diag "${used[0]} bytes without, ${used[128]} with"
ok "the strings are gone but for some" \
    test "${used[128]}" -lt $((used[0] - RECORDS * 40))
tap_end
