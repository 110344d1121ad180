// The line to widget.js on the page around. It carries heights and events outwards and nothing inwards.

/**
 * Introduces the frame by the nonce it was opened with, and reports its height from then on.
 * @param {HTMLElement} box whose height is the frame's
 * @returns {{scheme: 'light'|'dark', send: (type: string, detail?: object) => void}} `scheme` of the page around;
 *   what is sent before the line stands is kept
 */
export function connect(box) {
  const given = new URLSearchParams(location.hash.slice(1));
  const nonce = given.get('n');
  const scheme = given.get('c') === 'dark' ? 'dark' : 'light';
  if (self.parent === self || !nonce) return { scheme, send() {} };
  const early = [];
  let port = null;
  const post = (message) => (port ? port.postMessage(message) : early.push(message));
  addEventListener('message', function answer({ source, data, ports }) {
    if (source !== self.parent || data?.satchel !== 1 || data.type !== 'port' || data.nonce !== nonce || port) return;
    removeEventListener('message', answer);
    [port] = ports;
    for (const message of early.splice(0)) port.postMessage(message);
  });
  new ResizeObserver(() => {
    const { width, height } = box.getBoundingClientRect();
    // Nothing is laid out yet, or the frame is hidden: a height for no width would be a wrong one.
    if (width > 0) post({ type: 'height', height: Math.ceil(height) });
  }).observe(box);
  // Whose page this is isn't known, so this goes to anybody; it says nothing but the nonce that page has made.
  self.parent.postMessage({ satchel: 1, type: 'hello', nonce }, '*');
  return { scheme, send: (type, detail) => post({ type, detail }) };
}
