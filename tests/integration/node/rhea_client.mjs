// rhea: PORT of the bus's AMQP, PORT of its HTTP, then names of scenarios (all without any). rhea has no transactions.
import rhea from 'rhea';
import WebSocket from 'ws';
import { Inbox, check, main, quiet, reconcile, same, sendThroughKill, soon } from './scenarios.mjs';

const [port, httpPort] = [Number(process.argv[2]), process.argv[3]];
const next = (emitter, event) => soon(new Promise((resolve) => { emitter.once(event, resolve); }), event);
const options = (more) => ({ host: '127.0.0.1', port, username: 'admin', password: 'secret', reconnect: false, ...more });

async function connect(more = {}) {
  const { container_id: id, ...rest } = more;
  const connection = rhea.create_container(id ? { id } : {}).connect(options(rest));
  connection.on('disconnected', (context) => { connection.lost = context.error || true; });
  await next(connection, 'connection_open');
  return connection;
}

/** A receiver without credit, and what it gets as {message, delivery} in its inbox. */
async function receive(connection, address, more = {}) {
  const { source, ...rest } = more;
  const from = connection.open_receiver({ source: { address, ...source }, autoaccept: false, credit_window: 0, ...rest });
  from.inbox = new Inbox(address);
  from.on('message', ({ message, delivery }) => from.inbox.put({ message, delivery }));
  await next(from, 'receiver_open');
  return from;
}

/** The next one, for which credit is given. */
function one(from) {
  from.add_credit(1);
  return from.inbox.next();
}

async function bodies(from, count) {
  const got = [];
  for (let i = 0; i < count; ++i) {
    const { message, delivery } = await one(from);
    got.push(message.body);
    delivery.accept();
  }
  return got;
}

/** What the queue has, all of it: accepted. */
async function drained(from) {
  from.add_credit(100);
  from.drain_credit();
  await next(from, 'receiver_drained');
  const got = from.inbox.come.splice(0);
  got.forEach(({ delivery }) => delivery.accept());
  return got.map(({ message }) => message.body);
}

const OUTCOMES = ['accepted', 'rejected', 'released', 'modified'];

/** The bus's outcome. */
async function send(connection, address, message) {
  const sender = connection.open_sender({ target: { address } });
  if (!sender.sendable()) await next(sender, 'sendable');
  const outcome = soon(new Promise((resolve) => { OUTCOMES.forEach((event) => sender.once(event, () => resolve(event))); }), `answer to ${address}`);
  sender.send({ durable: true, ...message });
  const answer = await outcome;
  sender.close();
  return answer;
}

/** `how` is close or detach: rhea calls both answers receiver_close. */
async function ended(link, how) {
  const answer = next(link, 'receiver_close');
  link[how]();
  await answer;
}

async function disconnect(connection) {
  const answer = next(connection, 'connection_close');
  connection.close();
  await answer;
}

const plain = (value) => (value && value.value !== undefined ? value.value : value);

