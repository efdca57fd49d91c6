// duckdb_queries.mjs - random tables, and random queries of the whole grammar (docs/tables.md), each
// of them twice: as Cairn's map and as SQL of DuckDB that means the same.
//
// Both have nulls as in SQL, a NaN that is the largest number and equal to itself, and compare texts
// by bytes. Where they differ, SQL is made to say what Cairn's documentation says:
//
//   integers    overflow is an error of Cairn's: in SQL it is null, and `bad` collects conditions
//               that hold where it occurs, so that an error without one is noticed
//   literals    are compared exactly: a double against an integer column is turned into an
//               integer; against f32 it is rounded first
//   date, ts    are days and microseconds, and integers in DuckDB
//   /, %        by zero are null
//   rows        have an order: the column rid
//
// `seen` counts what was used, by operator, function and type.

const I64_MIN = -(1n << 63n), I64_MAX = (1n << 63n) - 1n, U64_MAX = (1n << 64n) - 1n;
const F32_OVERFLOW = 2 ** 128 - 2 ** 103; // halfway between the largest float and 2^128
const DAY_US = 86400000000n;

export class Random {
    constructor(seed) { this.state = BigInt(seed); }
    next() { // splitmix64
        this.state = (this.state + 0x9e3779b97f4a7c15n) & U64_MAX;
        let z = this.state;
        z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & U64_MAX;
        z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & U64_MAX;
        return z ^ (z >> 31n);
    }
    below(n) { return Number(this.next() % BigInt(n)); }
    chance(percent) { return this.below(100) < percent; }
    pick(list) { return list[this.below(list.length)]; }
}

// --- tables

// kind: what the column counts as in expressions. sql: DuckDB's type.
const int = (min, max, sql) => ({ kind: 'int', min, max, sql });
export const types = {
    i8: int(-128n, 127n, 'TINYINT'), i16: int(-32768n, 32767n, 'SMALLINT'),
    i32: int(-(1n << 31n), (1n << 31n) - 1n, 'INTEGER'), i64: int(I64_MIN, I64_MAX, 'BIGINT'),
    u8: int(0n, 255n, 'UTINYINT'), u16: int(0n, 65535n, 'USMALLINT'),
    u32: int(0n, (1n << 32n) - 1n, 'UINTEGER'),
    u64: { kind: 'uint', min: 0n, max: U64_MAX, sql: 'UBIGINT' },
    f32: { kind: 'float', sql: 'FLOAT' }, f64: { kind: 'float', sql: 'DOUBLE' },
    bool: { kind: 'bool', sql: 'BOOLEAN' }, str: { kind: 'text', sql: 'VARCHAR' },
    sym: { kind: 'text', sql: 'VARCHAR' }, bin: { kind: 'bin', sql: 'BLOB' },
    date: { kind: 'date', min: -(1n << 31n), max: (1n << 31n) - 1n, sql: 'INTEGER' },
    ts: { kind: 'ts', min: I64_MIN, max: I64_MAX, sql: 'BIGINT' },
};

// fin, dec: doubles of moderate size, for what infinities would make meaningless.
const columns = [
    ['rid', 'i64', { sorted: true }], ['a', 'i8'], ['b', 'i16', { null: true }], ['c', 'i32', { null: true }],
    ['d', 'i64', { null: true }], ['e', 'u8', { null: true }], ['f', 'u16'], ['g', 'u32', { null: true }],
    ['h', 'u64', { null: true }], ['x', 'f64', { null: true }], ['y', 'f32', { null: true }],
    ['fin', 'f64', { null: true }], ['dec', 'f64'], ['t', 'bool', { null: true }],
    ['s', 'str', { null: true }], ['k', 'sym', { null: true }], ['n', 'bin', { null: true }],
    ['w', 'date', { null: true }], ['z', 'ts'],
].map(([name, type, options = {}]) => ({ name, type, null: false, ...types[type], ...options, type }));
const finite = new Set(['fin', 'dec']);

