// A file of bytes that is paid for by x402, as its makers' middleware for Express serves it. The facilitator is in this process and
// believes every payment: what is measured is the middleware's own work.
import express from 'express';
import { paymentMiddleware, x402ResourceServer } from '@x402/express';
import { randomBytes } from 'node:crypto';

const NETWORK = 'bench:1';
const payer = 'payer';
const facilitator = {
  verify: async () => ({ isValid: true, payer }),
  settle: async () => ({ success: true, transaction: 'tx', network: NETWORK, payer }),
  getSupported: async () => ({ kinds: [{ x402Version: 2, scheme: 'exact', network: NETWORK }], extensions: [], signers: {} }),
};
const scheme = {
  scheme: 'exact',
  defaultAssetTransferMethod: 'default',
  paymentFlows: { default: { default: 'authorization', supported: ['authorization'] } },
  parsePrice: async () => ({ amount: '100', asset: 'msat', extra: {} }),
  getAssetDecimals: () => 3,
  enhancePaymentRequirements: async (requirements) => requirements,
};
const bytes = randomBytes(Number(process.argv[2]));
const app = express();
app.disable('x-powered-by');
const server = new x402ResourceServer(facilitator).register(NETWORK, scheme);
app.use(paymentMiddleware({ 'GET /part': { accepts: [{ scheme: 'exact', price: '$0.0001', network: NETWORK, payTo: 'merchant' }], description: 'a part', mimeType: 'application/octet-stream' } }, server));
app.get('/part', (_, response) => response.type('application/octet-stream').send(bytes));
const listening = app.listen(0, '127.0.0.1', () => process.send?.({ port: listening.address().port }));
process.on('disconnect', () => process.exit(0));
