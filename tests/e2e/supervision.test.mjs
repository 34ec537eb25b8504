// Processes that die, hang, or are told to stop.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { BUILD, PLAIN_BUILD, comes, isAlive, isGone, onThisMachine, startBridge, stopwatch, test, waitFor } from './bridge.mjs';

// One that nobody asks anything: passthrough is not ready without any.
const PROVIDER = { BRIDGE_PROVIDER_LOCAL_BASE_URL: 'http://127.0.0.1:9/v1' };

const STOPPED_WELL = { code: 0, signal: null };
const KILLED = { code: null, signal: 'SIGKILL' };

test('the command line shows and changes what runs', async t => {
  const bridge = await startBridge(t, { backends: ['echo', 'passthrough'], env: PROVIDER });

  await t.test('status has supervisorctl\'s columns', async () => {
    const { code, stdout } = await bridge.run('status');
    assert.equal(code, 0);
    for (const name of ['gateway', 'echo', 'passthrough'])
      assert.match(stdout, new RegExp(`^${name} +RUNNING +pid \\d+, uptime \\d+:\\d\\d:\\d\\d`, 'm'));
  });

  await t.test('status --json is for programs', async () => {
    const rows = await bridge.status();
    const echo = rows.find(row => row.name === 'echo');
    assert.equal(echo.state, 'RUNNING');
    assert.equal(echo.kind, 'worker');
    assert.ok(isAlive(echo.pid));
  });

  await t.test('what is stopped stays stopped until it is started', async () => {
    assert.equal((await bridge.run('stop', 'echo')).code, 0);
    assert.equal((await bridge.run('status')).code, 3);
    assert.equal((await bridge.row('echo')).state, 'STOPPED');
    await bridge.refuses(503, 'harness_unavailable', 'echo', 'hi');
    assert.equal((await bridge.get('/health')).json.status, 'degraded');
    await sleep(500);
    assert.equal((await bridge.row('echo')).state, 'STOPPED');
    assert.equal((await bridge.run('start', 'echo')).code, 0);
    await bridge.isReady('echo');
    await bridge.answers('echo', 'hi');
    assert.equal((await bridge.run('status')).code, 0);
  });

  await t.test('restart lets a turn finish that runs', async () => {
    const old = await bridge.pid('echo');
    const client = bridge.streams('echo/chunks:10,delay:50', 'abcdefghij');
    await client.hears(/a/);
    assert.equal((await bridge.run('restart', 'echo')).code, 0);
    await client.finishes();
    assert.equal(client.text, 'abcdefghij');
    assert.notEqual(await bridge.pid('echo'), old);
    assert.equal(isAlive(old), false);
  });

  await t.test('verify says whether each harness would work', async () => {
    const { code, stdout } = await bridge.run('verify', 'echo');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^echo +ready/m);
    const { stdout: json } = await bridge.run('verify', '--json', 'echo');
    assert.equal(JSON.parse(json)[0].health, 'ready');
  });

  await t.test('restart says that it has stopped when it has', async () => {
    const old = await bridge.pid('echo');
    const client = bridge.streams('echo/chunks:10,delay:50', 'abcdefghij');
    await client.hears(/a/);
    const restart = spawn(bridge.command, ['restart', 'echo'], { env: bridge.env, cwd: bridge.directory, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    const wasAlive = await comes('it says that it has stopped', new Promise(done => restart.stdout.on('data', text => {
      said += text;
      if (/stopped/.test(said))
        done(isAlive(old));
    })));
    await client.ends();
    assert.equal(wasAlive, false);
    await bridge.isReplaced('echo', old);
  });

  await t.test('all is what is not yet so', async () => {
    for (const words of [['stop', 'all'], ['stop', 'all'], ['start', 'all'], ['start', 'all'], ['restart', 'all']])
      assert.equal((await bridge.run(...words)).code, 0, words.join(' '));
    assert.equal((await bridge.run('start', 'echo')).code, 1);
    await bridge.isReady();
  });

  await t.test('a wrong name or command is an error', async () => {
    for (const command of ['start', 'stop', 'restart', 'status', 'verify'])
      assert.equal((await bridge.run(command, 'nobody')).code, 4, command);
    for (const words of [['dance'], ['shutdown', 'echo'], ['version', 'echo'], ['help', 'me'], ['serve', 'echo'], ['start'], ['stop', '--json', 'echo']]) {
      const { code, stdout, stderr } = await bridge.run(...words);
      assert.equal(code, 2, words.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, /^cli-bridge: /);
    }
    await bridge.answers('echo', 'it has not been shut down');
    assert.match((await bridge.run('version')).stdout, /^cli-bridge \d+\.\d+\.\d+/);
  });

  await t.test('a second daemon in the same directory is refused', async () => {
    const { code, stderr } = await bridge.run('serve');
    assert.equal(code, 1);
    assert.match(stderr, /already/);
    await bridge.answers('echo', 'the first one is unharmed');
  });

  await t.test('what is private is private', async () => {
    const open = readdirSync(bridge.dataDirectory, { recursive: true })
      .filter(name => statSync(join(bridge.dataDirectory, name)).mode & 0o077);
    assert.deepEqual(open, []);
  });

  await t.test('shutdown stops everything', async () => {
    assert.equal((await bridge.run('shutdown')).code, 0);
    await waitFor('it has stopped', () => bridge.exit);
    assert.deepEqual(bridge.exit, STOPPED_WELL);
    assert.equal((await bridge.run('status')).code, 4);
  });
});

test('a process that is killed is started again', async t => {
  const bridge = await startBridge(t, { backends: ['echo', 'passthrough'], env: PROVIDER });

  for (const name of ['echo', 'passthrough'])
    await t.test(`${name}`, async () => {
      const old = await bridge.kill(name);
      await bridge.isReplaced(name, old);
    });

  await t.test('gateway: and no new connection is refused meanwhile', async () => {
    const old = await bridge.kill('gateway');
    const answer = await bridge.answers('echo', 'who waits is served');
    assert.equal(answer.content, 'who waits is served');
    await bridge.isReplaced('gateway', old);
  });

  await t.test('gateway: its turns end, and the CLIs that did them', async () => {
    const client = await bridge.streams('echo/silent', 'hi').isConnected();
    await waitFor('the CLI runs', () => bridge.clisOf('echo').length > 0);
    await bridge.kill('gateway');
    await client.ends();
    assert.equal(client.finish, undefined);
    await waitFor('the bridge is back', async () => (await bridge.get('/health').catch(() => null))?.status === 200);
    await bridge.isIdle();
  });

  await t.test('worker: its turns fail with a typed error, and its CLIs are gone', async () => {
    const streamed = bridge.streams('echo/chunks:100,delay:20', 'x'.repeat(100));
    await streamed.hears(/x/);
    const whole = bridge.chat('echo/silent', 'hi');
    await waitFor('both run', async () => (await bridge.row('echo')).running === 2);
    const clis = bridge.clisOf('echo').map(({ pid }) => pid);
    const old = await bridge.kill('echo');
    await streamed.fails('worker_lost');
    const answer = await whole;
    assert.equal(answer.status, 502);
    assert.equal(answer.json.error.code, 'worker_lost');
    assert.equal(answer.headers['x-should-retry'], 'false');
    await isGone(() => clis.filter(isAlive), { within: 1000 });
    await bridge.isReplaced('echo', old);
  });
});

test('the death of the supervisor is the death of all', async t => {
  const bridge = await startBridge(t, { exit: KILLED });
  await bridge.streams('echo/silent', 'hi').isConnected();
  await waitFor('the CLI runs', () => bridge.clisOf('echo').length > 0);
  bridge.daemon.kill('SIGKILL');
  await isGone(() => bridge.processes(), { within: 2000 });
  await waitFor('its end is known', () => bridge.exit);
});

test('a process that hangs is replaced', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_HELLO_MS: '100', BRIDGE_HUNG_MS: onThisMachine(700) } });
  for (const name of ['echo', 'gateway']) {
    const old = await bridge.pid(name);
    process.kill(old, 'SIGSTOP');
    await bridge.isReplaced(name, old);
    assert.equal(isAlive(old), false);
  }
  await bridge.answers('echo', 'hi');
});

