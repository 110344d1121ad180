// What is said between this frame and the page around it (docs/EMBEDDING.md, "Messages"). Outwards go heights, events
// and, on WordPress, the wish to follow the link; inwards come how the page looks and that somebody came here by
// keyboard or pressed the card. Nothing that comes in can buy.

/** WordPress names a frame it has found by itself in the fragment of its address: `#?secret=…`. */
const wordpressSecret = () => /[#?&]secret=([A-Za-z0-9]{4,64})$/.exec(location.hash)?.[1];

const originOf = (address) => {
  try {
    return new URL(address).origin;
  } catch {
    return '';
  }
};

/**
 * Introduces the frame by the nonce it was opened with, and reports its height from then on.
 * @param {HTMLElement} box whose height is the frame's
 * @param {{look?: (look: object) => void, focus?: () => void, press?: () => void}} [heard]
 * @returns {{scheme: 'light'|'dark'|'', send: (type: string, detail?: object) => void, follow: (address: string) => boolean}}
 *   `scheme` of the page around; what is sent before the line stands is kept; `follow` says whether the page around
 *   may take the visitor to an address
 */
export function connect(box, heard = {}) {
  const given = new URLSearchParams(location.hash.slice(1));
  const nonce = given.get('n');
  const scheme = ['light', 'dark'].find((name) => name === given.get('c')) ?? '';
  const { parent } = self;
  if (parent === self) return { scheme, send() {}, follow: () => false };
  const secret = wordpressSecret();
  const toWordpress = (message, value) => parent.postMessage({ message, value, secret }, '*');
  const early = [];
  let port = null;
  const post = (message) => (port ? port.postMessage(message) : early.length < 100 && early.push(message));

  /** The port was made by that page for this frame alone; still, only what is known and of its shape counts. */
  const hear = ({ data }) => {
    if (data === null || typeof data !== 'object') return;
    if (data.type === 'look' && data.look !== null && typeof data.look === 'object') heard.look?.(data.look);
    else if (data.type === 'focus') heard.focus?.();
    else if (data.type === 'press') heard.press?.();
  };

  // Where the browser tells which page is around, no other one is believed.
  const around = originOf(document.referrer);
  addEventListener('message', function answer({ source, origin, data, ports }) {
    if (port || source !== parent || (around && origin !== around)) return;
    if (data === null || typeof data !== 'object' || data.satchel !== 1 || data.type !== 'port' || !nonce || data.nonce !== nonce || ports.length !== 1) return;
    removeEventListener('message', answer);
    [port] = ports;
    port.onmessage = hear;
    for (const message of early.splice(0)) port.postMessage(message);
  });

  new ResizeObserver(() => {
    const { width, height } = box.getBoundingClientRect();
    // Nothing is laid out yet, or the frame is hidden: a height for no width would be a wrong one.
    if (width === 0) return;
    if (nonce) post({ type: 'height', height: Math.ceil(height) });
    if (secret) toWordpress('height', Math.ceil(height));
  }).observe(box);
  // Whose page this is isn't known, so this goes to anybody; it says nothing but the nonce that page has made.
  if (nonce) parent.postMessage({ satchel: 1, type: 'hello', nonce }, '*');
  return {
    scheme,
    send: (type, detail) => nonce && post({ type, detail }),
    follow: (address) => Boolean(secret) && (toWordpress('link', address), true),
  };
}
