// Qwen Code, over the Agent Client Protocol: see suite.mjs for what every harness must do.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

// Whether a model can see it takes from the model's name, unless it is told.
const models = cloud => ['fake-large', 'fake-small'].map(id => ({
  id, name: id, baseUrl: `${cloud.url}/v1`, envKey: 'OPENAI_API_KEY', generationConfig: { modalities: { image: true } },
}));

const cli = {
  ...clis.qwen,
  setUp(home, cloud, harness) {
    const env = clis.qwen.setUp(home, cloud, harness);
    const path = join(home, '.qwen/settings.json');
    const settings = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...settings, modelProviders: { openai: models(cloud) }, model: { name: 'fake-large' } }));
    return env;
  },
};

// It tries seven times in a minute and a quarter, and has no switch for that.
suite({
  name: 'qwen',
  cli,
  logIn: /run qwen and log in/,
  install: /npm install -g @qwen-code\/qwen-code/,
  model: { id: 'fake-small' },
  goesOn: 'aloud',
  loads: ['nothing'],
  shares: true,
});
