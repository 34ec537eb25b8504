// What a CLI goes on with by itself, when a command in the background has ended, is no turn: nobody has asked for it,
// so it is nobody's answer.
//
//   goesOnAlone({
//     name: 'kimi', cli,                  as in suite.mjs
//     inBackground: command => toolUse,   a call of its tool that goes on behind the answer
//   });
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startBridge, test, waitFor } from './bridge.mjs';

const QUESTION = 'the-question';

const isAsked = ({ body }) => JSON.stringify(body.messages.at(-1)).includes(QUESTION);

export function goesOnAlone({ name, cli, inBackground }) {
  const pids = bridge => bridge.clisOf(name).map(({ pid }) => pid);

  test(`${name}: what it goes on with by itself is no turn`, async t => {
    const cloud = await cli.start();
    t.after(() => cloud.close());
    const bridge = await startBridge(t, { backends: [name], env: home => cli.setUp(home, cloud, name) });
    const cwd = join(bridge.directory, 'project');
    const session = { session_id: 'alone', cwd };
    mkdirSync(cwd);

    cloud.next({ toolUse: inBackground('until [ -e go ]; do sleep 0.1; done; echo gone') }, { text: 'It runs.' });
    assert.equal((await bridge.answers(name, 'begin', session)).content, 'It runs.');
    const before = pids(bridge);

    const asides = { chunks: Array(60).fill('Aside. '), delayMs: 50 };
    cloud.always(asked => isAsked(asked) ? { text: 'The answer.' } : asides);
    writeFileSync(join(cwd, 'go'), '');
    await waitFor('it goes on by itself', () => cloud.openStreams === 1);

    await t.test('a turn that comes meanwhile is asked once, and gets its own answer', async () => {
      const { content, json } = await bridge.answers(name, `${QUESTION} one`, session);
      assert.equal(content, 'The answer.');
      assert.match(json.bridge.meanwhile, /Aside\. Aside\. /);
      assert.equal(cloud.requests.filter(isAsked).length, 1);
    });

    await t.test('and so does the next, in the same process', async () => {
      const { content, json } = await bridge.answers(name, `${QUESTION} two`, session);
      assert.equal(content, 'The answer.');
      assert.equal(json.bridge.meanwhile, undefined, 'it is told once');
      assert.ok(pids(bridge).length > 0 && pids(bridge).every(pid => before.includes(pid)), `${pids(bridge)}, not ${before}`);
    });

    await t.test('the agent knows what it has said', () =>
      assert.match(JSON.stringify(cloud.requests.at(-1).body), /Aside\. /));
  });
}
