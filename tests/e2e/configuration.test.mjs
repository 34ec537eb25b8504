// Where settings come from, which are refused, and whose directory it is.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startBridge, test, waitFor } from './bridge.mjs';

const WRONG_SETTINGS = { code: 78, signal: null };

const withKey = key => ({ headers: { authorization: `Bearer ${key}` } });

// Starts it anew, with this in its .env.
async function startsWith(bridge, text, mode = 0o600) {
  await bridge.stops();
  writeFileSync(join(bridge.directory, '.env'), text);
  chmodSync(join(bridge.directory, '.env'), mode);
  bridge.log = '';
  await bridge.starts();
}

async function doesNotStart(t, env, why) {
  const bridge = await startBridge(t, { env, exit: WRONG_SETTINGS, waits: false });
  assert.deepEqual(bridge.exit, WRONG_SETTINGS);
  await bridge.logs(why);
}

test('a secret of white space is none', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_BEARER: ' \t ' } });
  const gateway = await bridge.pid('gateway');
  for (const key of ['', ' ', 'x', 'wrong key'])
    assert.equal((await bridge.get('/v1/models', withKey(key))).status, 200);
  assert.equal((await bridge.get('/v1/models')).status, 200);
  assert.equal(await bridge.pid('gateway'), gateway);
});

test('a short secret is refused on loopback as well', t =>
  doesNotStart(t, { BRIDGE_BEARER: 'short' }, /BRIDGE_BEARER is too short: it must have 8 characters or more/));

test('what a worker would stumble over is refused before anything starts', async t => {
  const wrong = {
    OPENAI_API_KEY: ['sk-1 sk-2', /OPENAI_API_KEY has white space/],
    BRIDGE_PROVIDER_ACME_BASE_URL: ['https://acme.example/v1?key=1', /must have no query/],
    BRIDGE_DATA_DIR: ['~nobody/data', /only ~\/ stands for a home directory/],
  };
  for (const [name, [value, why]] of Object.entries(wrong))
    await t.test(name, async t2 => {
      const bridge = await startBridge(t2, { backends: ['passthrough'], env: { [name]: value }, exit: WRONG_SETTINGS, waits: false });
      assert.deepEqual(bridge.exit, WRONG_SETTINGS);
      await bridge.logs(why);
    });
});

test('the home directory may be written as ~', async t => {
  const bridge = await startBridge(t);
  await bridge.stops();
  bridge.env.BRIDGE_DATA_DIR = '~/data';
  await bridge.starts();
  await bridge.isReady('echo');
  assert.equal((await bridge.run('status')).code, 0);
  assert.ok(existsSync(join(bridge.env.HOME, 'data/lock')));
  assert.ok(!existsSync(join(bridge.directory, '~')));
});

