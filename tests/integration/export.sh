#!/bin/bash
# export.sh - tables fetched from the server as Arrow, CSV, JSON lines and .npy are read, as they
# are, by apache-arrow, @uwdata/flechette, nodejs-polars and d3-dsv.
. "$CAIRN_SOURCE/tests/integration/lib.sh"

CLIENT_SECONDS=300
modules=${CAIRN_NODE_CLIENTS:-}
if [ -z "$modules" ] || [ ! -d "$modules/apache-arrow" ] || ! command -v node >/dev/null; then
    skip "exports" "CAIRN_NODE_CLIENTS does not name a directory that has apache-arrow"
    tap_end
    exit
fi
server_start --max-memory=512m
timeout "$CLIENT_SECONDS" node "$CAIRN_SOURCE/tests/integration/export.mjs" "$modules" \
    "$server_port" >"$scratch/out" 2>&1 </dev/null
while IFS= read -r line; do
    case $line in
    pass\ *) tap_result ok "${line#pass }" ;;
    fail\ *) tap_result "not ok" "${line#fail }" ;;
    # Its native part is made for few machines.
    no\ polars*) [ "$(uname -m)" != x86_64 ] || skip "polars" "${line#no polars: }" ;;
    *) diag "$line" ;;
    esac
done <"$scratch/out"
is "the client ran to its end" "$(tail -n 1 "$scratch/out")" end
server_stop
is "the server ends, and its heap is sound" "$server_status" 0
tap_end
