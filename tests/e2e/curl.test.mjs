// What the README tells its reader to type.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { PATIENCE, startBridge, test } from './bridge.mjs';

const run = promisify(execFile);

test('curl is all that is needed', async t => {
  const bridge = await startBridge(t);
  const curl = async (path, ...args) => (await run('curl', ['-sN', '--max-time', String(PATIENCE / 1000), bridge.url + path, ...args])).stdout;
  const body = fields => ['-H', 'Content-Type: application/json', '-d', JSON.stringify({ model: 'echo/chunks:3', messages: [{ role: 'user', content: 'hello' }], ...fields })];

  await t.test('a streamed answer', async () => {
    const answer = await curl('/v1/chat/completions', ...body({ stream: true }));
    const deltas = answer.split('\n').filter(line => line.startsWith('data: {')).map(line => JSON.parse(line.slice(6)).choices[0].delta.content ?? '');
    assert.equal(deltas.join(''), 'hello');
    assert.ok(answer.endsWith('data: [DONE]\n\n'));
  });

  await t.test('a whole answer', async () => {
    assert.equal(JSON.parse(await curl('/v1/chat/completions', ...body())).choices[0].message.content, 'hello');
  });

  await t.test('a body that is announced with Expect: 100-continue', async () => {
    const answer = await curl('/v1/chat/completions', '-H', 'Expect: 100-continue', ...body());
    assert.equal(JSON.parse(answer).choices[0].message.content, 'hello');
  });

  await t.test('models, health and what there is', async () => {
    assert.ok(JSON.parse(await curl('/v1/models')).data.some(model => model.id.startsWith('echo')));
    assert.equal(JSON.parse(await curl('/health')).status, 'ok');
    assert.equal(JSON.parse(await curl('/')).name, 'cli-bridge');
  });
});
