// A pool of containers as its callers and its operator see it: saturation, directories, settings, many sessions.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { onThisMachine, test, waitFor } from './bridge.mjs';
import { theEngine, whyNoEngine } from './engine.mjs';
import { startPool } from './pools.mjs';

const engine = await theEngine();
const image = await engine?.hasSmallImage();
const poolTest = (name, run) => test(name, { skip: whyNoEngine ?? false }, run);

const start = (t, options) => startPool(t, { engine, image, ...options });

poolTest('a pool that is busy: the next waits, the queue has an end, and who is refused is told who has what', async t => {
  const pool = await start(t, { env: { MINE_MAX_QUEUED: '1', MINE_QUEUE_MS: String(onThisMachine(2000)) } });
  const holders = await Promise.all(['anna', 'bert'].map(name => pool.streams(name, 'wait').hears(/waiting/)));
  assert.deepEqual(await pool.slotsAre({ busy: 2 }), { free: 0, busy: 2, warm: 0, dead: 0 });
  assert.match((await pool.bridge.run('status')).stdout, /slots: 0 free, 2 busy, 0 warm, 0 dead/);
  const third = pool.chat('carl', 'hello');
  await waitFor('it waits', async () => (await pool.row()).queued === 1);
  const full = await pool.refuses('dora', 429, 'queue_full');
  const late = (await third).json.error;
  assert.equal(late.code, 'queue_timeout', late.message);
  for (const message of [full, late.message])
    for (const name of ['anna', 'bert'])
      assert.match(message, new RegExp(`slot [01]: session ${name} for \\d+ s`));
  const fourth = pool.says('dora', 'hello');
  await waitFor('it waits', async () => (await pool.row()).queued === 1);
  holders[0].leaves();
  assert.match(await fourth, /turn 1: hello/);
  holders[1].leaves();
  await pool.slotsAre({ busy: 0, warm: 2 });
});

poolTest('a directory must be in the root, wherever links lead', async t => {
  const pool = await start(t, { size: 1 });
  const root = pool.bridge.directory, at = name => join(root, name);
  mkdirSync(at('inside'));
  symlinkSync('/etc', at('leads-out'));
  symlinkSync(at('inside'), at('leads-in'));
  for (const cwd of ['/', '/etc', at('leads-out'), `${root}-beside`, at('inside/../../..')]) {
    const message = await pool.refuses('one', 400, 'invalid_cwd', 'hello', { cwd });
    if (cwd !== `${root}-beside`)
      assert.ok(message.includes(` ${root},`), message);
  }
  for (const [cwd, real] of [[root, root], [at('inside'), at('inside')], [at('leads-in'), at('inside')]])
    assert.equal(await pool.says(`in ${cwd}`, 'run pwd -P', { cwd }), `[${real}\n]`);

  const file = path => [{ role: 'user', content: [{ type: 'file', file: { path } }] }];
  writeFileSync(at('inside/notes.txt'), 'the-word-of-the-notes');
  symlinkSync('/etc/hostname', at('inside/a-link'));
  for (const path of ['notes.txt', at('leads-in/notes.txt'), at('inside/notes.txt')])
    assert.match(await pool.says('files', file(path), { cwd: at('leads-in') }), /<file name="[^"]*notes.txt">\nthe-word-of-the-notes\n<.file>/);
  for (const path of ['a-link', '/etc/hostname', '../leads-out/hostname'])
    assert.match(await pool.refuses('files', 400, 'invalid_value', file(path), { cwd: at('inside') }), /leads out of the session's directory/);
});

const wrong = {
  MINE_EXECUTOR: ['podman', 'host or docker'],
  MINE_DOCKER_MEMORY: ['4 gigabytes', 'a number, with b, k, m or g behind it'],
  MINE_DOCKER_CPUS: ['many', 'a number of processors'],
  MINE_DOCKER_USER: ['nobody', 'the numbers of a user and a group'],
  MINE_DOCKER_NAME_PREFIX: ['a b', 'letters, digits'],
  MINE_DOCKER_OAUTH_MOUNT: ['mine', 'share or per-slot'],
  MINE_DOCKER_WORKSPACE_ROOT: ['projects', 'an absolute path'],
  MINE_DOCKER_POOL_SIZE: ['0', 'from 1 to 64'],
  MINE_DOCKER_PIDS: ['-1', 'from 0 to'],
  DOCKER_HOST: ['tcp://127.0.0.1:2375', 'unix://'],
  BRIDGE_ACP_MINE: ['x'.repeat(5000), 'at most 4095 bytes', 'x'.repeat(64)],
};

for (const [variable, [value, right, said = value]] of Object.entries(wrong))
  poolTest(`${variable}=${value.slice(0, 40)} is refused at the start`, async t => {
    const pool = await start(t, { env: { [variable]: value }, waits: false, exit: { code: 78, signal: null } });
    await waitFor('it ends', () => pool.bridge.exit);
    for (const words of [said === value ? variable : 'mine', said, right])
      await pool.bridge.logs(words);
    assert.deepEqual(await pool.containers(), []);
  });

poolTest('fifty sessions in eight slots: each hears its own words, and keeps its slot', async t => {
  const began = performance.now();
  const pool = await start(t, { size: 8, env: { MINE_MAX_RUNNING: '64' } });
  await pool.slotsAre({ dead: 0 });
  t.diagnostic(`a pool of 8 was there after ${Math.round(performance.now() - began)} ms`);
  const sessions = Array.from({ length: 50 }, (_, n) => `session-${n}`);
  const rounds = await Promise.all([1, 2, 3].map(() => null));
  const hosts = new Map(sessions.map(name => [name, new Set()]));
  for (const [n] of rounds.entries())
    await Promise.all(sessions.map(async name => {
      assert.match(await pool.says(name, `word of ${name} in round ${n}`), new RegExp(`^pid \\d+ turn ${2 * n + 1}: word of ${name} in round ${n}$`));
      hosts.get(name).add(await pool.says(name, 'run hostname'));
    }));
  assert.ok([...hosts.values()].every(set => set.size === 1), 'each has stayed in one container');
  assert.equal(new Set([...hosts.values()].map(set => [...set][0])).size, 8, 'all containers were used');
});
