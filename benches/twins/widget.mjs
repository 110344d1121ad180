// Twin of workers/widget, the fastest there can be: the finished page from memory, nothing looked up.
// The bench puts our own worker's answer in before it measures.
let page;

export default {
  async fetch(request) {
    if (request.method === 'PUT') {
      page = await request.json();
      return new Response(null, { status: 204 });
    }
    return new Response(page.body, { headers: page.headers });
  },
};