const words = ['', 'a', 'ab', 'abc', 'Oslo', 'Rome', 'Bergen', 'abcdefgh', 'abcdefghi', 'søte bær', '𝄞',
    'a\'b"c\\', ' '];
const specials = [NaN, Infinity, -Infinity, -0, 0, 1e300, -1e300, 5e-324, 0.1, 2 ** 53];

function randomDouble(r, spread, special) {
    if (special && r.chance(5)) return r.pick(specials);
    return (r.below(spread) - Math.floor(spread / 3)) * 0.25;
}

function cell(r, column, style) {
    const { spread, extreme } = style;
    if (column.null && r.chance(style.nulls)) return null;
    if (extreme && 'min' in column && column.name !== 'rid' && r.chance(2))
        return r.chance(50) ? column.min : column.max;
    switch (column.kind) {
    case 'int': case 'uint': case 'date': {
        const v = BigInt(r.below(spread)) - (column.min < 0n ? BigInt(Math.floor(spread / 3)) : 0n);
        return v > column.max ? column.max : v < column.min ? column.min : v;
    }
    case 'ts': return BigInt(r.below(spread)) * 3600000000n - 7n;
    case 'bool': return r.chance(50);
    case 'float': {
        if (column.name === 'dec') return r.below(spread) / 100;
        const d = randomDouble(r, spread, !finite.has(column.name));
        return column.type === 'f32' ? Math.fround(d) : d;
    }
    case 'bin': return Buffer.from(`${r.pick(words)}${spread > 50 ? r.below(spread) % 100 : ''}`);
    default: return `${r.pick(words)}${spread > 50 ? r.below(spread) % (column.type === 'sym' ? 50 : 1000) : ''}`;
    }
}

// Random cells, column by column. Runs and steady slopes occur, so that every encoding does.
export function randomTable(r, rows) {
    const data = {};
    for (const column of columns) {
        const style = { spread: r.pick([1, 3, 20, 1000, 100000, 1000000]), extreme: r.chance(25),
            nulls: r.pick([0, 3, 30]), run: r.chance(20) ? 1 + r.below(300) : 1 };
        const cells = data[column.name] = new Array(rows);
        for (let i = 0; i < rows; i++)
            cells[i] = column.name === 'rid' ? BigInt(i)
                : i % style.run ? cells[i - 1] : cell(r, column, style);
    }
    return { columns, data, rows };
}

// --- literals

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
const blob = (bytes) => `'${[...bytes].map((b) => `\\x${b.toString(16).padStart(2, '0')}`).join('')}'::BLOB`;
export function sqlDouble(d) {
    if (Number.isNaN(d)) return "'nan'::DOUBLE";
    if (!Number.isFinite(d)) return `'${d < 0 ? '-' : ''}inf'::DOUBLE`;
    return `'${Object.is(d, -0) ? '-0.0' : String(d)}'::DOUBLE`;
}
const wide = (v) => `${v}::HUGEINT`;
export function sqlLiteral(kind, v) {
    if (v === null) return 'NULL';
    if (kind === 'text') return quoted(v);
    if (kind === 'bin') return blob(v);
    if (kind === 'bool') return String(v);
    if (kind === 'float') return sqlDouble(v);
    return wide(v);
}

const sqlRelation = { '=': '=', '!=': '<>', '<': '<', '<=': '<=', '>': '>', '>=': '>=' };
const relations = Object.keys(sqlRelation);
const isInteger = (kind) => kind === 'int' || kind === 'uint' || kind === 'date' || kind === 'ts';

