// An engine that is not there, goes, comes back or hangs: callers hear at once what is the matter, and containers come
// back by themselves.  The engine is one of the test's own.
import assert from 'node:assert/strict';

import { isGone, onThisMachine, stopwatch, test, waitFor } from './bridge.mjs';
import { ownEngine, theEngine, whyNoEngine } from './engine.mjs';
import { startPool } from './pools.mjs';

const isThere = await theEngine(); // if none can be had, neither can another one

test('an engine that is absent at the start, comes, is stopped, killed, and hangs', { skip: whyNoEngine ?? !isThere }, async t => {
  const engine = await ownEngine(t);
  let image;
  await t.test('absent at the start: it works later without a restart', async () => {
    await engine.starts();
    image = await engine.hasSmallImage();
    await engine.ends('SIGTERM');
  });
  const pool = await startPool(t, {
    engine, image, waits: false,
    env: { MINE_TIMEOUT_MS: String(onThisMachine(2000)), MINE_START_MS: String(onThisMachine(2000)) },
  });

  await t.test('absent: health and turns say so, and what to do', async () => {
    await waitFor('health knows', async () => /no Docker engine answers: .*docker\.sock.*DOCKER_HOST/.test((await pool.row()).detail));
    assert.equal((await pool.row()).state, 'unavailable');
    assert.match(await pool.refuses('one', 503, 'harness_unavailable'), /no Docker engine answers/);
    await engine.starts();
    await pool.bridge.isReady();
    assert.match(await pool.says('one', 'hello'), /turn 1: hello/);
  });

  for (const signal of ['SIGTERM', 'SIGKILL'])
    await t.test(`${signal} in a turn: its caller hears at once, and containers come back`, async () => {
      await pool.isWhole();
      const before = (await pool.containers()).map(({ id }) => id);
      const turn = await pool.streams('one', 'wait').hears(/waiting/);
      engine.signals(signal);
      const error = await turn.fails('harness_crashed');
      assert.match(error.message, /container|engine|connection/);
      await engine.ends(signal);
      await waitFor('health knows', async () => (await pool.row()).state === 'unavailable');
      const watch = stopwatch();
      assert.match(await pool.refuses('one', 503, 'harness_unavailable'), /no Docker engine answers/);
      assert.ok(watch.ms() < 3000, 'it does not wait for it');
      await engine.starts();
      await pool.isWhole();
      await pool.bridge.isReady();
      assert.match(await pool.says('one', 'hello'), /hello/);
      await isGone(async () => (await engine.containers()).filter(({ id }) => before.includes(id)), { within: 2000 });
      assert.equal((await pool.containers()).length, 2);
    });

  await t.test('hung in a turn: the turn ends with its own deadline, and all is well when the engine goes on', async () => {
    await pool.says('warm', 'hello');
    engine.signals('SIGSTOP');
    const warm = pool.streams('warm', 'hello'), fresh = pool.streams('fresh', 'hello');
    await warm.fails('timeout');
    const error = (await fresh.ends()).error;
    assert.match(error.code, /^(timeout|harness_\w+)$/);
    engine.signals('SIGCONT');
    await pool.isWhole();
    assert.match(await pool.says('warm', 'hello'), /hello/);
    assert.match(await pool.says('fresh', 'hello'), /hello/);
    assert.equal((await pool.containers()).length, 2);
  });

  await pool.bridge.stops();
  await isGone(() => engine.containers(), { within: 2000 });

  await t.test('hung in a turn that may take long: its caller hears that the engine does not answer', async () => {
    const patient = await startPool(t, { engine, image });
    await patient.isWhole();
    const turn = await patient.streams('one', 'wait').hears(/waiting/);
    engine.signals('SIGSTOP');
    const error = await turn.fails('harness_crashed');
    assert.match(error.message, /engine .* does not answer/);
    await waitFor('health knows', async () => /engine .* does not answer/.test((await patient.row()).detail));
    engine.signals('SIGCONT');
    await patient.isWhole();
    assert.match(await patient.says('one', 'hello'), /hello/);
    await patient.bridge.stops();
    await isGone(() => engine.containers(), { within: 2000 });
  });
});
