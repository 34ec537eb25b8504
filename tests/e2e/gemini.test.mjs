// Gemini CLI, over the Agent Client Protocol: see suite.mjs for what every harness must do.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

// It reads the defaults that the bridge has for it only where nobody but root could have written them; on any
// other machine its user has to say how often it may try.  "auto" asks a model which model to ask, and so does
// an answer that says the same word too often.
const cli = {
  ...clis.gemini,
  setUp(home, cloud, harness) {
    const env = clis.gemini.setUp(home, cloud, harness);
    const path = join(home, '.gemini/settings.json');
    const settings = JSON.parse(readFileSync(path, 'utf8'));
    Object.assign(settings.general, { maxAttempts: 1, retryFetchErrors: false });
    writeFileSync(path, JSON.stringify({ ...settings, model: { name: 'gemini-2.5-pro', disableLoopDetection: true } }));
    return env;
  },
};

suite({
  name: 'gemini',
  cli,
  logIn: /run gemini and log in/,
  install: /npm install -g @google\/gemini-cli/,
  model: { id: 'gemini-2.5-flash' },
  shares: true,
  inert: text => text.startsWith('/') ? `The user says:\n\n${text}` : text,
});