test('a process that dies again and again is given up, and says why', async t => {
  const bridge = await startBridge(t, { backends: ['echo', 'passthrough'], env: PROVIDER });
  let kills = 0;
  await waitFor('it is given up', async () => {
    const row = await bridge.row('echo');
    if (row.state === 'FATAL')
      return true;
    if (row.pid) {
      try {
        process.kill(row.pid, 'SIGKILL');
        kills++;
      } catch { /* it has died by itself */ }
    }
    return false;
  }, 120_000);
  assert.ok(kills >= 3);
  assert.match((await bridge.row('echo')).last_exit, /signal 9/);
  assert.equal((await bridge.run('status')).code, 3);
  assert.equal((await bridge.get('/health')).json.status, 'degraded');
  assert.equal((await bridge.run('start', 'echo')).code, 0);
  await bridge.isReady('echo');
});

// The programs of the build, with a gateway that is a script.
function buildWithGateway(t, script) {
  const directory = mkdtempSync('/tmp/build-');
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of readdirSync(BUILD).filter(name => name.startsWith('cli-bridge-') && name !== 'cli-bridge-gateway'))
    symlinkSync(join(BUILD, name), join(directory, name));
  cpSync(join(BUILD, 'cli-bridge'), join(directory, 'cli-bridge'));
  writeFileSync(join(directory, 'cli-bridge-gateway'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return directory;
}

test('a gateway that can not work ends the bridge, and says why', async t => {
  for (const [script, code, why] of [
    ['exit 3', 1, /the gateway is given up \(exit code 3\), and nothing works without it/],
    ['kill -9 $$', 1, /the gateway is given up \(signal 9 \(Killed\)\)/],
    ['exit 78', 78, /the gateway is given up \(exit code 78\)/],
  ])
    await t.test(script, async t2 => {
      const exit = { code, signal: null };
      const bridge = await startBridge(t2, { build: buildWithGateway(t, script), waits: false, exit });
      assert.deepEqual(bridge.exit, exit);
      assert.doesNotMatch(bridge.output, /ready/);
      await bridge.logs(why);
    });
});

// One who asks on a socket of the bridge, and reads nothing that comes back.
function asksAndNeverReads(t, path) {
  const socket = connect(path).pause();
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  socket.write(Buffer.from('\0SP\0\0\x30\0\0', 'latin1')); // NNG's greeting, from a REQ
  const question = id => {
    const bytes = Buffer.alloc(9 + 4 + 1, 1);
    bytes.writeBigUInt64BE(5n, 1);
    bytes.writeUInt32BE((0x80000000 + id) >>> 0, 9);
    return bytes;
  };
  for (let id = 1; id <= 3000; id++)
    socket.write(question(id));
}

test('who never reads the replies costs nobody else anything', async t => {
  const bridge = await startBridge(t);
  asksAndNeverReads(t, join(bridge.dataDirectory, 'run', 'supervisor.req'));
  await waitFor('a lot is refused', () => bridge.log.split(' supervisor: refused: ').length > 1000);
  assert.equal((await bridge.run('status')).code, 0);
  assert.equal((await bridge.get('/health')).json.status, 'ok');
  await bridge.answers('echo', 'hi');
});

// As a sandbox may do it: the numbers of processes are new, and /proc still shows the old ones.
const UNSHARE = ['unshare', ...(process.getuid() === 0 ? [] : ['--map-root-user']), '--pid', '--fork'];
const canUnshare = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true']).status === 0;

test('processes know each other where /proc shows others', { skip: !canUnshare && 'no namespaces here' }, async t => {
  const bridge = await startBridge(t, { within: UNSHARE });
  assert.equal((await bridge.answers('echo', 'hello')).content, 'hello');
  assert.doesNotMatch(bridge.log, /none of ours/);
  assert.equal((await bridge.run('shutdown')).code, 0);
  await waitFor('it ends', () => bridge.exit);
});

test('what an earlier life has left behind is swept at the start', async t => {
  const bridge = await startBridge(t);
  const orphan = spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, CLI_BRIDGE_OWNER: `${bridge.instance}/echo/99/` } });
  const stranger = spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, CLI_BRIDGE_OWNER: 'ffffffffffffffff/echo/99/' } });
  t.after(() => stranger.kill('SIGKILL'));
  await waitFor('they run', () => isAlive(orphan.pid) && isAlive(stranger.pid));
  bridge.daemon.kill('SIGKILL');
  await waitFor('it is dead', () => bridge.exit);
  await bridge.starts();
  await isGone(() => bridge.processes().filter(({ pid }) => pid === orphan.pid), { within: 1000 });
  assert.ok(isAlive(stranger.pid), 'other instances are none of its business');
  await bridge.isReady();
});

