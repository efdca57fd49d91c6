// What Cairn's predicates and expressions mean, in SQL: each function makes a node
//
//     {cairn, sql, kind, type, fails, ...}
//
// of the prefix array for Cairn and the text for DuckDB. docs/tables.md and heap/query.h are the
// specification. Where DuckDB's own operator means something else, the SQL spells Cairn's meaning out;
// each such place says so.
//
//   fails   whether values may be out of range, on either side
//   most    what its absolute value is at most, if that is known (integers)
import { KINDS, TYPES, boundsOf, isNumber, isText, isTime, literalKind, sqlBlob, sqlDouble, sqlLiteral, sqlText,
    sqlWhole } from './types.mjs';

const INT_MOST = 2n ** 63n - 1n;
const UINT_MOST = 2n ** 64n - 1n;
const DAY = 86400000000n;
const limitOf = (kind) => kind === 'uint' ? UINT_MOST : kind === 'date' ? 2n ** 31n - 1n : INT_MOST;
/** Beyond what the kind holds, or not known. */
const beyond = (most, kind) => most === undefined || most > limitOf(kind);

/* --- names and literals ------------------------------------------------------------------------*/

/** A field: a column of the table, or (`let`) an expression's name. Its SQL is of its kind. */
export function column(f) {
    const bounds = f.bounds ?? (f.kind === 'bool' ? [0n, 1n] : undefined);
    return { cairn: ['col', f.name], sql: f.let ? f.sql : `CAST(${f.sql} AS ${KINDS[f.kind].sql})`, kind: f.kind, type: f.type,
        fails: !!f.fails, most: f.most ?? (bounds && (-bounds[0] > bounds[1] ? -bounds[0] : bounds[1])),
        least: f.least ?? (f.unsigned || f.kind === 'uint' || f.kind === 'bool' ? 0n : undefined), uses: [f.name], ops: [`col:${f.type}`] };
}
export function literal(v) {
    const kind = literalKind(v);
    const whole = typeof v === 'bigint';
    return { cairn: ['lit', v], sql: sqlLiteral(v), kind, type: KINDS[kind]?.type, fails: false,
        most: whole ? (v < 0n ? -v : v) : undefined, least: whole && v >= 0n ? 0n : undefined, uses: [], ops: [`lit:${kind}`] };
}
const combine = (op, nodes, rest) => ({ fails: nodes.some((n) => n.fails) || !!rest.failing,
    uses: [...new Set(nodes.flatMap((n) => n.uses))],
    ops: [...nodes.flatMap((n) => n.ops), `${op}:${nodes.filter((n) => n.kind).map((n) => n.kind).join(',')}`],
    /* Beside a null DuckDB does not look at the other operand. */
    conditional: nodes.some((n) => n.conditional || n.kind === 'nothing'), ...rest });

/** A literal null is of the kind that stands beside it. */
const typed = (node, kind) => node.kind === 'nothing' ? { ...node, kind, sql: `CAST(NULL AS ${KINDS[kind].sql})`, most: 0n, least: 0n } : node;
const toDouble = (n) => n.kind === 'float' ? n.sql : `CAST(${n.sql} AS DOUBLE)`;
const wide = (n) => `CAST(${n.sql} AS HUGEINT)`;

/* --- arithmetic --------------------------------------------------------------------------------*/

function timeResult(op, a, b) {
    if (isTime(a) && b === 'int') return a;
    if (a === 'int' && isTime(b)) return op === '+' ? b : null;
    return a === b && op === '-' ? 'int' : null;
}

/** The kind of the result, or null if there is none. */
export function arithmeticKind(op, a, b) {
    if (a === 'nothing') a = b;
    if (b === 'nothing') b = a;
    if (a === 'nothing') a = b = 'int';
    if (isTime(a) || isTime(b)) return op === '+' || op === '-' ? timeResult(op, a, b) : null;
    if (!isNumber(a) || !isNumber(b)) return null;
    if (op === '/' || a === 'float' || b === 'float') return 'float';
    return a === 'uint' || b === 'uint' ? 'uint' : 'int';
}

