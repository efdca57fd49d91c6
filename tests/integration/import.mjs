// Sends the flat files of vega-datasets to a server as CSV, JSON lines, Arrow and .npy, in pieces
// that are cut anywhere; started by import.sh. Types, counts, sums, groups and all cells are compared
// with what is worked out here, from the files as readers of other authors read them.
//
// Prints "pass WHAT" or "fail WHAT: ..." a line.
// Usage: import.mjs MODULES-DIRECTORY PORT
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Session } from '../support/session.mjs';
import { check } from '../support/check.mjs';

const [modules, port] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const arrow = load('apache-arrow');
const dsv = await import(load.resolve('d3-dsv'));
const data = `${modules}/vega-datasets/data`;
if (!readdirSync(data).length) throw new Error('no data');

const session = await Session.open({ port, host: '127.0.0.1' });
// Integers as numbers, where these are exact.
function plain(v) {
    if (typeof v === 'bigint') return Number.isSafeInteger(Number(v)) ? Number(v) : v;
    if (Array.isArray(v)) return v.map(plain);
    if (v === null || typeof v !== 'object' || v instanceof Uint8Array) return v;
    return Object.fromEntries(Object.entries(v).map(([key, item]) => [key, plain(item)]));
}
const request = async (method, ...params) => plain(await session.call(method, ...params));

// --- what types should be: the rules of docs/formats.md, once more
const isWhole = (s) => /^-?(0|[1-9]\d*)$/.test(s);
const within = (s, low, high) => isWhole(s) && BigInt(s) >= low && BigInt(s) <= high;
const isReal = (s) => /^[-+]?(nan|inf|infinity)$/i.test(s) ||
    (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(s) && !/^[-+]?0\d/.test(s) && Number.isFinite(Number(s)) &&
        (!isWhole(s) || BigInt(Number(s)) === BigInt(s)));
const isDate = (s) => /^\d{4}-\d\d-\d\d$/.test(s) && !Number.isNaN(Date.parse(s)) &&
    new Date(s).toISOString().slice(0, 10) === s;
const isTime = (s) => /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[-+]\d\d:?\d\d)?$/.test(s) && isDate(s.slice(0, 10));
const tests = {
    bool: (s) => /^(true|false)$/i.test(s), i64: (s) => within(s, -(2n ** 63n), 2n ** 63n - 1n),
    u64: (s) => within(s, 0n, 2n ** 64n - 1n), f64: isReal, date: isDate, ts: isTime,
};
// Which of these a value of JSON can be; anything, of CSV.
const kinds = { boolean: ['bool'], number: ['i64', 'u64', 'f64'], string: ['date', 'ts'] };

function typeOf(cells, isJson) {
    const there = cells.filter((c) => c !== null && c !== undefined);
    const fits = Object.keys(tests).filter((type) => there.every((c) =>
        (!isJson || kinds[typeof c].includes(type)) && tests[type](String(c))));
    if (!there.length) return 'str';
    if (fits.length) return fits[0];
    const texts = new Set(there.map(String));
    const few = texts.size <= 256 && there.length >= 8 * texts.size && [...texts].every((t) => Buffer.byteLength(t) <= 64);
    return few ? 'sym' : 'str';
}
const schemaOf = (names, rows, isJson) => names.map((name) => {
    const cells = rows.map((row) => row[name]);
    return [name, typeOf(cells, isJson), { null: cells.some((c) => c === null || c === undefined), sorted: false }];
});

// A cell as table.export writes it into JSON.
function cellOf(type, v) {
    if (v === null || v === undefined) return null;
    if (type === 'bool') return String(v).toLowerCase() === 'true';
    if (['i64', 'u64', 'f64'].includes(type)) return Number(v);
    if (type === 'ts') return new Date(/Z|[-+]\d\d:?\d\d$/.test(v) ? v : `${v}Z`).toISOString().replace('.000Z', 'Z');
    return String(v);
}

// --- sending and fetching
let seed = 1;
const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };

