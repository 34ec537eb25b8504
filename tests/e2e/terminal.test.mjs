// A bridge that was started from a terminal.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BUILD, startBridge, test, waitFor } from './bridge.mjs';

const ON_TERMINAL = { within: [join(BUILD, 'test-terminal')], stdio: ['pipe', 'pipe', 'pipe'] };

test('closing the terminal ends the bridge, and lets turns finish', async t => {
  const bridge = await startBridge(t, ON_TERMINAL);
  const client = bridge.streams('echo/chunks:10,delay:50', 'abcdefghij');
  await client.hears(/a/);
  bridge.daemon.stdin.write('close\n');
  await client.finishes();
  assert.equal(client.text, 'abcdefghij');
  await waitFor('it ends', () => bridge.exit);
  assert.deepEqual(bridge.exit, { code: 0, signal: null });
});

// As nohup does it.
test('a bridge that is to outlive its terminal does so, and reads its settings again', async t => {
  const ignoring = [...ON_TERMINAL.within, '/bin/sh', '-c', 'trap "" HUP; exec "$@"', 'sh'];
  const bridge = await startBridge(t, { ...ON_TERMINAL, within: ignoring });
  const status = async () => (await bridge.get('/v1/models')).status;
  assert.equal(await status(), 200);
  writeFileSync(join(bridge.directory, '.env'), 'BRIDGE_BEARER=open-sesame\n', { mode: 0o600 });
  bridge.daemon.stdin.write('close\n');
  await waitFor('a key is wanted', async () => await status() === 401);
});

test('Ctrl-C ends it, and lets turns finish', async t => {
  const bridge = await startBridge(t, ON_TERMINAL);
  const client = bridge.streams('echo/chunks:10,delay:50', 'abcdefghij');
  await client.hears(/a/);
  bridge.daemon.stdin.write('interrupt\n');
  await client.finishes();
  await waitFor('it ends', () => bridge.exit);
  assert.deepEqual(bridge.exit, { code: 0, signal: null });
});

// Fields 5 to 7 of /proc/<pid>/stat.
function stationOf(pid) {
  const [, , pgrp, session, terminal] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ').map(Number);
  return { pgrp, session, terminal };
}

test('nothing that the bridge starts can reach its terminal', async t => {
  const home = mkdtempSync('/tmp/cli-');
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const cli = join(home, 'cli');
  // As git does that wants a password.
  writeFileSync(cli, '#!/bin/sh\nif (: </dev/tty) 2>/dev/null; then echo 1.0.666; else echo 1.0.0; fi\n', { mode: 0o755 });
  const bridge = await startBridge(t, { ...ON_TERMINAL, backends: ['claude', 'echo'], env: { CLAUDE_BIN: cli }, waits: false });
  await bridge.isReady('echo');
  assert.notEqual(stationOf(bridge.supervisorPid()).terminal, 0, 'the test would see nothing');

  await t.test('a CLI that asks there fails at once', async () => {
    assert.equal(JSON.parse((await bridge.run('verify', '--json', 'claude')).stdout)[0].version, '1.0.0');
  });

  await t.test('each has a session of its own', async () => {
    const client = await bridge.streams('echo/silent', 'hi').isConnected();
    await waitFor('the CLI runs', () => bridge.clisOf('echo').length > 0);
    for (const { pid } of bridge.processes())
      assert.deepEqual(stationOf(pid), { pgrp: pid, session: pid, terminal: 0 });
    client.leaves();
  });
});

test('CLIs get the limit of descriptors that the bridge was started with', async t => {
  const bridge = await startBridge(t, { within: ['/bin/sh', '-c', 'ulimit -Sn 321; exec "$@"', 'sh'] });
  const client = await bridge.streams('echo/silent', 'hi').isConnected();
  await waitFor('the CLI runs', () => bridge.clisOf('echo').length > 0);
  const softOf = pid => Number(readFileSync(`/proc/${pid}/limits`, 'utf8').match(/Max open files +(\d+)/)[1]);
  for (const { pid } of bridge.clisOf('echo'))
    assert.equal(softOf(pid), 321);
  for (const name of ['supervisor', 'gateway', 'echo'])
    assert.ok(softOf(await bridge.pid(name)) > 321, name);
  client.leaves();
});

test('SIGHUP with the terminal still there reads the settings again', async t => {
  const bridge = await startBridge(t, ON_TERMINAL);
  const pid = await bridge.supervisorPid();
  process.kill(pid, 'SIGHUP');
  await waitFor('they are read', () => /the configuration was read again/.test(bridge.output));
  await bridge.answers('echo', 'hi');
});
