#!/bin/sh
# soak.sh HOURS PROGRAM... - runs programs of seeded random tests in turn, again and again, each
# time with seeds that no run has seen, for HOURS (a fraction such as 0.5 will do). It stops at the
# first failure, and prints the seed and the command that repeats it. Meant for the stress build:
# `make soak` makes one. Programs fuzz_NAME are fuzzers: each runs for a minute in its turn, from
# the corpus and what it has found before, in the directory found-NAME.
set -eu
[ $# -ge 2 ] || { echo "usage: soak.sh HOURS PROGRAM..." >&2; exit 2; }
hours=$1
shift
batch=100
hang_seconds=1800
first=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
corpora=$(cd "$(dirname "$0")/fuzz/corpus" && pwd)
begin=$(date +%s)
end=$((begin + $(awk -v hours="$hours" 'BEGIN { printf "%d", hours * 3600 }')))
next=$begin
rounds=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
echo "soaking for $hours hours, with seeds from $first on: $*"
while [ "$(date +%s)" -lt "$end" ]; do
    last=$((first + batch - 1))
    for program in "$@"; do
        status=0
        name=${program##*/fuzz_}
        if [ "$name" != "$program" ]; then
            mkdir -p "found-$name"
            "$program" -max_total_time="${SOAK_FUZZ_SECONDS:-60}" -seed="$first" -timeout=60 \
                "found-$name" "$corpora/$name" >"$log" 2>&1 || status=$?
            [ "$status" -ne 0 ] || continue
            tail -n 60 "$log"
            echo "$program failed (status $status); it has written what it failed with to $(pwd)"
            exit 1
        fi
        CK_FORK=no CAIRN_SEEDS=$first-$last timeout "$hang_seconds" "$program" >"$log" 2>&1 ||
            status=$?
        [ "$status" -ne 0 ] || continue
        cat "$log"
        echo "$program failed (status $status) with a seed in $first-$last," \
            "after $((rounds * batch)) seeds"
        grep '^# seed ' "$log" ||
            echo "To repeat it: CK_FORK=no CAIRN_SEEDS=$first-$last $program"
        exit 1
    done
    first=$((last + 1)) rounds=$((rounds + 1))
    now=$(date +%s)
    # A line every ten minutes, and one that is overwritten where somebody looks on.
    if [ "$now" -ge "$next" ]; then
        echo "$((rounds * batch)) seeds passed, $(((end - now) / 60)) minutes left"
        next=$((now + 600))
    elif [ -t 1 ]; then
        printf '%d seeds passed, %d s left \r' $((rounds * batch)) $((end - now))
    fi
done
echo "$((rounds * batch)) seeds passed in each of $# programs"
