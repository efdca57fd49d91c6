// Random changes of a table, the same on both sides.
import { predicate } from './queries.mjs';
import { TYPES, boundsOf, isText, sqlLiteral, sqlName, sqlWhole, sqlDouble } from './types.mjs';

const asSql = (c, v) => v === null ? 'NULL' : c.kind === 'float' ? sqlDouble(v, c.sqlType)
    : typeof v === 'number' || typeof v === 'bigint' ? sqlWhole(v, c.sqlType) : sqlLiteral(v);
const asMessage = (c, v) => v !== null && typeof v === 'number' && c.kind !== 'float' ? BigInt(v) : v;

/** A predicate that cannot fail, over columns. */
function safePredicate(r, table) {
    for (;;) {
        const p = predicate(r, table.columns, r.between(0, 2), true);
        if (!p.fails) return p;
    }
}

/**
 * DuckDB does not store what equals the old value, and 0.0 equals -0.0: so a column that is to be zero is
 * one in between.
 */
async function updateDuck(engines, table, columns, values, where) {
    const { db } = engines.duck;
    const set = (pairs) => pairs.map(([c, v]) => `${c.sql} = ${asSql(c, v)}`).join(', ');
    const zeros = columns.filter((c, i) => c.kind === 'float' && values[i] === 0);
    const all = set(columns.map((c, i) => [c, values[i]]));
    if (!zeros.length) return changed(engines, `UPDATE ${table.name} SET ${all} WHERE ${where}`);
    await db.run(`CREATE OR REPLACE TEMP TABLE chosen AS SELECT rid FROM ${table.name} WHERE ${where}`);
    const these = 'WHERE rid IN (SELECT rid FROM chosen)';
    await db.run(`UPDATE ${table.name} SET ${set(zeros.map((c) => [c, 1]))} ${these}`);
    return changed(engines, `UPDATE ${table.name} SET ${all} ${these}`);
}

async function changed(engines, sql) {
    const result = await engines.duck.db.run(sql);
    return Number(result.rowsChanged);
}

async function update(engines, r, table, covered) {
    const columns = r.sample(table.columns.filter((c) => !c.sorted), r.between(1, 3));
    if (!columns.length) return null;
    const where = safePredicate(r, table);
    const values = columns.map((c) => c.null && r.chance(0.3) ? null : c.literal());
    columns.forEach((c) => covered.add(`update:${c.type}`));
    const ours = await engines.rpc.call('table.update', table.name, where.cairn,
        Object.fromEntries(columns.map((c, i) => [c.name, asMessage(c, values[i])])));
    const theirs = await updateDuck(engines, table, columns, values, where.sql);
    return ours === theirs ? null : `update ${JSON.stringify(where.sql)}: ${ours} rows, DuckDB ${theirs}`;
}

/** Not most of the table. */
async function remove(engines, r, table) {
    const where = safePredicate(r, table);
    const count = await engines.rpc.call('table.agg', table.name, { where: where.cairn, agg: { n: ['count'] } });
    const total = await engines.rpc.call('len', table.name);
    if (total > 10 && count.data[0][0] > total * 0.4) return null;
    const ours = await engines.rpc.call('table.delete', table.name, where.cairn);
    const theirs = await changed(engines, `DELETE FROM ${table.name} WHERE ${where.sql}`);
    return ours === theirs ? null : `delete ${JSON.stringify(where.sql)}: ${ours} rows, DuckDB ${theirs}`;
}

/** Rows by their position: the n-th that is left. */
async function removeRows(engines, r, table) {
    const total = Number(await engines.rpc.call('len', table.name));
    if (!total) return null;
    const rows = [...new Set(Array.from({ length: r.between(1, 20) }, () => r.below(total)))];
    await engines.rpc.call('table.delete', table.name, rows.map(BigInt));
    await engines.duck.db.run(`DELETE FROM ${table.name} WHERE rid IN (SELECT rid FROM (SELECT rid, row_number() OVER (ORDER BY rid) - 1 AS p
        FROM ${table.name}) WHERE p IN (${rows.join(', ')}))`);
    return null;
}

