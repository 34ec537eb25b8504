// SIGHUP: settings change while turns are under way, and nobody notices but those whom they concern.
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { startOpenAI } from '../fakes/vendors.mjs';
import { isAlive, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';

const WORDS = 'abcdefghijklmnopqrst';
const SLOW_ECHO = 'echo/chunks:20,delay:100'; // two seconds

// A bridge whose settings are in its .env, where they can be changed.
async function start(t, settings, options = {}) {
  const bridge = await startBridge(t, options);
  await bridge.stops();
  delete bridge.env.BRIDGE_BACKENDS;
  write(bridge, settings);
  await bridge.starts();
  bridge.backends = settings.BRIDGE_BACKENDS.split(',');
  await bridge.isReady();
  return bridge;
}

function write(bridge, settings) {
  writeFileSync(join(bridge.directory, '.env'), Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''), { mode: 0o600 });
}

// Says which lines the log has got since.
async function reloads(bridge, settings) {
  const before = bridge.log.length, since = () => bridge.log.slice(before);
  write(bridge, settings);
  bridge.daemon.kill('SIGHUP');
  await waitFor('the settings are read again', () => /the configuration was read again|the configuration stays as it was/.test(since()));
  return since;
}

async function pidsOf(bridge) {
  return Object.fromEntries((await bridge.status()).map(({ name, pid }) => [name, pid]));
}

// How long each answer of /health took while `work` was done.
async function healthDuring(bridge, work) {
  const took = [];
  let isDone = false;
  const watch = (async () => {
    while (!isDone) {
      const begun = performance.now();
      assert.equal((await bridge.get('/health')).status, 200);
      took.push(performance.now() - begun);
      await sleep(10);
    }
  })();
  try {
    return [await work(), took];
  } finally {
    isDone = true;
    await watch;
  }
}