export function arithmetic(op, x, y) {
    const kind = arithmeticKind(op, x.kind, y.kind);
    const a = typed(x, y.kind === 'nothing' ? 'int' : y.kind), b = typed(y, a.kind);
    const cairn = [op, x.cairn, y.cairn];
    const done = (sql, most, least, failing) => combine(op, [x, y], { cairn, sql, kind, type: KINDS[kind].type, most, least, failing });
    if (kind === 'float') {
        /* DuckDB divides by zero into infinities: Cairn's quotient is null then. fmod is fmod. */
        const [p, q] = [toDouble(a), toDouble(b)];
        return done(op === '/' || op === '%' ? `(${p} ${op} nullif(${q}, 0::DOUBLE))` : `(${p} ${op} ${q})`);
    }
    if (op === '%') {
        /* In 128 bits, as DuckDB knows no -2^63 % -1, and mixes no BIGINT with UBIGINT. */
        return done(`CAST((${wide(a)} % nullif(${wide(b)}, 0)) AS ${KINDS[kind].sql})`, a.most, a.least,
            kind === 'uint' && a.least === undefined);
    }
    const known = a.most !== undefined && b.most !== undefined;
    const most = known ? (op === '*' ? a.most * b.most : a.most + b.most) : undefined;
    const least = op !== '-' && a.least !== undefined && b.least !== undefined ? 0n : undefined;
    /* With a u64 it is the u64 that must hold the result: in 128 bits, then cast. */
    const sql = kind === 'uint' || kind === 'date' ? `CAST((${wide(a)} ${op} ${wide(b)}) AS ${KINDS[kind].sql})`
        : `(CAST(${a.sql} AS BIGINT) ${op} CAST(${b.sql} AS BIGINT))`;
    return done(sql, most, least, beyond(most, kind) || (kind === 'uint' && least === undefined));
}

/** The largest multiple that is not above: DuckDB's % has the sign of the dividend, this has not. */
export function bucket(x, width) {
    const whole = typeof width === 'bigint';
    const a = typed(x, 'int');
    const kind = whole ? a.kind : 'float';
    const cairn = ['bucket', x.cairn, width];
    if (kind === 'float') {
        /* One less if the quotient was rounded up, one more if down; the value itself if doubles are too
         * coarse. */
        const [d, w] = [toDouble(a), sqlDouble(Number(width))], n = `floor(${d} / ${w})`;
        return combine('bucket', [x], { cairn, kind, type: 'f64',
            sql: `(CASE WHEN NOT isfinite(${n}) THEN ${d} WHEN (${n} + 1) * ${w} <= ${d} THEN (${n} + 1) * ${w} `
                + `WHEN ${n} * ${w} <= ${d} THEN ${n} * ${w} ELSE least((${n} - 1) * ${w}, ${d}) END)` });
    }
    const w = sqlWhole(width), most = a.most === undefined ? undefined : a.most + width;
    return combine('bucket', [x], { cairn, kind, type: KINDS[kind].type, most, least: a.least,
        failing: a.least === undefined && beyond(most, kind),
        sql: `CAST((${wide(a)} - ((${wide(a)} % ${w}) + ${w}) % ${w}) AS ${KINDS[kind].sql})` });
}

/* --- kinds that meet ---------------------------------------------------------------------------*/

const CALM_DAYS = 1000000n;
/** In calm ranges by DuckDB's own dates and times, else by their definition. */
const dateToTs = (n) => n.most !== undefined && n.most < CALM_DAYS
    ? `epoch_us(CAST(DATE '1970-01-01' + CAST(${n.sql} AS INTEGER) AS TIMESTAMP))` : `(CAST(${n.sql} AS BIGINT) * ${DAY})`;
const tsToDate = (n) => n.most !== undefined && n.most < CALM_DAYS * DAY
    ? `CAST(CAST(make_timestamp(${n.sql}) AS DATE) - DATE '1970-01-01' AS INTEGER)`
    : `CAST((${wide(n)} - ((${wide(n)} % ${DAY}) + ${DAY}) % ${DAY}) // ${DAY} AS INTEGER)`;

/**
 * The common kind of two that are compared or chosen from, as heap/query_compile.c unifies them; null if
 * there is none. 'mixed' is an int and a uint.
 */
export function unified(a, b) {
    if (a === b) return a;
    if (a === 'nothing' || b === 'nothing') return a === 'nothing' ? b : a;
    if (isText(a) && isText(b)) return 'bytes';
    if (isNumber(a) && isNumber(b)) return a === 'float' || b === 'float' ? 'float' : 'mixed';
    if (isTime(a) && isTime(b)) return 'ts';
    if (isTime(a) && b === 'int') return a;
    return isTime(b) && a === 'int' ? b : null;
}
/** A node as SQL of that kind, for a comparison or a branch. */
function as(node, kind) {
    if (kind === 'nothing') return node.sql;
    const n = typed(node, kind === 'mixed' ? 'int' : kind);
    if (kind === 'mixed') return wide(n);
    if (kind === 'float') return toDouble(n);
    if (kind === 'bytes' && n.kind === 'text') return `encode(${n.sql})`;
    return kind === 'ts' && n.kind === 'date' ? dateToTs(n) : n.sql;
}
const dateFails = (kind, nodes) => kind === 'ts' && nodes.some((n) => n.kind === 'date' && (n.most === undefined || n.most * DAY > INT_MOST));

