// Every process is killed or stopped at random while all kinds of turns run, and what the bridge promises holds:
// no connection is refused, no turn runs twice, every answer is right or ends in an error, nothing is left behind.
//
// CHAOS_SECONDS (40) is how long it takes, CHAOS_SEED (the time of the run) which processes are hit, and how.  A
// failure names its seed, and CHAOS_LOG, if it is set, the file that gets the whole log then.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startOpenAI } from '../fakes/vendors.mjs';
import { BUILD, PLAIN_BUILD, descriptorsOf, isAlive, isGone, memoryOf, numbers, onThisMachine, startBridge, test, waitFor } from './bridge.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 40);
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);

const FAKE = resolve(import.meta.dirname, '../fakes/acp.mjs');
const SERVICES = ['gateway', 'echo', 'passthrough', 'fake'];
const SESSIONS = 3;           // of each harness that has any
const HIT_EVERY_MS = 500;     // on average
const STOPPED_MS = 600;       // at most, where it goes on by itself
const SILENCE_MS = onThisMachine(3000); // of a CLI, until its turn is given up
const HUNG_MS = onThisMachine(2000);    // of a service, until it is replaced
const LOG_LAGS_MS = 2000;     // behind what it tells
const SETTLED_WITHIN = 120_000;
const GROWN_MIB = 16;         // at most
const LIVES = 3;              // of the supervisor

// How a turn may fail when processes die.
const TYPED = [
  'worker_lost', 'harness_crashed', 'answer_truncated', 'harness_unavailable', 'harness_failed', 'timeout',
  'queue_full', 'queue_timeout', 'upstream_failed',
];
const OF_ECHO = ['cancelled']; // what its CLI says when the shell in front of it has been killed

// ---- what is asked ----

const WORDS = Array.from({ length: 30 }, (_, n) => `word${n} `).join('');

// A kind of turn: what is asked, and what must be heard.  Every text is said once only, so that its turns can be counted.
const streamed = { stream: true };
const kinds = {
  'echo, streamed': n => ({ model: 'echo/chunks:30,delay:10', says: `echo stream ${n}: ${WORDS}`, ...streamed }),
  'echo, whole': n => ({ model: 'echo/chunks:5,delay:20', says: `echo whole ${n}: ${WORDS}` }),
  'echo, in a session': n => ({ model: 'echo/chunks:5,delay:10', says: `echo session ${n}: ${WORDS}`, session_id: `s${n % SESSIONS}`, ...streamed }),
  'an agent, in a session': n => ({
    model: 'fake', says: `agent session ${n}`, hears: new RegExp(`^pid \\d+ turn \\d+: agent session ${n}$`), session_id: `s${n % SESSIONS}`, ...streamed,
  }),
  'an agent, streamed': n => ({ model: 'fake', says: `talk 10 words for ${n}`, hears: /^1 2 3 4 5 6 7 8 9 10 $/, ...streamed }),
  'relayed, streamed': n => ({ model: 'acme/x', says: `relayed stream ${n}: ${WORDS}`, ...streamed }),
  'relayed, whole': n => ({ model: 'acme/x', says: `relayed whole ${n}: ${WORDS}` }),
};

