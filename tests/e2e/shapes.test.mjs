// What clients really send, in all its shapes: nothing of it may be refused, and nothing be lost without a word.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { startBridge } from './bridge.mjs';

const directory = join(import.meta.dirname, '../data/conversation');
const shapes = readdirSync(directory).map(file => ({ file, ...JSON.parse(readFileSync(join(directory, file))) }));

const textOf = part => part.text ?? '';

test('whatever clients send is answered', async t => {
  const bridge = await startBridge(t, { backends: ['echo'] });

  for (const { file, about, body, messages, ignored } of shapes)
    await t.test(`${file}: ${about}`, async () => {
      const answer = await bridge.post('/v1/chat/completions', { ...body, stream: false, stream_options: undefined });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.choices[0].message.content, messages.at(-1).content.map(textOf).join(''));
      assert.equal(answer.headers['x-bridge-ignored'] ?? '', ignored);
    });
});
