// Asks a Cairn server and DuckDB the same questions of the same random tables; started by duckdb.sh.
// tests/support/duckdb_queries.mjs makes them.
//
// Prints "pass WHAT" or "fail WHAT: ..." a line.
// Usage: duckdb.mjs MODULES-DIRECTORY UNIX-PATH SEED TABLES QUERIES LARGE-ROWS
import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { Queries, Random, everything, randomTable, sqlLiteral, types } from '../support/duckdb_queries.mjs';
import { Session } from '../support/session.mjs';

const [modules, path, ...numbers] = process.argv.slice(2);
const [firstSeed, tableCount, queryCount, largeRows] = numbers.map(Number);
const duckdb = createRequire(`${modules}/`)('@duckdb/node-api');

const FAILURES_SHOWN = 5;
const APPEND_ROWS = 20000;
const TABLES_FOR_ALL = 8; // so many use everything
const UNIT = 2 ** -53;
const APPROX_ERROR = 5 * 0.016; // five standard errors of the HyperLogLog, which tables.md states

const seen = new Map();
let failures = 0, compared = 0, refused = 0;

// --- both tables

const appenders = {
    TINYINT: 'TinyInt', SMALLINT: 'SmallInt', INTEGER: 'Integer', BIGINT: 'BigInt', UTINYINT: 'UTinyInt',
    USMALLINT: 'USmallInt', UINTEGER: 'UInteger', UBIGINT: 'UBigInt', FLOAT: 'Float', DOUBLE: 'Double',
    BOOLEAN: 'Boolean', VARCHAR: 'Varchar', BLOB: 'Blob',
};

async function fillDuckdb(db, table) {
    await db.run('DROP TABLE IF EXISTS t');
    await db.run(`CREATE TABLE t (${table.columns.map((c) => `"${c.name}" ${c.sql}`).join(', ')})`);
    const appender = await db.createAppender('t');
    const columns = table.columns.map((c) => [table.data[c.name], `append${appenders[c.sql]}`,
        c.sql.includes('BIGINT') || !c.sql.includes('INT') ? (v) => v : Number]);
    for (let i = 0; i < table.rows; i++) {
        for (const [cells, append, convert] of columns)
            if (cells[i] === null) appender.appendNull();
            else appender[append](convert(cells[i]));
        appender.endRow();
    }
    appender.closeSync();
}

async function fillCairn(cairn, table) {
    await cairn.call('del', 't');
    await cairn.call('table.create', 't', table.columns.map((c) =>
        [c.name, c.type, { null: c.null, sorted: c.sorted ?? false }]));
    for (let from = 0; from < table.rows; from += APPEND_ROWS) {
        const cols = Object.fromEntries(table.columns.map((c) => [c.name, table.data[c.name].slice(from, from + APPEND_ROWS)]));
        await cairn.call('table.append', 't', { cols });
    }
}

// The same changes to both, and to `table`, whose values the literals come from.
async function change(r, cairn, db, table, queries) {
    for (let i = 0; i < 4; i++) {
        const where = queries.pred(1);
        if (where.bad.length) continue;
        const column = r.pick(table.columns.filter((c) => c.name !== 'rid'));
        const value = queries.literal(column);
        const fits = value !== null && (typeof value !== 'number' || column.kind === 'float') &&
            (!('min' in column) || (value >= column.min && value <= column.max));
        if (r.chance(50) && fits) {
            const literal = column.type === 'f32' ? Math.fround(Number(value)) : column.kind === 'float' ? Number(value) : value;
            const n = await cairn.call('table.update', 't', where.cairn, { [column.name]: literal });
            const [[m]] = (await db.runAndReadAll(`UPDATE t SET "${column.name}" = ${sqlLiteral(column.kind, literal)} WHERE ${where.sql}`)).getRows();
            if (n !== m) report('an update', { query: where.cairn, sql: where.sql }, `${n} rows, of DuckDB ${m}`);
        } else if (r.chance(30)) {
            const gone = { cairn: ['and', where.cairn, ['<', 'c', 3]], sql: `(${where.sql}) AND c < 3` };
            const n = await cairn.call('table.delete', 't', gone.cairn);
            const [[m]] = (await db.runAndReadAll(`DELETE FROM t WHERE ${gone.sql}`)).getRows();
            if (n !== m) report('a delete', { query: gone.cairn, sql: gone.sql }, `${n} rows, of DuckDB ${m}`);
        }
    }
}

