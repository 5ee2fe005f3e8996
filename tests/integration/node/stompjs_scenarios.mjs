// What people do with @stomp/stompjs over a WebSocket, in node (stompjs_client.mjs) and in a browser (browser/page.mjs).
import { Inbox, check, quiet, reconcile, refusal, same, sendThroughKill } from './scenarios.mjs';

/** `Client` is stompjs's, `url` the bus's, kill() asks for a SIGKILL of the bus, `crowd` is how many connections are opened at once. */
export function stompjsScenarios({ Client, url, kill, crowd }) {
  const client = (more) => new Client({
    brokerURL: url, connectHeaders: { login: 'admin', passcode: 'secret' }, reconnectDelay: 0, heartbeatIncoming: 0, heartbeatOutgoing: 0, ...more,
  });

  function connect(more = {}) {
    return new Promise((resolve, reject) => {
      const made = client({
        ...more,
        onConnect: () => resolve(made),
        onStompError: (frame) => { made.deactivate(); reject(new Error(frame.headers.message)); },
        onWebSocketError: (error) => reject(new Error(error.message || 'the WebSocket failed')),
      });
      made.activate();
    });
  }

  let receipts = 0;
  /** Done when the bus has confirmed what act(receipt) sent. */
  const confirmed = (from, act) => new Promise((resolve) => {
    const receipt = `r${++receipts}`;
    from.watchForReceipt(receipt, resolve);
    act(receipt);
  });
  const send = (from, destination, body, headers = {}) =>
    confirmed(from, (receipt) => from.publish({ destination, body, headers: { persistent: 'true', ...headers, receipt } }));

  /** Subscribes; done when the bus has. */
  async function subscribe(to, destination, headers = {}) {
    const inbox = new Inbox(destination);
    await confirmed(to, (receipt) => { inbox.subscription = to.subscribe(destination, (message) => inbox.put(message), { ...headers, receipt }); });
    return inbox;
  }
  const bodies = async (inbox, count) => (await inbox.take(count)).map((message) => message.body);

  return {
    async login() {
      const why = await refusal(connect({ connectHeaders: { login: 'admin', passcode: 'wrong' } }));
      check(/password/.test(why), `a wrong password: ${why}`);
      same((await connect()).connectedVersion, '1.2', 'version');
    },

    async sendReceive() {
      const one = await connect();
      const queue = await subscribe(one, '/queue/ws');
      await send(one, '/queue/ws', 'Grüße, 世界 😀', { colour: 'a:b\nc' });
      let message = await queue.next();
      same([message.body, message.headers.colour], ['Grüße, 世界 😀', 'a:b\nc'], 'text and header');
      const bytes = Uint8Array.from({ length: 70000 }, (_, i) => (i * 7) % 256);
      one.publish({ destination: '/queue/ws', binaryBody: bytes, headers: { 'content-type': 'application/octet-stream' } });
      message = await queue.next();
      same(Array.from(message.binaryBody), Array.from(bytes), 'bytes');
    },

    async acknowledgements() {
      const one = await connect();
      for (const ack of ['auto', 'client', 'client-individual'])
        for (let i = 0; i < 6; ++i) await send(one, `/queue/${ack}`, String(i));
      same(await bodies(await subscribe(one, '/queue/auto'), 6), ['0', '1', '2', '3', '4', '5'], 'auto');
      const cumulative = await (await subscribe(one, '/queue/client', { ack: 'client' })).take(6);
      cumulative[3].ack();
      const individual = await subscribe(one, '/queue/client-individual', { ack: 'client-individual' });
      const each = await individual.take(6);
      each[5].ack();
      each[0].nack();
      const again = await individual.next();
      same([again.body, again.headers.redelivered], ['0', 'true'], 'after a nack');
      await one.deactivate();

      const other = await connect();
      for (const [ack, left] of [['auto', []], ['client', ['4', '5']], ['client-individual', ['0', '1', '2', '3', '4']]]) {
        await send(other, `/queue/${ack}`, 'end');
        const rest = await (await subscribe(other, `/queue/${ack}`)).take(left.length + 1);
        same(rest.map((message) => message.body), [...left, 'end'], `what is left after ${ack}`);
        if (left.length) same(rest[0].headers.redelivered, 'true', `redelivered after ${ack}`);
      }
    },

    async transactions() {
      const one = await connect();
      const source = await subscribe(one, '/queue/in', { ack: 'client-individual' });
      const target = await subscribe(one, '/queue/out');
      await send(one, '/queue/in', 'order');
      const lost = one.begin();
      (await source.next()).ack({ transaction: lost.id });
      one.publish({ destination: '/queue/out', body: 'never', headers: { transaction: lost.id } });
      lost.abort();
      const message = await source.next();
      same(message.body, 'order', 'what an abort gives back');
      const kept = one.begin();
      message.ack({ transaction: kept.id });
      one.publish({ destination: '/queue/out', body: 'invoice', headers: { transaction: kept.id } });
      await send(one, '/queue/out', 'outside');
      kept.commit();
      same(await bodies(target, 2), ['outside', 'invoice'], 'before and after the commit');
    },

    async selector() {
      const one = await connect();
      for (let i = 0; i < 6; ++i) await send(one, '/queue/selected', String(i), { kind: i % 2 ? 'odd' : 'even' });
      const odd = await subscribe(one, '/queue/selected', { selector: "kind = 'odd'" });
      same(await bodies(odd, 3), ['1', '3', '5'], 'the selected');
      same(await bodies(await subscribe(one, '/queue/selected'), 3), ['0', '2', '4'], 'the rest');
      same(odd.come.length, 0, 'not selected');
    },

    async durable() {
      const who = { connectHeaders: { login: 'admin', passcode: 'secret', 'client-id': 'page' } };
      const name = { 'activemq.subscriptionName': 'news' };
      const away = await connect(who);
      await subscribe(away, '/topic/news.*', name);
      await away.deactivate();
      await send(await connect(), '/topic/news.one', 'while away');
      const back = await connect(who);
      same(await bodies(await subscribe(back, '/topic/news.*', name), 1), ['while away'], 'durable subscription');
    },

    async topic() {
      const [one, other] = [await connect(), await connect()];
      const both = [await subscribe(one, '/topic/prices.>'), await subscribe(other, '/topic/prices.eur')];
      await send(one, '/topic/prices.eur', '1');
      for (const inbox of both) same(await bodies(inbox, 1), ['1'], 'a topic\'s copy');
    },

    async requestReply() {
      const [caller, server] = [await connect(), await connect()];
      const questions = await subscribe(server, '/queue/ask');
      const answers = await subscribe(caller, '/temp-queue/answers');
      await send(caller, '/queue/ask', 'why?', { 'reply-to': '/temp-queue/answers', 'correlation-id': '7' });
      const question = await questions.next();
      const { 'reply-to': to, 'correlation-id': id } = question.headers;
      await send(server, to, `because ${question.body}`, { 'correlation-id': id });
      const answer = await answers.next();
      same([answer.body, answer.headers['correlation-id']], ['because why?', '7'], 'reply');
    },

    async large() {
      const one = await connect();
      const bytes = Uint8Array.from({ length: 8 << 20 }, (_, i) => (i * 31 + (i >> 8)) % 256);
      await confirmed(one, (receipt) => one.publish({ destination: '/queue/large', binaryBody: bytes,
        headers: { receipt, persistent: 'true', 'content-type': 'application/octet-stream' } }));
      const { binaryBody } = await (await subscribe(one, '/queue/large')).next();
      check(binaryBody.length === bytes.length && binaryBody.every((byte, i) => byte === bytes[i]), 'a large body');
    },

    async idle() {
      let lost = 0;
      const one = await connect({ heartbeatIncoming: 1000, heartbeatOutgoing: 1000, onWebSocketClose: () => { ++lost; } });
      const queue = await subscribe(one, '/queue/silent');
      await quiet(6000);
      same([one.connected, lost], [true, 0], 'connected, and how often it was lost');
      await send(one, '/queue/silent', 'still here');
      same(await bodies(queue, 1), ['still here'], 'after the silence');
    },

    async reconnect() {
      const line = new EventTarget();
      const once = (event) => new Promise((resolve) => { line.addEventListener(event, resolve, { once: true }); });
      const one = client({ reconnectDelay: 100, onConnect: () => line.dispatchEvent(new Event('up')),
        onWebSocketClose: () => line.dispatchEvent(new Event('down')) });
      one.activate();
      const sent = await sendThroughKill(async (number) => {
        for (let tries = 1; ; ++tries) {
          if (!one.connected) await once('up');
          const down = once('down').then(() => false);
          if (await Promise.race([send(one, '/queue/numbers', String(number)).then(() => true), down])) return tries > 1;
        }
      }, kill);
      const numbers = await subscribe(one, '/queue/numbers');
      await reconcile(async () => (await numbers.next()).body, sent);
    },

    async thousand() {
      const all = await Promise.all(Array.from({ length: crowd }, () => connect()));
      const inboxes = await Promise.all(all.map((one, i) => subscribe(one, `/queue/crowd.${i}`)));
      await Promise.all(all.map((one, i) => send(one, `/queue/crowd.${i}`, `mine ${i}`)));
      for (const [i, inbox] of inboxes.entries()) same(await bodies(inbox, 1), [`mine ${i}`], 'in a crowd');
      check(all.every((one) => one.connected), 'all are open');
      console.log(`${crowd} served`);
    },
  };
}
