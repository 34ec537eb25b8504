// The harness sandbox: turns that a service does in sandboxes of its own, over its HTTP batch API.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startSandbox } from '../fakes/sandbox.mjs';
import { isGone, onThisMachine, says, startBridge, test, waitFor } from './bridge.mjs';

const KEY = 'key-that-nobody-may-see', OTHER = 'of-a-caller';
const profile = {
  name: 'builder', prompt: { systemPrompt: 'Build.' }, skills: ['critical-audit'], permissions: { bash: 'deny' },
  mcp: { docs: { type: 'stdio', command: 'docs-server' } }, hooks: { start: [] }, model: { default: 'a/b', reasoningEffort: 'high' },
};
const asked = { agent_profile: profile };

async function start(t, env = {}, options = {}) {
  const service = await startSandbox({ keys: [KEY, OTHER] });
  t.after(() => service.close());
  const bridge = await startBridge(t, {
    backends: ['sandbox'], env: { SANDBOX_API_URL: `${service.url}/`, SANDBOX_API_KEY: KEY, SANDBOX_JAIL: 'read', BRIDGE_DEFAULT_EXECUTOR: 'docker', ...env },
    prepare: directory => {
      mkdirSync(join(directory, 'data/profiles'), { recursive: true });
      writeFileSync(join(directory, 'data/profiles/reviewer.json'),
        JSON.stringify({ name: 'Reviewer', description: 'reads what others write', prompt: { systemPrompt: 'Review.' } }));
    },
    ...options,
  });
  return { service, bridge, heard: () => service.requests.at(-1), message: () => service.requests.at(-1).body.tasks[0].message };
}

const rowOf = async bridge => (await bridge.get('/health')).json.backends.find(({ name }) => name === 'sandbox');

