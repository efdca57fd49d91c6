#!/bin/sh
# Builds the heap with each planted bug of plants.md and checks that the heap's tests catch it.
# Plant 0 is the heap without a bug: its tests must pass, or the rest proves nothing.
set -u
source_dir=${CAIRN_SOURCE:?} build_dir=${CAIRN_BUILD:?}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
compiler=${CC:-cc}
plants=$(sed -n 's/^| \([0-9][0-9]*\) |.*/\1/p' "$source_dir/tests/plants.md")
echo "1..$(($(echo "$plants" | wc -l) + 1))"
failed=0 number=0
for n in 0 $plants; do
    number=$((number + 1))
    unit=$(sed -n "s/^| $n |.*\`\(unit\/test_[a-z]*\.c\)\`.*/\1/p" "$source_dir/tests/plants.md")
    # Fixed seeds: whether a bug is caught must not depend on the day.
    if ! $compiler -std=gnu11 -O1 -DCAIRN_DEBUG=1 -DCAIRN_PLANT="$n" -D_GNU_SOURCE \
        -I"$source_dir" -o "$work/plant$n" "$source_dir"/heap/*.c \
        "$source_dir"/tests/support/runner.c "$source_dir"/tests/support/heap_fixture.c \
        "$source_dir/tests/${unit:-unit/test_heap.c}" $(pkg-config --cflags --libs check) \
        >"$work/build.log" 2>&1; then
        echo "not ok $number - plant $n does not build"
        sed 's/^/# /' "$work/build.log"
        failed=1
        continue
    fi
    (cd "$work" && CAIRN_SEED=1 CK_FORK=no timeout 120 "./plant$n" >"$work/log" 2>&1)
    status=$?
    if [ "$n" -eq 0 ] && [ $status -eq 0 ]; then
        echo "ok 1 - without a planted bug the tests pass"
    elif [ "$n" -ne 0 ] && [ $status -ne 0 ] && [ $status -ne 124 ]; then
        echo "ok $number - planted bug $n is caught"
    else
        echo "not ok $number - planted bug $n: the tests ended with status $status"
        tail -n 5 "$work/log" | sed 's/^/# /'
        failed=1
    fi
done
exit $failed
