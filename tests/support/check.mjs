// check.mjs - the cases of a test in JavaScript: "pass WHAT" or "fail WHAT: ..." a line, which
// tests/integration/client_lib.sh reads.
import { deepStrictEqual } from 'node:assert';
import { inspect } from 'node:util';

const SHOWN_MAX = 300;

export function check(what, got, expected) {
    try {
        deepStrictEqual(got, expected);
        console.log(`pass ${what}`);
    } catch {
        const at = Array.isArray(got) && Array.isArray(expected)
            ? expected.findIndex((v, i) => inspect(v) !== inspect(got[i])) : -1;
        const short = (v) => inspect(at < 0 ? v : v[at]).slice(0, SHOWN_MAX).replaceAll('\n', ' ');
        const where = at < 0 ? '' : `at ${at} of ${expected.length}: `;
        console.log(`fail ${what}: ${where}got ${short(got)}, expected ${short(expected)}`);
    }
}
