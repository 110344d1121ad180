// Window keys of a streamed work. Each answer carries a fresh capability for the next request, so requests go one
// after another; a capability that died of a long pause is replaced by a new session without a word.
import { b64uDecode } from '../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { sleep } from '../../../sdk/js/src/client.js';

const RETRIES_MS = [400, 1500, 4000];
const EXPIRED = new Set(['capability_expired', 'capability_invalid', 'capability_elsewhere']);

export class WindowKeys {
  #keys = new Map();
  #queue = Promise.resolve();
  #session = null;

  /**
   * @param {{client: import('../../../sdk/js/src/client.js').SatchelClient, receipt: string,
   *   key: import('../../../sdk/js/src/keys.js').Key, onWait?: (seconds: number) => void}} options
   *   `onWait` hears when the issuer asks for patience
   */
  constructor({ client, receipt, key, onWait = () => {} }) {
    this.client = client;
    this.receipt = receipt;
    this.deviceKey = key;
    this.onWait = onWait;
  }

  /** After `session_ended`: the next request starts a new session. */
  restart() {
    this.#session = null;
  }

  /** @param {number} window @param {AbortSignal} [signal] @returns {Promise<Uint8Array>} 32 bytes */
  key(window, signal) {
    const turn = this.#queue.then(async () => {
      if (!this.#keys.has(window)) this.#keys.set(window, await this.#ask(window, signal));
      return this.#keys.get(window);
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #ask(window, signal) {
    let failures = 0;
    for (;;) {
      if (signal?.aborted) throw new SatchelError('aborted', 'Stopped');
      try {
        if (!this.#session) {
          // The first key comes with the session: one round trip before the first sound.
          const opened = await this.client.session(this.receipt, this.deviceKey, { window, signal });
          this.#session = { session: opened.session, capability: opened.capability };
          if (opened.key) return b64uDecode(opened.key, 32);
        }
        const { session, capability } = this.#session;
        const answer = await this.client.windowKey(session, window, capability, this.deviceKey, { signal });
        this.#session = { session, capability: answer.capability };
        return b64uDecode(answer.key, 32);
      } catch (error) {
        if (EXPIRED.has(error.code) && failures === 0) {
          this.#session = null;
        } else if (error.code === 'window_limit' || error.status === 429) {
          const seconds = Math.min(Math.max(error.retryAfter, 1), 60);
          this.onWait(seconds);
          await sleep(seconds * 1000, signal);
          // Patience is not failure: the allowance grows with time.
          continue;
        } else if ((error.code === 'network' || error.status >= 500) && failures < RETRIES_MS.length) {
          await sleep(RETRIES_MS[failures], signal);
        } else {
          throw error;
        }
        failures += 1;
      }
    }
  }
}
