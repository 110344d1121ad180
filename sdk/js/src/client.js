// Thin wrappers of docs/API.md §3. Each returns the answer's JSON and throws `SatchelError` with the
// members of RFC 9457. What failed is not retried here: only the caller knows what is safe and how long to wait. What the
// issuer has taken in but not decided (202) is asked again with the very same document, which is never charged twice.
import { b64uEncode } from './bytes.js';
import { SatchelError } from './errors.js';
import { orderId } from './ids.js';
import { signJws } from './jws.js';
import { makeProof } from './proof.js';
import { canonicalTerms } from './terms.js';

const unix = () => Math.floor(Date.now() / 1000);
/** How long a signed command or order is good for, seconds. Orders must outlive the walk through a wallet. */
const COMMAND_LIFE = 900;
const ORDER_LIFE = 3600;
/** Pauses between asking again what is not decided, milliseconds. */
const PENDING = { first: 250, grow: 1.6, most: 4000, end: 120_000 };

/** @typedef {import('./keys.js').Key} Key */
/** @typedef {{account: string, bps: number}} Split a collaborator's share of what is left of a price after the fee, hundredths of a percent */
/** @typedef {{description?: string, cover?: {url: string, width: number, height: number, media_type: string}, suggest?: number[], monetization?: string}} Listing shown with a work (docs/API.md §2) */

