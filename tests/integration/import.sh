#!/bin/bash
# import.sh - the flat files of vega-datasets go into tables through the server: their types are
# found, their rows counted, summed and grouped, and read back cell by cell.
. "$CAIRN_SOURCE/tests/integration/lib.sh"

CLIENT_SECONDS=300
modules=${CAIRN_NODE_CLIENTS:-}
if [ -z "$modules" ] || [ ! -d "$modules/vega-datasets" ] || ! command -v node >/dev/null; then
    skip "imports" "CAIRN_NODE_CLIENTS does not name a directory that has vega-datasets"
    tap_end
    exit
fi
server_start --max-memory=512m
timeout "$CLIENT_SECONDS" node "$CAIRN_SOURCE/tests/integration/import.mjs" "$modules" \
    "$server_port" >"$scratch/out" 2>&1 </dev/null
while IFS= read -r line; do
    case $line in
    pass\ *) tap_result ok "${line#pass }" ;;
    fail\ *) tap_result "not ok" "${line#fail }" ;;
    *) diag "$line" ;;
    esac
done <"$scratch/out"
is "the client ran to its end" "$(tail -n 1 "$scratch/out")" end
server_stop
is "the server ends, and its heap is sound" "$server_status" 0
tap_end
