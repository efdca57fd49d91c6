#!/bin/bash
# cli_stop.sh - cairn-cli table that is stopped by a signal leaves nothing half done; what takes
# longer than a second shows on a terminal how far it is, and nowhere else.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

server_start
table() { cli -q table "$@"; }
cd "$scratch" || bail "no scratch directory"

# --- signals
# A pipe that stays open: cairn-cli waits for more of the file when the signal comes. All of the first
# blocks but what the pipe holds has been read, and sent, once it is written.
mkfifo pipe
stopped_load() { # SIGNAL COMMAND WORD...
    local signal=$1 loader
    shift
    "$cairn_cli" -p "$server_port" table "$@" 2>"$scratch/said" &
    loader=$!
    exec 7>pipe
    seq 2000000 >&7
    kill "-$signal" $loader
    wait $loader
    loaded=$?
    exec 7>&-
}
# SIGTERM, as a shell's background commands ignore SIGINT; both are handled alike.
stopped_load TERM create made pipe --format csv --no-header
is "create ends by the signal" "$loaded" "143"
ok "it says that nothing is kept" says "none of them is kept"
is "so it is" "$(cli exists made)" "0"
cli table.create there '[["column1","i64"]]' >/dev/null
cli table.append there '{"rows": [[1]]}' >/dev/null
stopped_load TERM append there pipe --format csv --no-header
is "append ends by the signal" "$loaded" "143"
is "nothing is appended" "$(cli len there)" "1"
ok "and others can append" eval "printf '2\n' | table append there - --no-header"
is "as if nothing had been" "$(cli len there)" "2"
stopped_load KILL append there pipe --format csv --no-header
is "also if it is killed" "$loaded $(cli len there)" "137 2"
stopped_load KILL create made pipe --format csv --no-header
is "and create" "$(cli exists made)" "0"

# It may come to its end before the signal arrives, on a machine that has other things to do: then
# once more, with twice as much.
mkdir out
stopped_export() { # lines
    local exporter files
    cli del lots >/dev/null
    seq "$1" | table create lots - --no-header
    rm -f out/.[!.]* out/*
    echo old >out/lots.csv
    "$cairn_cli" -p "$server_port" table export lots out/lots.csv 2>"$scratch/said" &
    exporter=$!
    until files=(out/lots.csv.* out/.[!.]*) && [ -e "${files[0]}" -o -e "${files[1]}" ] ||
        ! kill -0 $exporter 2>/dev/null; do :; done
    kill -TERM $exporter 2>/dev/null
    wait $exporter
}
for lines in 1000000 1000000 2000000 4000000; do
    stopped_export $lines
    stopped=$?
    [ $stopped = 0 ] || break
done
is "an export ends by the signal" "$stopped" "143"
ok "it says so" says "stopped after"
is "the file is as it was, alone" "$(cat out/lots.csv) $(find out -type f | wc -l)" "old 1"

# --- progress
# The server is stopped, so each wait takes as long as it is.
paused() { # COMMAND...
    kill -STOP "$server_pid"
    { sleep 1.5; kill -CONT "$server_pid"; } &
    "$@"
    wait $!
}
paused cli table group there count >"$scratch/out.txt" 2>"$scratch/said"
is "a pipe gets the result" "$(tail -n 1 "$scratch/out.txt")" "    2"
is "and nothing else" "$(cat "$scratch/said")" ""
if command -v script >/dev/null; then
    terminal() { timeout "$HANG_SECONDS" script -qec "'$cairn_cli' -p $server_port $*" /dev/null </dev/null >"$scratch/said" 2>&1; }
    paused terminal table group there count
    ok "a terminal is told how long the server takes" says "waiting for the server, 1 s"
    is "until it answers" "$(tail -n 1 "$scratch/said" | tr -d '\r')" "    2"
    is "the line is taken away" "$(sed -n '1s/.*\r\x1b\[K//p' "$scratch/said" | tr -d '\r')" "count"
    paused terminal -q table group there count
    is "unless it wants quiet" "$(grep -c waiting "$scratch/said")" "0"
    seq 2000000 >many.csv
    paused terminal table create shown many.csv --no-header
    ok "a load that waits shows it" says "waiting for the server"
    ok "and ends with its summary" says "created a table of 2000000 rows"
    paused terminal table export shown - --format csv where "'column1 < 3'"
    is "what is exported to the terminal is alone there once it comes" \
        "$(sed 's/.*\r\x1b\[K//' "$scratch/said" | tr -d '\r' | head -n 3 | tr '\n' ' ')" "column1 1 2 "
else
    skip "terminals" "there is no script(1)"
fi

server_stop
is "the heap is sound" "$server_status" "0"
tap_end
