// What goes wrong in containers, or with them: whose turn it is hears of it, nobody else does, and it goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { isGone, onThisMachine, stopwatch, test, waitFor } from './bridge.mjs';
import { between, theEngine, whyNoEngine } from './engine.mjs';
import { startPool } from './pools.mjs';

const engine = await theEngine();
const image = await engine?.hasSmallImage();
const faultTest = (name, run) => test(name, { skip: whyNoEngine ?? false }, run);

const start = (t, options) => startPool(t, { engine, image, ...options });

// What runs in the container of a session beside the first process, the agent, and the look itself.
async function othersOf(pool, session) {
  const said = await pool.says(session, 'run ps -o pid,args | tail -n +2');
  return said.replace(/^\[|\]$/g, '').split('\n').map(line => line.trim()).filter(Boolean)
    .filter(line => !/cli-bridge-slot$|acp|ps -o|tail -n|\[exe\]$/.test(line)); // exe: the engine's own, on its way
}

const DETACHED = '(env -i /bin/setsid /bin/sh -c "(/bin/sleep 1234 </dev/null >/dev/null 2>&1 &)" &)';

// ---- what is killed ----

faultTest('a container that is killed in a turn: its caller is told why, the other slot sees nothing, the session goes on', async t => {
  const pool = await start(t);
  const dying = await pool.streams('dying', 'wait').hears(/waiting/);
  const living = await pool.streams('living', 'talk 100').hears(/3/);
  const before = await pool.containers();
  await engine.kill(pool.slot(0));
  const { message } = await dying.fails('harness_crashed');
  assert.match(message, /container has ended/);
  assert.match(await pool.says('dying', 'hello'), /turn 1: hello/); // the one that failed is no turn of the agent's
  await living.finishes();
  assert.match(living.text, /100 $/);
  await pool.isWhole();
  const after = await pool.containers();
  assert.deepEqual(after.map(({ name }) => name).sort(), before.map(({ name }) => name).sort());
  assert.equal(after.filter(({ id }) => before.some(old => old.id === id)).length, 1, 'one is another');
  const { json } = await pool.chat('dying', 'hello');
  assert.equal(json.bridge.session.how, 'resumed', JSON.stringify(json.bridge));
});

faultTest('a CLI that is killed in a turn, and one that takes more memory than it may: the bridge lives', async t => {
  const pool = await start(t, { size: 1, env: { MINE_DOCKER_MEMORY: '96m' } });
  const dying = await pool.streams('dying', 'wait').hears(/waiting/);
  const [cli] = pool.bridge.clisOf('mine').filter(({ command }) => /acp/.test(command));
  process.kill(cli.pid, 'SIGKILL');
  assert.match((await dying.fails('harness_crashed')).message, /signal 9 \(Killed\)$/);
  const [{ id }] = await pool.containers();
  const greedy = await pool.streams('greedy', 'grow').fails('harness_crashed');
  assert.match(greedy.message, /memory.*_DOCKER_MEMORY/);
  assert.match(await pool.says('next', 'hello'), /turn 1: hello/);
  assert.deepEqual((await pool.containers()).map(c => c.id), [id], 'it is the same container');
});

faultTest('what a turn has left behind, however it hides, is gone before the next session has a turn there', async t => {
  const pool = await start(t, { size: 1 });
  for (let round = 0; round < 3; round++) {
    const leaves = pool.streams(`leaver ${round}`, `run ${DETACHED}; sleep 2345`);
    await waitFor('it has left it', () => running('/bin/sleep 1234'));
    leaves.leaves();
    assert.deepEqual(await othersOf(pool, `next ${round}`), []);
  }
  assert.match(await pool.says('loud', `run ${DETACHED}; echo left`), /left/);
  process.kill(pool.bridge.clisOf('mine').find(({ command }) => /acp/.test(command)).pid, 'SIGKILL');
  await waitFor('it is proven clean', async () => !running('/bin/sleep 1234'));
  assert.deepEqual(await othersOf(pool, 'after all'), []);
});

const running = words => execFileSync('ps', ['-eo', 'args', '--no-headers']).toString().split('\n').some(line => line.trim() === words);

// ---- images and names ----

