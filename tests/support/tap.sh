# tap.sh - sourced by the shell tests: reporting in TAP, and the places of things.
#
#   . "$CAIRN_SOURCE/tests/support/tap.sh"
#   ok "what was proven" COMMAND...      passes if the command succeeds
#   is "what was proven" GOT EXPECTED    passes if the two texts are equal
#   skip "what" "why"                    skipped; fails under CAIRN_SKIP_NOTHING
#   tap_end                              the plan; the last line of a test. Failed cases show
#                                        in the report, not in the exit status
#
# Each test has a directory of its own, $scratch, removed at the end.
set -u
export LC_ALL=C.UTF-8
: "${CAIRN_SOURCE:?is set by make check}" "${CAIRN_BUILD:?is set by make check}"

tap_count=0
tap_failed=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/cairn-test.XXXXXX") || exit 99
cleanups=()
# Runs a command at the end of the test, the last one given first.
at_end() { cleanups+=("$*"); }
tap_cleanup() {
    local i
    for ((i = ${#cleanups[@]} - 1; i >= 0; i--)); do eval "${cleanups[i]}"; done
    rm -rf "$scratch"
}
trap tap_cleanup EXIT
trap 'exit 99' INT TERM HUP

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

tap_result() { # ok|"not ok" description
    tap_count=$((tap_count + 1))
    [ "$1" = ok ] || tap_failed=$((tap_failed + 1))
    printf '%s %d - %s\n' "$1" "$tap_count" "$2"
}

ok() {
    local description=$1 output
    shift
    if output=$("$@" 2>&1); then
        tap_result ok "$description"
    else
        tap_result "not ok" "$description"
        diag "${output:-failed: $*}"
    fi
}

is() {
    if [ "$2" = "$3" ]; then
        tap_result ok "$1"
    else
        tap_result "not ok" "$1"
        diag "got:      $2"
        diag "expected: $3"
    fi
}

skip() {
    if [ -n "${CAIRN_SKIP_NOTHING:-}" ]; then
        tap_result "not ok" "$1"
        diag "must not be skipped here, but: $2"
    else
        tap_count=$((tap_count + 1))
        printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
    fi
}

# The test cannot go on.
bail() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

tap_end() {
    printf '1..%d\n' "$tap_count"
    [ "$tap_failed" = 0 ] || diag "$tap_failed of $tap_count failed"
}
