// A new version of a work that is for sale: the same id, so the same nonce; a new key and a new digest.
import { b64uDecode } from '../../../../sdk/js/src/bytes.js';
import { SatchelError } from '../../../../sdk/js/src/errors.js';
import { openHeader } from '../../../../sdk/js/src/format.js';
import { workId } from '../../../../sdk/js/src/ids.js';
import { usdText } from '../../../../sdk/js/src/money.js';
import { said } from './problems.js';
import { t } from './words.js';
import { readWork } from './works.js';

/** Where this browser did not make the work, its nonce is in the front of the satchel, for everybody to read. */
async function nonceOf({ versions, version }) {
  const { url } = versions.find((one) => one.version === version) ?? versions.at(-1);
  const read = async (from, to) => {
    const answer = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` }, credentials: 'omit' });
    if (!answer.ok) throw new SatchelError('network', t.notNamed, { status: answer.status });
    return new Uint8Array(await answer.arrayBuffer());
  };
  return b64uDecode((await openHeader(read)).manifest.work_nonce, 16);
}

/** What the form says of terms that are for sale now. */
const formOf = ({ title, terms, listing = {} }) => ({
  title, price: usdText(terms.usd_micros), use: terms.use, payMore: terms.pay_more, description: listing.description ?? '',
  suggest: (listing.suggest ?? []).map(usdText), giveaway: String(terms.giveaway ?? ''), limit: String(terms.limit ?? ''),
});

/**
 * @param {string} id @param {import('../main.js').Context} context
 * @returns {Promise<import('./works.js').Work>} a draft of the next version, without a file
 * @throws {SatchelError} `not_yours`, or why the record could not be read
 */
export async function nextVersion(id, { client, wallet, config }) {
  const [record, known] = await Promise.all([client.record(id), readWork(id)]);
  const nonce = known?.nonce ?? (await nonceOf(record));
  if ((await workId(wallet.creator.jwk, nonce)) !== id) throw said('not_yours', t.notNamed, { next: t.notNamedNext });
  const { title, terms, version, listing } = record;
  // The form asks for these two; a cover stays until another one is chosen, and so does what the shop has set.
  const { description: _, suggest: __, ...listed } = listing ?? {};
  const replaces = { work: id, nonce, issuer: config.issuer, version, created: known?.created ?? Date.now(), title, terms, size: known?.size ?? record.versions.at(-1)?.size ?? 0, state: 'published' };
  return { work: id, nonce, issuer: config.issuer, version: version + 1, replaces, created: Date.now(), state: 'draft', title, terms, listed, form: formOf(record) };
}
