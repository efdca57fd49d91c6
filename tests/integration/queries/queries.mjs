// Random queries of the whole grammar, as nodes of translate.mjs, and their SQL.
//
// A query is {kind: 'scan' | 'agg', where, lets, select, order, group, aggs, having, limit, offset}; each
// part can be left out, which is how a failing one is made smaller.
import * as sql from './translate.mjs';
import { KINDS, TYPES, TYPE_NAMES, boundsOf, isNumber, isText, isTime, sqlDouble, sqlName } from './types.mjs';

export const RELATIONS = ['=', '!=', '<', '<=', '>', '>='];
const LETTERS = ['x', 'y', 'z', 'w'];

/** Fields of a kind. */
const fieldsOf = (fields, wanted) => fields.filter((f) => wanted(f));

/* --- expressions -------------------------------------------------------------------------------*/

function leaf(r, fields, kind) {
    const known = fieldsOf(fields, (f) => f.kind === kind);
    if (known.length && r.chance(0.8)) return sql.column(r.pick(known));
    if (r.chance(0.04)) return sql.literal(null);
    switch (kind) {
    case 'int': return sql.literal(BigInt(r.pick([0, 1, -1, 2, 3, 7, 10, -1000, 65536])));
    case 'uint': return r.chance(0.2) ? sql.literal(2n ** 63n + BigInt(r.below(1000))) : sql.cast(sql.literal(BigInt(r.below(100))), 'u64');
    case 'float': return sql.literal(r.pick([0, -0, 0.5, 1, -1.25, 3, 1e10, NaN, Infinity]));
    case 'bool': return sql.literal(r.chance(0.5));
    case 'text': return sql.literal(r.pick(['', 'a', 'Oslo', 'é']));
    case 'bytes': return r.chance(0.5) ? sql.literal(Uint8Array.of(97, 255)) : sql.cast(leaf(r, fields, 'text'), 'bin');
    default: return sql.cast(sql.literal(BigInt(r.between(-20000, 20000))), kind);
    }
}

const anyNumber = (r) => r.pick(['int', 'int', 'uint', 'float']);

/** Times plus a literal null are of no kind; then the null is left out. */
const added = (op, x, y, instead) => sql.arithmeticKind(op, x.kind, y.kind) ? sql.arithmetic(op, x, y) : instead();

/** Operators that give a kind. */
const MAKERS = {
    int: [arithmeticOf((r) => ['int', 'int']), bucketOf('int'), castTo(['i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32']),
        (r, f, d) => { const k = r.pick(['date', 'ts']); return added('-', expression(r, f, k, d), expression(r, f, k, d), () => leaf(r, f, 'int')); }],
    uint: [arithmeticOf((r) => r.pick([['int', 'uint'], ['uint', 'int'], ['uint', 'uint']])), bucketOf('uint'), castTo(['u64'])],
    float: [arithmeticOf((r) => r.pick([['float', anyNumber(r)], [anyNumber(r), 'float']])), bucketOf('float'), castTo(['f32', 'f64']),
        (r, f, d) => sql.arithmetic('/', expression(r, f, anyNumber(r), d), expression(r, f, anyNumber(r), d))],
    bool: [castTo(['bool'])],
    text: [castTo(['str', 'sym'])],
    bytes: [castTo(['bin'])],
    date: [timeOf('date'), bucketOf('date'), castTo(['date'])],
    ts: [timeOf('ts'), bucketOf('ts'), castTo(['ts'])],
};
function arithmeticOf(kinds) {
    return (r, f, d) => {
        const [a, b] = kinds(r);
        const op = r.pick(['+', '-', '*', '%', '%']);
        return sql.arithmetic(op, expression(r, f, a, d), expression(r, f, b, d));
    };
}
function timeOf(kind) {
    return (r, f, d) => {
        const time = expression(r, f, kind, d), n = expression(r, f, 'int', d);
        const instead = () => leaf(r, f, kind);
        return r.chance(0.4) ? added('-', time, n, instead) : r.chance(0.5) ? added('+', n, time, instead) : added('+', time, n, instead);
    };
}
function bucketOf(kind) {
    return (r, f, d) => {
        if (kind !== 'float') return sql.bucket(expression(r, f, kind, d), BigInt(r.pick([1, 2, 7, 10, 1000, 3600000000])));
        return r.chance(0.3) ? sql.bucket(expression(r, f, anyNumber(r), d), r.pick([0.5, 0.1, 2.5]))
            : sql.bucket(expression(r, f, 'float', d), BigInt(r.pick([1, 3, 10])));
    };
}
function castTo(types) {
    return (r, f, d) => {
        const type = r.pick(types);
        const from = Object.keys(KINDS).filter((k) => sql.castKind(k, type) !== null);
        return sql.cast(expression(r, f, r.pick(from), d), type);
    };
}