/** @param {Record<string, string|number|undefined>} members @returns {string} */
function queryOf(members) {
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

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
  async request(method, path, options) {
    return (await this.#ask(method, path, options)).data;
  }

  /** @returns {Promise<{answer: Response, text: string, data: any}>} `data` is undefined where the answer is no JSON and `json` is false */
  async #ask(method, path, { body, key, token, signal, json = true } = {}) {
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
    if (answer.ok && (data !== undefined || !json)) return { answer, text, data };
    const { code, title, detail, next, status: _, type: __, ...members } = data ?? {};
    throw new SatchelError(code ?? 'unavailable', title ?? 'The shop did not answer as expected', {
      status: answer.status,
      detail: detail ?? (code ? '' : `HTTP ${answer.status}`),
      next: next ?? 'Try again in a moment.',
      retryAfter: Number(answer.headers.get('retry-after')) || 0,
      members,
    });
  }

  /** Sends the same body until it is decided. @param {string} path @param {object} body @param {{signal?: AbortSignal, timeout?: number, onPending?: () => void}} options */
  async #decided(path, body, { signal, timeout = PENDING.end, onPending }) {
    const end = Date.now() + timeout;
    for (let pause = PENDING.first; ; pause = Math.min(pause * PENDING.grow, PENDING.most)) {
      const answer = await this.request('POST', path, { body, signal });
      if (answer.status !== 'pending') return answer;
      onPending?.();
      if (Date.now() + pause > end) {
        throw new SatchelError('order_pending', 'The shop has not decided yet', { next: 'Send the same again in a moment; it is never charged twice.' });
      }
      await sleep(pause, signal);
    }
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
   * Sending the same order twice is safe: the id is the idempotency key. One that is not decided yet is sent again, the
   * very same, until it is: nobody is asked to pay anew.
   * @param {string} jws
   * @param {{pickup?: boolean, signal?: AbortSignal, timeout?: number, onPending?: () => void}} [options] `pickup: false` where
   *   nobody will poll for the receipt; `timeout` in milliseconds
   * @returns {Promise<{status: 'posted', replayed: boolean, owned: boolean, order: string, receipt: string}>}
   * @throws {SatchelError} `sold_out` (`members.of` is `limit` or `giveaway`; nothing was paid), `order_pending` after `timeout`
   */
  order(jws, { pickup, ...options } = {}) {
    return this.#decided('/v1/orders', pickup === undefined ? { order: jws } : { order: jws, pickup }, options);
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

  /**
   * @param {string} receipt @param {Key} key
   * @param {{window?: number, signal?: AbortSignal}} [options] `window`: its key comes with the answer, if it may be opened now
   * @returns {Promise<{session: string, capability: string, expires: number, windows: number, window_ms: number, allowance: object, key?: string}>}
   */
  session(receipt, key, { window, signal } = {}) {
    return this.request('POST', '/v1/sessions', { body: window === undefined ? {} : { window }, key, token: receipt, signal });
  }

  /**
   * A playlist for players that cannot decrypt (Safari without MSE, VLC, televisions), where the creator allows it. Whoever has the
   * address can play while the session lasts.
   * @param {string} receipt @param {Key} key @returns {Promise<{session: string, url: string, expires: number, allowance: object}>}
   * @throws {SatchelError} `hls_not_allowed`
   */
  hls(receipt, key, { signal } = {}) {
    return this.request('POST', '/v1/hls', { body: {}, key, token: receipt, signal });
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
   * @param {{title: string, mediaType: string, terms: import('./format.js').Terms, payee: string, splits?: Split[], listing?: Listing}} details `payee` is an account
   * @returns {Promise<object>} the record
   */
  async register(key, work, { title, mediaType, terms, payee, splits, listing }) {
    const command = await this.#command(key, 'register', work, { title, media_type: mediaType, terms: canonicalTerms(terms), payee, splits, listing });
    return this.request('POST', '/v1/works', { body: { command } });
  }

  /** @param {Key} key @param {{work: string, nonce: Uint8Array}} work @param {{version?: number, size: number}} file bytes of the satchel @returns {Promise<{upload: string, key: string, part_size: number, parts: number, size: number, expires: number}>} */
  async startUpload(key, work, { version = 1, size }) {
    return this.request('POST', '/v1/uploads', { body: { command: await this.#command(key, 'upload', work, { version, size }) } });
  }

  /**
   * @param {Key} key the creator's @param {string} upload
   * @param {{method: 'POST'|'PUT'|'GET'|'DELETE', key: string, uploadId?: string, partNumber?: number, contentType?: string, partNumbers?: number[],
   *   sent?: {partNumber: number, etag: string}[]}} request Uppy's; `partNumbers` asks for up to 100 parts at once; `sent` tells of parts that have
   *   arrived, so that they are known after a reload also where the storage lists none
   * @returns {Promise<{url: string, key?: string, headers?: Record<string, string>, urls?: string[], sent?: {partNumber: number, etag: string}[]}>}
   *   `headers` must be sent exactly so; `urls` for `partNumbers`; `sent` when parts are listed (`GET`)
   */
  signUpload(key, upload, request, { signal } = {}) {
    return this.request('POST', `/v1/uploads/${upload}/sign`, { body: request, key, signal });
  }

  /**
   * Where to send a cover, and where it can be seen then (for `listing.cover`).
   * @param {Key} key @param {{work: string, nonce: Uint8Array}} work
   * @param {{size: number, mediaType: 'image/webp'|'image/jpeg'|'image/png', sha256: Uint8Array}} picture
   * @returns {Promise<{url: string, headers: Record<string, string>, cover_url: string}>} a `PUT` of these very bytes, with these headers
   */
  async startCover(key, work, { size, mediaType, sha256 }) {
    const command = await this.#command(key, 'cover', work, { size, media_type: mediaType, sha256: b64uEncode(sha256) });
    return this.request('POST', `/v1/works/${work.work}/cover`, { body: { command } });
  }

  /** Hands the content key to the issuer, once per version. @param {Key} key @param {{work: string, nonce: Uint8Array}} work @param {{version?: number, contentKey: Uint8Array, manifest: string}} details @returns {Promise<{work: string, version: number, stored: true}>} */
  async intake(key, work, { version = 1, contentKey, manifest }) {
    return this.request('POST', '/v1/intake', { body: { command: await this.#command(key, 'intake', work, { version, content_key: b64uEncode(contentKey), manifest }) } });
  }

  /**
   * @param {Key} key @param {{work: string, nonce: Uint8Array}} work
   * @param {{version?: number, manifest: string, terms: import('./format.js').Terms, splits?: Split[], listing?: Listing}} details splits and
   *   listing that are left out stay what they are; `[]` and `{}` clear them
   * @returns {Promise<object>} the record
   */
  async publish(key, work, { version = 1, manifest, terms, splits, listing }) {
    return this.request('POST', `/v1/works/${work.work}/publish`, { body: { command: await this.#command(key, 'publish', work, { version, manifest, terms: canonicalTerms(terms), splits, listing }) } });
  }

  /**
   * Changes how a work is offered, without a new upload. What is left out is cleared; copies bought before stay what they are.
   * @param {Key} key @param {{work: string, nonce: Uint8Array}} work
   * @param {{title: string, terms: import('./format.js').Terms, splits?: Split[], listing?: Listing}} details `terms.use` stays that of the version on sale
   * @returns {Promise<object>} the record
   */
  async update(key, work, { title, terms, splits, listing }) {
    return this.request('POST', `/v1/works/${work.work}/update`, { body: { command: await this.#command(key, 'update', work, { title, terms: canonicalTerms(terms), splits, listing }) } });
  }

  /** Takes a work off sale, or puts it back; owners keep it. @param {Key} key @param {{work: string, nonce: Uint8Array}} work @param {'published'|'unpublished'} state @returns {Promise<object>} the record */
  async setState(key, work, state) {
    return this.request('POST', `/v1/works/${work.work}/state`, { body: { command: await this.#command(key, 'set_state', work, { state }) } });
  }

  // ------------------------------------------------------------ the creator's shop

  /** @param {Key} key the creator's @param {string} method @param {string} [path] within the shop @param {object} [options] @returns {Promise<any>} */
  #shop(key, method, path = '', options = {}) {
    return this.request(method, `/v1/shops/${key.jkt}${path}`, { key, ...options });
  }

  /**
   * Works with their records and sums, newest first.
   * @param {Key} key the creator's @param {{after?: number, signal?: AbortSignal}} [options] `after`: `next` of the page before
   * @returns {Promise<{creator: string, totals: object, n: number, works: object[], next?: number}>}
   */
  shop(key, { after, signal } = {}) {
    return this.#shop(key, 'GET', queryOf({ after }), { signal });
  }

  /** Hides a deleted work, or shows it again; take it off sale with `setState`. @param {Key} key @param {string} work @param {boolean} hidden @returns {Promise<{done: true}>} */
  hideWork(key, work, hidden) {
    return this.#shop(key, 'POST', `/works/${work}`, { body: { hidden } });
  }

  /** Newest first, 50 a page. @param {Key} key @param {{after?: number, work?: string, signal?: AbortSignal}} [options] @returns {Promise<{sales: {n: number, sale: object, refunded_msat: number}[], next?: number}>} */
  shopSales(key, { after, work, signal } = {}) {
    return this.#shop(key, 'GET', `/sales${queryOf({ after, work })}`, { signal });
  }

  /** Sums by day in UTC. @param {Key} key @param {{work?: string, days?: number, signal?: AbortSignal}} [options] @returns {Promise<{from: string, to: string, days: {day: string, totals: object}[], months: {day: string, totals: object}[]}>} */
  shopStats(key, { work, days, signal } = {}) {
    return this.#shop(key, 'GET', `/stats${queryOf({ work, days })}`, { signal });
  }

  /** Waits up to 25 s for what happens next. @param {Key} key @param {{after?: number, signal?: AbortSignal}} [options] without `after`: only where to begin @returns {Promise<{events: object[], next: number}>} */
  shopEvents(key, { after, signal } = {}) {
    return this.#shop(key, 'GET', `/events${queryOf({ after })}`, { signal });
  }

  /** @param {Key} key @returns {Promise<{webhooks: object[]}>} */
  webhooks(key, { signal } = {}) {
    return this.#shop(key, 'GET', '/webhooks', { signal });
  }

  /** @param {Key} key @param {{url: string, events?: string[]}} hook @returns {Promise<object>} with its `secret`, which is told this once */
  addWebhook(key, hook) {
    return this.#shop(key, 'POST', '/webhooks', { body: hook });
  }

  /** @param {Key} key @param {string} id @returns {Promise<{done: true}>} */
  deleteWebhook(key, id) {
    return this.#shop(key, 'DELETE', `/webhooks/${id}`);
  }

  /** @param {Key} key @param {string} id @param {'secret'|'enable'|'test'} what a new secret (for a day the old one signs too), service again, a test message @returns {Promise<object>} */
  changeWebhook(key, id, what) {
    return this.#shop(key, 'POST', `/webhooks/${id}/${what}`, { body: {} });
  }

  /** The last hundred, newest first. @param {Key} key @param {string} id @returns {Promise<{deliveries: object[]}>} */
  deliveries(key, id, { signal } = {}) {
    return this.#shop(key, 'GET', `/webhooks/${id}/deliveries`, { signal });
  }

  /** @param {Key} key @param {string} id @param {number} seq @returns {Promise<object>} the new delivery, of the same message */
  resend(key, id, seq) {
    return this.#shop(key, 'POST', `/webhooks/${id}/deliveries/${seq}/resend`, { body: {} });
  }

  // ------------------------------------------------------------ accounts

  /** @param {string} account @param {string} delegation JWS of `makeDelegation` @returns {Promise<{account: string, key: object, expires: number}>} */
  delegate(account, delegation) {
    return this.request('POST', `/v1/accounts/${account}/delegations`, { body: { delegation } });
  }

  /**
   * Keys that act for an account: itself, or with scope `read` all of them.
   * @param {string} account @param {Key} key
   * @returns {Promise<{keys: {x: string, allows: {epoch: number, issued: number, expires: number, spend: boolean, read: boolean, max_order: number|null,
   *   max_total?: number, max_day?: number, backup?: string}, spent: {day: number, total: number}}[]}>} those that have not expired
   */
  keys(account, key, { signal } = {}) {
    return this.request('GET', `/v1/accounts/${account}/delegations`, { key, signal });
  }

  /** As `delegate`, and leaves it for its key, which need not know the account. @param {string} delegation JWS @returns {Promise<{account: string, key: string, expires: number}>} */
  grant(delegation) {
    return this.request('POST', '/v1/grants', { body: { delegation } });
  }

  /** What a key was given: read it with `readDelegation`. @param {Key} key @returns {Promise<{status: 'waiting'|'posted', delegation?: string}>} */
  granted(key, { signal } = {}) {
    return this.request('GET', `/v1/grants/${key.jkt}`, { key, signal });
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

  /**
   * One page of the account's journal: newest first, or oldest first after a line.
   * @param {string} account @param {Key} key with scope `read`
   * @param {{after?: number, before?: number, signal?: AbortSignal}} [options] one of them: `next` of the page before
   * @returns {Promise<{transfers: object[], next?: number}>}
   */
  transfers(account, key, { after, before, signal } = {}) {
    const query = after === undefined ? (before === undefined ? '' : `?before=${before}`) : `?after=${after}`;
    return this.request('GET', `/v1/accounts/${account}/transfers${query}`, { key, signal });
  }

  /**
   * The whole journal, oldest first, whatever number of pages it has.
   * @param {string} account @param {Key} key with scope `read`
   * @param {{format?: 'json'|'csv', signal?: AbortSignal}} [options]
   * @returns {Promise<object[]|string>} lines, or the text of a CSV file (RFC 4180) with one line of headings
   */
  async statement(account, key, { format = 'json', signal } = {}) {
    const csv = format === 'csv';
    const path = `/v1/accounts/${account}/transfers${csv ? '.csv' : ''}`;
    const pages = [];
    // A page that leads back to itself must not be read for ever.
    for (let after = 0, next; after !== undefined; after = next) {
      const { answer, text, data } = await this.#ask('GET', `${path}?after=${after}`, { key, signal, json: !csv });
      if (csv) pages.push(pages.length === 0 ? text : withoutHeadings(text, pages[0]));
      else pages.push(...data.transfers);
      next = csv ? nextOf(answer.headers.get('link')) : data.next;
      const onwards = next === undefined || (Number.isSafeInteger(next) && next > after);
      if (!onwards) throw new SatchelError('unavailable', 'The shop did not answer as expected', { detail: 'a page of the statement leads back', next: 'Try again in a moment.' });
    }
    return csv ? pages.join('') : pages;
  }

  /** Ends every delegation. @param {string} account @param {string} sign_out JWS of `makeSignOut` @returns {Promise<{account: string, epoch: number}>} */
  signOut(account, sign_out) {
    return this.request('POST', `/v1/accounts/${account}/sign-out`, { body: { sign_out } });
  }

  /**
   * Signs a refund without sending it. The same purchase and `seq` are the same refund, whatever is signed anew.
   * @param {{key: Key, account: string, purchase: string, seq?: number, msat: number, ledger: 'test'|'live'}} options `key` is delegated
   *   with scope `spend` by the account that was paid; `purchase` is the handle the buyer reads in their wallet
   * @returns {Promise<string>} JWS
   */
  makeRefund({ key, account, purchase, seq = 1, msat, ledger }) {
    const iat = this.now();
    return signJws(key, { typ: 'satchel-refund+jws', kid: key.jkt }, { aud: this.issuer, account, purchase, seq, msat, ledger, iat, exp: iat + COMMAND_LIFE });
  }

  /**
   * Sends a refund until it is decided; sending it twice is safe.
   * @param {string} jws @param {{signal?: AbortSignal, timeout?: number, onPending?: () => void}} [options]
   * @returns {Promise<{status: 'posted', replayed: boolean, refund: string, msat: number, fee_returned_msat: number}>}
   * @throws {SatchelError} `refund_exceeds` (`members.left_msat`), `refund_unfunded`, `refund_conflict`, `unknown_sale`
   */
  refund(jws, options = {}) {
    return this.#decided('/v1/refunds', { refund: jws }, options);
  }

  /** Only on test ledgers. @param {string} account @param {Key} key with scope `spend` @param {{id: string, msat: number}} funding `id` from `fundingId()`: a retry with it adds nothing @returns {Promise<{balance_msat: number, replayed: boolean}>} */
  testMoney(account, key, { id, msat }) {
    return this.request('POST', `/v1/accounts/${account}/test-money`, { body: { id, msat }, key });
  }
}

/** The cursor of `Link: <…?after=n>; rel="next"` (RFC 8288). @param {string|null} link @returns {number|undefined} */
function nextOf(link) {
  const address = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  const after = address && new URL(address, 'https://issuer.invalid').searchParams.get('after');
  return after ? Number(after) : undefined;
}

/** A page of CSV without its line of headings, if it has the first page's. @param {string} page @param {string} first */
function withoutHeadings(page, first) {
  const headings = first.slice(0, first.indexOf('\n') + 1);
  return headings !== '' && page.startsWith(headings) ? page.slice(headings.length) : page;
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
