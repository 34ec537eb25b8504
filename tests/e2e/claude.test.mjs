// Real Claude Code; only Anthropic's cloud is a stand-in, on loopback.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { startAnthropic } from '../fakes/vendors.mjs';
import { startMcp } from '../fakes/mcp.mjs';
import { fake } from './clis.mjs';
import { claudeEnv, isGone, isThere, says, startBridge, test, waitFor } from './bridge.mjs';

async function start(t, env = () => ({})) {
  const cloud = await startAnthropic();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['claude'], env: home => ({ ...claudeEnv(cloud), ...env(home) }) });
  return { cloud, bridge };
}

// What was said, without what Claude Code itself puts in between: reminders, and messages of the role "system".
const texts = request => request.body.messages.filter(({ role }) => role !== 'system').map(({ role, content }) =>
  [role, [content].flat().map(part => part.text ?? part).filter(text => typeof text === 'string' && !text.startsWith('<system-reminder>')).join('')]);

const clis = bridge => bridge.clisOf('claude').map(({ pid }) => pid);

test('real Claude Code answers, and stays warm', async t => {
  const { cloud, bridge } = await start(t);
  const session = { session_id: 'warm' };
  let pids;

  await t.test('the first turn', async () => {
    const answer = await bridge.answers('claude', 'hello one', session);
    assert.equal(answer.content, 'turn 1: you said "hello one"; before: []');
    assert.equal(answer.headers['x-bridge-session'], 'new');
    assert.equal(answer.headers['x-bridge-harness'], 'claude');
    assert.ok(answer.json.usage.total_tokens > 0);
    pids = clis(bridge);
    assert.ok(pids.length >= 1);
  });

  await t.test('the second turn: the same process, history upstream, nothing replayed', async () => {
    const before = cloud.requests.length;
    const client = await bridge.streams('claude', says('hello one', 'turn 1: you said "hello one"; before: []', 'hello two'), session).finishes();
    assert.equal(client.text, 'turn 2: you said "hello two"; before: ["hello one"]');
    assert.equal(client.headers['x-bridge-session'], 'resumed');
    assert.equal(cloud.requests.length, before + 1);
    assert.deepEqual(clis(bridge), pids);
    assert.deepEqual(texts(cloud.requests.at(-1)).map(([role]) => role), ['user', 'assistant', 'user']);
  });

  await t.test('deltas come token by token', async () => {
    cloud.next({ chunks: ['al', 'pha ', 'be', 'ta'], delayMs: 100 });
    const client = await bridge.streams('claude/sonnet', 'go', session).finishes();
    assert.equal(client.text, 'alpha beta');
    const at = client.chunks.flatMap((chunk, n) => chunk.choices?.[0]?.delta?.content ? [client.at[n]] : []);
    assert.ok(at.length >= 3 && at.at(-1) - at[0] >= 200);
  });

  await t.test('a model of the caller\'s goes upstream, and its aliases lead here', async () => {
    await bridge.answers('claude-code/claude-haiku-4-5', 'x');
    assert.equal(cloud.requests.at(-1).body.model, 'claude-haiku-4-5');
    await bridge.answers('cc', 'x');
  });

  await t.test('thinking is reasoning_content', async () => {
    cloud.next({ thinking: 'let me think', text: 'done' });
    const client = await bridge.streams('claude', 'go').finishes();
    assert.equal(client.reasoning, 'let me think');
    assert.equal(client.text, 'done');
  });

  await t.test('its own tools are told in the extension, never as tool_calls', async () => {
    cloud.next({ toolUse: { name: 'Bash', input: { command: 'echo from-the-tool', description: 'say it' } } });
    const client = await bridge.streams('claude', 'run it').finishes();
    assert.match(client.text, /the tool said "from-the-tool/);
    assert.ok(client.tools.some(tool => tool.name === 'Bash'));
    assert.ok(client.deltas.every(delta => !('tool_calls' in delta)));
    assert.equal(client.finish, 'stop');
  });

  await t.test('a system message arrives unabridged', async () => {
    const rule = `always be kind ${'and brief '.repeat(500)}`;
    await bridge.answers('claude', [{ role: 'system', content: rule }, { role: 'user', content: 'hi' }]);
    assert.ok(JSON.stringify(cloud.requests.at(-1).body).includes(JSON.stringify(rule).slice(1, -1)));
  });

  await t.test('a history without a session arrives as turns, not flattened', async () => {
    await bridge.answers('claude', says('first', 'answer', 'second'));
    assert.deepEqual(texts(cloud.requests.at(-1)), [['user', 'first'], ['assistant', 'answer'], ['user', 'second']]);
  });

  await t.test('usage is OpenAI\'s, with what caches had and what it costs, streamed or not', async () => {
    const usage = { input_tokens: 11, cache_read_input_tokens: 400, cache_creation_input_tokens: 30, output_tokens: 5 };
    cloud.next({ usage }, { usage });
    const { json } = await bridge.answers('claude', 'go');
    const { cost_usd: cost, ...numbers } = json.usage;
    assert.deepEqual(numbers, {
      prompt_tokens: 441, completion_tokens: 5, total_tokens: 446,
      prompt_tokens_details: { cached_tokens: 400, cache_write_tokens: 30 },
      completion_tokens_details: { reasoning_tokens: 0 },
      cost_source: 'claude_code_list_price',
    });
    assert.ok(cost > 0 && cost < 1, `${cost}`);
    const client = await bridge.streams('claude', 'go', { stream_options: { include_usage: true } }).finishes();
    assert.deepEqual(client.usage, json.usage);
  });

  await t.test('an image goes upstream', async () => {
    const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    await bridge.answers('claude', [{ role: 'user', content: [{ type: 'text', text: 'look' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } }] }]);
    assert.match(JSON.stringify(cloud.requests.at(-1).body.messages), /"type":"image"/);
  });

  await t.test('nothing but the turns has gone out', () => {
    assert.ok(cloud.requests.every(({ path }) => path === '/v1/messages'));
    assert.ok(cloud.requests.every(({ headers }) => (headers['x-api-key'] ?? headers.authorization)?.includes('sk-ant-loopback')));
  });
});

