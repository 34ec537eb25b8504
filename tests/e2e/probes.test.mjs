// What is known of a CLI before anybody asks it: why it cannot work, in its own words, and what to do.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { startBridge, test, waitFor } from './bridge.mjs';
import { fake } from './clis.mjs';

// A program of a few lines of shell.
function script(home, ...lines) {
  const path = join(home, 'bin/program');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
  return path;
}

const start = (t, name, env) => startBridge(t, { backends: [name], env, waits: false });
const rowOf = async bridge => (await bridge.get('/health')).json.backends[0];
const saysOf = (bridge, words) => waitFor(`its detail is ${words}`, async () => {
  const row = await rowOf(bridge);
  return words.test(row.detail) && row;
});

test('a program that fails is quoted', async t => {
  for (const [what, line] of [['its standard error', 'echo "no libfoo here" >&2'], ['its answer', 'echo "no libfoo here"']])
    await t.test(`by ${what}`, async t => {
      const bridge = await start(t, 'pi', home => ({ PI_BIN: script(home, line, 'exit 3') }));
      const row = await saysOf(bridge, /program --version ended with exit code 3: no libfoo here$/);
      assert.equal(row.state, 'error');
    });

  await t.test('whatever it writes at the very end', async t => {
    const lines = ['i=0', 'while [ $i -lt 2000 ]; do echo "noise $i"; i=$((i + 1)); done >&2', 'echo "the reason" >&2', 'exit 3'];
    const bridge = await start(t, 'pi', home => ({ PI_BIN: script(home, ...lines) }));
    await saysOf(bridge, /the reason$/);
  });
});

test('one that does not answer is said to hang, and since when', async t => {
  const bridge = await start(t, 'pi', home => ({ PI_BIN: script(home, 'exec sleep 600') }));
  const row = await saysOf(bridge, /program --version has not answered for \d+ seconds; it gets 20/);
  assert.equal(row.state, 'unknown');
});

test('one that takes long to start is said to, too', async t => {
  const bridge = await start(t, 'opencode', home => ({ OPENCODE_BIN: fake(home, 'opencode'), OPENCODE_ENV_FAKE_START_MS: '600000', BRIDGE_START_MS: '30000' }));
  await saysOf(bridge, /opencode was started \d+ seconds ago and is not ready; it gets 30/);
});

test('one that fails once is looked at again soon', async t => {
  const bridge = await start(t, 'amp', home => ({
    AMP_BIN: script(home, `[ -e ${home}/was-here ] || { : >${home}/was-here; echo "too busy" >&2; exit 1; }`, `exec ${fake(home, 'amp')} "$@"`),
    AMP_ENV_AMP_API_KEY: 'x', BRIDGE_PROBE_MS: '3600000',
  }));
  await bridge.isReady('amp');
});

test('one that is not installed is called by its own name', async t => {
  const bridge = await start(t, 'claudish', { CLAUDISH_URL: 'http://127.0.0.1:9', PATH: '/nowhere' });
  await saysOf(bridge, /^the program claude is not installed: npm install -g @anthropic-ai\/claude-code, or set CLAUDISH_BIN$/);
});

test('what claudish needs first is its proxy', async t => {
  const bridge = await start(t, 'claudish', { PATH: '/nowhere' });
  await saysOf(bridge, /^CLAUDISH_URL is not set: run claudish serve/);
  const answer = await bridge.refuses(503, 'harness_not_set_up', 'claudish/x', 'hi');
  assert.match(answer.json.error.message, /^CLAUDISH_URL is not set/);
});
