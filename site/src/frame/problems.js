// What went wrong and what to do, in words. The issuer's own words (RFC 9457 `title`, `next`) are used where the
// page knows nothing better. Every entry is [what happened, what to do].
const WORDS = {
  network: ['No connection to the shop', 'Check your connection and try again. Nothing is lost, and you are never charged twice.'],
  unavailable: ['The shop is not answering completely', 'Nothing was lost. Try again in a moment.'],
  internal: ['Something went wrong at the shop', 'Nothing was lost. Try again in a moment.'],
  too_many: ['Too many requests', 'Wait a moment and try again.'],
  unknown_work: ['This work does not exist', 'The link may be cut off. Ask whoever gave it to you.'],
  work_unpublished: ['This work is no longer offered', 'Its creator has withdrawn it. You were not charged.'],
  work_taken_down: ['This work was taken down', 'It can’t be bought or opened now. You were not charged.'],
  not_published: ['This work is not for sale yet', 'Come back when its creator has published it.'],
  not_ready: ['This work is still being uploaded', 'Try again in a few minutes.'],
  rate_stale: ['There is no fresh exchange rate', 'Nothing can be bought for the moment. Try again in a few minutes.'],
  insufficient_balance: ['Your balance is too small', 'Add money and approve again.'],
  quote_expired: ['The price offer has expired', 'Here is a new one. Check it and approve again.'],
  order_expired: ['The approval has expired', 'Check the price and approve again.'],
  quote_invalid: ['The price offer was not accepted', 'Get a new one and approve again.'],
  order_pending: ['The shop has not decided yet', 'Send the same order again in a moment. You are never charged twice.'],
  sold_out: ['Sold out', 'There are no more copies. Nothing was paid.'],
  order_conflict: ['This purchase was already finished in another window', 'Nothing more was charged. Go back to the page and open the work there.'],
  own_work: ['This is your own work', 'Creators don’t buy from themselves.'],
  delegation_expired: ['This device’s permission to use the wallet has ended', 'Restore the wallet from its recovery words to renew it.'],
  scope_missing: ['This device may not spend from this wallet', 'Use the device the wallet was made on, or restore it from its recovery words.'],
  cap_exceeded: ['This is more than this device may spend at once', 'Approve it on another device of yours.'],
  wrong_key: ['This purchase belongs to another browser or window', 'Press the button to open it here. You are not charged again.'],
  unknown_sale: ['You made no such sale', 'Check the purchase’s name: the buyer reads it in their wallet. Only who was paid can refund.'],
  refund_conflict: ['A refund with this number was made with another amount', 'Give the next refund of this purchase the next number.'],
  refund_exceeds: ['This is more than is left of what was paid', 'Refund less. Nothing was moved.'],
  refund_unfunded: ['Your balance is too small for this refund', 'Add money, then send the same refund again. Nothing was moved.'],
  not_entitled: ['There is no purchase behind this receipt', 'It may have been refunded. The button buys it again.'],
  receipt_invalid: ['The receipt was not accepted', 'Press the button to have it issued again. You are not charged again.'],
  proof_invalid: ['The shop did not accept this browser’s signature', 'Check that this device’s clock is right, then try again.'],
  bad_signature: ['A signature was not valid', 'Reload the page and try again.'],
  capability_invalid: ['The player’s session was not accepted', 'Press play again.'],
  capability_expired: ['The player’s session has ended', 'Press play again.'],
  session_ended: ['Playing has moved to another window or device', 'Press “Try again” to continue here.'],
  window_limit: ['You have skipped ahead very fast', 'The next part opens in a moment.'],
  wrong_file: ['The file does not match the shop’s record', 'It was not opened. Tell whoever sells it; your purchase stays yours.'],
  no_ranges: ['The server of this file can’t send parts of it', 'Tell whoever sells it; your purchase stays yours.'],
  tampered: ['Part of the file was changed or damaged', 'That part was not opened. Try again; your purchase stays yours.'],
  truncated: ['Part of the file is missing', 'Try again; your purchase stays yours.'],
  no_room: ['There is not enough room in this browser for the file', 'Free some space on this device, or save it from a current Chrome or Edge, which write straight to your disk. Your purchase stays yours.'],
  too_large_here: ['This browser can’t keep a file of this size', 'Leave the private window, or save it from a current Chrome or Edge, which write straight to your disk. Your purchase stays yours.'],
  browser_too_old: ['This browser can’t make the keys Satchel needs', 'Update it, or use a current Chrome, Edge, Firefox or Safari.'],
  popup_blocked: ['The wallet window was blocked', 'Use “Continue here”.'],
};

/** Copies given away are gone, but there are others. */
const NO_FREE_COPY = ['The free copies are gone', 'Nothing was paid. It can still be bought at its price.'];

const OF_FILES = {
  wrong_key: ['The key does not fit this file', 'It was not opened. Tell whoever sells it; your purchase stays yours.'],
  malformed: ['The label of this file was changed or damaged', 'Don’t trust this copy. Get the file again from its source.'],
  bad_signature: ['The label of this file was changed or damaged', 'Don’t trust this copy. Get the file again from its source.'],
};

/**
 * @param {unknown} error
 * @returns {{code: string, title: string, next: string}} for people; `code` for programs
 */
export function explain(error) {
  const code = typeof error?.code === 'string' ? error.code : 'internal';
  // A refusal of the issuer has a status. Without one it is said of a file, by the code that reads it.
  const known = (code === 'sold_out' && error.members?.of === 'giveaway' && NO_FREE_COPY) || (!error?.status && OF_FILES[code]) || WORDS[code];
  if (known) return { code, title: known[0], next: known[1] };
  if (error?.title) return { code, title: error.title, next: error.next ?? '' };
  return { code: 'internal', title: 'Something went wrong in this page', next: 'Reload it and try again. Nothing is lost.' };
}