for (const version of ['tested', 'other'])
  test(`a caller's text is inert to the ${version} version`, async t => {
    const { cloud, bridge } = await start(t, home => version === 'other' ? { CLAUDE_BIN: fake(home, 'older-claude') } : {});
    const cwd = join(bridge.directory, 'work');
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'secret.txt'), 'the-canary-sings');
    const end = version === 'other' ? '(end of the message)' : '';

    await t.test('@file is not read', async () => {
      for (const text of ['@secret.txt', `look at @${join(cwd, 'secret.txt')} please`]) {
        await bridge.answers('claude', text, { cwd });
        assert.doesNotMatch(JSON.stringify(cloud.requests.at(-1).body), /the-canary-sings/);
        assert.equal(texts(cloud.requests.at(-1)).at(-1)[1], text + end);
      }
    });

    await t.test('/commands reach the model, and /clear clears nothing', async () => {
      const session = { session_id: 'inert', cwd };
      await bridge.answers('claude', 'remember me', session);
      for (const text of ['/clear', '/cost', '/help', '!touch it'])
        assert.match((await bridge.answers('claude', text, session)).content, new RegExp(`you said "${text}[^"]*"; before: \\["remember me"`));
    });

    await t.test('the environment holds no secret of ours', async () => {
      for (const pid of clis(bridge)) {
        const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
        assert.doesNotMatch(environment, /(^|\0)(BRIDGE_|CLAUDECODE=)/);
      }
    });
  });

// Each source of what Claude Code may be told beside the turn has a word of its own.
function plantWords(home, cwd) {
  const write = (path, text) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text));
  };
  const kinds = (where, who) => {
    write(join(where, `skills/${who}/SKILL.md`), `---\nname: ${who}\ndescription: WORD-${who}-skill\n---\nbody`);
    write(join(where, `commands/${who}-command.md`), `---\ndescription: WORD-${who}-command\n---\nbody`);
    write(join(where, `agents/${who}.md`), `---\nname: ${who}\ndescription: WORD-${who}-agent\n---\nbody`);
    write(join(where, 'rules/rule.md'), `WORD-${who}-rule`);
  };
  const settings = who => ({ hooks: { SessionStart: [{ hooks: [{ type: 'command', command: `echo WORD-${who}-hook` }] }] } });
  const server = who => ({ mcpServers: { [who]: { command: '/bin/sh', args: ['-c', `touch ${join(home, `ran-${who}`)}`] } } });

  kinds(join(home, '.claude'), 'user');
  write(join(home, '.claude/CLAUDE.md'), 'WORD-user-memory');
  write(join(home, '.claude/settings.json'), { ...settings('user'), language: 'WORD-user-setting' });
  write(join(home, `.claude/projects/${cwd.replace(/[^a-zA-Z0-9]/g, '-')}/memory/MEMORY.md`), 'WORD-user-note');
  write(join(home, '.claude.json'), { ...server('user'), projects: { [cwd]: { hasTrustDialogAccepted: true, enabledMcpjsonServers: ['project'], ...server('private') } } });

  kinds(join(cwd, '.claude'), 'project');
  write(join(cwd, 'CLAUDE.md'), 'WORD-project-memory');
  write(join(cwd, 'CLAUDE.local.md'), 'WORD-private-memory');
  write(join(cwd, '.claude/settings.json'), settings('project'));
  write(join(cwd, '.claude/settings.local.json'), settings('private'));
  write(join(cwd, '.mcp.json'), server('project'));
}

