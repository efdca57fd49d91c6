// Fetches tables from a server as Arrow streams, CSV, JSON lines and .npy, and has them read by
// readers of other authors; started by export.sh. No conversion code: the bytes of the replies, one
// after the other, are what a reader gets, and what it returns is compared cell by cell.
//
// Prints "pass WHAT" or "fail WHAT: ..." a line.
// Usage: export.mjs MODULES-DIRECTORY PORT
import { createRequire } from 'node:module';
import { Session } from '../support/session.mjs';
import { check } from '../support/check.mjs';

const [modules, port] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const arrow = load('apache-arrow');
const flechette = load('@uwdata/flechette');
const dsv = await import(load.resolve('d3-dsv'));
let polars = null;
try { polars = load('nodejs-polars'); } catch (error) { console.log(`no polars: ${error.message.split('\n')[0]}`); }

// --- the table, and what it should be
const types = {
    i8: (i) => i % 256 - 128, i16: (i) => i * 7 % 65536 - 32768, i32: (i) => 7 - i * 31, u8: (i) => i % 256,
    u16: (i) => i % 65536, u32: (i) => i * 40000, i64: (i) => BigInt(i) * 0x10000000001n - 5n,
    u64: (i) => BigInt(i) * 0x100000001n * 0xffffn % 2n ** 64n, f32: (i) => Math.fround(i / 3),
    f64: (i) => i % 4 === 0 ? i / 7 : i / 100, bool: (i) => i % 3 === 0, str: (i) => `tekst ø, "${i % 1000}"`,
    sym: (i) => `symbol ${i < 66000 ? i % 50 : i % 20000}`, date: (i) => i - 20000,
    ts: (i) => i * 86400000 + i, bin: (i) => Uint8Array.from([i & 255, i >> 8 & 255, 0]),
};
const names = Object.keys(types).flatMap((type) => [type, `${type}_null`]);
const typeOf = (name) => name.replace('_null', '');
const schema = names.map((name) => [name, typeOf(name), { null: name.endsWith('_null') }]);
const rowOf = (i) => names.map((name, at) =>
    name.endsWith('_null') && (i + at) % 7 === 3 ? null : types[typeOf(name)](i));
let rows = []; // as they should be

const plain = await Session.open({ port, host: '127.0.0.1' });
const ext = await Session.open({ port, host: '127.0.0.1' });
await ext.call('hello', { ext: true });

async function append(from, count) {
    for (let at = from; at < from + count; at += 5000) {
        const some = Array.from({ length: Math.min(5000, from + count - at) }, (_, i) => rowOf(at + i));
        await plain.call('table.append', 't', { rows: some });
        rows.push(...some);
    }
}
async function update(row, name, value) {
    await plain.call('table.set', 't', row, name, value);
    rows[row] = rows[row].with(names.indexOf(name), value);
}
async function remove(...positions) {
    await plain.call('table.delete', 't', positions);
    rows = rows.filter((_, i) => !positions.includes(i));
}

// --- fetching
async function fetchAll(client, method, key, options, next = {}, between = null) {
    const pieces = [];
    let answer = await client.call(method, key, options);
    for (;;) {
        pieces.push(answer.data);
        if (answer.cursor === null) break;
        if (between) await between(pieces.length);
        answer = await client.call('table.next', answer.cursor, next);
    }
    const whole = pieces.every((piece) => piece instanceof Uint8Array)
        ? Buffer.concat(pieces) : Buffer.concat(pieces.map((piece) => piece.data));
    return { bytes: new Uint8Array(whole), pieces };
}

// --- comparing
const cell = { // what readers make of the types that JavaScript does not have
    date: (v) => v * 86400000, ts: (v) => v / 1000, bin: (v) => [...v],
};
const columnOf = (some, name, convert) => some.map((row) => {
    const v = row[names.indexOf(name)];
    return v === null || !convert ? v : convert(v);
});
const plainBytes = (v) => v instanceof Uint8Array ? [...v] : v;

