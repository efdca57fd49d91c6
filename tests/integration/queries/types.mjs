// The types of Cairn's columns, what DuckDB holds them in, and literals of SQL.
//
// Dates and times are integers on both sides (days, microseconds), since DuckDB's own types do not
// span all of them; casts between the two go through DuckDB's types where they can.

/** kind: what Cairn computes with (heap/query_int.h). */
export const TYPES = {
    i8: { kind: 'int', sql: 'TINYINT', bits: 8, array: Int8Array },
    i16: { kind: 'int', sql: 'SMALLINT', bits: 16, array: Int16Array },
    i32: { kind: 'int', sql: 'INTEGER', bits: 32, array: Int32Array },
    i64: { kind: 'int', sql: 'BIGINT', bits: 64, array: BigInt64Array },
    u8: { kind: 'int', sql: 'UTINYINT', bits: 8, unsigned: true, array: Uint8Array },
    u16: { kind: 'int', sql: 'USMALLINT', bits: 16, unsigned: true, array: Uint16Array },
    u32: { kind: 'int', sql: 'UINTEGER', bits: 32, unsigned: true, array: Uint32Array },
    u64: { kind: 'uint', sql: 'UBIGINT', bits: 64, unsigned: true, array: BigUint64Array },
    f32: { kind: 'float', sql: 'FLOAT', array: Float32Array },
    f64: { kind: 'float', sql: 'DOUBLE', array: Float64Array },
    bool: { kind: 'bool', sql: 'BOOLEAN', array: Uint8Array },
    str: { kind: 'text', sql: 'VARCHAR' },
    sym: { kind: 'text', sql: 'VARCHAR' },
    bin: { kind: 'bytes', sql: 'BLOB' },
    date: { kind: 'date', sql: 'INTEGER', bits: 32, array: Int32Array },
    ts: { kind: 'ts', sql: 'BIGINT', bits: 64, array: BigInt64Array },
};
export const TYPE_NAMES = Object.keys(TYPES);

/** What an expression of a kind is in SQL, and the type of its column. */
export const KINDS = {
    int: { sql: 'BIGINT', type: 'i64' },
    uint: { sql: 'UBIGINT', type: 'u64' },
    float: { sql: 'DOUBLE', type: 'f64' },
    bool: { sql: 'BOOLEAN', type: 'bool' },
    text: { sql: 'VARCHAR', type: 'str' },
    bytes: { sql: 'BLOB', type: 'bin' },
    date: { sql: 'INTEGER', type: 'date' },
    ts: { sql: 'BIGINT', type: 'ts' },
};
export const isNumber = (kind) => kind === 'int' || kind === 'uint' || kind === 'float';
export const isTime = (kind) => kind === 'date' || kind === 'ts';
export const isText = (kind) => kind === 'text' || kind === 'bytes';
/** Kinds that are 64-bit integers in SQL, or fit one. */
export const isWhole = (kind) => kind === 'int' || kind === 'uint' || isTime(kind);

/** The least and the greatest of an integer type. */
export function boundsOf(type) {
    const { bits, unsigned } = TYPES[type];
    return unsigned ? [0n, (1n << BigInt(bits)) - 1n]
        : [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n];
}

export const sqlName = (name) => `"${name.replaceAll('"', '""')}"`;
export const sqlDouble = (d, type = 'DOUBLE') =>
    `CAST('${Object.is(d, -0) ? '-0.0' : String(d)}' AS ${type})`;
export const sqlWhole = (n, type = 'HUGEINT') => `CAST(${n} AS ${type})`;
export const sqlBlob = (bytes) =>
    `'${[...bytes].map((b) => `\\x${b.toString(16).padStart(2, '0').toUpperCase()}`).join('')}'::BLOB`;
export const sqlText = (text) => /^[ -~]*$/.test(text) ? `'${text.replaceAll("'", "''")}'`
    : `decode(${sqlBlob(new TextEncoder().encode(text))})`;

/** Any literal, by what it is in JavaScript: BigInt, number, boolean, string, bytes. */
export function sqlLiteral(v) {
    if (v === null) return 'NULL';
    if (typeof v === 'bigint') return sqlWhole(v, v > 2n ** 63n - 1n ? 'UBIGINT' : 'BIGINT');
    if (typeof v === 'number') return sqlDouble(v);
    if (typeof v === 'boolean') return v ? 'TRUE' : 'FALSE';
    return typeof v === 'string' ? sqlText(v) : sqlBlob(v);
}
export const literalKind = (v) => v === null ? 'nothing'
    : typeof v === 'bigint' ? (v > 2n ** 63n - 1n ? 'uint' : 'int')
    : { number: 'float', boolean: 'bool', string: 'text' }[typeof v] ?? 'bytes';
