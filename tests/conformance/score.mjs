// Counts what the conformance suite wrote, and compares it with the scoreboard.
//
//   node score.mjs RESULTS SCOREBOARD           compares; ends with 1 when something got worse
//   node score.mjs RESULTS SCOREBOARD --record  writes the scoreboard anew
//
// RESULTS holds a folder for each run, and in it one for each scenario, as the suite writes them. A line of the
// scoreboard is: run, scenario, passed checks, failed checks.

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [results, scoreboard, mode] = process.argv.slice(2);
const head = '# run scenario passed failed\n';

function count(folder) {
  const checks = JSON.parse(readFileSync(join(folder, 'checks.json'), 'utf8'));
  const of = (status) => checks.filter((check) => check.status === status);
  const tell = (check) => `${check.id}: ${check.errorMessage ?? check.description}`;
  return {
    passed: of('SUCCESS').length,
    failed: of('FAILURE').length,
    told: [...of('FAILURE'), ...of('WARNING')].map(tell),
  };
}

const found = new Map();
for (const run of readdirSync(results).sort()) {
  for (const name of readdirSync(join(results, run)).sort()) {
    // The suite names a folder server-SCENARIO-TIME.
    const scenario = name.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
    found.set(`${run} ${scenario}`, count(join(results, run, name)));
  }
}

let passed = 0;
let failed = 0;
for (const [key, score] of found) {
  passed += score.passed;
  failed += score.failed;
  for (const line of score.told) console.log(`${key}: ${line}`);
}

if (mode === '--record') {
  const lines = [...found].map(([key, score]) => `${key} ${score.passed} ${score.failed}\n`);
  writeFileSync(scoreboard, head + lines.join(''));
}

let worse = 0;
for (const line of readFileSync(scoreboard, 'utf8').split('\n')) {
  if (line === '' || line.startsWith('#')) continue;
  const [run, scenario, least, most] = line.split(' ');
  const score = found.get(`${run} ${scenario}`);
  if (score && score.passed >= Number(least) && score.failed <= Number(most)) continue;
  worse += 1;
  const now = score ? `${score.passed} passed, ${score.failed} failed` : 'was not run';
  console.log(`WORSE: ${run} ${scenario}: ${now}; before: ${least} passed, ${most} failed`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = worse > 0 ? 1 : 0;