test('a stop lets what runs come to its end', async t => {
  const bridge = await startBridge(t);
  const client = bridge.streams('echo/chunks:10,delay:50', 'abcdefghij');
  await client.hears(/a/);
  bridge.daemon.kill('SIGTERM');
  await client.finishes();
  assert.equal(client.text, 'abcdefghij');
  await waitFor('it stops', () => bridge.exit);
});

test('a stop does not wait for ever', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_DRAIN_MS: '500' } });
  const client = await bridge.streams('echo/silent', 'hi').isConnected();
  const watch = stopwatch();
  assert.deepEqual(await bridge.stops(), STOPPED_WELL);
  assert.ok(watch.ms() < 5000);
  await client.ends();
  assert.equal(client.finish, undefined);
});

test('too little memory for a start is said, and ends it', async t => {
  const exit = { code: 1, signal: null };
  for (const megabytes of [45, 90])
    await t.test(`${megabytes} MB`, async t2 => {
      const within = ['/bin/sh', '-c', `ulimit -v ${megabytes * 1024}; exec "$@"`, 'sh'];
      const bridge = await startBridge(t2, { within, build: PLAIN_BUILD, waits: false, exit });
      assert.deepEqual(bridge.exit, exit);
      await bridge.logs(/only \d+ of \d+ threads can be started/);
    });
});

