// What happens while the page is open: asked for again and again, each time waiting up to 25 s for an answer.

const RETRY_MS = { first: 1_000, most: 60_000 };

/** A wait that ends early when somebody looks again. */
function rest(ms, signal) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** Until the shop is looked at: this page, and this view of it. */
const looked = (isSeen, signal) =>
  new Promise((done) => {
    if (isSeen()) return done();
    const look = () => {
      if (!isSeen() && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      removeEventListener('hashchange', later);
      signal.removeEventListener('abort', look);
      done();
    };
    // The shell shows the view on the same event.
    const later = () => setTimeout(look);
    document.addEventListener('visibilitychange', look);
    addEventListener('hashchange', later);
    signal.addEventListener('abort', look);
  });

/**
 * @param {{client: object, key: object, after: number, signal: AbortSignal, isSeen: () => boolean, onEvents: (events: object[]) => void, onState: (on: boolean) => void}} options
 * @returns {Promise<void>} when `signal` ends it
 */
export async function follow({ client, key, after, signal, isSeen, onEvents, onState }) {
  let wait = RETRY_MS.first;
  onState(true);
  while (!signal.aborted) {
    await looked(isSeen, signal);
    if (signal.aborted) return;
    try {
      const { events, next } = await client.shopEvents(key, { after, signal });
      after = next;
      wait = RETRY_MS.first;
      onState(true);
      if (events.length > 0) onEvents(events);
    } catch (error) {
      if (signal.aborted) return;
      onState(false);
      await rest(Math.max(wait, (error.retryAfter ?? 0) * 1000), signal);
      wait = Math.min(wait * 2, RETRY_MS.most);
    }
  }
}
