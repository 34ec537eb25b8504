import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { isGone, says, startBridge, test, waitFor } from './bridge.mjs';

// "pid 7 turn 2 of session abc; heard 2"
function heardBy({ content }) {
  const [, pid, turn, session, heard] = content.match(/^pid (\d+) turn (\d+) of session (\S*); heard (\d+)/) ?? assert.fail(content);
  return { pid: Number(pid), turn: Number(turn), session, heard: Number(heard) };
}

test('a session goes on in the process that began it', async t => {
  const bridge = await startBridge(t);

  await t.test('the second turn is answered by the same process', async () => {
    const first = await bridge.answers('echo/pid', 'one', { session_id: 'a' });
    const second = await bridge.answers('echo/pid', 'two', { session_id: 'a' });
    assert.equal(first.headers['x-bridge-session'], 'new');
    assert.equal(second.headers['x-bridge-session'], 'resumed');
    assert.equal(second.headers['x-session-id'], 'a');
    assert.equal(heardBy(second).pid, heardBy(first).pid);
    assert.deepEqual([heardBy(first).turn, heardBy(second).turn], [1, 2]);
    assert.equal(heardBy(second).heard, 2);
  });

  await t.test('a history that the session has is not told again', async () => {
    const first = await bridge.answers('echo/pid', 'one', { session_id: 'b' });
    const second = await bridge.answers('echo/pid', says('one', first.content, 'two'), { session_id: 'b' });
    assert.equal(heardBy(second).heard, 2);
    const third = await bridge.answers('echo/pid', says('one', first.content, 'two', second.content, 'three'), { session_id: 'b' });
    assert.equal(heardBy(third).heard, 3);
  });

  await t.test("answers of another's begin it anew, with all that is said, and it still has one process", async () => {
    const first = await bridge.answers('echo/pid', 'one', { session_id: 'mixed' });
    const mixed = [...says('one', first.content, 'two'), { role: 'assistant', content: "another's" }, { role: 'user', content: 'three' }];
    const anew = await bridge.answers('echo/pid', mixed, { session_id: 'mixed' });
    assert.equal(anew.headers['x-bridge-session'], 'replayed');
    assert.equal(heardBy(anew).heard, 3);
    for (const heard of [4, 5, 6]) {
      const next = heardBy(await bridge.answers('echo/pid', 'more', { session_id: 'mixed' }));
      assert.deepEqual([next.pid, next.heard], [heardBy(anew).pid, heard]);
    }
    await bridge.request('DELETE', '/v1/sessions/mixed');
  });

  await t.test('a turn without a session stands alone and leaves nothing behind', async () => {
    const answer = await bridge.answers('echo/pid', says('one', 'x', 'two'));
    assert.equal(answer.headers['x-bridge-session'], undefined);
    assert.equal(heardBy(answer).heard, 2);
    const { json } = await bridge.get('/v1/sessions');
    assert.deepEqual(json.data.map(row => row.id).sort(), ['a', 'b']);
  });

  await t.test('every name that a session id has is understood', async () => {
    await bridge.answers('echo/pid', 'one', { session_id: 'c' });
    const by = async (fields, headers) => heardBy(await bridge.answers('echo/pid', 'more', fields, headers)).turn;
    assert.equal(await by({ resume_id: 'c' }), 2);
    assert.equal(await by({}, { 'x-session-id': 'c' }), 3);
    assert.equal(await by({}, { 'x-resume': 'c' }), 4);
    assert.equal(await by({}, { 'x-conversation-id': 'c' }), 5);
    assert.equal(await by({ session_id: 'c' }, { 'x-session-id': 'c' }), 6);
  });

  await t.test('session ids that contradict each other or are none are refused', async () => {
    await bridge.refuses(400, 'invalid_value', 'echo', 'x', { session_id: 'c' }, { 'x-session-id': 'd' });
    await bridge.refuses(400, 'invalid_value', 'echo', 'x', { session_id: 7 });
    await bridge.refuses(400, 'invalid_value', 'echo', 'x', { session_id: 'a\nb' });
    await bridge.refuses(400, 'invalid_value', 'echo', 'x', { session_id: 'x'.repeat(257) });
  });

  await t.test('an empty session id is none', async () => {
    for (const [fields, headers] of [[{ session_id: '' }, {}], [{}, { 'x-session-id': '' }], [{ session_id: '', resume_id: '' }, { 'x-resume': '' }]])
      assert.equal((await bridge.answers('echo', 'x', fields, headers)).json.bridge.session, null);
  });

  await t.test('two turns of one session run one after the other, in order', async () => {
    const first = bridge.streams('echo/chunks:10,delay:30', 'abcdefghij', { session_id: 'd' });
    await first.hears(/a/);
    const second = bridge.streams('echo', 'second', { session_id: 'd' });
    const third = bridge.streams('echo', 'third', { session_id: 'd' });
    await Promise.all([first, second, third].map(client => client.finishes()));
    assert.ok(second.at[1] >= first.at.at(-1));
    assert.ok(third.at[1] >= second.at[1]);
  });

  await t.test('an aborted turn does not end its session', async () => {
    const before = heardBy(await bridge.answers('echo/pid', 'one', { session_id: 'e' }));
    const client = await bridge.streams('echo/silent', 'two', { session_id: 'e' }).isConnected();
    client.leaves();
    await bridge.isIdle();
    const after = heardBy(await bridge.answers('echo/pid', 'three', { session_id: 'e' }));
    assert.ok(after.turn > before.turn || after.heard > before.heard);
  });

  await t.test('sessions are listed, the latest first, and forgotten when asked', async () => {
    const { json } = await bridge.get('/v1/sessions?limit=2');
    assert.equal(json.object, 'list');
    assert.equal(json.data.length, 2);
    assert.equal(json.data[0].id, 'e');
    assert.equal(typeof json.data[0].turns, 'number');
    assert.deepEqual((await bridge.request('DELETE', '/v1/sessions/e')).json, { deleted: 1 });
    assert.deepEqual((await bridge.request('DELETE', '/v1/sessions/a?backend=echo')).json, { deleted: 1 });
    const anew = await bridge.answers('echo/pid', 'one', { session_id: 'e' });
    assert.equal(anew.headers['x-bridge-session'], 'new');
    assert.deepEqual((await bridge.request('DELETE', '/v1/sessions/nothing')).json, { deleted: 0 });
  });

  await t.test('a working directory must exist', async () => {
    const answer = await bridge.refuses(400, 'invalid_cwd', 'echo', 'x', { cwd: '/no/such/place' });
    assert.match(answer.json.error.message, /\/no\/such\/place/);
    await bridge.refuses(400, 'invalid_cwd', 'echo', 'x', { cwd: 'relative' });
    await bridge.answers('echo', 'x', { cwd: '/usr' });
  });
});

