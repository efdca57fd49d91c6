// table_duckdb.mjs - the figures of tables, of DuckDB: the same questions to the same columns that bench_query
// wrote, with one thread, in memory. Started by bench/run.
//
// Prints a line for each figure as measure.h describes them, with the member "beside": what was measured, and how.
// bench/report puts it beside Cairn's figure of the same name. "DuckDB" is a table as DuckDB makes it in
// memory; "compressed" one of an attached database with COMPRESS, after a checkpoint.
//
// Rates are by the CPU time of this process, the median of rounds that alternate between the two tables; results
// are made, and not looked at. Bytes are what duckdb_memory() says of tables of a million rows that are drawn as
// those of bench_table are. The appender's rows go through its binding to JavaScript, which is most of their cost;
// of chunks that are made before, it is not.
//
// Usage: table_duckdb.mjs MODULES-DIRECTORY COLUMNS-DIRECTORY ROWS
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [modules, directory, rowsText] = process.argv.slice(2);
const duckdb = createRequire(`${resolve(modules)}/`)('@duckdb/node-api');
const rows = Number(rowsText);
const ROUNDS = 5, CHUNK = 2048, MILLION = 1000000, APPEND_ROWS = 300000;
const MEMORY = '2500MB';
const SIDES = [['plain', 'DuckDB'], ['packed', 'compressed']];

function print(figure, beside, value, unit) {
    console.log(JSON.stringify({ figure, beside, value: Number(value.toPrecision(6)), unit, build: 'release' }));
}
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
function cpuSeconds() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
}

// --- the columns of bench_query

const columns = [['id', 'BIGINT', BigInt64Array], ['price', 'DOUBLE', Float64Array], ['small', 'INTEGER', Int32Array],
    ['large', 'INTEGER', Int32Array], ['city', 'UINTEGER', Uint32Array]];

/** All rows of the files into the table plain.columns. */
async function load(db) {
    await db.run(`CREATE TABLE plain.columns (${columns.map(([name, type]) => `${name} ${type}`).join(', ')})`);
    const appender = await db.createAppender('columns', 'main', 'plain');
    const files = columns.map(([name]) => openSync(`${directory}/${name}`));
    for (let first = 0; first < rows; first += CHUNK) {
        const count = Math.min(CHUNK, rows - first);
        const chunk = duckdb.DuckDBDataChunk.create(columns.map(([, type]) => duckdb[type]), count);
        columns.forEach(([name, , array], i) => {
            const part = new array(count);
            if (readSync(files[i], part, 0, part.byteLength, null) !== part.byteLength) throw new Error(`${name} is too short`);
            chunk.setColumnValues(i, Array.from(part));
        });
        appender.appendDataChunk(chunk);
    }
    appender.closeSync();
    files.forEach(closeSync);
    const names = Array.from({ length: 20 }, (_, n) => `'city ${n}'`).join(', ');
    await db.run(`CREATE TYPE plain.city AS ENUM (${names})`);
    await db.run(`CREATE TYPE packed.city AS ENUM (${names})`);
    for (const [side] of SIDES)
        await db.run(`CREATE TABLE ${side}.t AS SELECT id, price, small, large, CAST('city ' || city AS ${side}.city) AS city,
            'city ' || city AS name FROM plain.columns`);
    await db.run('DROP TABLE plain.columns');
    await db.run('CHECKPOINT packed');
}

const questions = [
    ['filter + sum, compressed decimals', 'SELECT sum(price) FROM t WHERE price > 5000', 1],
    ['group by 1,000 integers', 'SELECT small, sum(price) FROM t GROUP BY small', 1000],
    ['group by a million integers', 'SELECT large, sum(price) FROM t GROUP BY large', 1],
    ['group by 20 strings, sym', 'SELECT city, sum(price) FROM t GROUP BY city', 20],
    ['group by 20 strings, str', 'SELECT name, sum(price) FROM t GROUP BY name', 20],
    ['top 10', 'SELECT id, price FROM t ORDER BY price DESC LIMIT 10', 10],
    ['full sort', 'SELECT price FROM t ORDER BY price', rows],
];

/** `least`: rows that the answer has, so that nothing else was measured. */
async function ask(db, sql, least) {
    const began = cpuSeconds();
    const result = await db.run(sql);
    const seconds = cpuSeconds() - began;
    if (Number(result.rowCount) < least) throw new Error(`${sql}: ${result.rowCount} rows`);
    return seconds;
}

async function measureQuestions(db) {
    for (const [figure, sql, least] of questions) {
        const rates = SIDES.map(() => []);
        for (let round = 0; round < ROUNDS; round++)
            for (const [i, [side]] of SIDES.entries()) rates[i].push(rows / await ask(db, sql.replace(' t', ` ${side}.t`), least) / 1e6);
        SIDES.forEach(([, name], i) => print(figure, name, median(rates[i]), 'M rows/s'));
    }
}

// --- bytes

const cities = ['Amsterdam', 'Athens', 'Berlin', 'Bern', 'Brussels', 'Budapest', 'Copenhagen', 'Dublin', 'Helsinki', 'Lisbon',
    'London', 'Madrid', 'Oslo', 'Paris', 'Prague', 'Rome', 'Stockholm', 'Vienna', 'Warsaw', 'Zagreb'];
