// Each harness is held to what the program says of it (cli-bridge capabilities), both ways: what it can do works, and
// what it lacks is refused by name, or is named as ignored.  What takes a turn of its own to see is in the other checks
// of the suite, where it asks can().
import assert from 'node:assert/strict';

import { says, test } from '../bridge.mjs';
import { capabilitiesOf, countIn, withSystem } from './harness.mjs';

const RULE = 'the-rule-of-the-elm', LINK = 'https://127.0.0.1:9/the-picture.png';
const WORK = 'the-work-of-42'; // what the shell makes of:
const WORKING = "printf 'the-work-%s\\n' of-42";

const PARTS = {
  image_urls: { type: 'image_url', image_url: { url: LINK } },
  files: { type: 'file', file: { filename: 'notes.txt', file_data: 'data:text/plain;base64,aGVsbG8=' } },
  audio: { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
};

// Each of them asks for something that no CLI can be told.
const WISHES = {
  temperature: 0, top_p: 0.5, n: 2, seed: 7, stop: ['.'], max_completion_tokens: 9, logprobs: true, top_logprobs: 2,
  presence_penalty: 1, logit_bias: { 50256: -100 }, response_format: { type: 'json_object' }, tool_choice: 'required',
  tools: [{ type: 'function', function: { name: 'f', parameters: {} } }], parallel_tool_calls: false,
  reasoning_effort: 'high', modalities: ['text', 'audio'], prediction: { type: 'content', content: 'x' },
  'a name \u2028 of mine': 1,
};

export function capabilityChecks({ name, cli, can, start }) {
  test(`${name}: it can do what it says that it can, and refuses or names the rest`, async t => {
    const { cloud, bridge, cwd } = await start(t);
    const heard = () => cloud.requests.at(-1);

    await t.test('its models say the same of it', async () => {
      for (const { id, capabilities } of (await bridge.get('/v1/models')).json.data)
        assert.deepEqual(capabilities, capabilitiesOf(name), id);
    });

    for (const [capability, part] of Object.entries(PARTS))
      await t.test(`a part that needs ${capability} reaches the vendor, or is refused by its place`, async () => {
        const messages = [{ role: 'user', content: [{ type: 'text', text: 'look' }, part] }];
        const asked = cloud.requests.length;
        if (can(capability)) {
          await bridge.answers(name, messages);
          return assert.ok(countIn(heard(), capability === 'image_urls' ? LINK : Object.values(part)[1].data) > 0);
        }
        const { json } = await bridge.refuses(400, 'unsupported_parameter', name, messages);
        assert.match(json.error.message, new RegExp(`^messages\\[0\\]\\.content\\[1\\]: ${name} takes no `));
        assert.equal(cloud.requests.length, asked, 'the vendor is not asked');
      });

    await t.test('what no CLI can be told is named', async () => {
      const answer = await bridge.answers(name, 'hello', WISHES);
      const names = Object.keys(WISHES).map(wish => encodeURIComponent(wish)).sort();
      assert.deepEqual(answer.headers['x-bridge-ignored'].split(', ').sort(), names);
      assert.deepEqual(answer.json.bridge.ignored.toSorted(), names);
    });

    await t.test('a system prompt joins the instructions, or is told', async () => {
      await bridge.answers(name, withSystem(RULE, says('hello')));
      assert.ok(countIn(heard(), RULE) > 0);
      assert.equal(heard().said.some(text => text.includes(RULE)), !can('system'));
    });

    await t.test('when it goes back it knows what it has done until then, or begins with what it is told', async () => {
      const session = { session_id: 'going back', cwd };
      cloud.next({ toolUse: cli.shell(WORKING) }, { text: 'it is done' });
      const one = await bridge.answers(name, 'work', session);
      assert.ok(countIn(heard(), WORK) > 0, 'it has worked');
      const two = await bridge.answers(name, says('work', one.content, 'the-second-question'), session);
      const again = await bridge.answers(name, says('work', one.content, 'another-question'), session);
      assert.equal(again.json.bridge.session.how, 'rewound');
      assert.equal(countIn(heard(), WORK) > 0, can('rewind') || one.content.includes(WORK));
      assert.equal(countIn(heard(), 'the-second-question'), 0, two.content);
    });
  });
}