export function choose(pred, x, y) {
    let kind = unified(x.kind, y.kind);
    const mixed = kind === 'mixed';
    const negative = mixed && [x, y].some((n) => n.kind === 'int' && n.least === undefined);
    if (mixed) kind = 'uint';
    const both = kind === 'nothing';
    const branch = (n) => mixed ? `CAST(${n.sql} AS UBIGINT)` : as(n, kind);
    const type = x.type === y.type && x.type !== 'sym' && !both ? x.type : KINDS[both ? 'int' : kind].type;
    const bigger = x.most === undefined || y.most === undefined || kind === 'ts' ? undefined : x.most > y.most ? x.most : y.most;
    return combine('if', [pred, x, y], { cairn: ['if', pred.cairn, x.cairn, y.cairn], kind, type, conditional: true,
        most: bigger, least: x.least !== undefined && y.least !== undefined ? 0n : undefined,
        failing: negative || dateFails(kind, [x, y]), sql: `(CASE WHEN ${pred.sql} THEN ${branch(x)} ELSE ${branch(y)} END)` });
}

/* --- casts -------------------------------------------------------------------------------------*/

export function castKind(from, type) {
    const to = TYPES[type].kind;
    if (from === 'nothing') return to;
    if (isText(from)) return to === from || to === 'bytes' ? to : null;
    if (isText(to)) return null;
    if (isTime(to)) return isTime(from) || from === 'int' ? to : null;
    return to;
}

/** Doubles that f32 does not hold are infinite in Cairn and an error in DuckDB. */
const F32_OVER = '3.4028235677973366e38';
const toF32 = (sql) => `CAST(CAST(CASE WHEN abs(${sql}) >= ${F32_OVER}::DOUBLE AND NOT isnan(${sql})
    THEN sign(${sql}) * 'Infinity'::DOUBLE ELSE ${sql} END AS FLOAT) AS DOUBLE)`.replace(/\n\s*/g, ' ');

export function cast(x, type) {
    const kind = castKind(x.kind, type);
    const a = typed(x, kind);
    const result = type === 'sym' ? 'str' : type;
    const done = (sql, most, least, failing) => combine(`cast:${type}`, [x],
        { cairn: ['cast', x.cairn, type], sql, kind, type: result, most, least, failing });
    if (isText(kind)) return done(as(a, kind));
    if (kind === 'float') return done(type === 'f32' ? toF32(toDouble(a)) : toDouble(a));
    if (kind === 'bool') return done(a.kind === 'bool' ? a.sql : `(${a.sql} <> 0)`);
    const [low, high] = boundsOf(type);
    const most = -low > high ? -low : high;
    if (a.kind === 'date' && type === 'ts') return done(dateToTs(a), undefined, undefined, dateFails('ts', [a]));
    if (a.kind === 'ts' && type === 'date') return done(tsToDate(a), undefined, undefined, true);
    const fits = a.most !== undefined && a.most <= high && (low < 0n || a.least !== undefined);
    /* Cairn rounds first: what rounds to 0 is in range. DuckDB refuses all below 0. The value is computed
     * with in its kind. */
    const from = a.kind === 'float' && low === 0n ? `(CASE WHEN ${a.sql} >= -0.5::DOUBLE AND ${a.sql} < 0::DOUBLE THEN 0 ELSE ${a.sql} END)` : a.sql;
    return done(`CAST(CAST(${from} AS ${TYPES[type].sql}) AS ${KINDS[kind].sql})`,
        a.most !== undefined && a.most < most ? a.most : most, low === 0n ? 0n : a.least, !fits);
}

/* --- predicates --------------------------------------------------------------------------------*/

const UNKNOWN = 'CAST(NULL AS BOOLEAN)';
const pred = (cairn, sql, nodes, rest) => combine('', nodes, { cairn, sql, ops: nodes.flatMap((n) => n.ops), ...rest });

export function compare(relation, x, y) {
    const kind = unified(x.kind, y.kind);
    return pred(['cmp', relation, x.cairn, y.cairn], `(${as(x, kind)} ${relation} ${as(y, kind)})`, [x, y],
        { failing: dateFails(kind, [x, y]), ops: [...x.ops, ...y.ops, `cmp${relation}:${[x.kind, y.kind].sort().join(',')}`], compares: true });
}

