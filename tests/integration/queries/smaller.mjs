// Makes a query that fails smaller: leaves parts out, one after the other, as long as it still fails.

/** Queries with one part less. */
function* withLess(q) {
    const without = (name, value) => ({ ...q, [name]: value });
    if (q.where) {
        yield without('where', undefined);
        for (const part of q.where.parts ?? []) yield without('where', part);
    }
    if (q.having) {
        yield without('having', undefined);
        for (const part of q.having.parts ?? []) yield without('having', part);
    }
    if (q.offset !== undefined) yield without('offset', undefined);
    if (q.limit !== undefined) yield { ...q, limit: undefined, offset: undefined };
    for (const name of ['order', 'select', 'aggs', 'group'])
        for (let i = 0; i < (q[name]?.length ?? 0); i++) {
            const rest = q[name].filter((_, k) => k !== i);
            if (rest.length || name === 'order') yield without(name, rest);
        }
    for (let i = 0; i < q.lets.length; i++) yield without('lets', q.lets.filter((_, k) => k !== i));
}

const STEPS_MAX = 200;

/** `fails(query)` gives a sentence or null. A query that cannot be asked counts as one that does not fail. */
export async function smaller(query, fails) {
    let best = query, steps = 0;
    for (let shrunk = true; shrunk && steps < STEPS_MAX;) {
        shrunk = false;
        for (const candidate of withLess(best)) {
            if (steps++ >= STEPS_MAX) break;
            let what = null;
            try { what = await fails(candidate); } catch { /* not a query any more */ }
            if (!what || /BAD_PARAMS|NOT_FOUND|Binder Error|Parser Error/.test(what)) continue;
            best = candidate;
            shrunk = true;
            break;
        }
    }
    return best;
}
