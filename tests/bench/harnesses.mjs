// Every real CLI: its first word when it is started for one prompt, and when the bridge keeps it.
//
//   cold      the CLI's own one-shot, started for this one prompt
//   direct    one that stays, driven over the same protocol by the least that can do that (drivers.mjs)
//   bridge    the same, driven by the bridge: a session's further turns
//
// The program, the arguments, the environment and the working directory of `direct` are those of the bridge's
// own CLI, read off its process.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clis } from '../e2e/clis.mjs';
import { drivers, hearLines } from './drivers.mjs';
import { grid, median, show, sum } from './numbers.mjs';
import { oneshots } from './oneshots.mjs';
import { accepts, bridgeFor, cleanly, freePort, start, startStandIn, temporaryDirectory } from './tools.mjs';

const ROUNDS = 5, TURNS_A_ROUND = 4; // a round is one cold run, and pairs of warm turns
const FURTHER = 3;                   // sessions beside the first
const PAUSE = 150;                   // ms, in which a CLI finishes what it does after an answer
const SETTLED = 1500;                // ms, before its memory is looked at
const PATIENCE = 60_000;             // ms
const PROMPT = 'say something';

const cliOf = name => clis[oneshots[name].cli ?? name];

const modules = join(import.meta.dirname, '../node_modules');

const within = (promise, what) => Promise.race([promise,
  sleep(PATIENCE, undefined, { ref: false }).then(() => { throw new Error(`${what}: nothing in ${PATIENCE / 1000} s`); })]);

// ---- cold ----

function coldTurn({ args, stdin, isWord }, { program, env, cwd }) {
  const began = performance.now();
  const cli = spawn(program, stdin ? args : [...args, PROMPT],
    { env, cwd, stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'ignore'], detached: true });
  cli.stdin?.end(PROMPT);
  let first;
  hearLines(cli.stdout, line => { if (!first && isWord(line)) first = performance.now() - began; });
  const over = new Promise((done, fail) => cli.on('error', fail).on('exit', () =>
    first ? done(first) : fail(new Error('the one-shot has said nothing'))));
  return within(over, 'the one-shot').finally(() => {
    try {
      process.kill(-cli.pid, 'SIGKILL'); // it may have left somebody behind
    } catch { /* it has not */ }
  });
}

// Its own home, so that it does not share files with one that stays; the same quiet environment.
function coldPlace(cleanup, name, cloud) {
  const cli = cliOf(name), home = temporaryDirectory(cleanup), cwd = join(home, 'work');
  mkdirSync(cwd);
  const env = { HOME: home, PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', ...cli.configure(home, cloud), ...cli.quiet };
  return { program: cli.program(home), env, cwd };
}

// ---- the bridge's ----

// Runs a program, and writes down what it was told: some overwrite that in /proc.
function recorder(home, program) {
  const path = join(home, 'bin/recorded');
  mkdirSync(join(home, 'bin'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\0' "$@" >'${home}/args.'$$\nexec '${program}' "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

const words = bytes => bytes.toString().split('\0').slice(0, -1);

// How the bridge runs it, but for the mark by which it finds its own processes.
function lookAt(bridge, name, home, command) {
  const recorded = new Set(readdirSync(home));
  const { pid } = bridge.clisOf(name).find(({ pid }) => recorded.has(`args.${pid}`));
  const variables = words(readFileSync(`/proc/${pid}/environ`)).map(text => text.match(/^([^=]*)=(.*)$/s).slice(1));
  const env = Object.fromEntries(variables);
  delete env.CLI_BRIDGE_OWNER;
  return { command, args: words(readFileSync(join(home, `args.${pid}`))), env, cwd: readlinkSync(`/proc/${pid}/cwd`) };
}

const agent = new http.Agent({ keepAlive: true });
export const hangUp = () => agent.destroy();

// The time to the first delta; resolves at the end of the answer.
export function bridgeTurn(bridge, model, session) {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: PROMPT }] });
  const began = performance.now();
  return new Promise((done, fail) => {
    const request = http.request(`${bridge.url}/v1/chat/completions`, {
      agent, method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-session-id': session },
    }, response => {
      let heard = '', first;
      response.setEncoding('utf8');
      response.on('data', text => {
        heard += text;
        if (!first && heard.includes('"delta":{"content":"'))
          first = performance.now() - began;
      });
      response.on('end', () => first && !heard.includes('"error"') ? done(first) : fail(new Error(heard)));
    });
    request.on('error', fail);
    request.end(body);
  });
}

// Megabytes of all its processes, a shared page by halves, thirds, ...
function memoryOf(processes) {
  return sum(processes.map(({ pid }) => {
    try {
      return Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss:\s+(\d+)/m)[1]) / 1024;
    } catch {
      return 0; // it has just ended
    }
  }));
}

// ---- one harness ----

// A proxy of its own, which its user runs, in front of Claude Code.
async function setUpClaudish(cleanup, home, cloud) {
  const port = await freePort(), models = join(home, 'models.json');
  writeFileSync(models, '[]');
  const proxy = start(clis.claudish.program(home), ['serve', '--port', `${port}`, '--models', models], {
    env: { HOME: home, PATH: '/usr/bin:/bin', ...clis.claudish.configure(home, cloud), ...clis.claudish.quiet }, stdio: 'ignore',
  });
  cleanup.after(() => proxy.kill('SIGKILL'));
  await accepts(port);
  return { CLAUDISH_BIN: clis.claude.program(home), CLAUDISH_URL: `http://127.0.0.1:${port}`, CLAUDISH_ENV_IS_SANDBOX: '1' };
}

