// The coding agent pi, in its rpc mode: see suite.mjs for what every harness must do.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { isGone, isThere, says, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

suite({
  name: 'pi',
  cli: clis.pi,
  logIn: /\/login/,
  install: /npm install -g @earendil-works\/pi-coding-agent/,
  model: { id: 'fake/fake-small', upstream: 'fake-small' },
  loads: ['nothing'],
});

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

// All that a user of pi can have written for it, each with a word of its own.
function furnish(home) {
  const at = name => join(home, '.pi/agent', name);
  write(at('AGENTS.md'), 'word-of-agents');
  write(at('APPEND_SYSTEM.md'), 'word-of-append-system');
  write(at('skills/dance/SKILL.md'), '---\nname: dance\ndescription: word-of-skill\n---\nbody-of-skill\n');
  write(at('prompts/sing.md'), 'word-of-template');
  write(at('extensions/shout.ts'), `export default pi => {
    pi.registerCommand('shout', { description: 'x', handler: async () => {} });
    pi.registerTool({ name: 'word_of_extension', label: 'x', description: 'x', parameters: { type: 'object', properties: {} },
      async execute() { return { content: [{ type: 'text', text: 'x' }], details: {} }; } });
  };`);
}

async function start(t, env = {}, configure = furnish) {
  const cloud = await clis.pi.start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['pi'],
    env(home) {
      configure(home);
      return { ...clis.pi.setUp(home, cloud, 'pi'), ...env };
    },
  });
  return { cloud, bridge, whole: () => JSON.stringify(cloud.requests.at(-1).body) };
}

const withRule = (rule, ...texts) => [{ role: 'system', content: rule }, ...says(...texts)];

const OWN_WORDS = /word-of-agents|word-of-append-system|word-of-skill|word_of_extension|body-of-skill|word-of-template/;

test('pi: what is peculiar to pi', async t => {
  const { cloud, bridge, whole } = await start(t);

  for (const text of ['/skill:dance', '/sing', '/shout', '/model'])
    await t.test(`${text} is text`, async () => {
      const before = cloud.requests.length;
      await bridge.answers('pi', text);
      assert.equal(cloud.requests.length, before + 1);
      assert.equal(cloud.requests.at(-1).said.at(-1).trim(), text);
      assert.doesNotMatch(whole(), /body-of-skill|word-of-template/);
    });

  await t.test('what the user has written for it is loaded, and a system prompt beside it', async () => {
    await bridge.answers('pi', withRule('word-of-the-caller', 'hi'));
    for (const word of ['word-of-agents', 'word-of-append-system', 'word-of-skill', 'word_of_extension', 'word-of-the-caller'])
      assert.ok(whole().includes(word), word);
  });

  await t.test('U+2028 ends no line', async () => {
    cloud.next({ chunks: ['one\u2028two', '\u2029three'] });
    assert.equal((await bridge.answers('pi', 'a\u2028b')).content, 'one\u2028two\u2029three');
    assert.equal(cloud.requests.at(-1).said.at(-1), 'a\u2028b');
  });

  await t.test('a history keeps its tools', async () => {
    const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } };
    await bridge.answers('pi', [
      { role: 'user', content: 'the weather?' }, { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'sunny' }, { role: 'assistant', content: 'It is sunny.' },
      { role: 'user', content: 'are you sure?' },
    ], { session_id: 'weather' });
    const { messages } = cloud.requests.at(-1).body;
    assert.deepEqual(messages.map(message => message.role), ['developer', 'user', 'assistant', 'tool', 'assistant', 'user']);
    assert.deepEqual(messages[2].tool_calls[0].function, call.function);
  });

  await t.test('an answer that the vendor has cut short says so', async () => {
    cloud.next({ text: 'half', stopReason: 'length' });
    assert.equal((await bridge.chat('pi', 'hi')).json.choices[0].finish_reason, 'length');
  });

  await t.test('its files of ours are gone', () =>
    isGone(() => readdirSync(join(bridge.directory, 'data/scratch/pi')), { within: 3000 }));
});

test('pi: nothing of the user\'s is loaded if that is what is wanted', async t => {
  const { bridge, whole } = await start(t, { PI_LOADS: 'nothing' }, home => {
    furnish(home);
    write(join(home, '.pi/agent/SYSTEM.md'), 'word-of-agents');
  });
  await bridge.answers('pi', withRule('word-of-the-caller', 'hi'));
  assert.doesNotMatch(whole(), OWN_WORDS);
  assert.match(whole(), /word-of-the-caller/);
});