function checkArrow(what, bytes, some, chosen = names) {
    const theirs = arrow.tableFromIPC(bytes);
    check(`${what}: apache-arrow: rows`, theirs.numRows, some.length);
    check(`${what}: apache-arrow: nullable`, theirs.schema.fields.map((f) => f.nullable),
        chosen.map((name) => name.endsWith('_null')));
    const second = flechette.tableFromIPC(bytes, { useBigInt: true });
    for (const name of chosen) {
        const expected = columnOf(some, name, cell[typeOf(name)]);
        check(`${what}: apache-arrow: ${name}`, [...theirs.getChild(name)].map(plainBytes), expected);
        check(`${what}: flechette: ${name}`, [...second.getChild(name)].map(plainBytes), expected);
    }
    if (!polars || some.length === 0) return;
    const number = (v) => typeof v === 'bigint' ? Number(v) : v;
    // It makes no JavaScript of a column of bytes, whoever wrote it; and a Date has milliseconds.
    const readable = chosen.filter((name) => typeOf(name) !== 'bin');
    const shown = { date: (v) => new Date(v * 86400000), ts: (v) => new Date(Math.trunc(v / 1000)) };
    const frame = polars.readIPCStream(Buffer.from(bytes), { columns: readable });
    for (const name of readable)
        check(`${what}: polars: ${name}`, frame.getColumn(name).toArray().map(number),
            columnOf(some, name, shown[typeOf(name)]).map(number));
}

// --- an empty table
await plain.call('table.create', 't', schema);
checkArrow('empty', (await fetchAll(plain, 'table.export', 't', { format: 'arrow' })).bytes, []);

// --- rows that are not sealed, with nulls, updates and deletions
await append(0, 3000);
await update(5, 'sym', 'a new symbol');
await update(2999, 'f64_null', null);
await update(17, 'str', 'changed');
await remove(1, 1023, 1024, 2500);
checkArrow('unsealed', (await fetchAll(plain, 'table.export', 't', { format: 'arrow' })).bytes, rows);

// --- a full chunk, which the server seals, and a tail; updates of sealed cells
await append(3000, 65000);
let stats = await plain.call('table.stats', 't');
while (stats.sealing) { // export.sh ends it if it hangs
    await new Promise((resolve) => setTimeout(resolve, 20));
    stats = await plain.call('table.stats', 't');
}
const encodings = stats.columns.find((column) => column.name === 'i64').encodings;
check('sealed and plain vectors', [stats.chunks > 1n, encodings.plain?.vectors > 0, Object.keys(encodings).length > 1],
    [true, true, true]);
await update(100, 'i64', -(2n ** 62n));
await update(101, 'sym_null', null);
await update(102, 'str_null', 'neu');
await remove(0, 40000, 65000, 67000);
const moment = [...rows];
const { bytes, pieces } = await fetchAll(ext, 'table.scan', 't', { format: 'arrow' });
check('with extension types, data is ext 8', pieces.every((piece) => piece.ext === 8), true);
checkArrow('sealed', bytes, moment);

// --- columns of known width only, in small pieces, while others write: one moment
const fixed = names.filter((name) => !['str', 'bin'].includes(typeOf(name)));
const small = await fetchAll(plain, 'table.scan', 't',
    { format: 'arrow', select: fixed, batch: { bytes: 50000 } }, { bytes: 200001 }, async (turn) => {
        if (turn > 20) return;
        await append(100000 + turn * 100, 100); // symbols that were not there
        await remove(turn, 5000 + turn);
        await update(turn * 50, 'sym', `symbol of turn ${turn}`);
    });
check('small pieces', small.pieces.length > 40 && small.pieces.every((piece) => piece.length <= 200001), true);
checkArrow('while others write', small.bytes, moment, fixed);
const now = rows;
checkArrow('after that', (await fetchAll(ext, 'table.export', 't', { format: 'arrow', batch: { bytes: 300000 } })).bytes, now);

// --- a query
const query = { where: ['and', ['>=', 'i32', -300000], ['null', 'bool_null']], order: [['u32', 'desc']],
    offset: 10, limit: 500, let: { twice: ['*', ['col', 'f64'], ['lit', 2]] }, select: ['i32', 'sym', 'str', 'twice'] };
const at = (row, name) => row[names.indexOf(name)];
const wanted = now.filter((row) => at(row, 'i32') >= -300000 && at(row, 'bool_null') === null)
    .map((row, i) => [row, i]).sort(([a, i], [b, j]) => at(b, 'u32') - at(a, 'u32') || i - j).slice(10, 510)
    .map(([row]) => row);
const found = arrow.tableFromIPC((await fetchAll(plain, 'table.export', 't', { ...query, format: 'arrow' })).bytes);
for (const name of ['i32', 'sym', 'str'])
    check(`query: ${name}`, [...found.getChild(name)], columnOf(wanted, name));
check('query: an expression', [...found.getChild('twice')], columnOf(wanted, 'f64').map((v) => v * 2));

// --- dictionaries of more symbols than a message has that is one of several
const symbols = Array.from({ length: 50000 }, (_, i) => `symbol number ${i}`);
await plain.call('table.create', 'symbols', [['s', 'sym']]);
for (let i = 0; i < symbols.length; i += 10000)
    await plain.call('table.append', 'symbols', { cols: { s: symbols.slice(i, i + 10000) } });