// One turn, from the connection to what has become of it: { heard, finished, code, isRefused, isCut, mayRetry }.
async function ask(bridge, { model, says, stream, session_id }) {
  const turn = { began: Date.now(), heard: '' };
  const client = bridge.streams(model, says, { stream: Boolean(stream), ...(session_id && { session_id }) });
  turn.client = client;
  await client.ends(SETTLED_WITHIN);
  turn.ended = Date.now();
  turn.isRefused = client.problem?.code === 'ECONNREFUSED';
  const whole = client.isEvents ? null : parsed(client.raw);
  turn.heard = client.isEvents ? client.text : whole?.choices?.[0].message.content ?? '';
  const error = client.error ?? whole?.error;
  turn.code = error?.code;
  turn.finished = !error && (client.isEvents ? client.isDone && client.finish === 'stop' : whole?.choices?.[0].finish_reason === 'stop');
  turn.isCut = !turn.finished && !turn.code;
  turn.mayRetry = mayRetry(client);
  return turn;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// What OpenAI's own clients do with an answer like that.
const mayRetry = ({ status, headers }) =>
  (status >= 500 || [408, 409, 429].includes(status)) && headers['x-should-retry'] !== 'false';

// ---- what is done to it ----

const pick = (random, list) => list[Math.floor(random.next().value * list.length)];

// A process that is there: a service, or as often a CLI.
async function victim(bridge, random) {
  if (random.next().value < 0.5) {
    const name = pick(random, SERVICES);
    const { pid } = await bridge.row(name);
    return { name, pid };
  }
  const name = pick(random, ['echo', 'fake']);
  return { name: `a CLI of ${name}`, pid: pick(random, bridge.clisOf(name))?.pid };
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (problem) {
    assert.equal(problem.code, 'ESRCH'); // it has just ended
  }
}

// Killed, or stopped for a moment, or stopped until somebody finds that it is hung.
async function hit({ pid }, random) {
  const chance = random.next().value;
  const forMs = random.next().value * STOPPED_MS;
  if (!pid)
    return 'nobody';
  signal(pid, chance < 0.5 ? 'SIGKILL' : 'SIGSTOP');
  if (chance < 0.5)
    return 'killed';
  if (chance < 0.75)
    return 'stopped';
  await sleep(forMs);
  signal(pid, 'SIGCONT');
  return `stopped for ${Math.round(forMs)} ms`;
}

async function rages(bridge, random, until, hits) {
  while (Date.now() < until) {
    await sleep(random.next().value * 2 * HIT_EVERY_MS);
    const at = await victim(bridge, random);
    hits.push(`${at.name}: ${await hit(at, random)}`);
  }
}

// ---- the bridge in the middle of it ----

// An echo CLI that writes down what it is asked, and then does it.
function countingEcho(home, build) {
  const path = join(home, 'counting-echo');
  const note = `while IFS= read -r line; do printf '%s\\n' "$line" >>${join(home, 'echo-turns')}; printf '%s\\n' "$line"; done`;
  writeFileSync(path, `#!/bin/sh\n${note} | ${join(build, 'cli-bridge-echo-cli')} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

async function start(t, build) {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  cloud.always(({ body }) => body ? { chunks: body.messages.at(-1).content.split(/(?<= )/), delayMs: 10, firstDelayMs: 50 } : {});
  const bridge = await startBridge(t, {
    backends: ['echo', 'passthrough', 'fake'], build,
    env: home => (mkdirSync(home, { recursive: true }), {
      ECHO_BIN: countingEcho(home, build), ECHO_TIMEOUT_MS: String(SILENCE_MS),
      BRIDGE_ACP_FAKE: `${process.execPath} ${FAKE}`, FAKE_TIMEOUT_MS: String(SILENCE_MS),
      BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1`, PASSTHROUGH_TIMEOUT_MS: String(SILENCE_MS),
      BRIDGE_HUNG_MS: String(HUNG_MS), BRIDGE_MAX_IDLE: '4',
    }),
  });
  return { bridge, cloud };
}

const linesOf = (bridge, file) => {
  const path = join(bridge.directory, 'home', file);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
};

// How often each text was heard behind the bridge.
function turnsBehind({ bridge, cloud }) {
  const counts = new Map();
  const count = text => counts.set(text, (counts.get(text) ?? 0) + 1);
  cloud.requests.filter(({ body }) => body).forEach(({ body }) => count(body.messages.at(-1).content));
  linesOf(bridge, 'acp-prompts').forEach(count);
  for (const line of linesOf(bridge, 'echo-turns')) {
    const turn = parsed(line);
    if (turn?.type === 'turn')
      count([turn.messages.at(-1).content].flat().map(part => part.text ?? part).join(''));
  }
  return counts;
}

const deathsOf = (bridge, name) => bridge.log.split('\n').filter(line => new RegExp(`supervisor: ${name}: .*(died|killed)`).test(line))
  .map(line => Date.parse(line.split(' ')[0]));

// The parent of each process that is there.
function parents() {
  const all = new Map();
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
    try {
      const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ');
      all.set(Number(pid), { state, parent: Number(parent) });
    } catch { /* it has just gone */ }
  return all;
}

