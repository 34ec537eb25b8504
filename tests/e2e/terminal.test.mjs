// A bridge that was started from a terminal.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { BUILD, startBridge, waitFor } from './bridge.mjs';

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

test('Ctrl-C ends it, and lets turns finish', async t => {
  const bridge = await startBridge(t, ON_TERMINAL);
  const client = bridge.streams('echo/chunks:10,delay:50', 'abcdefghij');
  await client.hears(/a/);
  bridge.daemon.stdin.write('interrupt\n');
  await client.finishes();
  await waitFor('it ends', () => bridge.exit);
  assert.deepEqual(bridge.exit, { code: 0, signal: null });
});

test('SIGHUP with the terminal still there reads the settings again', async t => {
  const bridge = await startBridge(t, ON_TERMINAL);
  const pid = await bridge.supervisorPid();
  process.kill(pid, 'SIGHUP');
  await waitFor('they are read', () => /the configuration was read again/.test(bridge.output));
  await bridge.answers('echo', 'hi');
});
