// Real opencode; only the vendor's cloud is a stand-in, on loopback.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { PATIENCE, comes, says, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

const cli = clis.opencode;

suite({
  name: 'opencode',
  cli,
  logIn: /opencode auth login/,
  install: /npm install -g opencode-ai/,
  model: { id: 'fake/fake-small', upstream: 'fake-small' },
  shares: true,
});

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text));
}

async function start(t, prepare = () => ({}), setUp = cli.setUp) {
  const cloud = await cli.start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['opencode'],
    env: home => ({ ...setUp(home, cloud, 'opencode'), ...prepare(home, cloud) }),
  });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd, { recursive: true });
  return { cloud, bridge, cwd, home: join(bridge.directory, 'home'), last: () => cloud.requests.at(-1) };
}

const whole = request => JSON.stringify(request.body);
const configOf = home => JSON.parse(readFileSync(join(home, '.config/opencode/opencode.json'), 'utf8'));
const configure = (home, changes) => write(join(home, '.config/opencode/opencode.json'), { ...configOf(home), ...changes });

// Everything that opencode reads of a user's, and of a project's, with a word in each.
function plantCanaries(home, cwd) {
  const agent = word => `---\ndescription: ${word}\nmode: subagent\n---\nbe kind\n`;
  const skill = word => `---\nname: ${word}\ndescription: ${word}\n---\nbe kind\n`;
  const plugin = word => `export const P = async () => { require('fs').writeFileSync('${join(home, word)}', ''); return {}; };\n`;
  write(join(home, '.config/opencode/AGENTS.md'), 'canary-user-agents');
  write(join(home, '.config/opencode/rules.md'), 'canary-user-rules');
  configure(home, { instructions: [join(home, '.config/opencode/rules.md')] });
  write(join(home, '.claude/CLAUDE.md'), 'canary-user-claude');
  for (const [n, place] of ['.config/opencode', '.opencode', '.claude', '.agents'].entries()) {
    write(join(home, place, `agent/canary-user-agent-${n}.md`), agent(`canary-user-agent-${n}`));
    write(join(home, place, `skills/canary-user-skill-${n}/SKILL.md`), skill(`canary-user-skill-${n}`));
  }
  write(join(home, '.config/opencode/plugin/p.js'), plugin('canary-user-plugin'));
  write(join(cwd, 'AGENTS.md'), 'canary-project-agents');
  write(join(cwd, 'CLAUDE.md'), 'canary-project-claude');
  write(join(cwd, 'opencode.json'), { agent: { 'canary-project-json': { description: 'canary-project-json', mode: 'subagent', prompt: 'x' } } });
  for (const [n, place] of ['.opencode', '.claude', '.agents'].entries()) {
    write(join(cwd, place, `agent/canary-project-agent-${n}.md`), agent(`canary-project-agent-${n}`));
    write(join(cwd, place, `skills/canary-project-skill-${n}/SKILL.md`), skill(`canary-project-skill-${n}`));
  }
  write(join(cwd, '.opencode/plugin/p.js'), plugin('canary-project-plugin'));
}

const canariesIn = text => [...new Set(text.match(/canary-[a-z0-9-]*[a-z0-9]/g) ?? [])].sort();

// Its provider is told to the bridge, as what the user has configured is not to be loaded.
const alone = home => ({ OPENCODE_LOADS: 'nothing', OPENCODE_ENV_OPENCODE_CONFIG_CONTENT: JSON.stringify(configOf(home)) });

test('opencode: told to load nothing, it loads nothing but its login', async t => {
  const { bridge, cwd, home, last } = await start(t, home => {
    const variables = alone(home);
    plantCanaries(home, join(dirname(home), 'project'));
    return variables;
  });
  const answer = await bridge.answers('opencode', 'hello', { cwd, session_id: 'x' });
  assert.equal(answer.content, 'turn 1: you said "hello"; before: []');
  assert.deepEqual(canariesIn(whole(last())), []);
  for (const plugin of ['canary-user-plugin', 'canary-project-plugin'])
    assert.equal(existsSync(join(home, plugin)), false, plugin);
});

