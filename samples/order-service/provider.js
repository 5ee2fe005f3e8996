// The orders service as a SOAP provider of its own, on http://127.0.0.1:8090/orders. Knows nothing of the bus, but that a
// request with an Idempotency-Key that it has answered is answered the same again.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const soap = require('soap');

const port = Number(process.env.ORDERS_PORT || 8090);
const states = new Map();
const answers = new Map();  // Idempotency-Key -> answer

function once(headers, work) {
  const key = headers['idempotency-key'];
  if (key !== undefined && answers.has(key)) return answers.get(key);
  const answer = work();
  if (key !== undefined) answers.set(key, answer);
  return answer;
}

function placeOrder(args) {
  const items = Array.isArray(args.item) ? args.item : [args.item];
  const total = items.reduce((sum, item) => sum + Number(item.quantity) * Number(item.price), 0);
  const orderId = `O-${states.size + 1}`;
  states.set(orderId, 'placed');
  return { orderId, total: total.toFixed(2) };
}

function getOrderState(args) {
  if (states.has(args.orderId)) return { state: states.get(args.orderId) };
  throw {
    Fault: {
      faultcode: 'soap:Client',
      faultstring: `there is no order ${args.orderId}`,
      statusCode: 500,
    },
  };
}

const service = {
  Orders: {
    OrdersPort: {
      PlaceOrder: (args, callback, soapHeader, request) => once(request.headers, () => placeOrder(args)),
      GetOrderState: (args) => getOrderState(args),
    },
  },
};

const server = http.createServer((request, response) => {
  response.statusCode = 404;
  response.end();
});
// The service first, then the port: nobody is to find a server without it.
const wsdl = path.join(__dirname, 'orders.wsdl');
soap.listen(server, { path: '/orders', services: service, xml: fs.readFileSync(wsdl, 'utf8'), uri: wsdl, callback: () => {
  server.listen(port, '127.0.0.1', () => console.log(`orders provider on http://127.0.0.1:${server.address().port}/orders`));
} });
