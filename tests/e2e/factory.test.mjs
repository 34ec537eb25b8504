// Factory's droid, over JSON-RPC: see suite.mjs for what every harness must do.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { says, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';
import { filesWith } from './suite/harness.mjs';

suite({
  name: 'factory',
  cli: clis.droid,
  logIn: /\/login/,
  install: /npm install -g @factory\/cli/,
  model: { id: 'custom:fake-small', upstream: 'fake-small' },
});

async function start(t, env = {}, configure = () => {}) {
  const cloud = await clis.droid.start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['factory'],
    env(home) {
      const variables = clis.droid.setUp(home, cloud, 'factory');
      configure(home);
      return { ...variables, ...env };
    },
  });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd);
  return { cloud, bridge, cwd };
}

const executes = (command, riskLevel) => ({
  toolUse: { name: 'Execute', input: { command, summary: 'As asked', riskLevel, riskLevelReason: 'So it is.' } },
});

test('factory: what is peculiar to droid', async t => {
  const { cloud, bridge, cwd } = await start(t);
  const whole = () => JSON.stringify(cloud.requests.at(-1).body);

  await t.test('the name of a skill is text', async () => {
    await bridge.answers('factory', '/review');
    assert.deepEqual(cloud.requests.at(-1).said, ['/review']);
    assert.doesNotMatch(whole(), /has selected the following skill/);
  });

  await t.test('nobody thinks of a title', async () => {
    assert.equal(cloud.requests.length, 1);
    assert.equal(cloud.sideRequests.length, 0);
  });

  await t.test('it goes by its other name too', async () => {
    await bridge.answers('droid/custom:fake-small', 'hi');
    assert.equal(cloud.requests.at(-1).model, 'fake-small');
    await bridge.answers('factory/droid', 'hi');
    assert.equal(cloud.requests.at(-1).model, 'fake-large');
  });

  await t.test('a model that it does not have is refused before the vendor is asked', async () => {
    const before = cloud.requests.length;
    await bridge.refuses(404, 'model_not_found', 'factory/custom:none', 'hi');
    assert.equal(cloud.requests.length, before);
  });

  await t.test('a history with tools is told in words', async () => {
    const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } };
    await bridge.answers('factory', [
      { role: 'user', content: 'the weather?' }, { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: 'sunny' }, { role: 'assistant', content: 'It is sunny.' },
      { role: 'user', content: 'are you sure?' },
    ]);
    assert.match(whole(), /Rome.*sunny.*are you sure/s);
  });

  await t.test('a session that is resumed has the system prompt of its turn', async () => {
    const session = { session_id: 'moody', cwd };
    const with_ = (rule, ...texts) => [{ role: 'system', content: rule }, ...says(...texts)];
    const first = await bridge.answers('factory', with_('be kind', 'one'), session);
    assert.match(whole(), /be kind/);
    const second = await bridge.answers('factory', with_('be rude', 'one', first.content, 'two'), session);
    assert.match(second.content, /"one"/);
    assert.match(whole(), /be rude/);
  });

  await t.test('what it asks for is allowed', async () => {
    cloud.next(executes('touch risky', 'high'));
    await bridge.answers('factory', 'go', { cwd });
    assert.ok(existsSync(join(cwd, 'risky')));
  });
});

test('factory: a permission mode is kept to, and said to be the reason', async t => {
  const { cloud, bridge, cwd } = await start(t, { FACTORY_PERMISSION_MODE: 'low' });
  cloud.next(executes('touch risky', 'high'));
  const answer = await bridge.refuses(403, 'forbidden', 'factory', 'go', { cwd });
  assert.match(answer.json.error.message, /permission mode low/);
  assert.equal(existsSync(join(cwd, 'risky')), false);
  cloud.next(executes('touch harmless', 'low'));
  await bridge.answers('factory', 'go', { cwd });
  assert.ok(existsSync(join(cwd, 'harmless')));
});

