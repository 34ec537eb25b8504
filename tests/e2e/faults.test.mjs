// What one part's fault does to the others: nothing.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { startOpenAI } from '../fakes/vendors.mjs';
import { PLAIN_BUILD, memoryOf, startBridge, test, waitFor } from './bridge.mjs';

const MIB = 1 << 20;

async function startBoth(t, { env, ...options } = {}) {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['echo', 'passthrough'],
    env: { BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1`, ...env }, ...options,
  });
  return { cloud, bridge };
}

for (const [victim, survivor] of [['echo', 'passthrough'], ['passthrough', 'echo']])
  test(`kill -9 of ${victim} under load: every stream of ${survivor} completes byte for byte`, async t => {
    const { cloud, bridge } = await startBoth(t, { env: { ECHO_MAX_RUNNING: '32' } });
    const words = Array.from({ length: 60 }, (_, n) => `word${n} `);
    cloud.always({ chunks: words, delayMs: 20 });
    const streams = {
      echo: () => bridge.streams('echo/chunks:60,delay:20', words.join('')),
      passthrough: () => bridge.streams('acme/x', 'hi'),
    };
    const dying = Array.from({ length: 10 }, () => streams[victim]());
    const living = Array.from({ length: 10 }, () => streams[survivor]());
    await Promise.all([...dying, ...living].map(client => client.hears(/w/)));
    const old = await bridge.kill(victim);
    await Promise.all(dying.map(async client => {
      await client.ends();
      assert.equal(client.finish, undefined);
      assert.ok(client.error?.code === 'worker_lost' || client.wasCut);
    }));
    for (const client of living) {
      await client.finishes();
      assert.equal(client.text, words.join(''));
    }
    await bridge.isReplaced(victim, old);
    await streams[victim]().finishes();
  });

test('a reader that is slow costs bounded memory, delays nobody and loses nothing', async t => {
  const { bridge } = await startBoth(t, { build: PLAIN_BUILD });
  await bridge.answers('echo', 'warm');
  const pids = await Promise.all(['gateway', 'echo'].map(name => bridge.pid(name)));
  const before = pids.map(pid => memoryOf(pid).now);

  const slow = await bridge.streams('echo/text:30000000,chunks:3000', 'x', {}, { keep: false }).isConnected();
  slow.response.pause();
  await sleep(2000);
  await bridge.answers('echo', 'others are served');
  const grown = pids.map((pid, n) => memoryOf(pid).now - before[n]);
  assert.ok(grown.every(mib => mib < 16), `grown by ${grown.map(Math.round)} MiB`);

  slow.response.resume();
  await slow.finishes();
  assert.equal(slow.length, 30_000_000);
  const after = pids.map((pid, n) => memoryOf(pid).now - before[n]);
  assert.ok(after.every(mib => mib < 16), `grown by ${after.map(Math.round)} MiB`);
});

test('a single line of 64 MiB arrives whole', async t => {
  const { bridge } = await startBoth(t, { build: PLAIN_BUILD });
  const client = bridge.streams(`echo/text:${64 * MIB},oneline`, 'x', {}, { keep: false });
  await client.finishes(90_000);
  assert.equal(client.length, 64 * MIB);
  const gateway = memoryOf(await bridge.pid('gateway'));
  const worker = memoryOf(await bridge.pid('echo'));
  assert.ok(gateway.peak < 64, `the gateway had ${Math.round(gateway.peak)} MiB`);
  assert.ok(worker.peak < 400, `the worker had ${Math.round(worker.peak)} MiB`);
  const kept = Math.round(memoryOf(await bridge.pid('echo')).now);
  assert.ok(kept < 100, `the worker keeps ${kept} MiB`);
});

test('two hundred at once are answered, each with its own', async t => {
  const { bridge } = await startBoth(t, { env: { ECHO_MAX_RUNNING: '4', ECHO_MAX_QUEUED: '300' } });
  const clients = Array.from({ length: 200 }, (_, n) => bridge.streams('echo/chunks:3', `number ${n}`));
  for (const [n, client] of clients.entries()) {
    await client.finishes(120_000);
    assert.equal(client.text, `number ${n}`);
  }
});
