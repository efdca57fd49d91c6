#!/bin/bash
# bench.sh - cairn-bench runs every workload against a real server, notices a wrong reply,
# and says in its exit status what happened.
. "$CAIRN_SOURCE/tests/integration/lib.sh"

bench() { "$CAIRN_BUILD/cairn-bench" "$@" >"$scratch/out" 2>"$scratch/err"; }
bench_status() { # what expected-status argument...
    local what=$1 expected=$2 status=0
    shift 2
    bench "$@" || status=$?
    is "$what: exit status" "$status" "$expected"
    [ "$status" = "$expected" ] || diag "$(cat "$scratch/out" "$scratch/err")"
}

socket=$scratch/socket
server_start --unix="$socket"
common="--port $server_port --clients 4 --keyspace 200 --warmup 0 --requests 2000 --json"
for workload in get set mixed; do
    # shellcheck disable=SC2086
    bench_status "$workload" 0 $common --pipeline 8 $workload
    ok "$workload: all requests answered, none wrong" \
        grep -Pzq '"requests": 2000,(.|\n)*"errors": 0,\n  "wrong_replies": 0,' "$scratch/out"
done
# shellcheck disable=SC2086
bench_status "zipf, with the server's CPU time" 0 $common --distribution zipf --get-percent 90 \
    --server-pid "$server_pid"
bench_status "a Unix socket, one request at a time" 0 --unix "$socket" --clients 1 --requests 200 \
    --keyspace 10 --warmup 0.01
ok "the report for people names the throughput" grep -q '^200 requests in .* requests/s$' "$scratch/out"
# shellcheck disable=SC2086
bench_status "values larger than a socket's buffer" 0 $common --requests 40 --value-size 500000 \
    --keyspace 5 --pipeline 4
# shellcheck disable=SC2086
bench_status "values of no bytes" 0 $common --value-size 0
bench_status "a duration instead of a count" 0 --port "$server_port" --duration 0.2 --warmup 0.1 \
    --keyspace 100
# shellcheck disable=SC2086
bench_status "keys that are not there" 1 $common --no-fill --keyspace 1m get
ok "the first wrong reply is told" grep -q 'did not bring the value that was set' "$scratch/err"
# A key of another type is an error to nobody but us.
"$CAIRN_BUILD/cairn-cli" --port "$server_port" set bench:0000000000 '[1, 2]' >/dev/null
# shellcheck disable=SC2086
bench_status "a value of another type" 1 $common --no-fill --keyspace 1 get
bench_status "a wrong option" 2 --no-such-option
bench_status "a workload that does not exist" 2 frobnicate
bench_status "a number out of range" 2 --clients 0
server_stop
is "the server ends well, with a sound heap" "$server_status" 0
bench_status "no server" 1 --unix "$socket" --requests 1
ok "the failure names the address" grep -q "cannot connect to $socket" "$scratch/err"
tap_end