// Processes of the bridge's that nobody has in his care: dead and not reaped, or without a parent among them.
function strays(bridge) {
  const all = parents();
  const isOurs = pid => {
    for (let at = pid; all.has(at); at = all.get(at).parent)
      if (at === bridge.daemon.pid)
        return true;
    return false;
  };
  const dead = [...all].filter(([pid, { state }]) => state === 'Z' && isOurs(pid)).map(([pid]) => `zombie ${pid}`);
  const alone = bridge.processes().filter(({ pid }) => all.has(pid) && !isOurs(pid)).map(({ command }) => `orphan ${command}`);
  return [...dead, ...alone];
}

const filesOf = bridge => [...new Set(readdirSync(bridge.dataDirectory, { recursive: true })
  .filter(name => name.startsWith('run')).map(name => name.replaceAll(/[0-9a-f]{6,}|\d+/g, 'N')))].sort();

async function inventory(bridge) {
  await bridge.isIdle();
  await isGone(() => strays(bridge), { within: SETTLED_WITHIN });
  const found = { files: filesOf(bridge) };
  for (const name of ['supervisor', ...SERVICES]) {
    const pid = await bridge.pid(name);
    found[name] = { descriptors: descriptorsOf(pid), memory: memoryOf(pid).now };
  }
  return found;
}

// Each kind of turn, until it comes to its end well.
async function works(bridge, number) {
  for (const kind of Object.values(kinds))
    for (let n = 0; n < SESSIONS; n++)
      await waitFor('every kind of turn works', async () => (await ask(bridge, kind(number()))).finished, SETTLED_WITHIN);
}

// ---- what must hold ----

const facts = ({ problem, wasCut, isDone, finish, headers, chunks }) =>
  ({ problem: problem?.message, wasCut, isDone, finish, request: headers?.['x-request-id'], last: chunks.at(-1) });

async function isRight(bridge, { kind, asked, turn }, runs) {
  const { heard, finished, code, isCut } = turn;
  const told = `${kind} ${asked.says.slice(0, 20)}: ${JSON.stringify({ status: turn.client.status, code, heard, runs, ...facts(turn.client) })}`;
  assert.equal(turn.isRefused, false, `no connection is refused: ${told}`);
  assert.ok(runs <= 1, `no turn runs twice: ${told}`);
  if (!asked.hears)
    assert.ok(asked.says.startsWith(heard), `nobody hears another's words: ${told}`);
  if (finished)
    assert.ok(runs === 1 && (asked.hears ?? { test: text => text === asked.says }).test(heard), `who has finished has heard all of it: ${told}`);
  if (code)
    assert.ok([...TYPED, ...kind.startsWith('echo') ? OF_ECHO : []].includes(code), `an error says what has happened: ${told}`);
  if (turn.mayRetry)
    assert.equal(runs, 0, `what has run is not asked for again: ${told}`);
  const isDeath = at => at > turn.began - LOG_LAGS_MS && at < turn.ended + LOG_LAGS_MS;
  if (isCut) // which the log may tell a moment later
    await waitFor(`the gateway's death, which alone ends an answer without a word: ${told}, from ${turn.began} to ${turn.ended}`,
      () => deathsOf(bridge, 'gateway').some(isDeath), SETTLED_WITHIN);
}

// Clients that go on asking until `until`; what became of each turn comes last.
async function clientsAsk(bridge, number, until) {
  const turns = [];
  const client = async ([kind, request]) => {
    while (Date.now() < until()) {
      const asked = request(number());
      turns.push({ kind, asked, turn: await ask(bridge, asked) });
    }
  };
  await Promise.all(Object.entries(kinds).flatMap(kind => [client(kind), client(kind)]));
  return turns;
}

// A turn may have been given up as silent where the machine has stood still: another one comes to its end.
async function finishesOne(bridge, next) {
  const failures = [];
  await waitFor('a turn finishes', async () => {
    const turn = await ask(bridge, next());
    if (!turn.finished)
      failures.push(JSON.stringify({ code: turn.code, ...facts(turn.client) }));
    return turn.finished;
  }, SETTLED_WITHIN).catch(problem => assert.fail(`${problem.message}; ${failures.join('; ')}`));
}

