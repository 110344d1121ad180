// Every word of the helpers all pages share.
export const text = {
  en: {
    copy: 'Copy',
    copyWhat: (label) => `Copy ${label}`,
    copied: 'Copied',
    pressCopy: 'Press Ctrl-C',
    selected: 'Selected: press Control C to copy',
    noSpace: ['There is not enough space in this browser', 'Free some disk space, or leave the private window, and try again.'],
    unexpected: 'Something unexpected happened',
    unexpectedNext: (detail) => `Load the page again; what was saved is still here. (${detail})`,
    bytes: { one: '# byte', other: '# bytes' },
    left: {
      few: 'a few seconds left',
      seconds: (n) => `about ${n} seconds left`,
      minute: 'about a minute left',
      minutes: (n) => `about ${n} minutes left`,
      hours: { one: 'about # hour left', other: 'about # hours left' },
    },
  },
  de: {
    copy: 'Kopieren',
    copyWhat: (label) => `Kopieren: ${label}`,
    copied: 'Kopiert',
    pressCopy: 'Strg-C drücken',
    selected: 'Ausgewählt: mit Strg-C kopieren',
    noSpace: ['In diesem Browser ist nicht genug Platz', 'Speicher frei machen oder das private Fenster verlassen, dann noch einmal versuchen.'],
    unexpected: 'Etwas Unerwartetes ist geschehen',
    unexpectedNext: (detail) => `Die Seite neu laden; was gesichert war, ist noch da. (${detail})`,
    bytes: { one: '# Byte', other: '# Bytes' },
    left: {
      few: 'noch ein paar Sekunden',
      seconds: (n) => `noch etwa ${n} Sekunden`,
      minute: 'noch etwa eine Minute',
      minutes: (n) => `noch etwa ${n} Minuten`,
      hours: { one: 'noch etwa # Stunde', other: 'noch etwa # Stunden' },
    },
  },
};
