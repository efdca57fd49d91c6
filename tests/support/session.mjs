// session.mjs - a MessagePack-RPC client for tests, in which nothing is lost: integers come as
// BigInt, doubles as number, bin as Uint8Array, extension values as {ext, data}. Whole numbers are
// sent as integers, as BigInt always is.
//
// With `doubles`, every number leaves as a double, which matters to the literals of a query, and
// integers that came in up to 32 bits are numbers.
import net from 'node:net';

const GROWTH = 2;

class Writer {
    constructor(doubles) {
        this.doubles = doubles;
        this.bytes = Buffer.alloc(4096);
        this.length = 0;
    }
    room(count) {
        const wanted = this.length + count;
        if (wanted > this.bytes.length)
            this.bytes = Buffer.concat([this.bytes], Math.max(wanted, GROWTH * this.bytes.length));
        const at = this.length;
        this.length = wanted;
        return at;
    }
    fixed(write, v, width) {
        const at = this.room(width);
        this.bytes[write](v, at);
    }
    byte(v) { this.fixed('writeUInt8', v, 1); }
    header(codes, length) { // codes: of 8, 16 and 32 bits
        if (length < 0x100 && codes[0]) {
            this.byte(codes[0]);
            this.byte(length);
        } else if (length < 0x10000) {
            this.byte(codes[1]);
            this.fixed('writeUInt16BE', length, 2);
        } else {
            this.byte(codes[2]);
            this.fixed('writeUInt32BE', length, 4);
        }
    }
    raw(data) {
        const at = this.room(data.length);
        this.bytes.set(data, at);
    }
    integer(v) {
        if (v >= 0n && v < 0x80n) this.byte(Number(v));
        else if (v >= 0n) {
            this.byte(0xcf);
            this.fixed('writeBigUInt64BE', v, 8);
        } else {
            this.byte(0xd3);
            this.fixed('writeBigInt64BE', v, 8);
        }
    }
    put(v) {
        if (v === null || v === undefined) this.byte(0xc0);
        else if (v === false) this.byte(0xc2);
        else if (v === true) this.byte(0xc3);
        else if (typeof v === 'bigint') this.integer(v);
        else if (typeof v === 'number') {
            if (!this.doubles && Number.isSafeInteger(v) && !Object.is(v, -0)) return this.integer(BigInt(v));
            this.byte(0xcb);
            this.fixed('writeDoubleBE', v, 8);
        } else if (typeof v === 'string') {
            const data = Buffer.from(v);
            this.header([0xd9, 0xda, 0xdb], data.length);
            this.raw(data);
        } else if (v instanceof Uint8Array) {
            this.header([0xc4, 0xc5, 0xc6], v.length);
            this.raw(v);
        } else if (Array.isArray(v)) {
            this.header([0, 0xdc, 0xdd], v.length);
            for (const item of v) this.put(item);
        } else {
            const entries = v instanceof Map ? [...v] : Object.entries(v);
            this.header([0, 0xde, 0xdf], entries.length);
            for (const [key, item] of entries) {
                this.put(key);
                this.put(item);
            }
        }
        return undefined;
    }
}

export function encode(v, doubles = false) {
    const writer = new Writer(doubles);
    writer.put(v);
    return writer.bytes.subarray(0, writer.length);
}

class Short extends Error {}

class Reader {
    constructor(bytes, doubles) {
        this.doubles = doubles;
        this.bytes = bytes;
        this.at = 0;
    }
    take(count) {
        if (this.at + count > this.bytes.length) throw new Short();
        this.at += count;
        return this.at - count;
    }
    size(width) {
        return this.bytes.readUIntBE(this.take(width), width);
    }
    data(length) {
        const at = this.take(length);
        return this.bytes.subarray(at, at + length);
    }
    text(length) { return this.data(length).toString('utf8'); }
    array(length) {
        const items = [];
        for (let i = 0; i < length; i++) items.push(this.get());
        return items;
    }
    map(length) {
        const object = {};
        for (let i = 0; i < length; i++) {
            const key = this.get();
            object[key] = this.get();
        }
        return object;
    }
    extension(length) {
        const ext = this.bytes.readInt8(this.take(1));
        return { ext, data: this.data(length) };
    }
    short(n) { return this.doubles ? n : BigInt(n); }
    get() {
        const code = this.size(1);
        if (code < 0x80) return this.short(code);
        if (code < 0x90) return this.map(code & 15);
        if (code < 0xa0) return this.array(code & 15);
        if (code < 0xc0) return this.text(code & 31);
        if (code >= 0xe0) return this.short(code - 256);
        switch (code) {
        case 0xc0: return null;
        case 0xc2: return false;
        case 0xc3: return true;
        case 0xc4: case 0xc5: case 0xc6: return this.data(this.size(1 << (code - 0xc4)));
        case 0xc7: case 0xc8: case 0xc9: return this.extension(this.size(1 << (code - 0xc7)));
        case 0xca: return this.bytes.readFloatBE(this.take(4));
        case 0xcb: return this.bytes.readDoubleBE(this.take(8));
        case 0xcc: case 0xcd: case 0xce: return this.short(this.size(1 << (code - 0xcc)));
        case 0xcf: return this.bytes.readBigUInt64BE(this.take(8));
        case 0xd0: return this.short(this.bytes.readInt8(this.take(1)));
        case 0xd1: return this.short(this.bytes.readInt16BE(this.take(2)));
        case 0xd2: return this.short(this.bytes.readInt32BE(this.take(4)));
        case 0xd3: return this.bytes.readBigInt64BE(this.take(8));
        case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return this.extension(1 << (code - 0xd4));
        case 0xd9: case 0xda: case 0xdb: return this.text(this.size(1 << (code - 0xd9)));
        case 0xdc: case 0xdd: return this.array(this.size(2 << (code - 0xdc)));
        case 0xde: case 0xdf: return this.map(this.size(2 << (code - 0xde)));
        default: throw new Error(`the byte ${code} begins no value`);
        }
    }
}

// What the server answered instead of a result.
export class ServerError extends Error {}

export class Session {
    // `where`: what net.connect takes, as {path} or {host, port}.
    static async open(where, { doubles = false } = {}) {
        const session = new Session();
        session.doubles = doubles;
        session.socket = net.connect(where);
        await new Promise((resolve, reject) =>
            session.socket.once('connect', resolve).once('error', reject));
        session.socket.on('data', (data) => session.received(data));
        session.socket.on('close', () => session.ended());
        session.socket.on('error', () => {});
        return session;
    }
    constructor() {
        this.pending = new Map();
        this.next = 0n;
        this.pieces = [];
    }
    // Rejects with a ServerError whose message is the server's sentence.
    call(method, ...params) {
        const id = this.next++;
        return new Promise((resolve, reject) => {
            this.pending.set(id, { resolve, reject });
            this.socket.write(encode([0n, id, method, params], this.doubles));
        });
    }
    close() { this.socket.destroy(); }
    ended() {
        for (const { reject } of this.pending.values()) reject(new Error('the connection is closed'));
        this.pending.clear();
    }
    received(data) {
        this.pieces.push(data);
        const reader = new Reader(Buffer.concat(this.pieces), this.doubles);
        let done = 0;
        try {
            while (done < reader.bytes.length) {
                const [, id, error, result] = reader.get();
                done = reader.at;
                const { resolve, reject } = this.pending.get(BigInt(id));
                this.pending.delete(BigInt(id));
                if (error === null) resolve(result);
                else reject(new ServerError(error));
            }
        } catch (error) {
            if (!(error instanceof Short)) throw error;
        }
        this.pieces = [reader.bytes.subarray(done)];
    }
}
