// Calls the orders service with node-soap, knowing nothing but the WSDL's address.
'use strict';
const soap = require('soap');

const url = process.argv[2] || 'http://127.0.0.1:8080/services/orders?wsdl';
const user = process.env.BUSBAR_USER || 'admin';
const password = process.env.BUSBAR_ADMIN_PASSWORD || '';
const authorization = 'Basic ' + Buffer.from(`${user}:${password}`).toString('base64');

async function main() {
  const client = await soap.createClientAsync(url, { wsdl_headers: { authorization } });
  client.setSecurity(new soap.BasicAuthSecurity(user, password));
  const [placed] = await client.PlaceOrderAsync({ customer: 'node', item: [{ sku: 'bolt', quantity: 2, price: '0.25' }] });
  const [state] = await client.GetOrderStateAsync({ orderId: placed.orderId });
  console.log(placed.orderId, placed.total, state.state);
  try {
    await client.GetOrderStateAsync({ orderId: 'nothing' });
  } catch (error) {
    console.log('fault:', error.root ? error.root.Envelope.Body.Fault.faultstring : error.message);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
