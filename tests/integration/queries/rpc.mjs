// A connection to a Cairn server: MessagePack-RPC over TCP, integers exact.
//
// A number of JavaScript goes out as a float, a BigInt as an integer: which of the two a literal is,
// matters to a query. Integers come back as BigInt when they are long, else as numbers.
import net from 'node:net';

export class Rpc {
    /** Resolves when the connection is open. `msgpack` is the module @msgpack/msgpack. */
    static async open(msgpack, host, port) {
        const rpc = new Rpc();
        rpc.encoder = new msgpack.Encoder({ useBigInt64: true, forceIntegerToFloat: true });
        rpc.waiting = new Map();
        rpc.last = 0;
        rpc.socket = net.connect({ host, port });
        rpc.socket.setNoDelay(true);
        await new Promise((resolve, reject) => rpc.socket.on('connect', resolve).on('error', reject));
        rpc.listen(new msgpack.Decoder({ useBigInt64: true }));
        return rpc;
    }

    async listen(decoder) {
        let why = 'the server closed the connection';
        try {
            for await (const [, id, error, result] of decoder.decodeStream(this.socket)) {
                const { resolve, reject } = this.waiting.get(id);
                this.waiting.delete(id);
                if (error === null) resolve(result);
                else reject(new CairnError(error));
            }
        } catch (error) {
            why = String(error);
        }
        for (const { reject } of this.waiting.values()) reject(new Error(why));
        this.waiting.clear();
    }

    /** The result; fails with a CairnError that has the server's sentence. */
    call(method, ...params) {
        const id = this.last = (this.last + 1) % 2 ** 31;
        return new Promise((resolve, reject) => {
            this.waiting.set(id, { resolve, reject });
            this.socket.write(this.encoder.encode([0n, BigInt(id), method, params]));
        });
    }

    close() { this.socket.destroy(); }
}

export class CairnError extends Error {}
