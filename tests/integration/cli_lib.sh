# cli_lib.sh - sourced by the tests of cairn-cli, in place of lib.sh.
#
#   cli WORD...                 a command to the server of server_start
#   status EXPECTED COMMAND...  succeeds if the command ends with that status
#   says TEXT                   succeeds if the command of the last `status` said this
. "$CAIRN_SOURCE/tests/integration/lib.sh"

cairn_cli=$CAIRN_BUILD/cairn-cli
export HOME=$scratch TERM=dumb
unset CAIRN_URL NO_COLOR XDG_STATE_HOME

cli() { timeout "$HANG_SECONDS" "$cairn_cli" --port "$server_port" "$@"; }

status() {
    local expected=$1 got
    shift
    "$@" >"$scratch/said" 2>&1 </dev/null
    got=$?
    [ "$got" = "$expected" ] || diag "status $got, expected $expected: $(cat "$scratch/said")"
    [ "$got" = "$expected" ]
}
says() { grep -qF -- "$1" "$scratch/said" || { cat "$scratch/said"; false; }; }
