// Real CLIs, their workers and the whole bridge are killed at random while clients ask, and leave, at random.
// Afterwards every session answers at the first attempt, and knows its past.
//
// KILL_FUZZ_SECONDS (30) is how long it takes, KILL_FUZZ_SEED (1) says what is killed, and when: another number is
// another story.  A failure names its seed.
//
// Every harness has two sessions.  The client of the one sends the whole conversation each time: its past is known
// whatever has happened.  The client of the other sends its last message only: what a CLI had not yet written down
// when it was killed nobody else knows, but then an answer says that something is missing.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isGone, numbers, says, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { countIn } from './suite/harness.mjs';

const SECONDS = Number(process.env.KILL_FUZZ_SECONDS ?? 30);
const SEED = Number(process.env.KILL_FUZZ_SEED ?? 1);

const HARNESSES = ['claude', 'codex', 'opencode', 'pi', 'kimi'];
const HIT_WITHIN_MS = 2000;      // when a harness has answered since it was hit last
const LEAVES_WITHIN_MS = 1500;   // a client that leaves
const SETTLED_WITHIN_MS = 120_000;

// What a service that is replaced, or a CLI that is killed, may answer.
const TYPED = ['worker_lost', 'harness_crashed', 'answer_truncated', 'harness_unavailable', 'harness_failed', 'upstream_failed',
  'queue_full', 'queue_timeout', 'timeout', 'draining', 'cancelled', 'too_many_processes'];

const pick = (random, list) => list[Math.floor(random.next().value * list.length)];

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (problem) {
    assert.equal(problem.code, 'ESRCH'); // it has just ended
  }
}

// ---- the bridge, and a stand-in of each vendor, which works for a while and sometimes wants a tool ----

async function start(t, random) {
  const clouds = {};
  for (const name of HARNESSES) {
    const cloud = clouds[name] = await clis[name].start();
    t.after(() => cloud.close());
    let tools = 0;
    cloud.always(() => {
      if (tools === 0 && random.next().value < 0.2) {
        tools = 1;
        return { toolUse: clis[name].shell('echo worked'), delayMs: 20 };
      }
      tools = 0;
      return { delayMs: 40 };
    });
  }
  const bridge = await startBridge(t, {
    backends: HARNESSES,
    env: home => Object.assign({ BRIDGE_MAX_IDLE: '2' }, ...HARNESSES.map(name => clis[name].setUp(home, clouds[name], name))),
  });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd);
  return { bridge, clouds, cwd };
}

// ---- a session, as its client knows it ----

class Session {
  history = [];   // questions and answers, as they came to their end
  words = [];     // of the questions that an answer has come to, and that the session is to know
  serial = 0;     // of its questions
  answers = 0;

  constructor({ bridge, clouds, cwd }, name, sendsAll) {
    Object.assign(this, { bridge, cloud: clouds[name], cwd, name, sendsAll });
    this.id = `${name}-${sendsAll ? 'all' : 'last'}`;
  }

  // One turn, which its client may leave; true if it came to its end.
  async asks(leavesAfterMs) {
    const word = `word-${this.id}-${++this.serial}-end`;
    const messages = this.sendsAll ? says(...this.history, word) : word;
    const client = this.bridge.streams(this.name, messages, { session_id: this.id, cwd: this.cwd });
    if (leavesAfterMs !== undefined) {
      await sleep(leavesAfterMs);
      client.leaves();
    }
    await client.ends(SETTLED_WITHIN_MS);
    this.last = client;
    if (client.finish !== 'stop' || !client.isDone)
      return false;
    const told = client.chunks.map(chunk => chunk.bridge?.session).find(Boolean);
    if (!this.sendsAll && told?.reason)
      this.words = [];
    this.history.push(word, client.text);
    this.words.push(word);
    this.answers++;
    return true;
  }

  problem() {
    const { last: { error, raw, problem, status } } = this;
    return `${this.id}: ${JSON.stringify(error ?? { raw, status, problem: problem?.message })}`;
  }

  code() {
    const { last: { error, raw, isEvents, ended, leftAt } } = this;
    if (leftAt || !ended)
      return undefined;
    return error?.code ?? (isEvents || !raw ? undefined : JSON.parse(raw).error?.code);
  }

  async goesOn(random, until) {
    while (Date.now() < until) {
      const leaves = random.next().value < 0.4;
      await this.asks(leaves ? random.next().value * LEAVES_WITHIN_MS : undefined);
      const code = this.code();
      if (code)
        assert.ok(TYPED.includes(code), this.problem());
      await sleep(random.next().value * 200);
    }
  }

  async answersAndKnows() {
    assert.ok(await this.asks(), `it answers at the first attempt: ${this.problem()}`);
    const past = [...this.words];
    assert.ok(await this.asks(), this.problem());
    const heard = this.cloud.requests.findLast(asked => countIn(asked, `word-${this.id}-${this.serial}-end`));
    assert.deepEqual(past.filter(word => countIn(heard, word) === 0), [], `${this.id} knows its past`);
  }
}

// ---- what is done to them ----

async function hit(bridge, name, random) {
  const victims = bridge.clisOf(name).map(({ pid }) => pid);
  if (random.next().value < 0.15) {
    const row = await bridge.row(name).catch(() => null);
    if (row?.pid)
      kill(row.pid);
  } else if (victims.length) {
    kill(pick(random, victims));
  }
}

// A harness is hit only when it has answered since the last time: on a slow machine nothing would ever be answered.
async function rages({ bridge }, name, sessions, random, until) {
  const answered = () => sessions.reduce((sum, { answers }) => sum + answers, 0);
  for (let hits = 0, before = answered(); ; hits++, before = answered()) {
    while (answered() === before) {
      if (Date.now() > until)
        return hits;
      await sleep(50);
    }
    await sleep(random.next().value * HIT_WITHIN_MS);
    await hit(bridge, name, random);
  }
}

async function diesAndIsStarted(bridge) {
  process.kill(bridge.daemon.pid, 'SIGKILL');
  await waitFor('its end is known', () => bridge.exit);
  await isGone(() => bridge.processes(), { within: SETTLED_WITHIN_MS });
  await bridge.starts();
  await bridge.isReady();
}

test('sessions outlive whatever is killed, and know their past', { timeout: (SECONDS + 500) * 1000 }, async t => {
  const random = numbers(SEED);
  const all = await start(t, random);
  const { bridge } = all;
  const sessions = HARNESSES.flatMap(name => [true, false].map(sendsAll => new Session(all, name, sendsAll)));
  t.diagnostic(`KILL_FUZZ_SEED=${SEED} KILL_FUZZ_SECONDS=${SECONDS}`);

  for (const half of [1, 2]) {
    const until = Date.now() + SECONDS * 1000 / 2;
    const hits = await Promise.all([
      ...HARNESSES.map(name => rages(all, name, sessions.filter(session => session.name === name), random, until)),
      ...sessions.map(session => session.goesOn(random, until)),
    ]);
    t.diagnostic(`hits: ${HARNESSES.map((name, n) => `${name} ${hits[n]}`).join(', ')}`);
    t.diagnostic(`answers: ${sessions.map(({ id, answers, serial }) => `${id} ${answers} of ${serial}`).join(', ')}`);
    if (half === 1)
      await diesAndIsStarted(bridge);
  }
  await bridge.isReady();
  for (const session of sessions)
    await t.test(session.id, () => session.answersAndKnows());
});
