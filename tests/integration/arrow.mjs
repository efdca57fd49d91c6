// Reads Arrow streams of ours with readers of other authors, and writes streams for us to read;
// started by arrow.sh. No conversion code: what a reader returns is compared as it is.
//
// Prints "pass WHAT" or "fail WHAT: ..." a line.
// Usage: arrow.mjs MODULES-DIRECTORY SCRATCH-DIRECTORY CONVERTER
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { check } from '../support/check.mjs';

const [modules, scratch, converter] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const arrow = load('apache-arrow');
const flechette = load('@uwdata/flechette');
const SAMPLE_ROWS = 3000;
const data = `${modules}/vega-datasets/data`;

const convert = (...args) => execFileSync(converter, args, { encoding: 'utf8' }).trim();
const bytesOf = (name) => readFileSync(`${scratch}/${name}`);

// The sample as tests/support/table_convert.c makes it.
const doubles = [NaN, Infinity, -Infinity, -0, 1e308, 5e-324, 0.1, 1 / 3];
const double = (i) => i % 11 < 8 ? doubles[i % 11] : i * 0.25;
const text = (i) => i % 4 === 1 ? '' : `søte "bær", ${i % 300}\n`;
const whole = (bits) => (i) => i % 5 === 0 ? (1n << BigInt(bits - 1)) - 1n
    : i % 5 === 1 ? -(1n << BigInt(bits - 1)) : BigInt(i % 100);
const cells = { f64: double, f32: (i) => Math.fround(double(i)), bool: (i) => i % 3 === 0,
    str: text, sym: text, date: (i) => (i - 1000) * 86400000 };
for (const bits of [8, 16, 32, 64]) {
    const to = bits === 64 ? (v) => v : Number;
    cells[`i${bits}`] = (i) => to(whole(bits)(i));
    cells[`u${bits}`] = (i) => to(BigInt.asUintN(bits, whole(bits)(i)));
}
const expected = (name, nulls) =>
    Array.from({ length: SAMPLE_ROWS }, (_, i) => nulls && i % 7 === 3 ? null : cells[name](i));

function checkSample(who, column) {
    for (const name of Object.keys(cells)) {
        check(`${who}: ${name}`, column(name), expected(name, false));
        check(`${who}: ${name} with nulls`, column(`${name}_null`), expected(name, true));
    }
}

// --- ours, read by others
convert('--sample', `${scratch}/sample.arrows`, `${scratch}/sample.jsonl`);
const theirs = arrow.tableFromIPC(bytesOf('sample.arrows'));
checkSample('apache-arrow', (name) => [...theirs.getChild(name)]);
check('apache-arrow: types', ['i8', 'u64', 'f32', 'bool', 'str', 'sym', 'bin', 'date', 'ts'].map(
    (name) => String(theirs.getChild(name).type)), ['Int8', 'Uint64', 'Float32', 'Bool', 'Utf8',
    'Dictionary<Int32, Utf8>', 'Binary', 'Date32<DAY>', 'Timestamp<MICROSECOND, UTC>']);
check('apache-arrow: bytes', Buffer.from(theirs.getChild('bin').get(2)).toString(), text(2));
check('apache-arrow: nullable', theirs.schema.fields.map((f) => f.nullable),
    theirs.schema.fields.map((f) => f.name.endsWith('_null')));
const second = flechette.tableFromIPC(bytesOf('sample.arrows'), { useBigInt: true });
checkSample('flechette', (name) => [...second.getChild(name)]);
check('flechette: bytes', Buffer.from(second.getChild('bin').at(2)).toString(), text(2));

convert('--symbols=150000', `${scratch}/symbols.arrows`);
const symbols = Array.from({ length: 150000 }, (_, i) => `symbol ${i}`);
check('apache-arrow: a dictionary that is whole',
    [...arrow.tableFromIPC(bytesOf('symbols.arrows')).getChild('symbol')], symbols);
check('flechette: a dictionary that is whole',
    [...flechette.tableFromIPC(bytesOf('symbols.arrows')).getChild('symbol')], symbols);

let polars = null;
try { polars = load('nodejs-polars'); } catch (error) { console.log(`no polars: ${error.message.split('\n')[0]}`); }
if (polars) {
    const names = Object.keys(cells).flatMap((name) => [name, `${name}_null`]);
    const frame = polars.readIPCStream(bytesOf('sample.arrows'), { columns: names });
    // It hands out some 64-bit integers as numbers, and days as Dates.
    const number = (v) => typeof v === 'bigint' || v instanceof Date ? Number(v) : v;
    for (const name of names)
        check(`polars: ${name}`, frame.getColumn(name).toArray().map(number),
            expected(name.replace('_null', ''), name.endsWith('_null')).map(number));
    check('polars: a dictionary that is whole',
        polars.readIPCStream(bytesOf('symbols.arrows')).getColumn('symbol').toArray(), symbols);
}

