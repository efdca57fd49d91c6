#!/bin/bash
# methods_doc.sh - docs/methods.md is what server/method_list.h says.
. "$CAIRN_SOURCE/tests/support/tap.sh"

"$CAIRN_BUILD/gen_methods" >"$scratch/methods.md" || bail "gen_methods failed"
ok "every method has a heading" test "$(grep -c '^### ' "$scratch/methods.md")" -gt 40
ok "docs/methods.md is up to date (else: gen_methods >docs/methods.md)" \
    diff -u "$CAIRN_SOURCE/docs/methods.md" "$scratch/methods.md"
tap_end
