// What real Claude Code does by itself, and what becomes of its records: whatever it says belongs to its own turn, and
// whatever it cannot find any more is no end of a session.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startAnthropic } from '../fakes/vendors.mjs';
import { claudeEnv, isGone, isThere, says, startBridge, test, waitFor } from './bridge.mjs';

const QUESTION = 'the question';

async function start(t, env = {}) {
  const cloud = await startAnthropic();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['claude'], env: { ...claudeEnv(cloud), ...env } });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd);
  return { cloud, bridge, cwd, happens: name => writeFileSync(join(cwd, name), '') };
}

// A command that ends when something happens.
const waitsFor = (name, more) => ({
  toolUse: { name: 'Bash', input: { command: `until [ -e ${name} ]; do sleep 0.05; done; echo ${name}`, description: 'wait', ...more } },
});
const last = asked => JSON.stringify(asked.body.messages.at(-1));
const clis = bridge => bridge.clisOf('claude').filter(({ command }) => command.includes('stream-json')).map(({ pid }) => pid);

// The first turn leaves a command in the background.  When that ends, Claude Code has a turn of its own, which uses a
// tool and then says something.
async function leavesACommand({ cloud, bridge, cwd }) {
  const session = { session_id: 'alone', cwd };
  cloud.next(waitsFor('end', { run_in_background: true }), { text: 'begun' });
  assert.equal((await bridge.answers('claude', 'begin', session)).content, 'begun');
  await waitFor('it is counted', async () => (await bridge.get('/health')).json.backends[0].background === 1);
  cloud.next(waitsFor('go'));
  cloud.always(asked => last(asked).includes(QUESTION) ? { text: 'the answer' } : { text: 'by itself' });
  return session;
}

const beginsAlone = (cloud, n) => waitFor('its own turn has begun', () => cloud.requests.length > n);

async function killIts(bridge) {
  const pids = clis(bridge);
  pids.forEach(pid => process.kill(pid, 'SIGKILL'));
  await isGone(() => pids.filter(isThere), { within: 5000 });
}

test('what it says between turns is nobody\'s answer', async t => {
  const its = await start(t);
  const { cloud, bridge, happens } = its;
  const session = await leavesACommand(its), pids = clis(bridge);
  const n = cloud.requests.length;

  happens('end');
  await beginsAlone(cloud, n);
  const client = await bridge.streams('claude', QUESTION, session).isConnected();
  happens('go');
  await client.finishes();
  assert.equal(client.text, 'the answer');
  assert.equal((await bridge.answers('claude', `${QUESTION} again`, session)).content, 'the answer');
  assert.deepEqual(clis(bridge), pids);
  assert.match(JSON.stringify(cloud.requests.at(-1).body.messages), /by itself/);
});

// Its own turn waits for something that never happens.
test('a request interrupts what it does by itself, if that is set, and nothing else', async t => {
  const its = await start(t, { CLAUDE_INTERRUPT_OWN_TURNS: 'true' });
  const { cloud, bridge, happens } = its;
  const session = await leavesACommand(its), pids = clis(bridge);
  const n = cloud.requests.length;

  happens('end');
  await beginsAlone(cloud, n);
  const { content } = await bridge.answers('claude', QUESTION, session);
  assert.equal(content, 'the answer');
  assert.equal((await bridge.answers('claude', `${QUESTION} again`, session)).content, 'the answer');
  assert.deepEqual(clis(bridge), pids, 'the process lives on');
  assert.equal(cloud.requests.filter(asked => last(asked).includes(QUESTION)).length, 2, 'each was asked once');
});

test('a client that leaves does not stop what it does by itself', async t => {
  const its = await start(t);
  const { cloud, bridge, happens } = its;
  const session = await leavesACommand(its), pids = clis(bridge);
  const n = cloud.requests.length;

  happens('end');
  await beginsAlone(cloud, n);
  const client = await bridge.streams('claude', 'never said', session).isConnected();
  client.leaves();
  await bridge.isIdle();
  happens('go');
  await beginsAlone(cloud, n + 1);
  assert.match(last(cloud.requests.at(-1)), /go/);
  assert.equal((await bridge.answers('claude', QUESTION, session)).content, 'the answer');
  assert.deepEqual(clis(bridge), pids);
  assert.ok(cloud.requests.every(asked => !JSON.stringify(asked.body).includes('never said')));
});

test('of the processes that work by themselves the one whose last turn ended first is ended when there are too many', async t => {
  const its = await start(t, { BRIDGE_MAX_IDLE: '1' });
  const { bridge } = its;

  await leavesACommand(its);
  const [first] = clis(bridge);
  its.cloud.reset().next(waitsFor('end', { run_in_background: true }), { text: 'begun' });
  await bridge.answers('claude', 'begin', { session_id: 'second', cwd: its.cwd });
  await isGone(() => [first].filter(isThere), { within: 10_000 });
  await waitFor('the other one works on', async () => (await bridge.get('/health')).json.backends[0].background === 1);
});