test('sandbox', async t => {
  const { service, bridge, heard, message } = await start(t, { SANDBOX_TIMEOUT_MS: onThisMachine(1500) });

  await t.test('a turn is a batch with one task, and the service gets the profile as it is', async () => {
    const { json, headers, content } = await bridge.answers('sandbox', 'say hi', asked);
    assert.equal(content, 'Hello world');
    assert.deepEqual(json.usage, { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 });
    assert.equal(headers['x-bridge-harness'], 'sandbox');
    assert.equal(headers['x-bridge-mode'], 'byob');
    assert.equal(headers['x-bridge-ignored'], undefined);
    assert.deepEqual(json.bridge.profile.preamble, []);
    assert.deepEqual(json.bridge.profile.ignored, []);
    const { body } = heard();
    assert.deepEqual(body, {
      tasks: [{ id: body.tasks[0].id, message: 'say hi' }], backend: { type: 'opencode', profile }, scalingMode: 'balanced', persistent: false,
    });
    assert.match(body.tasks[0].id, /^[0-9a-f-]{36}$/);
    assert.equal(heard().headers.authorization, `Bearer ${KEY}`);
  });

  await t.test('words arrive one by one, whatever way the events are written in', async () => {
    for (const behaviour of [
      { by: 'delta', as: 'chunk' }, { by: 'progress', as: 'content' }, { unnamed: true }, { unnamed: true, flat: true, resultAs: 'response' },
    ]) {
      service.next({ ...behaviour, pieces: ['grüße ', '🦀\n\n', '"x"'] });
      const client = await bridge.streams('sandbox', 'hi', asked).finishes();
      assert.equal(client.text, 'grüße 🦀\n\n"x"', JSON.stringify(behaviour));
    }
    const long = 'long '.repeat(1 << 18);
    service.next({ pieces: [long], usage: null });
    assert.equal((await bridge.answers('sandbox', long, asked)).content, long);
    assert.equal(message(), long);
    service.next({ hangs: true, pieces: ['one ', 'two '] });
    const client = await bridge.streams('sandbox', 'hi', asked).hears(/one two /);
    client.leaves();
    await waitFor('the stream is closed', () => service.open === 0);
  });

  await t.test('of the result what was not told is told, once', async () => {
    for (const [pieces, result, text] of [
      [['Hello '], 'Hello world', 'Hello world'], [[], 'all at once', 'all at once'], [['all'], 'all', 'all'],
      [['I did it.'], 'A summary.', 'I did it.'], [['I did it.'], '', 'I did it.'],
    ]) {
      service.next({ pieces, result });
      assert.equal((await bridge.answers('sandbox', 'hi', asked)).content, text);
    }
    service.next({ usage: null });
    assert.equal((await bridge.answers('sandbox', 'hi', asked)).json.usage, undefined);
  });

  await t.test('a model is a profile of the catalogue, and the list has them', async () => {
    await bridge.answers('sandbox/reviewer', 'look', {});
    assert.equal(heard().body.backend.profile.prompt.systemPrompt, 'Review.');
    const { data } = (await bridge.get('/v1/models')).json;
    assert.deepEqual(data.map(({ id, note }) => [id, note]), [['sandbox', undefined], ['sandbox/reviewer', 'reads what others write']]);
    await bridge.answers('sandbox', 'look', { agent_profile: 'reviewer' });
    const before = service.requests.length;
    const none = await bridge.refuses(400, 'invalid_value', 'sandbox/nobody', 'hi');
    assert.equal(none.json.error.message, 'model: there is no profile with the id "nobody"');
    assert.equal((await bridge.refuses(400, 'invalid_value', 'sandbox', 'hi')).json.error.param, 'agent_profile');
    assert.equal((await bridge.refuses(400, 'invalid_value', 'sandbox/reviewer', 'hi', asked)).json.error.param, 'agent_profile');
    const wrong = await bridge.refuses(400, 'invalid_value', 'sandbox', 'hi', { agent_profile: { permissions: { bash: 'maybe' } } });
    assert.match(wrong.json.error.message, /^agent_profile\.permissions\.bash: /);
    assert.equal(service.requests.length, before);
  });

  await t.test('a session keeps its profile and its task, and the messages are told each time', async () => {
    const session = { session_id: 's' };
    const first = await bridge.answers('sandbox/reviewer', 'one', session);
    assert.equal(first.headers['x-bridge-session'], 'new');
    const { tasks: [{ id }], persistent } = heard().body;
    assert.equal(persistent, true);
    const second = await bridge.answers('sandbox', [{ role: 'system', content: 'be kind' }, ...says('one', 'Hello world', 'two')], session);
    assert.equal(second.headers['x-bridge-session'], 'replayed');
    assert.equal(heard().body.tasks[0].id, id);
    assert.equal(heard().body.backend.profile.name, 'Reviewer');
    assert.match(message(), /be kind[^]*one[^]*Hello world[^]*two$/);
    const other = await bridge.refuses(409, 'session_binding_conflict', 'sandbox', 'three', { ...session, ...asked });
    assert.match(other.json.error.message, /has the profile/);
    await bridge.answers('sandbox', 'three', { ...session, ...asked, rebind_profile: true });
    assert.equal(heard().body.backend.profile.name, 'builder');
    await bridge.request('DELETE', '/v1/sessions/s');
    await bridge.answers('sandbox/reviewer', 'one', session);
    assert.notEqual(heard().body.tasks[0].id, id);
  });

  await t.test('an answer is over with its task, though the stream stays open', async () => {
    const session = { session_id: 'open' };
    const stays = { raw: send => send('event: task.completed\ndata: {"response":"done"}\n\n') };
    service.next(stays, stays);
    await bridge.answers('sandbox', 'hi', { ...asked, ...session });
    await bridge.answers('sandbox', 'hi', session);
    await isGone(() => bridge.clisOf('sandbox'), { within: 2000 });
    await waitFor('the streams are closed', () => service.open === 0);
  });

  await t.test('the caller\'s authorization takes the place of the key', async () => {
    await bridge.answers('sandbox', 'hi', asked, { 'x-tangle-forwarded-authorization': `Bearer ${OTHER}` });
    assert.equal(heard().headers.authorization, `Bearer ${OTHER}`);
    const before = service.requests.length;
    const wrong = await bridge.chat('sandbox', 'hi', asked, { 'x-tangle-forwarded-authorization': 'Bearer unknown-word' });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.json.error.code, 'invalid_api_key');
    assert.doesNotMatch(wrong.text, /unknown-word/, 'the service says it, and it is not passed on');
    assert.equal(service.requests.length, before + 1);
    assert.equal((await rowOf(bridge)).state, 'ready', 'one caller\'s failure is not everybody\'s');
    await bridge.answers('sandbox', 'hi', asked);
    assert.equal(heard().headers.authorization, `Bearer ${KEY}`);
  });

  await t.test('what it cannot do is refused before anything is sent', async () => {
    const before = service.requests.length;
    for (const [status, code, param, fields] of [
      [501, 'mode_not_supported', 'mode', { mode: 'hosted-safe' }],
      [400, 'unsupported_parameter', 'cwd', { cwd: '/' }],
      [400, 'unsupported_parameter', 'mcp.mcpServers.s', { mcp: { mcpServers: { s: { url: 'http://127.0.0.1:9' } } } }],
      [400, 'unsupported_parameter', 'reasoning_effort', { reasoning_effort: 'high' }],
    ])
      assert.equal((await bridge.refuses(status, code, 'sandbox', 'hi', { ...asked, ...fields })).json.error.param, param);
    assert.equal(service.requests.length, before);
    const { headers } = await bridge.answers('sandbox', 'hi', { ...asked, mode: 'hosted-sandboxed' });
    assert.equal(headers['x-bridge-mode'], 'hosted-sandboxed');
  });

  await t.test('JSON is asked for in words, and asked for again with all that was said', async () => {
    service.next({ pieces: ['no JSON'] }, { pieces: ['{"n":1}'] });
    const { json } = await bridge.answers('sandbox', 'count', {
      ...asked, session_id: 'json',
      response_format: { type: 'json_schema', json_schema: { name: 'n', strict: true, schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false } } },
    });
    assert.equal(json.choices[0].message.content, '{"n":1}');
    assert.match(message(), /count[^]*no JSON/);
    assert.equal(json.usage.total_tokens, 30);
  });

  await t.test('each failure has its own code, and nothing is sent twice', async () => {
    for (const [status, code, behaviour, more = {}] of [
      [404, 'model_not_found', { status: 404, error: 'profile not found' }],
      [403, 'forbidden', { status: 403 }],
      [429, 'rate_limit_exceeded', { status: 429, headers: { 'retry-after': '7' } }, { 'retry-after': '7', 'x-should-retry': undefined }],
      [429, 'insufficient_quota', { status: 402 }],
      [502, 'harness_failed', { status: 500, error: 'oops' }, { 'x-should-retry': 'false' }],
      [502, 'harness_failed', { status: 502 }, { 'x-should-retry': 'false' }],
      [503, 'upstream_overloaded', { status: 503 }],
      [504, 'timeout', { status: 504 }, { 'x-should-retry': 'false' }],
      [502, 'answer_truncated', { cut: true }, { 'x-should-retry': 'false' }],
      [502, 'answer_truncated', { ends: true }],
      [502, 'answer_truncated', { pieces: [], ends: true }],
      [502, 'answer_truncated', { raw: (send, res) => { send('event: task.delta\ndata: {"chunk":\n\n'); res.end(); } }],
      [502, 'answer_truncated', { raw: (send, res) => { send('event: task.completed\ndata: {"response":"cut"}\n'); res.end(); } }],
      [502, 'answer_truncated', { fails: 'the agent fell over' }],
      [502, 'answer_truncated', { pieces: [], fails: { code: 'rate_limit', message: 'too many requests' } }, { 'x-should-retry': 'false' }],
      [400, 'context_length_exceeded', { pieces: [], fails: { message: 'prompt is too long: 300000 tokens > 200000 maximum' } }],
      [502, 'answer_truncated', { raw: send => { for (let mb = 0; mb < 40; mb++) send('x'.repeat(1 << 20)); } }],
      [504, 'timeout', { hangs: true }],
      [504, 'timeout', { mute: true }],
    ]) {
      const before = service.requests.length;
      service.next(behaviour);
      const answer = await bridge.refuses(status, code, 'sandbox', 'hi', asked);
      assert.match(answer.json.error.message, /sandbox/);
      for (const [name, value] of Object.entries(more))
        assert.equal(answer.headers[name], value, `${JSON.stringify(behaviour)}: ${name}`);
      assert.equal(service.requests.length, before + 1, JSON.stringify(behaviour));
    }
    await waitFor('all streams are closed', () => service.open === 0);
    service.next({ cut: true });
    const client = bridge.streams('sandbox', 'hi', asked);
    await client.fails('answer_truncated');
    assert.equal(client.text, 'Hello world', 'what was said is told');
    service.next({ fails: 'the agent fell over' });
    assert.match((await bridge.streams('sandbox', 'hi', asked).fails('answer_truncated')).message, /^sandbox: the agent fell over/);
  });

  await t.test('a client that leaves closes the stream, and no process is left', async () => {
    service.next({ hangs: true });
    const before = service.aborted, client = await bridge.streams('sandbox', 'hi', asked).hears(/world/);
    const [{ pid }] = bridge.clisOf('sandbox');
    for (const file of ['cmdline', 'environ'])
      assert.ok(!readFileSync(`/proc/${pid}/${file}`).includes(KEY), `the key is not in its ${file}`);
    client.leaves();
    await isGone(() => bridge.clisOf('sandbox'), { within: 500 });
    await waitFor('the service sees it', () => service.aborted === before + 1);
  });

  await t.test('what it does not know is counted, and stops nobody', async () => {
    service.next({ raw: (send, res) => {
      send('event: sandbox.warmed\ndata: no JSON\n\nid: 7\nretry: 10\n:\n\ndata: {"type":"heartbeat"}\n\ndata: {"no":"type"}\n\n');
      send('event: task.delta\ndata: {"chunk":"a",\ndata: "taskId":"x"}\n\nevent: task.completed\ndata: {"response":"ab"}\n\ndata: [DONE]\n\n');
      res.end();
    } });
    assert.equal((await bridge.answers('sandbox', 'hi', asked)).content, 'ab');
  });

  await t.test('a key that the service does not take makes it unavailable, until it does', async () => {
    const keys = service.keys;
    service.keys = [];
    const { json } = await bridge.refuses(401, 'harness_login_required', 'sandbox', 'hi', asked);
    assert.match(json.error.message, /^sandbox: the service answered with 401 \(set SANDBOX_API_KEY to a key that the service takes\)$/);
    await waitFor('it says so', async () => (await rowOf(bridge)).state === 'unavailable');
    assert.match((await rowOf(bridge)).detail, /^not logged in, as a turn has shown: sandbox: /);
    service.keys = keys;
    await bridge.answers('sandbox', 'hi', asked);
    await waitFor('it is ready', async () => (await rowOf(bridge)).state === 'ready');
  });

  await t.test('the key is in no log, nor in the data', async () => {
    service.next({ status: 500, error: `the key ${KEY} broke me` });
    const failed = await bridge.refuses(502, 'harness_failed', 'sandbox', 'hi', asked);
    assert.doesNotMatch(failed.text + bridge.log, new RegExp(`${KEY}|${OTHER}|unknown-word`));
    const files = readdirSync(bridge.dataDirectory, { recursive: true, withFileTypes: true }).filter(file => file.isFile());
    for (const file of files)
      assert.ok(!readFileSync(join(file.parentPath, file.name)).includes(KEY), file.name);
  });
});