test('a file of settings', async t => {
  const bridge = await startBridge(t);

  await t.test('may have a mark of UTF-8, comments behind quotes, and a name twice', async () => {
    await startsWith(bridge, '\ufeffBRIDGE_BEARER="the first one"\r\nBRIDGE_BEARER="key-in-quotes"   # why\r\nBRIDGE_STREAM_DEFAULT=\'false\'\t# no\r\n');
    assert.ok(bridge.url, bridge.log);
    assert.equal((await bridge.get('/v1/models')).status, 401);
    assert.equal((await bridge.get('/v1/models', withKey('key-in-quotes'))).status, 200);
    await bridge.logs(new RegExp(`settings are read from ${bridge.directory}/.env`));
  });

  await t.test('is left alone if somebody else could have written it', async () => {
    await startsWith(bridge, 'BRIDGE_BEARER=from-somebody\n', 0o606);
    assert.equal((await bridge.get('/v1/models')).status, 200);
    await bridge.logs(/\.env is not read: .*can be written by other users/);
    assert.doesNotMatch(bridge.log, /settings are read from/);
    const { code, stderr } = await bridge.run('status');
    assert.equal(code, 0);
    assert.match(stderr, /\.env is not read/);
  });

  await t.test('is left alone if it is a link', async () => {
    await bridge.stops();
    renameSync(join(bridge.directory, '.env'), join(bridge.directory, 'other'));
    chmodSync(join(bridge.directory, 'other'), 0o600);
    symlinkSync('other', join(bridge.directory, '.env'));
    bridge.log = '';
    await bridge.starts();
    assert.equal((await bridge.get('/v1/models')).status, 200);
    await bridge.logs(/\.env is not read: .*symbolic link/);
  });

  await t.test('that was named is read in its place, or refused', async () => {
    const other = join(bridge.directory, 'other');
    await bridge.stops();
    bridge.arguments = ['--env-file', other];
    await bridge.starts();
    assert.equal((await bridge.get('/v1/models')).status, 401);
    assert.equal((await bridge.get('/v1/models', withKey('from-somebody'))).status, 200);
    chmodSync(other, 0o602);
    const refused = await bridge.run('--env-file', other, 'status');
    assert.equal(refused.code, 78);
    assert.match(refused.stderr, /other can be written by other users \(mode 0602\): run "chmod go-w/);
    assert.equal((await bridge.run('--env-file', join(bridge.directory, 'nowhere'), 'status')).code, 78);
    assert.equal((await bridge.run('--env-file', '/dev/null', 'status')).code, 78);
  });
});

test('the data directory is ours, or it is not used', async t => {
  const bridge = await startBridge(t);
  const lock = join(bridge.dataDirectory, 'lock'), other = join(bridge.directory, 'other');
  await bridge.stops();
  writeFileSync(other, 'precious', { mode: 0o600 });

  const isRefused = async why => {
    const { code, stderr } = await bridge.run('serve');
    assert.equal(code, 78, stderr);
    assert.match(stderr, why);
    assert.equal(readFileSync(other, 'utf8'), 'precious');
  };

  await t.test('a lock that is a link', async () => {
    rmSync(lock);
    symlinkSync(other, lock);
    await isRefused(/lock is a symbolic link/);
    rmSync(lock);
  });
  await t.test('a lock that is another file as well', async () => {
    linkSync(other, lock);
    await isRefused(/lock is a file that has other names/);
    rmSync(lock);
  });
  await t.test('a directory of sockets that is a link', async () => {
    symlinkSync('/tmp', join(bridge.dataDirectory, 'run'));
    await isRefused(/run is a symbolic link/);
    assert.notEqual(lstatSync('/tmp').mode & 0o7777, 0o700);
    rmSync(join(bridge.dataDirectory, 'run'));
  });
  await t.test('a directory that others can write to', async () => {
    chmodSync(bridge.dataDirectory, 0o707);
    await isRefused(/can be written by other users \(mode 0707\): run "chmod go-w/);
    chmodSync(bridge.dataDirectory, 0o700);
  });
  await t.test('mended, it is used', async () => {
    await bridge.starts();
    await bridge.isReady();
  });
});

test('the path of the data directory may be longer than that of a socket', async t => {
  const bridge = await startBridge(t);
  await bridge.stops();
  bridge.env.BRIDGE_DATA_DIR = join(bridge.directory, 'x'.repeat(150));
  await bridge.starts();
  await bridge.isReady();
  await bridge.answers('echo', 'hi');
  assert.equal((await bridge.run('status')).code, 0);
  const old = await bridge.kill('echo');
  await bridge.isReplaced('echo', old);
});

test('a directory of run-time files may vanish, as after a logout', async t => {
  let runtime;
  const bridge = await startBridge(t, {
    env: home => {
      runtime = join(home, 'runtime');
      mkdirSync(runtime, { recursive: true, mode: 0o700 });
      return { XDG_RUNTIME_DIR: runtime };
    },
  });
  rmSync(runtime, { recursive: true });
  assert.equal((await bridge.run('status')).code, 0);
  const old = await bridge.kill('echo');
  await bridge.isReplaced('echo', old);
  await bridge.answers('echo', 'hi');
  const gateway = await bridge.kill('gateway');
  await bridge.isReplaced('gateway', gateway);
  await waitFor('it answers', async () => (await bridge.chat('echo', 'hi')).status === 200);
});
