// Words of the studio's shell.
export const text = {
  en: {
    skip: 'Skip to the content',
    about: 'Put a price on a file. It is encrypted in your browser; whoever opens it pays you directly.',
    views: 'Studio',
    make: 'New work',
    shop: 'Shop',
    account: 'Account',
    noscript: 'The studio encrypts files in your browser, so it needs JavaScript.',
  },
  de: {
    skip: 'Zum Inhalt',
    about: 'Einer Datei einen Preis geben. Sie wird im Browser verschlüsselt; wer sie öffnet, zahlt direkt.',
    views: 'Studio',
    make: 'Neues Werk',
    shop: 'Laden',
    account: 'Konto',
    noscript: 'Das Studio verschlüsselt Dateien im Browser und braucht deshalb JavaScript.',
  },
};
