// Compares measured rows with goals.json: `node benches/check.mjs FILE`, or called by run.mjs.
// Ratios get a tolerance, more where the machine was busy; limits are counts and get none (but for
// times, which are measured too). Never part of `npm test`: a busy machine is no fault of the code.
import { readFileSync } from 'node:fs';
import { inRoot, isMain } from '../tools/proc.mjs';

const matches = (pattern, name) =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

/** A goal is `most`, or `least` where more is better. */
function judge({ field, most, least, why }, row, tolerance) {
  const value = row[field];
  const goal = most === undefined ? `≥ ${least}` : `≤ ${most}`;
  const holds = (slack) => (most === undefined ? value >= least / slack : value <= most * slack);
  const verdict = holds(1) ? 'ok' : holds(1 + tolerance) ? 'ok, within tolerance' : 'MISSED';
  return { name: row.name, field, value, goal, verdict, why };
}

/** One verdict for every goal that a row was measured for. */
export function check(rows) {
  const { goals, limits, tolerance, tolerance_noisy: noisy } = JSON.parse(
    readFileSync(inRoot('benches', 'goals.json'), 'utf8'),
  );
  const of = (goal, tolerated) =>
    rows
      .filter((row) => matches(goal.row, row.name) && row[goal.field] !== undefined)
      .map((row) => judge(goal, row, tolerated(row)));
  return [
    ...goals.flatMap((goal) => of(goal, (row) => (row.noisy ? noisy : tolerance))),
    ...limits.flatMap((limit) => of(limit, (row) => (limit.field.endsWith('_ms') && row.noisy ? noisy : 0))),
  ];
}

/** Prints the verdicts; gives the number of goals missed. */
export function report(verdicts) {
  for (const { name, field, value, goal, verdict, why } of verdicts) {
    console.error(`${verdict.padEnd(21)} ${name}: ${field} ${value}, goal ${goal} (${why})`);
  }
  return verdicts.filter(({ verdict }) => verdict === 'MISSED').length;
}

if (isMain(import.meta)) {
  const lines = readFileSync(process.argv[2], 'utf8').split('\n').filter((line) => line.startsWith('{'));
  process.exit(report(check(lines.map((line) => JSON.parse(line)))) ? 1 : 0);
}