export function expression(r, fields, kind, depth) {
    if (depth <= 0 || r.chance(0.25)) return leaf(r, fields, kind);
    if (r.chance(0.15)) return branch(r, fields, kind, depth - 1);
    const node = r.pick(MAKERS[kind])(r, fields, depth - 1);
    /* A null operand can change what comes out: then it stays as it is, if it is of that kind. */
    return node.kind === kind ? node : leaf(r, fields, kind);
}

function branch(r, fields, kind, depth) {
    const pairs = { uint: [['uint', 'uint'], ['int', 'uint']], float: [['float', 'int'], ['uint', 'float'], ['float', 'float']],
        bytes: [['text', 'bytes'], ['bytes', 'bytes']], date: [['date', 'int'], ['date', 'date']],
        ts: [['date', 'ts'], ['ts', 'ts'], ['int', 'ts']] };
    const [a, b] = r.pick(pairs[kind] ?? [[kind, kind]]);
    const node = sql.choose(predicate(r, fields, Math.min(depth, 1), true), expression(r, fields, a, depth), expression(r, fields, b, depth));
    return node.kind === kind ? node : leaf(r, fields, kind);
}

/* --- predicates --------------------------------------------------------------------------------*/

/** A literal that suits a field: one of its values, one near, one that cannot be. */
function suited(r, f) {
    if (r.chance(0.04)) return null;
    if (isText(f.kind)) {
        const v = f.literal ? f.literal() : 'a';
        const text = typeof v === 'string' ? v : f.type === 'bin' && r.chance(0.3) ? new TextDecoder('ascii').decode(v.slice(0, 0)) + 'ab' : v;
        return r.chance(0.1) && typeof text === 'string' ? new TextEncoder().encode(text) : text;
    }
    if (f.kind === 'bool') return r.chance(0.5);
    if (f.kind === 'float') {
        if (r.chance(0.15)) return r.pick([NaN, Infinity, -Infinity, 0, -0, 0.1, 1e300]);
        if (r.chance(0.1)) return r.pick([0n, 1n, -3n, 2n ** 53n + 1n, 2n ** 64n - 1n]);
        return f.literal ? f.literal() : r.between(-50, 50) / 4;
    }
    const v = f.literal ? BigInt(f.literal()) : BigInt(r.between(-50, 5000));
    if (isTime(f.kind)) return v;
    if (r.chance(0.1)) return r.pick([0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, 300n]);
    if (r.chance(0.12)) return r.pick([Number(v), Number(v) + 0.5, NaN, Infinity, -Infinity, -0.5, 1e30, 9223372036854775808]);
    return v;
}

/** Something shorter that a text may begin with or hold. */
function piece(r, v) {
    if (v === null) return v;
    if (typeof v === 'string') {
        const points = [...v];
        const start = r.below(points.length + 1);
        return points.slice(start, start + r.below(3)).join('');
    }
    const start = r.below(v.length + 1);
    return v.slice(start, start + r.below(3));
}