// An integer against a double, exactly: as a comparison of integers, or what is always so.
function exactTest(sql, relation, d) {
    const always = (truth) => `CASE WHEN ${sql} IS NULL THEN NULL ELSE ${truth} END`;
    if (!(Math.abs(d) < 2 ** 100)) {
        const below = Number.isNaN(d) || d > 0; // the column is below it
        return always(relation === '!=' || (below ? relation.startsWith('<') : relation.startsWith('>')));
    }
    if (Number.isInteger(d)) return `${sql}::HUGEINT ${sqlRelation[relation]} ${wide(BigInt(d))}`;
    if (relation === '=' || relation === '!=') return always(relation === '!=');
    const floor = wide(BigInt(Math.floor(d)));
    return `${sql}::HUGEINT ${relation.startsWith('>') ? '>' : '<='} ${floor}`;
}

function test(column, relation, literal) {
    const sql = `"${column.name}"`;
    if (literal === null) return 'NULL::BOOLEAN';
    if (isInteger(column.kind))
        return typeof literal === 'number' ? exactTest(sql, relation, literal)
            : `${sql}::HUGEINT ${sqlRelation[relation]} ${wide(literal)}`;
    if (column.type === 'f32')
        return `${sql} ${sqlRelation[relation]} ${sqlDouble(Math.fround(Number(literal)))}::FLOAT`;
    const value = column.kind === 'float' ? sqlDouble(Number(literal)) : sqlLiteral(column.kind, literal);
    return `${sql} ${sqlRelation[relation]} ${value}`;
}

// --- queries

export class Queries {
    constructor(seed, table, seen) {
        this.r = new Random(seed);
        this.table = table;
        this.seen = seen;
    }
    saw(what) { this.seen.set(what, (this.seen.get(what) ?? 0) + 1); }
    column(accept = () => true) { return this.r.pick(columns.filter(accept)); }

    // As a rule a value that occurs, or one near it.
    literal(column) {
        const { r } = this;
        if (r.chance(2)) return null;
        let v = null;
        if (this.table.rows > 0) v = this.table.data[column.name][r.below(this.table.rows)];
        if (v === null) v = cell(r, { ...column, null: false }, { spread: 1000, extreme: true, nulls: 0 });
        if (isInteger(column.kind) && column.kind !== 'date' && column.kind !== 'ts' && r.chance(20)) {
            if (r.chance(20)) return r.pick([NaN, Infinity, -Infinity, 1e300]);
            return Number(v) + r.pick([0.5, -0.5]);
        }
        if (isInteger(column.kind) && r.chance(30)) v += r.pick([1n, -1n]);
        if (isInteger(column.kind)) return v > U64_MAX ? U64_MAX : v < I64_MIN ? I64_MIN : v;
        if (column.kind === 'float' && r.chance(20)) v = r.chance(50) ? v + 0.125 : Math.trunc(Number.isFinite(v) ? v % 1e9 : 3);
        return v;
    }

    pred(depth) {
        const { r } = this;
        if (depth > 0 && r.chance(45)) {
            const form = r.pick(['and', 'or', 'not']);
            this.saw(form);
            const parts = Array.from({ length: form === 'not' ? 1 : 1 + r.below(3) }, () => this.pred(depth - 1));
            const sql = parts.map((p) => `(${p.sql})`).join(` ${form.toUpperCase()} `);
            return { cairn: [form, ...parts.map((p) => p.cairn)], sql: form === 'not' ? `NOT ${sql}` : sql,
                bad: parts.flatMap((p) => p.bad) };
        }
        if (r.chance(20)) return this.comparison();
        const column = this.column();
        const form = r.pick([...relations, 'in', 'between', 'null', 'prefix', 'contains']);
        if (form === 'prefix' || form === 'contains') return this.textTest(form);
        this.saw(form);
        this.saw(`${column.type} in a predicate`);
        if (form === 'null') return { cairn: ['null', column.name], sql: `"${column.name}" IS NULL`, bad: [] };
        if (form === 'in') {
            const list = Array.from({ length: r.below(6) }, () => this.literal(column));
            const any = list.map((v) => `(${test(column, '=', v)})`).join(' OR ');
            return { cairn: ['in', column.name, list], sql: any || 'false', bad: [] };
        }
        if (form === 'between') {
            const low = this.literal(column), high = this.literal(column);
            return { cairn: ['between', column.name, low, high], bad: [],
                sql: `(${test(column, '>=', low)}) AND (${test(column, '<=', high)})` };
        }
        const literal = this.literal(column);
        return { cairn: [form, column.name, literal], sql: test(column, form, literal), bad: [] };
    }

