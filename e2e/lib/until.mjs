// Waiting that always ends.

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Asks `probe` again and again until it gives something true, which is returned. Fails with the
 * last answer or error after `ms`.
 */
export async function until(what, probe, { ms = 5_000, every = 50 } = {}) {
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
