#!/bin/bash
# documents.sh - what the documents list is what the program has: settings, errors, files.
. "$CAIRN_SOURCE/tests/support/tap.sh"
cd "$CAIRN_SOURCE" || bail "no source directory"

# The first text in quotes of each X(...) between two lines of a header.
settings() {
    sed -n '/^#define SERVER_SETTINGS/,/^#define SETTING_C_TYPE/p' server/settings.h |
        sed -n 's/^ *X([a-z_]*, "\([a-z-]*\)".*/\1/p'
}
errors() {
    sed -n '/^#define SERVER_ERRORS/,/^enum/p' server/errors.h | sed -n 's/^ *X(\([A-Z_]*\),.*/\1/p'
}
# Lists what the command names and the file does not have, as a word in backquotes or after "--".
missing() { # command file
    "$1" | while read -r name; do
        grep -qE -- "(\`|--|\\\\-\\\\-)${name//-/(\\\\)?-}([^a-zA-Z_-]|\$)" "$2" || echo "$2: no $name"
    done
}
nothing() { [ -z "$1" ] || { printf '%s\n' "$1"; return 1; }; }

ok "the lists are found" test "$(settings | wc -l)" -gt 15 -a "$(errors | wc -l)" -gt 8
ok "docs/operations.md lists every setting" nothing "$(missing settings docs/operations.md)"
ok "docs/operations.md lists no other setting" nothing "$(
    sed -n '/^| setting /,/^$/s/^| `\([a-z-]*\)`.*/\1/p' docs/operations.md | while read -r name; do
        settings | grep -qx -- "$name" || echo "$name is not a setting"
    done)"
ok "docs/protocol.md lists every error" nothing "$(missing errors docs/protocol.md)"
ok "what the documents refer to is there" nothing "$(
    grep -ohE '`(heap|protocol|server|client|bench|tests|docs|man|contrib)/[a-zA-Z0-9_./-]*[a-z0-9]`' \
        README.md HACKING docs/architecture.md docs/benchmarks.md docs/memory.md docs/protocol.md \
        docs/operations.md docs/testing.md |
        tr -d '`' | sort -u | while read -r file; do [ -e "$file" ] || echo "no $file"; done)"
ok "the documents name programs that make bench runs" nothing "$(
    grep -ohE '\./bench_[a-z_]+' docs/benchmarks.md docs/memory.md | sort -u |
        while read -r program; do
            grep -q "^    measure [0-9]* ${program#./}" bench/run || echo "bench/run: no $program"
        done)"
ok "every document is installed, and the README leads to the one on memory" nothing "$(
    for file in docs/*.md; do
        grep -q "%D%/${file#docs/}" docs/local.mk || echo "docs/local.mk: no $file"
    done
    grep -q 'docs/memory\.md' README.md || echo "README.md: no docs/memory.md")"
tap_end