test('opencode: told nothing, it loads what it would for its user', async t => {
  const { bridge, cwd, last } = await start(t, home => {
    plantCanaries(home, join(dirname(home), 'project'));
    return {};
  });
  await bridge.answers('opencode', 'hello', { cwd });
  const heard = canariesIn(whole(last()));
  for (const word of ['user-agents', 'user-rules', 'user-agent-0', 'user-skill-2', 'project-agents', 'project-json', 'project-agent-0', 'project-skill-0'])
    assert.ok(heard.includes(`canary-${word}`), `${word} in ${heard}`);
});

test('opencode: its models are its providers\', and who is asked was meant', async t => {
  const { cloud, bridge, last } = await start(t, home => {
    const { model, ...others } = configOf(home);
    others.provider.fake.models['org/slashed'] = { name: 'slashed' };
    write(join(home, '.config/opencode/opencode.json'), others);
    return {};
  });

  await t.test('those of the provider that wants no login are not listed', async () => {
    const { data } = (await bridge.get('/v1/models')).json;
    const ids = data.map(({ id }) => id);
    assert.equal(data.find(({ id }) => id === 'opencode/fake/org/slashed').name, 'slashed');
    assert.deepEqual(ids.sort(), ['opencode/default', 'opencode/fake/fake-large', 'opencode/fake/fake-small', 'opencode/fake/org/slashed']);
  });

  await t.test('and are nobody\'s default', async () => {
    await bridge.answers('opencode', 'hi');
    assert.match(last().model, /^fake-|slashed/);
    await bridge.answers('opencode/fake', 'hi');
    assert.match(last().model, /^fake-|slashed/);
    assert.equal(cloud.requests.length, 2);
  });

  await t.test('a model may have slashes in its name', async () => {
    await bridge.answers('opencode/fake/org/slashed', 'hi');
    assert.equal(last().model, 'org/slashed');
  });

  await t.test('one that it does not know is a 404 in its words', async () => {
    await bridge.refuses(404, 'model_not_found', 'opencode/fake/fake-none', 'hi');
    const { json } = await bridge.chat('opencode/nobody/none', 'hi');
    assert.equal(json.error.code, 'model_not_found');
    assert.match(json.error.message, /Model not found: nobody\/none/);
  });
});

test('opencode: what it would ask its user', async t => {
  const bash = { '*': 'allow', 'echo asked*': 'ask', 'echo denied*': 'deny' };
  const results = client => client.tools.filter(tool => tool.result !== undefined).map(tool => JSON.stringify(tool.result)).join();
  const runs = async (cloud, bridge, command) => {
    cloud.next({ toolUse: cli.shell(command) }, { text: 'so be it' });
    const client = await bridge.streams('opencode', 'go').finishes();
    assert.equal(client.text, 'so be it');
    return results(client);
  };

  await t.test('is allowed, but for what he has denied', async t => {
    const { cloud, bridge } = await start(t, home => { configure(home, { permission: { bash } }); return {}; });
    assert.match(await runs(cloud, bridge, 'echo asked $((40 + 2))'), /asked 42/);
    assert.doesNotMatch(await runs(cloud, bridge, 'echo denied $((40 + 2))'), /denied 42/);
  });

  await t.test('or refused, and the turn goes on', async t => {
    const { cloud, bridge } = await start(t, home => {
      configure(home, { permission: { bash } });
      return { OPENCODE_PERMISSION_MODE: 'ask' };
    });
    assert.match(await runs(cloud, bridge, 'echo asked $((40 + 2))'), /rejected permission/);
  });

  await t.test('or it has no tools to ask about', async t => {
    const { cloud, bridge, cwd, last } = await start(t, () => ({ OPENCODE_PERMISSION_MODE: 'deny' }));
    cloud.next({ toolUse: cli.shell('touch made') }, { text: 'so be it' });
    await bridge.streams('opencode', 'go', { cwd }).finishes();
    assert.equal(existsSync(join(cwd, 'made')), false);
    assert.equal(last().body.tools, undefined);
  });

  await t.test('a question is no tool of its', async t => {
    const { bridge, last } = await start(t);
    await bridge.answers('opencode', 'hi');
    const names = last().body.tools.map(tool => tool.function.name);
    assert.ok(names.includes('bash') && !names.includes('question'), names.join());
  });
});

