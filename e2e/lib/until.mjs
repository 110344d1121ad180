// Waiting that always ends.

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Asks `probe` again and again until it gives something true, which is returned. Fails with the
 * last answer or error after `ms`: a promise of ours where a test names it; otherwise it only ends what hangs,
 * for a shared machine may give us a tenth of its cores for minutes.
 */
export async function until(what, probe, { ms = 60_000, every = 50 } = {}) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) break;
    await sleep(every);
  }
  const error = new Error(`${what}: not within ${ms} ms; last: ${last?.stack ?? JSON.stringify(last)}`);
  throw error;
}
