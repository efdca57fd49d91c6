// A small client of MessagePack-RPC, for tests whose replies are bytes, 64-bit integers and
// extension types: integers beyond 2^53 are BigInt, bin is Uint8Array, ext {type, data}.
import net from 'node:net';

// --- encoding
function encodeInto(out, v) {
    const put = (head, bytes, write) => {
        const b = Buffer.alloc(1 + bytes);
        b[0] = head;
        write(b);
        out.push(b);
    };
    const sized = (length, fix, fixMax, heads, body) => {
        if (length <= fixMax) out.push(Buffer.from([fix | length]));
        else if (heads[0] && length < 0x100) put(heads[0], 1, (b) => b.writeUInt8(length, 1));
        else if (length < 0x10000) put(heads[1], 2, (b) => b.writeUInt16BE(length, 1));
        else put(heads[2], 4, (b) => b.writeUInt32BE(length, 1));
        if (body) out.push(body);
    };
    if (v === null || v === undefined) out.push(Buffer.from([0xc0]));
    else if (typeof v === 'boolean') out.push(Buffer.from([v ? 0xc3 : 0xc2]));
    else if (typeof v === 'bigint') {
        if (v < 0n) put(0xd3, 8, (b) => b.writeBigInt64BE(v, 1));
        else put(0xcf, 8, (b) => b.writeBigUInt64BE(v, 1));
    } else if (typeof v === 'number') {
        if (Number.isInteger(v) && v >= 0 && v < 0x80) out.push(Buffer.from([v]));
        else if (Number.isInteger(v) && !Object.is(v, -0) && Math.abs(v) < 2 ** 31)
            put(0xd2, 4, (b) => b.writeInt32BE(v, 1));
        else if (Number.isSafeInteger(v) && !Object.is(v, -0)) encodeInto(out, BigInt(v));
        else put(0xcb, 8, (b) => b.writeDoubleBE(v, 1));
    } else if (typeof v === 'string') {
        const bytes = Buffer.from(v);
        sized(bytes.length, 0xa0, 31, [0xd9, 0xda, 0xdb], bytes);
    } else if (v instanceof Uint8Array) {
        sized(v.length, 0, -1, [0xc4, 0xc5, 0xc6], v);
    } else if (Array.isArray(v)) {
        sized(v.length, 0x90, 15, [0, 0xdc, 0xdd]);
        for (const item of v) encodeInto(out, item);
    } else {
        const entries = Object.entries(v);
        sized(entries.length, 0x80, 15, [0, 0xde, 0xdf]);
        for (const [key, item] of entries) { encodeInto(out, key); encodeInto(out, item); }
    }
}

// --- decoding: one value from `at` on, or null where bytes are missing
class Short extends Error {}
const small = (v) => v >= -(2n ** 53n) && v <= 2n ** 53n ? Number(v) : v;

function decodeAt(b, start) {
    let at = start;
    const take = (n) => {
        if (at + n > b.length) throw new Short();
        at += n;
        return at - n;
    };
    const uint = (bytes) => b.readUIntBE(take(bytes), bytes);
    const bytes = (n) => b.subarray(take(n), at);
    const list = (n) => Array.from({ length: n }, value);
    const map = (n) => Object.fromEntries(Array.from({ length: n }, () => [value(), value()]));
    const ext = (n) => { const type = b.readInt8(take(1)); return { type, data: bytes(n) }; };
    function value() {
        const head = uint(1);
        if (head < 0x80) return head;
        if (head < 0x90) return map(head & 15);
        if (head < 0xa0) return list(head & 15);
        if (head < 0xc0) return bytes(head & 31).toString();
        if (head >= 0xe0) return head - 256;
        switch (head) {
        case 0xc0: return null;
        case 0xc2: return false;
        case 0xc3: return true;
        case 0xc4: case 0xc5: case 0xc6: return new Uint8Array(bytes(uint(1 << (head - 0xc4))));
        case 0xc7: case 0xc8: case 0xc9: return ext(uint(1 << (head - 0xc7)));
        case 0xca: return b.readFloatBE(take(4));
        case 0xcb: return b.readDoubleBE(take(8));
        case 0xcc: case 0xcd: case 0xce: return uint(1 << (head - 0xcc));
        case 0xcf: return small(b.readBigUInt64BE(take(8)));
        case 0xd0: return b.readInt8(take(1));
        case 0xd1: return b.readInt16BE(take(2));
        case 0xd2: return b.readInt32BE(take(4));
        case 0xd3: return small(b.readBigInt64BE(take(8)));
        case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return ext(1 << (head - 0xd4));
        case 0xd9: case 0xda: case 0xdb: return bytes(uint(1 << (head - 0xd9))).toString();
        case 0xdc: case 0xdd: return list(uint(head === 0xdc ? 2 : 4));
        case 0xde: case 0xdf: return map(uint(head === 0xde ? 2 : 4));
        default: throw new Error(`byte ${head} begins no value`);
        }
    }
    try {
        return { value: value(), end: at };
    } catch (error) {
        if (error instanceof Short) return null;
        throw error;
    }
}

// --- a connection
export async function connect(options) {
    const socket = net.connect(options);
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject));
    const waiting = [];
    let chunks = [], id = 0;
    socket.on('data', (chunk) => {
        chunks.push(chunk);
        let b = Buffer.concat(chunks), found;
        while (b.length && (found = decodeAt(b, 0))) {
            const [, msgid, error, result] = found.value;
            const call = waiting.shift();
            if (call.id !== msgid) call.reject(new Error(`an answer to ${msgid}, not ${call.id}`));
            else if (error === null) call.resolve(result);
            else call.reject(new Error(error));
            b = b.subarray(found.end);
        }
        chunks = b.length ? [b] : [];
    });
    const request = (method, ...params) => new Promise((resolve, reject) => {
        const out = [];
        encodeInto(out, [0, ++id, method, params]);
        waiting.push({ id, resolve, reject });
        socket.write(Buffer.concat(out));
    });
    return { request, end: () => socket.end() };
}