test('opencode: one server for all, which nobody else can use', async t => {
  const { cloud, bridge, cwd, last } = await start(t);

  await t.test('sessions share it, each in its directory', async () => {
    const other = join(bridge.directory, 'other');
    mkdirSync(other);
    for (const [directory, id] of [[cwd, 'a'], [other, 'b'], [cwd, 'c']]) {
      await bridge.answers('opencode', 'hi', { cwd: directory, session_id: id });
      assert.ok(whole(last()).includes(directory));
    }
    assert.equal(bridge.clisOf('opencode').length, 1);
  });

  await t.test('it listens on loopback, and wants a password that is in no command line', async () => {
    const [{ pid, command }] = bridge.clisOf('opencode');
    const port = command.match(/--port=(\d+)/)[1];
    const password = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
      .find(v => v.startsWith('OPENCODE_SERVER_PASSWORD=')).split('=')[1];
    assert.equal((await comes('its answer', fetch(`http://127.0.0.1:${port}/config`))).status, 401);
    assert.ok(password.length >= 32);
    assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(password), false);
    const listening = readFileSync('/proc/net/tcp', 'latin1').split('\n').filter(line => line.includes(` 0A `))
      .filter(line => line.includes(`:${Number(port).toString(16).toUpperCase().padStart(4, '0')} 00000000`));
    assert.deepEqual(listening.map(line => line.trim().split(/\s+/)[1].split(':')[0]), ['0100007F']);
  });

  await t.test('a sub-agent\'s work is part of the turn', async () => {
    cloud.next({ toolUse: { name: 'task', input: { description: 'sub', prompt: 'look', subagent_type: 'general' } } },
      { text: 'sub answer' }, { text: 'main answer' });
    const client = await bridge.streams('opencode', 'go', { stream_options: { include_usage: true } }).finishes();
    assert.equal(client.text, 'main answer');
    assert.equal(client.usage.prompt_tokens, 30, 'of three requests');
  });

  await t.test('a stream that ends without an end is not gone on with', async () => {
    cloud.next({ raw: async (req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'fake-large',
        choices: [{ index: 0, delta: { role: 'assistant', content: 'half an' }, finish_reason: null }] })}\n\n`);
      setTimeout(() => res.end(), 100);
    } }, { text: 'more', firstDelayMs: 500 });
    const client = await bridge.streams('opencode', 'go', { session_id: 'a', cwd }).ends();
    assert.equal(client.text, 'half an');
    assert.equal(client.error.code, 'answer_truncated');
  });

  await t.test('and a turn that failed is not in the conversation', async () => {
    cloud.reset();
    const answer = await bridge.answers('opencode', 'again', { session_id: 'a', cwd });
    assert.equal(answer.content, 'turn 2: you said "again"; before: ["hi"]');
  });

  await t.test('nor is one whose worker died in the middle of it', async () => {
    cloud.next({ chunks: ['half ', 'of ', 'it'], hangAfter: 2, delayMs: 50 });
    const client = bridge.streams('opencode', 'lost', { session_id: 'a', cwd });
    await client.hears(/half/);
    const old = await bridge.kill('opencode');
    await bridge.isReplaced('opencode', old);
    const answer = await bridge.answers('opencode', says('hi', 'x', 'again', 'y', 'at last'), { session_id: 'a', cwd });
    assert.doesNotMatch(whole(last()), /lost/);
    assert.match(answer.content, /^turn 3/);
  });

  await t.test('a turn without a session is in nobody\'s list of sessions', async () => {
    const [{ pid, command }] = bridge.clisOf('opencode');
    const port = command.match(/--port=(\d+)/)[1];
    const password = readFileSync(`/proc/${pid}/environ`, 'latin1').match(/OPENCODE_SERVER_PASSWORD=([^\0]+)/)[1];
    const sessions = async () => (await comes('the list', fetch(`http://127.0.0.1:${port}/session?directory=${encodeURIComponent(cwd)}`,
      { headers: { authorization: `Basic ${btoa(`opencode:${password}`)}` } }))).json();
    const before = (await sessions()).length;
    await bridge.answers('opencode', 'once', { cwd });
    await waitFor('it is deleted', async () => (await sessions()).length === before);
  });
});

