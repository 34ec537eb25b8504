// Real Claude Code in front of real claudish; only the vendor behind that is a stand-in, on loopback.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';

import { startAnthropic } from '../fakes/vendors.mjs';
import { CLAUDE_BIN, comes, startBridge, test, waitFor } from './bridge.mjs';
import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

const MODEL = 'll@fake-large';

async function freePort() {
  const server = http.createServer();
  await comes('a port to listen at', new Promise(done => server.listen(0, '127.0.0.1', done)));
  const { port } = server.address();
  await comes('the port is free again', new Promise(done => server.close(done)));
  return port;
}

// `claudish serve` wants a list of models to show; what others are called it finds out by itself.
async function startProxy(cloud) {
  const home = mkdtempSync('/tmp/claudish-');
  const port = await freePort(), url = `http://127.0.0.1:${port}`;
  writeFileSync(join(home, 'models.json'), '[]');
  const proxy = spawn(clis.claudish.program(home), ['serve', '--port', String(port), '--models', join(home, 'models.json')], {
    env: { PATH: process.env.PATH, HOME: home, CLAUDISH_DISABLE_TELEMETRY: '1', LITELLM_BASE_URL: cloud.url, LITELLM_API_KEY: 'sk-loopback' },
    stdio: 'ignore',
  });
  await waitFor('claudish listens', () => fetch(`${url}/health`).then(({ ok }) => ok, () => proxy.exitCode !== null));
  assert.equal(proxy.exitCode, null, 'claudish has started');
  return {
    url,
    async close() {
      proxy.kill('SIGKILL');
      await waitFor('claudish is gone', () => proxy.exitCode !== null || proxy.signalCode !== null);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

// claudish lets an answer of its vendor's run on when nobody listens any more.  What of ours is under way is
// seen on the line to claudish: what has been asked there, and of the vendor, and is not answered.
async function startLine(cloud, url) {
  const open = new Set();
  const server = http.createServer((req, res) => {
    const asked = { before: cloud.requests.length };
    const onward = http.request(new URL(req.url, url), { method: req.method, headers: req.headers, agent: false }, answer => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
      answer.on('error', () => res.destroy());
    });
    open.add(asked);
    res.on('close', () => { open.delete(asked); onward.destroy(); });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  });
  await comes('a port to listen at', new Promise(done => server.listen(0, '127.0.0.1', done)));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    get openStreams() { return [...open].filter(({ before }) => cloud.requests.length > before).length; },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const environment = url => ({
  CLAUDISH_BIN: CLAUDE_BIN, CLAUDISH_URL: url, CLAUDISH_ENV_IS_SANDBOX: '1', CLAUDISH_ENV_ANTHROPIC_MODEL: MODEL, CLAUDISH_MODELS: `${MODEL}, ll@fake-small`,
});

const cli = {
  ...clis.claudish,
  async start() {
    const cloud = await clis.claudish.start(), { close } = cloud;
    const proxy = await startProxy(cloud), line = await startLine(cloud, proxy.url);
    Object.defineProperty(cloud, 'openStreams', { get: () => line.openStreams, set() {} });
    return Object.assign(cloud, { proxy: line, close: () => proxy.close().then(() => line.close()).then(close) });
  },
  setUp: (home, cloud) => environment(cloud.proxy.url),
  install: () => ({ CLAUDISH_BIN: CLAUDE_BIN }),
};

suite({
  name: 'claudish', cli, install: /CLAUDISH_URL is not set/, logIn: /CLAUDISH_URL/,
  model: { id: 'll@fake-small', upstream: 'fake-small' }, loads: ['nothing', 'project'], goesOn: 'aloud',
});

test('a name with "@" and "/" goes through untouched, and costs no request of its own', async t => {
  const cloud = await cli.start();
  t.after(() => cloud.close());
  const bridge = await startBridge(t, { backends: ['claudish'], env: environment(cloud.proxy.url) });

  await bridge.answers('claudish/ll@some-vendor/some-model', 'hi');
  assert.deepEqual(cloud.requests.map(({ model }) => model), ['some-vendor/some-model']);
  assert.deepEqual(cloud.sideRequests, []);

  const { data } = (await bridge.get('/v1/models')).json;
  assert.deepEqual(data.map(({ id }) => id), ['claudish/default', `claudish/${MODEL}`, 'claudish/ll@fake-small'], 'those that the operator has named');

  const refused = await bridge.refuses(404, 'model_not_found', 'claudish/nobody@nothing', 'hi');
  assert.match(refused.json.error.message, /could not be routed/);
});

test('no account of the user\'s reaches the proxy', async t => {
  const settings = {
    env: { ANTHROPIC_API_KEY: 'sk-ant-of-the-user', ANTHROPIC_AUTH_TOKEN: 'token-of-the-user', ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' },
    apiKeyHelper: 'echo key-of-the-user',
  };
  const login = { accessToken: 'sk-ant-oat01-of-the-user', refreshToken: 'sk-ant-ort01-of-the-user', expiresAt: Date.now() + 1e8, scopes: ['user:inference', 'user:profile'], subscriptionType: 'max' };
  const proxy = await startAnthropic();
  t.after(() => proxy.close());

  const turn = async (t, env) => {
    const bridge = await startBridge(t, {
      backends: ['claudish'],
      env(home) {
        mkdirSync(join(home, '.claude'), { recursive: true });
        writeFileSync(join(home, '.claude/.credentials.json'), JSON.stringify({ claudeAiOauth: login }));
        writeFileSync(join(home, '.claude/settings.json'), JSON.stringify(settings));
        return { ...environment(proxy.url), ANTHROPIC_API_KEY: 'sk-ant-of-the-user', ...env };
      },
    });
    proxy.reset();
    await bridge.answers('claudish/zai@glm-4.6', 'hi');
    const sent = [...proxy.requests, ...proxy.sideRequests];
    assert.ok(sent.length > 0);
    assert.ok(sent.every(({ headers, raw }) => !`${JSON.stringify(headers)}${raw}`.includes('of-the-user')));
    return sent;
  };

  await t.test('but a token that stands for nobody', async t => {
    const sent = await turn(t, {});
    assert.ok(sent.every(({ headers }) => headers.authorization === 'Bearer claudish' && headers['x-api-key'] === undefined));
    assert.ok(sent.every(({ body }) => body.model === 'zai@glm-4.6'));
  });

  await t.test('or the one that the proxy wants', async t => {
    const sent = await turn(t, { CLAUDISH_ENV_ANTHROPIC_AUTH_TOKEN: 'of-the-proxy' });
    assert.ok(sent.every(({ headers }) => headers.authorization === 'Bearer of-the-proxy'));
  });
});

test('without a model that it is to take, one must be named', async t => {
  const proxy = await startAnthropic();
  t.after(() => proxy.close());
  const bridge = await startBridge(t, { backends: ['claudish'], env: { ...environment(proxy.url), CLAUDISH_ENV_ANTHROPIC_MODEL: '', CLAUDISH_MODELS: '' } });
  assert.deepEqual((await bridge.get('/v1/models')).json.data, []);
  const { json } = await bridge.refuses(404, 'model_not_found', 'claudish', 'hi');
  assert.match(json.error.message, /claudish\/openrouter@deepseek/);
  assert.deepEqual([...proxy.requests, ...proxy.sideRequests].filter(({ method }) => method === 'POST'), []);
});

test('when the proxy does not answer it is unavailable, and says what to do', async t => {
  const bridge = await startBridge(t, { backends: ['claudish'], env: environment('http://127.0.0.1:9'), waits: false });
  const row = await waitFor('it is known', async () =>
    (await bridge.get('/health')).json.backends.find(({ state }) => state === 'unavailable'));
  assert.match(row.detail, /CLAUDISH_URL/);
});
