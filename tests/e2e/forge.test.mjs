// No package registry has ForgeCode: it is a stand-in for its program that is driven here (fakes/forge.mjs).
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startOpenAI } from '../fakes/vendors.mjs';
import { startBridge, test } from './bridge.mjs';
import { fake } from './clis.mjs';
import { suite } from './suite.mjs';

const cli = {
  full: 'prompt is too long: 213462 tokens > 200000 maximum',
  start: () => startOpenAI(),
  setUp(home, cloud) {
    mkdirSync(join(home, '.forge'), { recursive: true });
    writeFileSync(join(home, '.forge/.credentials.json'), '[]');
    return { FORGE_BIN: fake(home, 'forge'), FORGE_ENV_FORGE_FAKE_URL: cloud.url };
  },
  install: home => ({ FORGE_BIN: fake(home, 'forge') }),
  shell: command => ({ name: 'shell', input: { command } }),
  background: command => ({ name: 'shell', input: { command: `(${command}) >/dev/null 2>&1 &` } }),
  reads: { user: '.forge/AGENTS.md', project: 'AGENTS.md' },
};

suite({
  name: 'forge', cli,
  logIn: /forge provider login/,
  install: /forgecode\.dev/,
  model: { id: 'openai/fake-small', upstream: 'fake-small' },
});

async function start(t, env = {}) {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['forge'], env: home => ({ ...cli.setUp(home, cloud), ...env }) });
  return { cloud, bridge };
}

test('a file is not read because a prompt names it as ForgeCode does', async t => {
  const { cloud, bridge } = await start(t);
  const cwd = join(bridge.directory, 'work');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'secret.txt'), 'the-canary-sings');
  await bridge.answers('forge', 'look at @[secret.txt]', { cwd });
  assert.deepEqual(cloud.requests.at(-1).said, ['look at @ [secret.txt]']);
});

test('a session that ForgeCode has lost is not gone on with as if it had not', async t => {
  const { bridge } = await start(t);
  await bridge.answers('forge', 'one', { session_id: 's' });
  rmSync(join(bridge.env.HOME, '.forge/conversations'), { recursive: true });
  const answer = await bridge.chat('forge', 'two', { session_id: 's' });
  assert.ok(['new', 'replayed'].includes(answer.json.bridge.session.how), answer.text);
});

test('restricted, it runs no tool that would have to be asked for', async t => {
  const { cloud, bridge } = await start(t, { FORGE_PERMISSION_MODE: 'restricted' });
  cloud.next({ toolUse: cli.shell('echo ran') });
  const answer = await bridge.answers('forge', 'run it');
  assert.match(answer.content, /the tool said "denied"/);
});
