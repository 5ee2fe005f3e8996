// stompit over TCP: PORT of the bus's STOMP, then names of scenarios (all without any).
import stompit from 'stompit';
import { promisify } from 'node:util';
import { Inbox, check, main, quiet, reconcile, same, sendThroughKill, soon } from './scenarios.mjs';

const options = (headers = {}, more = {}) => ({
  host: '127.0.0.1', port: Number(process.argv[2]), ...more,
  connectHeaders: { host: '/', login: 'admin', passcode: 'secret', 'heart-beat': '0,0', ...headers },
});

async function connect(headers, more) {
  const client = await soon(promisify(stompit.connect)(options(headers, more)), 'connection');
  client.on('error', (error) => { client.lost = error; });
  return client;
}

/** `sender` is a client or a transaction of one; done when the bus has confirmed. */
const send = (sender, destination, body, headers = {}) => soon(new Promise((resolve) => {
  sender.send({ destination, persistent: 'true', 'content-type': 'text/plain', ...headers }, { onReceipt: resolve }).end(body);
}), `receipt from ${destination}`);

const acknowledge = (client, how, message, headers = {}) =>
  soon(new Promise((resolve) => { client[how](message, headers, { onReceipt: resolve }); }), `receipt of ${how}`);

/** Reads a message's body, which stompit wants before it gives the next one. */
const read = (message) => promisify(message.readString.bind(message))('utf-8').then((text) => Object.assign(message, { text }));

/** Subscribes; what comes is in the inbox, its body in `text`. */
function subscribe(client, destination, headers = {}) {
  const inbox = new Inbox(destination);
  inbox.subscription = client.subscribe({ destination, ack: 'auto', ...headers }, (error, message) => {
    if (!error) read(message).then((whole) => inbox.put(whole));
  });
  return inbox;
}
/** Done when the bus has done all that `client` asked so far. */
const barrier = (client) => send(client, '/queue/barrier', '');
const texts = async (inbox, count) => (await inbox.take(count)).map((message) => message.text);
const disconnect = (client) => soon(promisify(client.disconnect.bind(client))(), 'end');

