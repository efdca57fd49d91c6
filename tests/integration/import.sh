#!/bin/bash
# import.sh - the flat files of vega-datasets go into tables through the server: their types are
# found, their rows counted, summed and grouped, and read back cell by cell.
. "$CAIRN_SOURCE/tests/integration/lib.sh"
. "$CAIRN_SOURCE/tests/integration/client_lib.sh"

node_needed "imports" vega-datasets
server_start --max-memory=512m
node_client import.mjs "$server_port"
server_stop
is "the server ends, and its heap is sound" "$server_status" 0
tap_end