async function setCell(engines, r, table) {
    const columns = table.columns.filter((c) => !c.sorted);
    const total = Number(await engines.rpc.call('len', table.name));
    if (!columns.length || !total) return null;
    const c = r.pick(columns), row = r.below(total), v = c.literal();
    await engines.rpc.call('table.set', table.name, BigInt(row), c.name, asMessage(c, v));
    await updateDuck(engines, table, [c], [v], `rid = (SELECT rid FROM ${table.name} ORDER BY rid LIMIT 1 OFFSET ${row})`);
    return null;
}

/* --- what no answer may show --------------------------------------------------------------------*/

/** Indexes on some columns, of any kind, or none any more. */
export async function makeIndexes(engines, r, table, covered) {
    for (const c of r.sample(table.columns, r.between(1, 6))) {
        const kind = r.pick(['sorted', 'sorted', 'hash', 'hash', null]);
        await engines.rpc.call('table.index', table.name, c.name, kind);
        covered.add(`index:${kind}:${c.type}`);
    }
}

/** The next wider type of an integer of up to 16 bits, or the other one of strings. */
const WIDER = { i8: 'i16', i16: 'i32', u8: 'u16', u16: 'u32', str: 'sym', sym: 'str' };

async function retype(engines, r, table, covered) {
    const columns = table.columns.filter((c) => WIDER[c.type]);
    if (!columns.length) return;
    const c = r.pick(columns), type = WIDER[c.type];
    await engines.rpc.call('table.alter', table.name, [['type', c.name, type]]);
    covered.add(`retype:${type}`);
    c.type = type;
    if (isText(c.kind)) return; /* both are VARCHAR */
    c.sqlType = TYPES[type].sql;
    c.bounds = boundsOf(type);
    if (!c.calm) c.most = c.bounds[1] + 1n;
    await engines.duck.db.run(`ALTER TABLE ${table.name} ALTER ${c.sql} TYPE ${c.sqlType}`);
    table.duckTypes[1 + table.columns.indexOf(c)] = engines.duck.api[c.sqlType];
}

async function alter(engines, r, table, covered) {
    const c = r.pick(table.columns), name = `${c.name}'`;
    switch (r.pick(['type', 'type', 'null', 'sorted', 'rename'])) {
    case 'null':
        if (c.sorted) return;
        c.null = true;
        await engines.rpc.call('table.alter', table.name, [['null', c.name, true]]);
        return;
    case 'sorted':
        c.sorted = false;
        await engines.rpc.call('table.alter', table.name, [['sorted', c.name, false]]);
        return;
    case 'rename':
        if (c.sorted) return;
        await engines.rpc.call('table.alter', table.name, [['rename', c.name, name]]);
        await engines.duck.db.run(`ALTER TABLE ${table.name} RENAME ${c.sql} TO ${sqlName(name)}`);
        c.name = name;
        c.sql = sqlName(name);
        return;
    default: await retype(engines, r, table, covered);
    }
}

/** null, or what was different. `indexed`: the table has indexes, and is altered, too. */
export async function changeTable(engines, r, table, append, covered, indexed) {
    const what = r.pick([...CHANGES, 'update', ...(indexed ? [...CHANGES_INDEXED, ...CHANGES_INDEXED] : [])]);
    covered.add(`change:${what}`);
    switch (what) {
    case 'index': await makeIndexes(engines, r, table, covered); return null;
    case 'alter': await alter(engines, r, table, covered); return null;
    case 'update': return update(engines, r, table, covered);
    case 'delete': return remove(engines, r, table);
    case 'rows': return removeRows(engines, r, table);
    case 'set': return setCell(engines, r, table);
    case 'append': await append(engines, table, r.between(1, table.large ? 5000 : 300), r.chance(0.5)); return null;
    default: await engines.rpc.call('table.compact', table.name); return null;
    }
}

export const CHANGES = ['update', 'delete', 'rows', 'set', 'append', 'compact'];
export const CHANGES_INDEXED = ['index', 'alter'];
export const TYPES_CHANGED = Object.keys(TYPES);