for (const victim of ['CLI', 'echo', 'gateway', 'supervisor'])
  test(`a session is resumed after kill -9 of the ${victim === 'echo' ? 'worker' : victim}`, async t => {
    const bridge = await startBridge(t);
    const first = heardBy(await bridge.answers('echo/pid', 'one', { session_id: 's' }));

    if (victim === 'CLI') {
      process.kill(first.pid, 'SIGKILL');
      await isGone(() => bridge.processes().filter(({ pid }) => pid === first.pid), { within: 5000 });
    } else {
      const old = await bridge.kill(victim);
      if (victim === 'supervisor') {
        await waitFor('it is dead', () => bridge.exit);
        await isGone(() => bridge.processes(), { within: 5000 });
        await bridge.starts();
        await bridge.isReady();
      } else {
        await bridge.isReplaced(victim, old);
      }
    }

    const second = await bridge.answers('echo/pid', says('one', 'anything', 'two'), { session_id: 's' });
    assert.equal(second.headers['x-bridge-session'], 'resumed');
    assert.equal(heardBy(second).session, first.session);
    assert.equal(heardBy(second).heard, 2);
  });

test('warm processes are bounded, and an evicted session goes on', async t => {
  const bridge = await startBridge(t, { env: { ECHO_MAX_IDLE: '2' } });
  const first = heardBy(await bridge.answers('echo/pid', 'one', { session_id: 's0' }));
  for (const n of [1, 2, 3])
    await bridge.answers('echo/pid', 'one', { session_id: `s${n}` });
  await waitFor('only two are left', () => bridge.clisOf('echo').length <= 2);
  const again = await bridge.answers('echo/pid', 'two', { session_id: 's0' });
  assert.equal(again.headers['x-bridge-session'], 'resumed');
  assert.notEqual(heardBy(again).pid, first.pid);
  assert.equal(heardBy(again).heard, 2);
});

// A database of sessions whose pages are noise.
async function damage(path) {
  const { DatabaseSync } = await import('node:sqlite');
  const db = new DatabaseSync(path);
  db.exec('PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(8 * 4096, 'noise '), 0, 8 * 4096, 4096);
  closeSync(file);
}

test('a damaged database costs sessions that nobody uses, and no turn', async t => {
  const bridge = await startBridge(t);
  const directory = join(bridge.dataDirectory, 'sessions');
  const path = join(directory, 'echo.sqlite');
  const damaged = () => readdirSync(directory).filter(name => /^echo\.sqlite\.damaged-[0-9T.]+Z$/.test(name)).length;
  const turn = async () => (await bridge.answers('echo', 'hi', { session_id: 's' })).headers['x-bridge-session'];

  assert.equal(await turn(), 'new');
  await t.test('while the worker uses it', async () => {
    await damage(path);
    assert.equal(await turn(), 'resumed', 'the worker has not forgotten what it has just used');
    assert.equal(damaged(), 1);
  });

  await t.test('when the worker starts', async () => {
    assert.equal((await bridge.run('stop', 'echo')).code, 0);
    await damage(path);
    assert.equal((await bridge.run('start', 'echo')).code, 0);
    await bridge.isReady('echo');
    assert.equal(await turn(), 'new');
    assert.equal(await turn(), 'resumed');
    assert.equal(damaged(), 2);
  });

  await bridge.logs(/(cannot be used any more .* moved to [^]*){2}/);
  assert.doesNotMatch(bridge.log, /FATAL/);
});
