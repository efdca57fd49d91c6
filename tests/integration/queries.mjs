// Compares the query engine with DuckDB: random tables, random changes, random queries.
//
// A seed makes a table, in both engines, and the questions to it; between them rows are appended,
// updated and deleted on both sides, and Cairn compacts. Half of the tables have random indexes in Cairn,
// which is altered between the queries, too. A query whose answers differ is made smaller as
// long as they still do, and printed with its SQL. All that happens depends on the seed only.
//
//     CAIRN_SEED=n      one seed: odd ones of a hundred rows, every tenth of 66,000 to 200,000
//     CAIRN_QUERIES=n   so many questions to each table
//
// Prints "pass WHAT" or "fail WHAT: ..." a line, and "# ..." remarks.
// Usage: queries.mjs MODULES-DIRECTORY PORT full|reduced
import { createRequire } from 'node:module';
import { Engines } from './queries/engines.mjs';
import { Random } from './queries/random.mjs';
import { coverageOf, missing } from './queries/coverage.mjs';
import { appendToCairn, appendToDuck, createInCairn, createInDuck, makeRows, planTable } from './queries/tables.mjs';
import { changeTable, makeIndexes } from './queries/changes.mjs';
import { makeQuery, toCairn, toSql } from './queries/queries.mjs';
import { smaller } from './queries/smaller.mjs';
import { Session } from '../support/session.mjs';

const [modules, port, extent] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const LARGE_EACH = 10;
const plans = { full: { seeds: 40, small: 130, large: 110 }, reduced: { seeds: 10, small: 60, large: 20 } };
const plan = plans[extent];
const FAILURES_MAX = 5;

const covered = new Set(), encodings = new Set();
const totals = { queries: 0, failures: 0, changes: 0 };

const forPeople = (v) => JSON.stringify(v, (_, x) => typeof x === 'bigint' ? `${x}n` : x instanceof Uint8Array ? `bytes ${[...x]}`
    : typeof x === 'number' && (!Number.isFinite(x) || Object.is(x, -0)) ? (Object.is(x, -0) ? '-0.0' : String(x)) : x);

async function connect() {
    const { DuckDBInstance, ...api } = load('@duckdb/node-api');
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    const db = await instance.connect();
    /* They leave out casts and operands that would fail, where the result does not need them. */
    await db.run("SET disabled_optimizers = 'expression_rewriter,statistics_propagation'");
    const rpc = await Session.open({ host: '127.0.0.1', port }, { doubles: true });
    await rpc.call('hello', { ext: true });
    return new Engines(rpc, { db, api });
}

async function makeTable(engines, r, seed) {
    const table = planTable(r, seed, seed % LARGE_EACH === 0);
    await createInCairn(engines.rpc, table);
    await createInDuck(engines.duck, table);
    for (let left = table.rows; left > 0;) {
        const count = Math.min(left, r.between(1, 70000));
        await append(engines, table, count, r.chance(0.3) && count < 3000);
        left -= count;
    }
    return table;
}

async function append(engines, table, count, asRows) {
    const cells = makeRows(table, count);
    await appendToCairn(engines.rpc, table, cells, asRows);
    await appendToDuck(engines.duck, table, cells);
}

async function report(engines, seed, number, table, query, what, again) {
    totals.failures++;
    const small = await smaller(query, again);
    console.log(`fail seed ${seed}, query ${number}: ${(await again(small)) ?? what}`.replaceAll('\n', ' '));
    console.log(`# table: ${table.columns.map((c) => `${c.name} ${c.profile}${c.null ? ' null' : ''}${c.sorted ? ' sorted' : ''}`).join(', ')}; ${table.next} rows`);
    console.log(`# Cairn: table.${query.kind} ${forPeople(toCairn(small))}`);
    console.log(`# SQL: ${toSql(small, table).sql}`);
    console.log(`# the whole query: ${forPeople(toCairn(query))}`);
}

async function runSeed(engines, seed) {
    const r = new Random(seed);
    const table = await makeTable(engines, r, seed);
    const indexed = r.chance(0.5);
    if (indexed) {
        await makeIndexes(engines, r, table, covered);
        await engines.rpc.call('table.compact', table.name);
    }
    const queries = Number(process.env.CAIRN_QUERIES) || (table.large ? plan.large : plan.small);
    for (let number = 0; number < queries && totals.failures < FAILURES_MAX; number++) {
        if (number % 20 === 19) {
            const what = await changeTable(engines, r, table, append, covered, indexed);
            totals.changes++;
            if (what) { totals.failures++; console.log(`fail seed ${seed}, change before query ${number}: ${what}`); return; }
        }
        const query = makeQuery(r, table);
        const format = r.chance(0.8) ? 'cols' : 'rows', batch = r.chance(0.3) ? r.pick([1, 7, 64, 1000, 65536]) : 0;
        /* Not a thousand answers of a row. */
        const few = (query.limit ?? table.next) <= 100;
        const again = (q) => engines.check(q, table, format, batch < 64 && !few ? 0 : batch);
        totals.queries++;
        coverageOf(query, covered);
        const what = await again(query);
        if (what) await report(engines, seed, number, table, query, what, again);
    }
    const stats = await engines.rpc.call('table.stats', table.name);
    for (const column of stats.columns) for (const name of Object.keys(column.encodings)) encodings.add(name);
    await engines.rpc.call('del', table.name);
    await engines.duck.db.run(`DROP TABLE ${table.name}`);
}

async function main() {
    const engines = await connect();
    const one = Number(process.env.CAIRN_SEED) || 0;
    const seeds = one ? [one] : Array.from({ length: plan.seeds }, (_, i) => i + 1);
    for (const seed of seeds) {
        if (totals.failures >= FAILURES_MAX) break;
        console.log(`# seed ${seed}`);
        await runSeed(engines, seed);
    }
    const { counts, spent } = engines;
    console.log(`# ${totals.queries} queries, ${totals.changes} changes, ${counts.rows} rows, ${counts.cells} cells, ${counts.errors} out of range on both sides`);
    console.log(`# left open: ${counts.open} errors of rows that need not be looked at, ${counts.undecided} sums beyond the range, ${counts.infinite} of infinities`);
    console.log(`# ms: Cairn ${spent.cairn.toFixed()}, DuckDB ${spent.duck.toFixed()}, comparing ${spent.compare.toFixed()}`);
    if (!totals.failures) console.log(`pass answers are DuckDB's`);
    if (!one && !totals.failures) {
        const share = counts.open / totals.queries;
        console.log(share < 0.03 ? 'pass few queries are left open' : `fail few queries are left open: ${counts.open}`);
        if (extent === 'full') {
            const never = missing(covered, encodings);
            console.log(never.length ? `fail everything is exercised: never ${never.join(' ')}` : 'pass everything is exercised');
        }
    }
    engines.rpc.close();
    engines.duck.db.closeSync();
    console.log('end');
}

await main();