    textTest(form) {
        const { r } = this;
        const column = this.column((c) => c.kind === 'text');
        const whole = this.literal(column) ?? 'a';
        const from = form === 'prefix' ? 0 : r.below(2);
        const text = [...whole].slice(from, from + r.below(5)).join('');
        this.saw(form);
        this.saw(`${column.type} in a predicate`);
        return { cairn: [form, column.name, text], bad: [],
            sql: `${form === 'prefix' ? 'starts_with' : 'contains'}("${column.name}", ${quoted(text)})` };
    }

    comparison() {
        const { r } = this;
        const relation = r.pick(relations);
        this.saw('cmp');
        const a = this.expr(2, null);
        const b = this.expr(2, a.kind === 'uint' || a.kind === 'int' || a.kind === 'float'
            ? r.pick(['int', 'uint', 'float']) : a.kind);
        const both = (a.kind === 'float') !== (b.kind === 'float') ? 'DOUBLE'
            : isInteger(a.kind) ? 'HUGEINT' : null;
        const [left, right] = [a, b].map((e) => both ? `(${e.sql})::${both}` : `(${e.sql})`);
        return { cairn: ['cmp', relation, a.cairn, b.cairn], bad: [...a.bad, ...b.bad],
            sql: `${left} ${sqlRelation[relation]} ${right}` };
    }

    // An expression of this kind; null: of any.
    expr(depth, kind) {
        const { r } = this;
        kind ??= r.pick(['int', 'int', 'uint', 'float', 'float', 'text', 'bool', 'bin', 'date', 'ts']);
        if (depth <= 0 || r.chance(30)) return r.chance(75) ? this.columnOf(kind) : this.literalOf(kind);
        if (r.chance(15)) return this.branch(depth, kind);
        if (r.chance(15)) {
            const cast = this.cast(depth, kind);
            if (cast) return cast;
        }
        switch (kind) {
        case 'int': case 'uint': case 'float': return this.arithmetic(depth, kind);
        case 'date': case 'ts': return r.chance(50) ? this.bucket(depth, kind) : this.timeSum(depth, kind);
        default: return this.columnOf(kind);
        }
    }
    columnOf(kind) {
        const column = this.column((c) => c.kind === kind);
        this.saw(`${column.type} in an expression`);
        const widened = { int: '::BIGINT', date: '::BIGINT', float: '::DOUBLE' }[kind] ?? '';
        return { kind, cairn: ['col', column.name], sql: `"${column.name}"${widened}`, bad: [] };
    }
    literalOf(kind) {
        const { r } = this;
        if (kind === 'bin' || kind === 'date' || kind === 'ts') return this.columnOf(kind);
        const v = kind === 'int' ? BigInt(r.below(2000) - 1000)
            : kind === 'uint' ? I64_MAX + 1n + BigInt(r.below(1000))
                : kind === 'float' ? randomDouble(r, 1000, true) + 0.125
                    : kind === 'bool' ? r.chance(50) : r.pick(words);
        const type = { int: '::BIGINT', uint: '::UBIGINT' }[kind] ?? '';
        this.saw('lit');
        return { kind, cairn: ['lit', v], bad: [],
            sql: kind === 'int' || kind === 'uint' ? `(${v})${type}` : sqlLiteral(kind, v) };
    }
    branch(depth, kind) {
        this.saw('if');
        const p = this.pred(1), a = this.expr(depth - 1, kind), b = this.expr(depth - 1, kind);
        return { kind, cairn: ['if', p.cairn, a.cairn, b.cairn], bad: [...p.bad, ...a.bad, ...b.bad],
            sql: `CASE WHEN ${p.sql} THEN ${a.sql} ELSE ${b.sql} END` };
    }

