/**
 * The one error class of this package. It mirrors RFC 9457 as docs/API.md §4 uses it, so that a
 * page handles an answer of the issuer and a refusal of this code the same way.
 */
export class SatchelError extends Error {
  /**
   * @param {string} code stable, e.g. `quote_expired`, `malformed`; never shown as it is
   * @param {string} title for people
   * @param {{status?: number, detail?: string, next?: string, retryAfter?: number, cause?: unknown,
   *          members?: object}} [more] `next` says what to do; `retryAfter` is seconds;
   *          `members` are the problem's further members (e.g. `balance_msat`)
   */
  constructor(code, title, more = {}) {
    super(more.detail ? `${title}: ${more.detail}` : title, { cause: more.cause });
    this.name = 'SatchelError';
    this.code = code;
    this.title = title;
    this.status = more.status ?? 0;
    this.detail = more.detail ?? '';
    this.next = more.next ?? '';
    this.retryAfter = more.retryAfter ?? 0;
    this.members = more.members ?? {};
  }
}

/** Shorthand for data that is not of the stated shape. @param {string} detail @returns {SatchelError} */
export function malformed(detail) {
  return new SatchelError('malformed', 'This is not valid Satchel data', { detail, next: 'Get the file or link again from its source.' });
}

/** @param {unknown} condition @param {string} detail what is wrong when the condition is false */
export function check(condition, detail) {
  if (!condition) throw malformed(detail);
}
