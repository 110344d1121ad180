// Every public route of the API, for openapi.json. Shapes that are documents of their own are named by their folder here;
// small ones are written out. `tools/openapi.mjs` puts them together.

const text = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const id = (pattern) => ({ type: 'string', pattern });
const b64 = id('^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$');
const handle20 = (prefix) => id(`^${prefix}_[a-z2-7]{32}$`);
export const WORK = id('^wrk_[a-z2-7]{51}[aq]$');
const ORDER = handle20('ord');
const jws = { type: 'string', description: 'compact JWS' };
const object = (properties, optional = []) => ({
  type: 'object', properties, additionalProperties: false,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});
const named = (name) => ({ $ref: `#/components/schemas/${name}` });
const sentPart = object({ partNumber: count, etag: text });
const headers = { type: 'object', additionalProperties: text };
const allowance = object({ released: count, limit: count, next_at_ms: { type: ['integer', 'null'] } });

const path = (name, schema, description) => ({ name, in: 'path', required: true, schema, ...(description && { description }) });
const query = (name, schema, description) => ({ name, in: 'query', required: false, schema, ...(description && { description }) });
const account = path('account', b64, 'thumbprint of the root key');
const work = path('work', WORK);
const creator = path('creator', b64, 'thumbprint of the creator key');
const webhook = path('webhook', id('^whk_[a-z2-7]{26}$'));

/** Codes any route may answer, and those of whoever proves possession, sends a body, or names a work. */
const ALWAYS = ['malformed', 'not_found', 'method_not_allowed', 'internal', 'unavailable'];
const BODY = ['body_too_large', 'unsupported_media_type'];
const PROOF = ['proof_required', 'proof_invalid', 'wrong_key'];
const SIGNED = ['bad_signature', 'wrong_key'];
const DELEGATED = [...PROOF, 'delegation_expired', 'scope_missing'];
const WORKS = ['unknown_work', 'not_published', 'work_unpublished', 'work_taken_down'];

