#!/bin/bash
# server.sh - the program cairn-server: its options, its file, its beginning and its end.
. "$CAIRN_SOURCE/tests/integration/lib.sh"

# run STATUS OPTION...: runs the server to its end; what it says is in $said.
run() {
    local expected=$1
    shift
    said=$(timeout "$HANG_SECONDS" "$cairn_server" "$@" 2>&1)
    local status=$?
    [ "$status" = "$expected" ] || diag "status $status: $said"
    [ "$status" = "$expected" ]
}
says() { case $said in *"$1"*) true ;; *) diag "$said"; false ;; esac; }
refuses() { # STATUS TEXT OPTION...
    local status=$1 text=$2
    shift 2
    run "$status" "$@" && says "$text"
}
log_has() { grep -qF -- "$1" "$server_log"; }

# --- options
ok "--version names the program" refuses 0 "cairn-server 0." --version
run 0 --help
for setting in port bind unix max-memory log-level clients request-bytes request-depth verify; do
    ok "--help lists $setting" says "--$setting"
done
undocumented=
for setting in $(printf '%s' "$said" | sed -n 's/^  --\([a-z-]*\).*\[.*/\1/p'); do
    sed 's/\\-/-/g' "$CAIRN_SOURCE/man/cairn-server.conf.5" | grep -q "^\.BR $setting " ||
        undocumented="$undocumented $setting"
done
is "the manual knows every setting that has a default" "$undocumented" ""

ok "an unknown option is refused, with a suggestion" \
    refuses 2 'did you mean "port"?' --prot=1
ok "a bad value is refused, with what would be right" \
    refuses 2 '--max-memory: "lots" is not a size' --max-memory=lots
ok "an option without its value is refused" refuses 2 "it needs a value" --port
ok "limits that contradict each other are refused" \
    refuses 2 "pending-reply-bytes is below reply-bytes" --reply-bytes=1g
ok "a log file that cannot be opened is refused" \
    refuses 1 "log-file: /nonexistent/log cannot be opened" --log-file=/nonexistent/log

# --- the configuration file
cat >"$scratch/good.conf" <<END
# all is well
port = 0
[limits]
clients = 5
max-memory = 64m
verify = yes
log-level = debug
END
printf 'port = 0\n\nclients = many\n' >"$scratch/bad.conf"
ok "--check-config accepts a good file" \
    refuses 0 "the settings are in order" --check-config --config "$scratch/good.conf"
ok "--check-config names file, line and setting of a bad one" \
    refuses 2 "$scratch/bad.conf:3: clients: \"many\" is not a whole number" \
    --check-config --config="$scratch/bad.conf"
printf 'bind = 0.0.0.0\n' >"$scratch/open.conf"
ok "--check-config refuses what the server would refuse to listen on" \
    refuses 2 "bind: 0.0.0.0 can be reached from other machines" --check-config "$scratch/open.conf"
ok "--check-config says what is no address" \
    refuses 2 "bind: \"localhost\" is not an IP address" --check-config --bind=localhost
ok "a missing file is named" \
    refuses 2 "/nonexistent.conf: cannot be read" --check-config /nonexistent.conf
# What the sample has commented out is a setting all the same.
sed -n 's/^# \([a-z-]* = \)/\1/p' "$CAIRN_SOURCE/contrib/cairn.conf" >"$scratch/sample.conf"
ok "the sample configuration is in order" \
    refuses 0 "in order" --check-config "$scratch/sample.conf"
server_start --config "$scratch/good.conf" --log-level info
ok "a server with a configuration file answers" server_ping "$server_port"
ok "the command line overrides the file" eval '! log_has " debug "'
server_stop
is "it ends with status 0" "$server_status" 0

# --- start and stop
server_start --unix="$scratch/socket"
ok "a server answers over TCP" server_ping "$server_port"
ok "it says that it listens on the Unix socket" log_has "listening on $scratch/socket"
ok "the Unix socket is there" test -S "$scratch/socket"
ok "a port in use is refused with a clear error" \
    refuses 1 "cannot listen on 127.0.0.1 port $server_port: address already in use" \
    --port="$server_port"
ok "a Unix socket in use is refused" \
    refuses 1 "cannot listen on $scratch/socket: somebody else does" \
    --port=0 --unix="$scratch/socket"
ok "the first server goes on" server_ping "$server_port"
ok "its socket is still there" test -S "$scratch/socket"
server_stop
is "SIGTERM ends it with status 0" "$server_status" 0
ok "the heap was verified" log_has "the heap is sound"
ok "the Unix socket is removed" test ! -e "$scratch/socket"
ok "nobody listens any more" eval '! server_ping "$server_port" 2>/dev/null'

server_start --unix="$scratch/socket"
kill -KILL "$server_pid"
wait "$server_pid" 2>/dev/null
ok "a killed server leaves its socket behind" test -S "$scratch/socket"
server_start --unix="$scratch/socket"
ok "the next one replaces it" log_has "was left behind"
kill -INT "$server_pid"
server_join
is "SIGINT ends it with status 0" "$server_status" 0

touch "$scratch/file"
ok "a file that is not a socket is never replaced" \
    refuses 1 "$scratch/file exists and is not a socket" --port=0 --unix="$scratch/file"
ok "it is still there" test -f "$scratch/file"

# --- who may connect
ok "other than loopback addresses are refused, with the reason" \
    refuses 1 "asks nobody for a password" --bind=0.0.0.0 --port=0
ok "an IPv6 address that is not loopback, too" \
    refuses 1 "say --insecure" --bind=:: --port=0
ok "a name is not an address" refuses 2 "is not an IP address" --bind=localhost --port=0
"$cairn_server" --bind=0.0.0.0 --port=0 --insecure --max-memory=64m >"$scratch/open.log" 2>&1 &
open_pid=$!
at_end "kill -KILL $open_pid 2>/dev/null"
ok "--insecure listens there, and warns" wait_until grep -q "is open to the network" "$scratch/open.log"
kill -TERM "$open_pid"
wait "$open_pid"
is "and ends with status 0" "$?" 0

# --- the log
log=$scratch/elsewhere.log
"$cairn_server" --port=0 --max-memory=64m --log-file="$log" >"$scratch/nothing" 2>&1 &
logger_pid=$!
at_end "kill -KILL $logger_pid 2>/dev/null"
ok "--log-file logs to a file" wait_until grep -q "info  listening on" "$log"
ok "and nowhere else" test ! -s "$scratch/nothing"
mv "$log" "$log.1"
kill -HUP "$logger_pid"
ok "SIGHUP opens the log again" wait_until grep -q "opened again" "$log"
kill -TERM "$logger_pid"
wait "$logger_pid"
is "the server with a log file ends with status 0" "$?" 0
ok "its end is logged" grep -q "info  ended" "$log"
tap_end
