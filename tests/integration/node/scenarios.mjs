// What the scenarios of all clients share. Runs in node and in a page: no assert, no process but in main().

/** What a promise comes to, or a failure that names what did not come. Long, as the machine may be busy. */
export function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`no ${what}`)), 60000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function check(good, what) {
  if (!good) throw new Error(what);
}

export function same(actual, expected, what) {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(is === should, `${what}: ${is} instead of ${should}`);
}

export const quiet = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Why a promise failed, as text. */
export const refusal = (promise) => soon(promise.then(() => { throw new Error('it was not refused'); }, (error) => error.message), 'refusal');

/** What came, in order; next() waits for it. */
export class Inbox {
  constructor(name) {
    Object.assign(this, { name, come: [], waiting: [] });
  }

  put(value) {
    if (this.waiting.length) this.waiting.shift()(value);
    else this.come.push(value);
  }

  next() {
    if (this.come.length) return Promise.resolve(this.come.shift());
    return soon(new Promise((resolve) => { this.waiting.push(resolve); }), `message from ${this.name}`);
  }

  async take(count) {
    const got = [];
    while (got.length < count) got.push(await this.next());
    return got;
  }
}

/**
 * Sends numbers, one after the other, while the bus is killed. send(number) resolves when the number is confirmed: true where it was sent more
 * than once. Goes on until the kill was felt, and a while.
 */
export async function sendThroughKill(send, kill) {
  const twice = new Set();
  let count = 0;
  for (let after = 0; after < 20; ++count) {
    if (count === 20) kill();
    if (await soon(send(count), `confirmation of ${count}`)) twice.add(count);
    if (twice.size) ++after;
  }
  return { count, twice };
}

/** Takes until all the numbers came: none is missing, none came twice that was sent once. */
export async function reconcile(next, { count, twice }) {
  const seen = new Set();
  while (seen.size < count) {
    const number = Number(await next());
    check(number >= 0 && number < count, `${number} was not sent`);
    check(!seen.has(number) || twice.has(number), `${number} came twice`);
    seen.add(number);
  }
}

/** The scenarios that the command line names from argument `first` on (all without any), then "ok". */
export async function main(scenarios, first) {
  try {
    const names = process.argv.slice(first);
    for (const name of names.length ? names : Object.keys(scenarios)) await scenarios[name]();
    console.log('ok');
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}
