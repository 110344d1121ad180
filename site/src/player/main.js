// Opens what was bought: loaded only after a purchase, so the frame stays small before it.
import { SatchelError } from '../../../sdk/js/src/errors.js';
import { parseJws } from '../../../sdk/js/src/jws.js';
import { words } from '../shared/i18n.js';
import { download } from './download.js';
import { isRead } from './kinds.js';
import { openRemote } from './remote.js';
import { WindowKeys } from './session.js';
import { firstWindow, stream, told } from './stream.js';
import { addStyle } from './style.js';
import { text as catalogue } from './text.js';

const t = words(catalogue);
/** Needed of every work: its initialisation data, or what a reader looks at first, lies there. */
const FIRST_WINDOW = 0;

/**
 * @typedef {object} Context
 * @property {HTMLElement} stage where the player goes
 * @property {import('../../../sdk/js/src/client.js').SatchelClient} client
 * @property {import('../../../sdk/js/src/keys.js').Key} key the receipt is bound to
 * @property {string} receipt
 * @property {{version: number, url: string, digest: string}} [shown] what the page was rendered with
 * @property {{satchel: import('../../../sdk/js/src/format.js').Satchel, read: (from: number, to: number, signal?: AbortSignal) => Promise<Uint8Array>}} [file]
 *   the buyer's own copy; the shop's is read only if the receipt is for another version
 * @property {string[]} [mirrors] further addresses of the same packed file, given by the page or its user; tried after the shop's
 * @property {object} [listing] of the record: whether other players are allowed; read from the record where it is not given
 * @property {string} [cover] address of a picture for the lock screen
 * @property {boolean} [mark] shows the receipt's short id on what is streamed
 * @property {boolean} autoplay
 * @property {(message: string) => void} say
 * @property {(error: unknown, retry: () => void) => void} fail
 * @property {(type: 'play') => void} emit
 */

/** The file a receipt speaks of: what the page shows, or an older version from the record. */
async function locate(context, claims) {
  const { client, shown } = context;
  if (shown?.version === claims.version && shown.url) return { url: shown.url, digest: shown.digest };
  const record = await client.record(claims.work);
  context.listing ??= record.listing ?? {};
  const version = record.versions.find((entry) => entry.version === claims.version);
  if (!version) throw new SatchelError('wrong_file', 'The version that was bought is not in the record');
  return { url: version.url, digest: version.manifest_digest };
}

async function fromShop(context, claims) {
  const { url, digest } = await locate(context, claims);
  if (digest !== claims.manifest_digest) throw new SatchelError('wrong_file', 'Record and receipt name different files');
  const { issuer } = context.client;
  const sources = [new URL(url, issuer).href, ...(context.mirrors ?? [])];
  const onSource = (source) => context.say(t.otherSource(new URL(source).host));
  return openRemote(sources, { issuer, work: claims.work, version: claims.version, digest }, undefined, onSource);
}

/** The listing says whether other players are allowed; nobody waits for it, and without it they are not. */
async function listingOf(context, claims) {
  if (context.listing) return;
  try {
    context.listing = (await context.client.record(claims.work)).listing ?? {};
  } catch {
    context.listing = {};
  }
}

/**
 * Shows the player, the reader or the file in `context.stage`.
 * @param {Context} context
 * @returns {Promise<void>} when the first thing is on screen; later errors go to `context.fail`
 */
export async function openWork(context) {
  const { stage, client, receipt, key } = context;
  const retry = () => openWork(context);
  try {
    addStyle();
    stage.replaceChildren();
    const claims = parseJws(receipt, 'satchel-receipt+jws', ['kid']).payload;
    const short = claims.jti.slice(-6);
    const streamed = claims.rights === 'stream';
    const keys = new WindowKeys({ client, receipt, key });
    // Key and bytes come at the same time: one round trip before the first picture. A reader's first page needs this key too.
    if (streamed) keys.key(FIRST_WINDOW).catch(() => {});
    const own = context.file?.satchel.digest === claims.manifest_digest;
    const listing = streamed ? listingOf(context, claims) : undefined;
    const file = own ? context.file : await fromShop(context, claims);
    if (!streamed) await download(context, file);
    else if (isRead(file.satchel.manifest.media_type)) await (await import('./reader.js')).read(context, file, keys, short);
    else {
      if (firstWindow(file.satchel) !== 0) keys.key(firstWindow(file.satchel)).catch(() => {});
      stream(context, file, keys, { listing, short });
    }
  } catch (error) {
    context.fail(told(error), retry);
  }
}