const random = (n) => `CAST(floor(random() * ${n}) AS INTEGER)`;
const drawn = {
    id: 'range', time: `1700000000000000 + range * 1000000 + ${random(10000)}`, price: `${random(1000000)} / 100::DOUBLE`,
    quantity: random(1000), city: `([${cities.map((c) => `'${c}'`).join(', ')}])[${random(20)} + 1]`, paid: 'random() < 0.5',
    score: `${random(1000000)} / 100::DOUBLE`, load: 'random()',
};

async function tableBytes(db) {
    const result = await db.runAndReadAll("SELECT CAST(sum(memory_usage_bytes) AS BIGINT) FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'");
    return Number(result.getRows()[0][0] ?? 0n);
}

async function bytesOf(db, side, names) {
    const before = await tableBytes(db);
    await db.run(`CREATE TABLE ${side}.b AS SELECT ${names.map((n) => `${drawn[n]} AS "${n}"`).join(', ')} FROM range(${MILLION})`);
    if (side === 'packed') await db.run('CHECKPOINT packed');
    const bytes = (await tableBytes(db) - before) / MILLION;
    await db.run(`DROP TABLE ${side}.b`);
    if (side === 'packed') await db.run('CHECKPOINT packed');
    return bytes;
}

async function measureBytes(db) {
    const figures = [['a million random doubles', ['load'], 'MB'], ['a million doubles with two decimals', ['price'], 'MB'],
        ['ids, bytes each', ['id'], 'bytes'], ['timestamps with jitter, bytes each', ['time'], 'bytes'],
        ['20 strings, bytes each', ['city'], 'bytes'], ['booleans, bytes each', ['paid'], 'bytes'],
        ['mix of eight columns, bytes a row', Object.keys(drawn), 'bytes']];
    for (const [figure, names, unit] of figures)
        for (const [side, name] of SIDES) print(figure, name, await bytesOf(db, side, names), unit);
}

// --- the appender

async function appendRows(db) {
    await db.run('CREATE TABLE plain.a (id BIGINT, time BIGINT, price DOUBLE, quantity INTEGER, city VARCHAR, paid BOOLEAN, score DOUBLE, load DOUBLE)');
    const appender = await db.createAppender('a', 'main', 'plain');
    const began = cpuSeconds();
    for (let i = 0; i < APPEND_ROWS; i++) {
        appender.appendBigInt(BigInt(i));
        appender.appendBigInt(1700000000000000n);
        appender.appendDouble(i / 100);
        appender.appendInteger(i % 1000);
        appender.appendVarchar('Athens');
        appender.appendBoolean(i % 2 === 0);
        appender.appendDouble(i / 100);
        appender.appendDouble(i / 7);
        appender.endRow();
    }
    appender.closeSync();
    const seconds = cpuSeconds() - began;
    await db.run('DROP TABLE plain.a');
    return APPEND_ROWS / seconds / 1e6;
}

/** The six columns of bench_table. */
async function appendChunks(db) {
    const kinds = ['DOUBLE', 'DOUBLE', 'DOUBLE', 'BIGINT', 'VARCHAR', 'INTEGER'];
    await db.run(`CREATE TABLE plain.a (${kinds.map((kind, i) => `c${i} ${kind}`).join(', ')})`);
    const appender = await db.createAppender('a', 'main', 'plain');
    const chunk = duckdb.DuckDBDataChunk.create(kinds.map((kind) => duckdb[kind]), CHUNK);
    const cell = { DOUBLE: () => Math.random(), BIGINT: (i) => BigInt(i), VARCHAR: (i) => cities[i % 20], INTEGER: (i) => i % 1000 };
    kinds.forEach((kind, c) => chunk.setColumnValues(c, Array.from({ length: CHUNK }, (_, i) => cell[kind](i))));
    const chunks = Math.floor(MILLION / CHUNK), began = cpuSeconds();
    for (let i = 0; i < chunks; i++) appender.appendDataChunk(chunk);
    appender.closeSync();
    const seconds = cpuSeconds() - began;
    await db.run('DROP TABLE plain.a');
    return chunks * CHUNK / seconds / 1e6;
}

async function measureAppender(db) {
    for (const [figure, name, append] of [['append of rows of values, eight columns', 'DuckDB, by row from node', appendRows],
        ['append of raw columns, six of them', 'DuckDB, by chunk', appendChunks]]) {
        const rates = [];
        for (let round = 0; round < ROUNDS; round++) rates.push(await append(db));
        print(figure, name, median(rates), 'M/s');
    }
}

const instance = await duckdb.DuckDBInstance.create(':memory:', { threads: '1', memory_limit: MEMORY });
const db = await instance.connect();
await db.run("SET threads = 1");
await db.run("ATTACH ':memory:' AS plain");
await db.run("ATTACH ':memory:' AS packed (COMPRESS)");
await measureBytes(db);
await measureAppender(db);
await load(db);
await measureQuestions(db);
db.closeSync();