const fetchSymbols = async (options) => (await fetchAll(plain, 'table.export', 'symbols', { format: 'arrow', ...options })).bytes;
const deltas = await fetchSymbols({ dictionary: 'delta' });
check('apache-arrow: a dictionary with deltas', [...arrow.tableFromIPC(deltas).getChild('s')], symbols);
check('flechette: a dictionary with deltas', [...flechette.tableFromIPC(deltas).getChild('s')], symbols);
for (const [what, whole] of [['a whole dictionary', await fetchSymbols({})],
    ['a whole dictionary in small pieces', await fetchSymbols({ dictionary: 'whole', batch: { bytes: 5001 } })]]) {
    check(`apache-arrow: ${what}`, [...arrow.tableFromIPC(whole).getChild('s')], symbols);
    check(`flechette: ${what}`, [...flechette.tableFromIPC(whole).getChild('s')], symbols);
    if (polars) check(`polars: ${what}`, polars.readIPCStream(Buffer.from(whole)).getColumn('s').toArray(), symbols);
}

// --- CSV
const csvNames = names.filter((name) => typeOf(name) !== 'bin');
const csv = Buffer.from((await fetchAll(plain, 'table.export', 't',
    { format: 'csv', select: csvNames, batch: { bytes: 100003 } })).bytes);
const iso = (ms) => new Date(ms).toISOString();
const fromCsv = {
    date: (v) => Date.parse(`${v}T00:00:00Z`) / 86400000,
    ts: (v) => Date.parse(v) * 1000 + Number((/\.\d{3}(\d{3})Z$/.exec(v) ?? [0, 0])[1]), bool: (v) => v === 'true',
    str: String, sym: String, i64: BigInt, u64: BigInt,
};
const records = dsv.csvParse(csv.toString());
check('CSV: columns', records.columns, csvNames);
for (const name of csvNames) {
    const kind = fromCsv[typeOf(name)] ?? Number;
    const read = typeOf(name) === 'f32' ? (v) => Math.fround(Number(v)) : kind;
    check(`CSV: d3-dsv: ${name}`, records.map((row) => row[name] === '' ? null : read(row[name])), columnOf(now, name));
}
check('CSV: a date', records[0].date, iso(at(now[0], 'date') * 86400000).slice(0, 10));
if (polars) {
    const some = ['i32', 'f64', 'f64_null', 'bool_null', 'str', 'sym'];
    const frame = polars.readCSV(Buffer.from((await fetchAll(plain, 'table.export', 't',
        { format: 'csv', select: some })).bytes), { inferSchemaLength: 1000 });
    for (const name of some)
        check(`CSV: polars: ${name}`, frame.getColumn(name).toArray().map((v) => typeof v === 'bigint' ? Number(v) : v),
            columnOf(now, name));
}

// --- JSON lines
const lines = Buffer.from((await fetchAll(plain, 'table.export', 't',
    { format: 'jsonl', select: ['i32', 'f64', 'str', 'sym_null', 'bool_null'] })).bytes).toString().trimEnd().split('\n');
check('JSON lines', lines.map((line) => JSON.parse(line)), now.map((row) => Object.fromEntries(
    ['i32', 'f64', 'str', 'sym_null', 'bool_null'].map((name) => [name, at(row, name)]))));

// --- .npy: the header is a Python literal of three entries, the rest one array
async function npy(name, Type, descr) {
    const file = (await fetchAll(plain, 'table.export', 't', { format: 'npy', select: [name], batch: { bytes: 70001 } })).bytes;
    const length = new DataView(file.buffer).getUint16(8, true), header = Buffer.from(file.subarray(10, 10 + length)).toString();
    check(`.npy: ${name}: header`, header.trim(), `{'descr': '${descr}', 'fortran_order': False, 'shape': (${now.length},), }`);
    return Array.from(new Type(file.slice(10 + length).buffer));
}
check('.npy: f64', await npy('f64', Float64Array, '<f8'), columnOf(now, 'f64'));
check('.npy: f32', await npy('f32', Float32Array, '<f4'), columnOf(now, 'f32'));
check('.npy: i16', await npy('i16', Int16Array, '<i2'), columnOf(now, 'i16'));
check('.npy: u64', await npy('u64', BigUint64Array, '<u8'), columnOf(now, 'u64'));
check('.npy: nulls are NaN', await npy('f64_null', Float64Array, '<f8'), columnOf(now, 'f64_null').map((v) => v ?? NaN));
check('.npy: texts are refused', await plain.call('table.export', 't', { format: 'npy', select: ['str'] })
    .then(() => 'no', (error) => error.message.slice(0, 26)), 'WRONG_TYPE table.export: c');
plain.close();
ext.close();
console.log('end');
