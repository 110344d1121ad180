// How players and readers look, in every page that has one: a sheet made by script comes with the code that needs it.
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
media-controller.player { inline-size: 100%; border-radius: 8px; overflow: hidden; --media-primary-color: #fff; --media-secondary-color: rgb(20 20 30 / 82%); --media-focus-box-shadow: inset 0 0 0 3px #7db3ff; }
media-controller.player.video { aspect-ratio: 16 / 9; background: #000; }
media-controller.player video { inline-size: 100%; block-size: 100%; }
media-control-bar { inline-size: 100%; flex-wrap: wrap; }
media-time-range { flex: 1 1 8rem; min-inline-size: 6rem; }
media-volume-range { inline-size: 5rem; }
@media (width < 30rem) { media-volume-range, media-playback-rate-button, media-seek-backward-button, media-seek-forward-button { display: none; } }
.reader { overflow: auto; max-block-size: 80vh; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 8px; background: color-mix(in srgb, currentColor 6%, transparent); }
.reader .sheet { display: block; max-inline-size: 100%; block-size: auto; margin-inline: auto; user-select: none; }
.reader .sheet.zoomed { max-inline-size: none; inline-size: calc(100% * var(--zoom, 1)); }
.reader-bar { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.reader-bar .page-number { inline-size: 5rem; }
.other-player summary { cursor: pointer; padding-block: .5rem; }
.other-player code { overflow-wrap: anywhere; }
`);

/** Puts the sheet into the page, once. */
export function addStyle() {
  if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
