#!/bin/bash
# Builds in each planted bug of plants.md and checks that the test named there catches it, for the
# right reason. Plant 0 is Cairn without a bug: all of these tests must pass, or the rest proves
# nothing. All else is compiled once; for a plant only the files that it is in.
set -u
source_dir=${CAIRN_SOURCE:?}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
jobs=2
seconds=300 # for one test, which takes one or two: what takes longer hangs
# Fixed seeds: whether a bug is caught must not depend on the day.
export CAIRN_SEED=1

compile() { # plant source object
    # shellcheck disable=SC2086
    ${CC:-cc} -std=gnu11 -O1 -DCAIRN_DEBUG=1 -DCAIRN_PLANT="$1" -D_GNU_SOURCE \
        '-DPACKAGE_VERSION="planted"' $flags \
        -I"$source_dir" -c -o "$3" "$source_dir/$2"
}
object() { echo "${1//\//_}.o"; } # of a source
test_objects() { # what a test program needs, as the names of objects
    printf '%s\n' tests_unit_test_"$1".c.o "${common[@]}"
    [ "$1" != pins ] || printf '%s\n' "${session[@]}"
}
# link PROGRAM DIRECTORY: its objects, those of DIRECTORY before the common ones.
link() {
    local name files=()
    for name in $(test_objects "$1"); do
        if [ -e "$2/$name" ]; then files+=("$2/$name"); else files+=("$work/$name"); fi
    done
    # shellcheck disable=SC2086
    ${CC:-cc} -o "$2/$1" "${files[@]}" $libraries
}

objects_of() { for file in "$@"; do object "${file#"$source_dir"/}"; done; }
heap=("$source_dir"/heap/*.c)
support=("$source_dir"/tests/support/{runner,heap_fixture,heap_literal,map_model,seeds}.c)
programs=(barriers pins intern table_fork table_index table_versions)
server=()
for file in "$source_dir"/server/*.c "$source_dir"/protocol/*.c; do
    case ${file##*/} in
    # What a session without a socket has no use for, or needs libuv and inih.
    main.c | gen_*.c | server.c | listener.c | session.c | session_*.c | tasks.c | settings.c | \
    expiry.c | \
        log.c) ;;
    *) server+=("$file") ;;
    esac
done
server+=("$source_dir"/tests/support/{in_process,ask,literal,method_cases,arrow_sample,export_all}.c)
mapfile -t common < <(objects_of "${heap[@]}" "${support[@]}")
mapfile -t session < <(objects_of "${server[@]}")
flags=$(pkg-config --cflags check yajl)
# Debian calls it msgpack, others msgpack-c; the headers may need no flags at all.
for name in msgpack-c msgpack; do
    msgpack=$(pkg-config --cflags --libs "$name" 2>/dev/null) && flags="$flags $msgpack" && break
done
libraries="$(pkg-config --libs check yajl) ${msgpack:-} -lm"
export -f compile object link test_objects objects_of
export work source_dir flags libraries

# One plant: builds, runs, and writes its line of the report to $work/N.tap.
plant() { # number files program test sentence
    local n=$1 dir=$work/plant$1 program=$3 test=$4 sentence=$5 file status
    mkdir "$dir"
    for file in $2; do
        compile "$n" "$file" "$dir/$(object "$file")" >>"$dir/build" 2>&1 || break
    done
    if ! link "$program" "$dir" >>"$dir/build" 2>&1; then
        echo "not ok $((n + 1)) - plant $n does not build"
        sed 's/^/# /' "$dir/build"
        return
    fi
    (cd "$dir" && CK_FORK=no CK_RUN_CASE=$test timeout "$seconds" "./$program" >log 2>&1) 2>/dev/null
    status=$?
    if [ $status -ne 0 ] && [ $status -ne 124 ] && grep -qF -- "$sentence" "$dir/log"; then
        echo "ok $((n + 1)) - planted bug $n is caught by $program: $test"
    else
        echo "not ok $((n + 1)) - planted bug $n: $program: $test ended with status $status," \
            "and should say: $sentence"
        tail -n 5 "$dir/log" | sed 's/^/# /'
    fi
}
export -f plant
export seconds

# The rows of the table: n|files|program|test|sentence
rows() {
    sed -n 's/^| *\([0-9][0-9]*\) *|[^|]*| *\([^|]*[^| ]\) *| *\([a-z_]*\): \([a-z_]*\) *| *\([^|]*[^| ]\) *|$/\1|\2|\3|\4|\5/p' \
        "$source_dir/tests/plants.md"
}
expand() { (cd "$source_dir" && echo $1); } # shellcheck disable=SC2086
export -f expand

count=$(rows | wc -l)
echo "1..$((count + 1))"
if [ "$count" -ne "$(grep -c '^| *[0-9]' "$source_dir/tests/plants.md")" ]; then
    echo "Bail out! a row of plants.md is not of the form expected"
    exit 99
fi
arrays=$(declare -p common session)
export arrays

# Everything without a bug.
tests=("${programs[@]/#/$source_dir/tests/unit/test_}")
for file in "${heap[@]}" "${support[@]}" "${server[@]}" "${tests[@]/%/.c}"; do
    echo "${file#"$source_dir"/}"
done | xargs -P "$jobs" -I{} bash -c 'compile 0 {} "$work/$(object {})"' >"$work/build" 2>&1
mkdir "$work/plant0"
clean=0
for program in "${programs[@]}"; do
    link "$program" "$work/plant0" >>"$work/build" 2>&1 &&
        (cd "$work/plant0" && CK_FORK=no timeout "$seconds" "./$program" >log 2>&1) || clean=1
done
if [ $clean -eq 0 ]; then
    echo "ok 1 - without a planted bug the tests pass"
else
    echo "not ok 1 - without a planted bug the tests pass"
    tail -n 20 "$work/build" "$work/plant0/log" | sed 's/^/# /'
fi
rows | tr '\n' '\0' | xargs -0 -P "$jobs" -I{} bash -c 'eval "$arrays"
    IFS="|" read -r n files program test sentence <<<"$1"
    plant "$n" "$(expand "$files")" "$program" "$test" "$sentence" >"$work/$n.tap" 2>&1' _ {}
for n in $(rows | cut -d'|' -f1); do cat "$work/$n.tap"; done
! grep -q '^not ok' "$work"/*.tap && [ $clean -eq 0 ]