    // What is computed in HUGEINT, in the range of the kind; else null, and bad.
    ranged(kind, cairn, sql, parts, min, max) {
        const type = kind === 'uint' ? 'UBIGINT' : 'BIGINT';
        min ??= kind === 'uint' ? 0n : I64_MIN;
        max ??= kind === 'uint' ? U64_MAX : I64_MAX;
        const inside = `(${sql}) BETWEEN (${min})::HUGEINT AND (${max})::HUGEINT`;
        return { kind, cairn, bad: [...parts.flatMap((p) => p.bad), `NOT (${inside})`],
            sql: `CASE WHEN ${inside} THEN (${sql})::${type} END` };
    }
    arithmetic(depth, kind) {
        const { r } = this;
        if (r.chance(15)) return this.bucket(depth, kind);
        if (kind === 'int' && r.chance(10)) return this.timeDifference(depth);
        const op = r.pick(kind === 'float' ? ['+', '-', '*', '/', '%'] : ['+', '-', '*', '%']);
        this.saw(op);
        let kinds = [kind, kind];
        if (kind === 'float' && op === '/') kinds = [r.pick(['int', 'uint', 'float']), r.pick(['int', 'uint', 'float'])];
        else if (kind !== 'int' && r.chance(50)) kinds[r.below(2)] = kind === 'uint' ? 'int' : r.pick(['int', 'uint']);
        const [a, b] = kinds.map((k) => this.expr(depth - 1, k));
        const cairn = [op, a.cairn, b.cairn], bad = [...a.bad, ...b.bad];
        if (kind === 'float') {
            const x = `(${a.sql})::DOUBLE`, y = `(${b.sql})::DOUBLE`;
            const guarded = `CASE WHEN ${y} <> 0 THEN ${`${x} ${op} ${y}`} END`;
            return { kind, cairn, bad, sql: op === '/' || op === '%' ? guarded : `(${x} ${op} ${y})` };
        }
        const x = `(${a.sql})::HUGEINT`, y = `(${b.sql})::HUGEINT`;
        if (op === '*') { // may leave HUGEINT
            const product = `TRY((${x}) * (${y}))`;
            const part = this.ranged(kind, cairn, product, [a, b]);
            return { ...part, bad: [...part.bad, `(${product} IS NULL AND ${x} IS NOT NULL AND ${y} IS NOT NULL)`] };
        }
        if (op === '%') return this.ranged(kind, cairn, `CASE WHEN ${y} <> 0 THEN ${x} % ${y} END`, [a, b]);
        return this.ranged(kind, cairn, `${x} ${op} ${y}`, [a, b]);
    }
    bucket(depth, kind) {
        const { r } = this;
        this.saw('bucket');
        const a = this.expr(depth - 1, kind);
        if (kind === 'float') {
            const width = r.pick([0.5, 1.5, 10, 0.1]);
            return { kind, cairn: ['bucket', a.cairn, width], bad: a.bad,
                sql: `floor((${a.sql}) / ${sqlDouble(width)}) * ${sqlDouble(width)}` };
        }
        const width = BigInt(r.pick([1, 7, 10, 1000, 86400000000])), x = `(${a.sql})::HUGEINT`;
        return this.ranged(kind, ['bucket', a.cairn, width],
            `${x} - (${x} % ${width} + ${width}) % ${width}`, [a], ...this.dateBounds(kind));
    }
    dateBounds(kind) { return kind === 'date' ? [types.date.min, types.date.max] : []; }
    timeSum(depth, kind) {
        const { r } = this;
        const op = r.pick(['+', '-']);
        const a = this.expr(depth - 1, kind), b = this.expr(0, 'int');
        this.saw(`${kind} ${op} integer`);
        return this.ranged(kind, [op, a.cairn, b.cairn], `(${a.sql})::HUGEINT ${op} (${b.sql})::HUGEINT`, [a, b],
            ...this.dateBounds(kind));
    }
    timeDifference(depth) {
        const kind = this.r.pick(['date', 'ts']);
        const a = this.expr(depth - 1, kind), b = this.expr(depth - 1, kind);
        this.saw(`${kind} - ${kind}`);
        return this.ranged('int', ['-', a.cairn, b.cairn], `(${a.sql})::HUGEINT - (${b.sql})::HUGEINT`, [a, b]);
    }
    // To a type of the kind; null: there is no such cast.
    cast(depth, kind) {
        const { r } = this;
        const to = { int: ['i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32'], uint: ['u64'], float: ['f32', 'f64'],
            bool: ['bool'], date: ['date'], ts: ['ts'] }[kind];
        if (!to) return null;
        const type = r.pick(to);
        const from = { date: ['date', 'ts', 'int'], ts: ['ts', 'date', 'int'] }[kind] ?? ['int', 'uint', 'float'];
        const a = this.expr(depth - 1, r.pick(from)), cairn = ['cast', a.cairn, type];
        this.saw(`cast to ${type}`);
        if (kind === 'float') {
            const x = `(${a.sql})::DOUBLE`;
            if (type === 'f64') return { kind, cairn, bad: a.bad, sql: x };
            // What rounds to more than the largest float is an infinity, and not an error.
            return { kind, cairn, bad: a.bad,
                sql: `CASE WHEN abs(${x}) < ${sqlDouble(F32_OVERFLOW)} THEN (${x})::FLOAT::DOUBLE ELSE ${x} * 'inf'::DOUBLE END` };
        }
        if (kind === 'bool') return { kind, cairn, bad: a.bad, sql: `((${a.sql}) <> 0)` };
        if (kind === 'ts' && a.kind === 'date')
            return this.ranged(kind, cairn, `(${a.sql})::HUGEINT * ${DAY_US}`, [a]);
        if (kind === 'date' && a.kind === 'ts') {
            const us = `(${a.sql})::HUGEINT`;
            return this.ranged(kind, cairn, `(${us} - (${us} % ${DAY_US} + ${DAY_US}) % ${DAY_US}) // ${DAY_US}`,
                [a], types.date.min, types.date.max);
        }
        const { min, max } = types[type];
        if (a.kind !== 'float') return this.ranged(kind, cairn, `(${a.sql})::HUGEINT`, [a], min, max);
        const whole = `round_even((${a.sql}), 0)`;
        const holds = `(${whole} >= ${sqlDouble(-(2 ** 63))} AND ${whole} < ${sqlDouble(2 ** 64)})`;
        const part = this.ranged(kind, cairn, `CASE WHEN ${holds} THEN ${whole}::HUGEINT END`, [a], min, max);
        return { ...part, bad: [...part.bad, `NOT ${holds}`] };
    }

