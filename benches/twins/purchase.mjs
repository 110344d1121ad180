// Twin of workers/purchase: an order goes to the ledger, its transfer becomes a signed receipt.
import { OPEN, Refusal, answering, ask, b32, b64u, bytesOf, fromB64u, json, readPart, sha256 } from './common.mjs';
export { Pickup } from './pickup.mjs';

// PKCS #8 of an Ed25519 key up to its seed.
const PKCS8 = Uint8Array.fromHex('302e020100300506032b657004220420');
let signer;

async function readSigner(env) {
  const [version, seed] = env.RECEIPT_KEYS.split(':');
  const der = new Uint8Array([...PKCS8, ...fromB64u(seed)]);
  const key = await crypto.subtle.importKey('pkcs8', der, 'Ed25519', false, ['sign']);
  const header = { alg: 'EdDSA', typ: 'satchel-receipt+jws', kid: version };
  return { key, header: b64u(bytesOf(JSON.stringify(header))) };
}

async function receiptOf(transfer, env) {
  const { agreement, time, manifest_digest, use, rate, handle } = transfer;
  const { order, cnf, work, version, usd_micros, msat, ledger } = agreement;
  const id = await sha256(bytesOf(`satchel/v1 receipt\0${order}${cnf}`));
  const jti = `rcp_${b32(id.subarray(0, 20))}`;
  const start = { iss: env.ISSUER, aud: env.ISSUER, sub: cnf, jti, iat: time, work, version };
  const price = { usd_micros, msat, ledger, rate, handle, cnf: { jkt: cnf } };
  const claims = { ...start, manifest_digest, rights: use, ...price };
  signer ??= await readSigner(env);
  const input = `${signer.header}.${b64u(bytesOf(JSON.stringify(claims)))}`;
  return `${input}.${b64u(await crypto.subtle.sign('Ed25519', signer.key, bytesOf(input)))}`;
}

/** Only the shape, so that nonsense does not travel. */
function checkShape(order) {
  const parts = typeof order === 'string' ? order.split('.') : [];
  try {
    if (parts.length === 3 && readPart(parts[0]).typ === 'satchel-order+jws') return readPart(parts[1]);
  } catch {
    // Answered below.
  }
  throw new Refusal(400, 'malformed');
}

async function takeOrder(request, env) {
  const body = await request.json().catch(() => ({}));
  checkShape(body.order);
  const { transfer, replayed, owned } = await ask(env.LEDGER, '/internal/orders', body);
  const { order } = transfer.agreement;
  if (body.pickup ?? true) {
    await ask(env.PICKUP.get(env.PICKUP.idFromName(order)), '/', transfer);
  }
  const receipt = await receiptOf(transfer, env);
  return json({ status: 'posted', replayed, owned, order, receipt }, OPEN);
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/v1/orders' && request.method === 'POST') {
      return answering(() => takeOrder(request, env), OPEN);
    }
    return answering(() => Promise.reject(new Refusal(404, 'not_found')), OPEN);
  },
};