test('many workers end as fast as one', async t => {
  const names = Array.from({ length: 16 }, (_, n) => `own${n}`);
  const env = Object.fromEntries(names.map(name => [`BRIDGE_ACP_${name.toUpperCase()}`, '/bin/cat']));
  const bridge = await startBridge(t, { backends: [...names, 'echo'], env, waits: false, build: PLAIN_BUILD });
  await bridge.isReady('echo');
  assert.equal((await bridge.status()).filter(({ state }) => state === 'RUNNING').length, names.length + 2);
  await bridge.stops();
  assert.doesNotMatch(bridge.log, /does not end/);
});

test('a second signal is not patient', async t => {
  const bridge = await startBridge(t);
  await bridge.streams('echo/silent', 'hi').isConnected();
  bridge.daemon.kill('SIGINT');
  await sleep(300);
  assert.equal(bridge.exit, null);
  const watch = stopwatch();
  bridge.daemon.kill('SIGINT');
  await waitFor('it stops', () => bridge.exit);
  assert.ok(watch.ms() < 3000);
});

test('wrong settings stop the start with their name, value and what is allowed', async t => {
  const wrong = { BRIDGE_PORT: '99999', BRIDGE_STREAM_DEFAULT: 'maybe', BRIDGE_BACKENDS: 'echo,nobody', BRIDGE_LOG_LEVEL: 'loud', ECHO_MAX_RUNNING: '0' };
  for (const [name, value] of Object.entries(wrong))
    await t.test(`${name}=${value}`, async t2 => {
      const bridge = await startBridge(t2, { env: { [name]: value }, exit: { code: 78, signal: null }, waits: false });
      assert.deepEqual(bridge.exit, { code: 78, signal: null });
      await bridge.logs(new RegExp(name));
      await bridge.logs(new RegExp(name === 'BRIDGE_BACKENDS' ? 'nobody' : value));
    });
  await t.test('an open address without a bearer', async t2 => {
    const bridge = await startBridge(t2, { env: { BRIDGE_HOST: '0.0.0.0' }, exit: { code: 78, signal: null }, waits: false });
    await bridge.logs(/BRIDGE_BEARER/);
  });
});

test('an unknown setting is warned about, with the nearest that is known', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_PROT: '1' } });
  await bridge.logs(/BRIDGE_PROT.*BRIDGE_PORT/);
});

test('settings are read from .env, and the environment wins', async t => {
  const bridge = await startBridge(t, { exit: STOPPED_WELL, env: { BRIDGE_SSE_HEARTBEAT_MS: '15000' } });
  await bridge.stops();
  writeFileSync(join(bridge.directory, '.env'), '# settings\nBRIDGE_BEARER="from-the-file"\nBRIDGE_SSE_HEARTBEAT_MS=wrong\n');
  await bridge.starts();
  await bridge.isReady();
  assert.equal((await bridge.get('/v1/models')).status, 401);
  assert.equal((await bridge.get('/v1/models', { headers: { authorization: 'Bearer from-the-file' } })).status, 200);
});

test('a harness that is not installed is unavailable, and nothing else is', async t => {
  const bridge = await startBridge(t, { backends: ['claude', 'echo'], env: { CLAUDE_BIN: '/no/such/claude' }, waits: false });
  await bridge.isReady('echo');
  await bridge.answers('echo', 'hi');
  await waitFor('it is known', async () => (await bridge.row('claude')).health === 'unavailable');
  const answer = await bridge.refuses(503, 'harness_not_set_up', 'claude', 'hi');
  assert.match(answer.json.error.message, /claude/i);
  const { code, stdout } = await bridge.run('verify');
  assert.equal(code, 3);
  assert.match(stdout, /^claude +unavailable/m);
});

test('verify does not take an older look for its answer', async t => {
  const home = mkdtempSync('/tmp/cli-');
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const cli = join(home, 'slow');
  // Its first answer waits until it is let go.
  writeFileSync(cli, `#!/bin/sh
case $1 in --version) ;; *) exit 0 ;; esac
if mkdir ${home}/first 2>/dev/null; then
  until [ -e ${home}/go ]; do sleep 0.02; done
  echo 1.1.1
else
  echo 2.2.2
fi
`, { mode: 0o755 });
  const bridge = await startBridge(t, { backends: ['claude'], env: { CLAUDE_BIN: cli, BRIDGE_LOG_LEVEL: 'debug', CLAUDE_SAFE_JAIL: 'off' }, waits: false });
  await waitFor('its first look is under way', () => existsSync(join(home, 'first')));
  const verify = bridge.run('verify', '--json');
  await waitFor('it is asked for another', () => /worker\.claude: <- PROBE/.test(bridge.log));
  writeFileSync(join(home, 'go'), '');
  assert.equal(JSON.parse((await verify).stdout)[0].version, '2.2.2');
});
