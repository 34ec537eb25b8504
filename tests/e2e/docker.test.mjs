// Real Claude Code in containers: what two sessions can see of each other, and what becomes of a session whose
// container or whose bridge is killed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { isGone, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { theEngine, whyNoEngine } from './engine.mjs';
import { startPool } from './pools.mjs';

const engine = await theEngine();
const images = resolve(import.meta.dirname, '../../scripts/test-images');
const image = engine && (process.env.BRIDGE_TEST_IMAGE ??
  execFileSync(images, ['clis'], { env: { ...process.env, DOCKER_HOST: engine.host }, stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim().split('\n').at(-1));
const claudeTest = (name, run) => test(name, { skip: whyNoEngine ?? false }, run);

const shell = command => ({ toolUse: clis.claude.shell(command) });

async function start(t, options = {}) {
  const pool = await startPool(t, { engine, image, cli: 'claude', ...options });
  // What a command of the agent has said in the session.
  pool.runs = async (session, command, fields) => {
    pool.cloud.next(shell(command), asked => ({ text: `[${asked.toolText ?? JSON.stringify(asked.body.messages.at(-1))}]` }));
    return pool.says(session, `please run it`, fields);
  };
  return pool;
}

const projectOf = (pool, name) => {
  const cwd = join(pool.bridge.directory, name);
  mkdirSync(cwd, { recursive: true });
  return cwd;
};

claudeTest('two sessions in two slots see nothing of each other: files, processes, logins', async t => {
  const pool = await start(t, { env: { CLAUDE_DOCKER_OAUTH_MOUNT: 'per-slot' } });
  t.after(() => removeVolumes(pool));
  const cwd = { anna: { cwd: projectOf(pool, 'of-anna') }, bert: { cwd: projectOf(pool, 'of-bert') } };
  const hides = 'echo canary-of-anna >/tmp/canary; mkdir -p ~/.claude; echo canary-of-anna >~/.claude/.credentials.json; '
    + '(setsid sleep 98765 </dev/null >/dev/null 2>&1 &); cat /tmp/canary ~/.claude/.credentials.json';
  assert.match(await pool.runs('anna', hides, cwd.anna), /canary-of-anna.*canary-of-anna/s);
  const seen = await pool.runs('bert', 'cat /tmp/canary ~/.claude/.credentials.json; cat /proc/*/cmdline | tr "\\0" " "; echo looked', cwd.bert);
  assert.match(seen, /looked/);
  assert.doesNotMatch(seen, /canary-of-anna|98765/);
  assert.match(await pool.runs('anna', 'cat /tmp/canary', cwd.anna), /canary-of-anna/);
  const login = 'cat ~/.claude/.credentials.json; cat /proc/self/environ | tr "\\0" "\\n"';
  assert.doesNotMatch(await pool.runs('bert', login, cwd.bert), /canary-of-anna/);
});

async function removeVolumes(pool) {
  await pool.bridge.stops();
  await isGone(() => pool.containers(), { within: 10_000 });
  const { Volumes } = await engine.does('GET', '/volumes');
  for (const { Name } of (Volumes ?? []).filter(({ Name: name }) => name.startsWith(pool.prefix)))
    await engine.does('DELETE', `/volumes/${Name}`);
}

claudeTest('a shared login is the same in all slots', async t => {
  const pool = await start(t);
  mkdirSync(join(pool.bridge.directory, 'home/.claude'), { recursive: true });
  writeFileSync(join(pool.bridge.directory, 'home/.claude/shared-canary'), 'the-shared-canary');
  for (const session of ['anna', 'bert'])
    assert.match(await pool.runs(session, 'cat ~/.claude/shared-canary'), /the-shared-canary/);
});

// ~/.claude.json, which Claude Code replaces by renaming another file, so that it cannot be mounted.
claudeTest('of a shared login the account and the MCP servers are those of this machine, also when they change', async t => {
  const account = n => ({
    hasCompletedOnboarding: true, userID: String(n).repeat(64),
    oauthAccount: { accountUuid: `${n}1111111-2222-3333-4444-555555555555`, emailAddress: 'me@example.com' },
    mcpServers: { [`server-${n}`]: { command: '/bin/cat', args: [] } },
  });
  const login = { accessToken: 'sk-ant-oat01-loopback', refreshToken: 'none', expiresAt: Date.now() + 86_400_000, scopes: ['user:inference'], subscriptionType: 'max' };
  const put = (home, path, content) => {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, `${path}.fresh`), JSON.stringify(content), { mode: 0o600 });
    renameSync(join(home, `${path}.fresh`), join(home, path));
  };
  const pool = await start(t, {
    size: 1, env: { CLAUDE_ENV_ANTHROPIC_API_KEY: '', CLAUDE_LOADS: 'everything' },
    prepare(directory) {
      put(join(directory, 'home'), '.claude/.credentials.json', { claudeAiOauth: login });
      put(join(directory, 'home'), '.claude.json', account(1));
    },
  });
  const home = join(pool.bridge.directory, 'home');
  for (const n of [1, 2]) {
    put(home, '.claude.json', account(n));
    await pool.says(`session ${n}`, 'hello');
    const { headers, body } = pool.cloud.requests.at(-1);
    assert.equal(headers.authorization, 'Bearer sk-ant-oat01-loopback');
    assert.match(body.metadata.user_id, new RegExp(`"account_uuid\\W+${n}1111111-`), 'the account');
    assert.match(body.metadata.user_id, new RegExp(`${n}{64}`), 'the device');
    assert.match(await pool.runs(`session ${n}`, 'cat ~/.claude.json'), new RegExp(`server-${n}`));
    assert.deepEqual(JSON.parse(readFileSync(join(home, '.claude.json'))), account(n), 'what the CLI writes there stays there');
  }
});

claudeTest('a container that is killed in a turn, and a bridge that is killed: the session goes on where it was', async t => {
  const pool = await start(t, { env: { CLAUDE_DOCKER_OAUTH_MOUNT: 'per-slot' } });
  t.after(() => removeVolumes(pool));
  assert.match(await pool.says('one', 'the first word'), /turn 1: you said "the first word"/);
  assert.match(await pool.says('two', 'another word'), /turn 1/);
  pool.cloud.next({ hangAfter: 1 });
  const turn = await pool.streams('one', 'a word that is lost').hears(/\S/);
  await engine.kill(pool.slot(0));
  assert.match((await turn.fails('harness_crashed')).message, /container has ended/);
  assert.match(await pool.says('one', 'the second word'), /before: \["the first word"/);
  const { json } = await pool.chat('two', 'one more');
  assert.equal(json.bridge.session.how, 'resumed', 'the other slot has seen nothing');

  await pool.bridge.kill('supervisor');
  await waitFor('all processes are gone', () => pool.bridge.processes().length === 0);
  await pool.bridge.starts();
  assert.match(await pool.says('one', 'the third word'), /before: \["the first word".*"the second word"/);
  assert.match(await pool.says('two', 'the last word'), /before: \["another word","one more"\]/);
});
