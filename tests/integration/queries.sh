#!/bin/bash
# queries.sh - filters, expressions and aggregates mean what DuckDB says: thousands of random queries to
# random tables, see queries.mjs. Fewer in the builds that are slow.
. "$CAIRN_SOURCE/tests/integration/lib.sh"
. "$CAIRN_SOURCE/tests/integration/client_lib.sh"

node_needed "DuckDB" @duckdb/node-api
extent=full
if grep -qE '^S\["(SANITIZE|GC_STRESS)_TRUE"\]=""' "$CAIRN_BUILD/config.status"; then extent=reduced; fi

server_start --max-memory=2g
node_client queries.mjs "$server_port" "$extent"
server_stop
is "the server ends well, with a sound heap" "$server_status" 0
tap_end