test('a request that waits for what does not end goes on in a new process, also without a limit of silence', async t => {
  const its = await start(t, { CLI_TIMEOUT_MS: '0', BRIDGE_IDLE_MS: '1000', BRIDGE_BACKGROUND_MS: '8000' });
  const { cloud, bridge, happens } = its;
  const session = await leavesACommand(its), pids = clis(bridge);
  const n = cloud.requests.length;

  happens('end');
  await beginsAlone(cloud, n);
  assert.equal((await bridge.answers('claude', QUESTION, session)).content, 'the answer');
  assert.deepEqual(clis(bridge).filter(pid => pids.includes(pid)), []);
  assert.match(JSON.stringify(cloud.requests.at(-1).body.messages), /begin/);
});

// Claude Code then begins with a result that belongs to no turn.
test('a session whose process was killed while a command ran in the background goes on', async t => {
  const its = await start(t);
  const { cloud, bridge } = its;
  const session = await leavesACommand(its);

  await killIts(bridge);
  cloud.reset().always({ text: 'the answer' });
  assert.equal((await bridge.answers('claude', QUESTION, session)).content, 'the answer');
  assert.match(JSON.stringify(cloud.requests.at(-1).body.messages), /begin/);
});

// The records of a session, which a kill may have cut.
function recordsOf(bridge) {
  const projects = join(bridge.env.HOME, '.claude/projects');
  const [project] = readdirSync(projects);
  const [file] = readdirSync(join(projects, project)).filter(name => name.endsWith('.jsonl'));
  return join(projects, project, file);
}

for (const [what, cut] of [
  ['the end of its records', text => text.slice(0, text.indexOf('two'))],
  ['all its records', () => ''],
])
  test(`a session that has lost ${what} answers`, async t => {
    const { bridge, cwd } = await start(t);
    const session = { session_id: 'lost', cwd };
    const one = (await bridge.answers('claude', 'one', session)).content;
    const two = (await bridge.answers('claude', says('one', one, 'two'), session)).content;

    await killIts(bridge);
    writeFileSync(recordsOf(bridge), cut(readFileSync(recordsOf(bridge), 'utf8')));
    const answer = await bridge.answers('claude', says('one', one, 'two', two, 'three'), session);
    assert.match(answer.content, /you said "three"; before: \["one","two"\]/);
    await bridge.answers('claude', 'four', session);
    await killIts(bridge);
    assert.match((await bridge.answers('claude', 'five', session)).content, /"three","four"\]/);
  });

// What the vendor was told, without what Claude Code puts in between.
const told = ({ body }) => body.messages.filter(({ role }) => role !== 'system').flatMap(({ content }) => [content].flat())
  .flatMap(part => part.text && !part.text.startsWith('<system-reminder>') ? [part.text] : []);

test('what a client has taken back is not heard again, warm, cold, and behind tools and thoughts', async t => {
  const { cloud, bridge, cwd } = await start(t);
  const session = { session_id: 'back', cwd };
  const ask = async (...texts) => {
    const { content } = await bridge.answers('claude', says(...texts), session);
    return { content, heard: told(cloud.requests.at(-1)) };
  };
  cloud.next({ toolUse: { name: 'Bash', input: { command: 'echo used', description: 'use it' } } }, { thinking: 'hm', text: 'first' }, { thinking: 'hm', text: 'second' }, { text: 'third' });
  assert.equal((await ask('one')).content, 'first');
  assert.equal((await ask('one', 'first', 'two')).content, 'second');
  assert.equal((await ask('one', 'first', 'two', 'second', 'three')).content, 'third');

  cloud.always({ text: 'other' });
  const warm = ['one', 'first', 'two', 'second', 'three again'];
  assert.deepEqual((await ask(...warm)).heard, warm);
  assert.deepEqual((await ask(...warm, 'other', 'four')).heard, [...warm, 'other', 'four']);
  await killIts(bridge);
  assert.deepEqual((await ask(...warm, 'other', 'four', 'other', 'five')).heard, [...warm, 'other', 'four', 'other', 'five']);
  assert.deepEqual((await ask('one', 'first', 'two again')).heard, ['one', 'first', 'two again']);
  await killIts(bridge);
  assert.deepEqual((await ask('one', 'first', 'two again', 'other', 'three')).heard, ['one', 'first', 'two again', 'other', 'three']);

  // An answer that was taken back is wanted after all.
  assert.deepEqual((await ask('one', 'first', 'two', 'second', 'after all')).heard, ['one', 'first', 'two', 'second', 'after all']);
});
