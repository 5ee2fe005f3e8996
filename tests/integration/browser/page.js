// What a page does with @stomp/stompjs over the browser's own WebSocket. The address says where the bus is (?bus=ws://...);
// what came out is posted to /result of the server that the page came from.
const bus = new URLSearchParams(location.search).get('bus');
const done = [];

function check(good, what) {
  if (!good) throw new Error(what);
}

function connect(passcode, more = {}) {
  return new Promise((resolve, reject) => {
    const client = new StompJs.Client({
      brokerURL: bus,
      connectHeaders: { login: 'admin', passcode },
      reconnectDelay: 0,
      heartbeatIncoming: 1000,
      heartbeatOutgoing: 1000,
      onConnect: () => resolve(client),
      onStompError: (frame) => { client.deactivate(); reject(new Error(frame.headers.message)); },
      onWebSocketError: () => reject(new Error('the WebSocket failed')),
      ...more,
    });
    client.activate();
  });
}

function inbox(client, destination, headers = {}) {
  const come = [];
  const waiting = [];
  client.subscribe(destination, (message) => {
    if (waiting.length) waiting.shift()(message);
    else come.push(message);
  }, headers);
  return () => new Promise((resolve) => { if (come.length) resolve(come.shift()); else waiting.push(resolve); });
}

function confirmed(client, frame) {
  return new Promise((resolve) => {
    const receipt = `r${Math.random()}`;
    client.watchForReceipt(receipt, resolve);
    client.publish({ ...frame, headers: { ...frame.headers, receipt } });
  });
}

const steps = {
  async wrongPassword() {
    let refused = '';
    await connect('wrong').catch((error) => { refused = error.message; });
    check(/password/.test(refused), `a wrong password: ${refused}`);
  },

  async textAndBytes(client) {
    const next = inbox(client, '/queue/page', { ack: 'client-individual' });
    await confirmed(client, { destination: '/queue/page', body: 'Grüße, 世界 😀', headers: { persistent: 'true', colour: 'a:b\nc' } });
    let message = await next();
    check(message.body === 'Grüße, 世界 😀' && message.headers.colour === 'a:b\nc', 'text or header');
    message.ack();
    const bytes = Uint8Array.from({ length: 200000 }, (_, i) => (i * 7) % 256);
    client.publish({ destination: '/queue/page', binaryBody: bytes, headers: { 'content-type': 'application/octet-stream' } });
    message = await next();
    check(message.binaryBody.length === bytes.length && message.binaryBody.every((b, i) => b === bytes[i]), 'bytes');
    message.nack();
    message = await next();
    check(message.headers.redelivered === 'true', 'redelivered');
    message.ack();
  },

  async transactions(client) {
    const next = inbox(client, '/queue/page.tx');
    const lost = client.begin();
    client.publish({ destination: '/queue/page.tx', body: 'never', headers: { transaction: lost.id } });
    lost.abort();
    const kept = client.begin();
    client.publish({ destination: '/queue/page.tx', body: 'kept', headers: { transaction: kept.id } });
    kept.commit();
    check((await next()).body === 'kept', 'what was committed');
  },

  async heartBeats(client) {
    await new Promise((resolve) => { setTimeout(resolve, 2500); });
    check(client.connected, 'it stays while nothing is said');
  },
};

async function main() {
  await steps.wrongPassword();
  done.push('wrongPassword');
  const client = await connect('secret');
  for (const name of ['textAndBytes', 'transactions', 'heartBeats']) {
    await steps[name](client);
    done.push(name);
  }
  await client.deactivate();
}

function report(error) {
  return fetch('/result', { method: 'POST', body: JSON.stringify({ done, error, agent: navigator.userAgent, origin: location.origin }) });
}

main().then(() => report(null), (error) => report(String(error)));
