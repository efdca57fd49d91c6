// One question to both engines.
import { performance } from 'node:perf_hooks';
import { ServerError } from '../../support/session.mjs';
import { difference, fromCairn } from './compare.mjs';
import { mayFail, toCairn, toSql } from './queries.mjs';

export class Engines {
    constructor(rpc, duck) {
        this.rpc = rpc;
        this.duck = duck;
        this.counts = { cells: 0, undecided: 0, infinite: 0, errors: 0, open: 0, rows: 0 };
        this.spent = { cairn: 0, duck: 0, compare: 0 };
    }

    /** `rows` and `bytes`: of a piece; the format is that of the answer. */
    async askCairn(query, table, format, batch) {
        const options = { ...toCairn(query), format };
        const names = [];
        let answer, count = 0;
        if (query.kind === 'scan' && batch) options.batch = { rows: BigInt(batch) };
        answer = await this.rpc.call(query.kind === 'scan' ? 'table.scan' : 'table.agg', table.name, options);
        const { cols } = answer;
        const columns = cols.map(() => []);
        for (;;) {
            cols.forEach(([name, type], i) => {
                const cells = format === 'rows' ? answer.data.map((row) => row[i]) : fromCairn(answer.data, answer.valid, name, type, answer.rows);
                for (const cell of cells) columns[i].push(cell);
            });
            count += answer.rows;
            names.push(answer.rows);
            if (answer.cursor === null || answer.cursor === undefined) break;
            answer = await this.rpc.call('table.next', BigInt(answer.cursor));
        }
        return { rows: count, cols, columns };
    }

    async askDuck(sql) {
        const result = await this.duck.db.run(sql);
        const columns = Array.from({ length: result.columnCount }, () => []);
        for (;;) {
            const chunk = await result.fetchChunk();
            if (!chunk || chunk.rowCount === 0) break;
            for (let i = 0; i < columns.length; i++) {
                const vector = chunk.getColumnVector(i), to = columns[i];
                for (let row = 0; row < chunk.rowCount; row++) to.push(vector.getItem(row));
            }
        }
        return columns;
    }

    /** null if both say the same; else a sentence. */
    async check(query, table, format, batch) {
        const { sql, columns } = toSql(query, table);
        let ours, theirs, error = null, other = null;
        const began = performance.now();
        try { ours = await this.askCairn(query, table, format, batch); } catch (e) {
            if (!(e instanceof ServerError)) throw e;
            error = e.message;
        }
        const between = performance.now();
        try { theirs = await this.askDuck(sql); } catch (e) { other = e.message.split('\n')[0]; }
        const end = performance.now();
        this.spent.cairn += between - began;
        this.spent.duck += end - between;
        if (error || other) return this.errors(query, error, other);
        const result = difference(ours, theirs, columns, this.counts);
        this.counts.rows += ours.rows;
        this.spent.compare += performance.now() - end;
        return result;
    }

    /** Values out of range fail on both sides; anything else fails on none. */
    errors(query, error, other) {
        const may = mayFail(query);
        const range = error && error.startsWith('OUT_OF_RANGE ');
        const theirRange = other && /^(Out of Range|Conversion) Error/.test(other);
        if (may === 'no' || (error && !range) || (other && !theirRange))
            return `${error ? `Cairn: ${error}` : 'Cairn has a result'}; ${other ? `DuckDB: ${other}` : 'DuckDB has a result'}`;
        if (error && other) this.counts.errors++;
        else if (may === 'maybe') this.counts.open++;
        else return `${error ? `only Cairn fails: ${error}` : `only DuckDB fails: ${other}`}`;
        return null;
    }
}
