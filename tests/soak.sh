#!/bin/sh
# soak.sh PROGRAM HOURS - runs a program of seeded random tests again and again, each time with
# new seeds, for HOURS (a fraction such as 0.5 will do), and stops at the first failure, whose
# output names the seed. `CAIRN_SEED=that CAIRN_SEEDS=1 PROGRAM` then repeats it.
set -eu
program=${1:?usage: soak.sh PROGRAM HOURS} hours=${2:?usage: soak.sh PROGRAM HOURS}
batch=100
seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
seconds=$(awk -v hours="$hours" 'BEGIN { printf "%d", hours * 3600 }')
end=$(($(date +%s) + seconds))
runs=0
while [ "$(date +%s)" -lt "$end" ]; do
    if ! CK_FORK=no CAIRN_SEED=$seed CAIRN_SEEDS=$batch "$program" >soak.log 2>&1; then
        cat soak.log
        echo "failed with a seed from $seed on, after $((runs * batch)) seeds"
        exit 1
    fi
    seed=$((seed + batch)) runs=$((runs + 1))
    [ ! -t 1 ] || printf '\r%d seeds, %d s left ' $((runs * batch)) $((end - $(date +%s)))
done
rm -f soak.log
echo "$((runs * batch)) seeds passed"
