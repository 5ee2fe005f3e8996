// Everything the issue asks of rhea, against the port in argv[2] with the password in argv[3]; prints "ok" or fails.
'use strict';
const assert = require('assert');
const rhea = require('rhea');

const port = Number(process.argv[2]);
const password = process.argv[3];
const limit = (promise, what) => Promise.race([promise, new Promise((_, reject) =>
    setTimeout(() => reject(new Error('no ' + what)), 10000).unref())]);
const next = (emitter, event) => limit(new Promise((resolve) => emitter.once(event, resolve)), event);

async function connect(options = {}) {
    const container = rhea.create_container(options.container_id ? { id: options.container_id } : {});
    const connection = container.connect({ host: '127.0.0.1', port, username: 'admin', password,
        reconnect: false, ...options });
    await next(connection, 'connection_open');
    return connection;
}

async function receiver(connection, options) {
    const made = connection.open_receiver({ autoaccept: false, credit_window: 0, ...options });
    await next(made, 'receiver_open');
    return made;
}

async function send(connection, address, message, tag) {
    const sender = connection.open_sender(address);
    await next(sender, 'sendable');
    const answer = limit(new Promise((resolve) => {
        for (const event of ['accepted', 'rejected', 'released', 'modified']) sender.once(event, () => resolve(event));
    }), 'answer to ' + address);
    sender.send(message, tag);
    const outcome = await answer;
    sender.close();
    return outcome;
}

async function settlement(connection) {
    assert.strictEqual(await send(connection, 'js.q', { body: 'one', durable: true, message_id: 'm1' }), 'accepted');
    const from = await receiver(connection, { source: 'js.q' });
    from.add_credit(1);
    let { message, delivery } = await next(from, 'message');
    assert.deepStrictEqual([message.body, message.message_id, message.durable], ['one', 'm1', true]);
    delivery.modified({ delivery_failed: true, undeliverable_here: false });
    from.add_credit(1);
    ({ message, delivery } = await next(from, 'message'));
    assert.strictEqual(message.delivery_count, 1);
    delivery.release();
    from.add_credit(1);
    ({ message, delivery } = await next(from, 'message'));
    assert.strictEqual(message.delivery_count, 1);
    delivery.reject({ condition: 'app:no', description: 'not wanted' });
    const dead = await receiver(connection, { source: 'DLQ.js.q' });
    dead.add_credit(1);
    ({ message, delivery } = await next(dead, 'message'));
    assert.strictEqual(message.body, 'one');
    assert(Object.values(message.application_properties).some((v) => String(v).includes('not wanted')));
    delivery.accept();
    from.close();
    dead.close();
}

async function drain(connection) {
    await send(connection, 'js.d', { body: 1 });
    const from = await receiver(connection, { source: 'js.d' });
    const came = [];
    from.on('message', (context) => { came.push(context.message.body); context.delivery.accept(); });
    from.add_credit(10);
    from.drain_credit();
    await next(from, 'receiver_drained');
    assert.deepStrictEqual(came, [1]);
    assert.strictEqual(from.credit, 0);
    from.close();
}

async function selector(connection) {
    const from = await receiver(connection, { source: { address: 'js.s', filter: rhea.filter.selector("n > 1") } });
    assert(from.source.filter.selector || from.source.filter['jms-selector'], 'the filter is echoed');
    for (const n of [1, 2]) await send(connection, 'js.s', { body: 'n' + n, application_properties: { n } });
    from.add_credit(5);
    const { message, delivery } = await next(from, 'message');
    assert.strictEqual(message.body, 'n2');
    delivery.accept();
    from.close();
}

async function kinds(connection) {
    const { data_section, sequence_section } = rhea.message;
    const properties = { text: 'ü', yes: true, int: rhea.types.wrap_int(-7), long: rhea.types.wrap_long(5000000000), double: 0.5 };
    const bodies = ['text with ü', data_section(Buffer.from([0, 1, 254, 255])), { a: 1, b: 'x', c: true }, sequence_section([1, 'two', false]), null,
        ['a', 'list'], rhea.types.wrap_ulong(7), ''];
    const from = await receiver(connection, { source: 'js.kinds' });
    for (const body of bodies) {
        assert.strictEqual(await send(connection, 'js.kinds', { body, application_properties: properties, subject: 's', priority: 7 }), 'accepted');
        from.add_credit(1);
        const { message, delivery } = await next(from, 'message');
        const plain = (value) => (value && value.value !== undefined ? value.value : value);
        if (body && body.typecode) assert.deepStrictEqual([message.body.typecode, message.body.content], [body.typecode, body.content]);
        else assert.deepStrictEqual(message.body === undefined ? null : message.body, plain(body));
        assert.deepStrictEqual({ ...message.application_properties },
            { text: 'ü', yes: true, int: -7, long: 5000000000, double: 0.5 });
        assert.deepStrictEqual([message.subject, message.priority], ['s', 7]);
        delivery.accept();
    }
    from.close();
}

