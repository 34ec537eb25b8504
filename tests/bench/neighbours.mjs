// One harness behaves badly: what do the others notice?
//
// Turns of warm sessions, one after the other, alone and beside a neighbour, in turns.  The neighbours are
// workers of their own in the same bridge, with an agent that does as it is told: tests/fakes/acp.mjs.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clis } from '../e2e/clis.mjs';
import { bridgeTurn, hangUp } from './harnesses.mjs';
import { grid, median, quantile, show, sum } from './numbers.mjs';
import { bridgeFor, cleanly, load, portOf, startStandIn, temporaryDirectory } from './tools.mjs';

const ROUNDS = 4, PHASE = 5000;      // ms
const QUICK_TURNS = 6;               // for each slow one
const PAUSE = 20;                    // ms, between turns
const SETTLED = 1000;                // ms, until a neighbour is at it, and until it is not
const HUNG_TURNS = 4, FLOODS = 1, CRASHERS = 1;
const prompts = { hung: 'deaf', crashing: 'crash', flooding: 'flood 800' };

const AGENT = join(import.meta.dirname, '../fakes/acp.mjs');
const real = existsSync(clis.claude.program('')) ? 'claude' : null;

// ---- neighbours: each begins, and gives what ends it and tells of it ----

// A client that reads as fast as it can, and looks at nothing.
function reader(bridge, model, session) {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: prompts[model] }] });
  return spawn('curl', ['-sN', '-o', '/dev/null', '-H', 'content-type: application/json', '-H', `x-session-id: ${session}`, '-d', body,
    `${bridge.url}/v1/chat/completions`], { stdio: 'ignore' });
}

function readers(bridge, model, count) {
  const all = Array.from({ length: count }, (_, n) => reader(bridge, model, `${model}-${n}`));
  return () => all.forEach(one => one.kill());
}

const written = ({ pid }) => Number(readFileSync(`/proc/${pid}/io`, 'utf8').match(/^wchar: (\d+)/m)[1]);

const neighbours = {
  hung(bridge) {
    const leave = readers(bridge, 'hung', HUNG_TURNS);
    return async () => { leave(); return `${HUNG_TURNS} turns that are not answered`; };
  },

  crashing(bridge, directory) {
    const body = { model: 'crashing', messages: [{ role: 'user', content: prompts.crashing }] };
    const crashes = load(directory, portOf(bridge.url), { clients: CRASHERS, ms: PHASE + SETTLED, body, quiet: true });
    return async () => {
      const { failed, seconds } = await crashes;
      return `${show(failed / seconds)} crashes/s`;
    };
  },

  async flooding(bridge) {
    const leave = readers(bridge, 'flooding', FLOODS);
    await sleep(SETTLED);
    const agents = bridge.clisOf('flooding'), before = sum(agents.map(written)), began = performance.now();
    return async () => {
      const rate = (sum(agents.map(written)) - before) / 1e3 / (performance.now() - began);
      leave();
      return `${show(rate)} MB/s of output`;
    };
  },
};

// ---- who is measured ----

// One turn after the other for as long as a phase is.
async function listen(bridge, times) {
  const until = performance.now() + PHASE;
  while (performance.now() < until) {
    for (let n = 0; n < QUICK_TURNS; n++) {
      times.echo.push(await bridgeTurn(bridge, 'echo', 'quick'));
      await sleep(PAUSE);
    }
    if (!real)
      continue;
    times[real].push(await bridgeTurn(bridge, real, 'real'));
    await sleep(PAUSE);
  }
}

async function startBridge(cleanup) {
  const agent = name => [`BRIDGE_ACP_${name.toUpperCase()}`, `${process.execPath} ${AGENT}`];
  const env = Object.fromEntries(Object.keys(neighbours).map(agent));
  const home = temporaryDirectory(cleanup);
  if (real)
    Object.assign(env, clis[real].setUp(home, await startStandIn(cleanup, real), real));
  return bridgeFor(cleanup, { backends: ['echo', ...real ? [real] : [], ...Object.keys(neighbours)], env: { HOME: home, ...env } });
}

const none = () => ({ echo: [], ...real && { [real]: [] } });

async function measure(cleanup) {
  const directory = temporaryDirectory(cleanup), bridge = await startBridge(cleanup);
  const heard = Object.fromEntries(Object.keys(neighbours).map(name => [name, { alone: none(), beside: none(), remarks: [] }]));
  await listen(bridge, none());
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, begin] of Object.entries(neighbours)) {
      await listen(bridge, heard[name].alone);
      const end = await begin(bridge, directory);
      await sleep(SETTLED);
      await listen(bridge, heard[name].beside);
      heard[name].remarks.push(await end());
      await sleep(SETTLED);
    }
  hangUp();
  return heard;
}

export async function neighbourRows() {
  const heard = await cleanly(measure);
  return Object.entries(heard).flatMap(([name, { alone, beside, remarks }]) => Object.keys(alone).map(who => ({
    who, neighbour: name, remark: remarks.at(-1), turns: beside[who].length,
    alone: { p50: median(alone[who]), p95: quantile(alone[who], 0.95) },
    beside: { p50: median(beside[who]), p95: quantile(beside[who], 0.95) },
    change: 100 * (median(beside[who]) / median(alone[who]) - 1),
  })));
}

export const neighbourTable = rows => `first word of warm turns, ms, alone and beside a bad neighbour in the same bridge\n\n${
  grid(['', 'alone', 'p95', 'beside it', 'p95', 'change', 'goal', 'turns', 'the neighbour'], rows.map(row => [
    `${row.who}, beside ${row.neighbour}`, show(row.alone.p50), show(row.alone.p95), show(row.beside.p50), show(row.beside.p95),
    `${row.change > 0 ? '+' : ''}${row.change.toFixed(1)} %`, '< 10 %', `${row.turns}`, row.remark,
  ]))}`;