// --- others', read by us: what comes back is what went
const made = {
    i8: [new arrow.Int8(), [1, null, -128]], i64: [new arrow.Int64(), [1n, null, -(2n ** 63n)]],
    u64: [new arrow.Uint64(), [1n, null, 2n ** 64n - 1n]], f32: [new arrow.Float32(), [0.5, null, NaN]],
    f64: [new arrow.Float64(), [0.1, null, -Infinity]], bool: [new arrow.Bool(), [true, null, false]],
    utf8: [new arrow.Utf8(), ['a', null, '']], large: [new arrow.LargeUtf8(), ['a', null, 'bær']],
    day: [new arrow.DateDay(), [0, null, 86400000]], ms: [new arrow.DateMillisecond(), [0, null, -86400000]],
    second: [new arrow.TimestampSecond(), [0, null, -1000]], ns: [new arrow.TimestampNanosecond(), [0, null, 1000]],
    dict: [new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8()), ['x', null, 'y']],
};
const source = new arrow.Table(Object.fromEntries(
    Object.entries(made).map(([name, [type, values]]) => [name, arrow.vectorFromArray(values, type)])));
writeFileSync(`${scratch}/made.arrows`, arrow.tableToIPC(source, 'stream'));
check('a stream of apache-arrow is imported', convert(`${scratch}/made.arrows`, `${scratch}/back.arrows`),
    '3 rows, 13 columns: i8 i8, i64 i64, u64 u64, f32 f32, f64 f64, bool bool, utf8 str, large str, '
    + 'day date, ms date, second ts, ns ts, dict sym');
const back = arrow.tableFromIPC(bytesOf('back.arrows'));
for (const [name, [, values]] of Object.entries(made))
    check(`${name} of apache-arrow comes back`, [...back.getChild(name)], values);
function refused(path) {
    try { return convert(path); } catch (error) { return error.stdout.trim(); }
}
const list = arrow.vectorFromArray([[1], [2]], new arrow.List(new arrow.Field('x', new arrow.Int8())));
writeFileSync(`${scratch}/list.arrows`, arrow.tableToIPC(new arrow.Table({ l: list }), 'stream'));
check('a nested type is refused by name', refused(`${scratch}/list.arrows`).includes('column "l" is of type list'), true);

// --- real data
if (existsSync(data)) {
    writeFileSync(`${scratch}/flights.arrows`, readFileSync(`${data}/flights-200k.arrow`));
    check('flights-200k.arrow: rows', convert(`${scratch}/flights.arrows`, `${scratch}/back.arrows`).split(',')[0],
        '200000 rows');
    const flights = JSON.parse(readFileSync(`${data}/flights-200k.json`));
    const ours = arrow.tableFromIPC(bytesOf('back.arrows'));
    for (const name of ['delay', 'distance'])
        check(`flights-200k: ${name} equals the JSON`, [...ours.getChild(name)], flights.map((row) => row[name]));
    const dsv = await import(load.resolve('d3-dsv'));
    for (const [file, kinds] of [['airports.csv', {}], ['weather.csv', { precipitation: Number, temp_max: Number, wind: Number }],
        ['seattle-weather.csv', { precipitation: Number, temp_min: Number }], ['zipcodes.csv', { latitude: Number }],
        ['species.csv', {}], ['us-employment.csv', { nonfarm: BigInt }]]) {
        const rows = dsv.csvParse(readFileSync(`${data}/${file}`, 'utf8').replace(/^\ufeff/, ''));
        const line = convert(`${data}/${file}`, `${scratch}/csv.arrows`, `${scratch}/csv.jsonl`, `${scratch}/csv.csv`);
        check(`${file}: rows`, line.split(' ')[0], String(rows.length));
        const table = arrow.tableFromIPC(bytesOf('csv.arrows'));
        for (const field of table.schema.fields) {
            const kind = kinds[field.name] ?? (String(field.type) === 'Utf8' ? String : null);
            if (!kind) continue;
            check(`${file}: ${field.name}`, [...table.getChild(field.name)],
                rows.map((row) => row[field.name] === '' ? null : kind(row[field.name])));
        }
        const lines = readFileSync(`${scratch}/csv.jsonl`, 'utf8').trimEnd().split('\n').map((l) => JSON.parse(l));
        check(`${file}: JSON lines`, lines.length, rows.length);
        convert(`${scratch}/csv.csv`, `${scratch}/again.arrows`);
        check(`${file}: CSV comes back`, bytesOf('again.arrows').equals(bytesOf('csv.arrows')), true);
    }
}
console.log('end');
