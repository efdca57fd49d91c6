// Random tables, and the same rows in both engines.
//
// A column has a profile, which decides its values: calm ones, whose sums are exact and do not
// overflow, and hostile ones. Between them they make the sealer use every encoding.
import { TYPES, boundsOf, isText, sqlName } from './types.mjs';

const WORDS = ['', 'a', 'ab', 'abc', 'abcd', 'b', 'Oslo', 'Rome', 'São Paulo', '東京', 'é', 'zz', '%', '_',
    "it's", 'a\u0000b', '\u0000', '\u{1f600}', 'abcdefghijklmnopqrstuvwxyz', 'abcdefghijklmnopqrstuvwxyy'];

const clamp = (n, [low, high]) => n < low ? low : n > high ? high : n;
function wholeBits(r) { return r.bits() >> BigInt(r.below(64)); }

/* Makers: (random, column) -> (row) -> value. Integers are BigInt here. */
const WHOLE = {
    few: (r, c) => { const n = r.between(1, 30); return () => clamp(BigInt(r.below(n) - (c.unsigned ? 0 : 3)), c.bounds); },
    medium: (r, c) => () => clamp(BigInt(r.between(c.unsigned ? 0 : -100000, 100000)), c.bounds),
    hostile: (r, c) => () => {
        const [low, high] = c.bounds;
        if (r.chance(0.3)) return r.pick([low, high, low + 1n, high - 1n, clamp(0n, c.bounds), 1n, clamp(-1n, c.bounds)]);
        const n = wholeBits(r);
        return clamp(r.chance(0.5) && low < 0n ? -n : n, c.bounds);
    },
    constant: (r, c) => { const n = BigInt(r.between(0, 100)); return () => n; },
    runs: (r, c) => { let n = 0n; return () => { if (r.chance(0.002)) n = BigInt(r.below(100)); return n; }; },
    line: (r, c) => {
        const step = c.bounds[1] > 10n ** 12n ? r.pick([1, 7, 1000]) : 0, jitter = r.pick([0, 0, 5, 100]);
        return (i) => clamp(BigInt(i * step + r.below(jitter + 1)), c.bounds);
    },
};
const special = [NaN, Infinity, -Infinity, -0, 0, 5e-324, -5e-324, 1e308, -1.7976931348623157e308, 1, -1, 0.1,
    2 ** 53, -(2 ** 63), 2 ** 64, 3.4028234663852886e38];
const FLOAT = {
    quarters: (r) => () => r.between(-4000, 4000) / 4,
    cents: (r) => () => r.below(100000) / 100,
    uniform: (r) => () => r.unit(),
    wide: (r) => () => (r.unit() - 0.5) * 10 ** r.between(-12, 12),
    mixed: (r) => () => r.chance(0.3) ? r.pick([NaN, Infinity, -Infinity, -0, 0]) : r.between(-40, 40) / 4,
    zeros: (r) => () => r.pick([-0, 0, 0, 1, -1]),
    hostile: (r) => () => r.chance(0.6) ? r.pick(special) : (r.unit() - 0.5) * 10 ** r.between(-300, 300),
    runs: (r) => { let d = 0; return () => { if (r.chance(0.002)) d = r.below(1000) / 7; return d; }; },
};
const TEXT = {
    few: (r) => { const words = r.sample(WORDS, r.between(1, WORDS.length)); return () => r.pick(words); },
    many: (r) => () => r.pick(WORDS) + r.pick(WORDS) + r.below(3000),
    long: (r) => () => 'prefix shared by all, '.repeat(2) + r.pick(WORDS) + (r.chance(0.1) ? 'x'.repeat(r.below(300)) : ''),
};
const toBytes = (r, text) => {
    const bytes = new TextEncoder().encode(text);
    return r.chance(0.3) ? Uint8Array.from([...bytes.slice(0, 3), r.below(256), 255, 0].slice(0, r.below(6))) : bytes;
};

/** The number of `quarters` and integers that a sum of doubles holds exactly. */
const EXACT = new Set(['quarters', 'zeros']);

function makeColumn(r, name, type, rows, large) {
    const t = TYPES[type];
    const c = { name, type, kind: t.kind, unsigned: t.unsigned, null: r.chance(0.6), sorted: false, sql: sqlName(name),
        sqlType: t.sql };
    if (t.bits) {
        c.bounds = boundsOf(type);
        c.profile = r.pick(['few', 'few', 'medium', 'medium', 'hostile', 'constant', 'runs', 'line']);
        c.calm = c.profile !== 'hostile';
        /* line: at most 250,000 rows and later ones, by steps of 1,000 */
        c.most = c.calm ? (c.profile === 'line' ? 10n ** 9n : 100000n) : c.bounds[1] + 1n;
        c.least = c.unsigned ? 0n : undefined;
        const make = WHOLE[c.profile](r, c);
        const asIs = t.bits === 64 ? (v) => v : Number;
        c.make = (i) => asIs(make(i));
        c.sorted = c.profile === 'line' && !c.null && r.chance(0.7);
    } else if (t.kind === 'float') {
        c.profile = r.pick(['quarters', 'quarters', 'cents', 'uniform', 'wide', 'mixed', 'zeros', 'hostile', 'runs']);
        const make = FLOAT[c.profile](r);
        c.make = type === 'f32' ? () => Math.fround(make()) : make;
        c.exact = EXACT.has(c.profile);
    } else if (isText(t.kind)) {
        c.profile = r.pick(type === 'sym' ? ['few', 'few', 'long'] : ['few', 'many', 'long']);
        const make = TEXT[c.profile](r);
        c.make = type === 'bin' ? () => toBytes(r, make()) : make;
    } else {
        const p = r.pick([0, 0.5, 0.95, 1]);
        c.profile = `${p}`;
        c.make = () => r.chance(p);
    }
    const nulls = r.pick([0.01, 0.2, 0.9, 1]);
    const make = c.make;
    if (c.null) c.make = (i) => r.chance(nulls) ? null : make(i);
    c.literal = () => make(r.below(rows + 1));
    return c;
}

