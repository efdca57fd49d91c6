# lib.sh - sourced by the integration tests: a real server on a free port, ended and verified
# when the test ends.
#
#   . "$CAIRN_SOURCE/tests/integration/lib.sh"
#   server_start [OPTION...]    waits until it listens; sets $server_pid, $server_port, $server_log
#   server_stop                 SIGTERM; sets $server_status (0: clean, and the heap is sound)
#   server_ping PORT            succeeds if a server answers a ping there
#   wait_until COMMAND...       tries until it succeeds, for minutes if need be: fails if it hangs
#
# The server verifies its heap at shutdown; server_stop at the end of a test is a case of it.
. "$CAIRN_SOURCE/tests/support/tap.sh"

cairn_server=$CAIRN_BUILD/cairn-server
server_pid=
server_port=
server_log=$scratch/server.log
server_status=

server_kill() { [ -z "$server_pid" ] || kill -KILL "$server_pid" 2>/dev/null || true; }
at_end server_kill

HANG_SECONDS=300 # what takes longer hangs, also on a busy machine

wait_until() {
    local end=$((SECONDS + HANG_SECONDS))
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

server_listens_or_ended() {
    grep -q 'listening on 127\.0\.0\.1:' "$server_log" || ! kill -0 "$server_pid" 2>/dev/null
}

server_start() {
    : >"$server_log"
    "$cairn_server" --port=0 --verify --max-memory=256m "$@" >>"$server_log" 2>&1 &
    server_pid=$!
    wait_until server_listens_or_ended
    server_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\)$/\1/p' "$server_log" | head -n 1)
    [ -n "$server_port" ] && return 0
    diag "$(cat "$server_log")"
    bail "the server does not listen"
}

server_stop() {
    kill -TERM "$server_pid" 2>/dev/null
    server_join
}

# Waits for the server to end by itself.
server_join() {
    wait "$server_pid"
    server_status=$?
    server_pid=
    [ "$server_status" = 0 ] || diag "$(cat "$server_log")"
}

# [0, 1, "ping", []] and [1, 1, nil, "PONG"], as MessagePack.
server_ping() {
    local answer
    exec 9<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf '\x94\x00\x01\xa4ping\x90' >&9
    answer=$(head -c 9 <&9 | od -An -tx1 | tr -d ' \n')
    exec 9>&- 9<&-
    [ "$answer" = 940101c0a4504f4e47 ]
}