faultTest('an image that is not there, and one without the program: health says what to do, and it works once it is there', async t => {
  const name = `missing-${process.pid}`;
  const pool = await start(t, { image: name, size: 1, waits: false });
  t.after(() => engine.ask('DELETE', `/images/${name}?force=1`));
  await waitFor('health knows', async () => /no image missing-\d+: build it/.test((await pool.row()).detail));
  assert.match(await pool.refuses('one', 503, 'harness_not_set_up'), /no image/);
  await engine.does('POST', `/images/${image}/tag?repo=${name}&tag=latest`);
  await pool.bridge.isReady();
  assert.match(await pool.says('one', 'hello'), /turn 1: hello/);
  await engine.ask('DELETE', `/images/${name}?force=1`); // its containers have it all the same
  assert.match(await pool.says('one', 'hello'), /turn 2: hello/);

  const without = await start(t, { size: 1, waits: false, env: { BRIDGE_ACP_MINE: 'no-such-program' } });
  await waitFor('health knows', async () => /has no program no-such-program: build one/.test((await without.row()).detail));
  assert.match(await without.refuses('one', 503, 'harness_not_set_up'), /no program/);
});

const isLookAtImage = ({ method, path }) => method === 'GET' && path.startsWith('/images/');
const isCreation = ({ path }) => path === '/containers/create';

faultTest('an image without the program: one container shows it, and no other is made until it is another image', async t => {
  const proxy = await between(t, engine);
  const name = `changing-${process.pid}`;
  t.after(() => engine.ask('DELETE', `/images/${name}?force=1`));
  const base = await engine.makeForeign(t, `${name}-base`, image);
  await engine.does('POST', `/commit?container=${base}&repo=${name}&tag=latest&changes=${encodeURIComponent('ENV PATH=/nowhere')}`);
  const pool = await start(t, { engine: proxy, image: name, size: 4, waits: false });
  await waitFor('health knows', async () => /has no program acp: build one.*MINE_DOCKER_IMAGE/.test((await pool.row()).detail));
  await waitFor('it has looked again', () => proxy.seen.filter(isLookAtImage).length > 3);
  assert.equal(proxy.seen.filter(isCreation).length, 1);
  assert.deepEqual(await pool.containers(), []);
  await engine.does('POST', `/images/${image}/tag?repo=${name}&tag=latest`);
  await pool.isWhole();
  assert.match(await pool.says('one', 'hello'), /turn 1: hello/);
});

faultTest('a bridge that is stopped while its containers are made leaves none behind', async t => {
  const proxy = await between(t, engine);
  proxy.rules.push(({ path }) => /^\/containers\/[^/]+\/start$/.test(path) && { stall: true });
  const pool = await start(t, { engine: proxy, size: 2, waits: false });
  await waitFor('one is made', async () => (await pool.containers()).some(({ state }) => state === 'created'));
  await pool.bridge.stops();
  assert.deepEqual(await pool.containers(), []);
});

faultTest('a network that is not there: health has the engine\'s words', async t => {
  const pool = await start(t, { size: 1, waits: false, network: 'no-such-network' });
  await waitFor('health knows', async () => /network no-such-network not found/.test((await pool.row()).detail));
  assert.match(await pool.refuses('one', 503, 'harness_unavailable'), /network no-such-network not found/);
});

faultTest('a name that somebody else has is left to them; what an earlier run of ours has left is replaced', async t => {
  const pool = await start(t, { size: 2 });
  const labels = (await pool.containers())[0].labels;
  await pool.bridge.stops();
  await isGone(() => pool.containers(), { within: 2000 });
  const foreign = await engine.makeForeign(t, pool.slot(0), image, { 'cli-bridge.owner': 'somebody else' });
  const stale = await engine.makeForeign(t, pool.slot(1), image, labels);
  const beyond = await engine.makeForeign(t, pool.slot(7), image, labels); // the pool was larger
  await pool.bridge.starts();
  await pool.slotsAre({ dead: 1 });
  assert.match(await pool.says('one', 'hello'), /hello/);
  await waitFor('the one beyond is gone', async () => (await pool.containers()).length === 2);
  const ids = (await pool.containers()).map(({ id }) => id);
  assert.ok(ids.includes(foreign) && !ids.includes(stale) && !ids.includes(beyond));
  await pool.bridge.logs(new RegExp(`a container ${pool.slot(0)}, which is not of this bridge: remove it`));
  await engine.remove(foreign);
  await pool.slotsAre({ dead: 0 });
});

// ---- an engine that refuses, stalls and cuts ----

const isExecOf = what => ({ path }) => new RegExp(`^/${what}$`).test(path);
const CREATE = isExecOf('containers/[^/]+/exec'), START = isExecOf('exec/[^/]+/start'), INSPECT = isExecOf('exec/[^/]+/json');