const scenarios = {
  async login() {
    // stompit raises the bus's ERROR where nobody can listen, and tells the callback only that the connection ended: hence the process-wide ear.
    const why = await soon(new Promise((resolve) => {
      process.on('uncaughtException', resolve);
      stompit.connect(options({ passcode: 'wrong' }), (error) => resolve(error || new Error('it was not refused')));
    }), 'refusal');
    check(/password/.test(why.message), `a wrong password: ${why.message}`);
    same((await connect()).headers.version, '1.2', 'version');
  },

  async sendReceive() {
    const one = await connect();
    for (let i = 0; i < 50; ++i) await send(one, '/queue/stompit', `message ${i}`, { kind: 'zürich:\n' });
    const got = await subscribe(one, '/queue/stompit').take(50);
    same(got.map((message) => message.text), Array.from({ length: 50 }, (_, i) => `message ${i}`), 'bodies');
    same(got[0].headers.kind, 'zürich:\n', 'header');
  },

  async acknowledgements() {
    const one = await connect();
    for (const ack of ['auto', 'client', 'client-individual'])
      for (let i = 0; i < 6; ++i) await send(one, `/queue/${ack}`, String(i));
    same(await texts(subscribe(one, '/queue/auto'), 6), ['0', '1', '2', '3', '4', '5'], 'auto');
    await acknowledge(one, 'ack', (await subscribe(one, '/queue/client', { ack: 'client' }).take(6))[3]);
    const individual = subscribe(one, '/queue/client-individual', { ack: 'client-individual' });
    const each = await individual.take(6);
    await acknowledge(one, 'ack', each[5]);
    await acknowledge(one, 'nack', each[0]);
    const again = await individual.next();
    same([again.text, again.headers.redelivered], ['0', 'true'], 'after a nack');
    await disconnect(one);

    const other = await connect();
    for (const [ack, left] of [['auto', []], ['client', ['4', '5']], ['client-individual', ['0', '1', '2', '3', '4']]]) {
      await send(other, `/queue/${ack}`, 'end');
      same(await texts(subscribe(other, `/queue/${ack}`), left.length + 1), [...left, 'end'], `what is left after ${ack}`);
    }
  },

  async transactions() {
    const one = await connect();
    const source = subscribe(one, '/queue/in', { ack: 'client-individual' });
    const target = subscribe(one, '/queue/out');
    await send(one, '/queue/in', 'order');
    const first = await source.next();
    const lost = one.begin();
    one.ack(first, { transaction: lost.id });
    lost.send({ destination: '/queue/out' }).end('never');
    lost.abort();
    const message = await source.next();
    same(message.text, 'order', 'what an abort gives back');
    const kept = one.begin();
    one.ack(message, { transaction: kept.id });
    kept.send({ destination: '/queue/out' }).end('invoice');
    await send(one, '/queue/out', 'outside');
    kept.commit();
    same(await texts(target, 2), ['outside', 'invoice'], 'before and after the commit');
    await send(one, '/queue/in', 'end');
    same((await source.next()).text, 'end', 'acknowledged at the commit');
  },

  async selector() {
    const one = await connect();
    for (let i = 0; i < 6; ++i) await send(one, '/queue/selected', String(i), { kind: i % 2 ? 'odd' : 'even' });
    const odd = subscribe(one, '/queue/selected', { selector: "kind = 'odd'" });
    same(await texts(odd, 3), ['1', '3', '5'], 'the selected');
    same(await texts(subscribe(one, '/queue/selected'), 3), ['0', '2', '4'], 'the rest');
    same(odd.come.length, 0, 'not selected');
  },

  async durable() {
    const who = { 'client-id': 'stompit' };
    const name = { 'activemq.subscriptionName': 'news' };
    const away = await connect(who);
    subscribe(away, '/topic/news.*', name);
    await barrier(away);
    await disconnect(away);
    await send(await connect(), '/topic/news.one', 'while away');
    same(await texts(subscribe(await connect(who), '/topic/news.*', name), 1), ['while away'], 'durable subscription');
  },

  async topic() {
    const [one, other] = [await connect(), await connect()];
    const both = [subscribe(one, '/topic/t.*'), subscribe(other, '/topic/t.a')];
    await barrier(one);
    await barrier(other);
    await send(one, '/topic/t.a', 'x');
    for (const inbox of both) same(await texts(inbox, 1), ['x'], 'a topic\'s copy');
  },

  async requestReply() {
    const [caller, server] = [await connect(), await connect()];
    const questions = subscribe(server, '/queue/ask');
    const answers = subscribe(caller, '/temp-queue/answers');
    await send(caller, '/queue/ask', 'why?', { 'reply-to': '/temp-queue/answers', 'correlation-id': '7' });
    const question = await questions.next();
    await send(server, question.headers['reply-to'], `because ${question.text}`, { 'correlation-id': question.headers['correlation-id'] });
    const answer = await answers.next();
    same([answer.text, answer.headers['correlation-id']], ['because why?', '7'], 'reply');
  },

  async large() {
    const one = await connect();
    const text = Array.from({ length: 1 << 20 }, (_, i) => `${i} ü`).join(',');
    await send(one, '/queue/large', text);
    const got = await subscribe(one, '/queue/large').next();
    check(got.text === text, 'a large body');
  },

  async idle() {
    const one = await connect({ 'heart-beat': '1000,1000' }, { heartbeatDelayMargin: 1000 });
    const queue = subscribe(one, '/queue/silent');
    await quiet(6000);
    same(one.lost, undefined, 'the connection');
    await send(one, '/queue/silent', 'still here');
    same(await texts(queue, 1), ['still here'], 'after the silence');
  },

  async reconnect() {
    const failover = new stompit.ConnectFailover([options()], { initialReconnectDelay: 50, useExponentialBackOff: false });
    let connects = 0;
    failover.on('connect', () => { ++connects; });
    const channel = new stompit.Channel(failover, { alwaysConnected: true });
    // A channel repeats by itself what was not confirmed when the line was lost.
    const sent = await sendThroughKill(async (number) => {
      const before = connects;
      await promisify(channel.send.bind(channel))({ destination: '/queue/numbers', persistent: 'true' }, String(number));
      return connects > before && before > 0;
    }, () => console.log('kill'));
    const numbers = new Inbox('numbers');
    channel.subscribe({ destination: '/queue/numbers', ack: 'auto' }, (error, message) => {
      if (!error) read(message).then((whole) => numbers.put(whole.text));
    });
    await reconcile(() => numbers.next(), sent);
  },

  async thousand() {
    const all = await Promise.all(Array.from({ length: 1000 }, () => connect()));
    const inboxes = all.map((one, i) => subscribe(one, `/queue/crowd.${i}`));
    await Promise.all(all.map((one, i) => send(one, `/queue/crowd.${i}`, `mine ${i}`)));
    for (const [i, inbox] of inboxes.entries()) same(await texts(inbox, 1), [`mine ${i}`], 'in a crowd');
    check(all.every((one) => !one.lost), 'all are open');
    console.log('1000 served');
  },
};

main(scenarios, 3);
