#!/bin/bash
# foreign.sh - clients that other people wrote work unchanged, in plain mode: Neovim's
# channels, pynvim's msgpack_rpc, and npm's msgpack5rpc. Each gets, sets, nests values,
# and is told errors, over TCP and over a Unix socket.
. "$CAIRN_SOURCE/tests/integration/lib.sh"
. "$CAIRN_SOURCE/tests/integration/client_lib.sh"

here=$CAIRN_SOURCE/tests/integration
# A client's report, and that it has so many cases.
report() { # client expected-count file
    client_report "$1 " <"$3"
    is "$1: ran to its end" "$client_cases" "$2"
}

socket=$scratch/socket
server_start --unix="$socket"

if command -v nvim >/dev/null; then
    : >"$scratch/nvim.out"
    CAIRN_OUT=$scratch/nvim.out CAIRN_ADDRESS=127.0.0.1:$server_port CAIRN_UNIX=$socket HOME=$scratch \
        timeout "$HANG_SECONDS" nvim --headless -u NONE -i NONE -n -S "$here/foreign.vim" \
        >"$scratch/nvim.err" 2>&1 </dev/null
    [ ! -s "$scratch/nvim.err" ] || diag "$(cat "$scratch/nvim.err")"
    report Neovim 34 "$scratch/nvim.out"
else
    skip "Neovim" "nvim is not installed"
fi

# Debian installs pynvim for its own Python, which need not be the first in PATH.
python=/usr/bin/python3
if "$python" -c 'import pynvim.msgpack_rpc' 2>/dev/null; then
    timeout "$HANG_SECONDS" "$python" "$here/foreign.py" 127.0.0.1 "$server_port" "$socket" \
        >"$scratch/python.out" 2>&1 </dev/null
    report pynvim 34 "$scratch/python.out"
else
    skip "pynvim" "python3-pynvim is not installed"
fi

if node_has msgpack5rpc; then
    timeout "$HANG_SECONDS" node "$here/foreign.mjs" "$modules" 127.0.0.1 "$server_port" "$socket" \
        >"$scratch/node.out" 2>&1 </dev/null
    report msgpack5rpc 32 "$scratch/node.out"
else
    skip "msgpack5rpc" "CAIRN_NODE_CLIENTS does not name a directory that has it"
fi

server_stop
is "the server ends well, with a sound heap" "$server_status" 0
tap_end