test('a provider is added while streams run', async t => {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const settings = { BRIDGE_BACKENDS: 'echo,passthrough', BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1` };
  const bridge = await start(t, settings);
  const before = await pidsOf(bridge);
  const echo = bridge.streams(SLOW_ECHO, WORDS), relayed = bridge.streams('acme/fake-large@think:2000', 'hi');
  await echo.hears(/a/);
  await waitFor('the vendor is asked', () => cloud.requests.some(({ method }) => method === 'POST'));

  const [, took] = await healthDuring(bridge, async () => {
    await reloads(bridge, { ...settings, BRIDGE_PROVIDER_OTHER_BASE_URL: `${cloud.url}/v1` });
    await waitFor('the new provider answers', async () => (await bridge.chat('other/fake-large', 'hi')).status === 200);
    assert.equal(echo.ended, false);
    assert.equal(relayed.ended, false);
    await echo.finishes();
    await relayed.finishes();
  });
  assert.equal(echo.text, WORDS);
  assert.match(relayed.text, /you said "hi"/);
  assert.ok(took.length > 10);
  assert.ok(Math.max(...took) < 2000, `/health took ${Math.max(...took)} ms`);
  assert.deepEqual(await pidsOf(bridge), before);

  await t.test('and taken away again', async () => {
    const late = bridge.streams('other/fake-large@think:1000', 'late');
    await waitFor('it is asked', () => cloud.requests.some(({ raw }) => /late/.test(raw)));
    await reloads(bridge, settings);
    await waitFor('nobody is called so', async () => (await bridge.chat('other/fake-large', 'hi')).status === 404);
    await late.finishes();
    assert.equal((await bridge.chat('acme/fake-large', 'hi')).status, 200);
    assert.deepEqual(await pidsOf(bridge), before);
  });

  await t.test('a key of a provider changes for the next request', async () => {
    await reloads(bridge, { ...settings, BRIDGE_PROVIDER_ACME_API_KEY: 'the-new-key' });
    await waitFor('it is sent', async () => {
      await bridge.answers('acme/fake-large', 'hi');
      return cloud.requests.findLast(({ method }) => method === 'POST').headers.authorization === 'Bearer the-new-key';
    });
    assert.deepEqual(await pidsOf(bridge), before);
  });
});

test('a setting of the gateway\'s is nobody else\'s business', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo' };
  const bridge = await start(t, settings);
  const before = await pidsOf(bridge);
  const client = bridge.streams(SLOW_ECHO, WORDS);
  await client.hears(/a/);
  const since = await reloads(bridge, { ...settings, BRIDGE_BEARER: 'a-new-bearer' });
  await waitFor('the key is asked for', async () => (await bridge.get('/v1/models')).status === 401);
  assert.equal((await bridge.get('/v1/models', { headers: { authorization: 'Bearer a-new-bearer' } })).status, 200);
  await client.finishes();
  assert.equal(client.text, WORDS);
  assert.match(since(), /gateway: its settings have changed/);
  assert.doesNotMatch(since(), /echo: its settings have changed/);
  assert.deepEqual(await pidsOf(bridge), before);
});

test('a setting of a CLI\'s counts for the next one that is started', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo' };
  const bridge = await start(t, settings);
  const before = await pidsOf(bridge);
  const pidOf = async session => (await bridge.answers('echo/pid', 'hi', { session_id: session })).content.match(/pid (\d+)/)[1];
  const busy = bridge.streams(SLOW_ECHO, WORDS, { session_id: 'busy' });
  const idle = await pidOf('idle');
  await busy.hears(/a/);
  assert.equal(await pidOf('idle'), idle, 'it is kept');

  const since = await reloads(bridge, { ...settings, ECHO_ENV_COLOUR: 'blue' });
  await waitFor('the worker has heard', () => /echo: its settings have changed/.test(since()));
  assert.doesNotMatch(since(), /gateway: its settings have changed/);
  await waitFor('the idle one ends', () => !isAlive(Number(idle)));
  assert.equal(busy.ended, false);
  await busy.finishes();
  assert.equal(busy.text, WORDS);
  const next = await bridge.answers('echo/pid', 'hi', { session_id: 'idle' });
  assert.notEqual(next.content.match(/pid (\d+)/)[1], idle);
  assert.match(next.headers['x-session-status'] ?? 'resumed', /resumed/);
  await bridge.answers('echo', 'hi', { session_id: 'busy' });
  assert.deepEqual(await pidsOf(bridge), before);

  await t.test('one that makes no difference to a CLI keeps it', async () => {
    const kept = await pidOf('idle');
    const heard = await reloads(bridge, { ...settings, ECHO_ENV_COLOUR: 'blue', ECHO_MAX_RUNNING: '1' });
    await waitFor('the worker has heard', () => /echo: its settings have changed/.test(heard()));
    assert.equal(await pidOf('idle'), kept);
    assert.deepEqual(await pidsOf(bridge), before);
  });
});

test('only new and removed workers start and stop', async t => {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const settings = { BRIDGE_BACKENDS: 'echo', BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1` };
  const bridge = await start(t, settings);
  const before = await pidsOf(bridge);
  const echo = bridge.streams(SLOW_ECHO, WORDS);
  await echo.hears(/a/);

  await reloads(bridge, { ...settings, BRIDGE_BACKENDS: 'echo,passthrough' });
  await waitFor('the new worker answers', async () => (await bridge.chat('acme/fake-large', 'hi')).status === 200);
  await echo.finishes();
  const { passthrough, ...others } = await pidsOf(bridge);
  assert.deepEqual(others, before);
  assert.ok(passthrough);

  const relayed = bridge.streams('acme/fake-large@think:1000', 'last');
  await waitFor('the vendor is asked', () => cloud.requests.some(({ raw }) => /last/.test(raw)));
  await reloads(bridge, settings);
  await waitFor('its models lead nowhere', async () => (await bridge.chat('acme/fake-large', 'hi')).status === 404);
  await relayed.finishes();
  await waitFor('it has gone', async () => !await bridge.row('passthrough'));
  assert.deepEqual(await pidsOf(bridge), before);
  assert.deepEqual((await bridge.get('/')).json.backends, ['echo']);

  await t.test('and one may come back', async () => {
    await reloads(bridge, { ...settings, BRIDGE_BACKENDS: 'echo,passthrough' });
    await waitFor('it answers', async () => (await bridge.chat('acme/fake-large', 'hi')).status === 200);
  });
});

test('a configuration that is wrong changes nothing at all', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo,passthrough', BRIDGE_PROVIDER_ACME_BASE_URL: 'http://127.0.0.1:9/v1' };
  const bridge = await start(t, settings);
  const before = await pidsOf(bridge);
  const client = bridge.streams(SLOW_ECHO, WORDS);
  await client.hears(/a/);
  const wrong = {
    BRIDGE_MAX_TURNS: ['abc', /BRIDGE_MAX_TURNS is "abc"/],
    BRIDGE_PROVIDER_OTHER_BASE_URL: ['nowhere', /must begin with http/],
    OPENAI_API_KEY: ['"two words"', /OPENAI_API_KEY has white space/],
    BRIDGE_BEARER: ['short', /BRIDGE_BEARER is too short/],
  };
  for (const [name, [value, why]] of Object.entries(wrong)) {
    const since = await reloads(bridge, { BRIDGE_STREAM_DEFAULT: 'true', ...settings, [name]: value });
    assert.match(since(), why);
    assert.doesNotMatch(since(), /settings have changed/);
  }
  assert.equal((await bridge.answers('echo', 'hi')).content, 'hi', 'it is not streamed');
  await client.finishes();
  assert.equal(client.text, WORDS);
  assert.deepEqual(await pidsOf(bridge), before);
});

