// Stands where a twin would be told of works and accounts, when there is none to tell.
export default { fetch: () => new Response('{}', { headers: { 'content-type': 'application/json' } }) };
