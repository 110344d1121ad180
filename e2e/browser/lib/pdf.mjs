// A document of some pages, written by hand: words on each, and ballast between them, so that pages lie apart in the file.
import { randomBytes } from 'node:crypto';

/** @param {number} pages @param {number} ballast bytes after each page @returns {Buffer} */
export function makePdf(pages, ballast) {
  const parts = [];
  const offsets = [];
  let at = 0;
  const write = (bytes) => {
    parts.push(Buffer.from(bytes, 'latin1'));
    at += parts.at(-1).length;
  };
  const object = (number, bytes) => {
    offsets[number] = at;
    write(`${number} 0 obj\n`);
    write(bytes);
    write('\nendobj\n');
  };
  const stream = (bytes) => Buffer.concat([Buffer.from(`<< /Length ${bytes.length} >>\nstream\n`), Buffer.from(bytes), Buffer.from('\nendstream')]).toString('latin1');
  write('%PDF-1.7\n');
  const first = 3;
  const kids = Array.from({ length: pages }, (_, i) => `${first + i * 3} 0 R`);
  object(1, '<< /Type /Catalog /Pages 2 0 R >>');
  object(2, `<< /Type /Pages /Kids [${kids.join(' ')}] /Count ${pages} >>`);
  for (let i = 0; i < pages; i += 1) {
    const own = first + i * 3;
    object(own, `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents ${own + 1} 0 R /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>`);
    object(own + 1, stream(`0 0 0 rg 40 40 ${40 + i * 20} 8 re f BT /F1 24 Tf 40 500 Td (This is page ${i + 1}) Tj ET`));
    object(own + 2, stream(randomBytes(ballast)));
  }
  const start = at;
  const count = first + pages * 3;
  write(`xref\n0 ${count}\n0000000000 65535 f \n`);
  for (let i = 1; i < count; i += 1) write(`${String(offsets[i]).padStart(10, '0')} 00000 n \n`);
  write(`trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`);
  return Buffer.concat(parts);
}
