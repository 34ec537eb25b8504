// Tools of the caller's: how soon after their results the next word comes, where the turn goes on in its process, and
// where the CLI is started to be told all messages.
//
//   continued   the CLI waits for the results
//   cold        nobody waits, and no process of the CLI's is there
//   replayed    nobody waits, but the process that holds many conversations is there; of such CLIs only

import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isGone, isThere } from '../e2e/bridge.mjs';
import { clis } from '../e2e/clis.mjs';
import { declaredOf } from '../e2e/suite/harness.mjs';
import { grid, median, show } from './numbers.mjs';
import { oneshots } from './oneshots.mjs';
import { RESULT } from './stand-in.mjs';
import { bridgeFor, cleanly, startStandIn, temporaryDirectory } from './tools.mjs';

const ROUNDS = 5, TURNS_A_ROUND = 4; // a round is one cold replay, and continued turns
const PAUSE = 150;                   // ms, in which a CLI finishes what it does after an answer
const PATIENCE = 60_000;             // ms
const GOAL = 5;                      // times sooner

const TOOL = {
  type: 'function',
  function: {
    name: 'weather', description: 'It tells the weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const QUESTION = { role: 'user', content: 'Do I need an umbrella in Rome?' };

const modules = join(import.meta.dirname, '../node_modules');
const agent = new http.Agent({ keepAlive: true });

// { first, calls }: the time to the first delta of text, and the calls of the end.
function turn(bridge, model, messages) {
  const body = JSON.stringify({ model, stream: true, messages, tools: [TOOL] });
  const began = performance.now();
  return new Promise((done, fail) => {
    const request = http.request(`${bridge.url}/v1/chat/completions`, {
      agent, method: 'POST', timeout: PATIENCE,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, response => {
      let heard = '', first;
      response.setEncoding('utf8');
      response.on('data', text => {
        heard += text;
        if (!first && heard.includes('"delta":{"content":"'))
          first = performance.now() - began;
      });
      response.on('end', () => {
        const chunks = heard.split('\n').filter(line => line.startsWith('data: {')).map(line => JSON.parse(line.slice(6)));
        const calls = chunks.flatMap(chunk => chunk.choices?.[0]?.delta.tool_calls ?? []).filter(({ id }) => id);
        const how = response.headers['x-bridge-session'];
        return first || calls.length ? done({ first, calls, how }) : fail(new Error(heard));
      });
    });
    request.on('error', fail).on('timeout', () => request.destroy(new Error(`nothing in ${PATIENCE / 1000} s`)));
    request.end(body);
  });
}

const withResult = id => [QUESTION,
  { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }] },
  { role: 'tool', tool_call_id: id, content: RESULT }];

// What was measured is what was meant.
async function answer(bridge, model, id, meant) {
  const { first, how } = await turn(bridge, model, withResult(id));
  if ((how === 'continued') !== (meant === 'continued'))
    throw new Error(`it was ${how}, not ${meant}`);
  return first;
}

async function continued(bridge, model) {
  const { calls: [call] } = await turn(bridge, model, [QUESTION]);
  if (!call)
    throw new Error('the model has called nothing');
  await sleep(PAUSE);
  return answer(bridge, model, call.id, 'continued');
}

async function endsAll(bridge, name) {
  const pids = bridge.clisOf(name).map(({ pid }) => pid);
  for (const pid of pids)
    try {
      process.kill(pid, 'SIGKILL');
    } catch { /* it has just ended */ }
  await isGone(() => pids.filter(isThere), { within: PATIENCE });
  await sleep(PAUSE);
}

async function measure(cleanup, name, row) {
  const cli = clis[oneshots[name].cli ?? name], home = temporaryDirectory(cleanup), model = oneshots[name].model ?? name;
  const cloud = await startStandIn(cleanup, oneshots[name].cli ?? name, 'tools');
  const bridge = await bridgeFor(cleanup, { backends: [name], env: { ...cli.setUp(home, cloud, name), HOME: home } });
  await continued(bridge, model); // of a new home, which is not what is meant
  for (let round = 0; round < ROUNDS; round++) {
    await endsAll(bridge, name);
    row.cold.push(await answer(bridge, model, `call_cold-${round}`, 'cold'));
    await sleep(PAUSE);
    for (let n = 0; n < TURNS_A_ROUND; n++) {
      row.continued.push(await continued(bridge, model));
      await sleep(PAUSE);
      if (bridge.clisOf(name).length)
        row.replayed.push(await answer(bridge, model, `call_${round}-${n}`, 'replayed'));
      await sleep(PAUSE);
    }
  }
}

async function measureOne(name) {
  const { version } = JSON.parse(readFileSync(join(modules, oneshots[name].from, 'package.json'), 'utf8'));
  const row = { harness: name, version: version.split('-')[0], continued: [], cold: [], replayed: [] };
  try {
    await cleanly(cleanup => measure(cleanup, name, row));
  } catch (problem) {
    row.remark = problem.message.split('\n')[0].slice(0, 60);
  }
  if (row.continued.length)
    row.ratio = median(row.cold) / median(row.continued);
  return row;
}

// `names`: all that take tools, if there are none.
export async function clientTools(names) {
  const rows = [];
  for (const name of names.length ? names : Object.keys(oneshots).filter(name => declaredOf(name).capabilities.client_tools === 'native')) {
    console.error(`  ${name}`);
    rows.push(await measureOne(name));
  }
  agent.destroy();
  return rows;
}

export function clientToolsTable(rows) {
  const ms = times => times.length ? show(median(times)) : '';
  const lines = rows.map(row => [
    row.harness, row.version, ms(row.continued), ms(row.cold), row.ratio === undefined ? '' : show(row.ratio), `>= ${GOAL}`, ms(row.replayed), row.remark ?? '',
  ]);
  return `first word after the results of tools, ms (medians of ${ROUNDS * TURNS_A_ROUND} continued turns and ${ROUNDS} cold replays)\n\n` +
    grid(['', 'version', 'continued', 'cold replay', 'cold/continued', 'goal', 'in a warm process', ''], lines);
}