/** What a sorted column needs: cells that never descend. */
function ascending(values, from) {
    let last = from;
    return values.map((v) => last = last !== null && v < last ? last : v);
}

/**
 * A table's plan: columns with makers, the number of rows. Small tables have a column of each type and
 * some more, large ones some.
 */
export function planTable(r, number, large) {
    const rows = large ? r.between(66000, 200000) : r.pick([0, 1, 2, 63, 64, 65, 700, 1023, 1024, 1025, 1500, 2500]);
    const names = Object.keys(TYPES);
    const types = large ? r.sample(names, 9) : [...names, ...r.sample(names, 5)];
    const columns = types.map((type, i) => makeColumn(r, `c${i}_${type}`, type, rows, large));
    return { name: `t${number}`, rows, columns, large, next: 0, lasts: new Map() };
}

/** The next rows, as columns of cells. */
export function makeRows(table, count) {
    const rows = table.columns.map((c) => {
        const values = Array.from({ length: count }, (_, i) => c.make(table.next + i));
        if (!c.sorted || count === 0) return values;
        const out = ascending(values, table.lasts.get(c.name) ?? null);
        table.lasts.set(c.name, out[count - 1]);
        return out;
    });
    table.next += count;
    return rows;
}

/* --- into Cairn ---------------------------------------------------------------------------------*/

function validity(values) {
    const bits = new Uint8Array((values.length + 7) >> 3);
    values.forEach((v, i) => { if (v !== null) bits[i >> 3] |= 1 << (i & 7); });
    return bits;
}
/** Cells as a message carries them: integers as BigInt. */
const message = (c, v) => v === null || c.kind === 'float' || typeof v !== 'number' ? v : BigInt(v);

export async function appendToCairn(rpc, table, cells, asRows) {
    const count = cells[0].length;
    if (asRows) {
        const rows = Array.from({ length: count }, (_, i) => table.columns.map((c, k) => message(c, cells[k][i])));
        return rpc.call('table.append', table.name, { rows });
    }
    const cols = {}, valid = {};
    table.columns.forEach((c, k) => {
        const { array } = TYPES[c.type];
        if (!array) { cols[c.name] = cells[k]; return; }
        const zero = array === BigInt64Array || array === BigUint64Array ? 0n : 0;
        const data = array.from(cells[k], (v) => v === null ? zero : v);
        cols[c.name] = new Uint8Array(data.buffer);
        if (cells[k].includes(null)) valid[c.name] = validity(cells[k]);
    });
    return rpc.call('table.append', table.name, { cols, n: BigInt(count), valid });
}

export const createInCairn = (rpc, table) => rpc.call('table.create', table.name,
    table.columns.map((c) => [c.name, c.type, { null: c.null, sorted: c.sorted }]));

/* --- into DuckDB --------------------------------------------------------------------------------*/

const DUCK_CHUNK = 2048;

/** `rid` counts rows as they were appended: the order of Cairn's table. */
export async function createInDuck(duck, table) {
    await duck.db.run(`CREATE TABLE ${table.name} (rid BIGINT, ${table.columns.map((c) => `${c.sql} ${c.sqlType}`).join(', ')})`);
    const { api } = duck;
    const plain = { TINYINT: api.TINYINT, SMALLINT: api.SMALLINT, INTEGER: api.INTEGER, BIGINT: api.BIGINT,
        UTINYINT: api.UTINYINT, USMALLINT: api.USMALLINT, UINTEGER: api.UINTEGER, UBIGINT: api.UBIGINT,
        FLOAT: api.FLOAT, DOUBLE: api.DOUBLE, BOOLEAN: api.BOOLEAN, VARCHAR: api.VARCHAR, BLOB: api.BLOB };
    table.duckTypes = [api.BIGINT, ...table.columns.map((c) => plain[c.sqlType])];
    table.rid = 0;
}

export async function appendToDuck(duck, table, cells) {
    const { DuckDBDataChunk, DuckDBBlobValue } = duck.api;
    const appender = await duck.db.createAppender(table.name);
    const count = cells[0].length;
    for (let first = 0; first < count; first += DUCK_CHUNK) {
        const size = Math.min(DUCK_CHUNK, count - first);
        const chunk = DuckDBDataChunk.create(table.duckTypes, size);
        chunk.setColumnValues(0, Array.from({ length: size }, () => BigInt(table.rid++)));
        table.columns.forEach((c, k) => {
            let part = cells[k].slice(first, first + size);
            if (c.type === 'bin') part = part.map((v) => v === null ? null : new DuckDBBlobValue(v));
            chunk.setColumnValues(k + 1, part);
        });
        appender.appendDataChunk(chunk);
    }
    appender.closeSync();
}
