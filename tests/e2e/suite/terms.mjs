// The terms of a conversation, its instructions and its directory, hold until others are given, whether its CLI has
// been kept warm or has been started anew; others are taken, or refused by name.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { says } from '../bridge.mjs';
import { countIn, isRefused, whole, withSystem } from './harness.mjs';

// Words that no CLI says of itself.
const OAK = 'the-rule-of-the-oak', ELM = 'the-rule-of-the-elm';
const WORD = 'the-word-of-the-beginning';

export function termsChecks({ name, cli, can, shows, check, goesCold }) {
  check('instructions and a directory hold until others are given', async (t, { cloud, bridge, cwd }) => {
    const sayingLittle = { text: 'So be it.' }; // its own answers quote what was said
    cloud.always(sayingLittle);
    const heard = () => cloud.requests.at(-1);
    const session = { session_id: 'ruled', cwd }, later = { session_id: 'ruled later', cwd };
    const ask = (text, rule, where = session) => bridge.answers(name, rule ? withSystem(rule, says(text)) : text, where);
    const gives = (text, rule, where) => bridge.chat(name, withSystem(rule, says(text)), where);

    const isInForce = () => {
      assert.equal(countIn(heard(), OAK), 1, 'they are heard once');
      assert.doesNotMatch(whole(heard()), /not apply any more/);
    };
    // Where they are a part of the conversation the former ones stay there, before the new ones.
    const isReplaced = () => {
      assert.equal(countIn(heard(), ELM), 1, 'the new ones are heard once');
      const text = whole(heard());
      assert.ok(can('new_system') ? !text.includes(OAK) : text.indexOf(ELM) > text.lastIndexOf(OAK), 'they count for more than the former');
      shows('new_system', can('new_system'));
    };
    let isChanged, isLate;

    await t.test('instructions are given', async () => {
      await ask('one', OAK);
      isInForce();
    });

    await t.test('they are left out, warm', async () => {
      await ask('two');
      isInForce();
    });

    await t.test('they are left out, cold', async () => {
      await goesCold(bridge);
      await ask('three');
      isInForce();
    });

    await t.test('they are said again, warm', async () => {
      await ask('four', OAK);
      isInForce();
    });

    await t.test('others take their place, or are refused', async () => {
      const answer = await gives('five', ELM, session);
      isChanged = answer.status === 200;
      if (!isChanged)
        return isRefused(answer, /system/);
      isReplaced();
    });

    await t.test('they are given later than with the first question, or are refused', async () => {
      await ask('one', undefined, later);
      const answer = await gives('two', OAK, later);
      isLate = answer.status === 200;
      if (!isLate)
        return isRefused(answer, /system/);
      isInForce();
    });

    await t.test('cold they are said again, and the others are left out', async () => {
      await goesCold(bridge);
      await ask('six', isChanged ? ELM : OAK);
      (isChanged ? isReplaced : isInForce)();
      await ask('three', undefined, later);
      assert.equal(countIn(heard(), OAK), isLate ? 1 : 0);
    });

    await t.test('another directory is taken, or is refused', async () => {
      const elsewhere = join(bridge.directory, 'elsewhere');
      const moving = { session_id: 'moving', cwd };
      mkdirSync(elsewhere);
      await ask(WORD, undefined, moving);
      const answer = await bridge.chat(name, 'two', { ...moving, cwd: elsewhere });
      if (!can('cwd')) {
        isRefused(answer, /cwd|directory/);
        return shows('cwd', false);
      }
      assert.equal(answer.status, 200, answer.text);
      assert.ok(countIn(heard(), WORD) > 0, 'it has forgotten nothing');
      cloud.reset().next({ toolUse: cli.shell('pwd') });
      assert.match((await ask('where?', undefined, { ...moving, cwd: elsewhere })).content, new RegExp(elsewhere));
      shows('cwd', true);
      cloud.always(sayingLittle);
    });

    await t.test('and it goes on where it was', async () => {
      await ask('three', undefined, { session_id: 'moving', cwd });
      assert.ok(countIn(heard(), WORD) > 0, 'it has forgotten nothing');
    });
  });
}