test('pi: one that was started ahead is told the system prompt all the same', async t => {
  const { cloud, bridge, whole } = await start(t, { PI_SPARES: '1' });
  const cwd = mkdtempSync('/tmp/project-'); // a spare waits where the last session has begun
  t.after(() => rmSync(cwd, { recursive: true }));
  const session = { session_id: 'ahead', cwd };
  await bridge.answers('pi', 'hi', { session_id: 'first', cwd });
  const pids = () => bridge.clisOf('pi').map(({ pid }) => pid);
  await waitFor('there is a spare', () => pids().length === 2);
  const ahead = pids();
  assert.ok(ahead.every(pid => readlinkSync(`/proc/${pid}/cwd`) === cwd));
  const first = await bridge.answers('pi', withRule('word-of-the-caller', 'one'), session);
  assert.equal(cloud.requests.at(-1).body.messages[0].content.match(/word-of-the-caller/g).length, 1);
  assert.ok(ahead.every(isThere), 'no other process was started for it');
  for (const pid of ahead)
    process.kill(pid, 'SIGKILL');
  await isGone(() => ahead.filter(isThere), { within: 5000 });
  const second = await bridge.answers('pi', withRule('word-of-the-caller', 'one', first.content, 'two'), session);
  assert.equal(second.content, 'turn 2: you said "two"; before: ["one"]');
  assert.equal(second.headers['x-bridge-session'], 'resumed');
  assert.match(whole(), /word-of-the-caller/);
});

test('pi: a session is not taken to another directory, where its records are not', async t => {
  const { bridge } = await start(t);
  const directories = [0, 1].map(() => mkdtempSync('/tmp/project-'));
  t.after(() => directories.forEach(cwd => rmSync(cwd, { recursive: true })));
  const session = { session_id: 'here', cwd: directories[0] };
  await bridge.answers('pi', 'one', session);
  const refused = await bridge.chat('pi', 'two', { ...session, cwd: directories[1] });
  assert.equal(refused.status, 409, refused.text);
  assert.equal(refused.json.error.param, 'cwd');
  const after = await bridge.answers('pi', 'three', session);
  assert.equal(after.headers['x-bridge-session'], 'resumed');
});

test('pi: what it may not do it has no tool for', async t => {
  const { cloud, bridge } = await start(t, { PI_PERMISSION_MODE: 'read-only' }, () => {});
  await bridge.answers('pi', 'hi');
  const tools = cloud.requests.at(-1).body.tools.map(tool => tool.function.name).sort();
  assert.deepEqual(tools, ['find', 'grep', 'ls', 'read']);
});

// ---- tools of the caller's ----

const toolOf = (name, parameters = { type: 'object', properties: { city: { type: 'string' } } }) =>
  ({ type: 'function', function: { name, description: `It is "${name}",\u2028of the caller's.`, parameters } });
const offeredIn = request => (request.body.tools ?? []).map(tool => tool.function.name).sort();
const messagesOf = (request, role) => request.body.messages.filter(message => message.role === role);