test('factory: an image is refused where the model would not see it', async t => {
  const { bridge } = await start(t, {}, home => {
    const path = join(home, '.factory/settings.json');
    writeFileSync(path, JSON.stringify({
      customModels: [{ model: 'blind', id: 'custom:blind', displayName: 'blind', baseUrl: 'http://127.0.0.1:9', apiKey: 'x',
        provider: 'generic-chat-completion-api', maxOutputTokens: 8192 }],
      model: 'custom:blind',
    }));
  });
  const content = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }];
  const answer = await bridge.refuses(400, 'unsupported_parameter', 'factory', [{ role: 'user', content }]);
  assert.match(answer.json.error.message, /custom:blind/);
});

test('factory: the tools of the caller', async t => {
  const { cloud, bridge } = await start(t, { FACTORY_PERMISSION_MODE: 'off' });
  const tools = [{ type: 'function', function: { name: 'weather', description: 'It tells the weather.', parameters: { type: 'object', properties: {} } } }];
  const question = { role: 'user', content: 'go' };
  const asks = async (messages, fields, ...next) => {
    cloud.reset().next(...next);
    const { status, text, json } = await bridge.chat('factory', messages, { tools, ...fields });
    assert.equal(status, 200, text);
    return json.choices[0];
  };
  const call = { ...clis.droid.call('weather'), input: {} };
  const calling = () => asks([question], {}, { text: 'I look.', toolUse: call });
  const resultOf = (message, content) => message.tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content }));

  await t.test('droid is told how long to wait, in a file that is left by nobody', async () => {
    const { message } = await calling();
    const [path, ...others] = filesWith(join(bridge.directory, 'data'), 'digit-hub');
    assert.deepEqual(others, []);
    const { mcp } = JSON.parse(readFileSync(path, 'utf8'));
    assert.ok(mcp.mcpServers['digit-hub'].timeout > 600_000, 'the time that a call waits, and more');
    await asks([question, message, ...resultOf(message, 'rain')], {}, { text: 'As you see.' });
    await waitFor('it is removed', () => filesWith(join(bridge.directory, 'data'), 'digit-hub').length === 0);
  });

  await t.test('of a long result the middle is left out, and the model is told', async () => {
    const { message } = await calling();
    await asks([question, message, ...resultOf(message, `the-begin${'ä'.repeat(200_000)}the-end`)], {}, { text: 'As you see.' });
    const heard = cloud.requests.at(-1).body.messages.at(-1).content;
    assert.match(heard, /^the-beginä+\n\[\.\.\. \d+ bytes are left out here, .*\]\nä+the-end$/);
    assert.ok(heard.length > 15_000);
  });

  await t.test('in the mode hosted-safe the model has them, and no others', async () => {
    const { message } = await asks([question], { mode: 'hosted-safe' }, { text: 'I look.', toolUse: call });
    await asks([question, message, ...resultOf(message, 'rain')], { mode: 'hosted-safe' }, { text: 'As you see.' });
    assert.deepEqual(cloud.requests.at(-1).body.tools.map(({ function: f }) => f.name), [call.name]);
  });

  await t.test('a session has other tools, and then none', async () => {
    const session = { session_id: 'changing' };
    const names = () => (cloud.requests.at(-1).body.tools ?? []).map(({ function: f }) => f.name);
    const messages = [question, (await asks([question], session, { text: 'one' })).message, { role: 'user', content: 'more' }];
    const other = [{ type: 'function', function: { ...tools[0].function, name: 'news' } }];
    messages.push((await asks(messages, { ...session, tools: other }, { text: 'two' })).message, { role: 'user', content: 'none' });
    assert.deepEqual(names(), ['digit-hub___news']);
    await asks(messages, { ...session, tools: undefined }, { text: 'three' });
    assert.ok(names().includes('Execute') && !names().some(name => name.startsWith('digit-hub')), names().join());
  });
});
