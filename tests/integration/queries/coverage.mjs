// What was exercised, and what must have been: each operator with each type or kind it goes with.
import { CHANGES, CHANGES_INDEXED } from './changes.mjs';
import { RELATIONS, takes } from './queries.mjs';
import { arithmeticKind, castKind, unified } from './translate.mjs';
import { KINDS, TYPES, TYPE_NAMES, isNumber, isText, isTime } from './types.mjs';

export function coverageOf(query, covered) {
    const add = (node) => { for (const op of node.ops ?? []) if (op) covered.add(op); };
    if (query.where) add(query.where);
    if (query.having) { covered.add('having'); add(query.having); }
    for (const l of query.lets) add(l.node);
    for (const name of ['limit', 'offset', 'select']) if (query[name] !== undefined) covered.add(`${query.kind}:${name}`);
    const fields = query.kind === 'agg' ? [...query.group, ...query.aggs] : [];
    for (const k of query.group ?? []) { covered.add(`group:${k.type}`); add(k); if (k.inline) covered.add('group:expression'); }
    if (query.group) covered.add(`groups:${Math.min(query.group.length, 2)}`);
    for (const a of query.aggs ?? []) {
        covered.add(a.arg ? `${a.fn}:${a.arg.type}` : 'count');
        if (a.arg) add(a.arg);
        if (a.arg?.inline) covered.add('agg:expression');
    }
    for (const [name, way] of query.order) {
        const f = fields.find((g) => g.name === name) ?? query.fields?.find((g) => g.name === name);
        if (query.kind === 'agg') covered.add(`agg:order:${way}`);
        else covered.add(`order:${way}:${f?.type}`);
    }
    if (query.order.length > 1) covered.add(`${query.kind}:order:several`);
}

function required() {
    const out = [], kinds = Object.keys(KINDS), numbers = kinds.filter(isNumber);
    for (const type of TYPE_NAMES) {
        const { kind } = TYPES[type];
        for (const op of [...RELATIONS, 'in', 'between', 'null', ...(isText(kind) ? ['prefix', 'contains'] : [])]) out.push(`where:${op}:${type}`);
        for (const fn of ['count', 'sum', 'min', 'max', 'avg', 'var', 'stddev', 'quantile', 'median', 'distinct', 'approx_distinct', 'first', 'last'])
            if (takes(fn, kind)) out.push(`${fn}:${type}`);
        out.push(`group:${type}`, `order:asc:${type}`, `order:desc:${type}`, `update:${type}`, `col:${type}`);
        for (const from of kinds) if (castKind(from, type)) out.push(`cast:${type}:${from}`);
    }
    for (const op of ['+', '-', '*', '/', '%'])
        for (const a of kinds) for (const b of kinds) if (arithmeticKind(op, a, b) && (isNumber(a) || isTime(a) || isTime(b))) out.push(`${op}:${a},${b}`);
    for (const a of kinds) for (const b of kinds) if (a <= b && unified(a, b)) for (const op of RELATIONS) out.push(`cmp${op}:${a},${b}`);
    for (const kind of [...numbers, 'date', 'ts']) out.push(`bucket:${kind}`);
    for (const kind of kinds) out.push(`if:${kind},${kind}`);
    for (const pair of ['int,uint', 'date,ts', 'text,bytes', 'float,int', 'date,int']) out.push(`if:${pair}`);
    for (const op of RELATIONS) out.push(`let${op}`);
    for (const what of [...CHANGES, ...CHANGES_INDEXED]) out.push(`change:${what}`);
    for (const type of TYPE_NAMES) out.push(`index:sorted:${type}`, `index:hash:${type}`);
    out.push('retype:sym', 'retype:str');
    out.push('and', 'or', 'not', 'having', 'group:expression', 'agg:expression', 'groups:0', 'groups:1', 'groups:2', 'count', 'scan:limit', 'scan:offset',
        'scan:select', 'agg:limit', 'agg:offset', 'agg:order:asc', 'agg:order:desc', 'scan:order:several', 'agg:order:several', 'lit:nothing');
    return out;
}

const ENCODINGS = ['CONST', 'FOR', 'LIN', 'DICT', 'ALP', 'FIX', 'RLE', 'RAW'];

/** What should have been, and was not. */
export function missing(covered, encodings) {
    const known = new Set([...encodings].map((e) => e.toUpperCase()));
    return [...required().filter((what) => !covered.has(what)), ...ENCODINGS.filter((e) => !known.has(e)).map((e) => `encoding:${e}`)];
}
