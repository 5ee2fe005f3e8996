// What a page does with @stomp/stompjs over the browser's own WebSocket: the same as node does (node/stompjs_scenarios.mjs). The address says
// where the bus is (?bus=ws://...); /kill of the server that the page came from kills the bus, /result gets what came out.
import { stompjsScenarios } from './stompjs_scenarios.mjs';

const { Client } = window.StompJs;
const url = new URLSearchParams(location.search).get('bus');
const done = [];

// Chromium lets a page have 255 WebSockets.
const scenarios = stompjsScenarios({ Client, url, kill: () => fetch('/kill', { method: 'POST', body: '{}' }), crowd: 200 });

async function main() {
  for (const [name, run] of Object.entries(scenarios)) {
    await run().catch((error) => { throw new Error(`${name}: ${error.message}`); });
    done.push(name);
  }
}

function report(error) {
  return fetch('/result', { method: 'POST', body: JSON.stringify({ done, error, agent: navigator.userAgent, origin: location.origin }) });
}

main().then(() => report(null), (error) => report(String(error)));
