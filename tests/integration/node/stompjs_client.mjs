// @stomp/stompjs in node: PORT of the bus's HTTP, ws or wss, then names of scenarios (all without any).
import { Client } from '@stomp/stompjs';
import WebSocket from 'ws';
import { main } from './scenarios.mjs';
import { stompjsScenarios } from './stompjs_scenarios.mjs';

Object.assign(globalThis, { WebSocket });
const url = `${process.argv[3]}://127.0.0.1:${process.argv[2]}/ws/stomp`;
main(stompjsScenarios({ Client, url, kill: () => console.log('kill'), crowd: 1000 }), 4);
