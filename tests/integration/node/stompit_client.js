// Everything the issue asks of stompit, against the port in argv[2]; prints "ok" or fails.
'use strict';
const assert = require('assert');
const stompit = require('stompit');
const { promisify } = require('util');

const options = (passcode) => ({
    host: '127.0.0.1', port: Number(process.argv[2]),
    connectHeaders: { host: '/', login: 'admin', passcode, 'heart-beat': '5000,5000' },
});
const connect = promisify(stompit.connect);

function receive(client, headers, count, onMessage) {
    return new Promise((resolve, reject) => {
        const got = [];
        const subscription = client.subscribe(headers, (error, message) => {
            if (error) return reject(error);
            message.readString('utf-8', (failed, text) => {
                if (failed) return reject(failed);
                got.push({ text, headers: message.headers });
                onMessage(message, got.length);
                if (got.length === count) resolve({ got, subscription });
            });
        });
    });
}

function send(client, headers, body) {
    return new Promise((resolve) => {
        const frame = client.send(headers, { onReceipt: resolve });
        frame.end(body);
    });
}

async function main() {
    // stompit raises a refused login on the frame too, where nobody can listen: hence the process-wide ear.
    const refused = await new Promise((resolve) => {
        process.once('uncaughtException', resolve);
        stompit.connect(options('wrong'), (error) => error && resolve(error));
    });
    assert.match(refused.message, /password/);
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.removeAllListeners('uncaughtException');
    const client = await connect(options('secret'));
    client.on('error', (error) => { throw error; });

    // Send with receipts, receive, acknowledge each.
    for (let i = 0; i < 50; ++i) await send(client, { destination: '/queue/stompit', persistent: 'true', 'content-type': 'text/plain', kind: 'zürich' }, `message ${i}`);
    const first = await receive(client, { destination: '/queue/stompit', ack: 'client-individual' }, 50, (m) => client.ack(m));
    assert.deepStrictEqual(first.got.map((m) => m.text), Array.from({ length: 50 }, (_, i) => `message ${i}`));
    assert.strictEqual(first.got[0].headers.kind, 'zürich');
    first.subscription.unsubscribe();

    // A negative acknowledgement comes again, marked.
    await send(client, { destination: '/queue/again' }, 'twice');
    const again = await receive(client, { destination: '/queue/again', ack: 'client-individual' }, 2, (m, n) => (n === 1 ? client.nack(m) : client.ack(m)));
    assert.strictEqual(again.got[1].headers.redelivered, 'true');
    again.subscription.unsubscribe();

    // A transaction: nothing before the commit, nothing after an abort.
    const seen = [];
    client.subscribe({ destination: '/queue/tx', ack: 'auto' }, (error, m) => m.readString('utf-8', (_, text) => seen.push(text)));
    const aborted = client.begin();
    aborted.send({ destination: '/queue/tx' }).end('never');
    aborted.abort();
    const committed = client.begin();
    committed.send({ destination: '/queue/tx' }).end('one');
    committed.send({ destination: '/queue/tx' }).end('two');
    await send(client, { destination: '/queue/other' }, 'barrier');
    assert.deepStrictEqual(seen, []);
    committed.commit({ onReceipt: () => {} });
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepStrictEqual(seen, ['one', 'two']);

    // A topic reaches both of two subscribers; a large body crosses whole.
    const big = 'x'.repeat(3 << 20);
    const other = await connect(options('secret'));
    const both = [receive(client, { destination: '/topic/t.*', ack: 'auto' }, 1, () => {}), receive(other, { destination: '/topic/t.a', ack: 'auto' }, 1, () => {})];
    await send(client, { destination: '/queue/other' }, 'barrier');
    await send(other, { destination: '/queue/other' }, 'barrier');
    await send(client, { destination: '/topic/t.a' }, big);
    for (const { got } of await Promise.all(both)) assert.strictEqual(got[0].text.length, big.length);

    await new Promise((resolve, reject) => client.disconnect((error) => (error ? reject(error) : resolve())));
    other.destroy();
    console.log('ok');
    process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
