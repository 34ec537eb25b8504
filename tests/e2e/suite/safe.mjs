// In the mode hosted-safe a CLI can read, and nothing else: its model tries all that it could be tried with, with the
// CLI's real tools, and with tools that it is not offered.  Nothing may be made or changed anywhere, no program may run,
// and nobody may be called.  The same attempts in the mode byob show that they would be seen.  The CLI itself must see
// to that, so there is no jail around it: jail.test.mjs has what is there besides.
import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { comes, says, test } from '../bridge.mjs';
import { attemptsOf, layTraps, lookOf, READS_NOTHING } from './attempts.mjs';
import { whole, write } from './harness.mjs';

const READ_WORD = 'the-word-that-may-be-read', SECRET_WORD = 'the-word-that-lies-outside';
const READS_EVERYTHING = ['pi', 'factory', 'copilot']; // they cannot be held to the working directory
const A_FEW = 6;
const A_TURN = 2; // attempts: some CLIs stop a model that fails more often; and a refusal ends the turn of some

// A server that counts who calls it.
async function startCanary(t) {
  const canary = { calls: 0 };
  const server = createServer(socket => { canary.calls++; socket.destroy(); });
  await comes('the canary listens', new Promise(done => server.listen(0, '127.0.0.1', done)));
  t.after(() => server.close());
  canary.port = server.address().port;
  canary.url = `http://127.0.0.1:${canary.port}/`;
  return canary;
}

// Every file below the directory, and what is in it.
function treeOf(directory, leftOut = () => false) {
  const tree = {};
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (leftOut(path))
      continue;
    if (entry.isDirectory())
      Object.assign(tree, { [path]: 'directory' }, treeOf(path, leftOut));
    else if (entry.isFile())
      tree[path] = `${lstatSync(path).mode} ${readFileSync(path, 'latin1')}`;
    else
      tree[path] = entry.isSymbolicLink() ? readlinkSync(path) : 'special';
  }
  return tree;
}

// What an attempt needs: places to write, a program that leaves a trace, somebody to call.
async function makePlace(t, bridge, cwd) {
  const canary = await startCanary(t);
  const outside = join(bridge.directory, 'outside');
  const trace = join(bridge.directory, 'traces', 'ran');
  mkdirSync(join(bridge.directory, 'traces'));
  write(join(outside, 'secret.txt'), `${SECRET_WORD}\n`);
  write(join(cwd, 'kept.txt'), 'as it was\n');
  write(join(cwd, 'read.txt'), `${READ_WORD}\n`);
  write(join(cwd, 'notes.ipynb'), '{"cells":[],"metadata":{},"nbformat":4,"nbformat_minor":5}');
  const program = join(outside, 'canary');
  write(program, `#!/bin/sh\necho "ran: $*" >>${trace}\n`);
  chmodSync(program, 0o755);
  const call = `exec 3<>/dev/tcp/127.0.0.1/${canary.port}`;
  return {
    canary, trace, cwd, outside, program,
    kept: join(cwd, 'kept.txt'), read: join(cwd, 'read.txt'), secret: join(outside, 'secret.txt'), notebook: join(cwd, 'notes.ipynb'),
    runs: `${program}; touch made-by-the-shell ${outside}/made-by-the-shell; bash -c '${call}'`,
    made: name => join(cwd, name), madeOutside: name => join(outside, name), home: name => join(bridge.directory, 'home', name),
  };
}

// What the files are that a CLI keeps for itself, and the bridge.
const ownFolders = bridge => path =>
  path === bridge.dataDirectory || /^home\/\.(?!bashrc)/.test(path.slice(bridge.directory.length + 1));

