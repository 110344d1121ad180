// Links of the front page to the wallet host, and what this shop charges.
import { loadConfig } from '../shared/config.js';
import { $ } from '../shared/ui.js';

const { issuer, wallet, ledger, feeBps } = await loadConfig();
for (const link of document.querySelectorAll('[data-wallet]')) link.href = wallet + link.dataset.wallet;
$('#snippet').textContent = `<script async src="${issuer}/widget.js" data-work="wrk_…"></script>`;
$('#fee').textContent = `; this shop keeps ${(feeBps / 100).toLocaleString()} %`;
$('#test').hidden = ledger !== 'test';
