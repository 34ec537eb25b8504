// A thousand turns that nobody waited for leave nothing behind.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { PLAIN_BUILD, descriptorsOf, memoryOf, numbers, startBridge, test, waitFor } from './bridge.mjs';

const models = ['echo/silent', 'echo/chunks:200,delay:2', 'echo/silent_after:2,chunks:4', 'echo/text:2000000', 'echo'];

async function abortTurns(bridge, count, random) {
  let left = count;
  const one = async () => {
    while (left-- > 0) {
      const model = models[Math.floor(random.next().value * models.length)];
      const session = random.next().value < 0.5 ? { session_id: `s${Math.floor(random.next().value * 4)}` } : {};
      const client = bridge.streams(model, 'x'.repeat(400), session, { keep: false });
      await sleep(random.next().value * 60);
      client.leaves();
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  await bridge.isIdle();
}

async function inventory(bridge) {
  await waitFor('only warm CLIs are left', () => bridge.clisOf('echo').length <= 4);
  const found = {};
  for (const name of ['supervisor', 'gateway', 'echo']) {
    const pid = await bridge.pid(name);
    found[name] = { pid, descriptors: descriptorsOf(pid), memory: memoryOf(pid).now };
  }
  return found;
}

test('1,000 turns aborted at random moments: no process, descriptor or memory gained', async t => {
  const bridge = await startBridge(t, { build: PLAIN_BUILD, env: { ECHO_MAX_IDLE: '4', BRIDGE_LOG_LEVEL: 'warn' } });
  const random = numbers(7);
  await abortTurns(bridge, 200, random);
  const before = await inventory(bridge);
  await abortTurns(bridge, 1000, random);
  const after = await inventory(bridge);

  for (const name of Object.keys(before)) {
    assert.equal(after[name].pid, before[name].pid, `${name} has died`);
    // A warm CLI more or less has a pipe each way, and a pidfd; a connection may still be open.
    assert.ok(after[name].descriptors.length <= before[name].descriptors.length + 20,
      `${name}: ${before[name].descriptors.length} descriptors, then ${after[name].descriptors.length}: ${after[name].descriptors}`);
    assert.ok(after[name].memory <= before[name].memory + 8, `${name}: ${before[name].memory} MiB, then ${after[name].memory}`);
  }
  const answer = await bridge.answers('echo', 'and it still works');
  assert.equal(answer.content, 'and it still works');
});
