#!/bin/bash
# arrow.sh - Arrow streams of ours are read by apache-arrow, @uwdata/flechette and nodejs-polars as
# they are, and theirs by us; the CSV and Arrow files of vega-datasets go in and out.
. "$CAIRN_SOURCE/tests/support/tap.sh"

CLIENT_SECONDS=300
modules=${CAIRN_NODE_CLIENTS:-}
if [ -z "$modules" ] || [ ! -d "$modules/apache-arrow" ] || ! command -v node >/dev/null; then
    skip "Arrow" "CAIRN_NODE_CLIENTS does not name a directory that has apache-arrow"
    tap_end
    exit
fi
timeout "$CLIENT_SECONDS" node "$CAIRN_SOURCE/tests/integration/arrow.mjs" "$modules" "$scratch" \
    "$CAIRN_BUILD/table_convert" >"$scratch/out" 2>&1 </dev/null
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
tap_end
