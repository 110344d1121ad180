// Which deployment this page belongs to. Asked once; pages are static and know no origin when they are built.

/** @typedef {{issuer: string, wallet: string, ledger: string, feeBps: number}} Config `issuer`, `wallet`: origins; `feeBps`: hundredths of a percent */

let asked;

/** What the addresses of a deployment say when nobody answers: the wallet host is the public one with `wallet.` in front. */
function byConvention() {
  const { protocol, host } = location;
  const issuerHost = host.replace(/^wallet\./, '');
  return { issuer: `${protocol}//${issuerHost}`, wallet: `${protocol}//wallet.${issuerHost}`, ledger: '', feeBps: 500 };
}

async function ask() {
  const usual = byConvention();
  try {
    const answer = await fetch('/v1/config', { credentials: 'omit' });
    if (!answer.ok) return usual;
    const { issuer, wallet, ledger, fee_bps: feeBps } = await answer.json();
    return { issuer: issuer ?? usual.issuer, wallet: wallet ?? usual.wallet, ledger: ledger ?? '', feeBps: feeBps ?? usual.feeBps };
  } catch {
    return usual;
  }
}

/** @returns {Promise<Config>} never throws: what isn't answered follows from this page's address */
export const loadConfig = () => (asked ??= ask());
