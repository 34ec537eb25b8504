// What can be asked of each harness is told by GET /v1/capabilities, before anything is spent; what would be ignored is
// told, and refused where that is wished.  Whether each harness really can what it says is for the suite to see.
import assert from 'node:assert/strict';

import { startOpenAI } from '../fakes/vendors.mjs';
import { startBridge, test, waitFor } from './bridge.mjs';
import { declaredOf } from './suite/harness.mjs';

// What a harness that answers says beside what the list has of it.
const ofTheList = ({ harness, capabilities, profile }) => ({ harness, capabilities, profile });

async function start(t) {
  const cloud = await startOpenAI();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, {
    backends: ['echo', 'passthrough', 'amp'], waits: false,
    env: { BRIDGE_PROVIDER_ACME_BASE_URL: `${cloud.url}/v1`, BRIDGE_PROVIDER_ACME_API_KEY: 'k', AMP_BIN: '/nonexistent/amp' },
  });
  await bridge.isReady('echo', 'passthrough');
  await waitFor('it is known that there is no amp', async () =>
    (await bridge.get('/v1/capabilities')).json.data.some(({ harness, state }) => harness === 'amp' && state === 'unavailable'));
  return { bridge, asked: () => cloud.requests.filter(({ method }) => method === 'POST').length };
}

test('the capabilities of all harnesses, and of one model', async t => {
  const { bridge, asked } = await start(t);
  const { json: all } = await bridge.get('/v1/capabilities');
  const of = async (model, status = 200) => {
    const answer = await bridge.get(`/v1/capabilities?model=${encodeURIComponent(model)}`);
    assert.equal(answer.status, status, answer.text);
    return answer.json;
  };
  const row = name => all.data.find(({ harness }) => harness === name);
  const option = (document, name) => document.options.find(row => row.name === name);

  await t.test('every harness is there, as the program has it, in the state that it is in', () => {
    assert.deepEqual(all.data.map(({ harness }) => harness).sort(), ['amp', 'echo', 'passthrough']);
    for (const found of all.data)
      assert.deepEqual(ofTheList(found), ofTheList(declaredOf(found.harness)));
    assert.equal(row('echo').state, 'ready');
    assert.equal(row('amp').state, 'unavailable');
    assert.match(row('amp').detail, /^AMP_BIN is /);
    assert.ok(row('passthrough').prefixes.includes('acme'));
  });

  await t.test('each option has its places, and how it is taken', () => {
    for (const found of all.data)
      for (const { name, how, type, scope, field, header } of found.options) {
        assert.ok(['native', 'in_words', 'passed_on', 'none'].includes(how), `${found.harness}: ${name}`);
        assert.ok(['string', 'boolean', 'object', 'object_or_id', 'array', 'string_or_object'].includes(type) && ['terms', 'turn'].includes(scope) && (field ?? header));
      }
    assert.deepEqual(option(row('echo'), 'mode').values, ['byob', 'hosted-safe']);
    assert.deepEqual(row('echo').modes, { byob: 'native', 'hosted-safe': 'native', 'hosted-sandboxed': 'none' });
    assert.deepEqual(option(row('echo'), 'mcp').limits, { servers: 32 });
    assert.equal(option(row('echo'), 'mcp').how, 'none');
    assert.equal(option(row('passthrough'), 'response_format').how, 'passed_on');
  });

  await t.test('a model is found as it would be for a request', async () => {
    const { model, object, ...rest } = await of('bridge/echo/chunks:3');
    assert.deepEqual([model, object], ['bridge/echo/chunks:3', 'capabilities']);
    assert.deepEqual(rest, row('echo'));
    assert.equal((await of('ECHO')).harness, 'echo');
    assert.equal((await of('acme/some/model')).harness, 'passthrough');
    for (const [id, status] of [['nobody/x', 404], ['acme', 400], ['moonshot/x', 503]]) {
      const { error } = await of(id, status);
      const request = await bridge.chat(id, 'hi');
      assert.deepEqual([request.status, request.json.error.code, request.json.error.message], [status, error.code, error.message]);
    }
    assert.deepEqual((({ code, param }) => [code, param])((await of('', 400)).error), ['invalid_value', 'model']);
    assert.equal((await bridge.request('HEAD', '/v1/capabilities')).status, 200);
    assert.equal(asked(), 0);
  });
});

