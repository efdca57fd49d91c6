#!/bin/bash
# evict.sh - a server as a cache: keys that expire, an idle server that sleeps meanwhile, and a
# small heap that evicts instead of refusing.
. "$CAIRN_SOURCE/tests/integration/cli_lib.sh"

cli() { timeout "$HANG_SECONDS" "$cairn_cli" --port "$server_port" "$@" 2>&1; }
figure() { cli --json server.info keys | jq -r ".$1"; }
figure_is() { [ "$(figure "$1")" = "$2" ]; }
# Ticks of CPU time that the server has used; and whether it hardly uses any.
cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$server_pid/stat"; }
server_sleeps() {
    local before
    before=$(cpu_ticks)
    sleep 2
    [ $(($(cpu_ticks) - before)) -le 2 ]
}
# Where each set takes long, keys are fewer, and larger.
each=1
grep -q '^#define CAIRN_GC_STRESS' "$CAIRN_BUILD/config.h" && each=4
# Sets $1 keys of 1000 bytes, or as many bytes in fewer keys, from number 0 on: by some clients, none
# of which is at it for so long that it seems to hang.
fill() {
    local from count=$(($1 / each)) part=2500
    for ((from = 0; from < count; from += part)); do
        awk -v from=$from -v end=$((from + part < count ? from + part : count)) \
            -v bytes=$((each * 1000)) 'BEGIN {
            v = sprintf("%" bytes "s", ""); gsub(/ /, "x", v)
            for (i = from; i < end; i++) printf "set key:%d \"%s\"\n", i, v }' | cli
    done
}

# --- expiry
server_start
is "a key with a time" "$(cli set short 1 ttl=300 && cli set long 2 ttl=100000000 &&
    cli set ever 3)" "true
true
true"
is "ttl tells it" "$(test "$(cli ttl long)" -gt 90000000 && cli ttl ever)" "null"
wait_until figure_is expired 1
is "what has expired is freed by itself" "$(figure keys) $(figure expiring)" "2 1"
is "and is gone" "$(cli get short && cli exists short long ever)" "null
2"
is "expire and keep_ttl" "$(cli expire ever 60000000 && cli set ever 4 keep_ttl=true &&
    test "$(cli ttl ever)" -gt 50000000 && cli expire ever null && cli ttl ever)" "true
true
true
null"
is "a time that does not fit" "$(cli set a 1 ttl=0 | sed 's/;.*//')" \
    'cairn-cli: OUT_OF_RANGE set: option ttl is 0'
ok "an idle server sleeps while keys have time" wait_until server_sleeps
server_stop
is "the heap is sound" "$server_status" "0"

# --- eviction
server_start --max-memory=16m
is "refuse is the default" "$(fill 20000 | sort | uniq -c | awk '{ print $2, $3 }' | head -n 1)" \
    "cairn-cli: OUT_OF_MEMORY"
is "and evicts nothing" "$(figure evicted)" "0"
server_stop

for policy in evict-lru evict-lfu; do
    server_start --max-memory=16m --memory-policy=$policy
    is "$policy takes all that comes" "$(fill 30000 | sort | uniq -c | awk '{ print $1, $2 }')" \
        "$((30000 / each)) true"
    ok "$policy evicted what it had to" test "$(figure evicted)" -gt $((10000 / each))
    ok "$policy evicted no more" test "$(figure keys)" -gt $((9000 / each))
    is "the newest key is there" "$(cli exists "key:$((30000 / each - 1))")" "1"
    for size in 500000 2000000 4000000; do
        fill 15000 >/dev/null
        is "$policy makes room for a value of $size bytes before it refuses" \
            "$({ printf 'set big "'; head -c $size /dev/zero | tr '\0' x; echo '"'; } | cli)" "true"
        # It may be evicted like any other key, but not cut.
        ok "it is whole, or gone" grep -Eqx "$size|0" <<<"$(cli len big)"
        cli del big >/dev/null
    done
    ok "$policy evicted no more than that takes" test "$(figure keys)" -gt $((3000 / each))
    server_stop
    is "the heap is sound" "$server_status" "0"
done

server_start --max-memory=16m --memory-policy=evict-ttl
ok "evict-ttl refuses when nothing expires" test "$(fill 20000 | grep -c OUT_OF_MEMORY)" -gt 0
is "and evicts nothing" "$(figure evicted)" "0"
server_stop
is "the heap is sound" "$server_status" "0"

is "an unknown policy" "$("$cairn_server" --memory-policy=lru 2>&1 | grep -c 'evict-lfu or evict-ttl')" "1"
tap_end
