// What a conversation is, with every harness: the questions and answers that its caller counts on, no others, and
// nothing of another conversation.
import assert from 'node:assert/strict';

import { onThisMachine, says, waitFor } from '../bridge.mjs';
import { countIn, whole, withSystem } from './harness.mjs';

// Words that no CLI says of itself.
const [APPLE, BANANA, CHERRY, DATE, ELDER] = ['apple', 'banana', 'cherry', 'date', 'elder'].map(word => `the-${word}-word`);
const OAK = 'the-rule-of-the-oak';

export function conversationChecks({ name, can, check, goesCold }) {
  const temperatures = can('warmth') ? ['warm', 'cold'] : ['cold'];

  check('what a client has taken back is never heard again', async (t, { cloud, bridge, cwd }) => {
    const heard = () => cloud.requests.at(-1);

    for (const temperature of temperatures) {
      const session = { session_id: `taken back, ${temperature}`, cwd };
      const ask = (...texts) => bridge.answers(name, says(...texts), session);
      const settles = () => temperature === 'cold' ? goesCold(bridge) : undefined;
      const isWhole = temperature === temperatures[0]; // the rest is the same, however the process was before
      const isRewound = answer => assert.equal(answer.json.bridge.session.how, 'rewound');
      let one, two, three, again;

      await t.test(`another question in the place of the last one, ${temperature}`, async () => {
        one = (await ask(APPLE)).content;
        two = (await ask(APPLE, one, BANANA)).content;
        await settles();
        three = await ask(APPLE, one, CHERRY);
        assert.equal(countIn(heard(), BANANA), 0);
        assert.ok(countIn(heard(), APPLE) >= 2, 'the first question, and the answer that quotes it');
        assert.equal(countIn(heard(), CHERRY), 1);
        isRewound(three);
      });

      if (isWhole)
        await t.test(`the same question again, ${temperature}`, async () => {
          await settles();
          again = await ask(APPLE, one, CHERRY);
          assert.equal(countIn(heard(), BANANA), 0);
          assert.equal(countIn(heard(), CHERRY), 1, 'the question, and no answer to it');
          isRewound(again);
        });

      await t.test(`and the conversation goes on from there, ${temperature}`, async () => {
        await settles();
        const next = await ask(APPLE, one, CHERRY, (again ?? three).content, DATE);
        assert.equal(countIn(heard(), BANANA), 0);
        for (const word of [APPLE, CHERRY, DATE])
          assert.ok(countIn(heard(), word) > 0, word);
        assert.equal(next.json.bridge.session.how, 'resumed');
      });

      if (isWhole)
        await t.test(`what was taken back can be taken up again, ${temperature}`, async () => {
          await settles();
          await ask(APPLE, one, BANANA, two, ELDER);
          for (const word of [APPLE, BANANA, ELDER])
            assert.ok(countIn(heard(), word) > 0, word);
          for (const word of [CHERRY, DATE])
            assert.equal(countIn(heard(), word), 0, word);
        });
    }
  });

  check('two conversations under one session id, at once, stay apart', async (t, { cloud, bridge, cwd }) => {
    const TITLES = 'the-rule-of-titles', TITLE = 'a-fine-title';
    const isTitle = asked => whole(asked).includes(TITLES);
    const asks = (rule, messages, session_id) => bridge.streams(name, withSystem(rule, messages), { session_id, cwd });

    // What `first` asks is answered only when `second` has its answer.
    async function overlap(first, second) {
      const gate = Promise.withResolvers();
      cloud.reset().next({ until: gate.promise }).always(asked => isTitle(asked) ? { text: TITLE } : {});
      const one = first();
      await waitFor('the first has asked', () => cloud.openStreams === 1);
      const two = second();
      await waitFor('the second does not wait for the first', () => two.ended || two.finish, onThisMachine(10_000)).finally(gate.resolve);
      return [await one.finishes(), await two.finishes()];
    }

    for (const order of ['the question, then the title', 'the title, then the question'])
      await t.test(order, async () => {
        const question = () => asks(OAK, says(APPLE), order);
        const title = () => asks(TITLES, says(`title of: ${BANANA}`), order);
        const [one, two] = order.startsWith('the question') ? await overlap(question, title) : await overlap(title, question);
        const answer = order.startsWith('the question') ? one.text : two.text;
        for (const asked of cloud.requests)
          assert.notEqual(whole(asked).includes(TITLES), whole(asked).includes(OAK), 'each has its own instructions');
        for (const asked of cloud.requests)
          assert.notEqual(whole(asked).includes(BANANA), whole(asked).includes(APPLE), 'and its own question');

        cloud.reset();
        await asks(OAK, says(APPLE, answer, CHERRY), order).finishes();
        const heard = cloud.requests.at(-1);
        assert.ok(countIn(heard, APPLE) > 0);
        assert.deepEqual([TITLES, TITLE, BANANA].filter(word => countIn(heard, word)), []);
      });
  });
}
