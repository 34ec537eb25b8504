// What a CLI goes on with by itself, when a command that it left in the background has ended, is no turn: nobody has
// asked for it, so it is nobody's answer.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { isGone, waitFor } from '../bridge.mjs';
import { running, whole } from './harness.mjs';

const QUESTION = 'the-question-of';
const ASIDE = 'Aside. ';

// What the vendor is asked last: `messages`, or what another dialect calls them.
const lastOf = ({ body }) => JSON.stringify((body.messages ?? body.input ?? body.contents).at(-1));
const isAsked = asked => lastOf(asked).includes(QUESTION);

export function backgroundChecks({ name, cli, can, shows, goesOn, check, pids }) {
  check('what goes on behind a turn is no part of an answer', async (t, { cloud, bridge, cwd }) => {
    const session = { session_id: 'background', cwd };
    const goes = join(cwd, 'go');
    // No rm: droid runs none in the background whose path has an r or an f behind a hyphen, as a random one may.
    const command = `until [ -e ${goes} ]; do sleep 0.1; done; unlink ${goes}; echo the-end-of-it`;
    const asks = text => bridge.answers(name, `${QUESTION} ${text}`, session);
    let before;

    // A turn that leaves the command in the background, if its CLI does not wait for the command's end.
    async function begins() {
      cloud.reset().next({ toolUse: cli.background(command) }, { text: 'It runs.' });
      const client = bridge.streams(name, `${QUESTION} the start`, session);
      await client.hears(/It runs\./);
      if (goesOn !== 'in the turn')
        assert.equal((await client.finishes()).text, 'It runs.');
      before = pids(bridge);
      cloud.reset().always(asked => isAsked(asked) ? { text: 'The answer.' } : { chunks: Array(20).fill(ASIDE), delayMs: 50 });
      return client;
    }

    async function ends() {
      writeFileSync(goes, '');
      await waitFor('the command has ended', () => !existsSync(goes));
    }

    if (!can('background'))
      return t.test('a command ends with the process of its turn', async () => {
        await begins();
        await isGone(() => running(command), { within: 5000 });
        assert.equal((await asks('one')).content, 'The answer.');
        shows('background', false);
      });

    if (goesOn === 'in the turn')
      await t.test('a turn ends when its commands have ended', async () => {
        const client = await begins();
        await ends();
        assert.match((await client.finishes()).text, /^It runs\./);
      });

    else
      await t.test('a command ends behind its turn', async () => {
        await begins();
        await ends();
        if (goesOn)
          await waitFor('it goes on by itself', () => cloud.openStreams === 1);
      });

    await t.test('a turn that comes then is asked once, and gets its own answer', async () => {
      const { content, json } = await asks('one');
      assert.equal(content, 'The answer.');
      if (goesOn === 'aloud')
        assert.match(json.bridge.meanwhile, /Aside\. Aside\. /);
      assert.equal(cloud.requests.filter(isAsked).length, 1);
      shows('background', true);
    });

    await t.test('and so does the next, in the same process', async () => {
      const { content, json } = await asks('two');
      assert.equal(content, 'The answer.');
      assert.equal(json.bridge.meanwhile, undefined, 'it is told once');
      assert.deepEqual(pids(bridge).filter(pid => !before.includes(pid)), []);
    });

    if (goesOn !== 'aloud')
      return;

    await t.test('the CLI knows what it has said', () => assert.match(whole(cloud.requests.at(-1)), /Aside\. /));

    await t.test('a turn after the CLI has gone on by itself', async () => {
      await begins();
      await ends();
      await waitFor('it has gone on by itself', () => cloud.requests.length > 0 && cloud.openStreams === 0);
      const { content, json } = await asks('three');
      assert.equal(content, 'The answer.');
      assert.match(json.bridge.meanwhile, /Aside\. Aside\. /);
    });
  });
}
