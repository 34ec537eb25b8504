// The official client, as its users use it.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

import { PATIENCE, isGone, says, startBridge, stopwatch, test } from './bridge.mjs';

test('the official openai client works', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_BEARER: 'a-secret' } });
  const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'a-secret', timeout: PATIENCE });
  const messages = says('hello there');

  await t.test('a whole answer', async () => {
    const answer = await client.chat.completions.create({ model: 'echo', messages });
    assert.equal(answer.choices[0].message.content, 'hello there');
    assert.equal(answer.choices[0].finish_reason, 'stop');
    assert.equal(typeof answer.usage.total_tokens, 'number');
  });

  await t.test('a streamed answer', async () => {
    const stream = await client.chat.completions.create({
      model: 'echo/chunks:5', messages, stream: true, stream_options: { include_usage: true },
    });
    let text = '', usage, finish;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? '';
      finish ??= chunk.choices[0]?.finish_reason;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, 'hello there');
    assert.equal(finish, 'stop');
    assert.equal(typeof usage.prompt_tokens, 'number');
  });

  await t.test('an answer whose tokens nobody has told, streamed or not', async () => {
    const model = 'echo/uncounted';
    assert.equal((await client.chat.completions.create({ model, messages })).usage, undefined);
    const stream = client.chat.completions.stream({ model, messages, stream_options: { include_usage: true } });
    assert.equal((await stream.finalChatCompletion()).choices[0].message.content, 'hello there');
    assert.equal((await stream.totalUsage()).total_tokens, 0, 'its own sum, of nothing');
  });

  await t.test('the stream helper puts it together', async () => {
    const answer = await client.chat.completions.stream({ model: 'echo/chunks:5', messages }).finalChatCompletion();
    assert.equal(answer.choices[0].message.content, 'hello there');
  });

  await t.test('an aborted stream ends its turn', async () => {
    const headers = { authorization: 'Bearer secret' };
    const stream = await client.chat.completions.create({ model: 'echo/chunks:1000,delay:20', messages: says('x'.repeat(2000)), stream: true });
    for await (const chunk of stream)
      if (chunk.choices[0].delta.content)
        break; // which aborts it
    await isGone(async () => (await bridge.get('/health', { headers })).json.backends.filter(row => row.running), { within: 500 });
  });

  await t.test('models', async () => {
    const models = await Array.fromAsync(client.models.list());
    assert.ok(models.some(model => model.id === 'echo' || model.id.startsWith('echo/')));
    const one = await client.models.retrieve(models[0].id);
    assert.equal(one.id, models[0].id);
    await assert.rejects(client.models.retrieve('nobody/nothing'), OpenAI.NotFoundError);
  });

  await t.test('errors are of the right class, and what may have run is not run again', async () => {
    const refused = (model, type, body = {}) => assert.rejects(client.chat.completions.create({ model, messages, ...body }), type);
    await refused('nobody/x', OpenAI.NotFoundError);
    await refused('echo', OpenAI.BadRequestError, { messages: [] });
    await refused('echo/fail:401', OpenAI.AuthenticationError);
    const watch = stopwatch();
    await refused('echo/fail:500', OpenAI.InternalServerError);
    assert.ok(watch.ms() < 5000);
    const stranger = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'wrong' });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  });

  await t.test('an error within a stream is thrown', async () => {
    const stream = await client.chat.completions.create({ model: 'echo/chunks:4,crash_after:2', messages, stream: true });
    await assert.rejects(Array.fromAsync(stream), OpenAI.APIError);
  });
});
