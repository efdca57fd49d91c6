// Calls a Cairn server through npm's msgpack5rpc; started by foreign.sh.
//
// Prints "pass WHAT" or "fail WHAT: ..." a line.
// Usage: foreign.mjs MODULES-DIRECTORY HOST PORT UNIX-PATH
import { createRequire } from 'node:module';
import net from 'node:net';
import { inspect } from 'node:util';
import { check } from '../support/check.mjs';

const [modules, host, port, path] = process.argv.slice(2);
const Session = createRequire(`${modules}/`)('msgpack5rpc');

async function checkError(what, promise, beginning) {
    const got = await promise.then((result) => `no error, but ${inspect(result)}`, String);
    check(what, got.startsWith(beginning) ? beginning : got, beginning);
}

async function run(name, options) {
    const socket = net.connect(options);
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject));
    const session = new Session();
    session.attach(socket, socket);
    const request = (method, ...args) =>
        new Promise((resolve, reject) =>
            session.request(method, args, (error, result) =>
                error === null ? resolve(result) : reject(error)));

    const key = `foreign:mjs:${name}`;
    check(`${name}: ping`, await request('ping'), 'PONG');
    check(`${name}: set`, await request('set', key, 'søte bær'), true);
    check(`${name}: get`, await request('get', key), 'søte bær');
    check(`${name}: get of nothing`, await request('get', 'foreign:none'), null);
    const nested = { list: [1, -2.5, null, true, { x: 'y' }], empty: {}, none: [],
        large: 2 ** 40, long: 'ab'.repeat(50000) };
    check(`${name}: set of nested values`, await request('set', key, nested), true);
    check(`${name}: get of nested values`, await request('get', key), nested);
    check(`${name}: get by path`, await request('get', [key, 'list', 4, 'x']), 'y');
    check(`${name}: get from the end`, await request('get', [key, 'list', -2]), true);
    check(`${name}: set by path`, await request('set', [key, 'list', 0], { a: [1] }), true);
    check(`${name}: get of what was set by path`, await request('get', [key, 'list', 0, 'a']), [1]);
    await checkError(`${name}: error for an unknown method`, request('frob', 1), 'UNKNOWN_METHOD ');
    await checkError(`${name}: error for a wrong type`, request('push', key, [1]), 'WRONG_TYPE ');
    await checkError(`${name}: error for wrong parameters`, request('set', key), 'BAD_PARAMS ');
    check(`${name}: the session goes on after errors`, await request('exists', key), 1);
    const pipelined = Array.from({ length: 100 }, (_, i) => request('ping', i));
    check(`${name}: pipelined`, await Promise.all(pipelined), Array.from({ length: 100 }, (_, i) => i));
    check(`${name}: del`, await request('del', key), 1);
    session.detach();
    socket.destroy();
}

try {
    await run('tcp', { host, port: Number(port) });
    await run('unix', { path });
} catch (error) {
    console.log(`fail the script: ${error}`);
    process.exitCode = 1;
}
