// GitHub's Copilot CLI, over the Agent Client Protocol: see suite.mjs for what every harness must do.

import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

suite({
  name: 'copilot',
  cli: clis.copilot,
  logIn: /run copilot login/,
  install: /npm install -g @github\/copilot/,
  shares: true,
  goesOn: 'in the turn',
  inert: text => text.startsWith('/') ? `The user says:\n\n${text}` : text,
});
