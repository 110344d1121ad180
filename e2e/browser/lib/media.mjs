// Real media, made by ffmpeg: what creators would sell.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FFMPEG = process.env.FFMPEG || 'ffmpeg';
const run = (args) => execFileSync(FFMPEG, ['-hide_banner', '-loglevel', 'error', '-y', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });

/** A song of eight seconds, 320 kbit/s. @returns {string} its path */
export function makeSong(dir, name = 'Night Train.mp3') {
  const path = join(dir, name);
  const sound = 'sine=frequency=220:beep_factor=4:duration=8';
  run(['-f', 'lavfi', '-i', sound, '-c:a', 'libmp3lame', '-b:a', '320k', path]);
  return path;
}

/** A film of 24 s, fragmented at its key frames, two seconds apart. @returns {string} its path */
export function makeFilm(dir, name = 'The Crossing.mp4') {
  const path = join(dir, name);
  const picture = ['-f', 'lavfi', '-i', 'testsrc=duration=24:size=320x180:rate=24'];
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=330:duration=24'];
  const video = ['-c:v', 'libx264', '-profile:v', 'baseline', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast', '-g', '48'];
  const fragments = ['-movflags', '+frag_keyframe+empty_moov+default_base_moof'];
  run([...picture, ...sound, ...video, '-c:a', 'aac', '-b:a', '96k', ...fragments, path]);
  return path;
}

/** The film of 24 s with captions and three chapters in its file. @returns {string} its path */
export function makeCaptioned(dir, name = 'Captioned.mp4') {
  const film = makeFilm(dir, `plain ${name}`);
  const [words, chapters, path] = ['words.srt', 'chapters.txt', name].map((file) => join(dir, file));
  const at = (s) => `00:00:${String(s).padStart(2, '0')},000`;
  writeFileSync(words, Array.from({ length: 8 }, (_, i) => `${i + 1}\n${at(i * 3)} --> ${at(i * 3 + 2)}\nLine ${i + 1} <of> words & more\n`).join('\n'));
  writeFileSync(chapters, `;FFMETADATA1\n${[0, 8, 16].map((s, i) => `[CHAPTER]\nTIMEBASE=1/1\nSTART=${s}\nEND=${s + 8}\ntitle=Part ${i + 1}\n`).join('')}`);
  const maps = ['-map', '0:v', '-map', '0:a', '-map', '1', '-map_metadata', '2', '-map_chapters', '2'];
  run(['-i', film, '-i', words, '-i', chapters, ...maps, '-c', 'copy', '-c:s', 'mov_text', '-metadata:s:s:0', 'language=eng', '-movflags', '+frag_keyframe+empty_moov+default_base_moof', path]);
  return path;
}

/** A picture, 240 pixels wide. @returns {string} its path */
export function makeCover(dir, name = 'cover.png') {
  const path = join(dir, name);
  run(['-f', 'lavfi', '-i', 'testsrc2=size=240x240', '-frames:v', '1', path]);
  return path;
}