/** @type {{method: string, path: string, tag: string, summary: string, security?: 'proof'|'receipt'|'capability', parameters?: object[], body?: object, answers: Record<number, object>, errors: string[], paid?: boolean}[]} */
export const ROUTES = [
  { method: 'get', path: '/v1/health', tag: 'issuer', summary: 'Whether the issuer is up', answers: { 200: object({ ok: { const: true } }) }, errors: [] },
  { method: 'get', path: '/v1/config', tag: 'issuer', summary: 'Origins, ledger and fee of the issuer', answers: { 200: object({ issuer: text, wallet: text, ledger: { enum: ['live', 'test'] }, test_money: { type: 'boolean' }, fee_bps: count }) }, errors: [] },
  { method: 'get', path: '/.well-known/jwks.json', tag: 'issuer', summary: 'Keys receipts are signed with (RFC 7517)', answers: { 200: object({ keys: { type: 'array', items: object({ kty: { const: 'OKP' }, crv: { const: 'Ed25519' }, x: b64, kid: text, alg: { const: 'EdDSA' }, use: { const: 'sig' } }) } }) }, errors: [] },
  { method: 'get', path: '/.well-known/did.json', tag: 'issuer', summary: 'The same keys as a did:web document', answers: { 200: { type: 'object' } }, errors: [] },

  { method: 'post', path: '/v1/works', tag: 'works', summary: 'Registers a work', body: object({ command: jws }), answers: { 200: named('record'), 201: named('record') }, errors: [...BODY, ...SIGNED, 'work_conflict', 'work_taken_down'] },
  { method: 'get', path: '/v1/works/{work}', tag: 'works', summary: 'What the issuer says about a work', parameters: [work], answers: { 200: named('record') }, errors: ['unknown_work'] },
  { method: 'post', path: '/v1/works/{work}/publish', tag: 'works', summary: 'Puts a version on sale', parameters: [work], body: object({ command: jws }), answers: { 200: named('record') }, errors: [...BODY, ...SIGNED, 'unknown_work', 'not_ready', 'work_conflict', 'work_taken_down'] },
  { method: 'post', path: '/v1/works/{work}/update', tag: 'works', summary: 'Changes title, terms and listing without a new upload', parameters: [work], body: object({ command: jws }), answers: { 200: named('record') }, errors: [...BODY, ...SIGNED, 'unknown_work', 'not_published', 'work_conflict', 'work_taken_down'] },
  { method: 'post', path: '/v1/works/{work}/state', tag: 'works', summary: 'Withdraws a work from sale, or offers it again', parameters: [work], body: object({ command: jws }), answers: { 200: named('record') }, errors: [...BODY, ...SIGNED, 'unknown_work', 'not_published', 'work_taken_down'] },
  { method: 'post', path: '/v1/uploads', tag: 'works', summary: 'Begins an upload', body: object({ command: jws }), answers: { 201: object({ upload: handle20('upl'), key: text, part_size: count, parts: count, size: count, expires: count }) }, errors: [...BODY, ...SIGNED, 'unknown_work', 'work_conflict', 'work_taken_down', 'too_many'] },
  {
    method: 'post', path: '/v1/uploads/{upload}/sign', tag: 'works', security: 'proof', parameters: [path('upload', handle20('upl'))],
    summary: "Presigned requests of an upload: Uppy's `signRequest`, and several parts at once",
    body: object({ method: { enum: ['POST', 'PUT', 'GET', 'DELETE'] }, key: text, uploadId: text, partNumber: count, partNumbers: { type: 'array', items: count, minItems: 1, maxItems: 100 }, contentType: text, expiresIn: count, sent: { type: 'array', items: sentPart, maxItems: 100 } }, ['uploadId', 'partNumber', 'partNumbers', 'contentType', 'expiresIn', 'sent']),
    answers: { 200: { oneOf: [object({ url: text, key: text, headers }, ['key', 'headers']), object({ urls: { type: 'array', items: text } }), object({ url: text, sent: { type: 'array', items: sentPart } })] } },
    errors: [...BODY, ...PROOF, 'unknown_upload', 'unknown_work', 'work_conflict', 'work_taken_down', 'upload_ended', 'too_many'],
  },
  { method: 'get', path: '/v1/uploads/{upload}/parts', tag: 'works', summary: "Which parts have arrived, in S3's XML; the address is given by `sign`", parameters: [path('upload', handle20('upl')), query('of', text), query('expires', count), query('signature', text)], answers: { 200: { 'application/xml': text } }, errors: ['unknown_upload', 'proof_invalid'] },
  { method: 'post', path: '/v1/works/{work}/cover', tag: 'works', summary: 'Where to send a cover', parameters: [work], body: object({ command: jws }), answers: { 200: object({ url: text, headers, cover_url: text }) }, errors: [...BODY, ...SIGNED, 'unknown_work', 'work_taken_down'] },
  { method: 'post', path: '/v1/intake', tag: 'works', summary: 'Hands over a content key', body: object({ command: jws }), answers: { 200: object({ work: WORK, version: count, stored: { const: true } }) }, errors: [...BODY, ...SIGNED, 'unknown_work', 'work_conflict', 'work_taken_down'] },

  { method: 'post', path: '/v1/works/{work}/view', tag: 'works', summary: 'Counts a view of a work, of nobody in particular', parameters: [work], answers: { 204: {} }, errors: ['body_too_large'] },

  { method: 'get', path: '/v1/shops/{creator}', tag: 'shop', summary: 'Works with their sums, newest first', security: 'proof', parameters: [creator, query('after', count, 'next of the page before')], answers: { 200: named('shop') }, errors: PROOF },
  { method: 'post', path: '/v1/shops/{creator}/works/{work}', tag: 'shop', summary: 'Hides a deleted work, or shows it again', security: 'proof', parameters: [creator, work], body: object({ hidden: { type: 'boolean' } }), answers: { 200: object({ done: { const: true } }) }, errors: [...BODY, ...PROOF, 'unknown_work'] },
  { method: 'get', path: '/v1/shops/{creator}/sales', tag: 'shop', summary: 'Sales, newest first', security: 'proof', parameters: [creator, query('after', count, 'next of the page before'), query('work', WORK, 'of one work')], answers: { 200: named('shop_page') }, errors: PROOF },
  { method: 'get', path: '/v1/shops/{creator}/stats', tag: 'shop', summary: 'Sums by day', security: 'proof', parameters: [creator, query('work', WORK, 'of one work'), query('days', count, '1 to 3650; 30 unless said')], answers: { 200: named('shop_stats') }, errors: PROOF },
  { method: 'get', path: '/v1/shops/{creator}/events', tag: 'shop', summary: 'What happens next: waits up to 25 seconds', security: 'proof', parameters: [creator, query('after', count, 'next of the answer before; without it only where to begin')], answers: { 200: named('shop_events') }, errors: PROOF },
  { method: 'get', path: '/v1/shops/{creator}/webhooks', tag: 'shop', summary: 'Webhooks, at most five', security: 'proof', parameters: [creator], answers: { 200: object({ webhooks: { type: 'array', items: named('webhook') } }) }, errors: PROOF },
  { method: 'post', path: '/v1/shops/{creator}/webhooks', tag: 'shop', summary: 'Makes a webhook; its secret is told this once', security: 'proof', parameters: [creator], body: named('webhook_new'), answers: { 201: named('webhook') }, errors: [...BODY, ...PROOF, 'webhook_refused', 'webhook_limit'] },
  { method: 'delete', path: '/v1/shops/{creator}/webhooks/{webhook}', tag: 'shop', summary: 'Ends a webhook', security: 'proof', parameters: [creator, webhook], answers: { 200: object({ done: { const: true } }) }, errors: [...PROOF, 'unknown_webhook'] },
  ...[['secret', 'A new secret; for a day signatures by the old one stand beside', named('webhook')], ['enable', 'Serves a webhook again that was switched off', named('webhook')], ['test', 'Sends a test', { type: 'object', description: 'a line of `webhook_deliveries`' }]].map(([what, summary, answer]) => ({
    method: 'post', path: `/v1/shops/{creator}/webhooks/{webhook}/${what}`, tag: 'shop', summary, security: 'proof', parameters: [creator, webhook], answers: { 200: answer }, errors: [...PROOF, 'unknown_webhook', ...(what === 'test' ? ['webhook_disabled', 'too_many'] : [])],
  })),
  { method: 'get', path: '/v1/shops/{creator}/webhooks/{webhook}/deliveries', tag: 'shop', summary: 'The last hundred deliveries', security: 'proof', parameters: [creator, webhook], answers: { 200: named('webhook_deliveries') }, errors: [...PROOF, 'unknown_webhook'] },
  { method: 'post', path: '/v1/shops/{creator}/webhooks/{webhook}/deliveries/{seq}/resend', tag: 'shop', summary: 'Sends the same message once more', security: 'proof', parameters: [creator, webhook, path('seq', count)], answers: { 200: { type: 'object', description: 'a line of `webhook_deliveries`' } }, errors: [...PROOF, 'unknown_webhook', 'webhook_disabled', 'too_many'] },

  { method: 'post', path: '/v1/quotes', tag: 'buying', summary: 'A price in dollars and millisatoshi, held five minutes', body: object({ work: WORK, usd_micros: count }, ['usd_micros']), answers: { 200: named('quote') }, errors: [...BODY, ...WORKS, 'sold_out', 'rate_stale'] },
  { method: 'post', path: '/v1/orders', tag: 'buying', summary: 'Buys: the same order is never charged twice', body: object({ order: jws, pickup: { type: 'boolean' } }, ['pickup']), answers: { 200: named('order_answer'), 202: named('order_pending') }, errors: [...BODY, ...SIGNED, ...WORKS, 'quote_invalid', 'quote_expired', 'insufficient_balance', 'delegation_expired', 'scope_missing', 'cap_exceeded', 'order_conflict', 'order_expired', 'own_work', 'sold_out', 'too_many'] },
  { method: 'get', path: '/v1/orders/{order}', tag: 'buying', summary: 'What became of an order, for the key in its cnf', security: 'proof', parameters: [path('order', ORDER)], answers: { 200: object({ status: { enum: ['waiting', 'pending', 'posted'] }, receipt: jws }, ['receipt']) }, errors: PROOF },
  { method: 'post', path: '/v1/keys', tag: 'buying', summary: 'The content key of what was bought', security: 'receipt', body: object({}), answers: { 200: object({ work: WORK, version: count, content_key: b64 }) }, errors: [...BODY, ...PROOF, 'receipt_invalid', 'not_entitled', 'streaming_only', 'work_taken_down'] },
  ...['keys', 'sessions'].flatMap((kind) => ['get', 'post'].map((method) => ({
    method, path: `/v1/${kind}/{work}`, tag: 'buying', paid: true, parameters: [work],
    summary: kind === 'keys' ? 'Pays by x402 or Payment, or with a receipt: the receipt and the content key' : 'The same for works that are streamed: the receipt, which opens sessions',
    answers: { 200: object({ work: WORK, version: count, msat: count, rights: { enum: ['download', 'stream'] }, receipt: jws, content_key: b64 }, ['content_key']), 202: named('order_pending') },
    errors: [...PROOF, ...SIGNED, ...WORKS, 'payment_required', 'payment_invalid', 'insufficient_balance', 'quote_invalid', 'quote_expired', 'order_expired', 'receipt_invalid', 'delegation_expired', 'scope_missing', 'cap_exceeded', 'order_conflict', 'own_work', 'not_entitled', 'sold_out', 'too_many', 'rate_stale'],
  }))),

  { method: 'post', path: '/v1/sessions', tag: 'streaming', summary: 'Opens a streaming session', security: 'receipt', body: object({ window: count }, ['window']), answers: { 201: object({ session: handle20('ses'), capability: text, expires: count, windows: count, window_ms: count, allowance, key: b64 }, ['key']) }, errors: [...BODY, ...PROOF, 'receipt_invalid', 'not_entitled', 'not_streaming', 'proof_replayed', 'work_taken_down', 'too_many'] },
  { method: 'post', path: '/v1/hls', tag: 'streaming', summary: 'Opens a session for standard players: the address of a playlist', security: 'receipt', body: object({}), answers: { 201: object({ session: handle20('ses'), url: text, expires: count, allowance }) }, errors: [...BODY, ...PROOF, 'receipt_invalid', 'not_entitled', 'hls_not_allowed', 'not_streaming', 'proof_replayed', 'work_taken_down', 'too_many'] },
  { method: 'post', path: '/v1/sessions/{session}/windows/{window}', tag: 'streaming', summary: 'The key of a window', security: 'capability', parameters: [path('session', handle20('ses')), path('window', count)], body: object({}), answers: { 200: object({ window: count, key: b64, capability: text, expires: count, allowance }) }, errors: [...BODY, ...PROOF, 'capability_invalid', 'capability_expired', 'capability_elsewhere', 'not_entitled', 'proof_replayed', 'session_ended', 'window_limit', 'work_taken_down'] },

  { method: 'post', path: '/v1/accounts/{account}/delegations', tag: 'accounts', summary: 'Lets a key act for the account', parameters: [account], body: object({ delegation: jws }), answers: { 200: object({ account: b64, key: b64, expires: count }) }, errors: [...BODY, ...SIGNED, 'delegation_expired', 'too_many'] },
  { method: 'get', path: '/v1/accounts/{account}/delegations', tag: 'accounts', summary: 'Keys that may act: the one that asks, or with scope read all', security: 'proof', parameters: [account], answers: { 200: object({ keys: { type: 'array', items: object({ x: b64, allows: object({ epoch: count, issued: count, expires: count, spend: { type: 'boolean' }, read: { type: 'boolean' }, max_order: { type: ['integer', 'null'] }, max_total: count, max_day: count, backup: text }, ['max_total', 'max_day', 'backup']), spent: object({ day: count, total: count }) }) } }) }, errors: [...PROOF, 'delegation_expired'] },
  { method: 'post', path: '/v1/grants', tag: 'accounts', summary: 'Lets a key act for the account, and leaves the delegation for that key to find', body: object({ delegation: jws }), answers: { 201: object({ account: b64, key: b64, expires: count }) }, errors: [...BODY, ...SIGNED, 'delegation_expired', 'too_many'] },
  { method: 'get', path: '/v1/grants/{key}', tag: 'accounts', summary: 'What a key was given in the last hour, for that key', security: 'proof', parameters: [path('key', b64, 'thumbprint')], answers: { 200: object({ status: { enum: ['waiting', 'posted'] }, delegation: jws }, ['delegation']) }, errors: PROOF },
  { method: 'post', path: '/v1/accounts/{account}/sign-out', tag: 'accounts', summary: 'Ends every delegation', parameters: [account], body: object({ sign_out: jws }), answers: { 200: object({ account: b64, epoch: count }) }, errors: [...BODY, ...SIGNED, 'delegation_expired'] },
  { method: 'get', path: '/v1/accounts/{account}', tag: 'accounts', summary: 'Balances', security: 'proof', parameters: [account], answers: { 200: named('account') }, errors: DELEGATED },
  { method: 'get', path: '/v1/accounts/{account}/purchases', tag: 'accounts', summary: 'What the account owns, newest first', security: 'proof', parameters: [account, query('after', text, 'next of the page before')], answers: { 200: named('purchases') }, errors: DELEGATED },
  { method: 'get', path: '/v1/accounts/{account}/transfers', tag: 'accounts', summary: 'The journal', security: 'proof', parameters: [account, query('after', count, 'oldest first, after this line'), query('before', count, 'newest first, before this line')], answers: { 200: named('transfers') }, errors: DELEGATED },
  { method: 'get', path: '/v1/accounts/{account}/transfers.csv', tag: 'accounts', summary: 'The journal as CSV (RFC 4180)', security: 'proof', parameters: [account, query('after', count)], answers: { 200: { 'text/csv': text } }, errors: DELEGATED },
  { method: 'post', path: '/v1/accounts/{account}/test-money', tag: 'accounts', summary: 'Test money, on a test ledger', security: 'proof', parameters: [account], body: object({ id: handle20('fnd'), msat: count }), answers: { 200: object({ balance_msat: count, replayed: { type: 'boolean' } }) }, errors: [...BODY, ...DELEGATED, 'not_found'] },
  { method: 'post', path: '/v1/refunds', tag: 'accounts', summary: 'Pays a sale back, in full or in part', body: object({ refund: jws }), answers: { 200: named('refund_answer'), 202: named('refund_answer') }, errors: [...BODY, ...SIGNED, 'delegation_expired', 'scope_missing', 'unknown_sale', 'refund_conflict', 'refund_exceeds', 'refund_unfunded', 'too_many'] },
  { method: 'post', path: '/v1/operator', tag: 'operator', summary: "The operator's command", body: object({ command: jws }), answers: { 200: { type: 'object' } }, errors: [...BODY, ...SIGNED, 'unknown_work', 'not_published', 'order_conflict', 'refund_unfunded'] },
].map((route) => ({ ...route, errors: [...new Set([...route.errors, ...ALWAYS])] }));
