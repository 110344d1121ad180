// Thin wrappers of docs/API.md §3. Each returns the answer's JSON and throws `SatchelError` with the
// members of RFC 9457. Nothing is retried here: only the caller knows what is safe and how long to wait.
import { b64uEncode } from './bytes.js';
import { SatchelError } from './errors.js';
import { orderId } from './ids.js';
import { signJws } from './jws.js';
import { makeProof } from './proof.js';

const unix = () => Math.floor(Date.now() / 1000);
/** How long a signed command or order is good for, seconds. Orders must outlive the walk through a wallet. */
const COMMAND_LIFE = 900;
const ORDER_LIFE = 3600;

/** @typedef {import('./keys.js').Key} Key */

export class SatchelClient {
  /**
   * @param {{issuer: string, base?: string, fetch?: typeof fetch, now?: () => number}} options `issuer` is the origin
   *   named in documents and proofs; `base` where requests go (the wallet host serves the same routes); `now` gives Unix seconds
   */
  constructor({ issuer, base = issuer, fetch: fetcher, now = unix }) {
    this.issuer = issuer;
    this.base = base;
    this.fetch = fetcher ?? ((...args) => fetch(...args));
    this.now = now;
  }

  /**
   * One request.
   * @param {string} method @param {string} path with query, if any
   * @param {{body?: object, key?: Key, token?: string, signal?: AbortSignal}} [options] `key` proves possession; `token` goes with it
   * @returns {Promise<any>}
   * @throws {SatchelError} the issuer's problem; `network` when nothing answered; `aborted`
   */
  async request(method, path, { body, key, token, signal } = {}) {
    const headers = {};
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (key) headers.dpop = await makeProof(key, { issuer: this.issuer, method, path, token, now: this.now() });
    if (token !== undefined) headers.authorization = `DPoP ${token}`;
    let answer;
    let text;
    try {
      answer = await this.fetch(this.base + path, { method, headers, body: body && JSON.stringify(body), signal, credentials: 'omit', cache: 'no-store', redirect: 'error' });
      text = await answer.text();
    } catch (cause) {
      if (signal?.aborted) throw new SatchelError('aborted', 'Stopped', { cause });
      throw new SatchelError('network', 'No connection to the shop', { detail: this.base, next: 'Check the connection and try again; nothing is lost.', cause });
    }
    let data;
    try {
      data = JSON.parse(text);
    } catch { /* answered below: not JSON */ }
    if (answer.ok && data !== undefined) return data;
    const { code, title, detail, next, status: _, type: __, ...members } = data ?? {};
    throw new SatchelError(code ?? 'unavailable', title ?? 'The shop did not answer as expected', {
      status: answer.status,
      detail: detail ?? (code ? '' : `HTTP ${answer.status}`),
      next: next ?? 'Try again in a moment.',
      retryAfter: Number(answer.headers.get('retry-after')) || 0,
      members,
    });
  }

  // ------------------------------------------------------------ buying

  /** @param {string} work @param {{usdMicros?: number, signal?: AbortSignal}} [options] @returns {Promise<object>} the quote with its price */
  quote(work, { usdMicros, signal } = {}) {
    return this.request('POST', '/v1/quotes', { body: usdMicros === undefined ? { work } : { work, usd_micros: usdMicros }, signal });
  }

  /**
   * Signs an order without sending it: store it first, then send it as often as needed.
   * @param {{key: Key, account: string, quote: object, cnf: string, order?: string}} options `key` is delegated with scope
   *   `spend`; `quote` is the answer of `quote()`; `cnf` the thumbprint of the key the receipt is for; `order` its id if made already
   * @returns {Promise<{order: string, jws: string}>}
   */
  async makeOrder({ key, account, quote, cnf, order }) {
    const id = order ?? (await orderId(quote.work));
    const iat = this.now();
    const jws = await signJws(key, { typ: 'satchel-order+jws', kid: key.jkt }, {
      aud: this.issuer, order: id, account, work: quote.work, version: quote.version, terms_digest: quote.terms_digest,
      usd_micros: quote.usd_micros, msat: quote.msat, quote: quote.quote, cnf: { jkt: cnf }, iat, exp: iat + ORDER_LIFE, ledger: quote.ledger,
    });
    return { order: id, jws };
  }