async function browser(connection) {
    for (const body of ['b1', 'b2']) await send(connection, 'js.b', { body });
    for (const looks of [true, true, false]) {  // looking twice takes nothing
        const from = await receiver(connection, { source: { address: 'js.b', distribution_mode: looks ? 'copy' : 'move' } });
        const came = [];
        from.on('message', (context) => { came.push(context.message.body); context.delivery.accept(); });
        from.add_credit(10);
        from.drain_credit();
        await next(from, 'receiver_drained');
        assert.deepStrictEqual(came, ['b1', 'b2']);
        from.close();
        await next(from, 'receiver_close');
    }
}

async function preSettled(connection) {
    const sender = connection.open_sender({ target: 'js.p', snd_settle_mode: 1 });
    await next(sender, 'sendable');
    sender.send({ body: 'at most once' });
    const from = await receiver(connection, { source: 'js.p', snd_settle_mode: 1 });
    from.add_credit(1);
    const { message, delivery } = await next(from, 'message');
    assert.deepStrictEqual([message.body, delivery.remote_settled], ['at most once', true]);
    sender.close();
    from.close();
}

async function requestReply(client, server) {
    const requests = await receiver(server, { source: 'js.service' });
    requests.add_credit(1);
    requests.once('message', (context) => {
        context.delivery.accept();
        server.send({ to: context.message.reply_to, body: context.message.body + '!',
            correlation_id: context.message.correlation_id });
    });
    server.open_sender({ target: { address: null } });
    const replies = await receiver(client, { source: { dynamic: true } });
    replies.add_credit(1);
    await send(client, 'js.service', { body: 'hi', reply_to: replies.source.address, correlation_id: 5 });
    const { message } = await next(replies, 'message');
    assert.deepStrictEqual([message.body, message.correlation_id], ['hi!', 5]);
}

async function durable() {
    const source = { address: 'topic://js.news', durable: 2, expiry_policy: 'never' };
    let connection = await connect({ container_id: 'js-durable' });
    let from = await receiver(connection, { name: 'sub', source });
    from.detach();
    connection.close();
    await next(connection, 'connection_close');
    const other = await connect();
    await send(other, 'topic://js.news', { body: 'while away', durable: true });
    other.close();
    connection = await connect({ container_id: 'js-durable' });
    from = await receiver(connection, { name: 'sub', source });
    from.add_credit(1);
    const { message, delivery } = await next(from, 'message');
    assert.strictEqual(message.body, 'while away');
    delivery.accept();
    from.close();
    await next(from, 'receiver_close');
    connection.close();
}

async function numberedSends(connection) {
    const annotations = { 'x-opt-busbar-producer': 'js', 'x-opt-busbar-sequence': 1 };
    for (let i = 0; i < 2; ++i) {
        const message = { body: 'x', durable: true, message_annotations: annotations };
        assert.strictEqual(await send(connection, 'js.n', message), 'accepted');
    }
    const from = await receiver(connection, { source: 'js.n' });
    let came = 0;
    from.on('message', (context) => { ++came; context.delivery.accept(); });
    from.add_credit(5);
    from.drain_credit();
    await next(from, 'receiver_drained');
    assert.strictEqual(came, 1);
    from.close();
}

async function overAWebSocket(httpPort) {
    const container = rhea.create_container();
    const open = container.websocket_connect(require('ws'));
    const connection = container.connect({ connection_details: open(`ws://127.0.0.1:${httpPort}/ws/amqp`, ['amqp'], {}),
        username: 'admin', password, reconnect: false });
    await next(connection, 'connection_open');
    await drain(connection);
    connection.close();
}

async function main() {
    const wrong = rhea.create_container().connect({ host: '127.0.0.1', port, username: 'admin', password: 'no', reconnect: false });
    wrong.on('disconnected', () => undefined);
    await next(wrong, 'connection_error').catch(() => next(wrong, 'disconnected'));
    const connection = await connect();
    const other = await connect();
    await settlement(connection);
    await drain(connection);
    await selector(connection);
    await kinds(connection);
    await browser(connection);
    await preSettled(connection);
    await requestReply(connection, other);
    await numberedSends(connection);
    await durable();
    await overAWebSocket(process.argv[4]);
    connection.close();
    other.close();
    console.log('ok');
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