async function startPair(cleanup, name, cloud, row) {
  const home = temporaryDirectory(cleanup);
  const env = name === 'claudish' ? await setUpClaudish(cleanup, home, cloud) : cliOf(name).setUp(home, cloud, name);
  const program = env[`${name.toUpperCase()}_BIN`];
  const bridge = await bridgeFor(cleanup, {
    backends: [name], env: { ...env, HOME: home, [`${name.toUpperCase()}_BIN`]: recorder(home, program) },
  });
  const model = oneshots[name].model ?? name;
  const turn = session => within(bridgeTurn(bridge, model, session), 'the bridge');
  row.firstOfAll = await turn('first');
  await turn('first');
  await sleep(SETTLED);
  row.memory = memoryOf(bridge.clisOf(name));

  const how = { ...lookAt(bridge, name, home, program), model: oneshots[name].model?.slice(name.length + 1) };
  const direct = await drivers[oneshots[name].driver](how);
  cleanup.after(() => direct.ends());
  await within(direct.opens(), 'the script');
  await within(direct.turn(), 'the script');
  return { bridge, turn, direct };
}

async function furtherSessions(name, { bridge, turn }, row) {
  const before = memoryOf(bridge.clisOf(name));
  for (let n = 0; n < FURTHER; n++) {
    row.fresh.push(await turn(`further-${n}`));
    await sleep(PAUSE);
    await turn(`further-${n}`);
    await sleep(PAUSE);
  }
  await sleep(SETTLED);
  row.further = (memoryOf(bridge.clisOf(name)) - before) / FURTHER;
}

// As a bridge is by default: a process is ready for the next new session, some time after the last one took it.
async function spareSessions(cleanup, name, cloud, row) {
  const home = temporaryDirectory(cleanup);
  const env = name === 'claudish' ? await setUpClaudish(cleanup, home, cloud) : cliOf(name).setUp(home, cloud, name);
  const bridge = await bridgeFor(cleanup, { backends: [name], env: { ...env, HOME: home, BRIDGE_SPARES: undefined } });
  for (let n = 0; n <= FURTHER; n++) {
    const took = await within(bridgeTurn(bridge, oneshots[name].model ?? name, `spare-${n}`), 'the bridge');
    if (n)
      row.spare.push(took);
    await sleep(SETTLED);
  }
}

async function measure(cleanup, name, row) {
  const cloud = await startStandIn(cleanup, oneshots[name].cli ?? name);
  const place = coldPlace(cleanup, name, cloud), oneshot = oneshots[name];
  await coldTurn(oneshot, place); // of a new home, which is not what is meant
  let problem;
  const pair = await startPair(cleanup, name, cloud, row).catch(what => { problem = what; });

  for (let round = 0; round < ROUNDS; round++) {
    row.cold.push(await coldTurn(oneshot, place));
    for (let turn = 0; pair && turn < TURNS_A_ROUND; turn++) {
      const both = [['direct', () => within(pair.direct.turn(), 'the script')], ['bridge', () => pair.turn('first')]];
      for (const [who, take] of turn % 2 ? both : both.reverse()) {
        await sleep(PAUSE);
        row[who].push(await take());
      }
    }
  }
  if (!pair)
    throw problem;
  pair.direct.ends();
  await sleep(SETTLED);
  await furtherSessions(name, pair, row);
  await pair.bridge.stops();
  await spareSessions(cleanup, name, cloud, row);
}

async function measureOne(name) {
  const { version } = JSON.parse(readFileSync(join(modules, oneshots[name].from, 'package.json'), 'utf8'));
  const row = { harness: name, version: version.split('-')[0], cold: [], direct: [], bridge: [], fresh: [], spare: [], goal: oneshots[name].goal };
  try {
    await cleanly(cleanup => measure(cleanup, name, row));
  } catch (problem) {
    row.remark = problem.message.split('\n')[0].slice(0, 60);
  }
  if (row.bridge.length) {
    row.ratio = median(row.cold) / median(row.bridge);
    // Of neighbours, so that what slows both of them down does not count.
    row.added = median(row.bridge.map((time, n) => time - row.direct[n]).filter(difference => !Number.isNaN(difference)));
  }
  return row;
}

// `names`: all if there are none.
export async function harnesses(names) {
  const rows = [];
  for (const name of names.length ? names : Object.keys(oneshots)) {
    console.error(`  ${name}`);
    rows.push(await measureOne(name));
  }
  hangUp();
  return rows;
}

export function harnessTable(rows) {
  const ms = times => times.length ? show(median(times)) : '';
  const number = value => value === undefined ? '' : show(value);
  const lines = rows.map(row => [
    row.harness, row.version, ms(row.cold) + (oneshots[row.harness].whole ? ' w' : ''), ms(row.bridge), number(row.ratio),
    `>= ${row.goal}`, ms(row.fresh), ms(row.spare), ms(row.direct), number(row.added), number(row.memory), number(row.further),
    row.remark ?? '',
  ]);
  const heads = ['', 'version', 'cold', 'warm', 'cold/warm', 'goal', 'new session', 'with a spare', 'by a script', 'added', 'memory', 'a further one', ''];
  return `first word, ms (medians of ${ROUNDS} cold and ${ROUNDS * TURNS_A_ROUND} warm turns); memory, MB of PSS; ` +
    `w: tells whole messages only\n\n${grid(heads, lines)}`;
}
