// Amp's agent runs in its vendor's cloud: it is a stand-in for its program that is driven here (fakes/amp.mjs),
// but where the real one can show something by itself.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';

import { startAnthropic } from '../fakes/vendors.mjs';
import { startBridge, test, waitFor } from './bridge.mjs';
import { fake } from './clis.mjs';
import { suite } from './suite.mjs';

const REAL = resolve(import.meta.dirname, '../node_modules/@ampcode/cli-linux-x64/amp');
const UNREACHABLE = 'http://127.0.0.1:9';

const cli = {
  full: 'prompt is too long: 213462 tokens > 200000 maximum',
  start: () => startAnthropic(),
  setUp: (home, cloud) => ({ AMP_BIN: fake(home, 'amp'), AMP_ENV_AMP_URL: cloud.url, AMP_ENV_AMP_API_KEY: 'sgamp-loopback' }),
  install: () => ({ AMP_BIN: REAL }),
  shell: command => ({ name: 'Bash', input: { cmd: command } }),
  background: command => ({ name: 'Bash', input: { cmd: `(${command}) >/dev/null 2>&1 &` } }),
  reads: { user: '.config/amp/AGENTS.md', project: 'AGENTS.md' },
};

suite({
  name: 'amp', cli,
  logIn: /AMP_ENV_AMP_API_KEY.*amp login/,
  install: /npm install -g @ampcode\/cli/,
  model: { id: 'low', upstream: 'fake-small' },
});

const start = (t, env) => startBridge(t, { backends: ['amp'], env: { AMP_BIN: REAL, AMP_ENV_AMP_URL: UNREACHABLE, ...env } });

test('the real Amp takes every option that it is given, and is not waited for when it is offline', async t => {
  const bridge = await start(t, { AMP_ENV_AMP_API_KEY: 'sgamp-loopback' });
  const row = (await bridge.get('/health')).json.backends[0];
  assert.match(row.version, /^0\.0\.\d+/);
  const answer = await bridge.chat('amp/low', 'hi');
  assert.equal(answer.json.error.code, 'upstream_failed', answer.text);
});

test('the real Amp without a login waits for one: it is not waited for', async t => {
  const bridge = await startBridge(t, { backends: ['amp'], env: { AMP_BIN: REAL }, waits: false });
  await waitFor('it is known', async () => (await bridge.get('/health')).json.backends[0].state === 'unavailable');
  await bridge.refuses(401, 'harness_login_required', 'amp', 'hi');
  await waitFor('no CLI waits for anybody, when it has been looked at', () => !bridge.clisOf('amp').length);
});