  /**
   * Sending the same order twice is safe: the id is the idempotency key.
   * @param {string} jws
   * @param {{pickup?: boolean, signal?: AbortSignal}} [options] `pickup: false` where nobody will poll for the receipt
   * @returns {Promise<{status: string, replayed: boolean, owned: boolean, order: string, receipt: string}>}
   */
  order(jws, { pickup, signal } = {}) {
    return this.request('POST', '/v1/orders', { body: pickup === undefined ? { order: jws } : { order: jws, pickup }, signal });
  }

  /** @param {string} order @param {Key} key the one the order names in `cnf` @returns {Promise<{status: 'waiting'|'pending'|'posted', receipt?: string}>} */
  orderStatus(order, key, { signal } = {}) {
    return this.request('GET', `/v1/orders/${order}`, { key, signal });
  }

  /**
   * Asks until the order is posted. "Unknown" is never taken for "failed": only `signal` or `timeout` end it.
   * @param {string} order @param {Key} key
   * @param {{signal?: AbortSignal, timeout?: number, interval?: number, onStatus?: (status: string) => void}} [options] milliseconds
   * @returns {Promise<string>} the receipt
   * @throws {SatchelError} `aborted`, `still_waiting`, or a refusal other than 404, 429 and 5xx
   */
  async pollOrder(order, key, { signal, timeout = 900_000, interval = 800, onStatus } = {}) {
    const end = Date.now() + timeout;
    for (let wait = interval; ; wait = Math.min(wait * 1.2, 4000)) {
      let pause = wait;
      try {
        const answer = await this.orderStatus(order, key, { signal });
        onStatus?.(answer.status);
        if (answer.status === 'posted' && answer.receipt) return answer.receipt;
      } catch (error) {
        const passing = error.code === 'network' || error.status === 429 || error.status >= 500;
        if (!passing) throw error;
        pause = Math.max(wait, error.retryAfter * 1000);
      }
      if (Date.now() + pause > end) throw new SatchelError('still_waiting', 'No answer from the wallet yet', { next: 'Open the wallet again; the same order continues.' });
      await sleep(pause, signal);
    }
  }

  /** @param {string} receipt @param {Key} key it is bound to @returns {Promise<{work: string, version: number, content_key: string}>} */
  contentKey(receipt, key, { signal } = {}) {
    return this.request('POST', '/v1/keys', { body: {}, key, token: receipt, signal });
  }

  /** @param {string} receipt @param {Key} key @returns {Promise<{session: string, capability: string, expires: number, windows: number, window_ms: number, allowance: object}>} */
  session(receipt, key, { signal } = {}) {
    return this.request('POST', '/v1/sessions', { body: {}, key, token: receipt, signal });
  }

  /** @param {string} session @param {number} window @param {string} capability the newest one @param {Key} key @returns {Promise<{window: number, key: string, capability: string, expires: number, allowance: object}>} */
  windowKey(session, window, capability, key, { signal } = {}) {
    return this.request('POST', `/v1/sessions/${session}/windows/${window}`, { body: {}, key, token: capability, signal });
  }

  /** @returns {Promise<{keys: object[]}>} the issuer's receipt keys */
  jwks() {
    return this.request('GET', '/.well-known/jwks.json');
  }

  // ------------------------------------------------------------ works

  /** @param {string} work @returns {Promise<object>} the record: state, terms, versions */
  record(work, { signal } = {}) {
    return this.request('GET', `/v1/works/${work}`, { signal });
  }

