#!/bin/bash
# duckdb.sh - random queries of random tables give what DuckDB gives.
#
#     CAIRN_SEED=N      the first table's seed (1); a failure names the table's
#     CAIRN_TABLES=N    how many tables (32; 10 in builds that check themselves)
. "$CAIRN_SOURCE/tests/integration/lib.sh"

CLIENT_SECONDS=1500
QUERIES=220
LARGE_ROWS=150000 # of every eighth table
# Builds that check themselves are several times slower.
if grep -Eq '^#define CAIRN_(DEBUG|GC_STRESS)' "$CAIRN_BUILD/config.h"; then some=10; else some=32; fi
tables=${CAIRN_TABLES:-$some}
modules=${CAIRN_NODE_CLIENTS:-}
if [ -z "$modules" ] || [ ! -d "$modules/@duckdb/node-api" ] || ! command -v node >/dev/null; then
    skip "DuckDB" "CAIRN_NODE_CLIENTS does not name a directory that has @duckdb/node-api"
    tap_end
    exit
fi
# approx_distinct of 150,000 groups takes 600 MB.
server_start --unix="$scratch/socket" --max-memory=4g --table-query-memory=2g
timeout "$CLIENT_SECONDS" node "$CAIRN_SOURCE/tests/integration/duckdb.mjs" "$modules" "$scratch/socket" \
    "${CAIRN_SEED:-1}" "$tables" "$QUERIES" "$LARGE_ROWS" >"$scratch/out" 2>&1 </dev/null
while IFS= read -r line; do
    case $line in
    pass\ *) tap_result ok "${line#pass }" ;;
    fail\ *) tap_result "not ok" "${line#fail }" ;;
    *) diag "$line" ;;
    esac
done <"$scratch/out"
is "the client ran to its end" "$(tail -n 1 "$scratch/out")" end
server_stop
is "the server ended well" "$server_status" 0
tap_end