const refusals = [
  ['creation of an exec, 500', CREATE, { status: 500, message: 'out of luck' }, /out of luck/],
  ['creation of an exec, 404', CREATE, { status: 404, message: 'No such container' }, /No such container/],
  ['creation of an exec, 409', CREATE, { status: 409, message: 'it is paused' }, /it is paused/],
  ['start of an exec, 500', START, { status: 500, message: 'out of luck' }, /out of luck/],
  ['start of an exec, cut in a frame header', START, { cutAfter: 3 }, /cut|ended|lost|closed/],
  ['start of an exec, cut in a payload', START, { cutAfter: 20 }, /cut|ended|lost|closed/],
  ['creation of an exec, no answer', CREATE, { stall: true }, /not .*ready|in time|started/],
  ['start of an exec, no answer', START, { stall: true }, /not .*ready|in time|started/],
  ['a look at an exec, 500', INSPECT, { status: 500, message: 'out of luck' }, /out of luck/, 'crash'],
];

faultTest('an engine that refuses, does not answer or cuts a stream: a typed error, and the next turn works', async t => {
  const proxy = await between(t, engine);
  const pool = await start(t, { engine: proxy, size: 1, env: { MINE_START_MS: '4000' } });
  for (const [n, [what, where, does, why, said = 'hello']] of refusals.entries()) {
    await t.test(what, async () => {
      if (said === 'hello') // it needs a new process
        await pool.streams(`session ${n}`, 'crash').fails('harness_crashed');
      const rule = asked => where(asked) && does;
      proxy.rules.push(rule);
      const answer = await pool.chat(`session ${n}`, said);
      proxy.rules.length = 0;
      assert.ok(answer.status >= 500, answer.text);
      assert.match(answer.json.error.code, /^harness_|^upstream|^timeout/);
      assert.match(answer.json.error.message, why);
      const watch = stopwatch();
      assert.match(await pool.says(`session ${n}`, 'hello'), /hello/);
      assert.ok(watch.ms() < onThisMachine(3000), `the next turn took ${watch.ms()} ms`);
    });
  }
});

faultTest('a cut of the stream that a turn or a slot has: the turn fails, and the slot is made anew', async t => {
  const proxy = await between(t, engine);
  for (const [what, where] of [['exec', START], ['slot', isExecOf('containers/[^/]+/attach')]]) {
    let cut;
    const when = new Promise(done => { cut = done; });
    proxy.rules.push(asked => where(asked) && { cut: when });
    const pool = await start(t, { engine: proxy, size: 1 });
    proxy.rules.length = 0;
    const turn = await pool.streams('one', 'wait').hears(/waiting/);
    cut();
    await turn.fails('harness_crashed');
    assert.match(await pool.says('one', 'hello'), /hello/, what);
    assert.deepEqual(await othersOf(pool, 'one'), [], what);
  }
});

// ---- a bridge that is killed ----

faultTest('kill -9 of worker or supervisor: nothing of ours is left after two seconds, and nothing of others is touched', async t => {
  const pool = await start(t);
  const foreign = await engine.makeForeign(t, `${pool.prefix}-x-foreign`, image);
  const ours = async () => (await pool.containers()).filter(({ id }) => id !== foreign);
  for (const victim of ['mine', 'supervisor']) {
    await pool.isWhole();
    const old = (await ours()).map(({ id }) => id);
    assert.equal(old.length, 2);
    const turn = await pool.streams('one', `run ${DETACHED}; sleep 2345`).isConnected();
    await waitFor('it runs', () => running('/bin/sleep 1234'));
    const pid = await pool.bridge.kill(victim);
    await isGone(async () => (await ours()).filter(({ id }) => old.includes(id)), { within: 2000 });
    assert.equal(running('/bin/sleep 1234'), false);
    await turn.ends();
    assert.equal(turn.finish, undefined);
    if (victim === 'mine') {
      await pool.bridge.isReplaced('mine', pid);
    } else {
      await waitFor('all processes are gone', () => pool.bridge.processes().length === 0);
      await pool.bridge.starts();
    }
    assert.match(await pool.says('one', 'hello'), /hello/);
  }
  await pool.isWhole();
  await pool.bridge.stops();
  await isGone(ours, { within: 2000 });
  assert.equal((await engine.look(foreign)).State.Running, true);
});

// ---- a full disk ----

faultTest('a disk that is full is no end of anything but what needs it', async t => {
  const pool = await start(t, { size: 1 });
  const full = join(pool.bridge.directory, 'full');
  mkdirSync(full);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', full]);
  try {
    await engine.kill(pool.slot(0)); // the next container has the mount as well
    await pool.bridge.isReady();
    const said = await pool.says('one', 'run dd if=/dev/zero of=filler bs=4k; touch more && echo wrote || echo full', { cwd: full });
    assert.match(said, /No space left/);
    assert.match(await pool.says('one', 'hello', { cwd: full }), /hello/);
    assert.match(await pool.says('two', 'hello'), /hello/);
  } finally {
    execFileSync('umount', ['--lazy', full]);
  }
});
