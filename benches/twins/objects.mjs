// `/bench/{object|id}/{BINDING}/{name}/…`: an object asked directly, or its id, with the same entry
// before ours and before its peers.
export function askObject(request, env, what, [binding, encoded, ...path]) {
  const id = env[binding].idFromName(decodeURIComponent(encoded));
  if (what === 'id') return new Response(id.toString());
  return env[binding].get(id).fetch(new Request(`https://object/${path.join('/')}`, request));
}