test('opencode: a conversation of 800 messages keeps its roles, and its client sees that it is imported', async t => {
  const { bridge, last } = await start(t, () => ({ BRIDGE_HEAD_MS: '0' }));
  await bridge.answers('opencode', 'the server is up');
  const words = Array.from({ length: 800 }, (_, n) => `message ${n}.`);
  const client = await bridge.streams('opencode', says(...words, 'and now?')).finishes(4 * PATIENCE);
  const heard = last().body.messages.slice(-801);
  assert.deepEqual(heard.map(({ role }) => role), [...words.map((_, n) => n % 2 ? 'assistant' : 'user'), 'user']);
  for (const [n, word] of words.entries())
    assert.ok(JSON.stringify(heard[n].content).includes(word), word);
  assert.ok(client.comments.includes('importing the conversation: 400 of 800'), client.comments.join());
});

const toolOf = name => ({ type: 'function', function: { name, description: `It tells the ${name}.`, parameters: { type: 'object', properties: {} } } });

test('opencode: the tools of a caller without sessions', async t => {
  const { cloud, bridge, last } = await start(t);
  const tools = ['weather', 'time'].map(toolOf);
  const asks = async (messages, ...next) => {
    cloud.reset().next(...next);
    const { status, text, json } = await bridge.chat('opencode', messages, { tools });
    assert.equal(status, 200, text);
    return json.choices[0];
  };
  const call = name => ({ ...cli.call(name), input: {} });
  const resultOf = (message, content) => message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content }));
  const namesIn = ({ body }) => body.tools.map(({ function: f }) => f.name);
  const messages = [{ role: 'user', content: 'go' }];
  let names;

  await t.test('a long result reaches the model as a whole', async () => {
    const { message } = await asks(messages, { text: 'I look.', toolUse: call('weather') });
    names = namesIn(last());
    messages.push(message, ...resultOf(message, `${'x'.repeat(150_000)}\n${'a line\n'.repeat(3000)}the-end`));
    messages.push((await asks(messages, { text: 'As you see.' })).message);
    assert.equal(last().body.messages.at(-1).content, messages[2].content);
  });

  await t.test('behind it the model finds its calls as it has made them, and the same tools', async () => {
    const before = last().body.messages.slice(1);
    await asks([...messages, { role: 'user', content: 'thanks' }], { text: 'You are welcome.' });
    assert.deepEqual(namesIn(last()), names);
    const heard = last().body.messages.slice(1);
    assert.deepEqual(heard.map(({ role }) => role), ['user', 'assistant', 'tool', 'assistant', 'user']);
    for (const [i, { role, content, tool_calls }] of before.entries()) {
      assert.deepEqual([heard[i].role, heard[i].content], [role, content]);
      assert.deepEqual(heard[i].tool_calls?.map(({ function: f }) => f), tool_calls?.map(({ function: f }) => f));
    }
  });

  await t.test('a call that the model makes later than the others comes with them, if it has begun to make it', async () => {
    const { message } = await asks([{ role: 'user', content: 'slowly' }], { delayMs: 100, toolUses: [call('weather'), call('time'), call('weather')] });
    assert.deepEqual(message.tool_calls.map(({ function: f }) => f.name), ['weather', 'time', 'weather']);
    await asks([{ role: 'user', content: 'slowly' }, message, ...resultOf(message, 'fine')], { text: 'Good.' });
    assert.equal(last().body.messages.filter(({ role }) => role === 'tool').length, 3);
  });

  await t.test('other conversations have them not', async () => {
    const answer = await bridge.answers('opencode', 'hello');
    assert.ok(!namesIn(last()).some(name => name.includes('_client_')), answer.text);
  });
});