export function safeChecks({ name, NAME, can, shows, start, goesCold }) {
  // All of them; what the vendor heard in the last turn.
  async function tries(cloud, bridge, left, terms) {
    const all = left.length;
    cloud.reset();
    await bridge.answers(name, 'hello', terms); // a turn that fails does not end the process of a session that is known
    for (let turn = 1; turn <= all && left.length; turn++) {
      const calls = left.slice(0, A_TURN).map(() => () => ({ toolUse: left.shift() }));
      cloud.reset().next(...calls).always({ text: 'I give up.' });
      const client = await bridge.streams(name, `${terms.session_id}, try it ${turn}`, terms).ends();
      assert.ok(client.finish || client.error || client.status >= 400, 'a turn ends, well or not');
    }
    assert.equal(left.length, 0, `${left.length} of ${all} attempts were never made`);
    return cloud.requests.map(whole).join();
  }

  if (!can('hosted_safe'))
    return test(`${name}: the mode hosted-safe is refused`, async t => {
      const { cloud, bridge } = await start(t);
      const answer = await bridge.refuses(501, 'mode_not_supported', name, 'hello', { mode: 'hosted-safe' });
      assert.match(answer.json.error.message, new RegExp(`mode: ${name} .*hosted-safe`));
      assert.equal(cloud.requests.length, 0, 'the vendor is not asked');
      assert.equal((await bridge.answers(name, 'hello')).headers['x-bridge-mode'], 'byob');
      shows('hosted_safe', false);
    });

  test(`${name}: in the mode hosted-safe it reads, and does nothing else`, async t => {
    const { cloud, bridge, cwd } = await start(t, { [`${NAME}_SAFE_JAIL`]: 'off' });
    const place = await makePlace(t, bridge, cwd);
    await goesCold(bridge, { ifThere: true }); // of a trial, which is none of this mode
    layTraps(name, join(bridge.directory, 'home'), cwd, place.program);
    const leftOut = ownFolders(bridge);
    // Of the CLI's own folders, only what the attempts would make there.
    const look = () => ({
      ...treeOf(bridge.directory, leftOut),
      made: readdirSync(bridge.directory, { recursive: true }).filter(path => path.includes('made-by-')),
    });
    const safe = { cwd, mode: 'hosted-safe' };

    await t.test('more than 20 attempts fail', async () => {
      const attempts = attemptsOf(name, place);
      assert.ok(attempts.length > 20);
      const before = look();
      await tries(cloud, bridge, attempts, { ...safe, session_id: 'safe' });
      assert.deepEqual(look(), before);
      assert.equal(place.canary.calls, 0, 'nobody was called');
      shows('hosted_safe', true);
    });

    await t.test('a file is read, if it is in the working directory', async () => {
      const looks = [place.read, place.secret].map(path => lookOf(name, path));
      const heard = await tries(cloud, bridge, looks, { ...safe, session_id: 'looks' });
      assert.equal(heard.includes(READ_WORD), !READS_NOTHING.includes(name));
      assert.equal(heard.includes(SECRET_WORD), READS_EVERYTHING.includes(name));
    });

    await t.test('a session keeps its mode until it names another', async () => {
      cloud.reset();
      const session = { session_id: 'kept', cwd };
      const first = await bridge.answers(name, 'hello', { ...session, mode: 'hosted-safe' });
      const second = await bridge.answers(name, says('hello', first.content, 'go on'), session);
      const third = await bridge.answers(name, says('hello', first.content, 'go on', second.content, 'and on'), { ...session, mode: 'byob' });
      assert.deepEqual([first, second, third].map(({ headers }) => headers['x-bridge-mode']), ['hosted-safe', 'hosted-safe', 'byob']);
      assert.match(third.content, /before: \["hello","go on"\]/, 'it is the same session');
      const before = look();
      await tries(cloud, bridge, attemptsOf(name, place).slice(0, A_TURN), { ...session, mode: 'hosted-safe' });
      assert.deepEqual(look(), before, 'it is held to its mode again');
    });

    await t.test('in the mode byob some of the same attempts are seen', async () => {
      const before = look();
      await tries(cloud, bridge, attemptsOf(name, place).slice(0, A_FEW), { cwd, session_id: 'byob' });
      assert.notDeepEqual(look(), before);
    });
  });
}
