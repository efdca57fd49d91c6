#!/bin/bash
# full_disk.sh - no room for what is written: the server's log, and files that cairn-cli exports. A
# limit on the size of files stands for a full disk; both make write(2) fail.
. "$CAIRN_SOURCE/tests/integration/lib.sh"

export HOME=$scratch TERM=dumb
unset CAIRN_URL NO_COLOR XDG_STATE_HOME

cli() { timeout "$HANG_SECONDS" "$CAIRN_BUILD/cairn-cli" --port "$server_port" "$@" 2>&1; }
# The same, where no file may be larger than 8 KiB.
limited() { (ulimit -f 8 && cli "$@"); }
# Whether nothing but $1 files lies in the directory.
files_are() { [ "$(ls "$scratch/out" | wc -l)" = "$1" ]; }

server_start
mkdir "$scratch/out"
awk 'BEGIN { print "i,name"; for (i = 0; i < 5000; i++) print i ",name " i }' >"$scratch/rows.csv"
cli --quiet table create t "$scratch/rows.csv" >/dev/null
awk 'BEGIN { for (i = 0; i < 1000; i++) printf "set k%d \"a text of twenty one\"\n", i }' |
    cli >/dev/null

echo before >"$scratch/out/old.csv"
for format in csv jsonl arrow; do
    is "table export says which $format file" \
        "$(limited --quiet table export t "$scratch/out/new.$format"; echo "$?")" \
        "cairn-cli: $scratch/out/new.$format: cannot write: File too large
4"
done
ok "and leaves no file" files_are 1
is "one that is there stays" "$(limited --quiet table export t "$scratch/out/old.csv" >/dev/null
    cat "$scratch/out/old.csv")" "before"
is "export says which file" "$(limited --quiet export "$scratch/out/new.json"; echo "$?")" \
    "cairn-cli: $scratch/out/new.json: cannot write: File too large
4"
ok "and leaves no file either" files_are 1
is "a small file is written" \
    "$(limited --quiet table export t "$scratch/out/new.csv" limit 2; echo "$?")" "0"
ok "it is there" files_are 2
if [ -c /dev/full ]; then
    is "a device that is full" "$(cli --quiet table export t /dev/full --format csv; echo "$?")" \
        "cairn-cli: /dev/full: cannot write: No space left on device
4"
    is "standard output that is full" \
        "$({ "$CAIRN_BUILD/cairn-cli" --port "$server_port" -q table export t - --format csv \
            >/dev/full; } 2>&1; echo "$?")" \
        "cairn-cli: standard output: cannot write: No space left on device
4"
    is "an answer to it" "$({ "$CAIRN_BUILD/cairn-cli" --port "$server_port" get k1 >/dev/full; } 2>&1; echo "$?")" \
        "cairn-cli: cannot write to standard output: No space left on device
4"
fi
server_stop
is "the heap is sound" "$server_status" "0"

# --- the log: a server goes on without it, and says so where it can
: >"$scratch/limited.log"
server_started() { grep -q 'listening on 127' "$scratch/limited.log"; }
head -c 7000 /dev/zero | tr '\0' '\n' >"$scratch/limited.log"
(ulimit -f 8 && exec "$cairn_server" --port=0 --verify --log-level=debug \
    --log-file="$scratch/limited.log" 2>"$scratch/stderr") &
server_pid=$!
wait_until server_started
server_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$scratch/limited.log")
for ((i = 0; i < 40; i++)); do cli ping >/dev/null; done
is "a server whose log is full answers" "$(cli ping)" "PONG"
is "it says so once on standard error" \
    "$(sed 's/^[0-9T:.Z-]* //' "$scratch/stderr")" \
    "error cannot write to the log file $scratch/limited.log: File too large"
mv "$scratch/limited.log" "$scratch/limited.log.1"
kill -HUP "$server_pid"
lines_are_missed() { grep -q 'error [0-9]* lines are missing here' "$scratch/limited.log"; }
wait_until lines_are_missed
cli ping >/dev/null
ok "once there is room again the log tells that lines are missing" lines_are_missed
server_stop
is "the heap is sound again" "$server_status" "0"
tap_end