function columnTest(r, f, extra) {
    const ops = ['relation', 'relation', 'relation', 'in', 'between', 'null', ...(isText(f.kind) ? ['prefix', 'contains'] : [])];
    switch (r.pick(ops)) {
    case 'relation': return sql.test(f, r.pick(RELATIONS), suited(r, f));
    case 'in': {
        const list = Array.from({ length: r.pick([0, 1, 2, 3, 5, 40]) }, () => suited(r, f));
        /* One null of many would leave most lists unknown when they are negated. */
        return sql.isIn(f, r.chance(0.7) ? list.filter((v) => v !== null) : list);
    }
    case 'between': return sql.between(f, suited(r, f), suited(r, f));
    case 'null': return sql.isNull(f);
    case 'prefix': return sql.find('prefix', f, r.chance(0.5) ? piece(r, suited(r, f)) : suited(r, f));
    default: return sql.find('contains', f, piece(r, suited(r, f)));
    }
}

function comparison(r, fields, depth) {
    const kinds = Object.keys(KINDS);
    const a = r.pick(kinds);
    const b = r.pick(kinds.filter((k) => sql.unified(a, k) !== null));
    return sql.compare(r.pick(RELATIONS), expression(r, fields, a, depth), expression(r, fields, b, depth));
}

/** `inside`: of an expression, which sees columns only. */
export function predicate(r, fields, depth, inside) {
    const known = inside ? fields.filter((f) => !f.let) : fields;
    if (depth > 0 && r.chance(0.45)) {
        if (r.chance(0.3)) return sql.not(predicate(r, fields, depth - 1, inside));
        const count = r.chance(0.04) ? 0 : r.between(1, 4);
        return sql.logic(r.pick(['and', 'or']), Array.from({ length: count }, () => predicate(r, fields, depth - 1, inside)));
    }
    if (r.chance(0.2)) return comparison(r, known, r.between(0, 2));
    const f = r.pick(known);
    if (!f.let) return columnTest(r, f);
    const literals = suited(r, f);
    return sql.testLet(f, r.pick(RELATIONS), sql.unified(f.kind, sql.literal(literals).kind) === null ? null : literals);
}

/* --- whole queries -----------------------------------------------------------------------------*/

function makeLets(r, table) {
    const count = r.pick([0, 0, 1, 1, 2, 3]);
    return Array.from({ length: count }, (_, i) => {
        const node = expression(r, table.columns, r.pick(Object.keys(KINDS)), r.between(1, 3));
        /* Nothing but nulls is an i64. */
        const kind = node.kind === 'nothing' ? 'int' : node.kind;
        const text = node.kind === 'nothing' ? 'CAST(NULL AS BIGINT)' : node.sql;
        return { name: LETTERS[i], let: true, sql: text, kind, type: node.type ?? KINDS[kind].type, fails: node.fails, most: node.most,
            least: node.least, node };
    });
}

/** Paging: Cairn counts from the offset. */
function makeLimits(r, large) {
    const out = {};
    if (r.chance(large ? 0.85 : 0.3)) out.limit = r.pick([0, 1, 2, 10, 100, 1000, 2000]);
    if (out.limit !== undefined && r.chance(0.3)) out.offset = r.pick([0, 1, 5, 64, 1000, 5000]);
    return out;
}
const makeOrder = (r, names, most) => r.sample(names, r.pick([0, 1, 1, 2, 3].filter((n) => n <= most)))
    .map((name) => [name, r.chance(0.5) ? 'asc' : 'desc']);

function makeScan(r, table, query, fields) {
    query.order = r.chance(0.5) ? makeOrder(r, fields.map((f) => f.name), 3) : [];
    Object.assign(query, makeLimits(r, table.large));
    const narrow = table.large && (query.limit === undefined || query.limit > 1000);
    if (narrow || r.chance(0.6)) query.select = r.sample(fields.map((f) => f.name), narrow ? 2 : r.between(1, 6));
    return query;
}

