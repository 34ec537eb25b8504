// Vercel's AI SDK with its provider for what is OpenAI-compatible.
import assert from 'node:assert/strict';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';

import { startBridge, test } from './bridge.mjs';

test('the AI SDK works', async t => {
  const bridge = await startBridge(t);
  const provider = createOpenAICompatible({ name: 'bridge', baseURL: `${bridge.url}/v1`, includeUsage: true });

  await t.test('generateText', async () => {
    const { text, finishReason, usage } = await generateText({ model: provider('echo'), system: 'be brief', prompt: 'hello there' });
    assert.equal(text, 'hello there');
    assert.equal(finishReason, 'stop');
    assert.equal(typeof usage.totalTokens, 'number');
  });

  await t.test('streamText', async () => {
    const result = streamText({ model: provider('echo/chunks:5'), prompt: 'hello there' });
    const pieces = await Array.fromAsync(result.textStream);
    assert.ok(pieces.length > 1);
    assert.equal(pieces.join(''), 'hello there');
    assert.equal(await result.finishReason, 'stop');
    assert.equal(typeof (await result.usage).totalTokens, 'number');
  });

  await t.test('an answer whose tokens nobody has told', async () => {
    const { text, usage } = await generateText({ model: provider('echo/uncounted'), prompt: 'hello' });
    assert.deepEqual([text, usage.totalTokens], ['hello', undefined]);
    const result = streamText({ model: provider('echo/uncounted'), prompt: 'hello' });
    assert.deepEqual([await result.text, (await result.usage).totalTokens], ['hello', undefined]);
  });

  await t.test('reasoning', async () => {
    const result = streamText({ model: provider('echo/think'), prompt: 'hello' });
    await result.consumeStream();
    assert.equal(await result.reasoningText, 'thinking about it');
    assert.equal(await result.text, 'hello');
    const whole = await generateText({ model: provider('echo/think'), prompt: 'hello' });
    assert.equal(whole.reasoningText, 'thinking about it');
  });

  await t.test('a failure is thrown', async () => {
    await assert.rejects(generateText({ model: provider('echo/fail:401'), prompt: 'x', maxRetries: 0 }), { statusCode: 401 });
  });
});
