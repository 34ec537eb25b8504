// Measures the bridge, always against something else in the same run, and prints one table.
//
//   node tests/bench/bench.mjs [claude] [proxy] [echo] [memory] [--json]
//
// Nothing passes or fails here: see README.md for what the numbers mean.

import { claude } from './claude.mjs';
import { echo } from './echo.mjs';
import { memory } from './memory.mjs';
import { table } from './numbers.mjs';
import { proxy } from './proxy.mjs';

const parts = { claude, proxy, echo, memory };
const words = process.argv.slice(2);
const wanted = words.filter(word => !word.startsWith('--'));
const unknown = [...wanted.filter(word => !parts[word]), ...words.filter(word => word.startsWith('--') && word !== '--json')];

if (unknown.length) {
  console.error(`not known: ${unknown.join(' ')}\nusage: bench.mjs [${Object.keys(parts).join('] [')}] [--json]`);
  process.exit(2);
}

const rows = [];
for (const name of wanted.length ? wanted : Object.keys(parts)) {
  console.error(`measuring ${name} ...`);
  rows.push(...await parts[name]());
}
console.log(words.includes('--json') ? JSON.stringify(rows, null, 2) : table(rows));
