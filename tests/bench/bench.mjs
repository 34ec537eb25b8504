// Measures the bridge, always against something else in the same run, and prints a table or two.
//
//   node tests/bench/bench.mjs [harnesses [NAME...]] [tools [NAME...]] [neighbours] [proxy] [echo] [memory] [docker] [--json]
//
// Nothing passes or fails here: see README.md for what the numbers mean.

import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientTools, clientToolsTable } from './client-tools.mjs';
import { docker } from './docker.mjs';
import { echo } from './echo.mjs';
import { harnesses, harnessTable } from './harnesses.mjs';
import { memory } from './memory.mjs';
import { neighbourRows, neighbourTable } from './neighbours.mjs';
import { table } from './numbers.mjs';
import { oneshots } from './oneshots.mjs';
import { proxy } from './proxy.mjs';

const parts = { harnesses, tools: clientTools, neighbours: neighbourRows, proxy, echo, memory, docker };
const tables = { harnesses: harnessTable, tools: clientToolsTable, neighbours: neighbourTable }; // the others are rows of one

const takesNames = ['harnesses', 'tools'];

const words = process.argv.slice(2);
const wanted = words.filter(word => parts[word]);
const names = words.filter(word => oneshots[word]);
const unknown = words.filter(word => !parts[word] && !oneshots[word] && word !== '--json');

if (unknown.length || names.length && !takesNames.some(part => wanted.includes(part))) {
  console.error(`not known: ${unknown.join(' ') || names.join(' ')}
usage: bench.mjs [${Object.keys(parts).map(part => takesNames.includes(part) ? `${part} [NAME...]` : part).join('] [')}] [--json]
of the harnesses: ${Object.keys(oneshots).join(' ')}`);
  process.exit(2);
}

// What the machine does before we begin.
async function loadBefore() {
  const times = () => readFileSync('/proc/stat', 'utf8').match(/^cpu +(.*)/)[1].split(' ').map(Number);
  const before = times();
  await sleep(3000);
  const spent = times().map((time, n) => time - before[n]);
  const busy = 1 - (spent[3] + spent[4]) / spent.reduce((a, b) => a + b, 0);
  return `${cpus().length} cores, before: ${Math.round(100 * busy)} % busy, load ${loadavg().map(load => load.toFixed(2)).join(' ')}`;
}

const load = await loadBefore();
console.error(load);
const measured = {};
for (const part of wanted.length ? wanted : Object.keys(parts)) {
  console.error(`measuring ${part} ...`);
  measured[part] = await parts[part](names);
}

if (words.includes('--json')) {
  console.log(JSON.stringify({ load, ...measured }, null, 2));
} else {
  const plain = Object.keys(measured).filter(part => !tables[part]).flatMap(part => measured[part]);
  const printed = Object.keys(measured).filter(part => tables[part]).map(part => tables[part](measured[part]));
  console.log([load, ...printed, ...plain.length ? [table(plain)] : []].join('\n\n'));
}