const FUNCTIONS = ['count', 'sum', 'min', 'max', 'avg', 'var', 'stddev', 'quantile', 'median', 'distinct', 'approx_distinct', 'first', 'last'];
export function takes(fn, kind) {
    if (['var', 'stddev', 'quantile', 'median'].includes(fn)) return isNumber(kind);
    return fn === 'sum' || fn === 'avg' ? isNumber(kind) || kind === 'bool' : true;
}
function resultType(fn, f) {
    if (['count', 'distinct', 'approx_distinct'].includes(fn)) return 'i64';
    if (fn === 'sum') return f.kind === 'float' ? 'f64' : f.kind === 'uint' ? 'u64' : 'i64';
    if (fn === 'min' || fn === 'max') return f.type === 'sym' ? 'str' : f.type;
    return fn === 'first' || fn === 'last' ? f.type : 'f64';
}
/** Whether DuckDB's figure and Cairn's are the same bits, so that others may be decided by it. */
function isExact(fn, f) {
    if (fn === 'approx_distinct' || fn === 'var' || fn === 'stddev' || fn === 'avg' || fn === 'quantile' || fn === 'median') return false;
    return fn !== 'sum' || f.kind !== 'float' || !!f.exact;
}

function makeAggregate(r, fields, name) {
    const fn = r.pick(FUNCTIONS);
    if (fn === 'count' && r.chance(0.4)) return { name, fn, cairn: ['count'], type: 'i64', exact: true, arg: null };
    const f = r.pick(fields.filter((g) => takes(fn, g.kind)));
    if (!f) return { name, fn: 'count', cairn: ['count'], type: 'i64', exact: true, arg: null };
    let arg = f;
    if (r.chance(0.15)) {
        const node = expression(r, fields.filter((g) => !g.let), f.kind, 2);
        if (node.kind === f.kind && node.type) arg = { ...node, let: true, inline: true, exact: false };
    }
    const q = r.pick([0, 1, 0.5, 0.25, 0.1, 0.333, 0.9999, r.unit()]);
    const what = arg.inline ? arg.cairn : arg.name;
    return { name, fn, arg, q, cairn: fn === 'quantile' ? [fn, what, q] : [fn, what], type: resultType(fn, arg), exact: isExact(fn, arg) };
}

function makeKey(r, fields, index) {
    if (r.chance(0.2)) {
        const node = expression(r, fields.filter((f) => !f.let), r.pick(Object.keys(KINDS)), 2);
        if (node.kind !== 'nothing') return { ...node, name: `group${index}`, inline: true, let: true };
    }
    return r.pick(fields);
}

function makeAgg(r, table, query, fields) {
    const keys = [];
    for (let i = r.pick([0, 0, 1, 1, 1, 2, 3]); i > 0; i--) {
        const key = makeKey(r, fields, keys.length);
        if (!keys.some((k) => k.name === key.name)) keys.push(key);
    }
    query.group = keys;
    query.aggs = Array.from({ length: r.between(keys.length ? 0 : 1, 5) }, (_, i) => makeAggregate(r, fields, `a${i}`));
    if (keys.length) Object.assign(query, makeLimits(r, table.large));
    const results = resultsOf(query).filter((f) => f.exact);
    if (results.length && r.chance(0.25)) query.having = predicate(r, results, 1, true);
    if (results.length && r.chance(0.4)) query.order = makeOrder(r, results.map((f) => f.name), results.length);
    return query;
}

/** Fields that `having` and `order` of an aggregate see. */
function resultsOf(query) {
    return [...query.group.map((k) => ({ ...k, exact: true })), ...query.aggs.map((a) => ({ ...a, literal: ['min', 'max', 'first', 'last'].includes(a.fn) ? a.arg.literal : undefined }))]
        .map((f) => ({ name: f.name, kind: TYPES[f.type].kind, type: f.type === 'sym' ? 'str' : f.type, exact: f.exact, sql: sqlName(f.name),
            result: true, literal: f.literal, most: undefined, least: undefined, unsigned: TYPES[f.type].unsigned,
            bounds: TYPES[f.type].bits ? boundsOf(f.type) : undefined }));
}

export function makeQuery(r, table) {
    const lets = makeLets(r, table);
    const fields = [...table.columns, ...lets];
    const query = { kind: r.chance(0.5) ? 'scan' : 'agg', lets, order: [], fields };
    if (r.chance(0.65)) query.where = predicate(r, fields, r.between(0, 4), false);
    return query.kind === 'scan' ? makeScan(r, table, query, fields) : makeAgg(r, table, query, fields);
}