const scenarios = {
  async login() {
    const wrong = rhea.create_container().connect(options({ password: 'wrong' }));
    wrong.on('disconnected', () => {});
    const refused = await soon(new Promise((resolve) => {
      wrong.on('connection_error', (context) => resolve(context.error));
      wrong.on('connection_open', () => resolve(new Error('it was not refused')));
    }), 'refusal');
    check(/[Aa]uthenticat/.test(refused.message || refused.description), `a wrong password: ${refused}`);
    await connect();
  },

  async sendReceive() {
    const connection = await connect();
    for (let i = 0; i < 50; ++i)
      same(await send(connection, 'js.q', { body: `message ${i}`, message_id: `m${i}`, subject: 's', priority: 7 }), 'accepted', 'outcome');
    const from = await receive(connection, 'js.q');
    for (let i = 0; i < 50; ++i) {
      const { message, delivery } = await one(from);
      same([message.body, message.message_id, message.subject, message.priority, message.durable],
        [`message ${i}`, `m${i}`, 's', 7, true], 'message');
      delivery.accept();
    }
  },

  async acknowledgements() {
    const connection = await connect();
    await send(connection, 'js.o', { body: 'one' });
    const from = await receive(connection, 'js.o');
    let { message, delivery } = await one(from);
    same(message.delivery_count || 0, 0, 'count at first');
    delivery.modified({ delivery_failed: true, undeliverable_here: false });
    ({ message, delivery } = await one(from));
    same(message.delivery_count, 1, 'count after modified');
    delivery.release();
    ({ message, delivery } = await one(from));
    same(message.delivery_count, 1, 'count after released');
    delivery.reject({ condition: 'app:no', description: 'not wanted' });
    const dead = await one(await receive(connection, 'DLQ.js.o'));
    same(dead.message.body, 'one', 'dead letter');
    check(Object.values(dead.message.application_properties).some((value) => String(value).includes('not wanted')), 'why it is dead');
    dead.delivery.accept();

    // What was accepted is gone, what was not is there again after the connection.
    for (const body of ['kept', 'gone']) await send(connection, 'js.a', { body });
    const both = await receive(connection, 'js.a');
    await one(both);
    const accepted = await one(both);
    accepted.delivery.accept();
    await disconnect(connection);
    const other = await connect();
    same(await drained(await receive(other, 'js.a')), ['kept'], 'not accepted');

    // At most once: settled by the sender, both ways.
    const sender = other.open_sender({ target: 'js.p', snd_settle_mode: 1 });
    await next(sender, 'sendable');
    sender.send({ body: 'at most once' });
    const settled = await one(await receive(other, 'js.p', { snd_settle_mode: 1 }));
    same([settled.message.body, settled.delivery.remote_settled], ['at most once', true], 'pre-settled');
    same(await drained(await receive(other, 'js.p')), [], 'after pre-settled');
  },

  async drain() {
    const connection = await connect();
    await send(connection, 'js.d', { body: 1 });
    const from = await receive(connection, 'js.d');
    same([await drained(from), from.credit], [[1], 0], 'drained');
  },

  async selector() {
    const connection = await connect();
    for (let n = 0; n < 6; ++n) await send(connection, 'js.s', { body: n, application_properties: { n, kind: n % 2 ? 'odd' : 'even' } });
    const odd = await receive(connection, 'js.s', { source: { filter: rhea.filter.selector("kind = 'odd' AND n > 1") } });
    same(await drained(odd), [3, 5], 'the selected');
    same(await drained(await receive(connection, 'js.s')), [0, 1, 2, 4], 'the rest');
  },

  async kinds() {
    const connection = await connect();
    const { data_section: data, sequence_section: sequence } = rhea.message;
    const properties = { text: 'ü', yes: true, int: rhea.types.wrap_int(-7), long: rhea.types.wrap_long(5000000000), double: 0.5 };
    const kinds = ['text with ü', data(Buffer.from([0, 1, 254, 255])), { a: 1, b: 'x', c: true }, sequence([1, 'two', false]), null,
      ['a', 'list'], rhea.types.wrap_ulong(7), ''];
    const from = await receive(connection, 'js.kinds');
    for (const body of kinds) {
      same(await send(connection, 'js.kinds', { body, application_properties: properties }), 'accepted', 'outcome');
      const { message, delivery } = await one(from);
      if (body && body.typecode) same([message.body.typecode, message.body.content], [body.typecode, body.content], 'section');
      else same(message.body === undefined ? null : message.body, plain(body), 'body');
      same({ ...message.application_properties }, { text: 'ü', yes: true, int: -7, long: 5000000000, double: 0.5 }, 'properties');
      delivery.accept();
    }
  },

  async browser() {
    const connection = await connect();
    for (const body of ['b1', 'b2']) await send(connection, 'js.b', { body });
    for (const looks of [true, true, false]) {  // looking twice takes nothing
      const from = await receive(connection, 'js.b', { source: { distribution_mode: looks ? 'copy' : 'move' } });
      same(await drained(from), ['b1', 'b2'], 'browsed');
      await ended(from, 'close');
    }
  },

  async requestReply() {
    const [client, server] = [await connect(), await connect()];
    const requests = await receive(server, 'js.service');
    const replies = await receive(client, undefined, { source: { dynamic: true } });
    await send(client, 'js.service', { body: 'hi', reply_to: replies.source.address, correlation_id: 5 });
    const { message, delivery } = await one(requests);
    delivery.accept();
    const relay = server.open_sender({ target: { address: null } });
    await next(relay, 'sendable');
    relay.send({ to: message.reply_to, body: `${message.body}!`, correlation_id: message.correlation_id });
    const reply = await one(replies);
    same([reply.message.body, reply.message.correlation_id], ['hi!', 5], 'reply');
  },

  async durable() {
    const who = { container_id: 'js-durable' };
    const subscription = { name: 'sub', source: { durable: 2, expiry_policy: 'never' } };
    const away = await connect(who);
    await ended(await receive(away, 'topic://js.news', subscription), 'detach');
    await disconnect(away);
    await send(await connect(), 'topic://js.news', { body: 'while away' });
    const from = await receive(await connect(who), 'topic://js.news', subscription);
    same(await bodies(from, 1), ['while away'], 'durable subscription');
    await ended(from, 'close');
  },

  async numberedSends() {
    const connection = await connect();
    const annotations = { 'x-opt-busbar-producer': 'js', 'x-opt-busbar-sequence': 1 };
    for (let i = 0; i < 2; ++i) same(await send(connection, 'js.n', { body: 'x', message_annotations: annotations }), 'accepted', 'outcome');
    same(await drained(await receive(connection, 'js.n')), ['x'], 'stored');
  },

  async webSocket() {
    const open = rhea.create_container().websocket_connect(WebSocket);
    const connection = await connect({ connection_details: open(`ws://127.0.0.1:${httpPort}/ws/amqp`, ['amqp'], {}) });
    await send(connection, 'js.w', { body: 'over a WebSocket' });
    same(await drained(await receive(connection, 'js.w')), ['over a WebSocket'], 'body');
  },

  async large() {
    const connection = await connect();
    const bytes = Buffer.from(Uint8Array.from({ length: 8 << 20 }, (_, i) => (i * 31 + (i >> 8)) % 256));
    same(await send(connection, 'js.large', { body: rhea.message.data_section(bytes) }), 'accepted', 'outcome');
    const { message } = await one(await receive(connection, 'js.large'));
    check(bytes.equals(message.body.content), 'a large body');
  },

  async idle() {  // the bus ends what is silent for 2 s, and rhea too
    const connection = await connect({ idle_time_out: 2000 });
    const from = await receive(connection, 'js.silent');
    from.add_credit(1);
    await quiet(8000);
    same(connection.lost, undefined, 'the connection');
    await send(connection, 'js.silent', { body: 'still here' });
    same((await from.inbox.next()).message.body, 'still here', 'after the silence');
  },

  async reconnect() {
    const connection = await connect({ reconnect: 100 });
    const sender = connection.open_sender('js.numbers');
    const sent = await sendThroughKill(async (number) => {
      for (let tries = 1; ; ++tries) {
        if (!sender.sendable()) await next(sender, 'sendable');
        const outcome = new Promise((resolve) => {
          sender.once('accepted', () => resolve(true));
          connection.once('disconnected', () => resolve(false));
        });
        sender.send({ body: number, durable: true });
        const confirmed = await outcome;
        ['accepted', 'released'].forEach((event) => sender.removeAllListeners(event));
        if (confirmed) return tries > 1;
        await next(sender, 'sender_open');
      }
    }, () => console.log('kill'));
    const numbers = await receive(connection, 'js.numbers');
    await reconcile(async () => {
      const { message, delivery } = await one(numbers);
      delivery.accept();
      return message.body;
    }, sent);
  },

  async thousand() {
    const all = await Promise.all(Array.from({ length: 1000 }, () => connect()));
    const froms = await Promise.all(all.map((connection, i) => receive(connection, `crowd.${i}`)));
    await Promise.all(all.map((connection, i) => send(connection, `crowd.${i}`, { body: `mine ${i}` })));
    for (const [i, from] of froms.entries()) same(await bodies(from, 1), [`mine ${i}`], 'in a crowd');
    check(all.every((connection) => !connection.lost), 'all are open');
    console.log('1000 served');
  },
};

main(scenarios, 4);
