// An answer that is to be JSON: what the client gets, what the model is asked, and what becomes of an answer that
// does not fit.  The clients are OpenAI's own and the AI SDK, as their users use them.
import assert from 'node:assert/strict';

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject } from 'ai';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

import { PATIENCE, says } from '../bridge.mjs';
import { countIn, whole } from './harness.mjs';

// It refers to itself, and is what OpenAI takes as strict.
const Tree = z.object({
  name: z.string(),
  size: z.number(),
  get parts() { return z.array(Tree); },
});
const tree = { name: 'root', size: 1.5, parts: [{ name: 'leaf', size: 2, parts: [] }] };
const crooked = { name: 'root', size: 'large', parts: [] };

const schema = zodResponseFormat(Tree, 'tree').json_schema.schema;
const asTree = { response_format: { type: 'json_schema', json_schema: { name: 'tree', strict: true, schema } } };

const SCHEMA_WORDS = 'JSON Schema'; // in what is asked of a CLI that cannot be told the schema itself

export async function structuredChecks(t, harness, { cloud, bridge, cwd }) {
  const { name, can, cli, shows } = harness;
  const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'none', timeout: PATIENCE, maxRetries: 0 });

  // What the vendor's model says if this is its answer.
  const answer = value => cli.structured?.(value) ?? { text: JSON.stringify(value) };
  const since = before => cloud.requests.slice(before);

  await t.test('OpenAI\'s own helper parses what fits', async () => {
    cloud.next(answer(tree));
    const before = cloud.requests.length;
    const { choices: [{ message }] } = await client.chat.completions.parse({
      model: name, messages: says('what is it?'), response_format: zodResponseFormat(Tree, 'tree'), cwd,
    });
    assert.deepEqual(message.parsed, tree);
    shows('schema', !whole(since(before)[0]).includes(SCHEMA_WORDS));
  });

  await t.test('the AI SDK generates an object', async () => {
    cloud.next(answer(tree));
    const provider = createOpenAICompatible({ name: 'bridge', baseURL: `${bridge.url}/v1`, supportsStructuredOutputs: true });
    const { object } = await generateObject({ model: provider(name), schema: Tree, prompt: 'what is it?', maxRetries: 0 });
    assert.deepEqual(object, tree);
  });

  await t.test('an answer that does not fit is asked for again, and the client hears of the last one only', async () => {
    const session = { session_id: 'structured', cwd };
    cloud.next(answer(crooked), answer(tree));
    const before = cloud.requests.length;
    const first = await bridge.streams(name, 'what is it?', { ...session, ...asTree, stream_options: { include_usage: true } }).finishes();
    assert.deepEqual(JSON.parse(first.text), tree);
    assert.equal(first.finish, 'stop');
    assert.equal(first.deltas[0].role, 'assistant');
    assert.ok(first.deltas.every(({ content }) => !content?.includes('large')));
    assert.equal(since(before).length, 2);
    assert.match(whole(since(before)[1]), /size/);
    if (can('usage'))
      assert.ok(first.usage.prompt_tokens >= 20, `both are counted, of 10 tokens each: ${JSON.stringify(first.usage)}`);
    // What the client got is what the session goes on from.
    const second = await bridge.streams(name, says('what is it?', first.text, 'and now?'), session).finishes();
    assert.equal(second.headers['x-bridge-session'], 'resumed');
    assert.match(second.text, /you said "and now\?"/);
    assert.equal(countIn(cloud.requests.at(-1), 'and now?'), 1);
    assert.ok(!whole({ body: cloud.requests.at(-1).said.at(-1) }).includes(SCHEMA_WORDS), 'that was asked of one answer');
  });

  await t.test('an answer that never fits is a failure that says where', async () => {
    const wrong = Array.from({ length: 12 }, () => answer(crooked));
    cloud.next(...wrong);
    const { status, json, text } = await bridge.chat(name, 'what is it?', { cwd, ...asTree });
    cloud.reset();
    assert.deepEqual([status, json.error?.code], [502, 'invalid_output'], text);
    assert.match(json.error.message, /size|fits the schema/);
    assert.ok(!text.includes('"choices"'));
  });

  await t.test('fences and words around a JSON object are taken off, but only if JSON was asked for', async () => {
    const said = 'Here it is:\n```json\n{ "n": 1 }\n```\nIs it right?';
    cloud.next({ text: said }, { text: said });
    const { content } = await bridge.answers(name, 'go', { cwd, response_format: { type: 'json_object' } });
    assert.equal(content, '{ "n": 1 }');
    assert.match(whole(cloud.requests.at(-1)), /one JSON object/);
    assert.match((await bridge.answers(name, 'go', { cwd })).content, /Here it is[^]*Is it right/);
    cloud.reset();
  });

  await t.test('a schema that is none costs nothing', async () => {
    const before = cloud.requests.length;
    const { status, json } = await bridge.chat(name, 'go', {
      cwd, response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties: { a: { type: 'strng' } } } } },
    });
    assert.deepEqual([status, json.error.code, json.error.param],
      [400, 'invalid_value', 'response_format.json_schema.schema.properties.a.type']);
    assert.equal(cloud.requests.length, before);
  });
}
