#!/bin/bash
# arrow.sh - Arrow streams of ours are read by apache-arrow, @uwdata/flechette and nodejs-polars as
# they are, and theirs by us; the CSV and Arrow files of vega-datasets go in and out.
. "$CAIRN_SOURCE/tests/support/tap.sh"
. "$CAIRN_SOURCE/tests/integration/client_lib.sh"

node_needed "Arrow" apache-arrow
node_client arrow.mjs "$scratch" "$CAIRN_BUILD/table_convert"
tap_end
