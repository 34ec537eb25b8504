// The memory of all daemons with nothing to do, and no CLI running.
//
// RSS counts a page that processes share once for each of them, PSS gives each its share.  "Resident" is what
// the machine holds for all of them: every page once, however many processes of whoever else have it as well.
// "Own" is what no other process has, and so what it would get back.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { claudeEnv } from '../e2e/bridge.mjs';
import { sum } from './numbers.mjs';
import { bridgeFor, cleanly, startVendor } from './tools.mjs';

const SETTLED = 3000; // ms
const BACKENDS = ['claude', 'echo', 'passthrough'];

// Its mappings: what is mapped, and megabytes of each kind.
function mappingsOf(pid) {
  const mappings = [];
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const [, offset, path] = line.match(/^[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) \S+ \d+ *(.*)$/) ?? [];
    const [, field, kilobytes] = line.match(/^(\w+):\s+(\d+) kB$/) ?? [];
    if (offset)
      mappings.push({ what: `${path} ${offset}` });
    else if (field)
      mappings.at(-1)[field] = Number(kilobytes) / 1024;
  }
  return mappings.map(mapping => ({ ...mapping, own: mapping.Private_Clean + mapping.Private_Dirty }));
}

// A part of a file that several have is there once: as much of it as the one who has most.
function residentOf(processes) {
  const shared = new Map();
  for (const { what, Rss, own } of processes.flat())
    shared.set(what, Math.max(shared.get(what) ?? 0, Rss - own));
  return sum(processes.flat().map(({ own }) => own)) + sum([...shared.values()]);
}

// As it comes, on a machine where no CLI is installed and no vendor has a key.
async function measureWithoutClis(cleanup) {
  const bridge = await bridgeFor(cleanup, { backends: ['echo'], env: { BRIDGE_BACKENDS: undefined, PATH: '/usr/bin:/bin' } });
  await sleep(SETTLED);
  const rows = (await bridge.status()).filter(({ pid }) => pid);
  const processes = [bridge.daemon.pid, ...rows.map(({ pid }) => pid)].map(mappingsOf);
  const total = kind => sum(processes.flat().map(mapping => mapping[kind]));
  return [
    { what: `memory: a start without CLIs, ${processes.length} processes, resident`, unit: 'MB', ours: residentOf(processes), goal: '<= 12 MB' },
    { what: 'memory: a start without CLIs, PSS', unit: 'MB', ours: total('Pss') },
    { what: 'memory: a start without CLIs, RSS', unit: 'MB', ours: total('Rss') },
  ];
}

async function measure(cleanup) {
  const cloud = await startVendor(cleanup, 'anthropic');
  const bridge = await bridgeFor(cleanup, {
    backends: BACKENDS, env: { ...claudeEnv(cloud), BRIDGE_PROVIDER_NEAR_BASE_URL: `${cloud.url}/v1` },
  });
  await sleep(SETTLED);
  const names = ['supervisor', 'gateway', ...BACKENDS], processes = [];
  for (const name of names)
    processes.push(mappingsOf(await bridge.pid(name)));
  const total = (mappings, kind) => sum(mappings.map(mapping => mapping[kind]));
  const rows = processes.map((mappings, n) => ({
    what: `memory: ${names[n]}, idle, PSS`, unit: 'MB', ours: total(mappings, 'Pss'),
    goal: `RSS ${total(mappings, 'Rss').toFixed(1)}, own ${total(mappings, 'own').toFixed(1)}`,
  }));
  return [...rows,
    { what: 'memory: all of them, resident', unit: 'MB', ours: residentOf(processes), goal: '<= 12 MB' },
    { what: 'memory: all of them, PSS', unit: 'MB', ours: total(processes.flat(), 'Pss') },
    { what: 'memory: all of them, own', unit: 'MB', ours: total(processes.flat(), 'own') },
    { what: 'memory: all of them, RSS', unit: 'MB', ours: total(processes.flat(), 'Rss') }];
}

export const memory = async () => [...await cleanly(measureWithoutClis), ...await cleanly(measure)];
