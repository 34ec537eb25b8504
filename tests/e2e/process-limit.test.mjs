// Where the machine allows no more processes, idle CLIs end before a turn fails.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

import { PLAIN_BUILD, startBridge, test, waitFor } from './bridge.mjs';

const USER = 64533; // of whom nothing else runs: the limit counts all that he has

const asUser = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'];
const limit = (pid, processes) => execFileSync(asUser[0], [...asUser.slice(1), 'prlimit', '--pid', pid, `--nproc=${processes}`]);

const threadsOf = user => readdirSync('/proc').filter(name => /^\d+$/.test(name)).reduce((sum, pid) => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(status.match(/^Uid:\s+(\d+)/m)[1]) === user ? sum + Number(status.match(/^Threads:\s+(\d+)/m)[1]) : sum;
  } catch {
    return sum;
  }
}, 0);

test('idle CLIs end before a turn fails', { skip: process.getuid() !== 0 && 'needs root, to become another user' }, async t => {
  const bridge = await startBridge(t, {
    build: PLAIN_BUILD,
    within: asUser,
    prepare: directory => execFileSync('chown', ['-R', `${USER}:${USER}`, directory]),
  });
  for (const session_id of ['a', 'b', 'c'])
    await bridge.answers('echo', 'hello', { session_id });
  assert.equal(bridge.clisOf('echo').length, 3);
  const worker = await bridge.pid('echo');
  limit(worker, threadsOf(USER));
  assert.equal((await bridge.answers('echo', 'and again', { session_id: 'd' })).content, 'and again');
  await bridge.logs(/no more processes are allowed/);

  // When nobody is idle there is nothing to end.
  const busy = await bridge.streams('echo/silent', 'x', { session_id: 'd' }).isConnected();
  limit(worker, 1);
  await waitFor('only one is left', () => bridge.clisOf('echo').length <= 1);
  const refused = await bridge.refuses(503, 'too_many_processes', 'echo', 'x', { session_id: 'e' });
  assert.ok(Number(refused.headers['retry-after']) > 0);
  busy.leaves();
});
