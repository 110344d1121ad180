// What may be offered as streaming-only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, isRead, streamKind } from '../site/src/player/kinds.js';

const of = (mediaType, mse, size) => streamKind({ mediaType, mse, size })?.id ?? null;

test('film and sound in MP4 whose codecs every current browser plays, MP3, PDF and pictures can be streaming-only', () => {
  assert.equal(of('video/mp4', 'video/mp4; codecs="avc1.42C01E, mp4a.40.2"'), 'video');
  assert.equal(of('video/mp4', 'video/mp4; codecs="vp09.00.10.08, opus"'), 'video');
  assert.equal(of('video/mp4', 'video/mp4; codecs="av01.0.04M.08"'), 'video');
  assert.equal(of('audio/mp4', 'audio/mp4; codecs="flac"'), 'audio');
  assert.equal(of('audio/mpeg', 'audio/mpeg'), 'audio');
  assert.equal(of('application/pdf'), 'document');
  assert.equal(of('image/jpeg'), 'picture');
});

test('kinds without a reader, codecs of some browsers only and what is too large for its reader cannot', () => {
  for (const [mediaType, mse, size] of [
    ['video/mp4'],
    ['video/mp4', 'video/mp4'],
    ['video/mp4', 'video/mp4; codecs="hvc1.1.6.L93.B0, mp4a.40.2"'],
    ['video/mp4', 'video/mp4; codecs="avc1.42C01E, ec-3"'],
    ['video/mp4', 'audio/mp4; codecs="mp4a.40.2"'],
    ['audio/mp4', 'audio/mp4; codecs="mp4a.6B"'],
    ['audio/mp4', 'audio/mp4; codecs="avc1.42C01E"'],
    ['application/pdf', undefined, 513 * 1_048_576],
    ['application/pdf', 'application/pdf'],
    ['application/epub+zip'],
    ['image/svg+xml'],
    ['text/html'],
    [''],
  ]) assert.equal(of(mediaType, mse, size), null, `${mediaType} ${mse}`);
});

test('documents and pictures are read, media is played', () => {
  assert.ok(isRead('application/PDF; x=y') && isRead('image/png'));
  assert.ok(!isRead('video/mp4') && !isRead('application/zip'));
  for (const kind of KINDS) assert.equal(kind.reader === 'media', Boolean(kind.codecs));
});
