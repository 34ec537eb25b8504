// 200 sessions, interleaved over four real CLIs, each with a profile of its own: no word of one is anywhere in another.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { numbers, startBridge, stopwatch, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { whole } from './suite/harness.mjs';

const NAMES = ['claude', 'codex', 'opencode', 'pi'];
const EACH = 50, AT_ONCE = 8, OPEN = 24; // sessions of a harness; turns, and sessions, that are under way

const canaryOf = (name, n) => `canary-${name}-${String(n).padStart(3, '0')}-end`;
const canariesIn = text => new Set(text.match(/canary-[a-z]+-\d{3}-end/g) ?? []);

// A word in all that a profile has, and one in what the user says.
const profileOf = id => ({
  name: `name-${id}`,
  prompt: { systemPrompt: `system-${id}`, appendSystemPrompt: `append-${id}` },
  skills: [`named-${id}`, { name: `skill-${id}`, description: `about-${id}`, content: `body-${id}` }],
  mcpServers: [{ name: `server-${id}` }],
  permissions: { [`tool-${id}`]: 'allow' },
  resources: { files: [{ path: `file-${id}.md`, content: `body-${id}` }] },
});

// What the model must have been told of it; what a rule allows is told where the CLI has no such rules.
const told = id => ['system', 'append', 'named', 'skill', 'about', 'server', 'file'].map(what => `${what}-${id}`);

// A conversation's directory may vanish while it is read.
function unlessGone(read, none) {
  try {
    return read();
  } catch (problem) {
    assert.equal(problem.code, 'ENOENT');
    return none;
  }
}

const files = directory => unlessGone(() => readdirSync(directory, { withFileTypes: true }), []).flatMap(entry =>
  entry.isDirectory() ? files(join(directory, entry.name)) : entry.isFile() ? [join(directory, entry.name)] : []);
const textOf = path => unlessGone(() => readFileSync(path, 'latin1'), '');

// CLIs, and the bridge, keep all sessions together in databases.
const isDatabase = path => /\.(db|sqlite|sqlite3)(-wal|-shm|-journal)?$/.test(path) || /state_\d+|logs_\d+/.test(path);

test('200 sessions over 4 CLIs, each with its profile, see nothing of each other', async t => {
  const clouds = {};
  for (const name of NAMES) {
    clouds[name] = await clis[name].start();
    clouds[name].always({ text: 'So be it.' });
    t.after(() => clouds[name].close());
  }
  const bridge = await startBridge(t, {
    backends: NAMES,
    env: home => Object.assign({}, ...NAMES.map(name => clis[name].setUp(home, clouds[name], name))),
  });
  await bridge.isReady();

  const random = numbers(1), pick = n => Math.floor(random.next().value * n);
  const waiting = Array.from({ length: EACH }, (_, n) => NAMES.map(name => ({ name, id: canaryOf(name, n), turns: 0 }))).flat();
  const open = waiting.splice(0, OPEN), cwds = Object.fromEntries(NAMES.map(name => [name, join(bridge.directory, `project-${name}`)]));
  Object.values(cwds).forEach(cwd => mkdirSync(cwd));
  const scratch = join(bridge.dataDirectory, 'scratch');
  const leftovers = () => readdirSync(scratch, { recursive: true }).filter(path => path.includes('.profile'));
  const startedAt = performance.now(), watch = stopwatch();

  async function takeTurn(session) {
    const { name, id, turns } = session;
    const answer = await bridge.answers(name, `question-${turns}-${id}`, {
      session_id: id, cwd: cwds[name], ...(turns === 0 && { agent_profile: profileOf(id) }),
    });
    assert.ok(answer.json.bridge.profile, 'it is in force');
    session.turns++;
  }

  async function goOn() {
    while (open.length) {
      const [session] = open.splice(pick(open.length), 1);
      await takeTurn(session);
      const next = session.turns < 2 ? session : waiting.shift();
      if (next)
        open.push(next);
    }
  }

  await Promise.all(Array.from({ length: AT_ONCE }, goOn));
  const seconds = ms => Math.round(ms / 1000);
  t.diagnostic(`${NAMES.length * EACH} sessions, two turns each: ${seconds(performance.now() - startedAt)} s, ` +
    `of a machine of its own ${seconds(watch.ms())} s`);

  for (const name of NAMES) {
    const seen = new Map();
    for (const request of clouds[name].requests) {
      const text = whole(request) ?? '', ids = [...canariesIn(text)];
      assert.ok(ids.length <= 1, `${name}: one request has words of ${ids}`);
      for (const id of ids) {
        assert.ok(id.startsWith(`canary-${name}-`), `${name} was told of ${id}`);
        seen.set(id, (seen.get(id) ?? '') + (text.includes(`question-1-${id}`) ? text : ''));
      }
    }
    assert.equal(seen.size, EACH);
    for (const [id, second] of seen)
      for (const word of told(id))
        assert.ok(second.includes(word), `${name}: the second turn of ${id} has ${word}`);
  }

  for (const path of files(bridge.directory)) {
    const ids = isDatabase(path) ? new Set() : canariesIn(path + textOf(path));
    assert.ok(ids.size <= 1, `${path} has words of ${[...ids]}`);
  }

  for (const name of NAMES)
    for (let n = 0; n < EACH; n++)
      assert.equal((await bridge.request('DELETE', `/v1/sessions/${canaryOf(name, n)}`)).status, 200);
  await waitFor('the files of all profiles are gone', () => leftovers().length === 0);
  for (const path of files(bridge.directory))
    if (!isDatabase(path))
      assert.doesNotMatch(textOf(path), /body-canary/, `${path} has a body`);
  for (const cwd of Object.values(cwds))
    assert.deepEqual(readdirSync(cwd), [], 'nothing is in a working directory');
});