/**
 * An integer column and a double are compared exactly in Cairn; DuckDB would round the column. Halves
 * serve: no integer lies between a double that is not whole, and the half in the same gap.
 */
function wholeAgainstDouble(sql, relation, d) {
    if (Number.isInteger(d) && Math.abs(d) < 2 ** 100) return `(CAST(${sql} AS HUGEINT) ${relation} ${sqlWhole(BigInt(d))})`;
    const half = Math.abs(d) < 2 ** 66 ? `${BigInt(Math.floor(d))}.5`.replace(/^-(\d+)\.5$/, (_, n) => `-${BigInt(n) - 1n}.5`)
        : d < 0 ? '-1e30' : '1e30';
    return `(CAST(${sql} AS DECIMAL(38,1)) ${relation} CAST('${half}' AS DECIMAL(38,1)))`;
}

/** A field against a literal of its type. `encoded`: fields of results are of their kind in SQL. */
function against(f, relation, v) {
    if (v === null) return UNKNOWN;
    if (f.kind === 'float') {
        const d = Number(v);
        return f.type === 'f32' ? `(${f.sql} ${relation} ${sqlDouble(Math.fround(d), 'FLOAT')})` : `(${f.sql} ${relation} ${sqlDouble(d)})`;
    }
    if (f.kind === 'bool') return `(${f.sql} ${relation} ${v})`;
    if (isText(f.kind)) {
        if (f.kind === 'text' && typeof v === 'string') return `(${f.sql} ${relation} ${sqlText(v)})`;
        const bytes = typeof v === 'string' ? new TextEncoder().encode(v) : v;
        return `(${f.kind === 'text' ? `encode(${f.sql})` : f.sql} ${relation} ${sqlBlob(bytes)})`;
    }
    if (typeof v === 'number') return wholeAgainstDouble(f.sql, relation, v);
    const [low, high] = boundsOf(f.type);
    return v >= low && v <= high && !f.result ? `(${f.sql} ${relation} ${sqlWhole(v, TYPES[f.type].sql)})`
        : `(CAST(${f.sql} AS HUGEINT) ${relation} ${sqlWhole(v)})`;
}

const tested = (f, op) => ({ uses: [f.name], ops: [`where:${op}:${f.type}${f.result ? ':having' : ''}`], fails: false, kind: '' });

export const test = (f, relation, v) => pred([relation, f.name, v], against(f, relation, v), [tested(f, relation)], {});

/** Of a let: the same as a comparison of its expression. */
export function testLet(f, relation, v) {
    const node = compare(relation, column(f), literal(v));
    return { ...node, cairn: [relation, f.name, v], ops: [`let${relation}`] };
}

export const between = (f, low, high) => pred(['between', f.name, low, high],
    `(${against(f, '>=', low)} AND ${against(f, '<=', high)})`, [tested(f, 'between')], {});

export function isIn(f, list) {
    const parts = list.map((v) => against(f, '=', v));
    /* No comparison, so none that is unknown. */
    const sql = parts.length ? `(${parts.join(' OR ')})` : 'FALSE';
    return pred(['in', f.name, list], sql, [tested(f, 'in')], {});
}
export const isNull = (f) => pred(['null', f.name], `(${f.sql} IS NULL)`, [tested(f, 'null')], {});

/** DuckDB searches no blobs: their hexadecimal digits, two by two. */
export function find(op, f, v) {
    let sql = UNKNOWN;
    if (v !== null && f.kind === 'text' && typeof v === 'string')
        sql = op === 'prefix' ? `starts_with(${f.sql}, ${sqlText(v)})` : `contains(${f.sql}, ${sqlText(v)})`;
    else if (v !== null) {
        const bytes = typeof v === 'string' ? new TextEncoder().encode(v) : v;
        const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0').toUpperCase()).join('');
        sql = `regexp_matches(hex(${f.kind === 'text' ? `encode(${f.sql})` : f.sql}), '^${op === 'prefix' ? '' : '(?:..)*'}${hex}')`;
    }
    return pred([op, f.name, v], sql, [tested(f, op)], {});
}

export function logic(op, preds) {
    const join = op === 'and' ? ' AND ' : ' OR ';
    return pred([op, ...preds.map((p) => p.cairn)], preds.length ? `(${preds.map((p) => p.sql).join(join)})` : `(${op === 'and'})`, preds,
        { parts: preds, conditional: true, ops: [...preds.flatMap((p) => p.ops), op] });
}
export const not = (p) => pred(['not', p.cairn], `(NOT ${p.sql})`, [p], { parts: [p], ops: [...p.ops, 'not'] });
