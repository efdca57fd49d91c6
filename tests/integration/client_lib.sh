# client_lib.sh - sourced by the tests whose cases are those of a client in another language, which
# prints "pass WHAT" or "fail WHAT: ..." a line, and whatever else for people.
#
#   node_has MODULE...           succeeds if Node.js is here, and finds these in $CAIRN_NODE_CLIENTS
#   node_needed WHAT MODULE...   else the test is skipped and ends
#   client_report [PREFIX]       turns the lines of standard input into cases; $client_cases counts
#   node_client SCRIPT WORD...   runs tests/integration/SCRIPT, which ends with a line "end"
HANG_SECONDS=600

modules=${CAIRN_NODE_CLIENTS:-}

node_has() {
    local module
    [ -n "$modules" ] && command -v node >/dev/null || return 1
    for module in "$@"; do [ -d "$modules/$module" ] || return 1; done
}

node_needed() {
    local what=$1
    shift
    node_has "$@" && return
    skip "$what" "CAIRN_NODE_CLIENTS does not name a directory that has $*"
    tap_end
    exit
}

client_report() {
    local line
    client_cases=0
    while IFS= read -r line; do
        case $line in
        pass\ *) tap_result ok "${1:-}${line#pass }" ;;
        fail\ *) tap_result "not ok" "${1:-}${line#fail }" ;;
        # Its native part is made for few machines.
        no\ polars*)
            [ "$(uname -m)" != x86_64 ] || skip "polars" "${line#no polars: }"
            continue
            ;;
        *) diag "${line#\# }"; continue ;;
        esac
        client_cases=$((client_cases + 1))
    done
}

node_client() {
    local script=$1
    shift
    timeout "$HANG_SECONDS" node "$CAIRN_SOURCE/tests/integration/$script" "$modules" "$@" \
        >"$scratch/out" 2>&1 </dev/null
    client_report <"$scratch/out"
    is "the client ran to its end" "$(tail -n 1 "$scratch/out")" end
}
