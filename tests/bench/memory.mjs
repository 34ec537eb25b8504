// The memory of all daemons with nothing to do, and no CLI running.
//
// RSS counts what processes share once for each of them, PSS divides it; "own" is what no other process has,
// and so what the machine would get back.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { claudeEnv } from '../e2e/bridge.mjs';
import { sum } from './numbers.mjs';
import { bridgeFor, cleanly, startVendor } from './tools.mjs';

const SETTLED = 3000; // ms
const BACKENDS = ['claude', 'echo', 'passthrough'];

function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const read = name => Number(text.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1]) / 1024;
  return { rss: read('Rss'), pss: read('Pss'), own: read('Private_Clean') + read('Private_Dirty') };
}

async function measure(cleanup) {
  const cloud = await startVendor(cleanup, 'anthropic');
  const bridge = await bridgeFor(cleanup, { backends: BACKENDS, env: { ...claudeEnv(cloud), BRIDGE_PROVIDER_NEAR_BASE_URL: `${cloud.url}/v1` } });
  await sleep(SETTLED);
  const each = [];
  for (const name of ['supervisor', 'gateway', ...BACKENDS])
    each.push({ name, ...memoryOf(await bridge.pid(name)) });
  const rows = each.map(({ name, rss, pss, own }) =>
    ({ what: `memory: ${name}, idle`, unit: 'MB', ours: pss, goal: `RSS ${rss.toFixed(1)}, own ${own.toFixed(1)}` }));
  const total = kind => sum(each.map(process => process[kind]));
  return [...rows,
    { what: 'memory: all of them, PSS', unit: 'MB', ours: total('pss'), goal: '<= 12 MB' },
    { what: 'memory: all of them, RSS', unit: 'MB', ours: total('rss') },
    { what: 'memory: all of them, own', unit: 'MB', ours: total('own') }];
}

export const memory = () => cleanly(measure);
