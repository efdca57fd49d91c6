#!/bin/bash
# dumpavail2jsonl.sh - Debian control paragraphs become JSON lines without losing anything.
. "$CAIRN_SOURCE/tests/support/tap.sh"
convert() { perl "$CAIRN_SOURCE/contrib/dumpavail2jsonl"; }

if ! command -v perl >/dev/null; then
    skip "dumpavail2jsonl" "perl is not installed"
    tap_end
    exit 0
fi

is "one object per paragraph, however many empty lines lie between" \
    "$(printf '\n\nA: 1\nB: 2\n\n\n\nA: 3\n' | convert)" $'{"A":"1","B":"2"}\n{"A":"3"}'
is "no input, no output" "$(convert </dev/null)" ""
is "continuation lines keep their order, their blanks and their dots" \
    "$(printf 'D: short\n first\n .\n   code\n' | convert)" '{"D":"short\nfirst\n.\n  code"}'
is "a field may be empty, or begin on the next line" \
    "$(printf 'A:\nB:\n x\n' | convert)" '{"A":"","B":"\nx"}'
is "blanks around a value are not part of it" "$(printf 'A: \t x y \t\n' | convert)" '{"A":"x y"}'
is "colons in values stay" "$(printf 'A: http://b: c\n' | convert)" '{"A":"http://b: c"}'
is "quotes, backslashes and control characters are escaped" \
    "$(printf 'A: "\\\t\001\033\177.\n' | convert)" '{"A":"\"\\\t\u0001\u001b'$'\177''."}'
is "UTF-8 passes through" "$(printf 'A: Žižkov 日本 🪨\n' | convert)" '{"A":"Žižkov 日本 🪨"}'
is "bytes that are not UTF-8 become replacement characters" \
    "$(printf 'A: x\377\303\251\303 \355\240\200\300\257y\n' | convert)" \
    '{"A":"x�é� �����y"}'
is "a text of a hundred thousand characters is not cut" \
    "$({ printf 'A: é'; head -c 100000 /dev/zero | tr '\0' x; printf '\303\n'; } | convert |
        tail -c 20)" 'xxxxxxxxxxxxxx�"}'
is "lines may end as on other systems" "$(printf 'A: 1\r\nB: 2\r\n' | convert)" '{"A":"1","B":"2"}'
is "a line of another form is refused, with its number" \
    "$(printf 'A: 1\nnonsense\n' | convert 2>&1 >/dev/null)" \
    'dumpavail2jsonl: line 2: neither "Field: value" nor a continuation'
is "a field that comes twice is refused" \
    "$(printf 'A: 1\nA: 2\n' | convert 2>&1 >/dev/null)" 'dumpavail2jsonl: line 2: field A comes twice'
tap_end
