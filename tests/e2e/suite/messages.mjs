// Every part of every message reaches the model, or is refused by name.
import assert from 'node:assert/strict';

import { countIn, PNG, whole } from './harness.mjs';

const RESULT = 'the-result-word', BEHIND_NUL = 'the-word-behind', ARGUMENT = 'the-argument-word';
const IMAGE = { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } };

const user = content => ({ role: 'user', content });
const assistant = (content, calls) => ({ role: 'assistant', content, ...(calls && { tool_calls: calls }) });
const call = (id, name) => ({ id, type: 'function', function: { name, arguments: JSON.stringify({ at: ARGUMENT }) } });
const result = (id, content) => ({ role: 'tool', tool_call_id: id, content });

export function messageChecks({ name, check }) {
  check('every part of a message reaches the model', async (t, { cloud, bridge }) => {
    const heard = () => cloud.requests.at(-1);
    const reaches = (...words) => assert.deepEqual(words.filter(word => !countIn(heard(), word)), []);

    await t.test('the result of a tool that ends the request', async () => {
      await bridge.answers(name, [user('the-question'), assistant('let me look', [call('c1', 'look')]), result('c1', RESULT)]);
      reaches('the-question', 'let me look', ARGUMENT, RESULT);
      assert.doesNotMatch(JSON.stringify(heard().said), /interrupted/i);
    });

    await t.test('the same in a session, and what comes behind it', async () => {
      const session = { session_id: 'tools' };
      const asked = [user('the-question'), assistant(null, [call('c1', 'look')]), result('c1', RESULT)];
      const { content } = await bridge.answers(name, asked, session);
      reaches('the-question', ARGUMENT, RESULT);
      await bridge.answers(name, [...asked, assistant(content), user('the-next-question')], session);
      reaches('the-question', ARGUMENT, RESULT, 'the-next-question');
    });

    await t.test('calls of tools that another vendor has numbered and named', async () => {
      await bridge.answers(name, [user('ask'),
        assistant(null, [call('functions.Bash:0', 'Bash'), call('call|two', 'web.search')]),
        result('functions.Bash:0', `${RESULT}-one`), result('call|two', `${RESULT}-two`), assistant('it is so'), user('go on')]);
      reaches(ARGUMENT, `${RESULT}-one`, `${RESULT}-two`, 'it is so', 'go on');
      assert.match(whole(heard()), /web.{0,8}search/);
    });

    await t.test('what is behind a NUL, or another mark that ends a line somewhere', async () => {
      const odd = mark => `left${mark}${BEHIND_NUL}`;
      await bridge.answers(name, [{ role: 'system', content: odd('\u2028') }, user('ask'), assistant(odd('\u2029'), [call('c1', 'look')]),
        result('c1', odd('\0')), assistant('so'), user(`one\u2028two\u2029three\u0085${BEHIND_NUL}`)]);
      assert.equal(countIn(heard(), BEHIND_NUL), 4);
    });

    await t.test('the same, at the end', async () => {
      await bridge.answers(name, [user('ask'), assistant('x', [call('c1', 'look')]), result('c1', `left\0${BEHIND_NUL}`)]);
      reaches(BEHIND_NUL);
    });

    await t.test('an image in the result of a tool, or it is refused by name', async () => {
      const answer = await bridge.chat(name, [user('ask'), assistant(null, [call('c1', 'look')]), result('c1', [{ type: 'text', text: RESULT }, IMAGE])]);
      if (answer.status !== 200) {
        assert.equal(answer.json.error.code, 'unsupported_parameter', answer.text);
        return assert.match(answer.json.error.message, /image/);
      }
      reaches(RESULT, PNG);
    });
  });
}