const every = who => [...['agent', 'command', 'hook', 'memory', 'rule', 'skill'].map(kind => `${who}-${kind}`)];

for (const [level, words, servers] of [
  ['nothing', [], []],
  ['project', every('project'), ['project']],
  ['everything', [...every('project'), ...every('user'), 'private-hook', 'private-memory', 'user-note', 'user-setting'], ['private', 'project', 'user']],
])
  test(`told to load ${level}, it loads no more and no less, and stays logged in`, async t => {
    const cloud = await startAnthropic();
    t.after(() => cloud.close());
    const directory = mkdtempSync('/tmp/claude-project-');
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const login = { accessToken: 'sk-ant-oat01-loopback', refreshToken: 'sk-ant-ort01-x', expiresAt: Date.now() + 1e8, scopes: ['user:inference', 'user:profile'], subscriptionType: 'max' };
    const bridge = await startBridge(t, {
      backends: ['claude'],
      env(home) {
        plantWords(home, directory);
        writeFileSync(join(home, '.claude/.credentials.json'), JSON.stringify({ claudeAiOauth: login }));
        return { ...claudeEnv(cloud), CLAUDE_ENV_ANTHROPIC_API_KEY: '', CLAUDE_LOADS: level };
      },
    });
    await bridge.answers('claude', 'hi', { cwd: directory });
    const { body, headers } = cloud.requests.at(-1);
    const found = new Set([...JSON.stringify(body).matchAll(/WORD-(\w+-\w+)/g)].map(([, word]) => word));
    assert.deepEqual([...found].sort(), [...words].sort());
    assert.deepEqual(['private', 'project', 'user'].filter(who => existsSync(join(bridge.env.HOME, `ran-${who}`))), servers);
    assert.equal(headers.authorization, 'Bearer sk-ant-oat01-loopback');
  });

test('the working directory is the session\'s, and must exist', async t => {
  const { cloud, bridge } = await start(t);
  const cwd = join(bridge.directory, 'project');
  mkdirSync(cwd);
  cloud.next({ toolUse: { name: 'Bash', input: { command: 'pwd', description: 'where' } } });
  const answer = await bridge.answers('claude', 'where are you?', { cwd, session_id: 'here' });
  assert.match(answer.content, new RegExp(cwd));
  const refused = await bridge.refuses(400, 'invalid_cwd', 'claude', 'x', { cwd: '/no/such/place' });
  assert.match(refused.json.error.message, /\/no\/such\/place/);
});

test('a prompt of 10 MB arrives whole', async t => {
  const { cloud, bridge } = await start(t);
  const prompt = 'lorem ipsum '.repeat(900_000);
  await bridge.answers('claude', prompt);
  assert.ok(texts(cloud.requests.at(-1)).at(-1)[1].length >= prompt.trimEnd().length);
});

