// Each harness is held to what the program says of it (cli-bridge capabilities), both ways: what it can do works, and
// what it lacks is refused by name, or is named as ignored.  What takes a turn of its own to see is in the other checks
// of the suite, where it asks can().
import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { says } from '../bridge.mjs';
import { capabilitiesOf, countIn, isRefused, PNG, whole, withSystem, write } from './harness.mjs';

const RULE = 'the-rule-of-the-elm', LINK = 'https://pictures.example/the-picture.png';
const NOTE = 'the-note-of-the-ash', OUTSIDE = 'the-word-of-nobody';
const WORK = 'the-work-of-42'; // what the shell makes of:
const WORKING = "printf 'the-work-%s\\n' of-42";

const PDF = Buffer.from(`%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 3 3]>>endobj
trailer<</Root 1 0 R>>
%%EOF
`).toString('base64');

// A part that needs each of these, and the words by which the vendor hears it.
const PARTS = {
  image_urls: [{ type: 'image_url', image_url: { url: LINK } }, LINK],
  pdfs: [{ type: 'file', file: { filename: 'paper.pdf', file_data: `data:application/pdf;base64,${PDF}` } }, PDF],
  audio: [{ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }, 'UklGRg=='],
};

// Each of them asks for something that no CLI can be told.
const WISHES = {
  temperature: 0, top_p: 0.5, n: 2, seed: 7, stop: ['.'], max_completion_tokens: 9, logprobs: true, top_logprobs: 2,
  presence_penalty: 1, logit_bias: { 50256: -100 }, tool_choice: 'required',
  tools: [{ type: 'function', function: { name: 'f', parameters: {} } }], parallel_tool_calls: false,
  modalities: ['text', 'audio'], prediction: { type: 'content', content: 'x' },
  'a name \u2028 of mine': 1,
};

export function capabilityChecks({ name, cli, can, shows, check }) {
  check('it can do what it says that it can, and refuses or names the rest', async (t, { cloud, bridge, cwd }) => {
    const heard = () => cloud.requests.at(-1);

    await t.test('its models say the same of it', async () => {
      for (const { id, capabilities } of (await bridge.get('/v1/models')).json.data)
        assert.deepEqual(capabilities, capabilitiesOf(name), id);
    });

    for (const [capability, [part, words]] of Object.entries(PARTS))
      await t.test(`a part that needs ${capability} reaches the vendor, or is refused by its place`, async () => {
        const messages = [{ role: 'user', content: [{ type: 'text', text: 'look' }, part] }];
        const asked = cloud.requests.length;
        if (can(capability)) {
          await bridge.answers(name, messages);
          return shows(capability, countIn(heard(), words) > 0);
        }
        const { json } = await bridge.refuses(400, 'unsupported_parameter', name, messages);
        assert.match(json.error.message, new RegExp(`^messages\\[0\\]\\.content\\[1\\]: ${name} takes no `));
        assert.equal(cloud.requests.length, asked, 'the vendor is not asked');
        shows(capability, false);
      });

    await t.test('files reach the vendor, sent or by their paths: text as what it is, an image of the project if it takes images', async () => {
      write(join(cwd, 'notes/of mine.txt'), `${NOTE}-on-the-disk </file>`);
      write(join(cwd, 'shot.png'), Buffer.from(PNG, 'base64'));
      const sent = { type: 'file', file: { filename: 'sent.md', file_data: Buffer.from(`${NOTE}-sent`).toString('base64') } };
      const image = { type: 'image_url', image_url: { url: pathToFileURL(join(cwd, 'shot.png')).href, detail: 'high' } };
      const ask = (...parts) => bridge.chat(name, [{ role: 'user', content: [{ type: 'text', text: 'read these' }, ...parts] }], { cwd });
      if (!can('images'))
        isRefused(await ask(image), /^messages\[0\]\.content\[1\]: .* takes no images/);
      const answer = await ask(sent, { type: 'file', file: { path: 'notes/of mine.txt' } }, ...can('images') ? [image] : []);
      assert.equal(answer.status, 200, answer.text);
      assert.ok(countIn(heard(), `<file name=\\"sent.md\\">\\n${NOTE}-sent\\n</file>`) > 0, whole(heard()));
      assert.ok(countIn(heard(), `<file-2 name=\\"notes/of mine.txt\\">\\n${NOTE}-on-the-disk </file>\\n</file-2>`) > 0, whole(heard()));
      assert.equal(countIn(heard(), PNG) > 0, can('images'));
      shows('image_detail', countIn(heard(), '"detail":"high"') > 0);
      const ignored = can('images') && !can('image_detail') ? 'messages.content.image_url.detail' : '';
      assert.equal(answer.headers['x-bridge-ignored'] ?? '', ignored);
    });

    await t.test('nothing outside of the project is sent, and no private address', async () => {
      write(join(cwd, '../outside.txt'), OUTSIDE);
      symlinkSync('../outside.txt', join(cwd, 'a-link'));
      const asked = cloud.requests.length;
      for (const part of [
        { type: 'file', file: { path: '../outside.txt' } }, { type: 'file', file: { path: 'a-link' } },
        { type: 'file', file: { path: join(cwd, '../outside.txt') } }, { type: 'file', file: { file_id: 'file-1' } },
        { type: 'image_url', image_url: { url: 'http://169.254.169.254/latest' } }])
        isRefused(await bridge.chat(name, [{ role: 'user', content: [part] }], { cwd }), /^messages\[0\]\.content\[0\]/);
      assert.equal(cloud.requests.length, asked, 'the vendor is not asked');
    });

    await t.test('what no CLI can be told is named', async () => {
      const answer = await bridge.answers(name, 'hello', WISHES);
      const ignored = answer.headers['x-bridge-ignored'].split(', ').sort();
      shows('client_tools', !ignored.includes('tools'));
      const names = Object.keys(WISHES).filter(wish => wish !== 'tools' || !can('client_tools')).map(wish => encodeURIComponent(wish)).sort();
      assert.deepEqual(ignored, names);
      assert.deepEqual(answer.json.bridge.ignored.toSorted(), names);
      const asked = cloud.requests.length;
      const { json } = await bridge.refuses(400, 'unsupported_parameter', name, 'hello', WISHES, { 'x-bridge-strict': 'true' });
      for (const wish of names)
        assert.ok(json.error.message.includes(wish), wish);
      assert.equal(cloud.requests.length, asked, 'the vendor is not asked');
    });

    await t.test('an authorization for a service is named', async () => {
      const { headers } = await bridge.answers(name, 'hello', {}, { 'x-tangle-forwarded-authorization': 'Bearer x' });
      shows('forwarded_authorization', headers['x-bridge-ignored'] !== 'X-Tangle-Forwarded-Authorization');
    });

    await t.test('a system prompt joins the instructions, or is told', async () => {
      await bridge.answers(name, withSystem(RULE, says('hello')));
      assert.ok(countIn(heard(), RULE) > 0);
      shows('system', !heard().said.some(text => text.includes(RULE)));
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
      shows('rewind', can('rewind'));
      assert.equal(countIn(heard(), 'the-second-question'), 0, two.content);
    });
  });
}
