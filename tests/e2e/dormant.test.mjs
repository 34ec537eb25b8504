// Workers of harnesses that are not set up cost nothing until they are.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BUILD, startBridge, test, waitFor } from './bridge.mjs';

const ECHO = join(BUILD, 'cli-bridge-echo-cli');
const NOT_INSTALLED = /the program claude is not installed: npm install/;

// A PATH in which a CLI can appear.
function emptyPath(t) {
  const directory = mkdtempSync('/tmp/path-');
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const appears = name => writeFileSync(join(directory, name), '#!/bin/sh\necho 1.2.3\n', { mode: 0o755 });
  return { path: `${directory}:/usr/bin:/bin`, appears };
}

const names = bridge => bridge.processes().map(({ mark }) => mark.split('/')[0]).sort();

test('a default start without CLIs runs what can work, and says what the rest needs', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_BACKENDS: undefined, PATH: '/usr/bin:/bin' } });
  assert.deepEqual(names(bridge), ['echo', 'gateway']);

  await t.test('status shows them as stopped, which is no failure', async () => {
    const { code, stdout } = await bridge.run('status');
    assert.equal(code, 0);
    assert.match(stdout, /^claude +STOPPED +the program claude is not installed: npm install/m);
    assert.match(stdout, /^claudish +STOPPED +CLAUDISH_URL is not set: /m);
    assert.match(stdout, /^passthrough +STOPPED +no provider has a key: /m);
    assert.match(stdout, /^echo +RUNNING/m);
  });

  await t.test('verify, /health and a request say the same', async () => {
    const { code, stdout } = await bridge.run('verify', '--json');
    assert.equal(code, 3);
    const { backends } = (await bridge.get('/health')).json;
    for (const row of JSON.parse(stdout).filter(({ name }) => name !== 'echo')) {
      const { state, detail } = backends.find(({ name }) => name === row.name);
      assert.equal(row.health, 'unavailable', row.name);
      assert.equal(state, 'unavailable', row.name);
      assert.equal(detail, row.detail);
      const model = row.name === 'passthrough' ? 'openai/gpt' : row.name;
      const answer = await bridge.refuses(503, 'harness_not_set_up', model, 'hi');
      assert.equal(answer.json.error.message, row.detail);
    }
  });

  await t.test('they have no models', async () => {
    const { data } = (await bridge.get('/v1/models')).json;
    assert.deepEqual(data.map(({ id }) => id), ['echo/echo']);
    assert.equal((await bridge.get('/v1/sessions')).status, 200);
  });

  await t.test('start says why it can not', async () => {
    const { code, stdout } = await bridge.run('start', 'claude');
    assert.equal(code, 1);
    assert.match(stdout, NOT_INSTALLED);
    assert.equal((await bridge.run('restart', 'claude')).code, 1);
    assert.equal((await bridge.run('start', 'all')).code, 0);
    assert.equal((await bridge.run('restart', 'all')).code, 0);
    await bridge.isReady();
    assert.deepEqual(names(bridge), ['echo', 'gateway']);
  });
});

test('a CLI that appears is found, without anybody asking', async t => {
  const { path, appears } = emptyPath(t);
  const bridge = await startBridge(t, { backends: ['claude', 'echo'], env: { PATH: path, BRIDGE_PROBE_MS: '1000' }, waits: false });
  appears('claude');
  await waitFor('its worker is started', () => /claude: what it needs is there now/.test(bridge.log));
  await waitFor('and up', async () => (await bridge.row('claude')).state === 'RUNNING');
});

test('a CLI that appears is found by whoever asks for it', async t => {
  for (const [what, ask] of [
    ['verify', bridge => bridge.run('verify', 'claude')],
    ['start', bridge => bridge.run('start', 'claude')],
    ['status', bridge => bridge.run('status')],
    ['a request', bridge => bridge.chat('claude', 'hi')],
  ])
    await t.test(what, async t2 => {
      const { path, appears } = emptyPath(t2);
      const bridge = await startBridge(t2, { backends: ['claude', 'echo'], env: { PATH: path }, waits: false });
      await bridge.refuses(503, 'harness_not_set_up', 'claude', 'hi');
      appears('claude');
      await waitFor('it is found', async () => {
        await ask(bridge);
        return /claude: what it needs is there now/.test(bridge.log);
      });
      assert.doesNotMatch((await bridge.run('verify', 'claude')).stdout, NOT_INSTALLED);
    });
});

test('one that is stopped stays stopped when its CLI appears', async t => {
  const { path, appears } = emptyPath(t);
  const bridge = await startBridge(t, { backends: ['claude', 'echo'], env: { PATH: path }, waits: false });
  assert.equal((await bridge.run('stop', 'claude')).code, 0);
  appears('claude');
  await bridge.refuses(503, 'harness_unavailable', 'claude', 'hi');
  assert.equal((await bridge.run('status')).code, 3);
  assert.equal((await bridge.row('claude')).state, 'STOPPED');
  assert.equal((await bridge.run('start', 'claude')).code, 0);
});

test('an agent of the operator\'s own, and one that is named', async t => {
  const { path, appears } = emptyPath(t);
  const bridge = await startBridge(t, { backends: ['mine', 'echo'], waits: false, env: { PATH: path, BRIDGE_ACP_MINE: 'my-agent --acp', ECHO_BIN: ECHO } });
  assert.match((await bridge.row('mine')).detail, /the program of mine is not installed: install it, or change BRIDGE_ACP_MINE/);
  appears('my-agent');
  await waitFor('it is found', async () => (await bridge.row('mine')).state === 'RUNNING');
  await bridge.answers('echo', 'hi');
});

test('a key that is set wakes the providers', async t => {
  const bridge = await startBridge(t, { backends: ['passthrough', 'echo'], waits: false });
  assert.equal((await bridge.row('passthrough')).state, 'STOPPED');
  writeFileSync(join(bridge.directory, '.env'), 'OPENAI_API_KEY=sk-loopback\n', { mode: 0o600 });
  bridge.daemon.kill('SIGHUP');
  await bridge.isReady('passthrough');
});