// In pieces of 1 to `piece` bytes; the last reply.
async function send(table, bytes, options, piece) {
    let reply = { cursor: null };
    for (let at = 0, part; at < bytes.length; at += part) {
        part = Math.min(1 + random(piece), bytes.length - at);
        reply = await request('table.import', table, bytes.subarray(at, at + part),
            { ...options, more: at + part < bytes.length, ...(reply.cursor && { cursor: reply.cursor }) });
    }
    return reply;
}
async function fetch(table, format) {
    const parts = [];
    for (let reply = await request('table.export', table, { format }); ;) {
        parts.push(Buffer.from(reply.data));
        if (reply.cursor === null) return Buffer.concat(parts);
        reply = await request('table.next', reply.cursor);
    }
}
const linesOf = async (table) => {
    const text = (await fetch(table, 'jsonl')).toString();
    return text === '' ? [] : text.trimEnd().split('\n').map((line) => JSON.parse(line));
};
const close = (a, b) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

async function checkFigures(what, schema, cells) {
    for (const [at, [name, type, { null: nulls }]] of schema.entries()) {
        const column = cells.map((row) => row[at]), there = column.filter((c) => c !== null);
        if (['i64', 'u64', 'f64'].includes(type) && there.length) {
            const { data: [[n, sum, min, max]] } = await request('table.agg', 't',
                { agg: { n: ['count', name], s: ['sum', name], a: ['min', name], b: ['max', name] } });
            const expected = there.reduce((a, b) => a + b, 0);
            check(`${what}: figures of ${name}`, [n, close(Number(sum), expected), min, max],
                [there.length, true, there.reduce((a, b) => Math.min(a, b)), there.reduce((a, b) => Math.max(a, b))]);
        } else if (type === 'sym' || type === 'str') {
            const counts = new Map();
            for (const c of column) counts.set(c, (counts.get(c) ?? 0) + 1);
            if (counts.size > 2000) continue;
            const { data: groups } = await request('table.agg', 't', { group: [name], agg: { n: ['count'] } });
            const order = (a, b) => (a[0] === null) - (b[0] === null) || (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
            check(`${what}: groups of ${name}`, groups.sort(order), [...counts].sort(order));
        }
        if (!nulls) check(`${what}: no nil in ${name}`, there.length, column.length);
    }
}

async function checkFile(what, bytes, options, schema, rows) {
    const inferred = await send(null, bytes, { ...options, infer: true }, 20000);
    check(`${what}: types`, inferred.schema, schema);
    check(`${what}: rows`, inferred.rows, rows.length);
    await request('del', 't', 'u');
    // With those types, in small pieces, each of which is appended.
    const sent = await send('t', bytes, { ...options, create: true, schema: inferred.schema }, bytes.length < 100000 ? 500 : 50000);
    check(`${what}: rows of all pieces`, [sent.rows, sent.cursor, await request('len', 't')], [rows.length, null, rows.length]);
    const cells = rows.map((row) => schema.map(([name, type]) => cellOf(type, row[name])));
    const back = await linesOf('t');
    check(`${what}: all cells`, back.map((row) => schema.map(([name]) => row[name])), cells);
    await checkFigures(what, schema, cells);
    // In one call, which finds the types itself.
    await request('table.import', 'u', bytes, { ...options, create: true });
    check(`${what}: types of one call`, await request('table.schema', 'u'), schema);
    const arrowBytes = await fetch('u', 'arrow');
    await request('del', 'u');
    await send('u', arrowBytes, { format: 'arrow', create: true }, 30000);
    check(`${what}: comes back by way of Arrow`, (await fetch('u', 'jsonl')).equals(await fetch('t', 'jsonl')), true);
    const csv = await fetch('t', 'csv');
    await request('del', 'u');
    await send('u', csv, { format: 'csv', create: true, schema }, 30000);
    check(`${what}: comes back by way of CSV`, (await fetch('u', 'jsonl')).equals(await fetch('t', 'jsonl')), true);
}

// --- CSV
let files = 0;
for (const file of readdirSync(data).filter((name) => /\.[ct]sv$/.test(name))) {
    const bytes = readFileSync(`${data}/${file}`), tabs = file.endsWith('.tsv');
    const rows = (tabs ? dsv.tsvParse : dsv.csvParse)(bytes.toString().replace(/^\ufeff/, ''));
    const nulled = rows.map((row) => Object.fromEntries(rows.columns.map((name) => [name, row[name] === '' ? null : row[name]])));
    await checkFile(file, bytes, { format: 'csv', ...(tabs && { delimiter: '\t' }) }, schemaOf(rows.columns, nulled, false), nulled);
    files++;
}

// --- JSON lines, of the arrays of flat objects
for (const file of readdirSync(data).filter((name) => name.endsWith('.json'))) {
    const rows = JSON.parse(readFileSync(`${data}/${file}`));
    if (!Array.isArray(rows) || !rows.length || rows.some((row) => row === null || typeof row !== 'object' || Array.isArray(row))) continue;
    const lines = rows.map((row) => JSON.stringify(row)), bytes = Buffer.from(lines.join('\n'));
    if (rows.some((row) => Object.values(row).some((v) => v !== null && typeof v === 'object'))) {
        const nested = rows.findIndex((row) => Object.values(row).some((v) => v !== null && typeof v === 'object'));
        const answer = await request('table.import', null, bytes, { format: 'jsonl', infer: true }).catch((e) => e.message);
        check(`${file}: is refused where it is nested`, /JSON line (\d+), column .*, record \1: an? (object|list) as a cell/.exec(answer)?.[1], String(nested + 1));
        continue;
    }
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    await checkFile(file, bytes, { format: 'jsonl' }, schemaOf(names, rows, true), rows);
    files++;
}
check('there were enough files', files > 40, true);

// --- Arrow and .npy, as others write them
await request('del', 't', 'u');
const flights = JSON.parse(readFileSync(`${data}/flights-200k.json`));
const stream = readFileSync(`${data}/flights-200k.arrow`);
await send('t', stream, { format: 'arrow', create: true }, 300000);
const theirs = arrow.tableFromIPC(stream);
check('flights-200k.arrow: types', (await request('table.schema', 't')).map(([name, type]) => [name, type]),
    theirs.schema.fields.map((f) => [f.name, { Int16: 'i16', Float32: 'f32' }[String(f.type)]]));
check('flights-200k.arrow: all cells', (await linesOf('t')).map((r) => [r.delay, r.distance, Math.fround(r.time)]),
    flights.map((r) => [r.delay, r.distance, Math.fround(r.time)]));
await checkFigures('flights-200k.arrow', [['delay', 'i64', {}], ['distance', 'i64', {}]], flights.map((r) => [r.delay, r.distance]));
const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (200000,), }".padEnd(117) + '\n';
const npy = Buffer.concat([Buffer.from([0x93]), Buffer.from('NUMPY\x01\0'), Buffer.from([header.length, 0]), Buffer.from(header),
    Buffer.from(Float64Array.from(flights, (r) => r.time).buffer)]);
await send('u', npy, { format: 'npy', create: true, schema: [['time', 'f64']] }, 200000);
check('an .npy array: all cells', (await linesOf('u')).map((r) => r.time), flights.map((r) => r.time));

// --- a file that is wrong in its middle
const csv = readFileSync(`${data}/sp500-2000.csv`, 'latin1').split('\n');
csv[3000] = csv[3000].replace(/,[^,]*$/, ',much');
await request('del', 't');
const types = [['date', 'date'], ...['open', 'high', 'low', 'close', 'adjclose'].map((name) => [name, 'f64']), ['volume', 'i64']];
const answer = await send('t', Buffer.from(csv.join('\n')), { format: 'csv', create: true, schema: types }, 5000).catch((e) => e.message);
const match = /CSV line 3001, column "volume", record 3000: "much" is no i64; (\d+) rows had been appended/.exec(answer);
check('a cell that does not fit is named', match !== null, true);
check('the rows of the calls before are there', await request('len', 't'), Number(match?.[1]));
check('and no others', (await linesOf('t')).at(-1).date, csv[Number(match?.[1])].slice(0, 10));
console.log('end');
session.close();
