// What is known of a CLI before anybody asks it: why it cannot work, in its own words, and what to do.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { startAnthropic } from '../fakes/vendors.mjs';
import { startBridge, test, waitFor } from './bridge.mjs';
import { clis, fake } from './clis.mjs';

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

test('one that does not start once is started again soon', async t => {
  const bridge = await start(t, 'opencode', home => ({
    OPENCODE_BIN: script(home,
      `if [ "$1" = serve ] && [ ! -e ${home}/was-here ]; then : >${home}/was-here; echo "too busy" >&2; exit 1; fi`,
      `exec ${fake(home, 'opencode')} "$@"`),
    BRIDGE_PROBE_MS: '3600000',
  }));
  await saysOf(bridge, /too busy/);
  await bridge.isReady('opencode');
});

// The real Codex, whose app-server does this the first time that it is asked what it can.
async function startCodex(t, first) {
  const cloud = await clis.codex.start();
  t.after(() => cloud.close());
  const bridge = await start(t, 'codex', home => ({
    ...clis.codex.setUp(home, cloud, 'codex'), BRIDGE_PROBE_MS: '3600000',
    CODEX_BIN: script(home,
      `echo "$1 $2" >>${home}/asked`,
      `if [ "$1 $2" = 'app-server --help' ] && [ ! -e ${home}/was-here ]; then : >${home}/was-here; ${first}; fi`,
      `exec ${clis.codex.program(home)} "$@"`),
  }));
  await bridge.isReady('codex');
  return { bridge, asked: () => readFileSync(join(bridge.env.HOME, 'asked'), 'utf8').split('\n') };
}

for (const [what, first] of [['is killed', 'kill -KILL $$'], ['cannot be run', 'exec /no/such/program']])
  test(`a command that ${what} is no proof of an older version`, async t => {
    const { bridge, asked } = await startCodex(t, first);
    await bridge.answers('codex', 'hi');
    assert.equal(asked().filter(words => words === 'app-server --help').length, 2);
    assert.ok(!asked().some(words => /^exec/.test(words)), asked().join());
    assert.doesNotMatch(bridge.log, /an older one/);
  });

test('one that seems to be an older version is looked at again', async t => {
  const { bridge, asked } = await startCodex(t, 'echo "out of memory" >&2; exit 1');
  await waitFor('it is known for a newer one', () => /is a newer one/.test(bridge.log));
  await bridge.answers('codex', 'hi');
  assert.ok(!asked().some(words => /^exec/.test(words)), asked().join());
});

test('what asks for the login and is killed has not said that there is none', async t => {
  const bridge = await start(t, 'claude', home => ({
    CLAUDE_BIN: script(home, 'case "$1" in auth) kill -KILL $$;; esac', 'echo 1.0.0'), BRIDGE_PROBE_MS: '3600000',
  }));
  const row = await saysOf(bridge, /program auth status ended with signal/);
  assert.equal(row.state, 'error');
});

test('a login that the vendor refuses is known from the first turn until one does well', async t => {
  const cloud = await clis.claude.start();
  t.after(() => cloud.close());
  const bridge = await start(t, 'claude', home => ({
    ...clis.claude.setUp(home, cloud, 'claude'), BRIDGE_PROBE_MS: '1000',
    CLAUDE_BIN: script(home, `echo "$1 $2" >>${home}/asked`, `exec ${clis.claude.program(home)} "$@"`),
  }));
  const looks = () => readFileSync(join(bridge.env.HOME, 'asked'), 'utf8').split('\n').filter(words => words === 'auth status').length;
  await bridge.isReady('claude');
  const models = (await bridge.get('/v1/models')).json.data.length;

  cloud.always({ status: 401, error: 'invalid x-api-key' });
  const before = looks();
  await bridge.refuses(401, 'harness_login_required', 'claude', 'hi');
  const row = await saysOf(bridge, /^not logged in, as a turn has shown: /);
  assert.equal(row.state, 'unavailable');
  assert.match(row.detail, /\/login/);

  // Looks go on, and see a login: that is nothing new.
  await waitFor('it was looked at twice more', () => looks() >= before + 3);
  assert.equal((await rowOf(bridge)).state, 'unavailable');
  assert.equal((await bridge.get('/v1/models')).json.data.length, models, 'what one model was refused another may be granted');
  assert.notEqual((await bridge.run('verify', 'claude')).code, 0);

  cloud.reset();
  await bridge.answers('claude', 'hi');
  await bridge.isReady('claude');
});

test('a login that is written anew is worth a look', async t => {
  const cloud = await startAnthropic();
  t.after(() => cloud.close());
  const secrets = home => join(home, '.local/share/amp/secrets.json');
  const logIn = home => { mkdirSync(dirname(secrets(home)), { recursive: true }); writeFileSync(secrets(home), '{}'); };
  const bridge = await start(t, 'amp', home => {
    logIn(home);
    return { AMP_BIN: fake(home, 'amp'), AMP_ENV_AMP_URL: cloud.url, BRIDGE_PROBE_MS: '1000' };
  });
  await bridge.isReady('amp');
  cloud.always({ status: 401, error: 'invalid api key' });
  await bridge.refuses(401, 'harness_login_required', 'amp', 'hi');
  await saysOf(bridge, /^not logged in, as a turn has shown: /);
  await waitFor('it is ready', async () => {
    logIn(bridge.env.HOME); // again: the clock of files is a little behind
    return (await rowOf(bridge)).state === 'ready';
  });
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
