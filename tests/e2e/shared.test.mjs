// Conversations that share a process of their CLI: what one of them does to the others, and to the process.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { PLAIN_BUILD, isAlive, isGone, memoryOf, onThisMachine, startBridge, test, waitFor } from './bridge.mjs';

const FAKE = resolve(import.meta.dirname, '../fakes/acp.mjs');
const START_MS = 2000; // of a node on a busy machine

const start = (t, env = {}, { manner = '', ...options } = {}) => startBridge(t, {
  backends: ['fake'], ...options,
  env: { BRIDGE_ACP_FAKE: `${process.execPath} ${FAKE} ${manner}`, ...env },
});

// "pid 7 turn 2: hello"
function toldBy({ content }) {
  const [, pid, turn, text] = content.match(/^pid (\d+) turn (\d+): (.*)$/s) ?? assert.fail(content);
  return { pid: Number(pid), turn: Number(turn), text };
}

const clis = bridge => bridge.clisOf('fake').map(({ pid }) => pid);
const hello = async (bridge, session_id, text = 'hello') => toldBy(await bridge.answers('fake', text, { session_id }));

test('sessions share one process, and one that is silent for too long costs it its others only in time', async t => {
  const bridge = await start(t, { FAKE_TIMEOUT_MS: onThisMachine(1000) });
  const before = { a: await hello(bridge, 'a'), b: await hello(bridge, 'b'), c: await hello(bridge, 'c') };
  assert.equal(new Set(Object.values(before).map(({ pid }) => pid)).size, 1);

  const deaf = bridge.streams('fake', 'deaf', { session_id: 'a' });
  await deaf.hears(/deaf/);
  const words = onThisMachine(100); // for longer than that silence
  const neighbour = bridge.streams('fake', `talk ${words}`, { session_id: 'b' });
  await neighbour.hears(/1 /);
  await deaf.fails('timeout');
  assert.equal(neighbour.ended, false);

  const idle = await hello(bridge, 'c');
  assert.deepEqual([idle.pid !== before.c.pid, idle.turn], [true, 2], 'who comes now gets another process');
  const again = await hello(bridge, 'a');
  assert.deepEqual([again.pid, again.turn], [idle.pid, 2]);

  await neighbour.finishes();
  assert.ok(neighbour.text.endsWith(` ${words} `));
  const after = await hello(bridge, 'b');
  assert.deepEqual([after.pid, after.turn], [idle.pid, 3], 'its last turn is not lost');
  await isGone(() => [before.a.pid].filter(isAlive), { within: 3000 });
  assert.deepEqual(clis(bridge), [idle.pid]);
});

test('a client that leaves stops its own turn only; one that does not stop costs the process', async t => {
  const bridge = await start(t);
  const { pid } = await hello(bridge, 'a');
  const neighbour = bridge.streams('fake', 'talk 60', { session_id: 'b' });
  await neighbour.hears(/1 /);

  const leaving = bridge.streams('fake', 'wait', { session_id: 'a' });
  await leaving.hears(/waiting/);
  leaving.leaves();
  const next = await hello(bridge, 'a');
  assert.deepEqual([next.pid, next.turn], [pid, 2]);

  const deaf = bridge.streams('fake', 'deaf', { session_id: 'a' });
  await deaf.hears(/deaf/);
  deaf.leaves();
  const other = await hello(bridge, 'a');
  assert.deepEqual([other.pid !== pid, other.turn], [true, 3]);
  await neighbour.finishes();
  await isGone(() => [pid].filter(isAlive), { within: 3000 });
});

test('one that does not stop for seconds takes its process with it', async t => {
  const bridge = await start(t);
  const { pid } = await hello(bridge, 'a');
  const deaf = bridge.streams('fake', 'deaf');
  await deaf.hears(/deaf/);
  deaf.leaves();
  await isGone(() => [pid].filter(isAlive), { within: 15_000, since: deaf.leftAt });
});

