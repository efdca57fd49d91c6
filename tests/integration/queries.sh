#!/bin/bash
# queries.sh - filters, expressions and aggregates mean what DuckDB says: thousands of random queries to
# random tables, see queries.mjs. Fewer in the builds that are slow.
. "$CAIRN_SOURCE/tests/integration/lib.sh"

CLIENT_SECONDS=600
modules=${CAIRN_NODE_CLIENTS:-}
if [ -z "$modules" ] || [ ! -d "$modules/@duckdb/node-api" ] || [ ! -d "$modules/@msgpack/msgpack" ] ||
    ! command -v node >/dev/null; then
    skip "DuckDB" "CAIRN_NODE_CLIENTS does not name a directory that has @duckdb/node-api and @msgpack/msgpack"
    tap_end
    exit
fi
extent=full
if grep -qE '^S\["(SANITIZE|GC_STRESS)_TRUE"\]=""' "$CAIRN_BUILD/config.status"; then extent=reduced; fi

server_start --max-memory=2g
timeout "$CLIENT_SECONDS" node "$CAIRN_SOURCE/tests/integration/queries.mjs" "$modules" 127.0.0.1 \
    "$server_port" "$extent" >"$scratch/out" 2>&1 </dev/null
while IFS= read -r line; do
    case $line in
    pass\ *) tap_result ok "${line#pass }" ;;
    fail\ *) tap_result "not ok" "${line#fail }" ;;
    *) diag "${line#\# }" ;;
    esac
done <"$scratch/out"
is "the client ran to its end" "$(tail -n 1 "$scratch/out")" end
server_stop
is "the server ends well, with a sound heap" "$server_status" 0
tap_end