/* --- for Cairn ---------------------------------------------------------------------------------*/

export function toCairn(query) {
    const out = {};
    if (query.where) out.where = query.where.cairn;
    if (query.lets.length) out.let = Object.fromEntries(query.lets.map((l) => [l.name, l.node.cairn]));
    if (query.order.length) out.order = query.order;
    if (query.limit !== undefined) out.limit = BigInt(query.limit);
    if (query.offset !== undefined) out.offset = BigInt(query.offset);
    if (query.select) out.select = query.select;
    if (query.kind === 'scan') return out;
    if (query.group.length) out.group = query.group.map((k) => k.inline ? k.cairn : k.name);
    if (query.aggs.length) out.agg = Object.fromEntries(query.aggs.map((a) => [a.name, a.cairn]));
    if (query.having) out.having = query.having.cairn;
    return out;
}

/* --- for DuckDB --------------------------------------------------------------------------------*/

/** Doubles as keys: -0.0 is 0.0 in Cairn; DuckDB treats them alike, too, but keeps the first it met. */
const asKey = (f) => f.kind === 'float' ? `(${f.let ? f.sql : `CAST(${f.sql} AS DOUBLE)`} + 0.0::DOUBLE)` : f.sql;
const paging = (q) => `${q.limit !== undefined ? ` LIMIT ${q.limit}` : ''}${q.offset ? ` OFFSET ${q.offset}` : ''}`;
/** Nulls last, whether asc or desc; equal rows as in the table. */
const ordering = (keys, last) => ` ORDER BY ${[...keys.map(([text, way]) => `${text} ${way} NULLS LAST`), last].join(', ')}`;

function scanSql(query, table, fields) {
    const chosen = query.select ? query.select.map((name) => fields.find((f) => f.name === name)) : fields;
    /* DuckDB refuses to order by what is the same for all rows. */
    const keyOf = (f) => f.let && !f.node.uses.length ? `(CASE WHEN rid >= 0 THEN ${asKey(f)} END)` : asKey(f);
    const keys = query.order.map(([name, way]) => [keyOf(fields.find((f) => f.name === name)), way]);
    return { columns: chosen.map((f) => ({ name: f.name, type: f.type })),
        sql: `SELECT ${chosen.map((f) => `${f.sql} AS ${sqlName(f.name)}`).join(', ')} FROM ${table.name}`
            + `${query.where ? ` WHERE ${query.where.sql}` : ''}${ordering(keys, 'rid')}${paging(query)}` };
}

/** An aggregate, and what else the comparison needs to know (compare.mjs). */
function aggregateSql(a) {
    if (!a.arg) return ['count(*)'];
    const f = a.arg, x = f.sql;
    const d = `CAST(${x} AS DOUBLE)`, whole = `CAST(${x} AS HUGEINT)`;
    const finite = `FILTER (isfinite(${d}))`, odd = `count(*) FILTER (NOT isfinite(${d}))`;
    const key = asKey(f);
    switch (a.fn) {
    case 'count': return [`count(${x})`];
    case 'sum': return f.kind === 'float' ? [`sum(${d})`, `count(${d})`, `sum(abs(${d}))`]
        : [`CAST(sum(${f.kind === 'bool' ? `CAST(${x} AS BIGINT)` : whole}) AS ${f.kind === 'uint' ? 'UBIGINT' : 'BIGINT'})`];
    case 'avg': return f.kind === 'float' ? [`sum(${d})`, `count(${d})`, `sum(abs(${d}))`]
        : [`sum(${f.kind === 'bool' ? `CAST(${x} AS BIGINT)` : whole})`, `count(${x})`];
    case 'min': case 'max': return [`${a.fn}(${key})`];
    /* DuckDB refuses infinities here; a variance with one in it is NaN. Squares of the largest overflow. */
    case 'var': case 'stddev': return [`var_samp(${d}) FILTER (isfinite(${d}) AND abs(${d}) < 1e140::DOUBLE)`, `count(${d})`, odd,
        `sum(${d} * ${d}) FILTER (isfinite(${d}) AND abs(${d}) < 1e140::DOUBLE)`, `max(abs(${d})) ${finite}`];
    case 'quantile': case 'median': {
        /* The two values between which it lies decide every bit; DuckDB's own formula is another one. */
        const q = sqlDouble(a.fn === 'median' ? 0.5 : a.q), rank = `floor(${q} * (count(${d}) - 1))`;
        const sorted = `list_sort(list(${d}) FILTER (${d} IS NOT NULL))`;
        return [`quantile_cont(${d}, ${q})`, `count(${d})`, `(${sorted})[CAST(${rank} AS BIGINT) + 1]`,
            `(${sorted})[CAST(least(${rank} + 2, count(${d})) AS BIGINT)]`];
    }
    case 'distinct': case 'approx_distinct': return [`count(DISTINCT ${key})`];
    /* They pass nulls over. Those of FLOAT would lose the sign of -0.0. */
    default: return [`${a.fn === 'first' ? 'arg_min' : 'arg_max'}(${f.kind === 'float' ? d : x}, rid)`];
    }
}