function counter() {
  let serial = 0;
  return () => serial++;
}

function summary(turns) {
  const became = Object.groupBy(turns, ({ turn }) => turn.finished ? 'finished' : turn.code ?? 'cut');
  return Object.entries(became).map(([code, list]) => `${list.length} ${code}`).join(', ');
}

function isNoMore(after, before, { memory }) {
  assert.deepEqual(after.files, before.files);
  for (const name of ['supervisor', ...SERVICES]) {
    const [was, is] = [before[name], after[name]];
    assert.ok(is.descriptors.length <= was.descriptors.length + 20, `${name}: ${was.descriptors.length} descriptors, then ${is.descriptors}`);
    if (memory)
      assert.ok(is.memory <= was.memory + GROWN_MIB, `${name}: ${was.memory} MiB, then ${is.memory}`);
  }
}

for (const [what, build] of [['with sanitizers', BUILD], ['as it is used', PLAIN_BUILD]])
  test(`chaos, ${what}: services and CLIs die and hang, and the bridge keeps its promises`, { timeout: (SECONDS + 900) * 1000 }, async t => {
    const all = await start(t, build);
    const { bridge } = all;
    const number = counter(), hits = [];
    await works(bridge, number);
    const before = await inventory(bridge);

    const until = Date.now() + SECONDS * 1000 / 2;
    const [turns] = await Promise.all([clientsAsk(bridge, number, () => until), rages(bridge, numbers(SEED), until, hits)]);
    t.diagnostic(`seed ${SEED}: ${hits.length} hits, ${turns.length} turns: ${summary(turns)}`);
    try {
      const runs = turnsBehind(all);
      for (const turn of turns)
        await isRight(bridge, turn, runs.get(turn.asked.says) ?? 0);
      assert.ok(turns.some(({ turn }) => turn.finished), 'in spite of all that, turns come to their end');
      for (const name of SERVICES)
        await waitFor(`${name} is back`, async () => (await bridge.row(name)).state === 'RUNNING', SETTLED_WITHIN);
      await works(bridge, number);
      isNoMore(await inventory(bridge), before, { memory: build === PLAIN_BUILD });
    } catch (problem) {
      console.error(`CHAOS_SEED=${SEED} CHAOS_SECONDS=${SECONDS}; ${hits.length} hits:\n${hits.join('\n')}`);
      if (process.env.CHAOS_LOG)
        writeFileSync(process.env.CHAOS_LOG, bridge.log);
      throw problem;
    }
  });

test('chaos: the supervisor stops for a while, and dies, and is started again', async t => {
  const all = await start(t, BUILD);
  const { bridge } = all;
  const random = numbers(SEED), number = counter();
  t.diagnostic(`seed ${SEED}`);
  for (let life = 0; life < LIVES; life++) {
    await works(bridge, number);
    const supervisor = bridge.daemon.pid;
    let isOver = false;
    const asking = clientsAsk(bridge, number, () => isOver ? 0 : Infinity);

    process.kill(supervisor, 'SIGSTOP');
    await sleep(random.next().value * 2 * HUNG_MS);
    await finishesOne(bridge, () => kinds['echo, streamed'](number()));
    process.kill(supervisor, 'SIGCONT');
    await sleep(random.next().value * 1000);

    isOver = true;
    process.kill(supervisor, 'SIGKILL');
    const turns = await asking;
    await waitFor('its end is known', () => bridge.exit);
    await isGone(() => bridge.processes(), { within: SETTLED_WITHIN });
    const runs = turnsBehind(all);
    for (const { asked, turn } of turns) {
      const count = runs.get(asked.says) ?? 0;
      assert.ok(count <= 1 && (count === 1 || !turn.finished), `${asked.says} has run ${count} times: ${JSON.stringify({ code: turn.code, ...facts(turn.client) })}`);
      assert.ok(asked.hears || asked.says.startsWith(turn.heard), `nobody hears another's words: "${asked.says}": "${turn.heard}"`);
    }
    t.diagnostic(`life ${life}: ${turns.length} turns: ${summary(turns)}`);
    await bridge.starts();
    await bridge.isReady();
  }
  await works(bridge, number);
});