// --- results

// What DuckDB gives, as Cairn would: all integers are BigInt.
function plain(v, column) {
    if (v === null || v === undefined) return null;
    if (typeof v === 'object' && 'bytes' in v) return Buffer.from(v.bytes).toString('latin1');
    if (typeof v === 'number' && /INT(EGER)?$/.test(column)) return BigInt(v);
    return v;
}
const ours = (v) => v instanceof Uint8Array ? Buffer.from(v).toString('latin1') : v;

function same(a, b) {
    return Object.is(a, b);
}

// Whether two doubles are as near as both sums allow. An error of one unit in the last place for
// each addition, relative to the sum of magnitudes: (n - 1) u for either side (Higham, Accuracy
// and Stability of Numerical Algorithms, 4.2), twice over for the operations around it.
function isNear(how, a, b, scale, rows) {
    if (same(a, b)) return true;
    if (how === 'approx') {
        const [x, y] = [Number(a), Number(b)];
        return Math.abs(x - y) <= 3 + APPROX_ERROR * y;
    }
    if (typeof a !== 'number' || typeof b !== 'number') return false;
    if (!Number.isFinite(scale)) return !Number.isFinite(a) && !Number.isFinite(b) && (how !== 'sum' || same(a, b) || Number.isNaN(a) || Number.isNaN(b));
    const sum = 4 * Math.max(rows, 4) * UNIT * scale;
    const n = Math.max(rows, 2);
    switch (how) {
    case 'sum': return Math.abs(a - b) <= sum;
    case 'avg': return Math.abs(a - b) <= 4 * n * UNIT * scale; // per value, of fewer than `rows`
    case 'var': return Math.abs(a - b) <= 8 * n * UNIT * scale;
    case 'stddev': return Math.abs(a * a - b * b) <= 8 * n * UNIT * scale + 4 * UNIT * a * a;
    default: return Math.abs(a - b) <= 8 * UNIT * scale;
    }
}

function report(what, q, message) {
    failures++;
    if (failures > FAILURES_SHOWN) return;
    const shown = inspect(q.query, { depth: 50, compact: 100, breakLength: Infinity, maxArrayLength: 100 });
    console.log(`# ${what}: ${message}`);
    console.log(`#   ${shown}`);
    console.log(`#   ${q.sql}`);
}

function compareRows(what, q, data, rows, columnTypes) {
    const width = q.aggregate ? q.group.length + q.aggs.length : q.query.select.length;
    if (data.length !== rows.length)
        return report(what, q, `${data.length} rows, of DuckDB ${rows.length}`);
    for (let i = 0; i < rows.length; i++) {
        for (let c = 0; c < width; c++) {
            let a = ours(data[i][c]), b = plain(rows[i][c], columnTypes[c]);
            const agg = q.aggregate && c >= q.group.length ? q.aggs[c - q.group.length] : null;
            // 0.0 and -0.0 are one group, and DuckDB gives 0.0 for both where it sorted by them, and from
            // arg_min and arg_max of floats.
            const name = q.aggregate ? agg?.name : q.query.select[c];
            const key = (q.aggregate && !agg) || agg?.cairn[0] === 'first' || agg?.cairn[0] === 'last' || q.query.order?.some(([sorted]) => sorted === name);
            if (key && typeof a === 'number' && typeof b === 'number') [a, b] = [a + 0, b + 0];
            const near = agg?.near && isNear(agg.near, a, b,
                Number(rows[i][width + c - q.group.length]), Number(rows[i][rows[i].length - 1]));
            if (!near && !same(a, b))
                return report(what, q, `row ${i}, column ${c}: ${inspect(a)}, of DuckDB ${inspect(b)}`);
        }
    }
    return undefined;
}

