// What people do with @stomp/stompjs over a WebSocket. Arguments: the port of the bus's HTTP, wss where it speaks TLS. Prints ok.
const assert = require('assert');
const { Client } = require('@stomp/stompjs');
Object.assign(global, { WebSocket: require('ws') });
const url = `${process.argv[3] || 'ws'}://127.0.0.1:${process.argv[2]}/ws/stomp`;

function connect(passcode = 'secret', options = {}) {
  return new Promise((resolve, reject) => {
    const client = new Client({
      brokerURL: url,
      connectHeaders: { login: 'admin', passcode },
      reconnectDelay: 0,
      heartbeatIncoming: 2000,
      heartbeatOutgoing: 2000,
      ...options,
      onConnect: () => resolve(client),
      onStompError: (frame) => reject(new Error(frame.headers.message)),
      onWebSocketError: (error) => reject(new Error(error.message)),
    });
    client.activate();
  });
}

function next(client, destination, headers = {}) {
  const waiting = [];
  const come = [];
  const subscription = client.subscribe(destination, (message) => {
    const taker = waiting.shift();
    if (taker) taker(message);
    else come.push(message);
  }, headers);
  return {
    subscription,
    message: () => (come.length ? Promise.resolve(come.shift()) : new Promise((resolve) => waiting.push(resolve))),
  };
}

function receipt(client, id, act) {
  return new Promise((resolve) => { client.watchForReceipt(id, resolve); act(); });
}

async function main() {
  await assert.rejects(connect('wrong'), /login|password/i);
  const client = await connect();
  assert.strictEqual(client.connectedVersion, '1.2');

  // Text and bytes.
  const queue = next(client, '/queue/ws', { ack: 'client-individual' });
  await receipt(client, 'r1', () => client.publish({
    destination: '/queue/ws', body: 'Grüße, 世界', headers: { receipt: 'r1', persistent: 'true', colour: 'a:b c' },
  }));
  let message = await queue.message();
  assert.strictEqual(message.body, 'Grüße, 世界');
  assert.strictEqual(message.headers.colour, 'a:b c');
  message.ack();
  const bytes = Uint8Array.from({ length: 70000 }, (_, i) => i * 7 % 256);
  client.publish({ destination: '/queue/ws', binaryBody: bytes });
  message = await queue.message();
  assert.deepStrictEqual(Buffer.from(message.binaryBody), Buffer.from(bytes));

  // Not acknowledged: comes again.
  message.nack();
  message = await queue.message();
  assert.strictEqual(message.headers.redelivered, 'true');
  message.ack();

  // Transactions.
  const lost = client.begin();
  client.publish({ destination: '/queue/ws', body: 'never', headers: { transaction: lost.id } });
  lost.abort();
  const kept = client.begin();
  client.publish({ destination: '/queue/ws', body: 'kept', headers: { transaction: kept.id } });
  kept.commit();
  message = await queue.message();
  assert.strictEqual(message.body, 'kept');
  message.ack();

  // Topics, and request-reply over a temporary queue from another connection.
  const other = await connect();
  const topic = next(client, '/topic/prices.>');
  await receipt(client, 'r2', () => client.subscribe('/topic/none', () => {}, { receipt: 'r2' }));
  other.publish({ destination: '/topic/prices.eur', body: '1' });
  assert.strictEqual((await topic.message()).body, '1');
  const server = next(other, '/queue/ask');
  const answers = next(client, '/temp-queue/answers');
  client.publish({ destination: '/queue/ask', body: 'why?', headers: { 'reply-to': '/temp-queue/answers' } });
  const question = await server.message();
  other.publish({ destination: question.headers['reply-to'], body: `because ${question.body}` });
  assert.strictEqual((await answers.message()).body, 'because why?');

  // Two heart-beats long nothing is said, and both sides stay.
  await new Promise((resolve) => { setTimeout(resolve, 5000); });
  assert.ok(client.connected);
  await client.deactivate();
  await other.deactivate();
  console.log('ok');
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
