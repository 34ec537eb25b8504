// How each CLI is asked once, so that it streams what it can, and when it has said its first word.
//
// `args` are its arguments, the last of which is the prompt unless it is read from `stdin`.  `isWord` says of
// a line whether there is text of the answer in it: the first delta, or the message where it tells only whole
// ones.  `cli` is what it is called in clis.mjs, if not so, and `model` what the bridge is asked for, if not
// its default.  `driver` is the one of drivers.mjs that speaks with it when it stays; `goal` is how many times
// faster a warm turn is to be than a cold one; `from` is its package.

const isClaudes = ({ event }) => event?.delta?.type === 'text_delta';

export const oneshots = {
  claude: {
    args: ['-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'], stdin: true, isWord: isClaudes,
    driver: 'claude', goal: 5, from: '@anthropic-ai/claude-code-linux-x64',
  },
  codex: {
    args: ['exec', '--json', '--skip-git-repo-check', '--disable', 'plugins'], whole: true,
    isWord: ({ type, item }) => type === 'item.completed' && item.type === 'agent_message',
    driver: 'codex', goal: 3, from: '@openai/codex-linux-x64',
  },
  opencode: {
    args: ['run', '--format', 'json'], stdin: true, whole: true, isWord: ({ type }) => type === 'text',
    driver: 'opencode', goal: 5, from: 'opencode-linux-x64',
  },
  gemini: {
    args: ['-m', 'gemini-2.5-flash', '-o', 'stream-json', '--skip-trust', '-p'],
    isWord: ({ type, role }) => type === 'message' && role === 'assistant',
    driver: 'acp', goal: 30, model: 'gemini/gemini-2.5-flash', from: '@google/gemini-cli',
  },
  qwen: {
    args: ['-o', 'stream-json', '--include-partial-messages'], isWord: isClaudes,
    driver: 'acp', goal: 30, from: '@qwen-code/qwen-code',
  },
  kimi: {
    args: ['--output-format', 'stream-json', '-p'], whole: true, isWord: ({ role, content }) => role === 'assistant' && content,
    driver: 'acp', goal: 30, from: '@moonshot-ai/kimi-code',
  },
  copilot: {
    args: ['--output-format', 'json', '-p'], isWord: ({ type }) => type === 'assistant.message_delta',
    driver: 'acp', goal: 5, from: '@github/copilot-linux-x64',
  },
  factory: {
    cli: 'droid',
    args: ['exec', '-o', 'stream-json', '-m', 'custom:fake-large'], whole: true,
    isWord: ({ type, role }) => type === 'message' && role === 'assistant',
    driver: 'droid', goal: 5, from: '@factory/cli-linux-x64',
  },
  pi: {
    args: ['--mode', 'json'], isWord: ({ assistantMessageEvent }) => assistantMessageEvent?.type === 'text_delta',
    driver: 'pi', goal: 5, from: '@earendil-works/pi-coding-agent',
  },
  claudish: {
    args: ['--models-skip-update', '--no-auto-approve', '--model', 'll@fake-large',
      '-p', '--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    isWord: isClaudes, driver: 'claude', goal: 5, model: 'claudish/ll@fake-large', from: 'claudish',
  },
};
