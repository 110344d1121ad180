// Stands before the ledger's own module and tells, in the log, what other workers ask it and what it answers.
import Ledger from './index.js';

export * from './index.js';

export default {
  async fetch(request, env, context) {
    const body = request.method === 'GET' ? undefined : await request.clone().text();
    const answer = await new Ledger(context, env).fetch(request);
    const { pathname } = new URL(request.url);
    if (pathname.startsWith('/internal/')) {
      const said = { method: request.method, path: pathname, body: body && JSON.parse(body), status: answer.status, answer: await answer.clone().json() };
      console.log(`TAP ${JSON.stringify(said)}`);
    }
    return answer;
  },
};