test('what is not set up, not there or not well is told', async t => {
  const { service, bridge } = await start(t, { SANDBOX_API_KEY: '' });

  const before = service.requests.length;
  const { json } = await bridge.refuses(503, 'harness_not_set_up', 'sandbox', 'hi', asked);
  assert.match(json.error.message, /^SANDBOX_API_KEY is not set, and the request has no X-Tangle-Forwarded-Authorization/);
  assert.equal(service.requests.length, before);
  await bridge.answers('sandbox', 'hi', asked, { 'x-tangle-forwarded-authorization': `Bearer ${OTHER}` });

  const looks = async () => {
    const { stdout } = await bridge.run('verify');
    assert.match(stdout, /^sandbox /m);
    return rowOf(bridge);
  };
  service.health = 503;
  const unwell = await looks();
  assert.deepEqual([unwell.state, unwell.detail], ['error', 'health 503']);
  service.health = 200;
  assert.equal((await looks()).state, 'ready');
  await service.close();
  const lost = await looks();
  assert.equal(lost.state, 'unavailable');
  assert.match(lost.detail, /^SANDBOX_API_URL does not answer: 127\.0\.0\.1:\d+ can't be reached/);
  const gone = await bridge.refuses(502, 'upstream_failed', 'sandbox', 'hi', asked, { 'x-tangle-forwarded-authorization': `Bearer ${OTHER}` });
  assert.equal(gone.headers['x-should-retry'], undefined, 'nothing was sent');
});

test('without an address it is not started, and says what to set', async t => {
  const profiles = mkdtempSync('/tmp/profiles-');
  t.after(() => rmSync(profiles, { recursive: true }));
  writeFileSync(join(profiles, 'tester.json'), '{"name":"Tester","prompt":{"systemPrompt":"Test."}}');
  const bridge = await startBridge(t, { backends: ['sandbox', 'echo'], waits: false, env: { SANDBOX_PROFILES_DIR: profiles } });
  await bridge.isReady('echo');
  const row = await rowOf(bridge);
  assert.equal(row.state, 'unavailable');
  assert.match(row.detail, /^SANDBOX_API_URL is not set: set SANDBOX_API_URL to where/);
  await bridge.refuses(503, 'harness_not_set_up', 'sandbox', 'hi', asked);
  assert.deepEqual((await bridge.get('/v1/profiles')).json.data.map(({ id }) => id), ['tester'], 'its catalogue is everybody\'s');
  await bridge.answers('echo', 'hi', { agent_profile: 'tester' });
});
