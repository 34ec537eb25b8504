// Where a disk is full, or a container has no more processes or memory: whose turn it is hears of it, nothing hangs, others
// go on, and all is well when there is room again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { IN_CONTAINERS, onThisMachine, startBridge, test, waitFor } from './bridge.mjs';
import { fake } from './clis.mjs';
import { theEngine, whyNoEngine } from './engine.mjs';
import { Pool, startPool } from './pools.mjs';

const engine = IN_CONTAINERS ? null : await theEngine();
const image = await engine?.hasSmallImage();
const inContainers = { skip: engine ? false : whyNoEngine ?? 'it has containers of its own' };
const asRoot = process.getuid() !== 0 && 'needs root, to mount something';

const DISK = 'size=24m';

// A file system of its own for the data directory, which the test may fill.
function mountAt(directory) {
  mkdirSync(directory, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `${DISK},mode=0700`, 'tmpfs', directory]);
}

function fill(directory) {
  const filler = join(directory, 'filler');
  for (let size = 1 << 20; size >= 1; size >>= 1)
    try {
      for (;;)
        appendFileSync(filler, Buffer.alloc(size, 1));
    } catch (problem) {
      assert.equal(problem.code, 'ENOSPC');
    }
  return () => rmSync(filler);
}

const TYPED = /^(harness_\w+|internal_error|timeout|session_\w+)$/;

async function isAnswered(pool, session) {
  const answer = await pool.chat(session, 'hello');
  if (answer.status !== 200)
    assert.match(answer.json.error.code, TYPED, answer.text);
  return answer.status === 200;
}

async function survivesFullDisk(t, pool) {
  const data = pool.bridge.dataDirectory;
  try {
    assert.match(await pool.says('old', 'hello'), /turn 1: hello/);
    const free = fill(data);
    for (const session of ['old', 'new'])
      t.diagnostic(`${session}: ${await isAnswered(pool, session) ? 'answered' : 'refused'}`);
    await pool.bridge.kill(pool.name);
    await pool.bridge.logs(`supervisor: ${pool.name}: died`);
    await isAnswered(pool, 'old');
    free();
    await pool.bridge.isReady();
    for (const session of ['old', 'new', 'newest'])
      assert.match(await pool.says(session, 'hello'), /turn \d: hello/);
  } finally {
    await pool.bridge.stops();
    execFileSync('umount', ['--lazy', data]);
  }
}

test('a data directory on a disk that is full: typed errors, and all is well when there is room again', { skip: asRoot }, async t => {
  const bridge = await startBridge(t, {
    backends: ['mine'], env: home => ({ BRIDGE_ACP_MINE: fake(home, 'acp') }), prepare: directory => mountAt(join(directory, 'data')),
  });
  await survivesFullDisk(t, new Pool({ bridge, name: 'mine', size: 1 }));
});

test('the same in containers, whose homes are in there', { skip: asRoot || inContainers.skip }, async t => {
  const pool = await startPool(t, { engine, image, size: 1, prepare: directory => mountAt(join(directory, 'data')) });
  await survivesFullDisk(t, pool);
});

// As many processes as it can have, each in a session of its own, and others as soon as one has ended.
const BOMB = `run node -e 'const { spawn } = require("child_process");
  setInterval(() => spawn("/bin/sleep", ["4321"], { detached: true, stdio: "ignore" }).on("error", () => {}), 1)'`;

const parts = () => execFileSync('ps', ['-eo', 'args']).toString().split('\n').filter(line => line.trim() === '/bin/sleep 4321');

test('a fork bomb in a slot: its turn ends, the neighbour answers, and the slot serves its other conversations again', inContainers, async t => {
  const pool = await startPool(t, {
    engine, image, size: 2, env: { MINE_DOCKER_PIDS: '64', MINE_DOCKER_CPUS: '0.5', MINE_TIMEOUT_MS: String(onThisMachine(2000)) },
  });
  for (const session of ['bomber', 'neighbour', 'mate']) // the mate is in the process of one of them
    assert.match(await pool.says(session, 'hello'), /turn 1: hello/);
  const bomb = pool.streams('bomber', BOMB);
  await waitFor('it has gone off', () => parts().length > 20);
  assert.match(await pool.says('neighbour', 'hello'), /turn 2: hello/);
  await bomb.fails('timeout');
  for (const [session, turn] of [['bomber', 2], ['mate', 2], ['neighbour', 3]])
    assert.match(await pool.says(session, 'hello'), new RegExp(`turn ${turn}: hello`));
  await pool.isWhole();
  assert.deepEqual(parts(), []);
});

test('memory: a command that takes too much ends alone; a CLI that does takes its conversations along, and they go on', inContainers, async t => {
  const pool = await startPool(t, { engine, image, size: 1, env: { MINE_DOCKER_MEMORY: '96m' } });
  const pidOf = text => /pid (\d+)/.exec(text)[1];
  const pid = pidOf(await pool.says('other', 'hello'));
  await pool.says('greedy', 'run head -c 400m /dev/zero | tail');
  assert.equal(pidOf(await pool.says('other', 'hello')), pid, 'the CLI lives');
  assert.match((await pool.streams('greedy', 'grow').fails('harness_crashed')).message, /memory.*_DOCKER_MEMORY/);
  const { json, content } = await pool.chat('other', 'hello');
  assert.match(content, /turn 3: hello/);
  assert.equal(json.bridge.session.how, 'resumed');
});