test('a crash of the process fails the turns that are in it, and no session is lost', async t => {
  const bridge = await start(t);
  const { pid } = await hello(bridge, 'a');
  await hello(bridge, 'b');
  await hello(bridge, 'c');
  const neighbour = bridge.streams('fake', 'talk 1000', { session_id: 'b' });
  await neighbour.hears(/1 /);
  const crashed = bridge.streams('fake', 'crash', { session_id: 'a' });
  await crashed.fails('harness_crashed');
  assert.match((await neighbour.fails('harness_crashed')).message, /exit code 3/);
  const after = await Promise.all(['a', 'b', 'c'].map(name => hello(bridge, name)));
  assert.deepEqual(after.map(({ turn }) => turn), [2, 2, 2]);
  assert.equal(new Set(after.map(told => told.pid)).size, 1);
  assert.notEqual(after[0].pid, pid);
});

test('an answer that nobody reads is given up, and nobody else notices', async t => {
  const bridge = await start(t, {}, { build: PLAIN_BUILD });
  const { pid } = await hello(bridge, 'slow');
  const worker = await bridge.pid('fake');
  const slow = await bridge.streams('fake', 'flood', { session_id: 'slow' }, { keep: false }).isConnected();
  slow.response.pause();
  const neighbour = bridge.streams('fake', 'talk 50', { session_id: 'b' });
  await waitFor('it is given up', () => /TRUNCATED/.test(bridge.log));
  const { peak } = memoryOf(worker);
  assert.ok(peak < 100, `${peak} MiB`);
  await neighbour.finishes();
  slow.response.resume();
  await slow.fails('answer_truncated');
  const after = await hello(bridge, 'slow');
  assert.deepEqual([after.pid, after.turn], [pid, 2], 'its process has stopped that turn, and goes on');
});

test('so many sessions share a process, and no more', async t => {
  const env = { FAKE_SHARES: '22', FAKE_MAX_RUNNING: '66', FAKE_MAX_IDLE: '66' };
  const bridge = await start(t, env);
  const names = Array.from({ length: 66 }, (_, n) => `session ${n}`);
  const clients = names.map(name => bridge.streams('fake', 'talk 25', { session_id: name }));
  await Promise.all(clients.map(client => client.finishes()));
  assert.equal(clis(bridge).length, 3);
  const told = await Promise.all(names.map(name => hello(bridge, name)));
  const sharers = told.reduce((sum, { pid }) => ({ ...sum, [pid]: (sum[pid] ?? 0) + 1 }), {});
  assert.deepEqual(Object.values(sharers), [22, 22, 22]);
  assert.ok(told.every(({ turn }) => turn === 2));
});

test('a process that nobody talks with goes, and one too many goes at once', async t => {
  await t.test('after its time', async t2 => {
    const bridge = await start(t2, { FAKE_IDLE_MS: '300' });
    const first = await hello(bridge, 'a');
    await isGone(() => clis(bridge), { within: 5000 });
    const second = await hello(bridge, 'a');
    assert.deepEqual([second.pid !== first.pid, second.turn], [true, 2]);
  });

  await t.test('if there are too many', async t2 => {
    const bridge = await start(t2, { FAKE_SHARES: '1', FAKE_MAX_IDLE: '1' });
    const clients = Array.from({ length: 4 }, () => bridge.streams('fake', 'talk 50'));
    await Promise.all(clients.map(client => client.hears(/1 /)));
    assert.equal(clis(bridge).length, 4);
    await Promise.all(clients.map(client => client.finishes()));
    await isGone(() => clis(bridge).slice(1), { within: 3000 });
  });
});

test('an agent that can\'t open a session again begins it anew, in the process that is there', async t => {
  const bridge = await start(t, { FAKE_MAX_IDLE: '0', FAKE_SPARES: '1' }, { manner: 'forgetful' });
  assert.equal((await hello(bridge, 'a')).turn, 1);
  const neighbour = bridge.streams('fake', 'talk 100', { session_id: 'b' });
  await neighbour.hears(/1 /);
  const answer = await bridge.answers('fake', 'hello', { session_id: 'a' });
  assert.equal(toldBy(answer).turn, 1);
  await neighbour.finishes();
});

test('what waits for a process that does not start does not get that one', async t => {
  const bridge = await start(t, { FAKE_START_MS: onThisMachine(START_MS), FAKE_IDLE_MS: '100', FAKE_MAX_RUNNING: '1' });
  await isGone(() => clis(bridge), { within: 5000 });
  writeFileSync(join(bridge.directory, 'home/hang'), '');
  const first = bridge.streams('fake', 'hello', { session_id: 'a' });
  const second = bridge.streams('fake', 'hello', { session_id: 'b' });
  await first.fails('timeout');
  await second.finishes();
});