    // Names for expressions, and what else select, order, group and agg may name.
    lets(limit) {
        const { r } = this;
        return Array.from({ length: r.below(limit + 1) }, (_, i) => ({ name: `l${i}`, ...this.expr(3, null) }));
    }
    order(names) {
        const { r } = this;
        return Array.from({ length: 1 + r.below(3) }, () => [r.pick(names), r.pick(['asc', 'desc'])]);
    }
    orderSql(order) {
        return order.map(([name, way]) => `"${name}" ${way === 'asc' ? 'ASC' : 'DESC'} NULLS LAST`);
    }
    source(lets, where) {
        const extra = lets.map((l) => `, ${l.sql} AS "${l.name}"`).join('');
        return `(SELECT *${extra} FROM t) AS u${where ? ` WHERE ${where.sql}` : ''}`;
    }

    scan() {
        const { r } = this;
        const lets = this.lets(3), where = r.chance(85) ? this.pred(3) : null;
        const names = [...columns.map((c) => c.name), ...lets.map((l) => l.name)];
        const select = Array.from({ length: 1 + r.below(6) }, () => r.pick(names));
        const query = { select: [...new Set(select)] };
        if (lets.length) query.let = Object.fromEntries(lets.map((l) => [l.name, l.cairn]));
        if (where) query.where = where.cairn;
        let order = [];
        if (r.chance(60)) {
            query.order = this.order(names);
            order = this.orderSql(query.order);
            this.saw('order');
        }
        let tail = '';
        if (r.chance(50)) {
            query.limit = r.pick([0, 1, 10, 100, 5000]);
            tail += ` LIMIT ${query.limit}`;
            this.saw('limit');
        }
        if (r.chance(25)) {
            query.offset = r.pick([0, 1, 50, 1000]);
            tail += ` OFFSET ${query.offset}`;
            this.saw('offset');
        }
        return { aggregate: false, query, bad: [...lets.flatMap((l) => l.bad), ...(where?.bad ?? [])],
            sql: `SELECT ${query.select.map((n) => `"${n}"`).join(', ')} FROM ${this.source(lets, where)} ` +
                `ORDER BY ${[...order, 'rid'].join(', ')}${tail}` };
    }

