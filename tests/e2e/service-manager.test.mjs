// A bridge that a service manager runs: the socket is the manager's, and it is told how things are.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BUILD, startBridge, test, waitFor } from './bridge.mjs';

const AS_SERVICE = { within: [join(BUILD, 'test-service-manager')] };

// As in deploy/: the port is not said, and the settings are in a file that is named.
test('a service manager holds the socket and hears how it is', async t => {
  const bridge = await startBridge(t, { ...AS_SERVICE, env: { BRIDGE_PORT: '1', BRIDGE_HOST: '192.0.2.1', BRIDGE_BEARER: 'not-that-host' } });

  await t.test('it listens where it is told, whatever its settings say', async () => {
    assert.match(bridge.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.notEqual(new URL(bridge.url).port, '1');
    const answer = await bridge.chat('echo', 'hi', {}, { authorization: 'Bearer not-that-host' });
    assert.equal(answer.content, 'hi');
  });

  await t.test('it says that it is ready, once, when it is', async () => {
    await waitFor('READY=1', () => /^notified READY=1$/m.test(bridge.log));
    assert.equal(bridge.log.match(/notified READY=1/g).length, 1);
  });

  await t.test('neither is for its children', async () => {
    const { execFileSync } = await import('node:child_process');
    for (const name of ['gateway', 'echo']) {
      const environ = execFileSync('cat', [`/proc/${await bridge.pid(name)}/environ`]).toString();
      assert.doesNotMatch(environ, /LISTEN_FDS|LISTEN_PID|NOTIFY_SOCKET/);
    }
  });

  await t.test('it says that it stops, and connections wait in the socket meanwhile', async () => {
    bridge.daemon.kill('SIGTERM');
    await waitFor('STOPPING=1', () => /^notified STOPPING=1$/m.test(bridge.log));
    await waitFor('it stops', () => bridge.exit);
    assert.deepEqual(bridge.exit, { code: 0, signal: null });
  });
});

test('a reload by the service manager reads the named file again', async t => {
  const bridge = await startBridge(t, AS_SERVICE);
  const file = join(bridge.directory, 'env');
  await bridge.stops();
  writeFileSync(file, 'BRIDGE_BEARER=the-first-key\n', { mode: 0o640 });
  bridge.arguments = ['--env-file', file];
  bridge.log = '';
  await bridge.starts();
  await bridge.logs(new RegExp(`settings are read from ${file}`));
  const status = async key => (await bridge.get('/v1/models', { headers: { authorization: `Bearer ${key}` } })).status;
  assert.equal(await status('the-first-key'), 200);
  writeFileSync(file, 'BRIDGE_BEARER=the-second-key\n');
  bridge.daemon.kill('SIGHUP');
  await waitFor('the second key counts', async () => await status('the-second-key') === 200);
  assert.equal(await status('the-first-key'), 401);
});
