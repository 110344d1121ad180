// What this test's browser holds in memory, as Linux counts it: page, worker and their buffers together.
import { readFileSync, readdirSync } from 'node:fs';

const MIB = 1_048_576;
const PAGE = 4096;

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // ended meanwhile
  }
};

/** @returns {number} MiB of the largest process that shows a page; 0 where there is no /proc */
export function largestPage() {
  let pids;
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return 0;
  }
  const parents = new Map(pids.map((pid) => [pid, /^\d+ \(.*\) \S (\d+)/s.exec(read(`/proc/${pid}/stat`))?.[1]]));
  const isOurs = (pid) => {
    for (let at = pid, depth = 0; at && depth < 12; at = parents.get(at), depth += 1) if (Number(at) === process.pid) return true;
    return false;
  };
  const pages = pids.filter((pid) => read(`/proc/${pid}/cmdline`).includes('--type=renderer') && isOurs(pid));
  // Resident, without what is shared with every other process (code, mostly).
  return Math.max(0, ...pages.map((pid) => {
    const [, resident = 0, shared = 0] = read(`/proc/${pid}/statm`).split(' ').map(Number);
    return ((resident - shared) * PAGE) / MIB;
  }));
}

/** @returns {() => number} ends the watch; the most there was, MiB */
export function watchMemory() {
  let most = largestPage();
  const timer = setInterval(() => (most = Math.max(most, largestPage())), 500);
  return () => {
    clearInterval(timer);
    return most;
  };
}