test('who was stopped by hand does not come back', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo,passthrough', BRIDGE_PROVIDER_ACME_BASE_URL: 'http://127.0.0.1:9/v1' };
  const bridge = await start(t, settings);
  const echo = bridge.streams(SLOW_ECHO, WORDS);
  await echo.hears(/a/);
  const stopped = bridge.run('stop', 'echo');
  await waitFor('it is being stopped', async () => (await bridge.row('echo')).state === 'STOPPING');
  await reloads(bridge, { ...settings, ECHO_ENV_COLOUR: 'blue' });
  await echo.finishes();
  assert.equal((await stopped).code, 0);
  assert.equal((await bridge.row('echo')).state, 'STOPPED');
  await reloads(bridge, { ...settings, ECHO_ENV_COLOUR: 'red' });
  await bridge.isReady('passthrough');
  assert.equal((await bridge.row('echo')).state, 'STOPPED');
  assert.equal((await bridge.run('start', 'echo')).code, 0);
  await bridge.answers('echo', 'hi');
});

test('what counts at the start only is said to wait for the next one', async t => {
  const bridge = await start(t, { BRIDGE_BACKENDS: 'echo' });
  const since = await reloads(bridge, { BRIDGE_BACKENDS: 'echo', BRIDGE_ALLOWED_HOSTS: 'new.example', BRIDGE_HOST: 'localhost' });
  await waitFor('it is said', () => /BRIDGE_HOST has changed, which takes effect when cli-bridge is started again/.test(since()));
  await waitFor('the rest counts', async () => (await bridge.get('/v1/models', { headers: { host: 'new.example' } })).status === 200);
});

test('many changes in a row, under load', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo' };
  const bridge = await start(t, settings);
  const before = await pidsOf(bridge);
  let isDone = false, answered = 0;
  const load = Promise.all(Array.from({ length: 4 }, async (_, n) => {
    for (; !isDone; answered++)
      assert.equal((await bridge.answers('echo', `message ${n}`, { session_id: `s${n}` })).content, `message ${n}`);
  }));
  for (let i = 0; i < 20; i++)
    await reloads(bridge, { ...settings, ECHO_ENV_NUMBER: String(i), BRIDGE_ALLOWED_HOSTS: `h${i}.example` });
  await waitFor('the last counts', async () => (await bridge.get('/v1/models', { headers: { host: 'h19.example' } })).status === 200);
  const had = answered;
  await waitFor('more is answered', () => answered > had + 4);
  isDone = true;
  await load;
  assert.deepEqual(await pidsOf(bridge), before);
});

test('an agent of one\'s own gets another command by a restart of its worker, and of no other', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo,mine', BRIDGE_ACP_MINE: '/bin/cat' };
  const bridge = await startBridge(t);
  await bridge.stops();
  delete bridge.env.BRIDGE_BACKENDS;
  write(bridge, settings);
  await bridge.starts();
  await bridge.isReady('echo');
  const { mine, ...others } = await pidsOf(bridge);
  await reloads(bridge, { ...settings, BRIDGE_ACP_MINE: '/bin/cat -n' });
  await waitFor('its worker is another process', async () => {
    const row = await bridge.row('mine');
    return row.state === 'RUNNING' && row.pid !== mine;
  });
  const { mine: _, ...unharmed } = await pidsOf(bridge);
  assert.deepEqual(unharmed, others);
});

test('an agent of one\'s own gets other models', async t => {
  const agent = `${process.execPath} ${join(import.meta.dirname, '../fakes/acp.mjs')}`;
  const settings = { BRIDGE_BACKENDS: 'echo,mine', BRIDGE_ACP_MINE: agent, BRIDGE_ACP_MINE_MODELS: 'small' };
  const bridge = await start(t, settings);
  const areListed = name => waitFor(`${name} is listed`, async () =>
    (await bridge.get('/v1/models')).json.data.some(({ id }) => id === `mine/${name}`));
  await areListed('small');
  await reloads(bridge, { ...settings, BRIDGE_ACP_MINE_MODELS: 'large' });
  await areListed('large');
});

