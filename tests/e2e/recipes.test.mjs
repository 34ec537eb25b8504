// The recipes in docs/recipes.md do what it says of them, also when the bridge does not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { comes, startBridge, test, waitFor } from './bridge.mjs';

const page = readFileSync(join(import.meta.dirname, '../../docs/recipes.md'), 'utf8');
const recipes = new Map([...page.matchAll(/<!-- recipe: (\S+) -->\n```sh\n(.*?)```/gs)].map(([, name, text]) => [name, text]));

// { code, stdout, stderr } of a recipe: nobody lives at port 9.
function cook(t, name, { args = [], input = '', url = 'http://127.0.0.1:9', env = {}, onText } = {}) {
  const directory = mkdtempSync('/tmp/recipe-');
  const file = join(directory, name);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(file, recipes.get(name));
  chmodSync(file, 0o755);
  const child = spawn(file, args, { env: { PATH: process.env.PATH, BRIDGE_URL: url, BRIDGE_MODEL: 'echo', ...env } });
  const heard = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'])
    child[stream].setEncoding('utf8').on('data', text => { heard[stream] += text; onText?.(heard); });
  child.stdin.on('error', () => {}); // it may not want it
  child.stdin.end(input);
  t.after(() => child.kill('SIGKILL'));
  return comes(`${name} ends`, once(child, 'close')).then(([code]) => ({ code, ...heard }));
}

test('the page has its recipes', () => assert.deepEqual([...recipes.keys()], ['ask', 'ask-live', 'wait-ready']));

for (const name of ['ask', 'ask-live'])
  test(`${name} answers, or says why not`, async t => {
    const bridge = await startBridge(t);
    const ask = (options = {}) => cook(t, name, { url: bridge.url, input: 'What is "this"?\nAnd that: é', ...options });

    await t.test('an answer', async () => assert.deepEqual(await ask(), { code: 0, stdout: 'What is "this"?\nAnd that: é\n', stderr: '' }));

    await t.test('a conversation', async () => {
      const pid = { env: { BRIDGE_MODEL: 'echo/pid', BRIDGE_CWD: bridge.directory }, args: ['a session'] };
      const [first, second] = [await ask(pid), await ask(pid)];
      assert.match(first.stdout, /turn 1/);
      assert.match(second.stdout, /turn 2/);
      assert.equal((await bridge.get('/v1/sessions')).json.data[0].cwd, bridge.directory);
    });

    await t.test('errors', async () => {
      for (const [model, why] of [['nobody/x', /there is no harness "nobody"/], ['echo/fail:429', /failed as asked/], ['echo/crash', /signal 6/]]) {
        const { code, stdout, stderr } = await ask({ env: { BRIDGE_MODEL: model } });
        assert.notEqual(code, 0);
        assert.equal(stdout, '', model);
        assert.match(stderr, why);
      }
    });

    await t.test('a bridge that is down', async () => {
      const { code, stdout, stderr } = await ask({ url: undefined });
      assert.notEqual(code, 0);
      assert.equal(stdout, '');
      assert.match(stderr, /Failed to connect|Couldn't connect/);
    });
  });

test('ask-live prints words when they are said, and does not take a broken answer for a whole one', async t => {
  const bridge = await startBridge(t, { env: { BRIDGE_DRAIN_MS: '500' } });
  const ask = (model, onText) => cook(t, 'ask-live', { url: bridge.url, input: 'one two three four', env: { BRIDGE_MODEL: model }, onText });
  let said = '';
  const endless = ask('echo/chunks:2,silent_after:1', ({ stdout }) => { said = stdout; });

  await waitFor('the first words are printed', () => said.length > 0);
  const broken = await ask('echo/truncate_after:1');
  assert.notEqual(broken.code, 0);
  assert.match(broken.stderr, /jq: error/);
  await bridge.stops();
  assert.notEqual((await endless).code, 0);
});

test('wait-ready waits', async t => {
  const bridge = await startBridge(t);

  await waitFor('it is ready', async () => (await cook(t, 'wait-ready', { url: bridge.url, args: ['echo', '1'] })).code === 0);
  const { code, stderr } = await cook(t, 'wait-ready', { args: ['echo', '1'] });
  assert.deepEqual([code, stderr], [1, 'echo is not ready: the bridge does not answer\n']);
  assert.equal((await cook(t, 'wait-ready', { url: bridge.url, args: ['nobody', '1'] })).code, 1);
});