  /** @param {Key} key the creator's @param {string} cmd @param {object} work `{work, nonce: Uint8Array}` @param {object} rest further members @returns {Promise<string>} */
  #command(key, cmd, { work, nonce }, rest) {
    const iat = this.now();
    return signJws(key, { typ: 'satchel-command+jws', kid: key.jkt }, {
      aud: this.issuer, cmd, creator: key.jwk, work, work_nonce: b64uEncode(nonce), iat, exp: iat + COMMAND_LIFE, ...rest,
    });
  }

  /**
   * @param {Key} key the creator's @param {{work: string, nonce: Uint8Array}} work
   * @param {{title: string, mediaType: string, terms: import('./format.js').Terms, payee: string}} details `payee` is an account
   * @returns {Promise<object>} the record
   */
  async register(key, work, { title, mediaType, terms, payee }) {
    const { pay_more, usd_micros, use } = terms;
    const command = await this.#command(key, 'register', work, { title, media_type: mediaType, terms: { pay_more, usd_micros, use }, payee });
    return this.request('POST', '/v1/works', { body: { command } });
  }

  /** @param {Key} key @param {{work: string, nonce: Uint8Array}} work @param {{version?: number, size: number}} file bytes of the satchel @returns {Promise<{upload: string, key: string, part_size: number, parts: number, size: number, expires: number}>} */
  async startUpload(key, work, { version = 1, size }) {
    return this.request('POST', '/v1/uploads', { body: { command: await this.#command(key, 'upload', work, { version, size }) } });
  }

  /**
   * @param {Key} key the creator's @param {string} upload
   * @param {{method: 'POST'|'PUT'|'DELETE', key: string, uploadId?: string, partNumber?: number, contentType?: string}} request Uppy's
   * @returns {Promise<{url: string, key?: string, headers?: Record<string, string>}>}
   */
  signUpload(key, upload, request, { signal } = {}) {
    return this.request('POST', `/v1/uploads/${upload}/sign`, { body: request, key, signal });
  }

  /** Hands the content key to the issuer, once per version. @param {Key} key @param {{work: string, nonce: Uint8Array}} work @param {{version?: number, contentKey: Uint8Array, manifest: string}} details @returns {Promise<{work: string, version: number, stored: true}>} */
  async intake(key, work, { version = 1, contentKey, manifest }) {
    return this.request('POST', '/v1/intake', { body: { command: await this.#command(key, 'intake', work, { version, content_key: b64uEncode(contentKey), manifest }) } });
  }

  /** @param {Key} key @param {{work: string, nonce: Uint8Array}} work @param {{version?: number, manifest: string, terms: import('./format.js').Terms}} details @returns {Promise<object>} the record */
  async publish(key, work, { version = 1, manifest, terms }) {
    const { pay_more, usd_micros, use } = terms;
    return this.request('POST', `/v1/works/${work.work}/publish`, { body: { command: await this.#command(key, 'publish', work, { version, manifest, terms: { pay_more, usd_micros, use } }) } });
  }

  // ------------------------------------------------------------ accounts

  /** @param {string} account @param {string} delegation JWS of `makeDelegation` @returns {Promise<{account: string, key: object, expires: number}>} */
  delegate(account, delegation) {
    return this.request('POST', `/v1/accounts/${account}/delegations`, { body: { delegation } });
  }

  /** @param {string} account @param {Key} key with scope `read` @returns {Promise<object>} balances in msat and the rate */
  account(account, key, { signal } = {}) {
    return this.request('GET', `/v1/accounts/${account}`, { key, signal });
  }

  /** @param {string} account @param {Key} key @param {string} [after] `next` of the page before @returns {Promise<{purchases: object[], next?: string}>} */
  purchases(account, key, after, { signal } = {}) {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
    return this.request('GET', `/v1/accounts/${account}/purchases${query}`, { key, signal });
  }

  /** Only on test ledgers. @param {string} account @param {Key} key with scope `spend` @param {{id: string, msat: number}} funding `id` from `fundingId()`: a retry with it adds nothing @returns {Promise<{balance_msat: number, replayed: boolean}>} */
  testMoney(account, key, { id, msat }) {
    return this.request('POST', `/v1/accounts/${account}/test-money`, { body: { id, msat }, key });
  }
}

/** @param {number} ms @param {AbortSignal} [signal] @returns {Promise<void>} rejects with `aborted` */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new SatchelError('aborted', 'Stopped'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
