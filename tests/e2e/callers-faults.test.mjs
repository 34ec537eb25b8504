// What a caller gets wrong is a 400 that says what it is, and no fault of the bridge's or a CLI's.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startBridge, test } from './bridge.mjs';

test('a directory that cannot be worked in', async t => {
  const bridge = await startBridge(t, { env: { ECHO_MAX_RUNNING: '1' } });
  const refuses = async (cwd, why) => {
    const { json } = await bridge.refuses(400, 'invalid_cwd', 'echo', 'hi', { cwd });
    assert.match(json.error.message, why);
    assert.equal(json.error.param, 'cwd');
  };

  await t.test('is none, or not there, or no directory', async () => {
    writeFileSync(join(bridge.directory, 'file'), '');
    await refuses('work', /must be an absolute path/);
    await refuses(join(bridge.directory, 'nothing'), /No such file or directory/);
    await refuses(join(bridge.directory, 'file'), /is not a directory/);
  });

  await t.test('has a name that is too long', async () => {
    await refuses(`/${'x'.repeat(5000)}`, /has 5001 bytes; a path has at most 4096/);
    await refuses(`/${'x'.repeat(300)}`, /File name too long/);
  });

  await t.test('vanishes while the turn waits for its own', async () => {
    const cwd = join(bridge.directory, 'work');
    mkdirSync(cwd);
    const running = await bridge.streams('echo/silent', 'x').isConnected();
    const waiting = bridge.streams('echo', 'hi', { cwd });
    await waiting.isConnected();
    rmSync(cwd, { recursive: true });
    running.leaves();
    const error = await waiting.fails('invalid_cwd');
    assert.match(error.message, /No such file or directory/);
    assert.equal(error.param, 'cwd');
  });

  await t.test('and then all is well', () => bridge.answers('echo', 'hi', { cwd: bridge.directory }));
});

test('an image that cannot be decoded', async t => {
  const bridge = await startBridge(t);
  const refuses = async (image_url, why) => {
    const content = [{ type: 'text', text: 'look' }, { type: 'image_url', image_url }];
    const { json } = await bridge.refuses(400, 'invalid_value', 'echo', [{ role: 'user', content }]);
    assert.match(json.error.message, why);
    assert.equal(json.error.param, 'messages[0].content[1]');
  };
  await refuses({ url: 'data:image/png;base64,***' }, /not valid base64/);
  await refuses({ url: 'data:image/png;base64,' }, /not valid base64/);
  await refuses({ url: 'data:image/png;base64,aGVsbG8sIHdvcmxk' }, /cannot be decoded/);
  await refuses({ url: 'data:;base64,iVBORw0KGgo=' }, /without a media type/);
  await refuses({ url: 'data:text/plain;base64,aGk=' }, /type that is not an image's/);
  await refuses({ url: 'file:///etc/hostname' }, /leads out of the session's directory/);
});