    // One aggregate: how SQL says it, and what more is needed to tell how exact it can be.
    aggregate(named) {
        const { r } = this;
        const fn = r.pick(['count', 'sum', 'min', 'max', 'avg', 'var', 'stddev', 'quantile', 'median', 'distinct',
            'approx_distinct', 'first', 'last']);
        this.saw(fn);
        if (fn === 'count' && r.chance(40)) return { cairn: ['count'], sql: 'count(*)' };
        const numeric = ['sum', 'avg', 'var', 'stddev', 'quantile', 'median'].includes(fn);
        const steady = numeric && fn !== 'sum';
        const source = r.pick(named.filter((n) => !numeric || (['int', 'uint', 'float'].includes(n.kind) &&
            (!steady || n.kind !== 'float' || finite.has(n.name)))));
        const x = `"${source.name}"`;
        this.saw(`${fn} of ${source.kind}`);
        const cairn = [fn, source.name];
        const real = `(${x})::DOUBLE`;
        const scale = `sum(abs(${real}))`, square = `sum(${real} * ${real})`, most = `max(abs(${real}))`;
        switch (fn) {
        case 'count': return { cairn, sql: `count(${x})` };
        case 'sum':
            if (source.kind === 'float') return { cairn, sql: `sum(${x}::DOUBLE)`, near: 'sum', scale };
            return { cairn, sql: `sum(${x}::HUGEINT)`, range: source.kind };
        case 'min': case 'max':
            return { cairn, sql: source.kind === 'float' ? `${fn}(${x}) + 0` : `${fn}(${x})` };
        case 'avg': return { cairn, sql: `avg(${real})`, near: 'avg', scale };
        case 'var': case 'stddev':
            return { cairn, sql: `${fn === 'var' ? 'var_samp' : 'stddev_samp'}(${real})`, near: fn, scale: square };
        case 'quantile': {
            const q = r.pick([0, 0.25, 0.5, 0.9, 1]);
            return { cairn: [fn, source.name, q], sql: `quantile_cont(${real}, ${q})`, near: 'quantile', scale: most };
        }
        case 'median': return { cairn, sql: `quantile_cont(${real}, 0.5)`, near: 'quantile', scale: most };
        case 'distinct': return { cairn, sql: `count(DISTINCT ${x})` };
        case 'approx_distinct': return { cairn, sql: `count(DISTINCT ${x})`, near: 'approx' };
        default:
            return { cairn, sql: `${fn === 'first' ? 'arg_min' : 'arg_max'}(${x}, rid) FILTER (${x} IS NOT NULL)` };
        }
    }