// Of every kind of harness: requests, in parts, and what of them would be ignored.
const WISHES = [
  ['echo', { temperature: 0, tools: [{ type: 'function', function: { name: 'f' } }], stream_options: { include_obfuscation: true } }, {},
    ['temperature', 'tools', 'stream_options.include_obfuscation']],
  ['echo', { messages: [{ role: 'user', content: 'hi', name: 'x' }] }, {}, ['messages.name']],
  ['echo', { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi', colour: 'red' }] }] }, {}, ['messages.content.colour']],
  ['echo', { reasoning_effort: 'medium' }, {}, ['reasoning_effort']],
  ['echo', { effort: 'medium' }, {}, ['reasoning_effort']],
  ['echo', {}, { 'x-reasoning-effort': 'medium' }, ['reasoning_effort']],
  ['echo', { agent_profile: { name: 'x', hooks: { Stop: ['x'] }, colour: 'red' } }, {}, ['agent_profile.colour', 'agent_profile.hooks']],
  ['echo', {}, { 'x-tangle-forwarded-authorization': 'Bearer x' }, ['X-Tangle-Forwarded-Authorization']],
  ['echo', { bridge: { builtin_tools: true, colour: 'red' }, tool_choice: 'auto', parallel_tool_calls: false }, {},
    ['bridge.builtin_tools', 'bridge.colour', 'parallel_tool_calls']],
  ['acme/m', {}, { 'x-bridge-builtin-tools': 'true' }, ['X-Bridge-Builtin-Tools']],
  ['echo', { user: 'u', metadata: { a: 1 }, n: 1, stop: [], seed: null, mode: 'byob', response_format: { type: 'text' } }, {}, []],
  ['acme/m', { session_id: 's' }, {}, ['session_id']],
  ['acme/m', {}, { 'x-session-id': 's', 'x-cwd': '/' }, ['session_id', 'cwd']],
  ['acme/m', {}, { 'x-reasoning-effort': 'low', 'x-rebind-profile': 'true' }, ['X-Reasoning-Effort', 'X-Rebind-Profile']],
  ['acme/m', {}, { 'x-tangle-forwarded-authorization': 'Bearer x' }, ['X-Tangle-Forwarded-Authorization']],
  ['acme/m', { temperature: 0, tools: [], reasoning_effort: 'low', mode: 'byob' }, {}, []], // they are passed on
];

test('what would be ignored is told, and with X-Bridge-Strict it is refused with all of its names', async t => {
  const { bridge, asked } = await start(t);

  for (const [model, fields, headers, ignored] of WISHES)
    await t.test(`${model}: ${JSON.stringify({ ...fields, ...headers })}`, async () => {
      const answer = await bridge.chat(model, 'hi', fields, headers);
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual((answer.headers['x-bridge-ignored']?.split(', ') ?? []).sort(), ignored.toSorted());
      const before = asked();
      const { status, json, text } = await bridge.chat(model, 'hi', fields, { ...headers, 'x-bridge-strict': 'true' });
      if (!ignored.length)
        return assert.equal(status, 200, text);
      assert.equal(status, 400, text);
      assert.equal(json.error.code, 'unsupported_parameter');
      assert.equal(asked(), before, 'nobody was asked');
      for (const name of ignored)
        assert.ok(json.error.message.includes(name), json.error.message);
    });

  await t.test('a wrong one is refused', () => bridge.refuses(400, 'invalid_value', 'acme/m', 'hi', {}, { 'x-bridge-strict': 'perhaps' }));
});
