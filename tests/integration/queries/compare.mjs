// Whether two results are the same: bit by bit, but for sums of doubles, whose order is each engine's
// own, and what is made of them.
//
// The bounds are those of any order of summation (Higham, Accuracy and Stability of Numerical
// Algorithms, 4.2; Rump 2012): |computed - exact| <= (n - 1) u sum|x|, u = 2^-53. Two sides, so twice.
// For variances: Chan, Golub, LeVeque (1983): the updating formulas err by n u kappa, relative, with
// kappa^2 = sum x^2 / S and S the sum of squared deviations.
import { TYPES } from './types.mjs';

const U = 2 ** -53;
const APPROX_ERROR = 0.0163;  // of 4,096 registers: 1.04 / 64
const APPROX_SIGMAS = 6;
const same = (a, b) => Object.is(a, b) || (a !== null && b !== null && typeof a !== typeof b && typeof a !== 'boolean' && a == b);
const sameBytes = (a, b) => a.length === b.length && a.every((v, i) => v === b[i]);

/* --- results as columns ------------------------------------------------------------------------*/

/** The bins of a reply in format cols. */
export function fromCairn(data, valid, name, type, rows) {
    const cells = data[name];
    if (Array.isArray(cells)) return cells;
    const { array } = TYPES[type];
    const copy = new Uint8Array(cells); /* a Buffer's slice would not copy */
    const out = Array.from(new array(copy.buffer, 0, rows));
    const bits = valid[name];
    return out.map((v, i) => bits && !(bits[i >> 3] >> (i & 7) & 1) ? null : type === 'bool' ? v !== 0 : v);
}

/* --- cells -------------------------------------------------------------------------------------*/

function sameCell(got, wanted, type) {
    if (got === null || wanted === null) return got === wanted;
    if (type === 'bin') return got instanceof Uint8Array && sameBytes(got, wanted.bytes ?? wanted);
    if (got instanceof Uint8Array) return false;
    return same(got, wanted);
}

const within = (got, wanted, bound) => Object.is(got, wanted) || got === wanted || Math.abs(got - wanted) <= bound;

/** A sum of doubles; 'undecided' where a partial sum may be infinite in one order and not in another. */
function sameSum(got, sum, count, magnitude, divided) {
    if (sum === null) return got === null;
    const n = Number(count);
    if (Number.isFinite(sum) && magnitude >= Number.MAX_VALUE / 4) return 'undecided';
    if (magnitude >= Number.MAX_VALUE / 4 && Number.isFinite(got)) return 'undecided';
    if (!Number.isFinite(sum)) return magnitude === Infinity || Number.isNaN(magnitude) ? Object.is(got, sum) || 'infinite' : 'undecided';
    if (divided) sum /= n;
    const bound = 2 * (n - 1) * U * magnitude / (divided ? n : 1) * (1 + 4 * U);
    return within(got, sum, bound + (divided ? 2 * U * Math.abs(sum) + 2 ** -1074 : 0));
}

function sameVariance(got, [variance, count, odd, squares, most], root) {
    const n = Number(count);
    if (n < 2) return got === null;
    if (Number(odd) > 0) return Number.isNaN(got);
    if (most >= 1e140) return 'undecided';
    /* S = variance (n - 1); n u kappa S / (n - 1) = n u sqrt(squares S) / (n - 1); of both sides. The
     * bound is of first order: the second one is below n u of it. When S vanishes beside n u squares,
     * that is what is left. */
    const S = variance * (n - 1);
    const first = n * U * (Math.sqrt(squares * S) + n * U * squares) / (n - 1);
    const bound = 2 * first * (1 + 8 * n * U) + 8 * U * variance + 2 ** -1074;
    return within(root ? got * got : got, variance, bound);
}

/**
 * Cairn's formula between the two values at the rank has to give its bits. DuckDB's is
 * low (1 - d) + high d: three roundings each side of at most max(|low|, |high|), twice, and it makes NaN
 * of two equal infinities and overflows elsewhere.
 */
function sameQuantile(got, [theirs, count, low, high], q) {
    if (got === null || theirs === null) return got === theirs;
    const rank = q * (Number(count) - 1), share = rank - Math.floor(rank);
    const between = low + (high - low) * share;
    const exact = low === high || share === 0 ? low
        : Number.isFinite(between) ? between : low * (1 - share) + high * share;
    if (!(got === exact || Object.is(got, exact))) return false;
    if (!Number.isFinite(low) || !Number.isFinite(high) || !Number.isFinite(high - low)) return true;
    return within(got, theirs, 8 * U * Math.max(Math.abs(low), Math.abs(high)) + 4 * 2 ** -1074);
}

function sameApprox(got, exact) {
    const n = Number(exact);
    return Math.abs(got === null ? NaN : Number(got) - n) <= APPROX_SIGMAS * APPROX_ERROR * n + 3;
}

/** true, false, 'undecided', 'infinite'. `wanted` is DuckDB's cell and what was asked for with it. */
function sameAggregate(a, got, wanted, type) {
    const [first, ...rest] = wanted;
    if (a.fn === 'approx_distinct') return sameApprox(got, first);
    if (a.fn === 'sum' && a.arg.kind === 'float') return sameSum(got, first, ...rest, false);
    if (a.fn === 'avg' && a.arg.kind === 'float') return sameSum(got, first, ...rest, true);
    /* The exact sum, rounded, by the count, rounded. */
    if (a.fn === 'avg') return same(got, first === null ? null : Number(first) / Number(rest[0]));
    if (a.fn === 'var' || a.fn === 'stddev') return sameVariance(got, wanted, a.fn === 'stddev');
    if (a.fn === 'quantile' || a.fn === 'median') return sameQuantile(got, wanted, a.fn === 'median' ? 0.5 : a.q);
    return sameCell(got, first, type);
}

const show = (v) => v === null ? 'null' : v?.bytes ? `bytes ${[...v.bytes]}` : v instanceof Uint8Array ? `bytes ${[...v]}`
    : typeof v === 'string' ? JSON.stringify(v) : Object.is(v, -0) ? '-0.0' : String(v);

/**
 * Compares results: null if they are the same, else a sentence. `counts` counts what was not decided.
 *   ours     {rows, cols: [[name, type]…], columns: [[cell…]…]}
 *   theirs   [[cell…]…], columns of DuckDB
 *   wanted   the columns of queries.mjs' toSql
 */
export function difference(ours, theirs, wanted, counts) {
    const rows = theirs.length ? theirs[0].length : 0;
    const names = JSON.stringify(ours.cols), expected = JSON.stringify(wanted.map((c) => [c.name, c.type]));
    if (names !== expected) return `columns: ${names}; expected ${expected}`;
    if (ours.rows !== rows) return `${ours.rows} rows; DuckDB has ${rows}`;
    let at = 0;
    for (const [i, column] of wanted.entries()) {
        const cells = ours.columns[i];
        for (let row = 0; row < rows; row++) {
            const other = theirs[at][row];
            const all = column.agg ? [other, ...theirs.slice(at + 1, at + 1 + column.extra).map((c) => c[row])] : null;
            const result = column.agg ? sameAggregate(column.agg, cells[row], all, column.type) : sameCell(cells[row], other, column.type);
            if (result === 'undecided') counts.undecided++;
            else if (result === 'infinite') counts.infinite++;
            else if (!result)
                return `row ${row}, ${column.name} (${column.type}): ${show(cells[row])}; DuckDB has ${(all ?? [other]).map(show).join(', ')}`;
            counts.cells++;
        }
        at += 1 + (column.extra ?? 0);
    }
    return null;
}