async function readAll(cairn, q) {
    if (q.aggregate) return (await cairn.call('table.agg', 't', q.query)).data;
    let answer = await cairn.call('table.scan', 't', { ...q.query, batch: { rows: 10000 } });
    const data = answer.data;
    while (answer.cursor !== null) {
        answer = await cairn.call('table.next', answer.cursor);
        for (const row of answer.data) data.push(row);
    }
    return data;
}

// An overflow is there if a row has one, or a sum leaves its range.
async function overflows(db, q) {
    const anywhere = q.bad.length ? q.bad.map((b) => `coalesce(${b}, false)`).join(' OR ') : 'false';
    const [[rows]] = (await db.runAndReadAll(`SELECT count(*) FROM t WHERE ${anywhere}`)).getRows();
    if (rows > 0n) return true;
    for (const row of (await db.runAndReadAll(q.sql.replace(/ LIMIT \d+$/, ''))).getRows())
        for (let c = 0; c < (q.sums ?? []).length; c++) {
            const at = q.group.length + q.aggs.indexOf(q.sums[c]), v = row[at];
            if (v !== null && (v > (q.sums[c].range === 'uint' ? types.u64.max : types.i64.max) || v < types.i64.min)) return true;
        }
    // A group that `having` leaves out is summed up as well.
    return q.query.having !== undefined && (q.sums ?? []).length > 0;
}

async function ask(what, cairn, db, q) {
    let data, reader;
    try {
        data = await readAll(cairn, q);
    } catch (error) {
        if (!error.message.startsWith('OUT_OF_RANGE ')) return report(what, q, error.message);
        refused++;
        if (!await overflows(db, q)) report(what, q, `${error.message}, but nothing overflows`);
        return undefined;
    }
    try {
        reader = await db.runAndReadAll(q.sql);
    } catch (error) {
        return report(what, q, `DuckDB: ${error.message}`);
    }
    compared++;
    return compareRows(what, q, data, reader.getRows(), reader.columnTypes().map(String));
}

// --- all of it

const instance = await duckdb.DuckDBInstance.create(':memory:', { threads: '1' });
const db = await instance.connect();
const cairn = await Session.open({ path });
await cairn.call('hello', { ext: true });
for (let i = 0; i < tableCount; i++) {
    const seed = firstSeed + i, r = new Random(seed);
    const large = largeRows > 0 && i % 8 === 7;
    const table = randomTable(r, large ? largeRows : r.pick([0, 1, 50, 1000, 3000]));
    await fillDuckdb(db, table);
    await fillCairn(cairn, table);
    const queries = new Queries(seed * 1000003, table, seen);
    const count = large ? Math.ceil(queryCount / 4) : queryCount;
    for (let n = 0; n < count; n++) {
        if (n === Math.floor(count / 3)) await cairn.call('table.compact', 't');
        if (n === Math.floor(count / 2)) await change(r, cairn, db, table, queries);
        const q = r.chance(50) ? queries.scan() : queries.agg();
        await ask(`table ${seed}, query ${n}`, cairn, db, q);
    }
    await cairn.call('table.compact', 't');
}
console.log(`# ${compared} results compared, ${refused} errors agreed with`);
console.log(failures === 0 ? 'pass what both answer is the same' : `fail what both answer is the same: ${failures} differ`);
const missing = tableCount < TABLES_FOR_ALL ? [] : everything.filter((what) => !seen.has(what));
console.log(missing.length === 0 ? 'pass every operator, function and type was used'
    : `fail every operator, function and type was used: not ${missing.join(', ')}`);
const wanted = tableCount * queryCount / 2;
console.log(compared >= wanted ? `pass at least ${wanted} results were compared` : `fail only ${compared} results were compared`);
cairn.close();
console.log('end');
process.exit(0);