test('a client that leaves takes its turn with it', async t => {
  const { cloud, bridge } = await start(t);

  await t.test('while Claude Code is silent', async () => {
    await bridge.answers('claude', 'one', { session_id: 's' });
    cloud.next({ hang: true });
    const client = bridge.streams('claude', 'two', { session_id: 's' });
    await waitFor('it asks upstream', () => cloud.openStreams === 1);
    client.leaves();
    await isGone(async () => (await bridge.get('/health')).json.backends.filter(row => row.running), { within: 500, since: client.leftAt });
    await isGone(() => cloud.openStreams ? ['a stream'] : [], { within: 500, since: client.leftAt });
  });

  await t.test('while it streams', async () => {
    cloud.next({ chunks: Array(1000).fill('word '), delayMs: 20 });
    const client = await bridge.streams('claude', 'three', { session_id: 's' }).hears(/word/);
    client.leaves();
    await isGone(() => cloud.openStreams ? ['a stream'] : [], { within: 500, since: client.leftAt });
  });

  await t.test('a turn without a session leaves no process behind', async () => {
    const before = clis(bridge);
    cloud.next({ hang: true });
    const client = bridge.streams('claude', 'x');
    await waitFor('it asks upstream', () => cloud.openStreams === 1);
    client.leaves();
    await isGone(() => clis(bridge).filter(pid => !before.includes(pid)), { within: 500, since: client.leftAt });
  });

  await t.test('and the session goes on', async () => {
    const answer = await bridge.answers('claude', 'four', { session_id: 's' });
    assert.match(answer.content, /four"; before: \["one"/); // Claude Code adds that it was interrupted
  });
});

test('what the vendor refuses is a typed error, not text', async t => {
  const { cloud, bridge } = await start(t);
  const fails = async (behaviour, status, code) => {
    cloud.reset();
    cloud.always(behaviour);
    const answer = await bridge.chat('claude', 'hi');
    assert.equal(answer.status, status, answer.text);
    assert.ok([code].flat().includes(answer.json.error.code), answer.text);
    const streamed = bridge.streams('claude', 'hi');
    await streamed.ends();
    assert.ok([code].flat().includes((streamed.error ?? streamed.json.error).code));
    assert.equal(streamed.text, '');
    assert.equal(streamed.finish, undefined);
    return answer;
  };

  await t.test('429, with Retry-After', async () => {
    const answer = await fails({ status: 429, headers: { 'retry-after': '7' } }, 429, ['rate_limit_exceeded', 'insufficient_quota']);
    assert.ok(Number(answer.headers['retry-after']) > 0);
  });
  await t.test('401', () => fails({ status: 401, error: 'invalid x-api-key' }, 401, 'harness_login_required'));
  await t.test('500', () => fails({ status: 500 }, 502, ['harness_failed', 'upstream_failed']));
  await t.test('529', () => fails({ status: 529, type: 'overloaded_error' }, 503, 'upstream_overloaded'));
  await t.test('400', async () => {
    cloud.reset();
    cloud.always({ status: 400, error: 'prompt is too long: 300000 tokens > 200000 maximum' });
    await bridge.refuses(400, 'context_length_exceeded', 'claude', 'hi');
    cloud.always({ status: 400, error: 'the stars are wrong' });
    const refused = await bridge.refuses(400, 'invalid_value', 'claude', 'hi');
    assert.match(refused.json.error.message, /^claude: .*the stars are wrong/);
    assert.equal(refused.json.error.param, null, 'what a vendor refuses is no field of the bridge\'s');
  });
  await t.test('a truncated stream is no finished answer, and no word comes twice', async () => {
    cloud.reset();
    cloud.always({ chunks: ['one ', 'two ', 'three '], cutAfter: 2, delayMs: 5 });
    const client = await bridge.streams('claude', 'hi').ends(60_000);
    assert.equal(client.finish, undefined);
    assert.ok(client.error ?? client.json.error);
    assert.match('one two three ', new RegExp(`^${client.text}`));
  });
  await t.test('and then it works again', async () => {
    cloud.reset();
    await bridge.answers('claude', 'hi');
  });
});

for (const victim of ['CLI', 'worker', 'gateway', 'supervisor'])
  test(`a session is resumed after kill -9 of the ${victim}`, async t => {
    const { cloud, bridge } = await start(t);
    const session = { session_id: 'survivor' };
    await bridge.answers('claude', 'hello one', session);
    const pids = clis(bridge);

    if (victim === 'CLI') {
      pids.forEach(pid => process.kill(pid, 'SIGKILL'));
      await isGone(() => pids.filter(isThere), { within: 5000 });
    } else if (victim === 'supervisor') {
      bridge.daemon.kill('SIGKILL');
      await waitFor('it is dead', () => bridge.exit);
      await isGone(() => pids.filter(isThere), { within: 5000 });
      await bridge.starts();
      await bridge.isReady();
    } else {
      const name = victim === 'worker' ? 'claude' : victim;
      const old = await bridge.kill(name);
      await bridge.isReplaced(name, old);
    }

    const answer = await bridge.answers('claude', says('hello one', 'x', 'hello two'), session);
    assert.equal(answer.content, 'turn 2: you said "hello two"; before: ["hello one"]');
    assert.equal(answer.headers['x-bridge-session'], 'resumed');
    assert.equal(cloud.requests.length, 2, 'nothing was asked twice');
  });

test('a session that Claude Code has lost starts anew with its history, and says so', async t => {
  const { cloud, bridge } = await start(t);
  const session = { session_id: 'lost' };
  const first = await bridge.answers('claude', 'hello one', session);
  const pids = clis(bridge);
  pids.forEach(pid => process.kill(pid, 'SIGKILL'));
  await isGone(() => pids.filter(isThere), { within: 5000 });
  rmSync(join(bridge.env.HOME, '.claude'), { recursive: true, force: true });

  const answer = await bridge.answers('claude', says('hello one', first.content, 'hello two'), session);
  assert.match(answer.content, /you said "hello two"; before: \["hello one"\]/);
  const how = answer.headers['x-bridge-session'] === 'replayed' ? 'replayed' : answer.json.bridge.session.how;
  assert.equal(how, 'replayed');
  assert.deepEqual(texts(cloud.requests.at(-1)).map(([role]) => role), ['user', 'assistant', 'user']);
  const third = await bridge.answers('claude', 'hello three', session);
  assert.match(third.content, /before: \["hello one","hello two"\]/);
});

test('200 at once with a limit of 2 are answered in turn', async t => {
  const { cloud, bridge } = await start(t, () => ({ CLAUDE_MAX_RUNNING: '2', CLAUDE_MAX_QUEUED: '300' }));
  let most = 0;
  const watch = setInterval(() => { most = Math.max(most, cloud.openStreams); }, 5);
  t.after(() => clearInterval(watch));
  const sessions = 4; // so that most of them find a warm process
  const clients = Array.from({ length: 200 }, (_, n) => bridge.streams('claude', `number ${n}`, { session_id: `s${n % sessions}` }));
  for (const [n, client] of clients.entries()) {
    await client.finishes(500_000);
    assert.match(client.text, new RegExp(`you said "number ${n}"`));
  }
  assert.ok(most <= 2, `${most} ran at once`);
  assert.equal(cloud.requests.length, 200, 'each was asked once');
});

test('MCP servers are told to the process that runs', async t => {
  const { cloud, bridge } = await start(t, () => ({ CLAUDE_ENV_MCP_TIMEOUT: '1500' }));
  const mcp = await startMcp();
  t.after(() => mcp.close());
  const session = { session_id: 'live' };
  const asks = (text, mcpServers) => bridge.chat('claude', text, { ...session, mcp: { mcpServers } });
  const offered = () => cloud.requests.at(-1).body.tools.map(({ name }) => name).filter(name => name.startsWith('mcp__'));
  const one = { url: mcp.url };
  let pids;

  await t.test('others take their place in the same process', async () => {
    assert.equal((await asks('one', { first: one })).status, 200);
    assert.deepEqual(offered(), ['mcp__first__tell', 'mcp__first__wait']);
    pids = clis(bridge);
    assert.equal((await asks('two', { second: one })).status, 200);
    assert.deepEqual(offered(), ['mcp__second__tell', 'mcp__second__wait']);
    assert.deepEqual(clis(bridge), pids);
  });

  await t.test('one that does not answer fails its turn, and not the next', async () => {
    const before = cloud.requests.length;
    const answer = await asks('three', { mute: { url: mcp.mute } });
    assert.equal(answer.status, 424, answer.text);
    assert.equal(answer.json.error.param, 'mcp.mcpServers.mute');
    assert.equal(cloud.requests.length, before, 'the model is not asked');
    const next = await bridge.answers('claude', 'four', session);
    assert.deepEqual(offered(), ['mcp__second__tell', 'mcp__second__wait']);
    assert.match(next.content, /before: \["one","two"\]/);
    assert.deepEqual(clis(bridge), pids);
  });

  await t.test('they can be taken away', async () => {
    assert.equal((await asks('five', {})).status, 200);
    assert.deepEqual(offered(), []);
    assert.deepEqual(clis(bridge), pids);
  });
});