function aggSql(query, table) {
    const columns = [], inner = [], outer = [];
    for (const k of query.group) {
        columns.push({ name: k.name, type: k.type, key: true });
        inner.push(`${asKey(k)} AS ${sqlName(k.name)}`);
    }
    outer.push(...query.group.map((k) => sqlName(k.name)));
    for (const a of query.aggs) {
        const parts = aggregateSql(a);
        columns.push({ name: a.name, type: a.type, agg: a, extra: parts.length - 1 });
        parts.forEach((text, i) => {
            const name = sqlName(i ? `${a.name}.${i}` : a.name);
            inner.push(`${text} AS ${name}`);
            outer.push(name);
        });
    }
    const float = (name) => TYPES[columns.find((c) => c.name === name).type].kind === 'float';
    const keys = query.order.map(([name, way]) => [float(name) ? `(${sqlName(name)} + 0.0::DOUBLE)` : sqlName(name), way]);
    const group = query.group.length ? ` GROUP BY ${query.group.map((_, i) => i + 1).join(', ')}` : '';
    return { columns, sql: `SELECT ${outer.join(', ')} FROM (SELECT ${[...inner, 'min(rid) AS "first rid"'].join(', ')} FROM ${table.name}`
        + `${query.where ? ` WHERE ${query.where.sql}` : ''}${group}) AS g${query.having ? ` WHERE ${query.having.sql}` : ''}`
        + `${ordering(keys, '"first rid"')}${paging(query)}` };
}

/** {sql, columns: [{name, type, key, agg, extra}]} */
export function toSql(query, table) {
    return query.kind === 'scan' ? scanSql(query, table, [...table.columns, ...query.lets]) : aggSql(query, table);
}

/* --- what may fail -----------------------------------------------------------------------------*/

/**
 * Whether values may be out of range. 'no'; 'always': whatever fails is evaluated by both, for all rows;
 * 'maybe': only for rows that decide, which Cairn leaves open (heap/query.h) and DuckDB, too.
 */
export function mayFail(query) {
    const used = query.kind === 'scan' ? (query.select ? query.lets.filter((l) => query.select.includes(l.name) || query.order.some(([n]) => n === l.name)) : query.lets)
        : [...query.group, ...query.aggs.map((a) => a.arg).filter((a) => a)];
    const rows = used.filter((f) => f.fails || f.node?.fails);
    const where = !!query.where?.fails;
    const sums = query.kind === 'agg' && query.aggs.some((a) => a.fn === 'sum' && a.arg.kind !== 'float' && a.arg.kind !== 'bool');
    if (!rows.length && !where && !sums && !query.having?.fails) return 'no';
    const conditional = rows.some((f) => (f.node ?? f).conditional) || query.having || query.limit !== undefined
        || (where && query.where.conditional) || (query.where && where && rows.length);
    return conditional ? 'maybe' : 'always';
}
