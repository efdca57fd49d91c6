#!/bin/bash
# layers.sh - the sources keep to the layers and to the style that a machine can check.
#
#   heap      libc and heap/ only
#   protocol  libc, msgpack-c and protocol/; no sockets, no loop
#   client    protocol/ and client/ (libuv, yajl, libedit); neither heap/ nor server/
#   server    heap/, protocol/ and server/ (libuv, inih, yajl); not client/
#   bench     whatever it measures
#
# The inside of the heap (heap_int.h, store.h) is for heap/, its unit tests, the programs
# that check it and its benchmarks.
. "$CAIRN_SOURCE/tests/support/tap.sh"
cd "$CAIRN_SOURCE" || bail "no source directory"

FILE_LINES_MAX=800
LINE_COLUMNS_MAX=100

sources() { find "$@" -name '*.[ch]' -not -path '*/build*' | LC_ALL=C sort; }

# Lines "file:line:include", of #include lines in the folder given that match a pattern.
includes() { # folder pattern
    sources "$1" | xargs -r grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)"
}

nothing() { # prints what it is given, and fails if that is anything
    [ -z "$1" ] || { printf '%s\n' "$1"; return 1; }
}

SOCKETS='sys/socket\.h|netinet/|arpa/|netdb\.h|sys/un\.h|poll\.h|sys/epoll\.h|sys/select\.h'
OTHERS='uv\.h|uv/|msgpack|yajl/|histedit\.h|editline/|ini\.h|hiredis/'

ok "there are sources to look at" test "$(sources heap protocol server client | wc -l)" -gt 10
ok "heap/ includes libc and heap/ only" \
    nothing "$(includes heap "protocol/|server/|client/|bench/|tests/|$OTHERS|$SOCKETS")"
ok "protocol/ includes libc, msgpack-c and protocol/ only" nothing "$(includes protocol \
    "heap/|server/|client/|bench/|tests/|uv\.h|uv/|yajl/|histedit\.h|editline/|ini\.h|hiredis/|$SOCKETS")"
ok "client/ includes neither heap/ nor server/" \
    nothing "$(includes client 'heap/|server/|bench/|tests/|msgpack|ini\.h|hiredis/')"
ok "server/ does not include client/" \
    nothing "$(includes server 'client/|bench/|tests/|histedit\.h|editline/|hiredis/')"
ok "of server/, only the reader of JSON lines includes yajl" nothing "$(
    includes server 'yajl/' | grep -v '^server/table_json\.c:')"
ok "the inside of the heap stays inside" nothing "$(
    sources protocol server client tests bench |
        grep -vE '^(tests/(unit|model|fault|torture|support)|bench)/' |
        xargs -r grep -nHE 'include[[:space:]]*"heap/(heap_int|store)\.h"'
    sources protocol server client |
        xargs -r grep -nHE 'include[[:space:]]*"heap/(heap_int|store)\.h"')"
ok "project headers are included by their path from the top" nothing "$(
    sources heap protocol server client tests bench |
        xargs grep -nHE '^#include "[^"]+"' | grep -vE '"(config\.h|[a-z_]+/[^"]+)"')"

ok "no file is longer than $FILE_LINES_MAX lines" nothing "$(
    sources heap protocol server client tests bench | xargs wc -l |
        awk -v max="$FILE_LINES_MAX" '$2 != "total" && $1 > max')"
ok "no line is longer than $LINE_COLUMNS_MAX columns" nothing "$(
    sources heap protocol server client tests bench |
        xargs grep -nHE "^.{$((LINE_COLUMNS_MAX + 1)),}")"
ok "no tabs, and no blanks at the ends of lines" nothing "$(
    sources heap protocol server client tests bench | xargs grep -nHE "$(printf '\t')|[[:blank:]]+\$")"
# Written apart, so that this file does not find itself.
marks="\\b(TO""DO|FIX""ME|XX""X|HA""CK)\\b"
ok "no marks of unfinished work" nothing "$(
    { sources heap protocol server client tests bench
      find tests contrib docs man -type f \( -name '*.sh' -o -name '*.md' -o -name '*.[0-9]' \)
      ls README.md CHANGES check quickstart 2>/dev/null; } | xargs grep -nHE "$marks")"
ok "every source file says at its top what it is for" nothing "$(
    sources heap protocol server client bench |
        while read -r file; do head -n 1 "$file" | grep -q '^/\*' || echo "$file"; done)"
ok "headers have include guards named after their path" nothing "$(
    sources heap protocol server bench | grep '\.h$' | while read -r file; do
        guard=CAIRN_$(printf '%s' "$file" | tr 'a-z/.' 'A-Z__')
        grep -q "^#ifndef $guard\$" "$file" || echo "$file: no guard $guard"
    done)"
tap_end
