// What a CLI has lost of its records ends no conversation: it goes on with what its client sends, and what it does not
// know any more is said.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

import { IN_CONTAINERS, says, test, waitFor } from '../bridge.mjs';
import { countIn, filesWith, WHOLE } from './harness.mjs';

// Words that no CLI says of itself.
const [APPLE, BANANA, CHERRY, DATE] = ['apple', 'banana', 'cherry', 'date'].map(word => `the-${word}-word`);

export function recordsChecks({ name, can, shows, start, goesCold }) {
  if (IN_CONTAINERS && !WHOLE && !can('cuts')) // then nobody looks into its files
    return;

  test(`${name}: a conversation of which the CLI has lost something goes on all the same`, async t => {
    const { cloud, bridge, cwd } = await start(t);
    const heard = () => cloud.requests.at(-1);
    const recordsOf = word => filesWith(bridge.env.HOME, word);
    const ask = (id, ...texts) => bridge.answers(name, says(...texts), { session_id: id, cwd });
    const knows = (...words) => assert.deepEqual(words.filter(word => !countIn(heard(), word)), []);
    const isSaid = answer => assert.match(answer.json.bridge.session.reason ?? '', /lost/);

    // Two turns, each with words of the session's, and what is asked next.
    async function begins(id) {
      const words = [APPLE, BANANA, CHERRY].map(word => `${word}-${id}`);
      const one = (await ask(id, words[0])).content;
      const two = (await ask(id, words[0], one, words[1])).content;
      return { words, messages: [words[0], one, words[1], two, words[2]] };
    }
    let cut, lost, alone;

    await t.test('three conversations', async () => {
      [cut, lost, alone] = await Promise.all(['cut', 'lost', 'alone'].map(begins));
      await goesCold(bridge);
    });

    if (can('cuts'))
      await t.test('its last records, as if it had been killed before it wrote them', async () => {
        const of = cut.words[1], paths = recordsOf(of).filter(path => path.endsWith('.jsonl'));
        assert.ok(paths.length > 0, 'there are some');
        for (const path of paths) {
          const lines = readFileSync(path, 'utf8').split('\n');
          writeFileSync(path, lines.slice(0, lines.findIndex(line => line.includes(of))).map(line => `${line}\n`).join(''));
        }
        const answer = await ask('cut', ...cut.messages);
        knows(...cut.words);
        isSaid(answer);
        await ask('cut', DATE);
        knows(...cut.words);
        shows('cuts', true);
      });

    await t.test('all of them', async () => {
      await goesCold(bridge, { ifThere: true }); // none has them open
      const paths = recordsOf(lost.words[0]);
      assert.ok(paths.length > 0, 'there are some');
      paths.forEach(path => rmSync(path));
      isSaid(await ask('lost', ...lost.messages));
      knows(...lost.words);
    });

    await t.test('all of them, and its client has nothing but its last message', async () => {
      await goesCold(bridge, { ifThere: true });
      recordsOf(alone.words[0]).forEach(path => rmSync(path));
      isSaid(await ask('alone', alone.words[2]));
      knows(alone.words[2]);
      await ask('alone', DATE);
      knows(alone.words[2]);
    });

    await t.test('a client leaves, and the CLI is killed before it has written that down', async () => {
      await ask('left', APPLE);
      cloud.next({ chunks: Array(200).fill('word '), delayMs: 10 });
      const client = bridge.streams(name, BANANA, { session_id: 'left', cwd });
      await waitFor('it is asked', () => cloud.openStreams === 1);
      client.leaves();
      await goesCold(bridge, { ifThere: true });
      await ask('left', CHERRY);
      knows(APPLE, CHERRY);
    });
  });
}
