// The mode of a conversation: who says it, how long it lasts, and what comes of a wrong one.  What hosted-safe keeps a
// CLI from is in suite/safe.mjs.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { startOpenAI } from '../fakes/vendors.mjs';
import { startBridge, test } from './bridge.mjs';
import { clis } from './clis.mjs';

test('a mode is said in the body or in a header, and the answer names it', async t => {
  const bridge = await startBridge(t);
  const ran = async (fields, headers) => {
    const answer = await bridge.chat('echo', 'hi', fields, headers);
    assert.equal(answer.status, 200, answer.text);
    return answer.headers['x-bridge-mode'];
  };

  for (const [fields, headers, mode] of [
    [{}, {}, 'byob'],
    [{ mode: null }, {}, 'byob'],
    [{ mode: 'byob' }, {}, 'byob'],
    [{ mode: 'hosted-safe' }, {}, 'hosted-safe'],
    [{}, { 'x-bridge-mode': 'hosted-safe' }, 'hosted-safe'],
    [{ mode: 'byob' }, { 'x-bridge-mode': 'hosted-safe' }, 'byob'],
    [{ mode: 'hosted-safe' }, { 'x-bridge-mode': 'byob', 'x-sandbox': '1' }, 'hosted-safe'],
    [{}, { 'x-bridge-mode': 'hosted-safe', 'x-sandbox': 'true' }, 'hosted-safe'],
    [{}, { 'x-sandbox': 'false' }, 'byob'],
  ])
    await t.test(`${JSON.stringify([fields, headers])} is ${mode}`, async () => assert.equal(await ran(fields, headers), mode));

  await t.test('a stream says it, too', async () => {
    const client = await bridge.streams('echo', 'hi', { mode: 'hosted-safe' }).finishes();
    assert.equal(client.headers['x-bridge-mode'], 'hosted-safe');
  });

  for (const [fields, headers, where] of [[{ mode: 'weird' }, {}, 'mode'], [{}, { 'x-bridge-mode': 'weird' }, 'X-Bridge-Mode']])
    await t.test(`a wrong one in ${where} is refused`, async () => {
      const { status, json } = await bridge.chat('echo', 'hi', fields, headers);
      assert.equal(status, 400);
      assert.equal(json.error.type, 'invalid_request_error');
      assert.equal(json.error.param, where);
      assert.equal(json.error.message, `${where}: "weird" is none of: byob, hosted-safe, hosted-sandboxed`);
    });

  await t.test('a session keeps its mode, and changes it when another is named', async () => {
    const session = { session_id: 'kept' };
    assert.equal(await ran({ ...session, mode: 'hosted-safe' }), 'hosted-safe');
    assert.equal(await ran(session), 'hosted-safe');
    const warm = bridge.clisOf('echo').map(({ pid }) => pid);
    assert.equal(await ran(session), 'hosted-safe');
    assert.deepEqual(bridge.clisOf('echo').map(({ pid }) => pid), warm, 'it is warm');
    assert.equal(await ran({ ...session, mode: 'byob' }), 'byob');
    assert.equal(await ran(session), 'byob');
  });

  await t.test('a title that is asked for beside a turn is asked for in the mode of the session', async () => {
    const session = { session_id: 'titled' };
    const agent = bridge.streams('echo/silent', [{ role: 'system', content: 'agent' }, { role: 'user', content: 'go' }], { ...session, mode: 'hosted-safe' });
    await agent.isConnected();
    while (!(await bridge.get('/health')).json.backends.some(row => row.running));
    const titles = await bridge.chat('echo', [{ role: 'system', content: 'titles' }, { role: 'user', content: 'go' }], session);
    assert.equal(titles.headers['x-bridge-mode'], 'hosted-safe');
    agent.leaves();
  });

  await t.test('to name the mode that a conversation has changes nothing', async () => {
    const session = { session_id: 'the same' };
    await ran(session);
    const warm = bridge.clisOf('echo').map(({ pid }) => pid);
    await ran({ ...session, mode: 'byob' });
    assert.deepEqual(bridge.clisOf('echo').map(({ pid }) => pid), warm);
  });

  for (const headers of [{ 'x-sandbox': '1' }, { 'x-sandbox': 'true' }, { 'x-sandbox': 'yes' }, { 'x-bridge-mode': 'hosted-sandboxed' }])
    await t.test(`${JSON.stringify(headers)} needs a sandbox, and says what to set`, async () => {
      const { status, json } = await bridge.chat('echo', 'hi', {}, headers);
      assert.equal(status, 501);
      assert.equal(json.error.code, 'mode_not_supported');
      assert.match(json.error.message, /^mode: echo .* set ECHO_EXECUTOR=docker, and ECHO_NET or ECHO_DOCKER_NETWORK=none$/);
    });

  await t.test('MCP servers could do what hosted-safe is there to prevent', () =>
    bridge.refuses(400, 'unsupported_parameter', 'echo', 'hi', { mode: 'hosted-safe', mcp: { mcpServers: { s: { command: 'true' } } } }));
});