const childrenOf = pid => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function programOf(pid) {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}

// A worker's new process, stopped in the midst of its start.  Until the process has become another program, the supervisor waits for it (vfork):
// to stop it then would stop them both.
async function catchStarting(bridge, name) {
  const before = childrenOf(bridge.daemon.pid), ours = programOf(bridge.daemon.pid);
  const isNew = pid => !before.includes(pid) && ![ours, null].includes(programOf(pid));
  const restarted = bridge.run('restart', name);
  const pid = await waitFor('its process is there', async () => childrenOf(bridge.daemon.pid).find(isNew));
  process.kill(pid, 'SIGSTOP');
  if ((await bridge.row(name)).state === 'STARTING')
    return { pid, restarted };
  process.kill(pid, 'SIGCONT');
  await restarted;
  return null;
}

// It can't be told anything yet, and has been started with the old command.
test('an agent of one\'s own that is starting gets another command as well', async t => {
  const settings = { BRIDGE_BACKENDS: 'echo,mine', BRIDGE_ACP_MINE: '/bin/cat' };
  const bridge = await startBridge(t);
  await bridge.stops();
  delete bridge.env.BRIDGE_BACKENDS;
  write(bridge, settings);
  await bridge.starts();
  await bridge.isReady('echo');
  const { pid, restarted } = await waitFor('it is caught', () => catchStarting(bridge, 'mine'));
  await reloads(bridge, { ...settings, BRIDGE_ACP_MINE: '/bin/cat -n' });
  process.kill(pid, 'SIGCONT');
  await restarted;
  await waitFor('its worker is another process', async () => {
    const row = await bridge.row('mine');
    return row.state === 'RUNNING' && row.pid !== pid;
  });
});

for (const name of ['claude', 'codex'])
  test(`real ${name}: what runs finishes, and its session goes on with the new settings`, async t => {
    const cli = clis[name];
    const cloud = await cli.start();
    t.after(() => cloud.close());
    const bridge = await startBridge(t, { backends: [name], env: home => cli.setUp(home, cloud, name) });
    const before = await pidsOf(bridge), upper = name.toUpperCase();
    const session = { session_id: 'kept' }, other = { session_id: 'idle' };
    await bridge.answers(name, 'remember the word apple', session);
    await bridge.answers(name, 'remember the word pear', other);
    const old = bridge.clisOf(name).map(({ pid }) => pid);

    const busy = bridge.streams(`${name}/fake-large@think:2000`, 'and the word plum', session);
    await waitFor('it runs', async () => (await bridge.row(name)).running === 1);
    const since = await reloads(bridge, { [`${upper}_ENV_COLOUR`]: 'blue' });
    await waitFor('the worker has heard', () => new RegExp(`${name}: its settings have changed`).test(since()));
    await busy.finishes();
    await waitFor('the old ones end', () => !old.some(isAlive));
    for (const [fields, word] of [[session, 'apple'], [session, 'plum'], [other, 'pear']]) {
      const asked = cloud.requests.length;
      await bridge.answers(name, 'which word?', fields);
      assert.ok(cloud.requests.slice(asked).some(({ raw }) => raw.toString().includes(word)), `it knows ${word}`);
    }
    assert.deepEqual(await pidsOf(bridge), before);
  });

test('who waits for room in a worker that is taken away is told so', async t => {
  const MB = 1 << 20;
  const settings = { BRIDGE_BACKENDS: 'echo,passthrough', BRIDGE_ORDER_WINDOW_BYTES: String(4 * MB), BRIDGE_DRAIN_MS: '8000' };
  const bridge = await start(t, { ...settings, BRIDGE_PROVIDER_ACME_BASE_URL: 'http://127.0.0.1:9/v1' });
  const holder = await bridge.streams('echo/silent', 'x'.repeat(3 * MB)).isConnected();
  await waitFor('it runs', async () => (await bridge.status()).find(({ name }) => name === 'echo').running === 1);
  let isOver = false;
  const waits = bridge.chat('echo', 'x'.repeat(2 * MB)).finally(() => { isOver = true; });
  await waitFor('its body has come', async () => { await bridge.answers('echo', 'small'); return true; });
  assert.equal(isOver, false);
  await reloads(bridge, { ...settings, BRIDGE_BACKENDS: 'passthrough', BRIDGE_PROVIDER_ACME_BASE_URL: 'http://127.0.0.1:9/v1' });
  assert.equal((await waits).status, 404, (await waits).text);
  holder.leaves();
});
