#!/bin/bash
# export.sh - tables fetched from the server as Arrow, CSV, JSON lines and .npy are read, as they
# are, by apache-arrow, @uwdata/flechette, nodejs-polars and d3-dsv.
. "$CAIRN_SOURCE/tests/integration/lib.sh"
. "$CAIRN_SOURCE/tests/integration/client_lib.sh"

node_needed "exports" apache-arrow
server_start --max-memory=512m
node_client export.mjs "$server_port"
server_stop
is "the server ends, and its heap is sound" "$server_status" 0
tap_end