test('hosted-safe counts before whatever else a request asks for', async t => {
  const cli = clis.claude;
  const cloud = await cli.start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['claude'], env: home => cli.setUp(home, cloud) });
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd);
  const asks = async fields => {
    const answer = await bridge.answers('claude', 'do it', { cwd, mode: 'hosted-safe', ...fields });
    assert.equal(answer.headers['x-bridge-mode'], 'hosted-safe');
    return { ...answer, asked: cloud.requests.at(-1).body };
  };
  const offered = ({ asked }) => asked.tools.map(tool => tool.name).sort();
  const safe = ['DeferredToolPlaceholder', 'Glob', 'Grep', 'Read']; // the first does nothing

  await t.test('a profile that allows all', async () => {
    cloud.reset().next({ toolUse: cli.shell('touch made') }).always({ text: 'I give up' });
    const answer = await asks({ agent_profile: { permissions: { bash: 'allow', edit: 'allow' }, tools: { Bash: true } } });
    assert.deepEqual(offered(answer), safe);
    assert.equal(existsSync(join(cwd, 'made')), false);
  });

  for (const [what, fields] of Object.entries({
    'a program': { mcp: { mcpServers: { s: { command: 'true' } } } },
    'a url': { mcp: { mcpServers: { s: { type: 'http', url: 'http://127.0.0.1:1/' } } } },
    'a profile': { agent_profile: { mcp: { s: { command: 'true' } } } },
  }))
    await t.test(`an MCP server that is ${what}`, async () => {
      const { json } = await bridge.refuses(400, 'unsupported_parameter', 'claude', 'hi', { cwd, mode: 'hosted-safe', ...fields });
      assert.match(json.error.message, /^mcp\.mcpServers: a conversation in the mode hosted-safe/);
      assert.equal(json.error.param, 'mcp.mcpServers');
    });

  await t.test('an answer that is to be JSON', async () => {
    const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false };
    cloud.reset().next(cli.structured({ a: 1 })).always({ text: 'done' });
    const answer = await asks({ response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } } });
    assert.deepEqual(JSON.parse(answer.content), { a: 1 });
    assert.deepEqual(offered(answer), [...safe, 'StructuredOutput']);
  });

  await t.test('how long it thinks', async () => {
    cloud.reset();
    const answer = await asks({ reasoning_effort: 'low' });
    assert.equal(answer.asked.output_config.effort, 'low');
    assert.deepEqual(offered(answer), safe);
  });
});

test('a vendor has no modes', async t => {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['passthrough'], env: { OPENAI_API_KEY: 'sk-loopback', BRIDGE_PROVIDER_OPENAI_BASE_URL: `${cloud.url}/v1` },
  });
  const asked = () => cloud.requests.filter(({ method }) => method === 'POST').length;

  for (const [fields, headers] of [[{}, {}], [{ mode: 'byob' }, {}], [{}, { 'x-bridge-mode': 'byob' }]])
    await t.test(`${JSON.stringify([fields, headers])} is byob`, async () => {
      const answer = await bridge.chat('openai/fake-large', 'hi', fields, headers);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers['x-bridge-mode'], 'byob');
    });

  for (const [fields, headers] of [[{ mode: 'hosted-safe' }, {}], [{ mode: 'hosted-sandboxed' }, {}], [{}, { 'x-bridge-mode': 'hosted-safe' }], [{}, { 'x-sandbox': '1' }]])
    await t.test(`${JSON.stringify([fields, headers])} is refused`, async () => {
      const before = asked();
      const { status, json } = await bridge.chat('openai/fake-large', 'hi', fields, headers);
      assert.equal(status, 501);
      assert.equal(json.error.code, 'mode_not_supported');
      assert.match(json.error.message, /^mode: openai .*hosted-s/);
      assert.equal(asked(), before);
    });

  await t.test('a wrong one is refused', () => bridge.refuses(400, 'invalid_value', 'openai/fake-large', 'hi', { mode: 'weird' }));
});