    agg() {
        const { r } = this;
        const lets = this.lets(2);
        const where = r.chance(70) ? this.pred(2) : null;
        const named = [...columns, ...lets];
        const group = r.chance(70) ? [...new Set(Array.from({ length: 1 + r.below(3) }, () => r.pick(named).name))] : [];
        const aggs = Array.from({ length: 1 + r.below(4) }, (_, i) => ({ name: `o${i}`, ...this.aggregate(named) }));
        const query = { agg: Object.fromEntries(aggs.map((a) => [a.name, a.cairn])) };
        if (group.length) {
            query.group = group;
            this.saw('group');
            this.saw(`group by ${group.length}`);
        }
        if (lets.length) query.let = Object.fromEntries(lets.map((l) => [l.name, l.cairn]));
        if (where) query.where = where.cairn;
        const outputs = [...group.map((n) => `"${n}"`), ...aggs.map((a) => `${a.sql} AS "${a.name}"`),
            ...aggs.map((a) => `${a.scale ?? 'NULL'} AS "scale ${a.name}"`), 'count(*) AS "rows"'];
        let sql = `SELECT ${outputs.join(', ')}, min(rid) AS "first row" FROM ${this.source(lets, where)}` +
            (group.length ? ` GROUP BY ${group.map((n) => `"${n}"`).join(', ')}` : '');
        // What is not exact decides neither which groups there are nor where they stand.
        const exact = aggs.filter((a) => !a.near);
        let order = '"first row"';
        const counted = exact.find((a) => a.cairn[0] === 'count' || a.cairn[0] === 'distinct');
        let having = '';
        if (group.length && counted && r.chance(40)) {
            const bound = r.below(5);
            query.having = ['>', counted.name, bound];
            having = ` WHERE "${counted.name}" > ${bound}`;
            this.saw('having');
        }
        const sortable = [...group, ...exact.filter((a) => a.cairn[0] !== 'sum').map((a) => a.name)];
        if (group.length && sortable.length && r.chance(40)) {
            query.order = this.order(sortable);
            order = [...this.orderSql(query.order), '"first row"'].join(', ');
            this.saw('order of groups');
        }
        let tail = '';
        if (group.length && r.chance(40)) {
            query.limit = r.pick([0, 1, 7, 100]);
            tail = ` LIMIT ${query.limit}`;
            this.saw('limit of groups');
        }
        sql = `SELECT * EXCLUDE ("first row") FROM (${sql})${having} ORDER BY ${order}${tail}`;
        return { aggregate: true, query, sql, aggs, group,
            bad: [...lets.flatMap((l) => l.bad), ...(where?.bad ?? [])],
            sums: aggs.filter((a) => a.range) };
    }
}

// All that a run must have used.
export const everything = ['and', 'or', 'not', 'cmp', ...relations, 'in', 'between', 'null', 'prefix', 'contains',
    'lit', 'if', '+', '-', '*', '/', '%', 'bucket', 'order', 'limit', 'offset', 'group', 'group by 3', 'having',
    'order of groups', 'limit of groups', 'date - date', 'ts - ts', 'date + integer', 'ts - integer',
    ...['i8', 'i16', 'i32', 'i64', 'u8', 'u16', 'u32', 'u64', 'f32', 'f64', 'bool', 'date', 'ts'].map((t) => `cast to ${t}`),
    ...Object.keys(types).map((t) => `${t} in a predicate`), ...Object.keys(types).map((t) => `${t} in an expression`),
    'count', 'sum of int', 'sum of uint', 'sum of float', 'avg of int', 'avg of float', 'var of float', 'stddev of float',
    'quantile of int', 'quantile of float', 'median of float', 'distinct', 'approx_distinct',
    ...['min', 'max', 'first', 'last'].flatMap((f) => ['int', 'uint', 'float', 'text', 'bool', 'bin', 'date', 'ts'].map((k) => `${f} of ${k}`))];