test('pi: the caller\'s tools', async t => {
  const { cloud, bridge } = await start(t, { PI_TOOL_WAIT_MS: '60000' });
  const send = (messages, fields, model = 'pi') => bridge.chat(model, messages, fields);

  // What the model calls, and how it goes on with the results that answer() makes of the calls.
  async function round(uses, answer, { tools, more = {}, then = {}, model } = {}) {
    cloud.reset().next({ toolUses: uses }, { text: 'As you see.' });
    const first = await send('go', { tools, ...more });
    assert.equal(first.status, 200, first.text);
    const { message, finish_reason } = first.json.choices[0];
    assert.equal(finish_reason, 'tool_calls', first.text);
    const results = message.tool_calls.map(call => ({ role: 'tool', tool_call_id: call.id, ...answer(call) }));
    const last = await send([{ role: 'user', content: 'go' }, message, ...results], { tools, ...more, ...then }, model);
    assert.equal(last.status, 200, last.text);
    assert.equal(last.headers['x-bridge-session'], 'continued', last.text);
    assert.equal(last.content, 'As you see.');
    return { message, last };
  }

  await t.test('reach the model as they are, also with the names of its own', async () => {
    const schema = {
      $defs: { point: { type: 'object', properties: { x: { type: 'number', minimum: 1 } } } },
      type: 'object', additionalProperties: false, required: ['at'], properties: { at: { $ref: '#/$defs/point' }, note: { type: ['string', 'null'] } },
    };
    const tools = [toolOf('bash', schema), toolOf('read'), toolOf('with.dot')];
    const { message } = await round([{ name: 'bash', input: { at: { x: 2 } } }, { name: 'read', input: { city: 'Rome' } }], () => ({ content: 'done' }), { tools });
    assert.deepEqual(message.tool_calls.map(call => call.function), [
      { name: 'bash', arguments: '{"at":{"x":2}}' }, { name: 'read', arguments: '{"city":"Rome"}' },
    ]);
    const [bash, read, dotted] = cloud.requests[0].body.tools.map(tool => tool.function);
    assert.deepEqual({ ...bash, strict: undefined }, { ...tools[0].function, strict: undefined });
    assert.deepEqual(read.parameters, tools[1].function.parameters);
    assert.match(dotted.name, /^with_dot_[0-9a-f]{8}$/);
    const { message: { tool_calls: [call] } } = await round([{ name: dotted.name, input: { city: 'Rome' } }], () => ({ content: 'done' }), { tools });
    assert.equal(call.function.name, 'with.dot');
  });

  await t.test('results may be nothing, an error, and have images', async () => {
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const contents = {
      Rome: '', Oslo: 'a "quoted"\u2028 text\nof lines',
      Bonn: [{ type: 'text', text: 'a picture' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } }],
    };
    await round(Object.keys(contents).map(city => ({ name: 'look', input: { city } })),
      call => ({ content: contents[JSON.parse(call.function.arguments).city] }), { tools: [toolOf('look')] });
    const results = messagesOf(cloud.requests.at(-1), 'tool').map(message => message.content);
    assert.equal(results.length, 3);
    assert.equal(results[1], contents.Oslo);
    assert.match(JSON.stringify(cloud.requests.at(-1).body), /data:image/);
  });

  await t.test('a call that is not as its schema has it is none of theirs', async () => {
    const tools = [toolOf('look', { type: 'object', properties: { at: { type: 'object' } }, required: ['at'] })];
    const { message } = await round([{ name: 'look', input: {} }, { name: 'look', input: { at: {} } }], () => ({ content: 'seen' }), { tools });
    assert.equal(message.tool_calls.length, 1);
    const results = messagesOf(cloud.requests.at(-1), 'tool').map(({ content }) => content);
    assert.match(results[0], /must have required propert/);
    assert.equal(results[1], 'seen');
  });

  await t.test('are the only ones, or are beside all others, or there are none', async () => {
    const tools = [toolOf('look')];
    for (const [fields, expected] of [
      [{}, ['look']],
      [{ bridge: { builtin_tools: true } }, ['bash', 'edit', 'look', 'read', 'word_of_extension', 'write']],
      [{ tool_choice: 'none' }, []],
    ]) {
      cloud.reset();
      assert.equal((await send('go', { tools, ...fields })).status, 200);
      assert.deepEqual(offeredIn(cloud.requests.at(-1)), expected);
    }
  });

  await t.test('the results may be for another model, and another effort', async () => {
    await round([{ name: 'look', input: { city: 'Rome' } }], () => ({ content: 'seen' }), { tools: [toolOf('look')], then: { reasoning_effort: 'high' } });
    assert.deepEqual(cloud.requests.map(({ body }) => body.reasoning_effort), [cloud.requests[0].body.reasoning_effort, 'high']);
    await round([{ name: 'look', input: { city: 'Rome' } }], () => ({ content: 'seen' }), { tools: [toolOf('look')], model: 'pi/fake/fake-small' });
    assert.deepEqual(cloud.requests.map(({ model }) => model), ['fake-large', 'fake-small']);
  });

  await t.test('a turn that goes on can be cancelled, and the session goes on without it', async () => {
    const tools = [toolOf('look')], session = { session_id: 'cancelled', tools };
    cloud.reset().next({ toolUses: [{ name: 'look', input: { city: 'Rome' } }] }, { chunks: Array(200).fill('word '), delayMs: 100 });
    const { message } = (await send('go', session)).json.choices[0];
    const results = [{ role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'seen' }];
    const client = await bridge.streams('pi', [{ role: 'user', content: 'go' }, message, ...results], session).hears(/word/);
    client.leaves();
    cloud.next({ text: 'Here I am.' });
    await waitFor('the vendor is not asked any more', () => cloud.openStreams === 0);
    const after = await bridge.chat('pi', 'where are you?', session);
    assert.equal(after.content, 'Here I am.');
  });
});

test('pi: in a mode that only reads, its own tools beside the caller\'s only read', async t => {
  const { cloud, bridge } = await start(t, { PI_PERMISSION_MODE: 'read-only' });
  const offers = async fields => {
    await bridge.answers('pi', 'go', { tools: [toolOf('bash')], ...fields });
    return offeredIn(cloud.requests.at(-1));
  };
  assert.deepEqual(await offers({ bridge: { builtin_tools: true } }), ['bash', 'find', 'grep', 'ls', 'read']);
  assert.match(cloud.requests.at(-1).body.tools.find(tool => tool.function.name === 'bash').function.description, /of the caller's/);
  assert.deepEqual(await offers({}), ['bash']);
});

test('pi: a tool of the user\'s extension does not take the place of the caller\'s', async t => {
  const { cloud, bridge } = await start(t);
  const { status, json, text } = await bridge.chat('pi', 'go', { tools: [toolOf('word_of_extension')] });
  assert.equal(status, 409, text);
  assert.match(json.error.message, /^tools: .*word_of_extension/);
  assert.equal(json.error.param, 'tools');
  assert.equal(cloud.requests.length, 0);
});
